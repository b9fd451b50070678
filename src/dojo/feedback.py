"""How a report or a note looks: accessible HTML in JupyterLab, plain text in a terminal."""

from __future__ import annotations

from dataclasses import fields
from html import escape

from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.judge.visible import visible

MARKS = {
    Outcome.PASSED: ("Passed", "#0b6e4f"),
    Outcome.NOT_YET: ("Not yet", "#b34700"),
    Outcome.NOT_JUDGED: ("Not judged yet", "#5a6472"),
    Outcome.NOT_ATTEMPTED: ("Not attempted", "#5a6472"),
    Outcome.NOT_CHECKABLE: ("Cannot be checked here", "#6b4fa0"),
}
"""Words and colours of the outcomes; every colour has 4.5:1 contrast on white and is never the only sign."""


class ShownReport(TaskReport):
    """A report that shows itself: as a section in a notebook, as lines in a terminal."""

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)


def shown(report: TaskReport) -> ShownReport:
    """The same report, ready to be the value of a notebook cell."""
    return ShownReport(**{f.name: getattr(report, f.name) for f in fields(report)})


class Note:
    """A short text that shows as a paragraph in a notebook and as a line in a terminal."""

    def __init__(self, text: str, html: str | None = None):
        self.text, self._html = text, html

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self._html or "".join(f"<p>{escape(part)}</p>" for part in self.text.split("\n\n"))


def as_text(report: TaskReport) -> str:
    """The report for a terminal."""
    lines = [f"{report.task} {report.title}: {MARKS[report.outcome][0]} ({report.points:g} of {report.out_of} points)"]
    for verdict in report.verdicts:
        lines.append(f"  [{MARKS[verdict.outcome][0]}] {verdict.check}")
        lines += [f"      {line}" for label, text in _details(verdict) for line in f"{label}{text}".rstrip("\n").split("\n")]
    if report.isolated is False:
        lines.append("  (This machine could not wall in the work: not isolated.)")
    return "\n".join(lines)


def as_html(report: TaskReport) -> str:
    """The report for a notebook: a section with a heading, a list of checks, words before colours."""
    word, colour = MARKS[report.outcome]
    rows = "".join(_row(v) for v in report.verdicts)
    return (
        f'<section class="dojo-report" aria-label="Verdict on task {escape(report.task)}" '
        f'style="border-left:6px solid {colour};padding:.5em 1em;margin:.3em 0;background:#f6f8fa;color:#1f2328">'
        f'<p style="margin:.2em 0"><strong style="color:{colour}">{word}.</strong> '
        f"{escape(report.task)} {escape(report.title)} · {report.points:g} of {report.out_of} points</p>"
        f'<ul style="list-style:none;padding:0;margin:.3em 0">{rows}</ul></section>'
    )


def _row(verdict: Verdict) -> str:
    word, colour = MARKS[verdict.outcome]
    details = "".join(
        f'<div style="margin:.1em 0 .1em 1em"><span style="color:#57606a">{escape(label)}</span>{_marked(text)}</div>'
        for label, text in _details(verdict)
    )
    return (
        f'<li style="margin:.35em 0"><span style="color:{colour};font-weight:600">{word}</span> '
        f"{escape(verdict.check)}{details}</li>"
    )


def _details(verdict: Verdict) -> list[tuple[str, str]]:
    pairs = [("", verdict.said), ("tried: ", verdict.tried), ("expected: ", verdict.expected)]
    pairs += [("got: ", verdict.got), ("look: ", verdict.look)]
    return [(label, shown) for label, text in pairs if (shown := visible(text))]


def _marked(text: str) -> str:
    """Escapes, keeps line breaks, and sets `code` between backticks."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text).replace("\n", "<br>")
    style = "background:#eaeef2;padding:0 .25em;color:#1f2328"
    marked = "".join(p if i % 2 == 0 else f'<code style="{style}">{p}</code>' for i, p in enumerate(parts))
    return marked.replace("\n", "<br>")
