"""Task i03.2: an ingestion that can be imported, tested and run twice; tried by importing, loading and running its tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dojo.ci.excerpts import excerpt
from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import NotCheckable, Work
from dojo.tasks.i03_elt_ci_cd import company, loads
from dojo.tasks.i03_elt_ci_cd.changes import repository

LOAD, TESTS, MODULE = "repo/ingest/shop_api.py", "repo/tests/test_shop_api.py", "ingest.shop_api"


@dataclass(frozen=True)
class Mornings:
    """What the API answers on two mornings, the key it wants, and whether everything is tried with it or the loads alone."""

    first: company.Rows
    second: company.Rows
    key: str
    whole: bool

    @property
    def renamed(self) -> company.Rows:
        """A third morning: one more payment, with `total` where `amount` was."""
        last = max(self.second["payments"], key=lambda r: r["updated_at"])
        day = last["updated_at"][:8] + f"{int(last['updated_at'][8:10]) + 1:02}" + last["updated_at"][10:]
        row = {("total" if n == "amount" else n): v for n, v in last.items()}
        return {"orders": [], "payments": [{**row, "payment_id": last["payment_id"] + 5, "updated_at": day}], "rates": []}

    @property
    def cursor(self) -> dict[str, str]:
        """The newest change of each table on the first morning."""
        return {table: max(r["updated_at"] for r in rows) for table, rows in self.first.items()}


@lru_cache(maxsize=4)
def mornings(seed: int) -> Mornings:
    """Two mornings of a small company, a day apart."""
    last = dt.date(2025, 11, 9) + dt.timedelta(days=seed % 8)
    days = company.answers(seed, last - dt.timedelta(days=1), last)
    return Mornings(days[last - dt.timedelta(days=1)], days[last], f"key-{seed * 7919}", seed % 3 != 1)


LOADS = ("import", "loads")
"""The tries that come first: what else is tried builds on a load that works."""


def _tried(work: Work, data: Mornings, loads: bool) -> dict[str, Any]:
    """What happened in each try of the load itself, or of what builds on it; asked once for all checks of a piece of work."""
    return work.once(("ingestion", data.key, loads), lambda: _try(work, data, loads))


def _try(work: Work, data: Mornings, loads_alone: bool) -> dict[str, Any]:
    own = repository().own(work)
    own |= {"ingest/shop_api.py": work.file(LOAD), "tests/test_shop_api.py": work.file(TESTS)}
    files = company.main_branch() | own
    loads_all = {"do": "loads", "module": MODULE, "deliveries": [data.first, data.second, data.second, data.renamed]}
    tries = {"import": {"do": "import", "module": MODULE}, "loads": loads_all}
    if data.whole:
        good = company.main_branch()["ingest/shop_api.py"]
        program = {"do": "main", "module": MODULE, "rows": data.first, "token": data.key}
        versions = {"good": good, "append": loads.append(good), "everything": loads.everything(good)}
        tries |= {
            "main": {**program, "environment": {"SHOP_API_TOKEN": data.key}},
            "refused": {**program, "environment": {"SHOP_API_TOKEN": "old"}},
        } | {f"tests {n}": {"do": "pytest", "files": {"ingest/shop_api.py": t}} for n, t in versions.items()}
    wanted = {name: one for name, one in tries.items() if (name in LOADS) == loads_alone and _wanted(work, name)}
    if not wanted:
        return {}
    results = work.tool("ingestion", {"files": files, "tries": list(wanted.values())})
    busy = next((r["busy"] for r in results if r.get("busy")), "")
    if busy:
        raise NotCheckable(busy)
    return dict(zip(wanted, results, strict=True))


def _wanted(work: Work, name: str) -> bool:
    """Whether a try is made: where only some decide, the import and the loads are, and of the others those."""
    beside = {"main": "refused", "refused": "main"}.get(name)  # what is refused says something beside what is not
    return work.deciding is None or name in LOADS or bool({name, beside} & work.deciding)


def _words(raised: str) -> str:
    """The end of a chain of exceptions: the words that name the reason."""
    return raised.rsplit(" · ", 1)[-1]


def _result(work: Work, data: Mornings, name: str) -> dict[str, Any]:
    return _tried(work, data, name in LOADS)[name]


def _made(work: Work, data: Mornings, name: str) -> bool:
    """Whether a try was made: not in every data set, and not where others decide."""
    return name in _tried(work, data, name in LOADS)


def imports_quietly(work: Work, data: Mornings) -> str:
    got = _result(work, data, "import")
    tried = f"import {MODULE}"
    if got["raised"].startswith(("SyntaxError", "IndentationError", "ModuleNotFoundError")):
        raise NotYet("Python cannot import it.", tried=tried, got=_words(got["raised"]), cause="import-error")
    if got.get("hosts"):
        raise NotYet(
            'Importing it starts the load. So does every test that imports it, which is why there are none. Load in a function; call it under `if __name__ == "__main__":`.',
            tried=tried,
            expected="nothing happens",
            got=f"a connection to {', '.join(got['hosts'])}",
            cause="loads-at-import",
        )
    if got.get("made"):
        raise NotYet(
            "Importing it writes files.",
            tried=tried,
            expected="nothing happens",
            got=", ".join(got["made"][:4]),
            cause="writes-at-import",
        )
    if got["raised"]:
        raise NotYet(
            "Importing it fails where no environment is set, as in a test. Read settings where they are used.",
            tried=tried,
            got=_words(got["raised"]),
            cause="needs-environment",
        )
    words = _words(_delivered(work, data)[0]["raised"])
    if "has no function run" in words:
        raise NotYet(
            "It can be imported, and there is nothing to call.",
            tried=tried,
            expected="run(read, warehouse)",
            got=words,
            cause="no-run",
        )
    return "Importing loads nothing, writes nothing, needs nothing."


def _delivered(work: Work, data: Mornings) -> list[dict[str, Any]]:
    return _result(work, data, "loads")["deliveries"]


def _demand_loaded(delivery: dict[str, Any], which: str) -> None:
    if delivery["raised"]:
        words = _words(delivery["raised"])
        cause = "no-run" if "has no function run" in words else "load-fails"
        raise NotYet(
            f"run(read, warehouse) fails on the {which} morning.",
            tried="run(read, warehouse) with a made-up API",
            got=words,
            cause=cause,
        )


def _identities(table: str, rows: list[dict[str, Any]]) -> list[tuple]:
    return [tuple(str(r.get(k)) for k in company.KEYS[table]) for r in rows]


def loads_once(work: Work, data: Mornings) -> str:
    deliveries = _delivered(work, data)
    for which, delivery in zip(("first", "second", "third"), deliveries, strict=False):
        _demand_loaded(delivery, which)
    for table, rows in data.second.items():
        landed = deliveries[2]["tables"].get(table)
        if landed is None:
            raise NotYet(
                f"There is no `raw.{table}` in the warehouse.",
                expected=["orders", "payments", "rates"],
                got=sorted(deliveries[2]["tables"]),
                cause="no-table",
            )
        _same_rows(table, rows, landed)
    return f"{len(data.second['payments'])} payments after two mornings and a rerun, each once, in its newest state."


def _same_rows(table: str, rows: list[dict[str, Any]], landed: list[dict[str, Any]]) -> None:
    wanted, got = _identities(table, rows), _identities(table, landed)
    tried = "two mornings, and the second once more"
    if len(got) > len(set(got)):
        twice = len(got) - len(set(got))
        euros = sum((Decimal(str(r.get("amount") or 0)) for r in landed), Decimal(0)) - sum(
            (Decimal(str(r.get("amount", 0))) for r in rows), Decimal(0)
        )
        cost = f" Finance would read {euros:,.2f} too much." if table == "payments" else ""
        raise NotYet(
            f"{twice} rows of raw.{table} stand there more than once. A row that comes again must replace the one with its key: `merge` with a primary key.{cost}",
            tried=tried,
            expected=f"{len(wanted)} rows",
            got=f"{len(got)} rows",
            cause="doubled",
        )
    if missing := set(wanted) - set(got):
        raise NotYet(
            f"{len(missing)} rows of raw.{table} are gone that were there, or never came. Does a load replace the table, or is the key too short?",
            tried=tried,
            expected=f"{len(wanted)} rows",
            got=f"{len(got)} rows",
            cause="lost-rows",
        )
    if table != "rates":
        states = {i[0]: str(r["status"]) for i, r in zip(got, landed, strict=True)}
        old = [r for r in rows if states[str(r[company.KEYS[table][0]])] != r["status"]]
        if old:
            raise NotYet(
                f"{len(old)} rows of raw.{table} still have yesterday's state.",
                tried=tried,
                expected=f"{old[0]['status']} for {company.KEYS[table][0]} {old[0][company.KEYS[table][0]]}",
                got=states[str(old[0][company.KEYS[table][0]])],
                cause="old-state",
            )


def asks_for_changes(work: Work, data: Mornings) -> str:
    first, second = _delivered(work, data)[:2]
    _demand_loaded(first, "first")
    _demand_loaded(second, "second")
    for table, moment in data.cursor.items():
        got = second["since"].get(table)
        if got is None:
            raise NotYet(
                f"On the second morning {table} are asked for from the beginning of time. The runner is a fresh machine each morning: what was loaded last must be known from the warehouse (dlt keeps it there), and handed to read() as `since`.",
                tried="the second morning, on another machine",
                expected=f"read({table!r}, {moment!r})",
                got=f"read({table!r}, None)",
                cause="full-reload",
            )
        if got[:19].replace(" ", "T") > moment[:19]:
            raise NotYet(
                "It asks from later than the newest row it has: what changed between is never loaded.",
                expected=moment,
                got=got,
                cause="gap",
            )
    return f"Asks for what changed since {data.cursor['payments']}, also on a machine that remembers nothing."


def stops_at_a_change(work: Work, data: Mornings) -> str:
    _, _, first, second = _delivered(work, data)
    _demand_loaded(first, "third")
    before, after = first["tables"].get("payments", []), second["tables"].get("payments", [])
    if not second["raised"]:
        empty = sum(r.get("amount") is None for r in after)
        raise NotYet(
            f"The shop renamed `amount` to `total`, and the load said nothing. Payments without an amount now: {empty}; a sum passes over NULLs without a word. Freeze the columns (`schema_contract`) or make the ones you need not nullable.",
            tried="payments with `total` in place of `amount`",
            expected="an error",
            got="a green load",
            cause="evolves",
        )
    if _identities("payments", before) != _identities("payments", after):
        raise NotYet(
            "The load failed and raw.payments changed all the same.",
            tried="payments with `total` in place of `amount`",
            expected=f"{len(before)} rows as they were",
            got=f"{len(after)} rows",
            cause="half-loaded",
        )
    return "A renamed column stops the load, and what was there stays."


def credentials_from_outside(work: Work, data: Mornings) -> str:
    if company.token() in work.file(LOAD) + work.file(TESTS):
        raise NotYet(
            "The token still stands in the code. Take it out, read `SHOP_API_TOKEN`, and have it changed: the repository's history keeps it.",
            expected='os.environ["SHOP_API_TOKEN"]',
            got="sk_live_…",
            cause="token-in-code",
        )
    if not _made(work, data, "main") or not _made(work, data, "refused"):
        return ""
    good, refused = _result(work, data, "main"), _result(work, data, "refused")
    tried = f"SHOP_API_URL=… SHOP_API_TOKEN=… SHOPFLOW_WAREHOUSE=… python -m {MODULE}"
    if good["raised"]:
        raise NotYet("Run as a program it fails.", tried=tried, got=_words(good["raised"]), cause="main-fails")
    if not good["calls"]:
        raise NotYet(
            "Run as a program it asks the API for nothing.",
            tried=tried,
            expected="three tables asked for",
            got="no call",
            cause="no-main",
        )
    if len(good["tables"].get("payments", [])) != len(data.first["payments"]):
        raise NotYet(
            "The rows do not arrive in the warehouse that `SHOPFLOW_WAREHOUSE` names.",
            tried=tried,
            expected=f"{len(data.first['payments'])} payments",
            got=f"{len(good['tables'].get('payments', []))} payments",
            cause="other-warehouse",
        )
    if not refused["raised"]:
        raise NotYet(
            "The API refuses the token, and the program ends with 0. The run is green and nothing was loaded.",
            tried="the same with an old token",
            expected="exit status 1",
            got="exit status 0",
            cause="swallows",
        )
    return "The address, the token and the warehouse come from the environment; a refused token is an error."


def tests_notice(work: Work, data: Mornings) -> str:
    own = _result(work, data, "tests good") if _made(work, data, "tests good") else {"exit": 0}
    if own["exit"] == 5:
        raise NotYet(
            "There is no test in tests/test_shop_api.py that runs.",
            tried="pytest",
            expected="tests",
            got="no tests ran",
            cause="no-tests",
        )
    if own["exit"]:
        raise NotYet(
            "Your tests fail on a load that does all that is asked. Test what `run(read, warehouse)` does, with an API of your own making, and none of its insides.",
            tried="pytest on a right load of ours",
            expected="green",
            got=excerpt(own["said"]),
            cause="tests-too-close",
        )
    for name, what in (("append", "appends what comes again"), ("everything", "asks for everything each morning")):
        if _made(work, data, f"tests {name}") and _result(work, data, f"tests {name}")["exit"] == 0:
            raise NotYet(
                f"Your tests are green on a load that {what}. Run it twice, with a row that changed, and look at the table and at `since`.",
                tried=f"pytest on a load that {what}",
                expected="a red test",
                got="green",
                cause=f"blind-to-{name}",
            )
    return "Green on a right load, red on two wrong ones."


HINTS = (
    "Three things stand at the top level that belong in functions: the pipeline, its run, and the token. What should a test hand in instead of the API?",
    'A resource a table with `primary_key`, `write_disposition="merge"`, `schema_contract` and a parameter `updated_at=dlt.sources.incremental("updated_at")`, whose `last_value` goes to read().',
    '`run(read, warehouse)` makes the pipeline with `dlt.destinations.duckdb(warehouse)`, dataset `raw`, and runs three such resources; rates have two columns as their key. `main()` reads the environment, under `if __name__ == "__main__":`. The tests call run() twice with a function that remembers `since`.',
)

TASK = Task(
    id="i03.2",
    title="Importing must not load",
    minutes=20,
    points=4,
    deliver=(file(LOAD), file(TESTS)),
    data=mornings,
    checks=(
        Check("can be imported without loading anything", imports_quietly),
        Check(
            "loads each row once, however often it runs",
            loads_once,
            expected=lambda d: {t: len(r) for t, r in d.second.items()},
        ),
        Check("asks only for what changed", asks_for_changes, expected=lambda d: d.cursor),
        Check("stops when the source breaks its promise", stops_at_a_change),
        Check("gets its credentials from outside", credentials_from_outside),
        Check("has tests that notice", tests_notice),
    ),
    hints=HINTS,
    seconds=300.0,
    executes=True,
    mutants=8,
    spared={
        "line 17: first element dropped": "dlt lets no key be null",
        "line 15: first element dropped": "dlt lets no key be null",
        "line 16: first element dropped": "dlt lets no key be null",
        "line 19: first element dropped": "the name of a type",
        "line 12: 1 → 2": "another store in the learner's own test",
        "line 29: False → True": "a frozen schema stops a renamed column by itself",
        "line 31: 1 → 2": "another order in the learner's own test",
        "line 25: GtE → Gt": "the learner's own API with other bounds; the test still tells the loads apart",
    },
    clauses={
        "importing does nothing": "as it was found",
        "a row that comes again replaces the one with its key": "appends",
        "`rate_date` and `currency`": "rates by currency alone",
        "each run asks only for what changed since the last": "asks for everything",
        "a column that is renamed at the source is an error": "no contract",
        "reads `SHOP_API_URL`, `SHOP_API_TOKEN` and `SHOPFLOW_WAREHOUSE`": "the token as a default",
        "red on a load that appends": "a test that it can be imported",
        "one that asks for everything each time": "tests without `since`",
        "use `run` alone": "tests of its insides",
    },
    wrong=(
        wrong("as it was found", {LOAD: loads.starting()}, "loads-at-import", decided_by="loads"),
        wrong(
            "the token is wanted at import",
            {LOAD: loads.changed(("KEYS = {", 'TOKEN = os.environ["SHOP_API_TOKEN"]\nKEYS = {'))},
            "needs-environment",
            decided_by="loads",
        ),
        wrong(
            "the warehouse is opened at import",
            {LOAD: loads.changed(("KEYS = {", 'import duckdb\n\nCON = duckdb.connect("prod.duckdb")\nKEYS = {'))},
            "writes-at-import",
            decided_by="loads",
        ),
        wrong("appends", {LOAD: loads.append(loads.mended())}, "doubled", decided_by="loads"),
        wrong(
            "merges without a key",
            {LOAD: loads.changed(("        primary_key=KEYS[table],\n", ""))},
            "doubled",
            decided_by="loads",
        ),
        wrong("replaces the table by what changed", {LOAD: loads.replacing()}, "lost-rows", decided_by="loads"),
        wrong(
            "rates by currency alone",
            {LOAD: loads.changed(('["rate_date", "currency"]}', '["currency"]}'))},
            "lost-rows",
            decided_by="loads",
        ),
        wrong("asks for everything", {LOAD: loads.everything(loads.mended())}, "full-reload", decided_by="loads"),
        wrong("no contract", {LOAD: loads.evolving()}, "evolves", decided_by="loads"),
        wrong(
            "the token as a default",
            {
                LOAD: loads.changed(
                    ('os.environ.get("SHOP_API_TOKEN", "")', f'os.environ.get("SHOP_API_TOKEN", "{company.token()}")')
                )
            },
            "token-in-code",
            decided_by="loads",
        ),
        wrong("prints the error and goes on", {LOAD: loads.swallowing()}, "swallows", decided_by="refused"),
        wrong(
            "tests still commented out",
            {TESTS: '"""Tests of the load."""\n\n# def test_load():\n#     assert True\n'},
            "no-tests",
            decided_by="tests good",
        ),
        wrong(
            "a test that it can be imported",
            {TESTS: "from ingest import shop_api\n\n\ndef test_it_is_there():\n    assert callable(shop_api.run)\n"},
            "blind-to-append",
            decided_by="tests append",
        ),
        wrong("tests without `since`", {TESTS: loads.without_since()}, "blind-to-everything", decided_by="tests everything"),
        wrong(
            "tests of its insides",
            {
                TESTS: 'from ingest import shop_api\n\n\ndef test_the_cache():\n    assert len(shop_api.KEYS) == 3 and shop_api.run.__doc__.startswith("As")\n',
                LOAD: loads.changed(('"""Loads what', '"""As Loads what')),
            },
            "tests-too-close",
            decided_by="tests good",
        ),
    ),
    right=(
        right("a source of three functions", {LOAD: loads.THREE_FUNCTIONS}),
        right("the cursor asked from the warehouse", {LOAD: loads.BY_SQL}),
    ),
)
