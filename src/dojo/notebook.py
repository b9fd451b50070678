"""What a learner calls in a notebook: start, check, hint, solution, progress, predict, compare, quiz, and %%workfile."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable
from html import escape
from typing import Any

from dojo import course_rooms, tasks
from dojo.debriefing import NoDebriefing, debriefing
from dojo.feedback import Note, shown
from dojo.judge import cells, refusals, settings, waiting
from dojo.judge.contract import Task
from dojo.judge.engine import judge
from dojo.judge.verdict import TaskReport
from dojo.judge.work import KernelWork, LearnerError, learner_error
from dojo.locks import Held
from dojo.places import home
from dojo.record import NotSaved, Progress
from dojo.workspace import Shop, WorkspaceError, Written, open_workspace

_shops: dict[str, Shop] = {}
_current: list[str] = []
_failed: dict[str, LearnerError] = {}


class Interrupted(KeyboardInterrupt):
    """A check was stopped by the one who had asked for it."""


def _in_words(face: Callable[..., Any]) -> Callable[..., Any]:
    """What the course has words for shows in a notebook as those words, without the frames it came through."""

    @functools.wraps(face)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return face(*args, **kwargs)
        except (tasks.UnknownTask, WorkspaceError, NotSaved, NoDebriefing, Interrupted, Held) as error:
            error._render_traceback_ = lambda said=str(error): [said]  # what IPython asks an exception for
            raise
        except Exception as error:
            if words := refusals.in_words(error):
                error._render_traceback_ = lambda: [words]
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
    opened = open_workspace(key, fresh=fresh)
    _shops.pop(key, None)  # the order is that of opening
    _shops[key] = opened
    _current[:] = [key]
    _attach()
    for tool in tasks.module(key).uses:
        threading.Thread(target=_make_ready, args=(tool,), daemon=True).start()
    return _shops[key]


def _make_ready(tool: str) -> None:
    from dojo.judge import toolbox

    toolbox.make_ready(tool)


@_in_words
def check(task: str) -> TaskReport:
    """Judges a task on what stands in this notebook and its workspace, records the attempt, and returns the report."""
    wanted = tasks.get(task)
    _attach()
    folder = _shops[wanted.module].path if wanted.module in _shops else None
    if folder is None and wanted.files:
        folder = open_workspace(wanted.module).path
    with waiting.shown_in_notebook() if _shell() is not None else contextlib.nullcontext():
        work = KernelWork(_names(), folder, _failed)
        try:
            with settings.settled(), settings.interruptible():
                report = judge(wanted, work)
        except KeyboardInterrupt:
            raise Interrupted("You stopped the check. Nothing was judged to its end, and nothing is recorded.") from None
    try:
        _progress().record(report)
    except NotSaved as error:
        print(error, file=sys.stderr)
    return shown(report)


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
    level, text = _next_hint(wanted)
    return Note(f"Hint {level} of {len(wanted.hints)} for {task}: {text}")


def _next_hint(wanted: Task) -> tuple[int, str]:
    level = _progress().next_hint(wanted.id, len(wanted.hints))
    return level, wanted.hints[level - 1]


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
def debrief(module: str) -> Any:
    """What good, better and best answers to an interview scenario say; opens when one of its tasks has been tried."""
    return debriefing(str(module), _progress())


@_in_words
def progress(module: str | None = None) -> Any:
    """Where you stand: the course as a map of rooms, each with a card a task; with a module, its cards alone."""
    from dojo.widgets.course_map import map_of_rooms

    rooms = course_rooms.rooms(_progress(), None if module is None else [str(module)])
    return map_of_rooms(rooms, "" if module is None else str(module), lambda task: _next_hint(tasks.get(task)))


@_in_words
def predict(question: str, guess: Any) -> Any:
    """Keeps your prediction, so that `compare` can show it beside what really happens; it can be changed in the field."""
    from dojo.widgets.prediction import prediction

    kept, name, offered = _progress(), f"prediction: {question}", str(guess)
    before = kept.kept(name)
    # A guess typed into the field outlives a second run of the cell, unless the cell itself says another one by now.
    said = before["guess"] if before.get("offered") == offered else offered
    kept.keep(name, {"offered": offered, "guess": said})
    return prediction(question, said, lambda state: _keep(name, {"offered": offered, "guess": state["guess"]}))


@_in_words
def compare(question: str, measured: Any) -> Any:
    """Shows your prediction beside the measured value."""
    from dojo.widgets.prediction import comparison

    return comparison(question, _progress().kept(f"prediction: {question}").get("guess", ""), str(measured))


@_in_words
def quiz(module: str) -> Any:
    """Three questions on a lesson; every option says why it is right or what misconception it is. What you chose is kept."""
    from dojo.quizzes import load
    from dojo.widgets.quiz import quiz_card

    name = f"quiz: {module}"
    chosen = _progress().kept(name).get("chosen", [])
    return quiz_card(str(module), load(str(module)), chosen, lambda state: _keep(name, {"chosen": state["chosen"]}))


def _keep(name: str, state: dict[str, Any]) -> None:
    """Keeps what a widget was set to. Its view has nobody to raise to: what the disk refuses goes to the log of the kernel."""
    try:
        _progress().keep(name, state)
    except NotSaved as error:
        print(error, file=sys.stderr)


def _attach() -> None:
    """Gives this kernel %%workfile, and listens for answer cells that stop with an error. A second time does nothing."""
    shell = _shell()
    if shell is None:
        return
    shell.register_magic_function(_workfile, "cell", "workfile")
    if _after_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _after_cell)


def _after_cell(result: Any) -> None:
    """Remembers, for each name a cell should have made, the error it stopped with; forgets it when the cell works."""
    error = result.error_before_exec or result.error_in_exec
    if not (error or _failed) or result.info is None:
        return
    for name in cells.read(str(result.info.raw_cell)).bound:
        _failed.pop(name, None)
        if error:
            _failed[name] = learner_error(error)


@_in_words
def _workfile(line: str, cell: str) -> None:
    """Writes the cell into a file of its module's workspace; the earlier text is kept, and a stub never replaces work."""
    from dojo.authoring import without_markers

    path = cells.workfile_path(line)
    if not path or not _current:
        print("Write `%%workfile path/in/the/workspace` on the first line, after start(...).", file=sys.stderr)
        return
    shop, text = _shops[_home_of(path)], without_markers(cell)
    written = shop.put(path, text, stub=cells.is_untouched(path, text))
    print(_what_became(path, shop, written))


def _home_of(path: str) -> str:
    """The opened module whose task asks for a file: the one opened last where there are several, or none."""
    asking = [key for key in _shops if path in _asked_for(key)]
    return asking[-1] if asking and _current[0] not in asking else _current[0]


def _asked_for(key: str) -> set[str]:
    return {path for task in tasks.tasks_of(key) for path in task.files}


def _what_became(path: str, shop: Shop, written: Written) -> str:
    """The line that %%workfile prints: the file, the module, and where an earlier text is."""
    where = f"the workspace of module {shop.key}, work/{shop.path.name}/"
    if written.spared:
        return f"{path}: not written, because this cell holds only the stub. Your work in {where} stays as it is."
    said = f"{path}: {'written to' if written.changed else 'unchanged in'} {where}"
    said += f"; what stood there before is in {written.kept}" if written.kept else ""
    elsewhere = [key for key in tasks.module_keys() if path in _asked_for(key)]
    if elsewhere and shop.key not in elsewhere:
        said += f'\nThe task that asks for this file is one of module {elsewhere[0]}: run start("{elsewhere[0]}") first to put it there.'
    return said


_attach()
