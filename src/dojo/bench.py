"""The speed table: what the course does, measured beside a yardstick in the same run. Figures, never a verdict."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil

from dojo import authoring, grading, selftest, submission, tasks
from dojo.places import COURSE
from dojo.tools import environments
from dojo.workspace import checkpoint_of, checkpoints


@dataclass(frozen=True)
class Line:
    """One line of the table: what was measured, ours, the yardstick with its name, and the goal."""

    what: str
    ours: str
    yardstick: str
    goal: str


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """Median wall seconds of some repetitions."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def checks() -> Line:
    """The solution of each task that runs no tool, checked in this process; data of the judge already made."""
    taken = []
    for key in tasks.module_keys():
        solved = selftest.solved(key)
        for task in (t for t in tasks.tasks_of(key) if not t.executes):
            answer = solved.answer(task)
            selftest.in_kernel(task, answer)
            taken.append(seconds(lambda task=task, answer=answer: selftest.in_kernel(task, answer)) * 1000)
    ours = f"median {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms ({len(taken)} tasks)"
    bare = seconds(lambda: subprocess.run([sys.executable, "-c", "assert 1 + 1 == 2"], check=True)) * 1000
    return Line(
        "check of a value or a file in the kernel",
        ours,
        f"a bare assert in a new Python: {bare:.0f} ms",
        "median ≤ 50 ms, worst ≤ 300 ms",
    )


TRIED = """
import json, sys, time
from dojo import selftest, tasks
from dojo.judge import waiting

task = tasks.get(sys.argv[1])
answer = selftest.solved(task.module).answer(task)
begun, told, taken = time.perf_counter(), [], []
waiting._listeners.append(lambda *_: told.append(time.perf_counter() - begun))
for _ in range(2):
    start = time.perf_counter()
    assert selftest.in_kernel(task, answer).passed
    taken.append(time.perf_counter() - start)
print(json.dumps([*taken, told[0] if told else None]))
"""
GOALS = {"04.2": 15, "i03.2": 15}
"""Seconds that the first check of a task may take; others have 10."""


def tries(root: Path) -> list[Line]:
    """Each task that runs tools: the first check of its solution in a new Python that remembers nothing, and the second."""
    kept = root / "checkpoints"
    kept.mkdir()
    for entry in checkpoints().iterdir():
        if entry.name not in ("remembered", "runs"):
            (kept / entry.name).symlink_to(entry)
    bare = seconds(lambda: subprocess.run([sys.executable, "-c", "import dbt.cli.main"], check=True))
    lines = []
    for task in (t for key in tasks.module_keys() for t in tasks.tasks_of(key) if t.executes):
        for forgotten in ("remembered", "runs"):
            shutil.rmtree(kept / forgotten, ignore_errors=True)
        done = subprocess.run(
            [sys.executable, "-c", TRIED, task.id],
            env={**os.environ, "DOJO_CHECKPOINTS": str(kept)},
            check=True,
            capture_output=True,
            text=True,
        )
        first, again, bar = json.loads(done.stdout.splitlines()[-1])
        said = f"{first:.1f} s, again {again:.1f} s" + (f", a bar after {bar:.1f} s" if bar is not None else "")
        goal = f"≤ {GOALS.get(task.id, 10)} s, a bar within 1 s"
        lines.append(Line(f"first check of {task.id}", said, f"import of dbt: {bare:.1f} s", goal))
    return lines


def dbt(root: Path) -> list[Line]:
    """One model and the whole project in process, beside the dbt command line on the same company."""
    from shopflow import transform
    from shopflow.platform import Platform

    platform = Platform(root, "dev")

    def run(*args: str) -> None:
        assert transform.dbt(platform.project, list(args), warehouse=platform.warehouse).success

    run("parse")
    one, whole = seconds(lambda: run("run", "--select", "daily_revenue")), seconds(lambda: run("build"))
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "build", "--project-dir", ".", "--profiles-dir", "."]
    settings = {**os.environ, **transform.QUIET, "SHOPFLOW_WAREHOUSE": str(platform.warehouse)}
    cli = seconds(lambda: subprocess.run(command, cwd=platform.project, env=settings, check=True, capture_output=True), 2)
    return [
        Line("dbt: one model", f"{one:.2f} s", f"dbt CLI, whole build: {cli:.1f} s", "≤ 0.5 s"),
        Line("dbt: the whole project with its tests", f"{whole:.2f} s", f"dbt CLI, whole build: {cli:.1f} s", "≤ 1.6 s"),
    ]


def company(root: Path) -> list[Line]:
    """A fresh company, and one restored from a checkpoint; the first cell of a notebook in a new Python."""
    from shopflow import checkpoint, transform

    transform.warm_up()
    begun = time.perf_counter()
    checkpoint.build(root / "fresh")
    fresh = time.perf_counter() - begun
    home = root / "home"
    cell = "import time; t = time.perf_counter(); from dojo import start; start('00'); print(time.perf_counter() - t)"
    checkpoint_of("00")
    settings = {**os.environ, "DOJO_HOME": str(home), "DOJO_CHECKPOINTS": str(checkpoints())}
    first = []
    for _ in range(3):
        shutil.rmtree(home, ignore_errors=True)
        first.append(
            float(
                subprocess.run([sys.executable, "-c", cell], env=settings, check=True, capture_output=True, text=True).stdout
            )
        )
    imported = "import time; t = time.perf_counter(); import dbt.cli.main; print(time.perf_counter() - t)"
    alone = float(subprocess.run([sys.executable, "-c", imported], check=True, capture_output=True, text=True).stdout)
    return [
        Line("a fresh company: generated, loaded, built", f"{fresh:.1f} s", "none", "≤ 8 s"),
        Line(
            "first cell, workspace restored",
            f"{statistics.median(first):.2f} s",
            f"import of dbt alone: {alone:.1f} s",
            "≤ 1 s",
        ),
    ]


_GENERATE = """
import sys, time
from pathlib import Path
from shopflow import sources

begun = time.perf_counter()
rows = sum(sources.generate(Path(sys.argv[1]), orders=int(sys.argv[2])).values())
taken = time.perf_counter() - begun
if sys.platform == "win32":
    import psutil
    peak = psutil.Process().memory_info().peak_wset
else:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(rows, taken, peak)
"""


def generator(root: Path) -> list[Line]:
    """Rows a second of the source systems, each size in a process of its own with its peak of resident memory."""
    lines = []
    for orders, goal in ((10_000, "≤ 2 s"), (1_000_000, ""), (10_000_000, "≤ 4 GiB")):
        folder = root / "generated"
        command = [sys.executable, "-c", _GENERATE, str(folder), str(orders)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        rows, taken, peak = map(float, done.stdout.split())
        ours = f"{taken:.1f} s, {rows / taken:,.0f} rows/s, peak {peak / 2**30:.1f} GiB"
        lines.append(Line(f"sources of {orders:,} orders", ours, "none", goal))
        shutil.rmtree(folder)
    return lines


SUBMISSIONS = 10


def graded(root: Path) -> list[Line]:
    """The solved exercise of module 00: one submission, then ten; both graders warm, nbgrader on the same notebook."""
    exercise = root / "00-start-here.ipynb"
    shutil.copy(COURSE / "solutions" / exercise.name, exercise)
    with grading.warm_sandboxes() as sandboxes:

        def ours() -> None:
            grade = grading.grade(submission.read(exercise), exercise.name, *sandboxes)
            assert grade.points == grade.out_of

        ours()
        one = seconds(ours, 5)
        ten = seconds(lambda: [ours() for _ in range(SUBMISSIONS)], 1)
    try:
        one_theirs, ten_theirs = nbgrader(root / "nbgrader")
        beside = [
            f"nbgrader: {theirs:.2f} s, {theirs / mine:.0f} times as long"
            for theirs, mine in ((one_theirs, one), (ten_theirs, ten))
        ]
    except (OSError, subprocess.CalledProcessError) as error:
        beside = [f"nbgrader could not be measured: {str(error)[:80]}"] * 2
    return [
        Line("grading one submission, grader up", f"{one * 1000:.0f} ms", beside[0], "≥ 10 × faster"),
        Line(f"grading {SUBMISSIONS} submissions, two cores", f"{ten:.2f} s", beside[1], "≥ 10 × faster"),
    ]


_NBGRADER = """
import sys, time
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

api = NbGraderAPI(config=Config(CourseDirectory={"root": sys.argv[1]}))

def grade(students):
    begun = time.perf_counter()
    for student in students:
        result = api.autograde("one", student, force=True, create=True)
        assert result["success"], result
    return time.perf_counter() - begun

students = [f"learner{n}" for n in range(int(sys.argv[2]))]
grade(students[:1])
print(sorted(grade([student]) for student in students[:3])[1], grade(students))
"""


def nbgrader(course: Path) -> tuple[float, float]:
    """Seconds nbgrader takes for one submission of the same notebook and for ten, started and warm in one process."""
    environments.add("nbgrader")
    program = environments.program("nbgrader", "nbgrader")
    kernel = course / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    settings = {
        **os.environ,
        "PATH": f"{program.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "JUPYTER_PATH": str(course),
        "DOJO_HOME": str(course / "home"),
        "DOJO_CHECKPOINTS": str(checkpoints()),
    }
    run = {"cwd": course, "env": settings, "check": True, "capture_output": True, "text": True}
    _hand_in(course)
    subprocess.run([str(program), "generate_assignment", "one", f"--course={course}"], **run)
    python = str(environments.program("nbgrader", "python"))
    said = subprocess.run([python, "-c", _NBGRADER, str(course), str(SUBMISSIONS)], **run).stdout
    one, ten = map(float, said.split()[-2:])
    return one, ten


def _hand_in(course: Path) -> None:
    """The solution notebook as nbgrader wants it, once as the source and once from each learner."""
    notebook = nbformat.read(COURSE / "solutions" / "00-start-here.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = authoring.without_markers(cell.source).rstrip()
    for number, cell in enumerate(c for c in notebook.cells if c.cell_type == "code" and c.source.startswith("check(")):
        cell.source = f"assert {cell.source}.passed"
        cell.metadata["nbgrader"] = {
            "grade": True,
            "grade_id": f"check-{number}",
            "locked": True,
            "points": 1,
            "schema_version": 3,
            "solution": False,
            "task": False,
        }
    for folder in (course / "source", *(course / "submitted" / f"learner{n}" for n in range(SUBMISSIONS))):
        (folder / "one").mkdir(parents=True)
        nbformat.write(notebook, folder / "one" / "00.ipynb")


# ---------------------------------------------------------------- a new learner


LINE_MB = 50
"""Megabytes a second of the line that the goal for the environment speaks of."""


def tracked_copy(folder: Path) -> Path:
    """A copy of what Git tracks, as it is now: the course as a new learner clones it."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=COURSE, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (COURSE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(COURSE / name, folder / name)
    return folder


def environment(root: Path) -> list[Line]:
    """The learner's environment from nothing, no package kept from before; what went over the line is what the machine received."""
    course = tracked_copy(root / "installed")
    settings = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    settings |= {"UV_CACHE_DIR": str(root / "no-cache"), "PIP_NO_CACHE_DIR": "1"}
    before, begun = _received(), time.perf_counter()
    command = [sys.executable, "-I", str(course / "src" / "dojo" / "install.py")]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begun
    received = (_received() - before) / 1e6
    said = f"{taken:.0f} s, {received:.0f} MB received at {received / taken:.0f} MB/s on average"
    if done.returncode:
        said = f"not measured: {(done.stderr.strip().splitlines() or ['?'])[-1][:80]}"
    shutil.rmtree(root / "no-cache", ignore_errors=True)
    shutil.rmtree(course, ignore_errors=True)
    return [Line("the environment, from nothing", said, "none", f"≤ 180 s on a line of {LINE_MB} MB/s")]


def _received() -> int:
    """Bytes this machine has received from others so far."""
    cards = psutil.net_io_counters(pernic=True)
    return sum(card.bytes_recv for name, card in cards.items() if not name.lower().startswith("lo"))


def first_check(root: Path) -> list[Line]:
    """From `dojo lab` in a fresh clone to the first green check, in the JupyterLab it opens; the machine's part alone."""
    course = tracked_copy(root / "learner")
    exercise = nbformat.read(course / "exercises" / "00-start-here.ipynb", as_version=4)
    settings = {k: v for k, v in os.environ.items() if not k.startswith("DOJO_")}
    settings |= {"PYTHONPATH": str(course / "src"), "DOJO_HOME": str(course / "work")}
    begun = time.perf_counter()
    lab = subprocess.Popen(
        [sys.executable, "-m", "dojo.cli", "lab", "--no-browser"],
        cwd=course,
        env=settings,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = next(
            filter(None, (re.search(r"(http://127\.0\.0\.1:\d+)/\S+token=(\S+)", line) for line in lab.stdout)), None
        )
        if found is None:
            raise RuntimeError("`dojo lab` ended without a URL. What it says: dojo lab --setup-only")
        opened = time.perf_counter() - begun
        said = run_in_lab(found[1], found[2], to_the_first_check(exercise))
        taken = time.perf_counter() - begun
    finally:
        lab.terminate()
        lab.wait()
    if ": Passed (" not in said:
        raise RuntimeError(f"The solution of 00.1 was not passed in a fresh clone: {said[:300]}")
    return [
        Line(
            "`dojo lab` in a fresh clone to the first green check",
            f"{taken:.0f} s: data and page after {opened:.0f} s, then {taken - opened:.1f} s",
            f"the learner's reading, by the exercise's front matter: {exercise.metadata['dojo']['minutes_read']} min",
            "≤ 180 s",
        )
    ]


def to_the_first_check(exercise: nbformat.NotebookNode) -> list[str]:
    """The code of exercise 00 down to its first check, the answer filled in."""
    task, cells = tasks.get("00.1"), []
    for cell in (c for c in exercise.cells if c.cell_type == "code"):
        answers = f"task-{task.id}" in cell.metadata.get("tags", [])
        cells.append(authoring.solution_of(task) if answers else cell.source)
        if cell.source.startswith("check("):
            return cells
    raise RuntimeError("exercises/00-start-here.ipynb holds no check. Write it anew: make sync")


def run_in_lab(address: str, token: str, cells: list[str]) -> str:
    """Runs cells in a new kernel of a JupyterLab, one after the other; what the last one shows, or the first error."""
    import websocket

    wanted = {"path": "exercises/00-start-here.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    request = urllib.request.Request(f"{address}/api/sessions", json.dumps(wanted).encode(), method="POST")
    request.add_header("Authorization", f"token {token}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        kernel = json.load(answer)["kernel"]["id"]
    channel = f"{address.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={token}"
    wire = websocket.create_connection(channel, timeout=120, http_no_proxy=["127.0.0.1"])
    shown = ""
    for number, source in enumerate(cells):
        head = {"msg_id": str(number), "msg_type": "execute_request", "username": "", "session": "bench", "version": "5.3"}
        asked = {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        wire.send(json.dumps({"header": head, "parent_header": {}, "metadata": {}, "content": asked, "channel": "shell"}))
        while True:
            told = json.loads(wire.recv())
            kind, content = told["header"]["msg_type"], told["content"]
            if told["parent_header"].get("msg_id") != head["msg_id"]:
                continue
            if kind == "error":
                return f"{content['ename']}: {content['evalue']}"
            if kind == "execute_result":
                shown = content["data"]["text/plain"]
            if kind == "status" and content["execution_state"] == "idle":
                break
    wire.close()
    return shown


def main() -> int:
    """`dojo bench`: prints the table. Takes some minutes, most of them for ten million orders, nbgrader and a new environment."""
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="dojo-bench-") as folder:
        root = Path(folder)
        for part in (
            lambda: [checks()],
            lambda: tries(root),
            lambda: company(root),
            lambda: dbt(root / "fresh"),
            lambda: graded(root),
            lambda: generator(root),
            lambda: first_check(root),
            lambda: environment(root),
        ):
            lines += part()
            print(f"… {lines[-1].what}", file=sys.stderr, flush=True)
    wide = [max(len(getattr(line, f)) for line in lines) for f in ("what", "ours", "yardstick", "goal")]
    for line in [Line("what", "ours", "yardstick, same run", "goal"), *lines]:
        print(
            "  ".join(
                text.ljust(w) for text, w in zip((line.what, line.ours, line.yardstick, line.goal), wide, strict=True)
            ).rstrip()
        )
    return 0
