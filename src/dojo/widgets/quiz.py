"""The quiz as a widget: an option that is chosen says why it is right, or which misconception it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from dojo.feedback import Note
from dojo.quizzes import Question, as_html, as_text
from dojo.widgets.live import State, live


def quiz_card(module: str, questions: list[Question], chosen: list, keep: Callable[[State], None] | None = None) -> Any:
    """Questions with their options; chosen: [question, option] of each that was opened, by number from 0, in order."""
    still = Note(as_text(questions), as_html(questions))
    asked = [asdict(question) for question in questions]
    return live("quiz", lambda _: still, keep=keep, key=module, alone={"chosen": []}, questions=asked, chosen=chosen)
