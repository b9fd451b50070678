"""Building: formulas, diagrams and files a cell writes; a broken page is refused and named; doors open where there is a repository."""

from __future__ import annotations

import json
import re

import pytest

from dojo.places import COURSE
from dojo.site import building, landing, source
from dojo.site.course import modules
from dojo.tools import environments

FACTS = {"url": "https://example.org/", "repository": "", "lessons": 1, "tasks": 1, "faults": 1}


@pytest.fixture
def tiny(tmp_path):
    """Builds a book of one page under the book's own settings; gives the page's HTML."""
    if not environments.is_added("book"):
        pytest.skip("the book's tools are not here (dojo tools add book; make test adds them)")

    def make(text: str) -> str:
        folder = tmp_path / "source"
        (folder / "_made").mkdir(parents=True)
        (folder / "_made" / "tokens.css").write_text("", encoding="utf-8")
        (folder / "site.json").write_text(json.dumps(FACTS), encoding="utf-8")
        (folder / "index.md").write_text(f"# One page\n\n{text}\n", encoding="utf-8")
        building.run_sphinx(tmp_path)
        return (tmp_path / "html" / "index.html").read_text("utf-8")

    return make


def test_formulas_and_diagrams_need_no_script(tiny) -> None:
    html = tiny(
        "The burn rate is $s / (1 - o)$:\n\n$$\nb = \\frac{s}{1 - o}\n$$\n\n"
        "```mermaid\nflowchart LR\n  raw --> mart\n```\n\n*From left to right: raw, then mart.*\n"
    )
    assert html.count("<math ") == 2 and "<mfrac>" in html
    assert 'aria-label="From left to right: raw, then mart."' in html and "<svg " in html
    scripts = re.findall(r"<script[^>]*src=\"([^\"]+)", html)
    assert scripts and not [name for name in scripts if "math" in name.lower() or "mermaid" in name.lower()]


def test_a_broken_page_is_refused_with_its_name_and_without_paths_of_this_machine(tiny, tmp_path) -> None:
    with pytest.raises(building.BookBroken, match=r"index\.md.*nowhere") as refused:
        tiny("[a link](nowhere.md)")
    assert str(tmp_path / "source") not in str(refused.value)


def test_a_diagram_that_cannot_be_drawn_is_refused_with_its_text(tiny) -> None:
    with pytest.raises(building.BookBroken, match="flowchart LR --> -->"):
        tiny("```mermaid\nflowchart LR --> -->\n```")


def test_without_a_repository_no_door_pretends_to_be_open() -> None:
    pieces = landing.fragments(modules(), "")
    assert "http" not in pieces["rooms"] + pieces["binder"] + pieces["codespaces"]


def test_with_a_repository_every_notebook_has_a_door() -> None:
    found = modules()
    pieces = landing.fragments(found, "owner/name")
    for module in found:
        assert f"mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab%2Ftree%2Fnotebooks%2F{module.stem}.ipynb" in pieces["rooms"]
    assert "codespaces.new/owner/name" in pieces["codespaces"]


@pytest.mark.parametrize(
    ("told", "repository", "url"),
    [
        ({"DOJO_REPOSITORY": "owner/name"}, "owner/name", "https://owner.github.io/name/"),
        ({"GITHUB_REPOSITORY": "//home/me"}, "", source.UNKNOWN_URL),
        (
            {"DOJO_REPOSITORY": "owner/name", "DOJO_BOOK_URL": "https://example.org/x"},
            "owner/name",
            "https://example.org/x/",
        ),
    ],
)
def test_where_it_is_published_is_told_by_the_environment(monkeypatch, told, repository, url) -> None:
    for name in ("DOJO_REPOSITORY", "GITHUB_REPOSITORY", "DOJO_BOOK_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    site = source.Site.of_this_course()
    assert (site.repository, site.url) == (repository, url)


def test_a_page_that_asks_for_an_unknown_figure_is_named(monkeypatch, tmp_path) -> None:
    (tmp_path / "about.md").write_text("# About\n\n{{ nothing_of_the_kind }}\n", encoding="utf-8")
    monkeypatch.setattr(source, "PAGES", tmp_path)
    with pytest.raises(KeyError, match=r"about\.md asks for 'nothing_of_the_kind'"):
        source.texts(source.Site.of_this_course())


def test_the_books_lock_holds_what_its_requirements_ask_for() -> None:
    asked = [
        line.split(">=")[0]
        for line in (COURSE / "book" / "requirements.txt").read_text("utf-8").splitlines()
        if ">=" in line
    ]
    lock = environments.get("book").lock.read_text("utf-8")
    assert asked and [name for name in asked if f"\n{name}==" not in f"\n{lock}"] == []
