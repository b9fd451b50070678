"""The map of the course: a room a module, a mark a task, and the door to the next one."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from dojo import tasks
from dojo.record import Progress

MARKS = {"solved": ("✓", "#0b6e4f"), "shown": ("◇", "#6b4fa0"), "tried": ("◐", "#b34700"), "open": ("○", "#5a6472")}
"""Sign and colour of a task's state; 4.5:1 on the card's own paper, and the sign alone tells them apart."""


@dataclass(frozen=True)
class Room:
    """A module as it stands: (task id, title, state) of each task, points so far and in all, minutes left in its open tasks."""

    key: str
    stem: str
    title: str
    tasks: tuple[tuple[str, str, str], ...]
    points: float
    out_of: float
    minutes_left: int

    @property
    def state(self) -> str:
        """ "done" when no task is left, "under way" when one was touched, else "open"."""
        states = {state for *_, state in self.tasks}
        return "done" if states <= {"solved", "shown"} else "under way" if states != {"open"} else "open"

    @property
    def next_task(self) -> tuple[str, str] | None:
        """Id and title of the first task that is neither solved nor shown."""
        return next(((i, title) for i, title, state in self.tasks if state not in ("solved", "shown")), None)


def rooms(kept: Progress, keys: list[str] | None = None) -> list[Room]:
    """These modules, or every one, lessons first, with what a learner's record says of each. UnknownTask for a wrong key."""
    found = []
    for key in keys or tasks.module_keys():
        module, wanted = tasks.module(key), tasks.tasks_of(key)
        states = {t.id: kept.standing(t.id) for t in wanted}
        found.append(
            Room(
                key,
                module.STEM,
                module.TITLE,
                tuple((t.id, t.title, states[t.id].state) for t in wanted),
                sum(s.best for s in states.values()),
                sum(t.points for t in wanted),
                sum(t.minutes for t in wanted if states[t.id].state not in ("solved", "shown")),
            )
        )
    return found


def as_html(all_rooms: list[Room]) -> str:
    """The map for a notebook: landmarks, headings and words before colours; needs no kernel once it stands."""
    onward = next((room for room in all_rooms if room.next_task), None)
    left = sum(room.minutes_left for room in all_rooms)
    said = (
        f"{sum(r.points for r in all_rooms):g} of {sum(r.out_of for r in all_rooms):g} points, about {_hours(left)} to go."
    )
    if onward is not None:
        task, title = onward.next_task
        link = f'<a href="../exercises/{onward.stem}.ipynb" style="color:#0b57a4">{escape(task)} {escape(title)}</a>'
        said = f"{said} Next: {link}"
    cards = "".join(_card(room, room is onward) for room in all_rooms)
    return (
        '<section aria-label="Map of the course" style="background:#ffffff;color:#1f2328;padding:.6em;max-width:64em">'
        f'<p style="margin:.2em 0 .6em"><strong>{said}</strong></p>'
        f'<div style="display:grid;grid-template-columns:repeat(auto-fill,minmax(min(16em,100%),1fr));gap:.6em">{cards}</div>'
        f'<p style="margin:.6em 0 0;color:#57606a">{" · ".join(f"{sign} {state}" for state, (sign, _) in MARKS.items())}</p></section>'
    )


def _card(room: Room, onward: bool) -> str:
    colour = {"done": "#0b6e4f", "under way": "#b34700", "open": "#5a6472"}[room.state]
    marks = "".join(
        f'<li style="display:inline-block;margin:0 .35em 0 0;color:{MARKS[state][1]}" title="{escape(task)} {escape(title)}: {state}">'
        f'<span aria-hidden="true">{MARKS[state][0]}</span>'
        f'<span style="position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden">{escape(task)} {state}</span></li>'
        for task, title, state in room.tasks
    )
    name, _, what = room.title.partition(": ")
    to_go = f" · {_hours(room.minutes_left)} to go" if room.minutes_left else ""
    return (
        f'<section aria-label="{escape(room.key)} {escape(name)}" style="position:relative;border:1px solid #8c959f;border-left:6px solid {colour};'
        f'padding:.5em .7em;background:{"#fff8e1" if onward else "#f6f8fa"}">'
        f'<p style="margin:0;font-weight:600"><a href="../notebooks/{room.stem}.ipynb" style="color:#0b57a4">{escape(room.key)} {escape(name)}</a></p>'
        f'<p style="margin:.1em 0;color:#444">{escape(what)}</p>'
        f'<ul style="list-style:none;margin:.2em 0;padding:0">{marks}</ul>'
        f'<p style="margin:.1em 0;color:{colour}">{room.state} · {room.points:g} of {room.out_of:g} points{to_go}</p></section>'
    )


def _hours(minutes: int) -> str:
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:.1f} h".replace(".0 h", " h")
