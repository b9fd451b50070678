"""Faults of code come out again without touching what else was written in the files."""

from __future__ import annotations

import pytest

from shopflow import faults, history
from shopflow.clock import LAST_DAY
from shopflow.faults import code
from shopflow.platform import Platform


@pytest.mark.parametrize("fault", code.FAULTS, ids=lambda fault: fault.name)
def test_work_done_in_the_same_file_survives_the_revert(tmp_path, fault):
    platform = Platform(tmp_path)
    history.make(platform.repo)
    file = platform.repo / fault.patches[0][0]
    pristine = file.read_text()
    faults.inject(platform, fault.name, LAST_DAY)
    assert file.read_text() != pristine
    file.write_text(file.read_text() + "\n-- my own work\n")
    faults.revert(platform)
    assert file.read_text() == pristine + "\n-- my own work\n"
