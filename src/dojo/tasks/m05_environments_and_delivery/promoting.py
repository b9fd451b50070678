"""Task 05.2: one release through dev, staging and prod; prod holds what it held until its own data have passed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses
from dojo.tasks.m05_environments_and_delivery.told import command, commands, differing, no_error, relations
from dojo.tools.releasing_dbt import FACT_SALES, slice_of_shopflow

SCRIPT = "repo/pipeline/promote.py"
PROD = "warehouse/prod.duckdb"
FACTS = "models/marts/fact_sales.sql"
CHANGES = (
    ("orders.status in ('paid', 'shipped') then", "orders.status = 'shipped' then"),
    ("* rates.eur_per_unit else", "* rates.eur_per_unit / 1.19 else"),
)
"""What a release changes in the incremental model: money counts when it is shipped, or without VAT."""
TESTS = {"not_negative_fact_sales_quantity", "not_negative_daily_revenue_revenue_eur"}
SOLD = "select sum(units)::bigint as units, sum(revenue_eur) as revenue_eur from marts.daily_revenue"


@dataclass(frozen=True)
class Delivery:
    """One try: who refuses the release ("" when it is good), its project, what the three files hold, and prod afterwards.

    sold: units and euros that prod must show; stale: those it shows where fact_sales kept the rows of the old code;
    yesterdays: those it shows where fact_sales was not built; others: those of the other environments.
    """

    refuses: str
    project: dict[str, str]
    files: dict[str, dict[str, Any]]
    sold: tuple
    stale: tuple
    yesterdays: tuple
    others: dict[str, tuple]

    @property
    def name(self) -> str:
        """The try in words."""
        return f"a release that {self.refuses} refuses" if self.refuses else "a good release"


@lru_cache(maxsize=8)
def deliveries(seed: int) -> tuple[Delivery, ...]:
    """A good release, and one or two that do not get through: another data set, refused elsewhere."""
    refusing = ("", "staging") if seed % 4 == 3 else ("", "prod", "dev")
    return tuple(_delivery(seed, who) for who in refusing)


def _delivery(seed: int, refuses: str) -> Delivery:
    yesterday, today = warehouses.loaded(seed), warehouses.loaded(seed, 1)
    sandbox = warehouses.loaded(seed + 100, orders=600)
    raw = {"dev": sandbox.raw, "staging": warehouses.loaded(seed + 1).raw, "prod": today.raw}
    if refuses:
        raw = {**raw, refuses: _with_returns(raw[refuses])}
    files = {f"warehouse/{env}.duckdb": tables for env, tables in raw.items()}
    files[PROD] = {**files[PROD], **yesterday.marts()}
    change = CHANGES[seed % 2]
    project = {**slice_of_shopflow(), FACTS: FACT_SALES.replace(*change)}
    new = warehouses.facts(today.raw, change)
    stale = _sold(warehouses.added(yesterday.facts, new))
    others = {env: _sold(warehouses.facts(raw[env], change)) for env in ("dev", "staging")}
    return Delivery(refuses, project, files, _sold(new), stale, _sold(yesterday.facts), others)


def _sold(facts: Any) -> tuple:
    return warehouses.total(warehouses.daily(facts), "select (sum(units)::bigint, sum(revenue_eur)) from rows")


def _with_returns(raw: dict[str, Any]) -> dict[str, Any]:
    """The newest change of an order brings a line with a negative quantity: a return, booked as a sale."""
    newest = warehouses.total(
        raw["raw.orders"], "select arg_max(order_id, updated_at) from rows where status in ('paid', 'shipped')"
    )
    newest = (
        warehouses.total(raw["raw.orders"], "select arg_max(order_id, updated_at) from rows") if newest is None else newest
    )
    lines = warehouses.changed(raw["raw.order_items"], f"update rows set quantity = -quantity where order_id = {newest}")
    return {**raw, "raw.order_items": lines}


def _done(work: Work, data: tuple[Delivery, ...]) -> list[dict[str, Any]]:
    text = work.file(SCRIPT)
    return work.once(("05.2", id(data)), lambda: [work.tool("releasing", _request(text, d)) for d in data])


def _request(text: str, delivery: Delivery) -> dict[str, Any]:
    return {
        "op": "session",
        "text": text,
        "entry": "promote",
        "arguments": ["dbt", "folder"],
        "files": delivery.project,
        "warehouses": delivery.files,
        "guarded": PROD,
        "queries": {"sold": [PROD, SOLD], "view": [PROD, "select count(*) as n from staging.stg_orders"]},
    }


def good_release_arrives(work: Work, data: tuple[Delivery, ...]) -> str:
    done, delivery = _done(work, data)[0], data[0]
    tried = "promote(dbt, folder) with a good release"
    no_error(done, tried)
    asked = commands(done)
    if not asked:
        raise NotYet(
            "Your function never called dbt.",
            tried=tried,
            expected="builds in dev, staging and for prod",
            got="no dbt command",
            cause="no-dbt",
        )
    failed = [c for c in done["calls"] if not c["success"]]
    if failed:
        c = failed[0]
        raise NotYet(
            "The release is good, and a command of yours failed on it.",
            tried=f"dbt {' '.join(c['arguments'])} --target {c['target']} on {c['warehouse']}",
            expected="success",
            got=c["said"],
            cause="good-refused",
            look="What prod builds from, its raw tables, must be in the file it is built in."
            if "does not exist" in c["said"]
            else "",
        )
    if done["before"] == done["after"]:
        raise NotYet(
            "The release passed everywhere, and prod still shows the old tables.",
            tried="; ".join(asked),
            expected="marts.daily_revenue with the column units",
            got="prod.duckdb as it was",
            cause="not-published",
        )
    _prod_shows(done, delivery)
    if done["returned"] is not True:
        raise NotYet(
            "The release is in prod, and your function does not say so.",
            tried=tried,
            expected="True",
            got=str(done["returned"]),
            cause="returned",
        )
    return f"Prod serves the release: {_told(delivery.sold)}."


def _told(sold: Any) -> str:
    """Units and euros in words, whatever types they came in."""
    if not isinstance(sold, tuple) or len(sold) != 2:
        return str(sold)
    units, euros = (f"{n:,}" if isinstance(n, int | float | Decimal) else str(n) for n in sold)
    return f"{units} units, €{euros}"


def _row(answer: Any) -> Any:
    """The row of a query, as a tuple; where there is none, what the database said."""
    if isinstance(answer, str):
        return answer
    rows = answer.to_pylist()
    return tuple(rows[0].values()) if rows else "no row"


def _prod_shows(done: dict[str, Any], delivery: Delivery) -> None:
    """NotYet where prod does not hold its own data under the new release, or cannot be read."""
    got, view = _row(done["rows"]["sold"]), done["rows"]["view"]
    if isinstance(view, str) and got == delivery.sold:
        raise NotYet(
            "The tables in prod are right, and its views cannot be read any more.",
            tried="select count(*) from staging.stg_orders in prod.duckdb",
            expected="rows",
            got=view,
            cause="views-broken",
            look="DuckDB writes the database's name, which is the file's, into a view. Build aside under the same file name, in another folder.",
        )
    if got != delivery.sold:
        said, cause, look = _what_prod_shows(got, _built(done), delivery)
        raise NotYet(said, tried=SOLD, expected=_told(delivery.sold), got=_told(got), cause=cause, look=look)


def _what_prod_shows(got: Any, built: set[str], delivery: Delivery) -> tuple[str, str, str]:
    """What is wrong with the sum that prod shows: in words, its cause, and where to look."""
    other = next((env for env, sold in delivery.others.items() if got == sold), "")
    if other:
        said = f"Prod shows {other}'s sales: a file of another environment was put in its place."
        return said, "other-data", "What is promoted is the code. Each environment runs it on its own data."
    if got == delivery.yesterdays and "fact_sales" not in built:
        return "Prod still shows yesterday's facts: fact_sales of the release was not built there.", "part-built", ""
    if got == delivery.stale:
        return (
            "Prod shows a mixture: orders that changed since yesterday by the release, all older ones by the code before it.",
            "old-rows",
            "The release changes fact_sales, which is incremental. `--full-refresh` computes such a model from its beginning.",
        )
    return "Prod does not show the release.", "not-published", ""


def _built(done: dict[str, Any]) -> set[str]:
    """What was built with prod's configuration."""
    return {n[1] for c in done["calls"] if c["target"] == "prod" and command(c) in ("build", "run") for n in c["nodes"]}


def only_what_passed_is_shown(work: Work, data: tuple[Delivery, ...]) -> str:
    for done, delivery in zip(_done(work, data), data, strict=True):
        _held_until_audited(done, delivery)
        if done["before"] != done["after"] and not done["replaced"] and not delivery.refuses:
            raise NotYet(
                "prod.duckdb is still the file that finance has open, with other rows: it was written to in place.",
                tried="; ".join(commands(done)),
                expected="the copy that passed, in prod's place",
                got="the old file, written to",
                cause="in-place",
                look="A rename puts a file in another's place in one step.",
            )
        if delivery.refuses:
            no_error(done, f"promote(dbt, folder) with {delivery.name}")
            touched = differing(done["before"], done["after"])
            if touched:
                raise _published(done, delivery, touched)
            if done["returned"] is not False:
                raise NotYet(
                    f"The release was refused in {delivery.refuses}, and your function does not say so.",
                    tried="; ".join(commands(done)),
                    expected="False",
                    got=str(done["returned"]),
                    cause="returned",
                )
    return "Refused releases leave prod as it was, to the row."


def _held_until_audited(done: dict[str, Any], delivery: Delivery) -> None:
    """NotYet where prod.duckdb held, after any command, what had not passed its tests before that command."""
    audits: dict[str, set[str]] = {}
    for call in done["calls"]:
        passed = [state for state, tests in audits.items() if tests >= TESTS]
        now = differing(done["before"], call["state"])
        tried = f"{delivery.name}: dbt {' '.join(call['arguments'])} --target {call['target']} on {call['warehouse']}"
        again = [n[1] for n in call["nodes"] if n[0] == "model"] if command(call) in ("build", "run") else []
        if again and call["warehouse"] == PROD and call["state"] in passed:
            raise NotYet(
                "A copy had passed its tests, and then prod.duckdb itself was built: while that goes on, finance reads what it has not tested yet.",
                tried=tried,
                expected="the copy that passed, in prod's place",
                got="built in prod.duckdb: " + ", ".join(again),
                cause="built-again",
            )
        if now and not any(set(now) <= _same(state, call["state"]) for state in passed):
            raise NotYet(
                "prod.duckdb was not there while a command ran."
                if call["state"] == "no file"
                else "After this command, prod.duckdb held what had not passed its tests before.",
                tried=tried,
                expected="prod as it was, until the audit has passed on its data",
                got=call["state"] if call["state"] == "no file" else "changed: " + ", ".join(now),
                cause="prod-touched",
                look="dbt build replaces a table first and tests it afterwards. Build in a copy, and let the copy take prod's place."
                if call["warehouse"] == PROD and call["target"] == "prod"
                else "",
            )
        if call["target"] == "prod" and call["success"]:
            good = {n[1] for n in call["nodes"] if n[0] == "test" and n[2] == "pass"}
            audits.setdefault(call["left"], set()).update(good)


def _same(state: str, other: str) -> set[str]:
    """Relations of which two files hold the same, by name."""
    one, two = relations(state), relations(other)
    return {name for name in one if one[name] == two.get(name)}


def _published(done: dict[str, Any], delivery: Delivery, touched: list[str]) -> NotYet:
    asked = [c for c in done["calls"] if c["target"] == delivery.refuses]
    if not asked:
        said, look = (
            f"{delivery.refuses} would have refused the release and was not asked",
            "" if all(c["named"] for c in done["calls"]) else "Without a target, dbt runs in dev.",
        )
    elif not all(c["success"] for c in asked):
        said, look = (
            f"{delivery.refuses} refused the release, and it went on",
            "`dbt(...)` does not raise. `.success` says whether everything in it went well.",
        )
    else:
        said, look = (
            f"{delivery.refuses} built the release and never tested it",
            "`dbt run` builds and tests nothing. `dbt build` does both, and says so in `.success`.",
        )
    return NotYet(
        f"{said}: a negative quantity is on finance's dashboard.",
        tried="; ".join(commands(done)),
        expected="prod as it was",
        got="changed: " + ", ".join(touched),
        cause="bad-published",
        look=look,
    )


def each_before_the_next(work: Work, data: tuple[Delivery, ...]) -> str:
    for done, delivery in zip(_done(work, data), data, strict=True):
        order = [c["target"] for c in done["calls"]]
        wanted = ["dev", "staging", "prod"]
        wanted = wanted[: wanted.index(delivery.refuses) + 1] if delivery.refuses else wanted
        tried = f"{delivery.name}: " + ("; ".join(commands(done)) or "no dbt command")
        if [t for n, t in enumerate(order) if n == 0 or order[n - 1] != t] != wanted:
            went_on = delivery.refuses and set(order) - set(wanted)
            raise NotYet(
                f"{delivery.refuses} refused the release, and it was carried on to {', '.join(sorted(went_on))}."
                if went_on
                else "The environments were not asked one after the other.",
                tried=tried,
                expected=" → ".join(wanted),
                got=" → ".join(order) or "nothing",
                cause="went-on" if went_on else "order",
                look="`dbt(...)` returns an object; `.success` says whether everything in it went well." if went_on else "",
            )
        for call in done["calls"]:
            if (
                call["warehouse"] in ("warehouse/dev.duckdb", "warehouse/staging.duckdb")
                and call["target"] not in call["warehouse"]
            ):
                raise NotYet(
                    "A target was run on another environment's file.",
                    tried=tried,
                    expected=f"warehouse/{call['target']}.duckdb",
                    got=call["warehouse"],
                    cause="wrong-file",
                )
    return "dev, then staging, then prod; the first that refuses ends it."


_REFERENCE = """\
import os
import shutil


def promote(dbt, folder):
    for env in ("dev", "staging"):
        if not dbt("build", target=env).success:
            return False
    green = folder / "green" / "prod.duckdb"
    green.parent.mkdir(exist_ok=True)
    shutil.copyfile(folder / "prod.duckdb", green)
    if not dbt("build", "--full-refresh", target="prod", warehouse=green).success:
        return False
    os.replace(green, folder / "prod.duckdb")
    return True
"""


def _but(old: str, new: str) -> dict[str, str]:
    return {SCRIPT: edited(_REFERENCE, (old, new))}


_STRAIGHT = """\
def promote(dbt, folder):
    for env in ("dev", "staging", "prod"):
        if not dbt("build", "--full-refresh", target=env).success:
            return False
    return True
"""
_RESTORES = """\
import shutil


def promote(dbt, folder):
    for env in ("dev", "staging"):
        if not dbt("build", target=env).success:
            return False
    shutil.copyfile(folder / "prod.duckdb", folder / "before.duckdb")
    if not dbt("build", "--full-refresh", target="prod").success:
        shutil.copyfile(folder / "before.duckdb", folder / "prod.duckdb")
        return False
    return True
"""
_STAGING_FILE = """\
import shutil


def promote(dbt, folder):
    for env in ("dev", "staging"):
        if not dbt("build", target=env).success:
            return False
    shutil.copyfile(folder / "staging.duckdb", folder / "prod.duckdb")
    return True
"""
_SECOND_NAME = _REFERENCE.replace(
    'shutil.copyfile(folder / "prod.duckdb", green)', 'os.link(folder / "prod.duckdb", green)'
).replace(
    "    os.replace(green, ", '    shutil.copyfile(green, folder / "next.duckdb")\n    os.replace(folder / "next.duckdb", '
)
_TESTS_LATER = """\
import os
import shutil


def promote(dbt, folder):
    for env in ("dev", "staging"):
        if not dbt("build", target=env).success:
            return False
    prod, kept, green = folder / "prod.duckdb", folder / "kept.duckdb", folder / "green" / "prod.duckdb"
    green.parent.mkdir()
    shutil.copyfile(prod, green)
    dbt("run", "--full-refresh", target="prod", warehouse=green)
    shutil.copyfile(prod, kept)
    shutil.copyfile(green, folder / "next.duckdb")
    os.replace(folder / "next.duckdb", prod)
    if not dbt("test", target="prod", warehouse=green).success:
        os.replace(kept, prod)
        return False
    return True
"""
_AWAY = _REFERENCE.replace(
    'shutil.copyfile(folder / "prod.duckdb", green)', 'os.rename(folder / "prod.duckdb", green)'
).replace(
    "        return False\n    os.replace",
    "        os.replace(green, folder / 'prod.duckdb')\n        return False\n    os.replace",
)
_NO_SUM = """\
import duckdb


def promote(dbt, folder):
    for env in ("dev", "staging"):
        dbt("build", target=env)
    con = duckdb.connect(str(folder / "prod.duckdb"))
    con.execute("create or replace table marts.daily_revenue as select null::int as units, null::int as revenue_eur")
    con.close()
    return True
"""
_RUN_THEN_TEST = """\
import duckdb


def promote(dbt, folder):
    def accepts(target, **where):
        return dbt("run", "--full-refresh", target=target, **where).success and dbt("test", target=target, **where).success

    if not (accepts("dev") and accepts("staging")):
        return False
    next_one = folder / "next" / "prod.duckdb"
    next_one.parent.mkdir(parents=True)
    con = duckdb.connect(str(next_one))
    con.execute(f"attach '{folder / 'prod.duckdb'}' as live (read_only)")
    con.execute("copy from database live to prod")
    con.close()
    if accepts("prod", warehouse=next_one):
        next_one.replace(folder / "prod.duckdb")
        return True
    return False
"""
_FAILED = """\
from pathlib import Path
from shutil import copy2, move
from tempfile import TemporaryDirectory


def promote(dbt, folder):
    with TemporaryDirectory(dir=folder) as aside:
        candidate = Path(copy2(folder / "prod.duckdb", aside))
        for target, file in (("dev", None), ("staging", None), ("prod", candidate)):
            done = dbt("build", "--full-refresh", "--fail-fast", target=target, warehouse=file)
            if done.error or done.failed():
                return False
        move(candidate, folder / "prod.duckdb")
    return True
"""

TASK_2 = Task(
    id="05.2",
    title="Promote a release, and let prod be the last to know",
    minutes=15,
    points=3,
    deliver=(file(SCRIPT),),
    data=deliveries,
    seconds=60.0,
    executes=True,
    replays=True,
    mutants=8,
    checks=(
        Check("a good release arrives in prod", good_release_arrives, expected=lambda data: data[0].sold),
        Check("prod shows nothing that has not passed", only_what_passed_is_shown),
        Check("one environment after the other", each_before_the_next, expected=lambda data: [d.refuses for d in data]),
    ),
    hints=(
        "dev and staging may be spoiled: build there and look at `.success`. What does prod hold while its own build is not tested yet?",
        'Copy prod.duckdb into another folder under the same name, build there with `target="prod", warehouse=copy`, and put the copy in prod\'s place only when that was a success.',
        '`green = folder / "green" / "prod.duckdb"`; `shutil.copyfile(folder / "prod.duckdb", green)`; `dbt("build", "--full-refresh", target="prod", warehouse=green)`; `os.replace(green, folder / "prod.duckdb")`.',
    ),
    wrong=(
        wrong("builds straight in prod", {SCRIPT: _STRAIGHT}, "prod-touched"),
        wrong("builds in prod and restores it when the audit fails", {SCRIPT: _RESTORES}, "prod-touched"),
        wrong("copies staging's file to prod", {SCRIPT: _STAGING_FILE}, "other-data"),
        wrong("builds through a second name of prod's file", {SCRIPT: _SECOND_NAME}, "prod-touched"),
        wrong("publishes first, tests afterwards, restores", {SCRIPT: _TESTS_LATER}, "prod-touched"),
        wrong("takes prod away while it builds", {SCRIPT: _AWAY}, "prod-touched"),
        wrong(
            "builds once more in prod when the copy has passed",
            _but('    os.replace(green, folder / "prod.duckdb")\n', '    dbt("build", "--full-refresh", target="prod")\n'),
            "built-again",
        ),
        wrong(
            "copies over prod",
            _but('os.replace(green, folder / "prod.duckdb")', 'shutil.copyfile(green, folder / "prod.duckdb")'),
            "in-place",
        ),
        wrong(
            "builds only one model in the copy",
            _but('"--full-refresh", target', '"--select", "daily_revenue", target'),
            "part-built",
        ),
        wrong("shows a sum that is none", {SCRIPT: _NO_SUM}, "not-published"),
        wrong("builds and never tests", _but('"build"', '"run"'), "bad-published"),
        wrong(
            "does not look at what staging said",
            _but(
                '        if not dbt("build", target=env).success:\n            return False\n',
                '        dbt("build", target=env)\n',
            ),
            "bad-published",
        ),
        wrong("leaves staging out", _but('("dev", "staging")', '("dev",)'), "bad-published"),
        wrong("forgets the target", _but(", target=env", ""), "bad-published"),
        wrong(
            "swaps whatever the audit said",
            _but(
                '    if not dbt("build", "--full-refresh", target="prod", warehouse=green).success:\n        return False\n',
                '    dbt("build", "--full-refresh", target="prod", warehouse=green)\n',
            ),
            "bad-published",
        ),
        wrong(
            "builds aside under another name",
            _but('"green" / "prod.duckdb"', '"green" / "prod_green.duckdb"'),
            "views-broken",
        ),
        wrong(
            "leaves old days to the old code",
            _but('"build", "--full-refresh", target="prod"', '"build", target="prod"'),
            "old-rows",
        ),
        wrong("builds in an empty file", _but('    shutil.copyfile(folder / "prod.duckdb", green)\n', ""), "good-refused"),
        wrong("passes and never swaps", _but('    os.replace(green, folder / "prod.duckdb")\n', ""), "not-published"),
        wrong("says nothing", _but("    return True\n", ""), "returned"),
        wrong("says nothing of a refusal", {SCRIPT: _REFERENCE.replace("return False", "return None")}, "returned"),
        wrong("staging before dev", _but('("dev", "staging")', '("staging", "dev")'), "order"),
        wrong("asks nobody", {SCRIPT: "def promote(dbt, folder):\n    return True\n"}, "no-dbt"),
    ),
    clauses={
        "through dev, staging and prod": "leaves staging out",
        "one after the other": "staging before dev",
        "each with landing tables of its own": "copies staging's file to prod",
        "The first environment that refuses ends it": "does not look at what staging said",
        "on prod's data": "swaps whatever the audit said",
        "takes prod's place in one step": "copies over prod",
        "nothing is built in `prod.duckdb` itself": "builds once more in prod when the copy has passed",
        "`prod.duckdb` holds exactly what it held": "builds straight in prod",
        "after each of your commands": "builds in prod and restores it when the audit fails",
        "has to pass its tests": "builds and never tests",
        "every day of prod is computed by the release's code": "leaves old days to the old code",
        "Return `True` when prod has the release": "says nothing",
        "`False` when somebody refused it": "says nothing of a refusal",
    },
    spared={"line 11: True → False": "the folder is not there yet either way"},
    right=(
        right("run and test apart, the copy made by DuckDB", {SCRIPT: _RUN_THEN_TEST}),
        right("a temporary folder, one loop for all three", {SCRIPT: _FAILED}),
        right(
            "prod tested once more when it is there",
            _but("    return True\n", '    return dbt("test", target="prod").success\n'),
        ),
    ),
)
