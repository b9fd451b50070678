"""Task 05.5: try a change in dev: only what changed and what reads it is built, everything else is read from prod."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses
from dojo.tasks.m05_environments_and_delivery.told import command, commands, differing, no_error
from dojo.tools.releasing_dbt import slice_of_shopflow, with_prod_attached

SCRIPT = "repo/pipeline/try_change.py"
BUILDS = ("build", "run", "test")
READ_IN_DEV = ("raw.exchange_rates", "raw.order_items")
"""Landing tables that the changed models read: sources are not deferred, so that dev's must be prod's."""
BELOW_ZERO = "revenue is below zero in every row"
ITEMS = "models/staging/stg_order_items.sql"
FACTS, DAILY, MARTS = "models/marts/fact_sales.sql", "models/marts/daily_revenue.sql", "models/marts/_marts.yml"
DEV, PROD = "warehouse/dev.duckdb", "warehouse/prod.duckdb"


@dataclass(frozen=True)
class Change:
    """One branch: what it says, its files, the models to build, the one to look at with its right total, and its fault, if any."""

    said: str
    files: dict[str, str]
    models: tuple[str, ...]
    ask: str = "select sum(revenue_eur) as value from marts.daily_revenue"
    value: Any = None
    fault: str = ""

    @property
    def sound(self) -> bool:
        """Whether the branch is to pass."""
        return not self.fault


@dataclass(frozen=True)
class Branches:
    """Branches to try, dev's own old warehouse, and prod's."""

    changes: tuple[Change, ...]
    warehouses: dict[str, dict[str, Any]]


def _edited(path: str, old: str, new: str) -> dict[str, str]:
    text = slice_of_shopflow()[path]
    return {path: edited(text, (old, new))}


@lru_cache(maxsize=8)
def branches(seed: int) -> Branches:
    """Branches to try; another seed, other models."""
    now, old = warehouses.loaded(seed, 1), warehouses.loaded(seed + 50, orders=600)
    files = {
        DEV: {**old.raw, **{name: now.raw[name] for name in READ_IN_DEV}, **old.marts(units=True)},
        PROD: {**now.raw, **now.marts(units=True)},
    }
    revenue = warehouses.total(warehouses.daily(now.facts), "select sum(revenue_eur) from rows")
    if seed % 4 == 3:
        changes = (
            Change(
                "revenue with the wrong sign",
                _edited(DAILY, "sum(line_revenue)", "-sum(line_revenue)"),
                ("daily_revenue",),
                fault=BELOW_ZERO,
            ),
            Change(
                "the database keeps what is said of daily_revenue",
                _edited(
                    MARTS,
                    "  - name: daily_revenue\n",
                    "  - name: daily_revenue\n    config: {persist_docs: {relation: true}}\n    description: Money by day\n",
                ),
                ("daily_revenue",),
                value=revenue,
            ),
            Change("a comment for people", {"README.md": "How to read the marts.\n"}, ()),
        )
    else:
        changes = (
            Change(
                "every line counts twice",
                _edited(ITEMS, "    quantity,", "    2 * quantity as quantity,"),
                ("daily_revenue", "fact_sales", "stg_order_items"),
                ask="select sum(units)::bigint as value from marts.daily_revenue",
                value=2 * warehouses.total(warehouses.daily(now.facts), "select sum(units)::bigint from rows"),
            ),
            Change(
                "a model that does not exist",
                _edited(DAILY, "ref('fact_sales')", "ref('fact_sale')"),
                (),
                fault=f"{DAILY} reads fact_sale, which does not exist",
            ),
        )
    return Branches(changes, files)


def _done(work: Work, data: Branches) -> list[dict[str, Any]]:
    text = work.file(SCRIPT)
    return work.once(("05.5", id(data)), lambda: [work.tool("releasing", _request(text, c, data)) for c in data.changes])


def _request(text: str, change: Change, data: Branches) -> dict[str, Any]:
    return {
        "op": "session",
        "text": text,
        "entry": "try_change",
        "arguments": ["dbt", "state"],
        "files": {**with_prod_attached(), **change.files},
        "released": slice_of_shopflow(),
        "warehouses": data.warehouses,
        "statements": {PROD: list(warehouses.VIEWS)},
        "environment": {"SHOPFLOW_PROD": f"ROOM/{PROD}"},
        "guarded": PROD,
        "queries": {"value": [DEV, change.ask]},
    }


def _ran(done: dict[str, Any], kind: str) -> list[str]:
    """What was built, or tested; `dbt clone` and `dbt compile` do neither."""
    calls = [c for c in done["calls"] if command(c) in BUILDS]
    return sorted({n[1] for c in calls for n in c["nodes"] if n[0] == kind and n[2] not in ("skipped", "no-op")})


def _plus(done: dict[str, Any]) -> bool:
    """Whether a selector of the delivery took readers along."""
    return any("+" in word for c in done["calls"] for word in c["arguments"])


def _in_dev(done: dict[str, Any], tried: str) -> None:
    """NotYet where a command ran elsewhere, or prod did not hold what it held after it."""
    for call in done["calls"]:
        touched = differing(done["before"], call["state"])
        if touched or (call["target"] != "dev" and command(call) in BUILDS):
            raise NotYet(
                "A try of a branch has changed prod." if touched else "A branch is tried in dev, and nowhere else.",
                tried=tried,
                expected="prod as it was" if touched else "target dev",
                got=f"changed: {', '.join(touched)}" if touched else f"target {call['target']}",
                cause="in-prod" if touched else "not-in-dev",
            )


def only_what_changed(work: Work, data: Branches) -> str:
    for done, change in zip(_done(work, data), data.changes, strict=True):
        tried = f"“{change.said}”: " + ("; ".join(commands(done)) or "no dbt command")
        no_error(done, tried)
        if not done["calls"]:
            raise NotYet(
                "Your function never called dbt.",
                tried=tried,
                expected="one build in dev",
                got="no dbt command",
                cause="no-dbt",
            )
        built, wanted = _ran(done, "model"), sorted(change.models)
        if set(built) - set(wanted):
            raise NotYet(
                "More was built than changed. In the whole project this is the difference between three seconds and forty minutes.",
                tried=tried,
                expected=", ".join(wanted) or "nothing",
                got=", ".join(built),
                cause="full-build",
                look=""
                if "state:modified" in tried
                else "`state:modified` compares the project with the manifest in `state`.",
            )
        if built != wanted:
            missing = sorted(set(wanted) - set(built))
            said = "; ".join(c["said"] for c in done["calls"] if c["said"])
            if said and change.sound:
                nowhere = "does not exist" in said
                raise NotYet(
                    "The branch is sound, and dbt failed on it.",
                    tried=tried,
                    expected=", ".join(wanted),
                    got=said,
                    cause="not-deferred" if nowhere else "not-built",
                    look="What was not built here is looked for in dev, unless dbt is told where else." if nowhere else "",
                )
            reader = bool(built)
            raise NotYet(
                f"`{missing[0]}` was not built" + (", and it reads what changed." if reader else "."),
                tried=tried,
                expected=", ".join(wanted),
                got=", ".join(built) or said or "nothing",
                cause="no-dependants" if reader else "not-built",
                look="A plus sign after the selector takes the readers along." if reader and not _plus(done) else "",
            )
    return "; ".join(f"{c.said}: {', '.join(c.models) or 'nothing'}" for c in data.changes)


def _not_prods(got: Any, said: str, tried: str) -> tuple[str, str]:
    """Why dev does not hold what the branch makes of prod's tables: in words, and where to look."""
    if said:
        nowhere = "does not exist" in said
        return (
            "dbt could not build it: its parents are not in dev, and it did not look for them in prod."
            if nowhere
            else "dbt could not build it."
        ), ""
    if isinstance(got, str) or "--favor-state" in tried:
        return "What stands in dev is not what the branch makes of prod's tables.", ""
    look = "`--defer` prefers a table that stands in dev, however old. `--favor-state` prefers prod's."
    return "What was built was computed from dev's old tables and not from prod's.", look if "--defer" in tried else ""


def parents_come_from_prod(work: Work, data: Branches) -> str:
    for done, change in zip(_done(work, data), data.changes, strict=True):
        tried = f"“{change.said}”: " + "; ".join(commands(done))
        _in_dev(done, tried)
        touched = differing(done["before"], done["after"])
        if touched:
            raise NotYet(
                "A try of a branch has changed prod.",
                tried=tried,
                expected="prod as it was",
                got="changed: " + ", ".join(touched),
                cause="in-prod",
            )
        if change.value is None:
            continue
        got = _value(done["rows"]["value"])
        if got != change.value:
            said = "; ".join(c["said"] for c in done["calls"] if c["said"])
            if "fact_sales" in change.models and not said and any("--favor-state" in c["arguments"] for c in done["calls"]):
                raise NotYet(
                    "fact_sales is incremental: it was continued on the rows that last week's try had left in dev.",
                    tried=tried,
                    expected=f"{change.value:,} from `{change.ask}` in dev",
                    got=got,
                    cause="continued",
                    look="`--full-refresh` makes it anew.",
                )
            headline, look = _not_prods(got, said, tried)
            raise NotYet(
                headline,
                tried=tried,
                expected=f"{change.value:,} from `{change.ask}` in dev",
                got=said or got,
                cause="not-deferred",
                look=look,
            )
    return "Parents were read from prod, and prod is as it was."


def _value(answer: Any) -> Any:
    """The one value of a query; where there is none, what the database said."""
    if isinstance(answer, str):
        return answer
    rows = answer.to_pylist()
    return rows[0]["value"] if rows else "no row"


def its_verdict_is_right(work: Work, data: Branches) -> str:
    for done, change in zip(_done(work, data), data.changes, strict=True):
        tried = f"“{change.said}”: " + ("; ".join(commands(done)) or "no dbt command")
        no_error(done, tried)
        if done["returned"] is not change.sound:
            said, cause, look = _why_wrong(done, change)
            raise NotYet(said, tried=tried, expected=change.sound, got=str(done["returned"]), cause=cause, look=look)
        if not change.sound or not change.models:
            continue
        if not _ran(done, "test"):
            raise NotYet(
                "What was built was not tested.",
                tried=tried,
                expected="the tests of " + ", ".join(change.models),
                got="no test",
                cause="untested",
            )
    return "Sound branches pass, the others do not."


def _why_wrong(done: dict[str, Any], change: Change) -> tuple[str, str, str]:
    """Why a function says the wrong thing about a branch: in words, the cause, and where to look."""
    if change.fault != BELOW_ZERO or done["returned"] is not True:
        fault = f": {change.fault}" if change.fault else ""
        look = (
            "What dbt cannot read is in `.error`; then no node failed." if change.fault and done["returned"] is True else ""
        )
        return f"Your function says the wrong thing about this branch{fault}.", "returned", look
    if any(command(c) == "test" and "--favor-state" in c["arguments"] for c in done["calls"]):
        return (
            f"{BELOW_ZERO.capitalize()}, and the branch passed: the tests looked at prod's table.",
            "tested-prod",
            "In `dbt test` no model is selected, so that `--favor-state` leads every test to prod. `dbt build` does both at once.",
        )
    if not _ran(done, "test"):
        return f"{BELOW_ZERO.capitalize()}, and the branch passed: what was built was not tested.", "untested", ""
    return f"Your function says the wrong thing about this branch: {change.fault}.", "returned", ""


_REFERENCE = """\
def try_change(dbt, state):
    return dbt("build", "--full-refresh", "--select", "state:modified+", "--defer", "--favor-state", "--state", state, target="dev").success
"""


def _but(old: str, new: str) -> dict[str, str]:
    return {SCRIPT: edited(_REFERENCE, (old, new))}


_TWO_STEPS = """\
def try_change(dbt, state):
    where = ("--select", "state:new+", "state:modified+", "--defer", "--state", str(state))
    for command in (("run", "--full-refresh", "--favor-state"), ("test",)):
        done = dbt(*command, *where)
        if done.error or done.failed():
            return False
    return True
"""
_COPIED = """\
import shutil


def try_change(dbt, state):
    folder = state.parent / "warehouse"
    prod, kept = folder / "prod.duckdb", folder / "kept.duckdb"
    shutil.copyfile(prod, kept)
    done = dbt("build", "--full-refresh", "--select", "state:modified+", "--state", state, target="prod")
    shutil.copyfile(prod, folder / "dev.duckdb")
    shutil.copyfile(kept, prod)
    return done.success
"""
_CLONED = """\
def try_change(dbt, state):
    where = ("--state", state)
    dbt("clone", *where)
    return dbt("build", "--full-refresh", "--select", "state:modified+", "--defer", "--favor-state", *where, env="dev").success
"""
_EMPTY_DEV = """\
import duckdb


def try_change(dbt, state):
    con = duckdb.connect(str(state.parent / "warehouse" / "dev.duckdb"))
    con.execute("drop schema if exists marts cascade")
    con.execute("drop schema if exists staging cascade")
    con.close()
    return bool(dbt("build", "-s", "state:modified+", "--defer", "--state", str(state)))
"""

TASK_5 = Task(
    id="05.5",
    title="Try a change on prod's parents",
    minutes=8,
    points=2,
    deliver=(file(SCRIPT),),
    data=branches,
    seconds=60.0,
    executes=True,
    replays=True,
    mutants=6,
    checks=(
        Check("only what changed is built", only_what_changed, expected=lambda d: [c.models for c in d.changes]),
        Check("everything else is read from prod", parents_come_from_prod, expected=lambda d: d.changes[0].value),
        Check("its verdict is right", its_verdict_is_right, expected=lambda d: [c.sound for c in d.changes]),
    ),
    hints=(
        "One dbt command is enough. It needs to know what prod runs (`--state`), what to build (`--select`), and where to find the rest.",
        "`state:modified` selects what differs from that manifest, a plus sign its readers too. `--defer` takes what was not built from prod.",
        'dev holds tables from last week, and `--defer` prefers them: add `--favor-state`. An incremental model goes on from them too: `--full-refresh`. `return dbt("build", …).success`.',
    ),
    wrong=(
        wrong(
            "builds everything",
            {SCRIPT: 'def try_change(dbt, state):\n    return dbt("build", target="dev").success\n'},
            "full-build",
        ),
        wrong("without its readers", _but("state:modified+", "state:modified"), "no-dependants"),
        wrong("with its parents", _but("state:modified+", "+state:modified+"), "full-build"),
        wrong("does not defer", _but('"--defer", "--favor-state", ', ""), "not-deferred"),
        wrong("prefers dev's old tables", _but('"--favor-state", ', ""), "not-deferred"),
        wrong("goes on from dev's old rows", _but('"--full-refresh", ', ""), "continued"),
        wrong("runs and does not test", _but('"build"', '"run"'), "untested"),
        wrong("tests prod's table", {SCRIPT: _TWO_STEPS.replace('("test",)', '("test", "--favor-state")')}, "tested-prod"),
        wrong("only tests", _but('"build"', '"test"'), "not-built"),
        wrong("tries it in prod", _but('target="dev"', 'target="prod"'), "in-prod"),
        wrong("names one model", _but('"state:modified+"', '"daily_revenue"'), "full-build"),
        wrong(
            "says yes to everything",
            {SCRIPT: _REFERENCE.replace("return dbt(", "dbt(").replace(".success", "") + "    return True\n"},
            "returned",
        ),
        wrong(
            "looks for failed nodes only",
            {
                SCRIPT: _REFERENCE.replace("return dbt(", "done = dbt(").replace(".success", "")
                + "    return not done.failed()\n"
            },
            "returned",
        ),
        wrong("only readers of the first rank", _but("state:modified+", "state:modified+1"), "no-dependants"),
        wrong("only what the SQL says", _but("state:modified+", "state:modified.body+"), "not-built"),
        wrong("builds it in prod and copies it", {SCRIPT: _COPIED}, "in-prod"),
        wrong(
            "tests in prod as well",
            {SCRIPT: _REFERENCE.replace("    return", '    dbt("test", target="prod")\n    return')},
            "not-in-dev",
        ),
        wrong("asks nobody", {SCRIPT: "def try_change(dbt, state):\n    return True\n"}, "no-dbt"),
    ),
    clauses={
        "Build and test in dev": "runs and does not test",
        "what the branch changes": "builds everything",
        "and what reads it": "without its readers",
        "read every other parent from prod": "does not defer",
        "prod attached, for reading": "tries it in prod",
        "dev itself still holds tables of last week's try": "prefers dev's old tables",
        "change a model under the incremental one": "goes on from dev's old rows",
        "change only a configuration": "only what the SQL says",
        "that dbt cannot read": "looks for failed nodes only",
        "Return whether everything went well": "says yes to everything",
    },
    right=(
        right("run and test apart", {SCRIPT: _TWO_STEPS}),
        right("an empty dev, then defer", {SCRIPT: _EMPTY_DEV}),
        right("prod cloned into dev before", {SCRIPT: _CLONED}),
    ),
)
