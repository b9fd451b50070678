"""What a new environment is tried with: the packages of the lessons import, and one task's own solution passes its check."""

from __future__ import annotations

import importlib
import sys
import tempfile
import warnings

PACKAGES = (
    *("jupyterlab", "ipykernel", "anywidget", "duckdb", "pandas", "pyarrow", "dbt.cli.main", "dbt.adapters.duckdb"),
    *("dlt", "pandera", "great_expectations", "sqlfluff", "jupytext", "tree_sitter_groovy", "hcl2", "detect_secrets"),
)
TASK = "00.1"
"""The first task: an answer in Python that queries DuckDB."""


def main() -> int:
    """Tries this environment; exit status 1, and why in one line on stderr, where it does not do."""
    warnings.simplefilter("ignore")
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except Exception as error:
            return _unfit(f"{name} cannot be imported: {type(error).__name__}: {error}")
    try:
        report = _checked()
    except Exception as error:
        return _unfit(f"the check of {TASK} broke: {type(error).__name__}: {error}")
    if not report.passed:
        return _unfit(f"the course's own solution of {TASK} does not pass its check: {report.outcome}")
    return 0


def _checked():
    from dojo import tasks
    from dojo.selftest import in_kernel, solved

    task = tasks.get(TASK)
    return in_kernel(task, solved(task.module).answer(task))


def _unfit(why: str) -> int:
    print(" ".join(why.split())[:400], file=sys.stderr)
    return 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as nobody:
        import os

        os.environ["DOJO_HOME"] = nobody  # nothing of the learner's is touched
        raise SystemExit(main())
