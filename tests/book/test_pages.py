"""What the book holds: every notebook and every list computed from them; every link resolves; nothing is loaded from outside."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

import dojo
from dojo.places import COURSE
from dojo.site import bad_morning, extra_pages, source
from dojo.tasks import tasks_of

LESSONS = sorted(path.stem for path in (COURSE / "notebooks").glob("*.ipynb"))
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src"}
RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "manifest"}


class Page(HTMLParser):
    """What a page says of itself: ids, links, and what a browser loads with it."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.ids |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag in LOADING and LOADING[tag] in told:
            self.loads.append(told[LOADING[tag]])
        if tag == "link" and set(told.get("rel", "").split()) & RELATIONS:
            self.loads.append(told["href"])

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@cache
def read(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def site() -> source.Site:
    return source.Site.of_this_course()


@pytest.mark.parametrize("stem", LESSONS)
def test_every_notebook_has_its_page(book, stem) -> None:
    assert (book.html / "lessons" / f"{stem}.html").exists()
    for folder in ("exercises", "solutions"):
        assert (COURSE / folder / f"{stem}.ipynb").exists() == (book.html / folder / f"{stem}.html").exists()


@pytest.mark.parametrize(
    "name", ["index", "paths", "run", "about", "glossary", "tags", "tools", "404", "search", "reference/faults"]
)
def test_every_other_page_is_there(book, name) -> None:
    assert (book.html / f"{name}.html").exists()


def test_a_module_that_is_not_there_is_on_no_page(site) -> None:
    fewer = dataclasses.replace(site, modules=site.modules[:-1], topics=[], tools=[])
    gone = site.modules[-1].stem
    assert [name for name, text in source.texts(fewer).items() if gone in text] == []
    assert gone in source.texts(site)["index"]


@pytest.mark.parametrize("stem", LESSONS)
def test_every_lesson_is_in_every_list(site, stem) -> None:
    texts = source.texts(site)
    assert [name for name in ("index", "run", "paths") if stem not in texts[name]] == []
    exercise = COURSE / "exercises" / f"{stem}.ipynb"
    cells = nbformat.read(exercise, 4).cells if exercise.exists() else []
    asked = [found.replace(".", "-") for c in cells for found in re.findall(r"^## (\w+\.\d+) ", c.source, re.M)]
    assert [task for task in asked if f"#task-{task})" not in texts["exercises/index"]] == []


def test_no_lesson_is_named_by_hand() -> None:
    written = [
        p for p in (COURSE / "book").rglob("*") if p.suffix in (".md", ".yaml", ".js", ".html") and "_build" not in p.parts
    ]
    assert [(p.name, stem) for p in written for stem in LESSONS if stem in p.read_text("utf-8")] == []


def targets(html: Path) -> list[tuple[str, str, Path, str]]:
    """Every inner link: page, link, the file it leads to, the place in it."""
    found = []
    for name in extra_pages.pages(html):
        for link in read(html / name).links:
            parts = urlsplit(link)
            if not parts.scheme and not parts.netloc:
                here = html if name == "404.html" else (html / name).parent
                there = (here / unquote(parts.path)).resolve() if parts.path else html / name
                found.append((name, link, there, unquote(parts.fragment)))
    return found


def test_every_link_leads_somewhere(book) -> None:
    found = targets(book.html)
    assert len(found) > 1000
    assert sorted({(name, link) for name, link, there, _ in found if not there.is_file()}) == []
    placed = [(n, link, t, place) for n, link, t, place in found if place and t.suffix == ".html"]
    assert sorted({(n, link) for n, link, there, place in placed if place not in read(there).ids}) == []


def test_nothing_is_loaded_from_outside(book) -> None:
    pages = {name: read(book.html / name) for name in extra_pages.pages(book.html)}
    assert [(name, load) for name, page in pages.items() for load in page.loads if urlsplit(load).netloc] == []
    styles = {path: path.read_text("utf-8") for path in book.html.rglob("*.css")}
    outside = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//")
    assert [path.name for path, text in styles.items() if outside.search(text)] == []


@pytest.mark.parametrize("stem", LESSONS)
def test_a_lesson_opens_with_its_question_minutes_and_tags(book, stem) -> None:
    front = nbformat.read(COURSE / "notebooks" / f"{stem}.ipynb", 4).metadata["dojo"]
    page = read(book.html / "lessons" / f"{stem}.html")
    words = " ".join("".join(page.words).split())
    assert front["question"] in words and f"{front['minutes_read']} min to read" in words
    assert any("tags.html#" in link for link in page.links)


def test_every_diagram_is_drawn_and_described(book) -> None:
    for stem in LESSONS:
        fences = (COURSE / "notebooks" / f"{stem}.md").read_text("utf-8").count("```mermaid")
        drawn = re.findall(
            r'class="dojo-diagram".{0,80}?<svg role="img" aria-label="([^"]*)"',
            (book.html / "lessons" / f"{stem}.html").read_text("utf-8"),
        )
        assert len(drawn) == fences and all(len(alt) > 20 for alt in drawn), stem


def test_every_prediction_can_be_made_without_a_kernel(book) -> None:
    for stem in LESSONS:
        cells = nbformat.read(COURSE / "notebooks" / f"{stem}.ipynb", 4).cells
        plain = [o["data"].get("text/plain", "") for c in cells for o in c.get("outputs", []) if "data" in o]
        text = (book.html / "lessons" / f"{stem}.html").read_text("utf-8")
        states = [
            json.loads(html.unescape(s)) for s in re.findall(r"data-widget=\"prediction\"[^>]*data-state='([^']*)'", text)
        ]
        assert sum(not s["measured"] for s in states) == sum(p.startswith("Your prediction, ") for p in plain)
        assert sum(bool(s["measured"]) for s in states) == sum("; measured: " in p for p in plain)
        assert all(s["guess"] == "" for s in states)


def test_every_widget_brings_its_own_code(book) -> None:
    named = {n for p in book.html.rglob("*.html") for n in re.findall(r'data-widget="(\w+)"', p.read_text("utf-8"))}
    assert named and named == {path.stem for path in (book.html / "_static" / "widgets").glob("*.js")}


def test_solutions_are_folded_and_not_searched(book) -> None:
    index = (book.html / "searchindex.js").read_text("utf-8")
    listed = json.loads(index[index.index("(") + 1 : index.rindex(")")])
    terms = [
        listed["docnames"][n] for found in listed["terms"].values() for n in (found if isinstance(found, list) else [found])
    ]
    assert "lessons/" in " ".join(terms) and [name for name in terms if name.startswith("solutions/")] == []
    for stem in LESSONS:
        path = book.html / "solutions" / f"{stem}.html"
        if path.exists():
            text = path.read_text("utf-8")
            assert text.count("<details") >= len(tasks_of(stem.split("-")[0])) and "### BEGIN SOLUTION" not in text


@pytest.mark.parametrize("stem", LESSONS)
def test_each_task_has_its_hints_and_a_way_to_an_answer(book, stem) -> None:
    text = (book.html / "exercises" / f"{stem}.html").read_text("utf-8")
    asked = set(re.findall(r'id="task-(\w+-\d+)"', text))
    assert asked and {task for task in asked if f"#solution-{task}" not in text} == set()
    assert text.count("<summary>Hint ") == 3 * len(asked)


def test_every_tool_the_course_sets_out_to_reach_is_in_the_table(book, site) -> None:
    listed = yaml.safe_load((COURSE / "book" / "tags.yaml").read_text("utf-8"))["tools"]
    words = "".join(read(book.html / "tools.html").words)
    assert [tool["name"] for tool in listed if tool["name"] not in words] == []
    runs = {tool.name: {m.key for m in tool.runs} for tool in site.tools}
    assert "03" in runs["Soda"] and "02" in runs["Git"] and "04" in runs["GitHub Actions"]
    assert not runs["Monte Carlo"], "what is only explained is never said to run"


@pytest.mark.parametrize("name", dojo.__all__)
def test_what_learners_call_is_in_the_reference(book, name) -> None:
    assert f"dojo.notebook.{name}" in read(book.html / "reference" / "api-dojo.html").ids


def test_sitemap_names_every_page_but_solutions(book) -> None:
    text = (book.html / "sitemap.xml").read_text("utf-8")
    assert all(f"lessons/{stem}.html</loc>" in text for stem in LESSONS)
    assert "solutions/" not in text and "404.html" not in text


def test_the_404_page_works_at_any_depth(book) -> None:
    assert "<base href=" in (book.html / "404.html").read_text("utf-8")


def test_other_sites_get_a_picture_and_a_sentence(book) -> None:
    picture = (book.html / "_static" / "preview.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (1200, 630)
    for name in extra_pages.pages(book.html):
        assert (name in extra_pages.NO_READERS) or 'property="og:description"' in (book.html / name).read_text("utf-8"), name


def test_the_bad_morning_is_what_shopflow_measures() -> None:
    assert bad_morning.FILE.read_text("utf-8") == bad_morning.as_text(bad_morning.measured())
