"""The map of the course as a widget: rooms, and the task cards of the room that is chosen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dojo import course_rooms
from dojo.course_rooms import Room
from dojo.feedback import Note
from dojo.record import NotSaved
from dojo.widgets.live import State, live


def map_of_rooms(rooms: list[Room], chosen: str, next_hint: Callable[[str], tuple[int, str]]) -> Any:
    """The map; chosen: the key of the room whose cards are shown, "" for none; next_hint: number and text of a task's next hint."""
    text = course_rooms.as_text(rooms)
    still = Note(text, course_rooms.as_html(rooms) if len(rooms) > 1 else course_rooms.as_cards(rooms[0]))
    made = live("course_map", lambda _: still, key="map", rooms=[_told(room) for room in rooms], chosen=chosen, hints=[])

    def answer(widget: Any, content: Any, _: Any) -> None:
        try:
            level, hint = next_hint(str(content["hint"]))
        except NotSaved as error:
            print(error, file=sys.stderr)
            return
        widget.hints = [*widget.hints, [content["hint"], level, hint]]

    made.on_msg(answer)
    return made


def _told(room: Room) -> State:
    onward = room.next_task
    return {
        **{
            name: getattr(room, name)
            for name in ("key", "stem", "name", "what", "state", "points", "out_of", "minutes_left")
        },
        "next": f"{onward.id} {onward.title}" if onward else "",
        "tasks": [asdict(card) for card in room.tasks],
    }
