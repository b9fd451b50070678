"""Task 03.8: a regression test between two outputs: what exactly differs, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from dojo.judge.contract import Check, NotYet, Task, edited, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import as_euros, mapping, whole_number
from dojo.tasks.samples import company
from shopflow.tables import BATCH_ROWS

KEYS = ("missing", "added", "doubled", "changed", "euros")


@dataclass(frozen=True)
class Change:
    """A release: what it did to daily_revenue, the two outputs, and what the comparison must say."""

    name: str
    tables: dict[str, pa.Table]
    want: dict[str, Any]


@dataclass(frozen=True)
class Releases:
    """Releases that change nothing, and releases that do."""

    harmless: tuple[Change, ...]
    real: tuple[Change, ...]


def releases(seed: int) -> Releases:
    """daily_revenue of a company the learner has not seen, before and after releases."""
    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("held", company(seed).tables["marts.daily_revenue"])
        con.execute(
            "create table rows as select *, row_number() over (order by hash(business_date, store_key)) as n from held"
        )
        k = 2 + seed % 4
        whole = "select * exclude (n) from rows"

        def with_(**columns: str) -> str:
            replaced = ", ".join(f"{value} as {name}" for name, value in columns.items())
            return f"select * exclude (n) replace ({replaced}) from rows"

        without_units = with_(units=f"case when n <= {k} then null else units end")
        new_store = f"(select distinct business_date, 'store-x', 1, 1, 19.99 from rows order by 1 limit {k + 2})"
        harmless = (
            (
                "another order of rows, and doubles for decimals",
                whole,
                with_(revenue_eur="revenue_eur::double + case when n % 2 = 0 then 0.004 else -0.004 end")
                + " order by revenue_eur desc",
            ),
            ("a new column", whole, "select * exclude (n), 'EUR' as currency from rows"),
            ("nulls that were there before", without_units, without_units),
        )
        real = (
            (
                "a lost filter",
                whole,
                with_(
                    revenue_eur=f"case when n <= {k} then revenue_eur + 10.5 else revenue_eur end",
                    orders=f"case when n <= {k + 1} then orders + 1 else orders end",
                ),
                {"changed": {"orders": k + 1, "revenue_eur": k}},
            ),
            ("a lost day", whole, f"{whole} where n > {k}", {"missing": k}),
            ("a store more", whole, f"{whole} union all {new_store}", {"added": k + 2}),
            ("a fan-out", whole, f"{whole} union all {whole} where n <= {k} union all {whole} where n = 1", {"doubled": k}),
            ("a null instead of a number", whole, without_units, {"changed": {"units": k}}),
            ("a number instead of a null", without_units, whole, {"changed": {"units": k}}),
            (
                "a cent more",
                whole,
                with_(revenue_eur=f"case when n <= {k} then revenue_eur + 0.01 else revenue_eur end"),
                {"changed": {"revenue_eur": k}},
            ),
        )
        return Releases(
            tuple(_change(con, name, before, after, {}) for name, before, after in harmless),
            tuple(_change(con, *release) for release in real),
        )
    finally:
        con.close()


def _change(con: duckdb.DuckDBPyConnection, name: str, before: str, after: str, want: dict[str, Any]) -> Change:
    tables = {
        "before.daily_revenue": con.execute(before).to_arrow_table(BATCH_ROWS),
        "after.daily_revenue": con.execute(after).to_arrow_table(BATCH_ROWS),
    }
    euros = con.execute(
        f"select (select sum(revenue_eur)::decimal(18, 2) from ({after})) - (select sum(revenue_eur) from ({before}))"
    ).fetchone()[0]
    return Change(name, tables, {"missing": 0, "added": 0, "doubled": 0, "changed": {}, "euros": euros} | want)


def _answer(work: Work, change: Change) -> dict[str, Any]:
    tried = f"differences(con), a release with {change.name}"
    got = mapping(work.call("differences", Database(change.tables)), "What you return", KEYS)
    changed = mapping(got["changed"], "`changed`", ())
    counted = {str(column): whole_number(n, f"`changed` of {column}", tried=tried) for column, n in changed.items()}
    return {
        **{key: whole_number(got[key], f"`{key}`", tried=tried) for key in ("missing", "added", "doubled")},
        "changed": {column: n for column, n in counted.items() if n},
        "euros": as_euros(got["euros"], "`euros`", tried=tried),
    }


def says_nothing_where_nothing_changed(work: Work, data: Releases) -> str:
    for change in data.harmless:
        got = _answer(work, change)
        for key in KEYS:
            if got[key] != change.want[key]:
                said = f"A release with {change.name} changes no number, and you report `{key}`."
                look = (
                    "0.1 + 0.2 is not 0.3 in a double: amounts are the same when they differ by less than half a cent."
                    if key == "changed"
                    else ""
                )
                raise NotYet(
                    said,
                    tried=f"differences(con), {change.name}",
                    expected=change.want[key],
                    got=got[key],
                    cause=f"noise-{key}",
                    look=look,
                )
    return "Another order of rows, doubles for decimals, a new column and nulls that were there before are no difference."


def says_what_changed(work: Work, data: Releases) -> str:
    for change in data.real:
        got = _answer(work, change)
        for key in KEYS:
            if got[key] != change.want[key]:
                raise NotYet(
                    f"A release with {change.name}: `{key}` is not right.{_why(change, key, got)}",
                    tried=f"differences(con), {change.name}",
                    expected=change.want[key],
                    got=got[key],
                    cause=f"{key}-in-{change.name.replace(' ', '-')}",
                )
    return f"{len(data.real)} releases told apart, to the cent."


def _why(change: Change, key: str, got: dict[str, Any]) -> str:
    """What explains the value, where it does."""
    if change.name.endswith((" a number", " a null")) and key == "changed" and not got["changed"]:
        return " A null is not unequal to anything in SQL; `is distinct from` says what you mean."
    if change.name == "a fan-out" and key == "doubled" and got["doubled"] == change.want["doubled"] + 1:
        return " One of the keys stands there three times, and is one key."
    if change.name == "a fan-out" and key == "added" and got["added"]:
        return " A key that stands twice after the release is neither added nor changed."
    if key == "euros" and got["euros"] == -change.want["euros"]:
        return " You take euros after from euros before; it is after minus before."
    return ""


_PYTHON = '''\
def differences(con):
    """What differs between before.daily_revenue and after.daily_revenue, by (business_date, store_key)."""
    key = "business_date, store_key"
    rows = f"select {key} from after.daily_revenue group by all"
    one = lambda query: con.execute(query).fetchone()[0]
    changed = {}
    for column in ("orders", "units", "revenue_eur"):
        changed[column] = one(f"""
            select count(*) from before.daily_revenue as b
            join (select distinct on ({key}) * from after.daily_revenue) as a using ({key})
            where (a.{column} is null) <> (b.{column} is null) or abs(a.{column} - b.{column}) >= 0.005
        """)
    return {
        "missing": one(f"select count(*) from before.daily_revenue anti join after.daily_revenue using ({key})"),
        "added": one(f"select count(*) from ({rows}) anti join before.daily_revenue using ({key})"),
        "doubled": one(f"select count(*) from ({rows} having count(*) > 1)"),
        "changed": changed,
        "euros": round(one("select sum(revenue_eur)::double from after.daily_revenue") - one("select sum(revenue_eur)::double from before.daily_revenue"), 2),
    }
'''

_PANDAS = """\
def differences(con):
    key = ["business_date", "store_key"]
    before = con.execute("from before.daily_revenue").df().set_index(key).astype("float64")
    after = con.execute("from after.daily_revenue").df().set_index(key)[list(before.columns)].astype("float64")
    twice = after.index[after.index.duplicated()].unique()
    single = after[~after.index.duplicated()]
    common = before.index.intersection(single.index)
    b, a = before.loc[common], single.loc[common]
    unlike = (a.isna() != b.isna()) | ((a - b).abs() > 0.004999)
    return {
        "missing": len(before.index.difference(single.index)),
        "added": len(single.index.difference(before.index)),
        "doubled": len(twice),
        "changed": {c: int(n) for c, n in unlike.sum().items() if n},
        "euros": round(float(after["revenue_eur"].sum() - before["revenue_eur"].sum()), 2),
    }
"""

_REFERENCE = '''\
def differences(con):
    """What differs between before.daily_revenue and after.daily_revenue, by (business_date, store_key)."""
    columns = ["orders", "units", "revenue_eur"]
    counted = ", ".join(
        f"count(*) filter (round(b.{c}, 2) is distinct from round(a.{c}::decimal(18, 4), 2))" for c in columns
    )
    con.execute("""
        create temp table once as
        select *, count(*) over (partition by business_date, store_key) as times
        from after.daily_revenue
        qualify row_number() over (partition by business_date, store_key) = 1
    """)
    join = "before.daily_revenue as b {} join once as a using (business_date, store_key)"
    changed = con.execute(f"select {counted} from {join.format('inner')}").fetchone()
    missing = con.execute(f"select count(*) from {join.format('anti')}").fetchone()[0]
    added, doubled = con.execute("""
        select count(*) filter (b.business_date is null), count(*) filter (a.times > 1)
        from once as a left join before.daily_revenue as b using (business_date, store_key)
    """).fetchone()
    euros = con.execute("""
        select round((select sum(revenue_eur) from after.daily_revenue), 2)
            - (select sum(revenue_eur) from before.daily_revenue)
    """).fetchone()[0]
    return {
        "missing": missing, "added": added, "doubled": doubled,
        "changed": {c: n for c, n in zip(columns, changed) if n}, "euros": euros,
    }
'''


def _py(old: str, new: str) -> str:
    return edited(_REFERENCE, (old, new))


TASK_8 = Task(
    id="03.8",
    title="What did the release change?",
    minutes=11,
    points=2,
    deliver=(function("differences"),),
    data=releases,
    checks=(
        Check("says what changed, in rows and euros", says_what_changed, expected=lambda d: [c.want for c in d.real]),
        Check("says nothing where no number changed", says_nothing_where_nothing_changed),
    ),
    hints=(
        "Four questions about keys and one about values: only before, only after, twice after, in both but with other numbers.",
        "`anti join` finds keys of one side; `having count(*) > 1` finds doubled ones. Compare numbers rounded to the cent, and with `is distinct from`.",
        "First reduce `after` to one row a key (`qualify row_number() … = 1`), then join it for `missing`, `added` and `changed`, so that a fan-out is counted only in `doubled`.",
    ),
    wrong=(
        wrong(
            "compares doubles to the last bit",
            _py(
                "round(b.{c}, 2) is distinct from round(a.{c}::decimal(18, 4), 2)",
                "b.{c}::double is distinct from a.{c}::double",
            ),
            "noise-changed",
        ),
        wrong("a null is like every number", _py("is distinct from", "<>"), "changed-in-a-null-instead-of-a-number"),
        wrong(
            "rows that differ anywhere",
            "def differences(con):\n    n = con.execute('select count(*) from (from before.daily_revenue except select business_date, store_key, orders, units, revenue_eur from after.daily_revenue)').fetchone()[0]\n    return {'missing': n, 'added': 0, 'doubled': 0, 'changed': {}, 'euros': 0}",
            "missing-in-a-lost-filter",
        ),
        wrong("a fan-out is not seen", _py('"doubled": doubled', '"doubled": 0'), "doubled-in-a-fan-out"),
        wrong("a fan-out counts as added", _py('"added": added', '"added": added + doubled'), "added-in-a-fan-out"),
        wrong("before minus after", _py('"euros": euros', '"euros": -euros'), "euros-in-a-lost-filter"),
        wrong(
            "a sum of the changed rows",
            _py('"changed": {c: n for c, n in zip(columns, changed) if n}', '"changed": {"revenue_eur": sum(changed)}'),
            "changed-in-a-lost-filter",
        ),
        wrong(
            "only the totals",
            "def differences(con):\n    euros = con.execute('select (select sum(revenue_eur) from after.daily_revenue) - (select sum(revenue_eur) from before.daily_revenue)').fetchone()[0]\n    return {'missing': 0, 'added': 0, 'doubled': 0, 'changed': {}, 'euros': euros}",
            "changed-in-a-lost-filter",
        ),
        wrong("forgets what is new", _py('"added": added, ', ""), "keys"),
        wrong(
            "rows too many instead of keys",
            _py("count(*) filter (a.times > 1)", "coalesce(sum(a.times - 1), 0)::bigint"),
            "doubled-in-a-fan-out",
        ),
        wrong(
            "two nulls are unlike",
            _py(
                "round(b.{c}, 2) is distinct from round(a.{c}::decimal(18, 4), 2)",
                "coalesce(round(b.{c}, 2) <> round(a.{c}::decimal(18, 4), 2), true)",
            ),
            "noise-changed",
        ),
        wrong(
            "whole euros",
            _py(
                "round(b.{c}, 2) is distinct from round(a.{c}::decimal(18, 4), 2)",
                "round(b.{c}, 0) is distinct from round(a.{c}::decimal(18, 4), 0)",
            ),
            "changed-in-a-cent-more",
            "changed-in-a-lost-filter",
        ),
        wrong(
            "nothing ever changes",
            "def differences(con):\n    return {'missing': 0, 'added': 0, 'doubled': 0, 'changed': {}, 'euros': 0}",
            "changed-in-a-lost-filter",
        ),
        wrong("only before is not looked at", _py('"missing": missing', '"missing": 0'), "missing-in-a-lost-day"),
        wrong(
            "the new column counts",
            _py(
                'if n}, "euros": euros,',
                "if n} | ({'currency': missing + 1} if 'currency' in [d[0] for d in con.execute('from after.daily_revenue').description] else {}), \"euros\": euros,",
            ),
            "noise-changed",
        ),
    ),
    right=(
        right("questions one by one", _PYTHON),
        right("pandas", _PANDAS),
    ),
    clauses={
        "how many keys are only before": "only before is not looked at",
        "how many only after": "a fan-out counts as added",
        "how many keys stand more than once after": "rows too many instead of keys",
        "Numbers that differ by less than half a cent are the same": "compares doubles to the last bit",
        "a number and a null are not": "a null is like every number",
        "revenue after minus revenue before": "before minus after",
        "A further column in `after` is no difference": "the new column counts",
        "two nulls are": "two nulls are unlike",
    },
    spared={
        "SQL line 1: 2 → 3": "the output before is exact to the cent",
        "SQL line 2: 2 → 3": "the judge reads cents",
    },
)
