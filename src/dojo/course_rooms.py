"""The map of the course: a room a module, a mark a task, and the door to the next one."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from dojo import tasks
from dojo.judge.contract import Task
from dojo.record import Progress

MARKS = {"solved": ("✓", "#0b6e4f"), "shown": ("◇", "#6b4fa0"), "tried": ("◐", "#b34700"), "open": ("○", "#5a6472")}
"""Sign and colour of a task's state; 4.5:1 on the card's own paper, and the sign alone tells them apart."""


@dataclass(frozen=True)
class Card:
    """A task as it stands: state "solved", "shown", "tried" or "open", best points, what its checks expect, hints taken."""

    id: str
    title: str
    state: str
    minutes: int
    points: int
    best: float
    checks: tuple[str, ...]
    hints: int
    taken: int

    @property
    def left(self) -> bool:
        """Whether it is neither solved nor shown."""
        return self.state not in ("solved", "shown")


@dataclass(frozen=True)
class Room:
    """A module as it stands: the cards of its tasks."""

    key: str
    stem: str
    title: str
    tasks: tuple[Card, ...]

    @property
    def name(self) -> str:
        """The title before its colon."""
        return self.title.partition(": ")[0]

    @property
    def what(self) -> str:
        """The rest of the title."""
        return self.title.partition(": ")[2]

    @property
    def points(self) -> float:
        """Points so far."""
        return sum(card.best for card in self.tasks)

    @property
    def out_of(self) -> int:
        """Points there are."""
        return sum(card.points for card in self.tasks)

    @property
    def minutes_left(self) -> int:
        """Minutes of the tasks that are left."""
        return sum(card.minutes for card in self.tasks if card.left)

    @property
    def state(self) -> str:
        """ "done" when no task is left, "under way" when one was touched, else "open"."""
        states = {card.state for card in self.tasks}
        return "done" if states <= {"solved", "shown"} else "under way" if states != {"open"} else "open"

    @property
    def next_task(self) -> Card | None:
        """The first task that is left."""
        return next((card for card in self.tasks if card.left), None)


def rooms(kept: Progress, keys: list[str] | None = None) -> list[Room]:
    """These modules, or every one, lessons first, with what a learner's record says of each. UnknownTask for a wrong key."""
    found = []
    for key in keys or tasks.module_keys():
        module = tasks.module(key)
        found.append(Room(key, module.stem, module.title, tuple(_card_of(task, kept) for task in module.tasks)))
    return found


def _card_of(task: Task, kept: Progress) -> Card:
    stands = kept.standing(task.id)
    checks = tuple(check.name for check in task.checks)
    return Card(
        task.id,
        task.title,
        stands.state,
        task.minutes,
        task.points,
        stands.best,
        checks,
        len(task.hints),
        stands.hints,
    )


def as_text(all_rooms: list[Room]) -> str:
    """The map for a terminal: a line a room, a line a task."""
    lines = []
    for room in all_rooms:
        lines.append(f"{room.stem}: {room.points:g} of {room.out_of} points, about {room.minutes_left} min to go")
        lines += [f"  {card.id} {card.title}: {card.state}" for card in room.tasks]
    return "\n".join(lines)


def as_cards(room: Room) -> str:
    """One room's task cards for a page where nothing can run."""
    rows = "".join(
        f'<li style="margin:.4em 0"><span style="color:{MARKS[card.state][1]}"><span aria-hidden="true">{MARKS[card.state][0]}</span> {card.state}</span> '
        f"<strong>{escape(card.id)} {escape(card.title)}</strong> · {card.minutes} min · {card.best:g} of {card.points} points</li>"
        for card in room.tasks
    )
    return (
        f'<section aria-label="Tasks of {escape(room.key)}" style="background:#ffffff;color:#1f2328;padding:.6em;max-width:64em">'
        f"<p><strong>{room.points:g} of {room.out_of} points, about {_hours(room.minutes_left)} to go.</strong></p>"
        f'<ul style="list-style:none;margin:0;padding:0">{rows}</ul></section>'
    )


def as_html(all_rooms: list[Room]) -> str:
    """The map for a notebook: landmarks, headings and words before colours; needs no kernel once it stands."""
    onward = next((room for room in all_rooms if room.next_task), None)
    left = sum(room.minutes_left for room in all_rooms)
    said = (
        f"{sum(r.points for r in all_rooms):g} of {sum(r.out_of for r in all_rooms):g} points, about {_hours(left)} to go."
    )
    if onward is not None:
        card = onward.next_task
        link = f'<a href="../exercises/{onward.stem}.ipynb" style="color:#0b57a4">{escape(card.id)} {escape(card.title)}</a>'
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
        f'<li style="display:inline-block;margin:0 .35em 0 0;color:{MARKS[card.state][1]}" title="{escape(card.id)} {escape(card.title)}: {card.state}">'
        f'<span aria-hidden="true">{MARKS[card.state][0]}</span>'
        f'<span style="position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden">{escape(card.id)} {card.state}</span></li>'
        for card in room.tasks
    )
    to_go = f" · {_hours(room.minutes_left)} to go" if room.minutes_left else ""
    return (
        f'<section aria-label="{escape(room.key)} {escape(room.name)}" style="position:relative;border:1px solid #8c959f;border-left:6px solid {colour};'
        f'padding:.5em .7em;background:{"#fff8e1" if onward else "#f6f8fa"}">'
        f'<p style="margin:0;font-weight:600"><a href="../notebooks/{room.stem}.ipynb" style="color:#0b57a4">{escape(room.key)} {escape(room.name)}</a></p>'
        f'<p style="margin:.1em 0;color:#444">{escape(room.what)}</p>'
        f'<ul style="list-style:none;margin:.2em 0;padding:0">{marks}</ul>'
        f'<p style="margin:.1em 0;color:{colour}">{room.state} · {room.points:g} of {room.out_of} points{to_go}</p></section>'
    )


def _hours(minutes: int) -> str:
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:.1f} h".replace(".0 h", " h")
