"""The pieces of the landing page and of the pages around the lessons, computed from the course."""

from __future__ import annotations

import json
from html import escape

import yaml

from dojo.judge.contract import Task
from dojo.places import COURSE
from dojo.site import doors, lessons
from dojo.site.course import Module, hours
from dojo.widgets.first_move import FILE, first_move

PATHS = COURSE / "book" / "paths.yaml"


def fragments(modules: list[Module], repository: str) -> dict[str, str]:
    """What pages may ask for by name: lists, cards, doors, paths, and the bad morning with its figures."""
    taste = json.loads(FILE.read_text("utf-8"))
    honest, spoilt = taste["honest"], taste["spoilt"]
    return {
        "lesson_entries": "\n".join(f"{m.key} {m.name} <lessons/{m.stem}>" for m in modules if not m.is_scenario),
        "scenario_entries": "\n".join(f"{m.key} {m.name} <lessons/{m.stem}>" for m in modules if m.is_scenario),
        "first": f"lessons/{modules[0].stem}",
        "what": _count(modules),
        "cards": "".join(_card(m) for m in modules),
        "whole": hours(sum(m.minutes for m in modules)),
        "paths": _paths(modules),
        **doors.fragments(modules, repository),
        "teaching": _teaching(modules),
        "taste": lessons.in_the_book(first_move()._repr_mimebundle_()["text/html"]),
        "taste_shown": f"€{spoilt['euros']:,.2f}",
        "taste_honest": f"€{honest['euros']:,.2f}",
        "taste_last": f"€{taste['mondays'][0]:,.2f}",
        "taste_missing": str(honest["lines"] - spoilt["lines"]),
        "taste_lines": str(honest["lines"]),
        "taste_tests": str(taste["tests"]),
    }


def _count(modules: list[Module]) -> str:
    """What there is, in words: "6 lessons and 1 interview scenario"."""
    scenarios = sum(m.is_scenario for m in modules)
    lessons = len(modules) - scenarios
    said = f"{lessons} lesson{'s' if lessons != 1 else ''}"
    return f"{said} and {scenarios} interview scenario{'s' if scenarios != 1 else ''}" if scenarios else said


def _card(module: Module) -> str:
    asked = f" · {len(module.tasks)} tasks, {module.points} points" if module.tasks else ""
    return (
        f'<li><a class="dojo-room" href="lessons/{module.stem}.html"><span class="dojo-key">{module.key}</span>'
        f"<strong>{escape(module.name)}</strong> <span>{escape(module.front['question'])}</span>"
        f" <small>{hours(module.minutes)}{asked}</small></a></li>"
    )


def _paths(modules: list[Module]) -> str:
    by_key = {m.key: m for m in modules}
    return "\n".join(_path(path, by_key) for path in yaml.safe_load(PATHS.read_text("utf-8")))


def _path(path: dict, by_key: dict[str, Module]) -> str:
    steps, total = [], 0
    for step in path["steps"]:
        links, minutes = _step(step, by_key)
        if minutes:
            total += minutes
            where = f" {', '.join(links)}" if links else ""
            steps.append(f"1. {step['say']}.{where} ({hours(minutes)})")
    slug = path["name"].lower().replace(" ", "-")
    return f"(path-{slug})=\n## {path['name']}: {hours(total)}\n\n{path['for']}\n\n" + "\n".join(steps) + "\n"


def _step(step: dict, by_key: dict[str, Module]) -> tuple[list[str], int]:
    links, minutes = [], int(step.get("minutes", 0))
    if (found := by_key.get(step.get("lesson", ""))) is not None:
        links.append(f"[lesson {found.key}](lessons/{found.stem}.ipynb)")
        minutes += found.minutes_lesson
    if (found := by_key.get(step.get("exercise", ""))) is not None:
        links.append(f"[exercise {found.key}](exercises/{found.stem}.ipynb)")
        minutes += found.minutes_brief + found.minutes_tasks
    if step.get("scenarios"):
        for found in (m for m in by_key.values() if m.is_scenario):
            links.append(f"[{found.key}](lessons/{found.stem}.ipynb)")
            minutes += found.minutes
    return links, minutes


def _teaching(modules: list[Module]) -> str:
    rows = []
    for m in modules:
        needs = ", ".join(m.front.get("needs", [])) or "nothing"
        row = [
            f"[{m.key} {m.name}](lessons/{m.stem}.ipynb)",
            hours(m.minutes_lesson),
            hours(m.minutes_brief + m.minutes_tasks),
        ]
        rows.append("| " + " | ".join([*row, str(m.points), needs]) + " |")
    return "\n".join(["| module | lesson | exercise | points | needs |", "|---|---|---|---|---|", *rows])


def exercises(modules: list[Module]) -> str:
    """The index of exercises: every task with its minutes and points."""
    asked = [m for m in modules if m.exercise]
    count, minutes = sum(len(m.tasks) for m in asked), sum(m.minutes_tasks for m in asked)
    points = sum(m.points for m in asked)
    entries = "\n".join(m.stem for m in asked)
    parts = [
        "# Exercises",
        f"{count} tasks, {hours(minutes)}, {points} points. Each asks for one piece of real work, and its check tries what you hand in on data you have not seen.",
        f"```{{toctree}}\n:hidden:\n\n{entries}\n```",
    ]
    for m in asked:
        rows = [f"| {_place(m, t)} | {t.title} | {t.minutes} | {t.points} |" for t in m.tasks]
        parts.append(f"## [{m.number}: {m.name}]({m.stem}.ipynb)\n\n{hours(m.minutes_tasks)}, {m.points} points.")
        parts.append("\n".join(["| task | what | minutes | points |", "|---|---|--:|--:|", *rows]))
    return "\n\n".join(parts) + "\n"


def _place(module: Module, task: Task) -> str:
    """A task's number, linked to its heading in the exercise."""
    asked = any(
        cell.source.startswith(f"## {task.id} ") or f"\n## {task.id} " in cell.source for cell in module.exercise.cells
    )
    return f"[{task.id}](#task-{task.id.replace('.', '-')})" if asked else task.id


def solutions(modules: list[Module]) -> str:
    """The way to the solutions, apart from everything else."""
    solved = [m for m in modules if m.solved]
    entries = "\n".join(m.stem for m in solved)
    listed = "\n".join(f"- [{m.number}: {m.name}]({m.stem}.ipynb)" for m in solved)
    return (
        "---\nnosearch: true\n---\n\n# Solutions\n\nOne good answer to each task, folded until you open it. In a notebook, "
        '`hint("03.2")` gives a nudge first, and a solution opened there before the task is solved is recorded as *shown*. '
        f"Here nobody keeps a record.\n\n{listed}\n\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n"
    )
