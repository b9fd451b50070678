"""Tags of the lessons by topic and tool, and the table of tools: found in the notebooks, by the patterns of book/tags.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

import yaml

from dojo.places import COURSE
from dojo.site.course import Module

SOURCE = COURSE / "book" / "tags.yaml"
OFTEN = 3
"""A topic is a lesson's when its pattern stands there at least this often."""
REACH = {"run": "runs here", "checked": "is checked here", "mapped": "is explained"}
"""What the course sets out to do with a tool."""


@dataclass(frozen=True)
class Tag:
    """A topic or a tool with the modules that carry it. runs: those whose code uses the tool (a topic has none)."""

    name: str
    group: str
    reach: str
    runs: tuple[Module, ...]
    named: tuple[Module, ...]

    @property
    def label(self) -> str:
        """The anchor of the tag."""
        kind = "tool" if self.group else "topic"
        return f"{kind}-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def topics(modules: list[Module]) -> list[Tag]:
    """All topics that some lesson is about."""
    found = []
    for entry in _entries("topics"):
        pattern = re.compile(entry["seen"])
        named = tuple(m for m in modules if len(pattern.findall(m.prose)) >= OFTEN)
        found.append(Tag(entry["name"], "", "", (), named))
    return [tag for tag in found if tag.named]


def tools(modules: list[Module]) -> list[Tag]:
    """All tools the course sets out to reach, also those that no lesson reaches yet."""
    found = []
    for entry in _entries("tools"):
        seen, runs = re.compile(entry["seen"]), re.compile(entry.get("runs", entry["seen"]))
        used = tuple(m for m in modules if entry["reach"] != "mapped" and runs.search(m.code))
        named = tuple(m for m in modules if m not in used and seen.search(m.prose))
        found.append(Tag(entry["name"], entry["group"], entry["reach"], used, named))
    return found


def _entries(kind: str) -> list[dict]:
    return yaml.safe_load(SOURCE.read_text("utf-8"))[kind]


def chips(module: Module, tags: list[Tag], up: str = "../") -> str:
    """A module's tags as links to the page of tags."""
    mine = [t for t in tags if module in t.runs or (not t.group and module in t.named)]
    return " ".join(f'<a class="dojo-chip" href="{up}tags.html#{t.label}">{escape(t.name)}</a>' for t in mine)


def page(tags: list[Tag]) -> str:
    """The page of tags: topics, then tools, each with its lessons."""
    parts = [
        "# By topic and by tool",
        "Found in the lessons themselves: a topic where its words stand often, a tool where code uses it.",
    ]
    for title, wanted in (("Topics", [t for t in tags if not t.group]), ("Tools", [t for t in tags if t.group])):
        parts.append(f"## {title}")
        for tag in (t for t in wanted if t.runs or t.named):
            where = "\n".join(f"- [{m.number}: {m.name}](lessons/{m.stem}.ipynb)" for m in tag.runs or tag.named)
            said = "" if tag.runs or not tag.group else "\n\nExplained, not run:"
            parts.append(f"({tag.label})=\n### {tag.name}{said}\n\n{where}")
    return "\n\n".join(parts) + "\n"


def table(tags: list[Tag]) -> str:
    """The page of tools: every tool the course sets out to reach, how far, and where it runs today."""
    wanted = [t for t in tags if t.group]
    today = sum(bool(t.runs) for t in wanted)
    parts = [
        "# Tools",
        f"What the course sets out to reach, and where each tool stands today: {today} of {len(wanted)} are used in lessons that are there. "
        "*Runs*: the real tool executes your work. *Checked*: your real file goes through the tool's own validator or schema. "
        "*Explained*: a table maps it to the one that runs.",
    ]
    for group in dict.fromkeys(t.group for t in wanted):
        rows = [
            f"| {t.name} | {REACH[t.reach]} | {_links(t.runs)} | {_links(t.named)} |" for t in wanted if t.group == group
        ]
        parts.append(f"## {group[0].upper()}{group[1:]}")
        parts.append("\n".join(["| tool | in the end | used in | named in |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _links(modules: tuple[Module, ...]) -> str:
    return ", ".join(f"[{m.key}](lessons/{m.stem}.ipynb)" for m in modules)


def _used(tag: Tag) -> str:
    return _links(tag.runs) or ("–" if tag.reach == "mapped" else "not yet")
