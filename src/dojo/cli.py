"""The `dojo` command: what a learner, a teacher and an author type in a terminal."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="dojo",
    help="DataOps Dojo: keep a company's data reliable, and be told how well it went.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
tools = typer.Typer(help="Tools in environments of their own, made on first use.", no_args_is_help=True)
app.add_typer(tools, name="tools")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Task = Annotated[str, typer.Argument(metavar="TASK", help="A task, for example 03.2.")]


def _call(module: str, function: str, *arguments: Any) -> Any:
    """Calls a part of the course."""
    return _asked(f"dojo.{module}", function, *arguments)


def _asked(module: str, function: str, *arguments: Any) -> Any:
    """Calls a function; what it says of a mistake becomes a line on stderr and exit status 2."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")  # a terminal that knows no € must not cost a grade
    try:
        return getattr(importlib.import_module(module), function)(*arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("dojo", "shopflow", "dataops_audit"):
            print(f"This checkout of the course has no {error.name}. Is it whole? git status", file=sys.stderr)
        else:
            print(f"{error.name} is not installed. Mend it with: make setup", file=sys.stderr)
    except Exception as error:
        from dojo.judge import refusals

        words = refusals.in_a_line(error)
        if not words:
            raise
        print(words, file=sys.stderr)
    raise typer.Exit(2)


def _leave(status: Any) -> None:
    raise typer.Exit(int(status or 0))


@app.command()
def lab(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="First port to try.")] = None,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is a screen.")] = True,
    setup_only: Annotated[bool, typer.Option("--setup-only", help="Stop before JupyterLab.")] = False,
) -> None:
    """Open the course in JupyterLab."""
    _leave(_call("lab", "main", port, browser, setup_only))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine can run, what each missing thing costs, and what mends it."""
    _leave(_call("doctor", "main", as_json))


@app.command()
def check(task: Task) -> None:
    """Judge a task on the files in its workspace."""
    report = _call("notebook", "check", task)
    print(report)
    _leave(0 if report.passed else 1)


@app.command()
def hint(task: Task) -> None:
    """Show the next hint of a task."""
    print(_call("notebook", "hint", task))


@app.command()
def progress(
    module: Annotated[str | None, typer.Argument(help="One module, for example 03.")] = None,
) -> None:
    """Show where you stand."""
    print(_call("notebook", "progress", module))


@app.command()
def grade(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="An exercise notebook (.ipynb).")],
    as_json: AsJson = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Repeat a run: the seed its report names.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Say what was expected.")] = False,
) -> None:
    """Judge one exercise notebook in a separate process, on data drawn from a secret seed.

    Exit status: 0 judged, 2 no exercise of this course, 3 something could not be judged here and wants a regrade.
    """
    _leave(_call("grading", "main", notebook, as_json, seed, reveal))


@app.command()
def selftest(
    module: Annotated[str | None, typer.Argument(help="One module, for example 03; default all.")] = None,
    as_json: AsJson = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="Every run of tasks that run real tools, both ways.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="Only tasks that differ from when they last stood.")] = False,
) -> None:
    """Try every task with its stub, constants, solution, wrong and right answers, and mutants."""
    _leave(_call("selftest", "main", module, as_json, thorough, changed))


@app.command()
def sync(
    only: Annotated[str | None, typer.Argument(help="One notebook: 03-data-tests or notebooks/03-data-tests.")] = None,
    check_only: Annotated[bool, typer.Option("--check", help="Write nothing; fail on any difference.")] = False,
    rerun: Annotated[bool, typer.Option("--rerun", help="Run notebooks again whose source has not changed.")] = False,
) -> None:
    """Write every derived file from its one source."""
    _leave(_call("authoring", "main", check_only, only, rerun))


@app.command()
def bench() -> None:
    """Measure the course's speed table, each yardstick beside ours."""
    _leave(_call("bench", "main"))


@app.command()
def audit(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A repository, a folder or a file of any data project.")],
    as_json: AsJson = False,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="Write a page there, too.")] = None,
    run: Annotated[bool, typer.Option("--run", help="Also run the project's quick checks, on a copy.")] = False,
) -> None:
    """Score a repository on the maturity card; it is read, never written to."""
    _leave(_asked("dataops_audit", "main", path, as_json, html, run))


@tools.command("add")
def tools_add(name: Annotated[str, typer.Argument(help="See: dojo tools list")]) -> None:
    """Make a tool's environment, from its hashed lock."""
    _call("tools.environments", "add", name)


@tools.command("list")
def tools_list() -> None:
    """Show the tools and which are here."""
    print(_call("tools.environments", "as_text"))


@tools.command("remove")
def tools_remove(name: Annotated[str, typer.Argument(help="See: dojo tools list")]) -> None:
    """Delete a tool's environment."""
    _call("tools.environments", "remove", name)


if __name__ == "__main__":
    app()
