"""The pages of the book as Sphinx reads them, written from the course: nothing here lists a lesson by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat

from dojo import palette
from dojo.places import COURSE
from dojo.site import api, glossary, landing, lessons, tags
from dojo.site.course import Module, modules
from dojo.widgets import live

PAGES = COURSE / "book" / "pages"
UNKNOWN_URL = "https://dataops-dojo.example/"
"""Stands in the sitemap where nobody has said where the book will be."""


@dataclass(frozen=True)
class Site:
    """What the pages are made from: modules, their tags, and where the course and the book are published, if anywhere."""

    modules: list[Module]
    topics: list[tags.Tag]
    tools: list[tags.Tag]
    repository: str
    url: str

    @classmethod
    def of_this_course(cls) -> Site:
        """This checkout. $DOJO_REPOSITORY or $GITHUB_REPOSITORY ("owner/name") and $DOJO_BOOK_URL say where it is published."""
        found = modules()
        told = os.environ.get("DOJO_REPOSITORY") or os.environ.get("GITHUB_REPOSITORY") or _origin()
        repository = told if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", told) else ""
        owner, _, name = repository.partition("/")
        url = os.environ.get("DOJO_BOOK_URL") or (f"https://{owner}.github.io/{name}/" if name else UNKNOWN_URL)
        return cls(found, tags.topics(found), tags.tools(found), repository, url.rstrip("/") + "/")

    @property
    def tags(self) -> list[tags.Tag]:
        """Topics, then tools."""
        return [*self.topics, *self.tools]


def _origin() -> str:
    """ "owner/name" where this checkout's origin is on GitHub, else ""."""
    try:
        asked = ["git", "remote", "get-url", "origin"]
        told = subprocess.run(asked, cwd=COURSE, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
    found = re.fullmatch(r"(?:https://github\.com/|git@github\.com:)([\w.-]+/[\w.-]+?)(?:\.git)?", told)
    return found[1] if found else ""


def write(site: Site, folder: Path) -> None:
    """Writes all sources into an empty folder, ready for Sphinx."""
    shutil.rmtree(folder, ignore_errors=True)
    lessons.WIDGETS.clear()
    for name, text in texts(site).items():
        _put(folder / f"{name}.md", text)
    for name, notebook in notebooks(site).items():
        _put(folder / f"{name}.ipynb", nbformat.writes(notebook, version=4))
    static = folder / "_made"
    _put(static / "tokens.css", palette.css() + live.css())
    for name, code in lessons.WIDGETS.items():
        _put(static / "widgets" / f"{name}.js", code)
    _put(folder / "site.json", json.dumps({"url": site.url, "repository": site.repository, **_facts(site)}))


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def notebooks(site: Site) -> dict[str, nbformat.NotebookNode]:
    """Every page that is a notebook, by its name without suffix."""
    terms = glossary.read()
    made: dict[str, nbformat.NotebookNode] = {}
    for module in site.modules:
        chips = tags.chips(module, site.tags)
        made[f"lessons/{module.stem}"] = lessons.lesson(module, site.modules, chips, glossary.linker(terms))
        if module.exercise:
            made[f"exercises/{module.stem}"] = lessons.exercise(module, site.modules, glossary.linker(terms))
        if module.solved:
            made[f"solutions/{module.stem}"] = lessons.solution(module)
    return made


def texts(site: Site) -> dict[str, str]:
    """Every page that is text, by its name without suffix."""
    faces = api.faces(site.modules)
    faults = (COURSE / "book" / "reference" / "faults.md").read_text("utf-8")
    made = {
        "glossary": glossary.page(site.modules),
        "tags": tags.page(site.tags),
        "tools": tags.table(site.tools),
        "exercises/index": landing.exercises(site.modules),
        "solutions/index": landing.solutions(site.modules),
        "reference/faults": faults,
        "reference/api-dojo": api.page(faces, "dojo"),
        "reference/api-shopflow": api.page(faces, "shopflow"),
    }
    told = {**_facts(site), **landing.fragments(site.modules, site.repository)}
    fill = partial(re.sub, r"\{\{ (\w+) \}\}", lambda found: str(told[found[1]]))
    return made | {path.stem: _filled(path, fill) for path in sorted(PAGES.glob("*.md"))}


def _filled(path: Path, fill: Callable[[str], str]) -> str:
    try:
        return fill(path.read_text("utf-8"))
    except KeyError as error:
        raise KeyError(f"{path.name} asks for {error}, which the book does not know") from None


def _facts(site: Site) -> dict[str, int]:
    """Figures that pages quote."""
    asked = [task for module in site.modules for task in module.tasks]
    return {
        "lessons": sum(not m.is_scenario for m in site.modules),
        "scenarios": sum(m.is_scenario for m in site.modules),
        "tasks": len(asked),
        "points": sum(task.points for task in asked),
        "minutes": sum(m.minutes for m in site.modules),
        "hours": round(sum(m.minutes for m in site.modules) / 60),
        "terms": len(glossary.read()),
        "tools_today": sum(bool(tool.runs) for tool in site.tools),
        "faults": len(re.findall(r"^### ", (COURSE / "book" / "reference" / "faults.md").read_text("utf-8"), re.M)),
    }
