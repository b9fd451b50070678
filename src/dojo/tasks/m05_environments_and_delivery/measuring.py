"""Task 05.7: DORA's five measures (dora.dev/guides/dora-metrics), from what the delivery job and the run log record."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

import pyarrow as pa

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
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
    """Ten weeks of deliveries: releases, hotfixes, rollbacks, failed tries, redeliveries, incidents with and without a cause."""
    made = _Weeks(random.Random(f"dora {seed}"))
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
        if number in (1, 4, 6):
            began = self.start + dt.timedelta(weeks=number, days=2, hours=6)
            self.incident(None, began, began + dt.timedelta(hours=30))  # a source was down: no change caused it

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
        began, long = at + dt.timedelta(minutes=25), dt.timedelta(minutes=self.dice.choice((40, 70, 130, 900)))
        held = [c["commit_id"] for c in self.contents if c["deployment_id"] == release]
        if kind != "quiet rollback":
            self.incident(release, began, None if kind == "open" else began + long)
        if kind == "twice":
            self.incident(release, began + dt.timedelta(minutes=10), began + long + dt.timedelta(minutes=10))
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
    "deployments_per_week": (
        ("utc", "the days are UTC days; ShopFlow's books are kept in Berlin", lambda t, p: _rate(t, p, _live, local=False)),
        (
            "counts-all",
            "every row of the table was counted, tries that failed and staging among them",
            lambda t, p: _rate(t, p, lambda d: True),
        ),
        (
            "counts-staging",
            "deployments to staging were counted",
            lambda t, p: _rate(t, p, lambda d: d["status"] == "success"),
        ),
        ("counts-failed", "tries that failed were counted", lambda t, p: _rate(t, p, lambda d: d["env"] == "prod")),
        ("days-off", "both the first and the last day belong to the window", lambda t, p: _rate(t, p, _live, days=-1)),
        (
            "only-releases",
            "hotfixes and rollbacks are deployments too",
            lambda t, p: _rate(t, p, lambda d: _live(d) and d["kind"] == "release"),
        ),
    ),
}


def _live(deployment: dict[str, Any]) -> bool:
    return deployment["env"] == "prod" and deployment["status"] == "success"


def _rate(tables: dict[str, Any], period: Period, which: Any, *, local: bool = True, days: int = 0) -> float | None:
    rows = tables["delivery.deployments"].to_pylist()
    count = sum(
        which(d) and period.first <= (to_berlin(d["deployed_at"]) if local else d["deployed_at"]).date() <= period.last
        for d in rows
    )
    length = (period.last - period.first).days + 1 + days
    return count / length * 7 if length else None


def _answers(work: Work, data: Record) -> list[Any]:
    database = Database(data.tables)
    asked = [(database, p.first, p.last) for p in data.periods]
    return work.once(("05.7", id(data)), lambda: work.calls("dora", asked))


def _measure(name: str):
    def judge(work: Work, data: Record) -> str:
        for answer, period in zip(_answers(work, data), data.periods, strict=True):
            tried = f"dora(con, {period.first}, {period.last}): {period.said}"
            if not isinstance(answer, dict) or name not in answer:
                raise NotYet(
                    f"`dora` must return a dict with `{name}`.",
                    tried=tried,
                    expected=", ".join(NAMES),
                    got=sorted(answer) if isinstance(answer, dict) else answer,
                    cause="shape",
                )
            got, wanted = answer[name], period.measures[name]
            if not _same(got, wanted):
                raise _other(name, got, wanted, data, period, tried)
        shown = data.periods[0].measures[name]
        return f"{len(data.periods)} windows right; over eight weeks {shown:.2f}."

    return judge


def _same(got: Any, wanted: float | None) -> bool:
    if wanted is None or got is None:
        return got is None and wanted is None
    try:
        return abs(float(got) - wanted) <= 0.006
    except (TypeError, ValueError):
        return False


def _other(name: str, got: Any, wanted: float | None, data: Record, period: Period, tried: str) -> NotYet:
    for cause, said, value in _CAUSES.get(name, ()):
        if wanted is not None and _same(got, value(data.tables, period)):
            return NotYet(f"`{name}`: {said}.", tried=tried, expected=round(wanted, 2), got=got, cause=cause)
    said = {
        "deployments_per_week": "the number of successful deployments to prod, over the weeks of the window",
        "lead_time_hours": "the median, over commits that reached prod for the first time in the window, of the hours from authored_at",
        "change_failure_rate": "the share of the window's deployments that an incident names, or that a later one undoes; each counts once",
        "rework_rate": "the share of the window's deployments that nobody had planned: hotfixes and rollbacks",
        "recovery_hours": "the median of incidents a deployment of the window caused, and that are restored",
    }[name]
    if wanted is None:
        said += "; where there is nothing to measure, None"
    cause = _kind(name, got, data, period)
    shown = round(got, 2) if isinstance(got, float) else got
    return NotYet(
        f"`{name}` is {said}. {_MEANS.get(cause, '')}".strip(),
        tried=tried,
        expected="None" if wanted is None else round(wanted, 2),
        got="None" if got is None else shown,
        cause=cause,
    )


_MEANS = {
    "every-delivery": "A commit that came again with a hotfix or a rollback was counted again.",
    "from-merge": "You count from the merge; the wait for a review is part of the lead time.",
    "mean": "You return the mean: one odd case moves it, and the median stays.",
    "counts-incidents": "You count incidents: two of them with one cause are one failed deployment.",
    "forgets-rollbacks": "Some deployments were undone before anybody wrote an incident: `undoes` names them.",
    "rollback-itself": "You count the rollback as the failure; it is the cure of one.",
    "failed-not-rework": "You return the share that failed; this one asks for the deployments that mended or undid another.",
    "no-rollbacks": "You leave rollbacks out; nobody had planned them either.",
}


def _arrivals(tables: dict[str, Any], period: Period) -> list[tuple[str, dt.datetime]]:
    """Commits and when they first reached prod, of those that did so in the window."""
    live = sorted((d for d in tables["delivery.deployments"].to_pylist() if _live(d)), key=lambda d: d["deployed_at"])
    first: dict[str, dt.datetime] = {}
    held: dict[int, list[str]] = {}
    for row in tables["delivery.contents"].to_pylist():
        held.setdefault(row["deployment_id"], []).append(row["commit_id"])
    for d in live:
        for commit in held.get(d["deployment_id"], []):
            first.setdefault(commit, d["deployed_at"])
    return [(c, at) for c, at in first.items() if period.first <= to_berlin(at).date() <= period.last]


def _kind(name: str, got: Any, data: Record, period: Period) -> str:
    """The named mistake that gives this very number, else what the measure is called."""
    for cause, value in _alternatives(name, data.tables, period).items():
        if _same(got, value):
            return cause
    return name


def _alternatives(name: str, tables: dict[str, Any], period: Period) -> dict[str, float | None]:
    deployments = [d for d in tables["delivery.deployments"].to_pylist() if _live(d)]
    inside = {
        d["deployment_id"]: d for d in deployments if period.first <= to_berlin(d["deployed_at"]).date() <= period.last
    }
    commits = {c["commit_id"]: c for c in tables["delivery.commits"].to_pylist()}
    incidents = [i for i in tables["ops.incidents"].to_pylist() if i["caused_by"] in inside]
    held = [r for r in tables["delivery.contents"].to_pylist() if r["deployment_id"] in inside]
    if name == "lead_time_hours" and held:
        every = [_hours(inside[r["deployment_id"]]["deployed_at"] - commits[r["commit_id"]]["authored_at"]) for r in held]
        arrivals = _arrivals(tables, period)
        authored = [_hours(at - commits[c]["authored_at"]) for c, at in arrivals]
        merged = [_hours(at - commits[c]["merged_at"]) for c, at in arrivals]
        return {
            "every-delivery": median(every),
            "mean": sum(authored) / len(authored) if authored else None,
            "from-merge": median(merged) if merged else None,
        }
    if name == "change_failure_rate" and inside:
        return {
            "counts-incidents": len(incidents) / len(inside),
            "forgets-rollbacks": len({i["caused_by"] for i in incidents}) / len(inside),
            "rollback-itself": sum(d["kind"] != "release" for d in inside.values()) / len(inside),
        }
    if name == "rework_rate" and inside:
        failed = {i["caused_by"] for i in incidents} | {d["undoes"] for d in deployments}
        return {
            "failed-not-rework": len(failed & inside.keys()) / len(inside),
            "no-rollbacks": sum(d["kind"] == "hotfix" for d in inside.values()) / len(inside),
        }
    lengths = [_hours(i["restored_at"] - i["began_at"]) for i in incidents if i["restored_at"]]
    if name == "recovery_hours" and lengths:
        return {"mean": sum(lengths) / len(lengths)}
    return {}


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
    text = _REFERENCE
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{old!r} is not in the reference")
        text = text.replace(old, new)
    return text


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
        wrong("mean recovery time", _but(("select median(hours) from restored", "select avg(hours) from restored")), "mean"),
        wrong(
            "every incident, whatever caused it",
            _but(("caused_by in (select deployment_id from inside) and restored_at", "restored_at")),
            "recovery_hours",
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
