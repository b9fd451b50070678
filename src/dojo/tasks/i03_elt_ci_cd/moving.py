"""Task i03.1: what a change would do to the table finance reads, in rows and euros."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import as_euros
from dojo.tasks.i03_elt_ci_cd import company

Row = tuple[str, int, int, Decimal | None]


@dataclass(frozen=True)
class Change:
    """A pull request's effect on daily_takings: both states as tables, and what is true of them."""

    title: str
    tables: dict[str, Any]
    rows: int
    euros: Decimal


def _nulls(rows: list[Row], day: str) -> list[Row]:
    return [(d, s, n, None if d == day else e) for d, s, n, e in rows]


def _opposite(rows: list[Row], day: str) -> list[Row]:
    """100 euros from one store of a day to another."""
    here = [r for r in rows if r[0] == day][:2]
    shift = {here[0][:2]: Decimal(100), here[1][:2]: Decimal(-100)}
    return [(d, s, n, e + shift.get((d, s), 0)) for d, s, n, e in rows]


def _later(rows: list[Row], day: str) -> list[Row]:
    """A third of a day's money on the day after."""
    moved = {s: (e / 3).quantize(Decimal("0.01")) for d, s, _, e in rows if d == day}
    after = (dt.date.fromisoformat(day) + dt.timedelta(days=1)).isoformat()
    return [(d, s, n, e - moved[s] if d == day else e + moved.get(s, 0) if d == after else e) for d, s, n, e in rows]


CHANGES: tuple[tuple[str, Callable[[list[Row], str], list[Row]]], ...] = (
    ("Clearer README", lambda rows, day: rows),
    ("Sort by store", lambda rows, day: sorted(rows, key=lambda r: (r[1], r[0]), reverse=True)),
    (
        "Load Monday again, to be safe",
        lambda rows, day: [(d, s, 2 * n, 2 * e) if d == day else (d, s, n, e) for d, s, n, e in rows],
    ),
    ("Days by UTC", _later),
    ("Drop the smallest store", lambda rows, day: [r for r in rows if r[1] != min(rows, key=lambda r: r[3])[1]]),
    ("Show the new store", lambda rows, day: [*rows, (day, 9, 3, Decimal("412.50"))]),
    ("Takings to follow", _nulls),
    ("Correct the split between stores", _opposite),
    (
        "Count attempts, not payments",
        lambda rows, day: [(d, s, n + 1, e) if d == day else (d, s, n, e) for d, s, n, e in rows],
    ),
)


@lru_cache(maxsize=4)
def changes(seed: int) -> tuple[Change, ...]:
    """Nine changes to three days of a small company."""
    last = dt.date(2025, 11, 12) + dt.timedelta(days=seed % 7)
    first = last - dt.timedelta(days=2)
    day = (first + dt.timedelta(days=seed % 2)).isoformat()
    rows = company.answers(seed, first, last)[last]
    released = [(d, s, n, Decimal(e)) for d, s, n, e in company.takings(rows) if d <= last.isoformat()]
    return tuple(_change(title, released, made(released, day)) for title, made in CHANGES)


def _change(title: str, released: list[Row], proposed: list[Row]) -> Change:
    before, after = ({r[:2]: r[2:] for r in rows} for rows in (released, proposed))
    keys = {k for k in before | after if before.get(k) != after.get(k)}
    euros = sum((abs(_euros(after, k) - _euros(before, k)) for k in keys), Decimal(0))
    tables = {"released.daily_takings": _table(released), "proposed.daily_takings": _table(proposed)}
    return Change(title, tables, len(keys), euros)


def _euros(rows: dict, key: tuple) -> Decimal:
    return rows.get(key, (0, None))[1] or Decimal(0)


def _table(rows: list[Row]) -> Any:
    import pyarrow as pa

    days, stores, counts, euros = zip(*rows, strict=True)
    return pa.table(
        {
            "business_date": pa.array([dt.date.fromisoformat(d) for d in days], pa.date32()),
            "store_id": pa.array(stores, pa.int64()),
            "payments": pa.array(counts, pa.int32()),
            "takings_eur": pa.array(euros, pa.decimal128(12, 2)),
        }
    )


def _asked(work: Work, data: tuple[Change, ...]) -> list[tuple[Change, int | None, Decimal | None]]:
    answers = work.calls("moved", [(Database(c.tables),) for c in data])
    made = []
    for change, answer in zip(data, answers, strict=True):
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise NotYet(
                "Return two numbers: rows and euros.", tried=change.title, expected="(rows, euros)", got=answer, cause="type"
            )
        rows = answer[0]
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int)):
            raise NotYet(
                "Rows are counted: the first of the two is a whole number.",
                tried=change.title,
                expected="a whole number",
                got=rows,
                cause="type",
            )
        made.append((change, rows, as_euros(answer[1])))
    return made


def counts_the_rows(work: Work, data: tuple[Change, ...]) -> str:
    for change, rows, _ in _asked(work, data):
        if rows == change.rows:
            continue
        if rows is None and change.rows == 0:
            said = "Where nothing changes, 0 rows do. A sum over no rows is NULL; a count is 0."
            raise NotYet(said, tried=f"“{change.title}”", expected=0, got=None, cause="null-for-zero")
        rows = rows or 0
        if change.rows == 0 and change.title == "Sort by store":
            said, cause = "The same rows in another order are the same table.", "order"
        elif change.rows == 0:
            said, cause = "Both states hold the same rows.", "nothing-changes"
        elif change.title == "Takings to follow":
            said, cause = (
                "A value that became NULL is a change finance will notice: `<>` with a NULL is neither true nor false.",
                "null",
            )
        elif rows == 2 * change.rows:
            said, cause = (
                "You count each row twice, as it was and as it will be. A row is its key: a day and a store.",
                "twice",
            )
        elif change.title == "Drop the smallest store":
            said, cause = "Rows that will be gone are not counted. A join keeps what both sides have.", "gone"
        elif change.title == "Show the new store":
            said, cause = "Rows that will be new are not counted.", "new"
        elif change.title == "Count attempts, not payments":
            said, cause = (
                "Finance reads `payments` too: a row whose count changes is a changed row, even if no euro moves.",
                "payments",
            )
        else:
            said, cause = "Rows that change are not all counted.", "rows"
        raise NotYet(said, tried=f"“{change.title}”", expected=f"{change.rows} rows", got=f"{rows} rows", cause=cause)
    return f"Rows that change, come and go, in {len(data)} pull requests."


def sums_the_euros(work: Work, data: tuple[Change, ...]) -> str:
    for change, _, euros in _asked(work, data):
        if euros is not None and abs(euros - change.euros) < Decimal("0.02"):
            continue
        if euros is None:
            said, cause = "A sum over no rows is NULL; nothing moved is 0.", "null"
        elif change.title in ("Days by UTC", "Correct the split between stores") and abs(euros) < Decimal("0.02"):
            said, cause = (
                "The total is the same and the rows are wrong: what one loses another gains. Add up what moves, not what is left over.",
                "cancels",
            )
        elif euros < 0:
            said, cause = "Euros that move are counted without their sign.", "sign"
        elif change.title in ("Drop the smallest store", "Show the new store", "Takings to follow"):
            said, cause = (
                "A row that is on one side only, or whose takings are NULL there, has 0 euros there. All of its money moves.",
                "one-sided",
            )
        else:
            said, cause = f"Off by €{abs(euros - change.euros):,.2f}.", "euros"
        raise NotYet(
            said,
            tried=f"“{change.title}”",
            expected=f"€{change.euros:,.2f}",
            got="nothing" if euros is None else f"€{euros:,.2f}",
            cause=cause,
        )
    most = max(data, key=lambda c: c.euros)
    return f"To the cent; the dearest is “{most.title}”, €{most.euros:,.2f}."


_JOIN = """
def moved(con):
    return con.execute('''
        select count(*), coalesce(sum(abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0))), 0)
        from released.daily_takings r
        full join proposed.daily_takings p using (business_date, store_id)
        where r.payments is distinct from p.payments or r.takings_eur is distinct from p.takings_eur
    ''').fetchone()
"""
_PANDAS = """
def moved(con):
    key = ['business_date', 'store_id']
    r = con.execute('from released.daily_takings').df().set_index(key).astype(float)
    p = con.execute('from proposed.daily_takings').df().set_index(key).astype(float)
    both = r.join(p, how='outer', lsuffix='_was', rsuffix='_will')
    differs = (both.takings_eur_was.fillna(-1) != both.takings_eur_will.fillna(-1)) | (both.payments_was.fillna(-1) != both.payments_will.fillna(-1))
    changed = both[differs]
    return len(changed), round((changed.takings_eur_will.fillna(0) - changed.takings_eur_was.fillna(0)).abs().sum(), 2)
"""
_EXCEPT = """
def moved(con):
    changed = con.execute('''
        with differ as (
            (from released.daily_takings except from proposed.daily_takings)
            union all by name
            (from proposed.daily_takings except from released.daily_takings)
        ),
        keys as (select distinct business_date, store_id from differ)
        select coalesce(r.takings_eur, 0), coalesce(p.takings_eur, 0)
        from keys
        left join released.daily_takings r using (business_date, store_id)
        left join proposed.daily_takings p using (business_date, store_id)
    ''').fetchall()
    return len(changed), sum(abs(was - will) for was, will in changed)
"""

TASK = Task(
    id="i03.1",
    title="What would it cost?",
    minutes=10,
    points=2,
    deliver=(function("moved"),),
    data=changes,
    checks=(
        Check("counts the rows that change, come or go", counts_the_rows, expected=lambda d: [c.rows for c in d]),
        Check("adds up the euros that move", sums_the_euros, expected=lambda d: [c.euros for c in d]),
    ),
    hints=(
        "A row of this table is a day and a store. Which rows are on one side only, which on both and different?",
        "A `full join` on the key keeps all of them; `is distinct from` compares NULLs too.",
        "`count(*)` and `sum(abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0)))` over the rows where payments or takings are distinct; 0 for no rows.",
    ),
    clauses={
        "how many rows change": "compares euros only",
        "go or come": "inner join",
        "how many euros move": "NULL swallows the money",
        "each counted without its sign": "with signs",
        "there are 0 euros": "NULL for nothing",
    },
    wrong=(
        wrong(
            "difference of the totals",
            _JOIN.replace(
                "sum(abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0)))",
                "abs(sum(coalesce(p.takings_eur, 0)) - sum(coalesce(r.takings_eur, 0)))",
            ),
            "cancels",
        ),
        wrong("inner join", _JOIN.replace("full join", "join"), "gone"),
        wrong("left join", _JOIN.replace("full join", "left join"), "new"),
        wrong(
            "compares with <>",
            _JOIN.replace("r.takings_eur is distinct from p.takings_eur", "r.takings_eur <> p.takings_eur"),
            "null",
        ),
        wrong("compares euros only", _JOIN.replace("r.payments is distinct from p.payments or ", ""), "payments"),
        wrong("each row as it was and as it will be", _JOIN.replace("count(*)", "2 * count(*)"), "twice"),
        wrong(
            "with signs",
            _JOIN.replace(
                "abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0))",
                "coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0)",
            ),
            "cancels",
        ),
        wrong(
            "NULL for nothing",
            _JOIN.replace(
                "coalesce(sum(abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0))), 0)",
                "sum(abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0)))",
            ),
            "null",
        ),
        wrong(
            "NULL swallows the money",
            _JOIN.replace(
                "abs(coalesce(p.takings_eur, 0) - coalesce(r.takings_eur, 0))", "abs(p.takings_eur - r.takings_eur)"
            ),
            "one-sided",
        ),
        wrong(
            "row by row in order",
            "def moved(con):\n    was = con.execute('from released.daily_takings').fetchall()\n    will = con.execute('from proposed.daily_takings').fetchall()\n    pairs = [(a, b) for a, b in zip(was, will) if a != b]\n    return len(pairs), sum(abs((a[3] or 0) - (b[3] or 0)) for a, b in pairs)",
            "order",
        ),
    ),
    right=(
        right("full join", _JOIN),
        right("with pandas", _PANDAS),
        right("both differences, then the keys", _EXCEPT),
    ),
)
