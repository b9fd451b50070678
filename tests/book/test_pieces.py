"""The pieces of the book: colours that can be read, links to terms, the API from docstrings, pages that ask for what is known."""

from __future__ import annotations

import re
from itertools import combinations

import nbformat
import pytest

from dojo import palette
from dojo.site import api, glossary, lessons
from dojo.site.course import Module, hours, modules


@pytest.mark.parametrize("name", palette.things())
@pytest.mark.parametrize("shade", [0, 1], ids=["light", "dark"])
def test_the_colour_of_a_thing_can_be_read_on_paper(name, shade) -> None:
    colour = palette.things()[name][shade]
    for paper in ("paper", "soft"):
        assert palette.contrast(colour, palette.GREYS[paper][shade]) >= 4.5


@pytest.mark.parametrize("ink", ["ink", "faint"])
@pytest.mark.parametrize("shade", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_ground(ink, shade) -> None:
    for paper in ("paper", "soft", "code"):
        assert palette.contrast(palette.GREYS[ink][shade], palette.GREYS[paper][shade]) >= 4.5


def as_seen(colour: str, kind: str) -> tuple[float, ...]:
    """A colour as people without red or green cones see it (Viénot, Brettel and Mollon, 1999), in linear light."""
    r, g, b = ((int(colour[n : n + 2], 16) / 255) ** 2.2 for n in (1, 3, 5))
    if kind == "protan":
        return (0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b)
    return (0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b)


@pytest.mark.parametrize("kind", ["protan", "deutan"])
@pytest.mark.parametrize("shade", [0, 1], ids=["light", "dark"])
def test_a_fault_and_a_promise_kept_are_told_apart_without_red_and_green(kind, shade) -> None:
    things = palette.things()
    for one, other in combinations(("fault", "promise", "source"), 2):
        first, second = as_seen(things[one][shade], kind), as_seen(things[other][shade], kind)
        assert sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5 > 0.03, (one, other)


def test_a_picture_follows_the_theme_and_keeps_its_colour_where_there_is_none() -> None:
    assert palette.follow_theme('<rect fill="#b3261e"/>') == '<rect fill="var(--dojo-fault,#b3261e)"/>'
    assert palette.follow_theme('<a href="#abc">#123</a>') == '<a href="#abc">#123</a>'


def test_a_term_is_linked_once_a_page_and_first_where_it_is_defined() -> None:
    link = glossary.linker([glossary.Term("grain", "what one row is", "00")])
    assert (
        link("# The grain\n\n`grain` is the *grain*, and grain.")
        == "# The grain\n\n`grain` is the [*grain*](#term-grain), and grain."
    )
    assert link("grain again") == "grain again"


def test_terms_link_each_other_but_not_themselves() -> None:
    text = glossary.page(modules())
    entry = next(line for line in text.splitlines() if line.startswith(": the share of bad events"))
    assert "[error budget](#term-error-budget)" in entry and "#term-burn-rate" not in entry


def test_an_everyday_word_is_a_term_only_in_italics() -> None:
    link = glossary.linker([glossary.Term("window", "a stretch of time", "11")])
    assert link("out of the window") == "out of the window"
    assert link("*windows* of thirty") == "[*windows*](#term-window) of thirty"


def test_a_line_of_another_form_is_named(tmp_path, monkeypatch) -> None:
    path = tmp_path / "glossary.md"
    path.write_text("# Glossary\n\n**grain**: what one row is\n", encoding="utf-8")
    monkeypatch.setattr(glossary, "SOURCE", path)
    with pytest.raises(glossary.BadEntry, match=r"glossary\.md:3"):
        glossary.read()


def test_a_notebook_or_module_that_is_named_is_linked_unless_it_is_this_one() -> None:
    found = modules()
    first, second = found[0], found[1]
    text = f"`exercises/{second.stem}.ipynb`, module {second.key}, module {first.key}, module 99"
    linked = lessons.with_links(text, found, first.key)
    assert f"](../exercises/{second.stem}.ipynb)" in linked and f"[module {second.key}]" in linked
    assert f"module {first.key}," in linked and linked.endswith("module 99")


def test_code_is_never_changed() -> None:
    text = "```\nmodule 01 and grain\n```\n\n<!-- module 01 -->"
    assert lessons.with_links(text, modules(), "00") == text


def test_the_reference_reads_docstrings_without_importing() -> None:
    text = api.page(api.faces(modules()), "shopflow")
    assert re.search(r"\{py:function\} mart\(company: Any, name: str", text)
    assert "py:function} _" not in text


@pytest.mark.parametrize(("minutes", "said"), [(0, "0 min"), (55, "55 min"), (60, "1 h"), (95, "1 h 35 min")])
def test_minutes_are_told_as_people_say_them(minutes, said) -> None:
    assert hours(minutes) == said


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("SLO: a promise with numbers in it", "SLO"),
        ("Scenario i01: silent failure", "Silent failure"),
        ("Scenario i03: CI/CD for dlt", "CI/CD for dlt"),
    ],
)
def test_a_module_has_a_short_name(title, name) -> None:
    book = nbformat.v4.new_notebook(metadata={"dojo": {"title": title}})
    assert Module("00", "00-x", book, None, None, ()).name == name
