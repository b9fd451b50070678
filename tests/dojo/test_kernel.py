"""In a real kernel: killed in mid-check, what was done stays done; what goes wrong shows as words, not as frames."""

from __future__ import annotations

import time

import pytest
from jupyter_client.manager import KernelManager

from tests.dojo.odd_notebooks import ODD

PROMISE = "product: fact_sales\nconsumers: [finance]\n"

OPENS = "from dojo import start, check, progress\nshop = start('00')\n"
SOLVES = "def upstream(parents, model):\n    found = set(parents[model])\n    for p in parents[model]:\n        found |= upstream(parents, p)\n    return found\n"
REVENUE = "def revenue_on(con, day):\n    return con.execute('select coalesce(sum(revenue_eur), 0) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0]\n"
STUCK = "import pathlib\ndef revenue_on(con, day):\n    con.execute('create or replace table marts.daily_revenue as select 1 as a')\n    pathlib.Path({marker!r}).touch()\n    while True: pass\n"


class Kernel:
    """A real kernel, as JupyterLab runs it."""

    def __init__(self, folder):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def says(self, source: str) -> str:
        """Runs a cell to its end and returns what it printed."""
        said = []

        def hear(message):
            content = message["content"]
            said.append(content.get("text") or "\n".join(content.get("traceback", [])))

        self.client.execute_interactive(source, timeout=120, output_hook=hear)
        return "".join(said)

    def kill(self):
        """As from the task manager."""
        self.manager.shutdown_kernel(now=True)
        self.client.stop_channels()


@pytest.fixture
def kernels(dojo_home, tmp_path):
    """Starts kernels in a learner's folder; ends those that are left."""
    started = []

    def start():
        started.append(Kernel(tmp_path))
        return started[-1]

    yield start
    for kernel in started:
        kernel.kill()


def test_progress_and_work_survive_and_the_next_check_works(kernels, dojo_home, tmp_path):
    first = kernels()
    first.says(OPENS)
    assert "Passed" in first.says(f"{SOLVES}\nprint(check('00.2'))")
    first.says(f"shop.write('docs/promise.yml', {PROMISE!r})")
    marker = tmp_path / "in-mid-check"
    first.client.execute(STUCK.format(marker=str(marker)) + "check('00.1')")
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert time.monotonic() < deadline, "the check never reached the answer"
        time.sleep(0.02)
    first.kill()

    second = kernels()
    second.says(OPENS)
    standing = second.says("print(progress('00'))")
    assert "00.2 Where the number comes from: solved" in standing
    assert "00.1 The number finance reads: open" in standing
    assert second.says("print(shop.read('docs/promise.yml'))").strip() == PROMISE.strip()
    assert "Passed" in second.says(f"{REVENUE}\nprint(check('00.1'))")
    assert "00.1 The number finance reads: solved" in second.says("print(progress('00'))")
    assert not list(dojo_home.glob("*.lock")) and not list(dojo_home.glob("*.unreadable*"))


def test_what_goes_wrong_shows_as_words_without_a_traceback(kernels, dojo_home):
    kernel = kernels()
    kernel.says(OPENS + "from dojo import hint")
    assert kernel.says("start('99')").startswith("There is no module '99'. These exist: 00")
    assert kernel.says("check('00.9')").startswith("There is no task '00.9'. Did you mean 00.")
    (dojo_home / "progress.sqlite").unlink(missing_ok=True)
    (dojo_home / "progress.sqlite").mkdir()
    said = kernel.says("hint('00.1')")
    assert said.startswith("Your progress could not be written") and "Free some disk space" in said
    assert "Traceback" not in said and len(said.splitlines()) == 1


LOOP = (
    "asyncio.run in the answer",
    "top-level await",
    "await in a comprehension",
    "%%time over the answer",
    "syntax error",
    "an error above the answer",
    "sys.exit before the answer",
    "sys.exit in the answer",
    "an error below the answer",
)
"""Odd notebooks whose verdict could hang on what only a real kernel has: its event loop, its way with errors."""


def test_odd_notebooks_get_in_a_real_kernel_what_they_get_elsewhere(kernels, dojo_home):
    kernel = kernels()
    kernel.says(OPENS)
    for odd in (odd for odd in ODD if odd.name in LOOP):
        kernel.says("get_ipython().user_ns.pop('upstream', None)")
        for cell in odd.cells[1:]:
            kernel.says(cell if isinstance(cell, str) else cell[0])
        assert kernel.says("print(check('00.2').outcome)").strip() == odd.says["00.2"], odd.name


def test_a_cell_that_stopped_is_named_with_its_error_and_forgotten_once_it_works(kernels, dojo_home):
    kernel = kernels()
    kernel.says(OPENS)
    kernel.says(f"import nowhere\n{SOLVES}")
    said = kernel.says("print(check('00.2'))")
    assert "line 1 of your answer with ModuleNotFoundError" in said and "The line reads: import nowhere" in said
    kernel.says(SOLVES)
    assert "Passed" in kernel.says("print(check('00.2'))")
    kernel.says("del upstream")
    assert "There is no `upstream` yet." in kernel.says("print(check('00.2'))")


def test_run_all_over_solved_files_keeps_them_whichever_module_was_opened_last(kernels, dojo_home):
    kernel = kernels()
    kernel.says(OPENS)
    kernel.says("start('11')")
    said = kernel.says(f"%%workfile docs/promise.yml\n{PROMISE}")
    assert said == "docs/promise.yml: written to the workspace of module 00, work/00-start-here/\n"
    assert "only the stub" in kernel.says("%%workfile docs/promise.yml\n# your turn")
    assert kernel.says("print(shop.read('docs/promise.yml'))").strip() == PROMISE.strip()
    (dojo_home / "00-start-here" / "docs" / "promise.yml").unlink()
    (dojo_home / "00-start-here" / "docs" / "promise.yml").mkdir()
    said = kernel.says(f"%%workfile docs/promise.yml\n{PROMISE}")
    assert "is a folder of the workspace" in said and "Traceback" not in said
