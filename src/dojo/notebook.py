"""What a learner calls in a notebook: start, check, hint, solution, progress, predict, compare, quiz, and %%workfile."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from html import escape
from typing import Any

from dojo import course_map, tasks
from dojo.judge import waiting
from dojo.judge.engine import judge
from dojo.judge.work import KernelWork
from dojo.places import home
from dojo.record import NotSaved, Progress
from dojo.verdict import TaskReport
from dojo.workspace import Shop, WorkspaceError, open_workspace

_shops: dict[str, Shop] = {}
_current: list[str] = []


class Note:
    """A short text that shows as a paragraph in a notebook and as a line in a terminal."""

    def __init__(self, text: str, html: str | None = None):
        self.text, self._html = text, html

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self._html or "".join(f"<p>{escape(part)}</p>" for part in self.text.split("\n\n"))


def _in_words(face: Callable[..., Any]) -> Callable[..., Any]:
    """What the course has words for shows in a notebook as those words, without the frames it came through."""

    @functools.wraps(face)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return face(*args, **kwargs)
        except (tasks.UnknownTask, WorkspaceError, NotSaved) as error:
            error._render_traceback_ = lambda said=str(error): [said]  # what IPython asks an exception for
            raise

    return wrapped


def _progress() -> Progress:
    return Progress(home() / "progress.sqlite")


@_in_words
def start(module: str, fresh: bool = False) -> Shop:
    """Opens a module: gives its workspace, in the state the module needs, without touching other modules' work.

    module: its key, for example "03"; fresh: begin again (the old workspace is kept aside). Raises UnknownTask for a
    module that does not exist and WorkspaceError when the disk or another program is in the way.
    """
    key = str(module).zfill(2) if str(module).isdigit() else str(module)
    tasks.module(key)
    _shops[key] = open_workspace(key, fresh=fresh)
    _current[:] = [key]
    _register_magic()
    for tool in getattr(tasks.module(key), "USES", ()):
        threading.Thread(target=_make_ready, args=(tool,), daemon=True).start()
    return _shops[key]


def _make_ready(tool: str) -> None:
    from dojo.judge import toolbox

    toolbox.make_ready(tool)


@_in_words
def check(task: str) -> TaskReport:
    """Judges a task on what stands in this notebook and its workspace, records the attempt, and returns the report."""
    wanted = tasks.get(task)
    folder = _shops[wanted.module].path if wanted.module in _shops else None
    if folder is None and wanted.files:
        folder = open_workspace(wanted.module).path
    with waiting.shown_in_notebook() if _shell() is not None else contextlib.nullcontext():
        report = judge(wanted, KernelWork(_names(), folder))
    try:
        _progress().record(report)
    except NotSaved as error:
        print(error, file=sys.stderr)
    return report


def _names() -> dict[str, Any]:
    """The learner's names: the notebook's, or the caller's outside of one."""
    shell = _shell()
    if shell is not None:
        return shell.user_ns
    frame = sys._getframe(1)
    while frame.f_globals is globals() and frame.f_back is not None:
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


def _shell():
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


@_in_words
def hint(task: str) -> Note:
    """The next hint of a task: first a nudge, then a direction, then nearly the answer."""
    wanted = tasks.get(task)
    level = _progress().next_hint(task, len(wanted.hints))
    return Note(f"Hint {level} of {len(wanted.hints)} for {task}: {wanted.hints[level - 1]}")


@_in_words
def solution(task: str) -> Note:
    """The reference answer of a task. Opening it before solving is recorded as shown, never as solved."""
    from dojo.authoring import solution_of

    wanted = tasks.get(task)
    _progress().show(task)
    text = solution_of(wanted)
    note = "One good answer among many. Progress now says “shown” for this task unless you had solved it before."
    return Note(f"{note}\n\n{text}", f"<p>{escape(note)}</p><pre>{escape(text)}</pre>")


@_in_words
def progress(module: str | None = None) -> Note:
    """Where you stand: each task as solved, shown, tried or open, with points and minutes left; without a module, as a map."""
    rooms = course_map.rooms(_progress(), None if module is None else [str(module)])
    lines, rows = [], []
    for room in rooms:
        head = f"{room.stem}: {room.points:g} of {room.out_of} points, about {room.minutes_left} min to go"
        lines += [head, *(f"  {task} {title}: {state}" for task, title, state in room.tasks)]
        rows.append(f'<tr><th colspan="3" style="text-align:left">{escape(head)}</th></tr>')
        for task, title, state in room.tasks:
            rows.append(f"<tr><td>{task}</td><td style='text-align:left'>{escape(title)}</td><td>{state}</td></tr>")
    if module is None:
        return Note("\n".join(lines), course_map.as_html(rooms))
    return Note("\n".join(lines), f"<table><tbody>{''.join(rows)}</tbody></table>")


@_in_words
def predict(question: str, guess: Any) -> Note:
    """Keeps your prediction, so that `compare` can show it beside what really happens."""
    _progress().predict(question, str(guess))
    return Note(f"Your prediction, {question}: {guess}. Now run on.")


@_in_words
def compare(question: str, measured: Any) -> Note:
    """Shows your prediction beside the measured value."""
    guess = _progress().prediction(question)
    said = f"you said {guess}" if guess is not None else "you made no prediction"
    return Note(f"{question}: {said}; measured: {measured}.")


@_in_words
def quiz(module: str) -> Note:
    """Three questions on a lesson; every option opens to say why it is right or what misconception it is."""
    from dojo.quizzes import as_html, as_text, load

    questions = load(str(module))
    return Note(as_text(questions), as_html(questions))


def _register_magic() -> None:
    shell = _shell()
    if shell is not None:
        shell.register_magic_function(_workfile, "cell", "workfile")


def _workfile(line: str, cell: str) -> None:
    """Writes the cell into a file of the current module's workspace; the earlier text is kept."""
    from dojo.authoring import without_markers

    path = line.strip()
    if not path or not _current:
        print("Write `%%workfile path/in/the/workspace` on the first line, after start(...).", file=sys.stderr)
        return
    changed = _shops[_current[0]].write(path, without_markers(cell))
    print(f"{path}: {'written' if changed else 'unchanged'}")
