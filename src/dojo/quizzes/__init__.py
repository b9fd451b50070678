"""The quizzes: three questions a lesson in NN.yaml, every option with its explanation."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from importlib import resources

import yaml


@dataclass(frozen=True)
class Option:
    """One option: its text, whether it is right, and why (or which misconception it is)."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """One question with its options."""

    ask: str
    options: tuple[Option, ...]


def load(module: str) -> list[Question]:
    """The questions of a module. FileNotFoundError where it has no quiz."""
    text = resources.files(__name__).joinpath(f"{module}.yaml").read_text(encoding="utf-8")
    return [Question(q["ask"], tuple(Option(**o) for o in q["options"])) for q in yaml.safe_load(text)]


def as_text(questions: list[Question]) -> str:
    """The questions for a terminal, without giving the answers away."""
    lines = []
    for number, question in enumerate(questions, 1):
        lines.append(f"{number}. {question.ask}")
        lines += [f"   {letter}) {o.text}" for letter, o in zip("abcdef", question.options, strict=False)]
    return "\n".join(lines)


def as_html(questions: list[Question]) -> str:
    """The questions with options that open; needs no kernel, so it works in the book as well."""
    parts = []
    for number, question in enumerate(questions, 1):
        parts.append(f'<p style="margin:.8em 0 .2em"><strong>{number}. {escape(question.ask)}</strong></p>')
        for letter, o in zip("abcdef", question.options, strict=False):
            word = "Right." if o.right else "Not this one."
            parts.append(
                f'<details style="margin:.2em 0 .2em 1em"><summary>{letter}) {escape(o.text)}</summary>'
                f'<p style="margin:.2em 0 .2em 1.2em"><strong>{word}</strong> {escape(o.why)}</p></details>'
            )
    return "".join(parts)
