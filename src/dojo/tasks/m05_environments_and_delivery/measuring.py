"""Task 05.7: DORA's five measures (dora.dev/guides/dora-metrics), from what the delivery job and the run log record."""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import combinations, count
from statistics import median
from typing import Any

import pyarrow as pa

from dojo.judge.contract import Check, NotYet, Task, edited, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from shopflow.runlog import to_berlin

NAMES = ("deployments_per_week", "lead_time_hours", "recovery_hours", "change_failure_rate", "rework_rate")


@dataclass(frozen=True)
class Period:
    """A window of days to measure, what is odd about it, and the five measures."""

    said: str
    first: dt.date
    last: dt.date
    measures: dict[str, float | None]


@dataclass(frozen=True)
class Record:
    """The four tables, and windows to measure on them."""

    tables: dict[str, Any]
    periods: tuple[Period, ...]


@lru_cache(maxsize=8)
def record(seed: int) -> Record:
    """Ten weeks of deliveries in which each known mistake gives numbers of its own."""
    return next(made for made in (_record(random.Random(f"dora {seed} {n}")) for n in count()) if _decides(made))


def _record(dice: random.Random) -> Record:
    """Releases, hotfixes, rollbacks, failed tries, redeliveries, incidents with and without a cause."""
    made = _Weeks(dice)
    for week in range(10):
        made.week(week)
    tables = made.tables()
    start = made.start.date()
    windows = (
        ("eight weeks", start, start + dt.timedelta(days=55)),
        ("two weeks in the middle", start + dt.timedelta(days=21), start + dt.timedelta(days=34)),
        ("one day, its last hour already tomorrow in Berlin", made.edge, made.edge),
        ("a week with a release and no incident", start + dt.timedelta(days=56), start + dt.timedelta(days=62)),
        ("a week without a release", start + dt.timedelta(days=90), start + dt.timedelta(days=96)),
    )
    return Record(tables, tuple(Period(said, a, b, _measures(tables, a, b)) for said, a, b in windows))


def _decides(made: Record) -> bool:
    """Whether no two mistakes, nor a mistake and the right answer, read the same in all windows."""
    for name in NAMES:
        alternatives = [_alternatives(name, made.tables, p) for p in made.periods]
        answers = [[one[cause] for one in alternatives] for cause in _CAUSES[name]]
        answers.append([p.measures[name] for p in made.periods])
        if any(_all_same(one, other) for one, other in combinations(answers, 2)):
            return False
    return True


class _Weeks:
    """Deliveries as they happen, written down as rows."""

    def __init__(self, dice: random.Random):
        self.dice, self.start = dice, dt.datetime(2025, 9, 22)
        self.commits: list[dict] = []
        self.deployments: list[dict] = []
        self.contents: list[dict] = []
        self.incidents: list[dict] = []
        self.edge = (self.start + dt.timedelta(days=24)).date()

    def tables(self) -> dict[str, Any]:
        """The four tables as a learner's connection holds them."""
        stamp = pa.timestamp("us")
        shapes = {
            "delivery.commits": (self.commits, [("commit_id", pa.string()), ("authored_at", stamp), ("merged_at", stamp)]),
            "delivery.deployments": (
                self.deployments,
                [
                    ("deployment_id", pa.int64()),
                    ("env", pa.string()),
                    ("status", pa.string()),
                    ("kind", pa.string()),
                    ("undoes", pa.int64()),
                    ("deployed_at", stamp),
                ],
            ),
            "delivery.contents": (self.contents, [("deployment_id", pa.int64()), ("commit_id", pa.string())]),
            "ops.incidents": (
                self.incidents,
                [("incident_id", pa.int64()), ("caused_by", pa.int64()), ("began_at", stamp), ("restored_at", stamp)],
            ),
        }
        return {name: pa.Table.from_pylist(rows, schema=pa.schema(columns)) for name, (rows, columns) in shapes.items()}

    def week(self, number: int) -> None:
        """Two to four releases; in most weeks one of them has to be mended or undone."""
        for day in sorted(self.dice.sample([0, 1, 2, 4], self.dice.randint(2, 4))):
            at = self.start + dt.timedelta(
                weeks=number, days=day, hours=self.dice.randint(8, 15), minutes=self.dice.randint(0, 59)
            )
            release = self.release(at, self.dice.randint(1, 4))
            if number != 8 and self.dice.random() < 0.45:
                self.trouble(release, at)
        if number == 3:
            night = dt.datetime.combine(self.edge, dt.time(22, 30))  # half past midnight in Berlin
            self.release(night, 2)
            self.release(night - dt.timedelta(hours=9), 1)
        if number == 3:
            again = [c["commit_id"] for c in self.commits]  # prod is set up anew
            self.deploy("prod", "success", "hotfix", None, self.start + dt.timedelta(weeks=3, hours=4), again)
        if number == 4:
            self.odd_days()
        if number in (1, 4, 6):
            began = self.start + dt.timedelta(weeks=number, days=2, hours=6)
            self.incident(None, began, began + dt.timedelta(hours=30))  # a source was down: no change caused it

    def odd_days(self) -> None:
        """What is undone by a try that failed, in staging, by a hotfix, or a day after the window; a late incident."""
        thursday = self.start + dt.timedelta(weeks=4, days=3, hours=7)
        one, two, three, four, five, six = (self.release(thursday + dt.timedelta(hours=13 * n), 1) for n in range(6))
        self.deploy("prod", "failed", "rollback", one, thursday + dt.timedelta(hours=1), [])
        self.deploy("staging", "success", "rollback", two, thursday + dt.timedelta(hours=17), [])
        self.deploy("staging", "success", "hotfix", six, thursday + dt.timedelta(hours=70), [])
        self.deploy("prod", "success", "hotfix", three, thursday + dt.timedelta(hours=33), [])
        monday = self.start + dt.timedelta(weeks=5, hours=5)
        self.deploy("prod", "success", "rollback", four, monday, [])
        self.incident(five, monday, monday + dt.timedelta(hours=26, minutes=7))
        self.deploy("prod", "success", "hotfix", None, monday - dt.timedelta(hours=14), [])  # for a source that was down

    def release(self, at: dt.datetime, commits: int) -> int:
        """New commits through staging into prod; now and then prod is tried twice."""
        new = []
        for _ in range(commits):
            name = f"{len(self.commits):07x}"
            authored = at - dt.timedelta(hours=self.dice.choice((2, 5, 20, 30, 75, 200)), minutes=self.dice.randint(1, 59))
            merged = authored + (at - authored) * 0.6
            self.commits.append({"commit_id": name, "authored_at": authored, "merged_at": merged.replace(microsecond=0)})
            new.append(name)
        self.deploy("staging", "success", "release", None, at - dt.timedelta(hours=1), new)
        if self.dice.random() < 0.3:
            self.deploy("prod", "failed", "release", None, at - dt.timedelta(minutes=20), new)
        return self.deploy("prod", "success", "release", None, at, new)

    def deploy(self, env: str, status: str, kind: str, undoes: int | None, at: dt.datetime, commits: list[str]) -> int:
        """One deployment and what is in it; returns its number."""
        number = len(self.deployments) + 1
        self.deployments.append(
            {"deployment_id": number, "env": env, "status": status, "kind": kind, "undoes": undoes, "deployed_at": at}
        )
        self.contents += [{"deployment_id": number, "commit_id": c} for c in commits]
        return number

    def incident(self, cause: int | None, began: dt.datetime, restored: dt.datetime | None) -> None:
        self.incidents.append(
            {"incident_id": len(self.incidents) + 1, "caused_by": cause, "began_at": began, "restored_at": restored}
        )

    def trouble(self, release: int, at: dt.datetime) -> None:
        """A hotfix, a rollback, two incidents of one cause, or one that nobody has restored yet."""
        kind = self.dice.choice(("hotfix", "rollback", "quiet rollback", "twice", "open"))
        began, long = (
            at + dt.timedelta(minutes=25),
            dt.timedelta(minutes=self.dice.choice((40, 70, 130, 900)) + self.dice.randint(-19, 19)),
        )
        held = [c["commit_id"] for c in self.contents if c["deployment_id"] == release]
        if kind != "quiet rollback":
            self.incident(release, began, None if kind == "open" else began + long)
        if kind == "twice":
            self.incident(release, began + dt.timedelta(minutes=10), began + long + dt.timedelta(minutes=31))
        if kind == "hotfix":
            fix = f"{len(self.commits):07x}"
            self.commits.append(
                {
                    "commit_id": fix,
                    "authored_at": began + dt.timedelta(minutes=15),
                    "merged_at": began + dt.timedelta(minutes=20),
                }
            )
            self.deploy("prod", "success", "hotfix", release, began + long, [*held, fix])
        elif "rollback" in kind:
            earlier = [
                d["deployment_id"]
                for d in self.deployments
                if d["env"] == "prod" and d["status"] == "success" and d["deployment_id"] < release
            ]
            old = [c["commit_id"] for c in self.contents if earlier and c["deployment_id"] == earlier[-1]]
            self.deploy("prod", "success", "rollback", release, began + long, old)


def _measures(tables: dict[str, Any], first: dt.date, last: dt.date) -> dict[str, float | None]:
    """The five measures, written out in Python."""
    commits = {c["commit_id"]: c["authored_at"] for c in tables["delivery.commits"].to_pylist()}
    live = sorted(
        (d for d in tables["delivery.deployments"].to_pylist() if d["env"] == "prod" and d["status"] == "success"),
        key=lambda d: d["deployed_at"],
    )
    held: dict[int, list[str]] = {}
    for row in tables["delivery.contents"].to_pylist():
        held.setdefault(row["deployment_id"], []).append(row["commit_id"])
    incidents = tables["ops.incidents"].to_pylist()
    inside = {d["deployment_id"]: d for d in live if first <= to_berlin(d["deployed_at"]).date() <= last}
    seen, leads = set(), []
    for d in live:
        for commit in set(held.get(d["deployment_id"], [])) - seen:
            seen.add(commit)
            if d["deployment_id"] in inside:
                leads.append(_hours(d["deployed_at"] - commits[commit]))
    failed = {i["caused_by"] for i in incidents} | {d["undoes"] for d in live}
    restored = [_hours(i["restored_at"] - i["began_at"]) for i in incidents if i["caused_by"] in inside and i["restored_at"]]
    weeks = ((last - first).days + 1) / 7
    values = (
        len(inside) / weeks,
        median(leads) if leads else None,
        median(restored) if restored else None,
        len(failed & inside.keys()) / len(inside) if inside else None,
        sum(d["kind"] != "release" for d in inside.values()) / len(inside) if inside else None,
    )
    return dict(zip(NAMES, values, strict=True))


def _hours(length: dt.timedelta) -> float:
    return length.total_seconds() / 3600


# ---------------------------------------------------------------- the checks

_CAUSES = {
    "deployments_per_week": {
        "utc": "the days are UTC days; ShopFlow's books are kept in Berlin",
        "counts-all": "every row of the table was counted, tries that failed and staging among them",
        "counts-staging": "deployments to staging were counted",
        "counts-failed": "tries that failed were counted",
        "days-off": "both the first and the last day belong to the window",
        "without-first": "the first day of the window was left out",
        "without-last": "the last day of the window was left out",
        "only-releases": "hotfixes and rollbacks are deployments too",
    },
    "lead_time_hours": {
        "every-delivery": "a commit that came again with a hotfix or a rollback was counted again",
        "first-in-window": "a commit that had reached prod before the window was counted again",
        "mean": "this is the mean: one odd case moves it, and the median stays",
        "from-merge": "the hours run from the merge; the wait for a review is part of the lead time",
    },
    "recovery_hours": {
        "mean": "this is the mean: one odd case moves it, and the median stays",
        "began-inside": "an incident that began after the window counts too where a deployment of the window caused it",
        "whatever-cause": "incidents that no deployment of the window caused were counted",
    },
    "change_failure_rate": {
        "counts-incidents": "incidents were counted: two of them with one cause are one failed deployment",
        "forgets-rollbacks": "some deployments were undone before anybody wrote an incident: `undoes` names them",
        "rollback-itself": "the rollback was counted as the failure; it is the cure of one",
        "undone-inside": "a deployment that is undone after the window is a failure of the window too",
        "undone-by-failed": "a rollback that failed undid nothing",
        "undone-in-staging": "a rollback in staging undid nothing in prod",
        "undone-anywhere": "rollbacks that failed or ran in staging undid nothing in prod",
        "only-rollbacks": "a hotfix undoes a deployment as well as a rollback does",
    },
    "rework_rate": {
        "failed-not-rework": "this is the share that failed; asked for are the deployments that mended or undid another",
        "no-rollbacks": "rollbacks were left out; nobody had planned them either",
        "by-undoes": "a hotfix that names no deployment is rework too: its `kind` says so",
    },
}
"""Known mistakes of each measure; one is named where it gives the answers of all windows."""
_MEANING = {
    "deployments_per_week": "the number of successful deployments to prod, over the weeks of the window",
    "lead_time_hours": "the median, over commits that reached prod for the first time in the window, of the hours from authored_at",
    "change_failure_rate": "the share of the window's deployments that an incident names, or that a later one undoes; each counts once",
    "rework_rate": "the share of the window's deployments that nobody had planned: hotfixes and rollbacks",
    "recovery_hours": "the median of incidents a deployment of the window caused, and that are restored",
}


def _answers(work: Work, data: Record) -> list[Any]:
    database = Database(data.tables)
    asked = [(database, p.first, p.last) for p in data.periods]
    return work.once(("05.7", id(data)), lambda: work.calls("dora", asked))


def _measure(name: str):
    def judge(work: Work, data: Record) -> str:
        answers = _answers(work, data)
        for answer, period in zip(answers, data.periods, strict=True):
            _of_its_kind(name, answer, _tried(period))
        given = [answer[name] for answer in answers]
        for got, period in zip(given, data.periods, strict=True):
            if not _same(got, period.measures[name]):
                raise _other(name, got, period, _cause(name, given, data))
        shown = data.periods[0].measures[name]
        return f"{len(data.periods)} windows right; over eight weeks {shown:.2f}."

    return judge


def _tried(period: Period) -> str:
    return f"dora(con, {period.first}, {period.last}): {period.said}"


def _of_its_kind(name: str, answer: Any, tried: str) -> None:
    """NotYet where the answer is no dict, lacks the measure, or holds something else than a number or None there."""
    if not isinstance(answer, dict) or name not in answer:
        got = (", ".join(map(str, answer)) or "no keys") if isinstance(answer, dict) else f"{answer!r}"
        raise NotYet(
            f"`dora` must return a dict with `{name}`.", tried=tried, expected=", ".join(NAMES), got=got, cause="shape"
        )
    value = answer[name]
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | Decimal)):
        raise NotYet(
            f"`{name}` must be a number, or None where there is nothing to measure.",
            tried=tried,
            expected="a number or None",
            got=f"{value!r} (a {type(value).__name__})",
            cause="type",
        )


def _same(got: Any, wanted: float | None) -> bool:
    """Whether two measures agree to a hundredth; each is a number or None."""
    if wanted is None or got is None:
        return got is None and wanted is None
    return float(got) == wanted or abs(float(got) - wanted) <= 0.006


def _all_same(given: list[Any], wanted: list[float | None]) -> bool:
    return all(_same(got, value) for got, value in zip(given, wanted, strict=True))


def _shown(value: Any) -> str:
    """A measure as it is read, with so many digits that two which do not agree never read the same."""
    if value is None:
        return "None"
    if isinstance(value, int):
        return str(value)
    return f"{float(value):.3f}"


def _other(name: str, got: Any, period: Period, cause: str) -> NotYet:
    said = f"`{name}` is {_MEANING[name]}."
    if cause:
        said = f"`{name}`: {_CAUSES[name][cause]}."
    elif got is not None and not math.isfinite(float(got)):
        said, cause = f"`{name}` must be a finite number, or None where there is nothing to measure.", "not-finite"
    elif period.measures[name] is None:
        said = f"{said[:-1]}; where there is nothing to measure, None."
    return NotYet(said, tried=_tried(period), expected=_shown(period.measures[name]), got=_shown(got), cause=cause or name)


def _cause(name: str, given: list[Any], data: Record) -> str:
    """The known mistake that gives these very numbers in all windows; "" where none does."""
    alternatives = [_alternatives(name, data.tables, p) for p in data.periods]
    for cause in _CAUSES[name]:
        if _all_same(given, [one[cause] for one in alternatives]):
            return cause
    return ""


# ---------------------------------------------------------------- what each mistake gives


def _live(deployment: dict[str, Any]) -> bool:
    return deployment["env"] == "prod" and deployment["status"] == "success"


def _day(deployment: dict[str, Any]) -> dt.date:
    return to_berlin(deployment["deployed_at"]).date()


def _alternatives(name: str, tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    return _MISTAKEN[name](tables, period)


def _mistaken_rates(tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    rows, day = tables["delivery.deployments"].to_pylist(), dt.timedelta(days=1)
    length = (period.last - period.first).days + 1

    def rate(which: Any, first: dt.date = period.first, last: dt.date = period.last, of: Any = _day) -> float:
        return sum(which(d) and first <= of(d) <= last for d in rows) / length * 7

    return {
        "utc": rate(_live, of=lambda d: d["deployed_at"].date()),
        "counts-all": rate(lambda d: True),
        "counts-staging": rate(lambda d: d["status"] == "success"),
        "counts-failed": rate(lambda d: d["env"] == "prod"),
        "days-off": rate(_live) * length / (length - 1) if length > 1 else math.inf,
        "without-first": rate(_live, first=period.first + day),
        "without-last": rate(_live, last=period.last - day),
        "only-releases": rate(lambda d: _live(d) and d["kind"] == "release"),
    }


def _inside(tables: dict[str, Any], period: Period) -> dict[int, dict[str, Any]]:
    """The deployments that count, in the order in which they came."""
    rows = sorted(tables["delivery.deployments"].to_pylist(), key=lambda d: d["deployed_at"])
    return {d["deployment_id"]: d for d in rows if _live(d) and period.first <= _day(d) <= period.last}


def _mistaken_leads(tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    commits = {c["commit_id"]: c for c in tables["delivery.commits"].to_pylist()}
    ever = _inside(tables, Period("", dt.date.min, dt.date.max, {}))
    inside = _inside(tables, period)

    def arrivals(of: dict[int, dict[str, Any]]) -> list[tuple[str, dt.datetime]]:
        held: dict[int, list[str]] = {}
        for row in tables["delivery.contents"].to_pylist():
            held.setdefault(row["deployment_id"], []).append(row["commit_id"])
        return [(c, d["deployed_at"]) for d in of.values() for c in held.get(d["deployment_id"], [])]

    def first(found: list[tuple[str, dt.datetime]]) -> list[tuple[str, dt.datetime]]:
        return [(c, at) for c, at in dict(reversed(found)).items() if period.first <= to_berlin(at).date() <= period.last]

    def hours(found: list[tuple[str, dt.datetime]], since: str = "authored_at") -> list[float]:
        return [_hours(at - commits[c][since]) for c, at in found]

    once = first(arrivals(ever))
    return {
        "every-delivery": _median(hours(arrivals(inside))),
        "first-in-window": _median(hours(first(arrivals(inside)))),
        "mean": _mean(hours(once)),
        "from-merge": _median(hours(once, "merged_at")),
    }


def _mistaken_recoveries(tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    inside = _inside(tables, period)
    over = [i for i in tables["ops.incidents"].to_pylist() if i["restored_at"]]
    caused = [i for i in over if i["caused_by"] in inside]

    def hours(incidents: list[dict[str, Any]]) -> list[float]:
        return [_hours(i["restored_at"] - i["began_at"]) for i in incidents]

    def began_inside(incident: dict[str, Any]) -> bool:
        return period.first <= to_berlin(incident["began_at"]).date() <= period.last

    return {
        "mean": _mean(hours(caused)),
        "began-inside": _median(hours([i for i in caused if began_inside(i)])),
        "whatever-cause": _median(hours([i for i in over if began_inside(i)])),
    }


def _mistaken_failures(tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    rows, inside = tables["delivery.deployments"].to_pylist(), _inside(tables, period)
    causes = [i["caused_by"] for i in tables["ops.incidents"].to_pylist() if i["caused_by"] in inside]

    def undone(which: Any) -> float | None:
        failed = {*causes} | {d["undoes"] for d in rows if which(d)}
        return _share(len(failed & inside.keys()), inside)

    return {
        "counts-incidents": _share(len(causes), inside),
        "forgets-rollbacks": _share(len({*causes}), inside),
        "rollback-itself": _share(sum(d["kind"] != "release" for d in inside.values()), inside),
        "undone-inside": undone(lambda d: d["deployment_id"] in inside),
        "undone-by-failed": undone(lambda d: d["env"] == "prod"),
        "undone-in-staging": undone(lambda d: d["status"] == "success"),
        "undone-anywhere": undone(lambda d: True),
        "only-rollbacks": undone(lambda d: _live(d) and d["kind"] == "rollback"),
    }


def _mistaken_rework(tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    inside = _inside(tables, period)
    failed = {i["caused_by"] for i in tables["ops.incidents"].to_pylist()}
    failed |= {d["undoes"] for d in tables["delivery.deployments"].to_pylist() if _live(d)}
    return {
        "failed-not-rework": _share(len(failed & inside.keys()), inside),
        "no-rollbacks": _share(sum(d["kind"] == "hotfix" for d in inside.values()), inside),
        "by-undoes": _share(sum(d["undoes"] is not None for d in inside.values()), inside),
    }


_MISTAKEN = {
    "deployments_per_week": _mistaken_rates,
    "lead_time_hours": _mistaken_leads,
    "recovery_hours": _mistaken_recoveries,
    "change_failure_rate": _mistaken_failures,
    "rework_rate": _mistaken_rework,
}


def _median(values: list[float]) -> float | None:
    return median(values) if values else None


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(number: int, inside: dict[int, Any]) -> float | None:
    return number / len(inside) if inside else None


_REFERENCE = '''\
def dora(con, first, last):
    con.execute("""
        create or replace temp view live as
        select *, timezone('Europe/Berlin', timezone('UTC', deployed_at))::date as day
        from delivery.deployments
        where env = 'prod' and status = 'success'
    """)
    return con.execute("""
        with inside as (select * from live where day between $first and $last),
        arrivals as (
            select commit_id, arg_min(deployment_id, deployed_at) as deployment_id, min(deployed_at) as arrived_at
            from live join delivery.contents using (deployment_id)
            group by commit_id
        ),
        leads as (
            select epoch(arrived_at - authored_at) / 3600 as hours
            from arrivals join delivery.commits using (commit_id) semi join inside using (deployment_id)
        ),
        failed as (
            select deployment_id from inside
            where deployment_id in (select caused_by from ops.incidents) or deployment_id in (select undoes from live)
        ),
        restored as (
            select epoch(restored_at - began_at) / 3600 as hours
            from ops.incidents where caused_by in (select deployment_id from inside) and restored_at is not null
        )
        select
            (select count(*) from inside) / (date_diff('day', $first::date, $last::date) + 1) * 7 as deployments_per_week,
            (select median(hours) from leads) as lead_time_hours,
            (select median(hours) from restored) as recovery_hours,
            (select count(*) from failed) / nullif((select count(*) from inside), 0) as change_failure_rate,
            (select count(*) filter (where kind <> 'release') / nullif(count(*), 0) from inside) as rework_rate
    """, {"first": first, "last": last}).df().astype(object).where(lambda frame: frame.notna(), None).to_dict("records")[0]
'''


def _but(*changes: tuple[str, str]) -> str:
    return edited(_REFERENCE, *changes)


def _with_values(value: str) -> str:
    """The reference's answer with another value in each place; `v` is the right one."""
    return f"{_REFERENCE}\n\nright = dora\n\n\ndef dora(con, first, last):\n    return {{k: {value} for k, v in right(con, first, last).items()}}\n"


_PANDAS = '''\
import statistics


def dora(con, first, last):
    rows = con.execute("""
        select deployment_id, undoes, deployed_at, timezone('Europe/Berlin', deployed_at at time zone 'UTC')::date, kind
        from delivery.deployments where env = 'prod' and status = 'success' order by deployed_at
    """).fetchall()
    mine = {r[0] for r in rows if first <= r[3] <= last}
    authored = dict(con.execute("select commit_id, authored_at from delivery.commits").fetchall())
    inside = {}
    for deployment, commit in con.execute("select deployment_id, commit_id from delivery.contents").fetchall():
        inside.setdefault(deployment, []).append(commit)
    known, leads = set(), []
    for deployment, _, at, _, _ in rows:
        for commit in inside.get(deployment, []):
            if commit not in known:
                known.add(commit)
                if deployment in mine:
                    leads.append((at - authored[commit]).total_seconds() / 3600)
    incidents = con.execute("select caused_by, began_at, restored_at from ops.incidents").fetchall()
    unplanned = [r for r in rows if r[0] in mine and r[4] in ("hotfix", "rollback")]
    failures = mine & ({i[0] for i in incidents} | {r[1] for r in rows})
    times = [(i[2] - i[1]).total_seconds() / 3600 for i in incidents if i[0] in mine and i[2] is not None]
    return {
        "deployments_per_week": 7 * len(mine) / ((last - first).days + 1),
        "lead_time_hours": statistics.median(leads) if leads else None,
        "recovery_hours": statistics.median(times) if times else None,
        "change_failure_rate": len(failures) / len(mine) if mine else None,
        "rework_rate": len(unplanned) / len(mine) if mine else None,
    }
'''
_QUERIES = '''\
def dora(con, first, last):
    live = """(
        select *, (deployed_at::timestamp at time zone 'UTC' at time zone 'Europe/Berlin')::date between $first and $last as mine
        from delivery.deployments where env = 'prod' and status = 'success')"""
    ask = lambda query: con.execute(query.replace("LIVE", live), {"first": first, "last": last}).fetchone()[0]
    return {
        "deployments_per_week": round(ask("select count(*) filter (where mine) * 7.0 / ($last::date - $first::date + 1) from LIVE"), 2),
        "lead_time_hours": ask("""
            select quantile_cont(hours, 0.5) from (
                select mine, date_diff('second', authored_at, deployed_at) / 3600 as hours
                from LIVE join delivery.contents using (deployment_id) join delivery.commits using (commit_id)
                qualify row_number() over (partition by commit_id order by deployed_at) = 1) where mine"""),
        "change_failure_rate": ask("""
            select avg((i.caused_by is not null or u.undoes is not null)::int) from LIVE as d
            left join (select distinct caused_by from ops.incidents) as i on i.caused_by = d.deployment_id
            left join (select distinct undoes from LIVE) as u on u.undoes = d.deployment_id where mine"""),
        "rework_rate": ask("select avg((kind in ('hotfix', 'rollback'))::int) from LIVE where mine"),
        "recovery_hours": ask("""
            select median(date_diff('second', began_at, restored_at) / 3600) from ops.incidents
            join LIVE on caused_by = deployment_id where mine"""),
    }
'''

SAID = (
    "how often: deployments a week",
    "how fast: lead time",
    "how quickly back: failed deployment recovery time",
    "how safe: change failure rate",
    "how much repair: deployment rework rate",
)

TASK_7 = Task(
    id="05.7",
    title="DORA's measures, from your own records",
    minutes=15,
    points=4,
    deliver=(function("dora"),),
    data=record,
    seeds=(11, 29),
    mutants=40,
    checks=tuple(
        Check(
            said,
            _measure(name),
            expected=lambda d, n=name: [p.measures[n] for p in d.periods],
            after=(SAID[0],) if said != SAID[0] else (),  # the others are about the list that the first one counts
        )
        for name, said in zip(NAMES, SAID, strict=True)
    ),
    hints=(
        "Begin with one list: successful deployments to prod, each with its Berlin date. Four of the five measures are about that list.",
        "A commit counts where it arrives first. A deployment failed when an incident names it or when another one undoes it, and counts once. What is not restored yet has no duration. Hotfixes and rollbacks are the rework.",
        "`arg_min(deployment_id, deployed_at)` a commit gives its first deployment; `median(epoch(arrived_at - authored_at) / 3600)` over those in the window; `nullif(count, 0)` below a division.",
    ),
    wrong=(
        wrong("counts staging", _but(("env = 'prod' and status", "status")), "counts-staging"),
        wrong("counts tries that failed", _but(("env = 'prod' and status = 'success'", "env = 'prod'")), "counts-failed"),
        wrong(
            "UTC days", _but(("timezone('Europe/Berlin', timezone('UTC', deployed_at))::date", "deployed_at::date")), "utc"
        ),
        wrong("leaves a day out", _but(("$last::date) + 1)", "$last::date))")), "days-off"),
        wrong("only releases", _but(("status = 'success'", "status = 'success' and kind = 'release'")), "only-releases"),
        wrong("mean lead time", _but(("select median(hours) from leads", "select avg(hours) from leads")), "mean"),
        wrong("from merge, not from writing", _but(("arrived_at - authored_at", "arrived_at - merged_at")), "from-merge"),
        wrong(
            "a commit counts in every deployment",
            _but(
                (
                    "select commit_id, arg_min(deployment_id, deployed_at) as deployment_id, min(deployed_at) as arrived_at",
                    "select commit_id, deployment_id, deployed_at as arrived_at",
                ),
                ("            group by commit_id\n", ""),
            ),
            "every-delivery",
        ),
        wrong(
            "counts incidents, not deployments",
            _but(
                (
                    "(select count(*) from failed)",
                    "(select count(*) from ops.incidents where caused_by in (select deployment_id from inside))",
                )
            ),
            "counts-incidents",
        ),
        wrong(
            "a rollback without an incident is no failure",
            _but((" or deployment_id in (select undoes from live)", "")),
            "forgets-rollbacks",
        ),
        wrong(
            "the rollback itself is the failure",
            _but(
                (
                    "where deployment_id in (select caused_by from ops.incidents) or deployment_id in (select undoes from live)",
                    "where kind <> 'release'",
                )
            ),
            "rollback-itself",
        ),
        wrong(
            "undone within the window",
            _but(("select undoes from live", "select undoes from inside")),
            "undone-inside",
        ),
        wrong(
            "undone by a try that failed",
            _but(("select undoes from live", "select undoes from delivery.deployments where env = 'prod'")),
            "undone-by-failed",
        ),
        wrong(
            "undone in staging",
            _but(("select undoes from live", "select undoes from delivery.deployments where status = 'success'")),
            "undone-in-staging",
        ),
        wrong(
            "undone by any row of the table",
            _but(("select undoes from live", "select undoes from delivery.deployments")),
            "undone-anywhere",
        ),
        wrong(
            "only rollbacks undo",
            _but(("select undoes from live", "select undoes from live where kind = 'rollback'")),
            "only-rollbacks",
        ),
        wrong("mean recovery time", _but(("select median(hours) from restored", "select avg(hours) from restored")), "mean"),
        wrong(
            "every incident, whatever caused it",
            _but(("caused_by in (select deployment_id from inside) and restored_at", "restored_at")),
            "recovery_hours",
            "whatever-cause",
        ),
        wrong(
            "incidents that began in the window",
            _but(
                (
                    "and restored_at is not null",
                    "and restored_at is not null and timezone('Europe/Berlin', timezone('UTC', began_at))::date between $first and $last",
                )
            ),
            "began-inside",
        ),
        wrong(
            "zero where there is nothing",
            _but(("(select median(hours) from restored)", "coalesce((select median(hours) from restored), 0)")),
            "recovery_hours",
        ),
        wrong(
            "what failed, as rework",
            _but(("filter (where kind <> 'release')", "filter (where deployment_id in (select deployment_id from failed))")),
            "failed-not-rework",
        ),
        wrong("rework without rollbacks", _but(("kind <> 'release'", "kind = 'hotfix'")), "no-rollbacks"),
        wrong("rework by what it undoes", _but(("kind <> 'release'", "undoes is not null")), "by-undoes"),
        wrong("texts", _with_values("str(v)"), "type"),
        wrong("NaN where there is nothing", _with_values("float('nan') if v is None else v"), "not-finite"),
        wrong("a number of four hundred digits", _with_values("10**400"), "error"),
        wrong("true and false", _with_values("bool(v)"), "type"),
        wrong("amounts without end", _with_values("__import__('decimal').Decimal('Infinity')"), "not-finite"),
        wrong("no keys", "def dora(con, first, last):\n    return {}\n", "shape"),
        wrong("keys of several kinds", "def dora(con, first, last):\n    return {1: 2, None: 3, 'a': 4}\n", "shape"),
        wrong(
            "without the first day",
            _but(("where day between $first and $last)", "where day > $first and day <= $last)")),
            "without-first",
            *NAMES,
        ),
        wrong("another shape", "def dora(con, first, last):\n    return 1, 2, 3, 4, 5\n", "shape"),
    ),
    clauses={
        "Only successful deployments to prod count": "counts tries that failed",
        "to prod count": "counts staging",
        "of every kind": "only releases",
        "are Berlin days": "UTC days",
        "both included": "leaves a day out",
        "the median, over commits": "mean lead time",
        "*for the first time*": "a commit counts in every deployment",
        "from `authored_at`": "from merge, not from writing",
        "or that a later successful deployment to prod undoes": "a rollback without an incident is no failure",
        "that a later": "undone within the window",
        "successful deployment to prod undoes": "undone by a try that failed",
        "deployment to prod undoes": "undone in staging",
        "Each counts once": "counts incidents, not deployments",
        "A rollback is no failure itself": "the rollback itself is the failure",
        "the median duration": "mean recovery time",
        "the incidents they caused": "every incident, whatever caused it",
        "`None` where there is nothing": "zero where there is nothing",
        "the share of them that nobody had planned": "what failed, as rework",
        "hotfixes and rollbacks": "rework without rollbacks",
        "A dict of five": "another shape",
    },
    right=(
        right("dicts and statistics.median", _PANDAS),
        right("a query a measure", _QUERIES),
    ),
    spared={"is not null": "median leaves nulls out by itself", "3600 → 3601": "a second in an hour"},
)
