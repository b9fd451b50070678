"""Results that a process keeps: what they reserve, and that nothing fetches them another way."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from dojo.places import COURSE
from shopflow.tables import BATCH_ROWS


def reserved() -> int:
    """Bytes of address space for data that this process has reserved."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"^VmData:\s+(\d+) kB", status, re.M)[1]) << 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_kept_result_reserves_what_it_holds():
    con = duckdb.connect()
    columns = ", ".join(f"range as c{n}" for n in range(20))
    con.execute(f"select {columns} from range(1_000)").to_arrow_table(BATCH_ROWS)
    pa.allocate_buffer(1)  # Arrow's own memory is reserved once
    before = reserved()
    kept = [con.execute(f"select {columns} from range(1_000)").to_arrow_table(BATCH_ROWS) for _ in range(20)]
    assert sum(table.nbytes for table in kept) < 4_000_000
    assert reserved() - before < 400_000_000  # 20 columns of a million rows in 20 results would be 3.2 GB


def test_results_are_fetched_in_such_batches():
    sources = sorted((COURSE / "src").rglob("*.py"))
    assert [p.name for p in sources if "to_arrow_table()" in p.read_text(encoding="utf-8")] == []
