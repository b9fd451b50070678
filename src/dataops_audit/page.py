"""The audit as one page of HTML: no outside request, readable by a screen reader, in light and dark."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from dataops_audit import card, printable

if TYPE_CHECKING:
    from dataops_audit.findings import Finding
    from dataops_audit.report import Report

_STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c2430; --paper: #fff; --soft: #f1f4f8; --line: #c9d1dc;
  --bad: #a11b1b; --warn: #7a4b00; --good: #11633c; --bar: #2b5ea8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e8ecf2; --paper: #14181f; --soft: #1f2630; --line: #3d4756;
    --bad: #ff9a94; --warn: #f2c063; --good: #7fd6a4; --bar: #7fb0f2;
  }
}
body {
  font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
}
h1 { font-size: 1.6rem; }
h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.bar { display: inline-block; width: 6rem; height: .7rem; background: var(--soft); border: 1px solid var(--line); }
.bar i { display: block; height: 100%; background: var(--bar); }
.danger b { color: var(--bad); } .gap b { color: var(--warn); } .good b { color: var(--good); }
li { margin: .5rem 0; }
code { background: var(--soft); padding: 0 .25rem; overflow-wrap: anywhere; }
.why { color: inherit; opacity: .85; }
"""
_NAMES = {"danger": "Danger", "gap": "Gap", "good": "Good"}


def made(report: Report) -> str:
    """The page."""
    total = card.OUT_OF * len(report.scored)
    title = f"DataOps audit of {escape(report.name)}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{title}</h1><p><strong>{report.score:g} of {total:g} points</strong>, {report.files:,} files.</p>",
        _table(report),
        _first(report),
    ]
    for one in report.scored:
        if one.findings:
            items = "".join(_item(finding) for finding in one.findings)
            if one.lacking:
                asked = escape("; ".join(one.lacking))
                items = (
                    f"<li>It has the points of level {one.reached}. Level {one.level + 1} also asks for: {asked}.</li>"
                    + items
                )
            parts.append(
                f'<section><h2 id="{one.practice.key}">{escape(one.practice.name)}: {one.points:g} of {card.OUT_OF:g}</h2>'
                f"<ul>{items}</ul></section>"
            )
    parts.append(_end(report) + "</main></body></html>")
    return printable.shown("\n".join(parts))


def _table(report: Report) -> str:
    rows = []
    for one in report.scored:
        share = round(100 * one.points / card.OUT_OF)
        bar = f'<span class="bar" aria-hidden="true"><i style="width:{share}%"></i></span>'
        name = escape(one.practice.name)
        link = f'<a href="#{one.practice.key}">{name}</a>' if one.findings else name
        rows.append(
            f'<tr><th scope="row">{link}</th><td>{one.level} of 4</td><td>{bar} {one.points:g}</td>'
            f"<td>{escape(one.meaning)}</td></tr>"
        )
    head = (
        '<tr><th scope="col">Practice</th><th scope="col">Level</th><th scope="col">Points of '
        '10</th><th scope="col">What that level means</th></tr>'
    )
    return f"<table><caption>The maturity card</caption><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _first(report: Report) -> str:
    fixes = card.first_fixes(report.findings)
    if not fixes:
        return ""
    rules = card.load().rules
    items = "".join(
        f"<li><code>{_where(one)}</code> {escape(one.what)}.<br>"
        f"<strong>{escape(rules[one.rule].cure)}</strong> (module {rules[one.rule].module})</li>"
        for one in fixes
    )
    return f"<h2>Do this first</h2><ol>{items}</ol>"


def _item(one: Finding) -> str:
    rule = card.load().rules[one.rule]
    sure = "" if one.sure == "certain" else f" ({one.sure})"
    return (
        f'<li class="{card.kind_of(one)}"><b>{_NAMES[card.kind_of(one)]}{sure}</b> '
        f"<code>{_where(one)}</code> {escape(one.what)}."
        f'<br><span class="why">{escape(rule.why)} Module {rule.module}.</span></li>'
    )


def _where(one: Finding) -> str:
    return escape(f"{one.file}:{one.line}" if one.file != "." else "whole repository")


def _end(report: Report) -> str:
    text = f"<h2>How this was made</h2><p>Tools at hand: {escape(', '.join(report.at_hand) or 'none')}."
    text += f" Missing: {escape(', '.join(report.missing))}." if report.missing else ""
    rows = "".join(f"<li><code>{escape(path)}</code> {escape(why)}</li>" for path, why in report.skipped[:50])
    return text + "</p>" + (f"<p>Not looked at: {len(report.skipped)}</p><ul>{rows}</ul>" if rows else "")
