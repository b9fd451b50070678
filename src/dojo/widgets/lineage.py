"""The lineage of ShopFlow's project: what reads what, and what goes wrong with a table that goes wrong."""

from __future__ import annotations

import re
from collections import defaultdict
from html import escape
from typing import Any

import yaml

from dojo.charts import COLOURS, Picture
from dojo.widgets.live import live

WIDTH, HEIGHT = 128, 26
GAP_X, GAP_Y = 24, 12


def lineage_explorer(wrong: str = "stg_exchange_rates") -> Any:
    """The project as a picture in which a table can be declared wrong; everything downstream of it is then marked.

    wrong: the table to begin with, for example "raw.orders" or "stg_orders". KeyError names the tables there are.
    """
    edges = _edges()
    kinds = _kinds(edges)
    if wrong not in kinds:
        raise KeyError(f"There is no table {wrong!r} in the project. There are: {', '.join(sorted(kinds))}.")
    nodes = [{"id": name, "kind": kind, "column": c, "row": r} for name, kind, c, r in _placed(edges, kinds)]
    return live("lineage", _still, nodes=nodes, edges=[list(edge) for edge in edges], wrong=wrong)


def downstream(edges: list, name: str) -> list[str]:
    """Everything that reads a table, directly or through others, by name."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        at = waiting.pop()
        new = {b for a, b in edges if a == at} - found
        found |= new
        waiting += new
    return sorted(found)


def told(state: dict[str, Any]) -> str:
    """The blast radius in a sentence; the JavaScript says the same."""
    kinds = {n["id"]: n["kind"] for n in state["nodes"]}
    hit = downstream(state["edges"], state["wrong"])
    tables = [n for n in hit if kinds[n] != "promise"]
    readers = [n for n in hit if kinds[n] == "promise"]
    who = f"; {_and(readers)} read{'s' if len(readers) == 1 else ''} it" if readers else "; nobody outside reads it"
    return f"{state['wrong']} is wrong: with it {_and(tables) if tables else 'no other table'}{who}."


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _edges() -> list[tuple[str, str]]:
    """(what is read, what reads it) from the template's own files."""
    from shopflow.history import TEMPLATE

    found = set()
    for path in sorted((TEMPLATE / "dbt" / "models").rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        found |= {(name, path.stem) for name in re.findall(r"ref\('(\w+)'\)", text)}
        found |= {(".".join(pair), path.stem) for pair in re.findall(r"source\('(\w+)', '(\w+)'\)", text)}
    for path in sorted((TEMPLATE / "dbt" / "snapshots").glob("*.yml")):
        for snapshot in yaml.safe_load(path.read_text(encoding="utf-8"))["snapshots"]:
            found |= {(name, snapshot["name"]) for name in re.findall(r"ref\('(\w+)'\)", snapshot["relation"])}
    exposures = yaml.safe_load((TEMPLATE / "dbt" / "models" / "exposures.yml").read_text(encoding="utf-8"))["exposures"]
    for exposure in exposures:
        found |= {(name, exposure["name"]) for name in re.findall(r"ref\('(\w+)'\)", " ".join(exposure["depends_on"]))}
    return sorted(found)


def _kinds(edges: list[tuple[str, str]]) -> dict[str, str]:
    names = {name for edge in edges for name in edge}
    read = {a for a, _ in edges}
    return {
        n: "source"
        if n.startswith("raw.")
        else "model"
        if n in read or n.startswith(("stg_", "dim_", "fact_"))
        else "promise"
        for n in names
    }


def _placed(edges: list[tuple[str, str]], kinds: dict[str, str]) -> list[tuple[str, str, int, int]]:
    """(name, kind, column, row): a column to the right of all it reads, rows near what is read."""
    parents = defaultdict(list)
    for a, b in edges:
        parents[b].append(a)
    column: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in column:
            column[name] = 1 + max((depth(p) for p in parents[name]), default=-1)
        return column[name]

    for name in kinds:
        depth(name)
    rows: dict[str, int] = {}
    placed = []
    for at in range(max(column.values()) + 1):
        here = [n for n in kinds if column[n] == at]

        def near(name: str) -> tuple[float, str]:
            above = [rows[p] for p in parents[name]]
            return (sum(above) / len(above) if above else 0.0, name)

        for row, name in enumerate(sorted(here, key=near)):
            rows[name] = row
            placed.append((name, kinds[name], at, row))
    return placed


def _still(state: dict[str, Any]) -> Picture:
    hit = {state["wrong"], *downstream(state["edges"], state["wrong"])}
    at = {n["id"]: (10 + n["column"] * (WIDTH + GAP_X), 10 + n["row"] * (HEIGHT + GAP_Y)) for n in state["nodes"]}
    width = max(x for x, _ in at.values()) + WIDTH + 10
    height = max(y for _, y in at.values()) + HEIGHT + 10
    alt = f"The lineage of ShopFlow's project. {told(state)}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" style="max-width:{width}px;'
        f'background:#fff;font-family:sans-serif;font-size:12px" role="img" aria-label="{escape(alt)}"><title>{escape(alt)}</title>'
    ]
    for a, b in state["edges"]:
        (x1, y1), (x2, y2) = at[a], at[b]
        colour = COLOURS["fault"] if a in hit else "#888"
        parts.append(
            f'<path d="M{x1 + WIDTH} {y1 + HEIGHT / 2:g}C{x1 + WIDTH + GAP_X} {y1 + HEIGHT / 2:g} {x2 - GAP_X} {y2 + HEIGHT / 2:g} {x2} {y2 + HEIGHT / 2:g}"'
            f' fill="none" stroke="{colour}" stroke-width="{2 if a in hit else 1}"/>'
        )
    for node in state["nodes"]:
        x, y = at[node["id"]]
        colour = COLOURS["fault" if node["id"] in hit else node["kind"]]
        parts.append(
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#fff" stroke="{colour}" stroke-width="{3 if node["id"] in hit else 1.5}"/>'
            f'<text x="{x + 7}" y="{y + 17}" fill="{colour}">{escape(node["id"])}</text>'
        )
    return Picture("".join(parts) + "</svg>", alt)
