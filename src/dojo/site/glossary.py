"""The glossary as a page of linked terms, and the links from lessons to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from dojo.places import COURSE
from dojo.site.course import Module
from dojo.site.lessons import outside_code

SOURCE = COURSE / "book" / "glossary.md"
LINE = re.compile(r"\*\*(?P<term>[^*]+)\*\* — (?P<said>.+) \((?P<module>i?\d\d)\)")
ORDINARY = frozenset(
    {
        "action",
        "agreement",
        "blame",
        "branch",
        "branch rules",
        "cache",
        "check",
        "commit",
        "conflict",
        "consistency",
        "consumer",
        "culture",
        "DevOps",
        "environment",
        "hook",
        "matrix",
        "metadata",
        "on-call",
        "raw",
        "reproduce",
        "revert",
        "risk",
        "severity",
        "staging",
        "suite",
        "tag",
        "upstream",
        "validity",
        "window",
    }
)
"""Terms that are also everyday words: linked where a lesson sets them in italics, not wherever the word stands."""


@dataclass(frozen=True)
class Term:
    """One entry: the term, what it means, and the module that introduces it."""

    term: str
    said: str
    module: str

    @property
    def forms(self) -> tuple[str, ...]:
        """How a text may write it: "agreement (SLA)" is also "agreement"; a plural adds an s."""
        plain = re.sub(r" \(.*?\)", "", self.term)
        shorts = tuple(re.findall(r"\((\w+)\)", self.term))
        return tuple(dict.fromkeys((plain, f"{plain}s", f"service-level {plain}", *shorts)))

    @property
    def ordinary(self) -> bool:
        """Whether it is an everyday word as well, or a part of other names."""
        return self.forms[0] in ORDINARY

    @property
    def label(self) -> str:
        """The anchor of the entry."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.term.lower()).strip("-")


class BadEntry(ValueError):
    """A line of the glossary that is not "**term** — meaning. (03)"."""


def read() -> list[Term]:
    """All terms of book/glossary.md in the order of the alphabet. BadEntry names a line that has another form."""
    found = []
    for number, line in enumerate(SOURCE.read_text("utf-8").splitlines(), 1):
        if not line.startswith("**"):
            continue
        entry = LINE.fullmatch(line.strip())
        if entry is None:
            raise BadEntry(f"book/glossary.md:{number} is not of the form `**term** — meaning. (03)`: {line[:60]}")
        found.append(Term(entry["term"], entry["said"], entry["module"]))
    return sorted(found, key=lambda t: t.term.lower())


ITALIC = re.compile(r"(?<!\*)\*(?P<form>[^*\n]{3,40})\*(?!\*)")


@cache
def _loose(terms: tuple[Term, ...]) -> re.Pattern:
    """The forms that are linked wherever they stand as words of their own, longest first."""
    forms = {form.lower() for term in terms if not term.ordinary for form in term.forms if len(form) > 2}
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile(r"(?<![\w*/.-])(" + "|".join(map(re.escape, longest_first)) + r")(?![\w*/-]|\.\w)", re.I)


def linker(terms: list[Term], but: str = "") -> Callable[[str], str]:
    """A function that links each term at its first place on a page; make a new one for each page.

    A term in italics, as lessons write it where they define it, is linked first of all; everyday words only there.
    but: a term that is not linked, for its own entry.
    """
    open_terms = {form.lower(): term for term in terms for form in term.forms}
    plain = _loose(tuple(terms))
    done: set[str] = {but}

    def link(found: re.Match, marks: str) -> str:
        term = open_terms.get(found[1].lower())
        if term is None or term.term in done:
            return found[0]
        done.add(term.term)
        return f"[{marks}{found[1]}{marks}](#{term.label})"

    def change(text: str) -> str:
        text = outside_code(text, lambda part: ITALIC.sub(lambda found: link(found, "*"), part))
        return outside_code(text, lambda part: plain.sub(lambda found: link(found, ""), part))

    return change


def page(modules: list[Module]) -> str:
    """The page: every term with an anchor, its meaning, the lesson that introduces it, and the others that use it."""
    terms, by_key = read(), {m.key: m for m in modules}
    letters = list(dict.fromkeys(t.term[0].upper() for t in terms))
    parts = [
        "# Glossary",
        f"{len(terms)} terms as the course uses them. Each names the lesson that introduces it; in the lessons, a term links here where it first stands.",
        '<nav class="dojo-letters" aria-label="Letters">'
        + " ".join(f'<a href="#letter-{x.lower()}">{x}</a>' for x in letters)
        + "</nav>",
    ]
    for letter in letters:
        parts.append(f"(letter-{letter.lower()})=\n## {letter}")
        for term in (t for t in terms if t.term[0].upper() == letter):
            parts.append(_entry(term, by_key, linker(terms, but=term.term)))
    return "\n\n".join(parts) + "\n"


def _entry(term: Term, by_key: dict[str, Module], link: Callable[[str], str]) -> str:
    home = by_key.get(term.module)
    first = _link(home, home.number) if home else f"module {term.module}"
    again = ", ".join(_link(m, m.key) for m in by_key.values() if m.key != term.module and _uses(term, m))
    where = f'<span class="dojo-where">{first}{f"; also {again}" if again else ""}</span>'
    return f"({term.label})=\n**{term.term}**\n: {link(term.said)} {where}"


def _link(module: Module, text: str) -> str:
    return f'<a href="lessons/{module.stem}.html">{text}</a>'


def _uses(term: Term, module: Module) -> bool:
    forms = "|".join(re.escape(form) for form in term.forms)
    marked = rf"\*({forms})\*" if term.ordinary else rf"(?<![\w-])({forms})(?![\w-])"
    return re.search(marked, module.prose, re.I) is not None
