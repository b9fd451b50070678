"""One source, many files: solutions/ and notebooks/ are written as .md; every .ipynb and all of exercises/ is computed.

Markers follow nbgrader: what stands between BEGIN SOLUTION and END SOLUTION becomes a stub in the exercise; cells tagged
`solution` disappear there; answer cells carry the tag `task-NN.k`.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from dojo import tasks
from dojo.judge.contract import Task
from dojo.places import COURSE, EXECUTED, stem, tools

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
CELL_SECONDS = 120
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
TALKATIVE = ("CI", "BUILD_NUMBER", "COLUMNS", "GITHUB_ACTIONS", "PYTEST_ADDOPTS", "PY_COLORS", "FORCE_COLOR")
"""Variables that make pytest and others print more or wider."""


class AuthoringError(ValueError):
    """A source that cannot be turned into a notebook; the message names the file and the cell."""


@dataclass(frozen=True)
class Drift:
    """A derived file that differs from its source: which, from what, and what to do."""

    path: Path
    source: Path
    why: str

    def __str__(self) -> str:
        here = self.path.relative_to(COURSE).as_posix()
        return f"{here}: {self.why}. Edit {self.source.relative_to(COURSE).as_posix()} and run `make sync`."


def sources(folder: str) -> list[Path]:
    """The .md sources of notebooks/ or solutions/, in order."""
    return sorted((COURSE / folder).glob("*.md"))


def read_source(path: Path) -> nbformat.NotebookNode:
    """A .md source as a notebook without outputs, with our metadata and stable cell ids. AuthoringError if it is broken."""
    import jupytext

    try:
        read = jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst")
    except Exception as error:
        raise AuthoringError(f"{path.name} cannot be read as a MyST notebook: {error}") from error
    front = {k: v for k, v in read.metadata.items() if k not in ("jupytext", "kernelspec", "language_info")}
    cells, seen = [], {}
    for number, cell in enumerate(read.cells):
        if cell.cell_type == "code":
            _check_markers(path, number, cell.source)
        tags = cell.metadata.get("tags")
        cells.append(_cell(cell.cell_type, cell.source, tags, seen))
    return nbformat.v4.new_notebook(cells=cells, metadata={"dojo": front, "kernelspec": KERNEL})


def _cell(kind: str, source: str, tags: list[str] | None, seen: dict[str, int]) -> nbformat.NotebookNode:
    digest = hashlib.sha256(f"{kind}\n{source}".encode()).hexdigest()[:8]
    seen[digest] = seen.get(digest, 0) + 1
    made = nbformat.v4.new_code_cell(source) if kind == "code" else nbformat.v4.new_markdown_cell(source)
    made["id"] = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"
    made["metadata"] = {"tags": list(tags)} if tags else {}
    return made


def _check_markers(path: Path, number: int, source: str) -> None:
    inside = False
    for line in source.split("\n"):
        if (BEGIN in line and inside) or (END in line and not inside):
            raise AuthoringError(f"{path.name}, cell {number}: solution markers do not pair.")
        inside = BEGIN in line or (inside and END not in line)
    if inside:
        raise AuthoringError(f"{path.name}, cell {number}: {BEGIN} without {END}.")


def without_markers(source: str) -> str:
    """The text without marker lines: what a file made by %%workfile holds."""
    kept = [line for line in source.split("\n") if BEGIN not in line and END not in line]
    text = "\n".join(kept)
    return text if text.endswith("\n") else text + "\n"


def stub(source: str) -> str:
    """A solution cell as a learner first sees it: each marked region replaced by a stub in the language of its marker."""
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if BEGIN in line:
            inside = True
            lines.append(_stub_line(line))
        elif END in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines)


def _stub_line(marker: str) -> str:
    indent = marker[: len(marker) - len(marker.lstrip())]
    lead = marker.strip()[: marker.strip().index("###")].strip() or "#"
    if indent and lead == "#":
        return f'{indent}raise NotImplementedError("your turn")'
    return f"{indent}{lead} your turn"


def exercise_of(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The exercise a solution notebook holds: stubs for answers, no solution or debriefing cells, no outputs."""
    cells, seen = [], {}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if not {"solution", "debrief"} & set(tags):
            source = stub(cell.source) if cell.cell_type == "code" else cell.source
            cells.append(_cell(cell.cell_type, source, tags, seen))
    return nbformat.v4.new_notebook(cells=cells, metadata=dict(notebook.metadata))


def as_json(notebook: nbformat.NotebookNode) -> str:
    """The one way a notebook is written, to the byte."""
    notebook = nbformat.from_dict(notebook)
    notebook["nbformat"], notebook["nbformat_minor"] = 4, 5
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell["outputs"] = _joined(cell["outputs"])
    text = nbformat.writes(notebook, version=4)
    return text if text.endswith("\n") else text + "\n"


def _joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """The outputs with what was printed in one go as one: how it is cut into messages depends on the machine's load."""
    made: list[nbformat.NotebookNode] = []
    for output in outputs:
        if made and output.output_type == "stream" == made[-1].output_type and output.name == made[-1].name:
            made[-1]["text"] += output.text
        else:
            made.append(output)
    return made


def settle_environment() -> None:
    """Takes from this process's environment what would make a notebook's outputs differ: here as on a build server."""
    for name in TALKATIVE:
        os.environ.pop(name, None)
    os.environ["DOJO_PROGRESS"] = "off"


def execute(notebook: nbformat.NotebookNode, source: Path) -> nbformat.NotebookNode:
    """The notebook run top to bottom beside its source, in a home of its own.

    AuthoringError names the source's line, the cell, and the last line of what went wrong in it.
    """
    from dojo.workspace import checkpoints

    run = nbformat.from_dict(notebook)
    with tempfile.TemporaryDirectory(prefix="dojo-sync-") as home:
        before = dict(os.environ)
        settle_environment()
        os.environ |= {"DOJO_HOME": home, "DOJO_CHECKPOINTS": str(checkpoints()), "DOJO_TOOLS": str(tools())}
        try:
            _run(run, source)
        finally:
            os.environ.clear()
            os.environ.update(before)
    run.metadata = dict(notebook.metadata)
    for number, cell in enumerate(run.cells):
        cell["id"] = notebook.cells[number]["id"]
        cell["metadata"] = notebook.cells[number]["metadata"]
        for output in cell.get("outputs", []):
            # A live widget has another id at every run: its still picture is what is kept.
            output.get("data", {}).pop(WIDGET_VIEW, None)
            if output.output_type == "stream" and output.name == "stderr":
                said = output.text.strip()[:300]
                raise _broken(source, run, number, f"it writes to stderr, which never comes out the same twice: {said}")
    return run


def _run(run: nbformat.NotebookNode, source: Path) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        run, timeout=CELL_SECONDS, record_timing=False, resources={"metadata": {"path": str(source.parent)}}
    )
    try:
        client.execute()
    except CellExecutionError as error:
        failed = max(n for n, c in enumerate(run.cells) if any(o.output_type == "error" for o in c.get("outputs", [])))
        raise _broken(source, run, failed, f"{error.ename}: {_last_line(error.evalue)}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        reached = (n for n, c in enumerate(run.cells) if c.cell_type == "code" and c.source and c.execution_count is None)
        late = isinstance(error, CellTimeoutError)
        said = f"it ran longer than {CELL_SECONDS} s" if late else "the kernel ended while it ran (memory, or os._exit)"
        raise _broken(source, run, next(reached, len(run.cells) - 1), said) from None


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _broken(source: Path, run: nbformat.NotebookNode, number: int, said: str) -> AuthoringError:
    """What stops a notebook, with the place an author looks at: its source, the line there, the cell."""
    cell = run.cells[number]
    at = source.read_text(encoding="utf-8").find(cell.source)
    line = f":{source.read_text(encoding='utf-8').count(chr(10), 0, at) + 1}" if at >= 0 else ""
    code = [n for n, c in enumerate(run.cells) if c.cell_type == "code"].index(number) + 1
    first = cell.source.strip().splitlines()[0] if cell.source.strip() else ""
    where = f"{source.parent.name}/{source.name}{line}, code cell {code} (`{first[:60]}`)"
    return AuthoringError(
        f"{where}: {said}\nNothing was written for this notebook. Mend the source, then `make sync` again."
    )


def derived(folder: str, path: Path) -> tuple[Path, nbformat.NotebookNode]:
    """The executed .ipynb that stands beside a source, as far as it follows from the source alone (no outputs)."""
    return path.with_suffix(".ipynb"), read_source(path)


def _stripped(path: Path) -> str:
    """A notebook file without outputs; "" for a file that is no notebook (half a merge, say): it is written anew."""
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except Exception:
        return ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return as_json(notebook)


def drift() -> list[Drift]:
    """Every derived file that differs by a byte from what its source gives (outputs are nbval's to compare)."""
    found = []
    for folder in EXECUTED:
        for source in sources(folder):
            target, fresh = derived(folder, source)
            if not target.exists():
                found.append(Drift(target, source, "is missing"))
            elif _stripped(target) != as_json(fresh):
                found.append(Drift(target, source, "differs from its source"))
            elif target.read_text(encoding="utf-8") != as_json(nbformat.read(target, as_version=4)):
                found.append(Drift(target, source, "is not written the way `make sync` writes it"))
            if folder == "solutions":
                exercise = COURSE / "exercises" / target.name
                if not exercise.exists() or exercise.read_text(encoding="utf-8") != as_json(exercise_of(fresh)):
                    found.append(Drift(exercise, source, "differs from its source"))
    for path, (text, source) in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            found.append(Drift(path, source, "differs from its source"))
    return found + _orphans()


def pages() -> dict[Path, tuple[str, Path]]:
    """Generated files that are no notebooks: path → (text, where to edit)."""
    from shopflow import sample
    from shopflow.faults import reference

    company = COURSE / "src" / "shopflow"
    made = {COURSE / "data" / name: (text, company / "sample.py") for name, text in sample.files().items()}
    made[COURSE / "book" / "reference" / "faults.md"] = (reference.page(), company / "faults")
    return {**made, COURSE / "README.md": (_readme(), COURSE / "notebooks")}


_TABLE = "| module | what you do | lesson | exercise |\n|---|---|---|---|\n"


def _readme() -> str:
    """The README with the table of modules as the front matters tell them."""
    text = (COURSE / "README.md").read_text(encoding="utf-8")
    before, found, rest = text.partition(_TABLE)
    if not found:
        raise AuthoringError(f"README.md has no table of modules any more; it begins with {_TABLE.splitlines()[0]}")
    after = rest[rest.index("\n\n") + 1 :]
    return before + found + "".join(map(_row, sources("notebooks"))) + after


def _row(lesson: Path) -> str:
    """A module's row: its summary, the minutes of its lesson and of its exercise. A scenario's brief counts as its lesson."""
    front = read_source(lesson).metadata["dojo"]
    exercise = read_source(COURSE / "solutions" / lesson.name).metadata["dojo"]
    read, do, more, work = (int(f[k]) for f in (front, exercise) for k in ("minutes_read", "minutes_do"))
    first, second = (read + more, work) if lesson.name.startswith("i") else (read + do, more + work)
    return f"| {lesson.stem.replace('-', ' ', 1)} | {front['summary']} | {first} min | {second} min |\n"


def _orphans() -> list[Drift]:
    found = []
    for folder, origin in (("notebooks", "notebooks"), ("solutions", "solutions"), ("exercises", "solutions")):
        for path in sorted((COURSE / folder).glob("*.ipynb")):
            source = COURSE / origin / f"{path.stem}.md"
            if not source.exists():
                found.append(Drift(path, source, "has no source"))
    return found


def sync(only: str | None = None, *, rerun: bool = False) -> list[Path]:
    """Writes every derived file that is out of date and returns what was written; runs a notebook only when its source
    changed, or always with `rerun`. `only`: a stem or folder/stem; AuthoringError where there is no such notebook."""
    written = []
    known = {name for f in EXECUTED for s in sources(f) for name in (s.stem, f"{f}/{s.stem}")}
    if only and only not in known:
        near = [name for name in sorted(known) if name.startswith(only)]
        raise AuthoringError(f"There is no notebook {only}." + (f" Did you mean {near[0]}?" if near else ""))
    for folder in EXECUTED:
        for source in sources(folder):
            if only and only not in (source.stem, f"{folder}/{source.stem}"):
                continue
            target, fresh = derived(folder, source)
            if folder == "solutions":
                written += _write(COURSE / "exercises" / target.name, as_json(exercise_of(fresh)))
            if rerun or not target.exists() or _stripped(target) != as_json(fresh):
                print(f"running {folder}/{source.stem}", file=sys.stderr, flush=True)
                written += _write(target, as_json(execute(fresh, source)))
    if not only:
        for target, (text, _) in pages().items():
            written += _write(target, text)
    return written


def _write(path: Path, text: str) -> list[Path]:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return [path]


def answer_cells(notebook: nbformat.NotebookNode, task_id: str) -> list[str]:
    """Sources of the cells tagged with a task, in order."""
    return [c.source for c in notebook.cells if c.cell_type == "code" and f"task-{task_id}" in c.metadata.get("tags", [])]


def solution_of(task: Task) -> str:
    """The reference answer: the task's answer cells from solutions/, without markers. AuthoringError if there is none."""
    path = COURSE / "solutions" / f"{stem(task.module)}.md"
    cells = answer_cells(read_source(path), task.id) if path.exists() else []
    if not cells:
        raise AuthoringError(f"solutions/{path.name} holds no answer cell tagged task-{task.id}.")
    return "\n\n".join(without_markers(cell) for cell in cells)


def task_headings(path: Path) -> list[dict[str, Any]]:
    """The task cards of a solutions source: [{id, title, minutes, points}], from "## NN.k Title" and "M min · P points"."""
    cards = []
    for match in re.finditer(
        r"^## (\w+\.\d+) (.+)\n+\*{0,2}(\d+) min · (\d+) points?", path.read_text(encoding="utf-8"), re.M
    ):
        cards.append({"id": match[1], "title": match[2].strip(), "minutes": int(match[3]), "points": int(match[4])})
    return cards


def text_of(task: Task) -> str:
    """What a learner reads of a task: its section of the solutions source, from its heading to the next one."""
    text = (COURSE / "solutions" / f"{stem(task.module)}.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(task.id)} .*?(?=^## |\Z)", text, re.M | re.S)
    return found[0] if found else ""


def missing_clauses(task: Task) -> list[str]:
    """Clauses of a task whose words its text does not hold (white space and emphasis do not count)."""
    text = _plain_words(text_of(task))
    return [words for words in task.clauses if _plain_words(words) not in text]


def _plain_words(text: str) -> str:
    return " ".join(re.sub(r"[*_`]", "", text).split())


def main(check_only: bool = False, only: str | None = None, rerun: bool = False) -> int:
    """`dojo sync`: writes what is out of date, or with check_only says what is. Exit status 1 on drift."""
    if check_only:
        found = drift()
        for one in found:
            print(one)
        print("nothing has drifted" if not found else f"{len(found)} files have drifted")
        return 1 if found else 0
    for path in sync(only, rerun=rerun):
        print(f"written {path.relative_to(COURSE).as_posix()}")
    lost = [
        (task.id, words) for key in tasks.module_keys() for task in tasks.tasks_of(key) for words in missing_clauses(task)
    ]
    for task, words in lost:
        print(f"{task}: its text no longer says “{words}”. Change the task's `clauses` with the text, and what is tried.")
    return 1 if lost else 0
