"""Task 01.5: how changes flow from the first commit to production: lead time, waiting share, and the stage where most is lost."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field, replace
from statistics import mean, median
from typing import Any
from zoneinfo import ZoneInfo

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, number, one_of

STAGES = ("writing", "waiting for review", "review", "waiting for merge", "waiting for release")
MOMENTS = ("written", "asked", "reviewed", "approved", "merged", "live")
WAITING = tuple(stage for stage in STAGES if stage.startswith("waiting"))
BERLIN = ZoneInfo("Europe/Berlin")
CLOCK_CHANGE = dt.datetime(2025, 10, 26)


@dataclass(frozen=True)
class Changes:
    """Changes as two systems recorded them, and what is true of their flow; `mistakes` are the numbers of usual slips."""

    rows: list[dict[str, Any]]
    lead: float
    share: float
    worst: str
    stages: dict[str, str]
    mistakes: dict[str, tuple[float, float]]
    parts: dict[str, Changes] = field(default_factory=dict)


def _berlin(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC).astimezone(BERLIN).replace(tzinfo=None)


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=BERLIN).astimezone(dt.UTC).replace(tzinfo=None)


def changes(seed: int) -> Changes:
    """Thirteen changes over the clock change of 26 October: one stage takes most hours (in four changes), another is usually
    the longest, in a third one change waited for weeks; two changes are not live yet."""
    chance = random.Random(seed)
    worst, usual, once = chance.sample(WAITING, 3)
    rows = []
    for n in range(13):
        moment = dt.datetime(2025, 9, 26, 7) + dt.timedelta(days=4 * n, minutes=chance.randint(0, 200))
        row: dict[str, Any] = {"change": f"#{seed * 10 + n}", "written": moment}
        for stage, name in zip(STAGES, MOMENTS[1:], strict=True):
            hours = chance.randint(1, 6)
            if stage == usual:
                hours = chance.randint(14, 18)
            elif stage == worst and n in (1, 3, 8, 9):
                hours = chance.randint(160, 180)
            elif stage == once and n == 4:
                hours = chance.randint(340, 360)
            moment += dt.timedelta(hours=hours, minutes=chance.randrange(0, 60, 5))
            row[name] = moment
        row["live"] = _berlin(moment)
        rows.append(row)
    for n, gone in ((6, ("live",)), (11, ("merged", "live"))):
        rows[n] |= dict.fromkeys(gone)
    summer = [row for row in rows if row["live"] and row["live"] < CLOCK_CHANGE]
    winter = [row for row in rows if row["live"] and row["written"] > CLOCK_CHANGE]
    parts = {"changes before 26 October": _measured(summer), "changes after 26 October": _measured(winter)}
    return replace(_measured(rows), parts=parts)


def _measured(rows: list[dict[str, Any]]) -> Changes:
    """What is true of these changes, and what usual slips would make of them."""
    done = [row for row in rows if row["live"]]
    return Changes(
        rows,
        *_truth(done, _utc),
        _other_stages(done),
        {
            "berlin-as-utc": _truth(done, lambda m: m)[:2],
            "summer-time": _truth(done, lambda m: m - dt.timedelta(hours=2))[:2],
            "winter-time": _truth(done, lambda m: m - dt.timedelta(hours=1))[:2],
            "mean": (mean(_hours(row["written"], _utc(row["live"])) for row in done), -1.0),
            "mean-of-shares": (-1.0, mean(_truth([row], _utc)[1] for row in done)),
            "review-waits": (-1.0, _truth(done, _utc, (*WAITING, "review"))[1]),
            "without-writing": (median(_hours(row["asked"], _utc(row["live"])) for row in done), -1.0),
            "open-changes": (median([*(_hours(r["written"], _utc(r["live"])) for r in done), 0.0, 0.0]), -1.0),
        },
    )


def _hours(first: dt.datetime, last: dt.datetime) -> float:
    return (last - first).total_seconds() / 3600


def _truth(done: list[dict[str, Any]], to_utc: Any, waiting: tuple[str, ...] = WAITING) -> tuple[float, float, str]:
    """(median lead time in hours, share of waiting, stage with the most hours) of changes that are live."""
    spent = dict.fromkeys(STAGES, 0.0)
    leads = []
    for row in done:
        moments = [*(row[name] for name in MOMENTS[:-1]), to_utc(row["live"])]
        for stage, first, last in zip(STAGES, moments[:-1], moments[1:], strict=True):
            spent[stage] += _hours(first, last)
        leads.append(_hours(moments[0], moments[-1]))
    return median(leads), sum(spent[s] for s in waiting) / sum(spent.values()), max(spent, key=spent.__getitem__)


SAID = {
    "berlin-as-utc": "`live` is Berlin's wall clock, the other five are UTC: you took an hour or two that nobody waited.",
    "summer-time": "Two hours is right until 26 October. After it Berlin is one hour ahead.",
    "winter-time": "One hour is right since 26 October. Before it Berlin was two hours ahead.",
    "mean": "That is the mean. One change took weeks and pulls it up; the median says what a usual change takes.",
    "mean-of-shares": "That is the mean of each change's share. Asked is the share of all hours together.",
    "review-waits": "While somebody reads, nobody waits: `review` is work.",
    "without-writing": "The lead time begins with the first commit (`written`), not when review is asked for.",
    "open-changes": "Changes that are not live yet have no lead time; 0 hours would flatter you.",
}


def _other_stages(done: list[dict[str, Any]]) -> dict[str, str]:
    """The stage that is usually longest, and the one with the longest single wait, by cause."""
    every: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for row in done:
        moments = [*(row[name] for name in MOMENTS[:-1]), _utc(row["live"])]
        for stage, first, last in zip(STAGES, moments[:-1], moments[1:], strict=True):
            every[stage].append(_hours(first, last))
    return {
        "usual-stage": max(STAGES, key=lambda stage: median(every[stage])),
        "single-wait": max(STAGES, key=lambda stage: max(every[stage])),
    }


def _got(work: Work, data: Changes) -> dict[str, Any]:
    return mapping(work.call("flow", data.rows), "What you return", ("lead_hours", "waiting_share", "worst"))


def _compared(data: Changes, at: int, got: float, want: float, key: str, near: float, what: str) -> None:
    """Refuses a value that is off, and names the slip that gives exactly this one."""
    if abs(got - want) <= near:
        return
    cause = next((c for c, values in data.mistakes.items() if abs(got - values[at]) <= near), f"other-{key}")
    raise NotYet(
        SAID.get(cause, f"`{key}` is off by {abs(got - want):.3f}."),
        tried=f"flow(changes), {what}",
        expected=f"{key}: {want:.3f}",
        got=f"{key}: {got:.3f}",
        cause=cause,
    )


def lead_time(work: Work, data: Changes) -> str:
    for what, part in {"all changes": data, **data.parts}.items():
        got = number(_got(work, part)["lead_hours"], "lead_hours", tried=f"flow(changes), {what}")
        _compared(part, 0, got, part.lead, "lead_hours", 0.005, what)
    return f"A usual change takes {data.lead:.1f} hours from the first commit to production."


def waiting_share(work: Work, data: Changes) -> str:
    got = number(_got(work, data)["waiting_share"], "waiting_share")
    if abs(got - 100 * data.share) < 0.1:
        raise NotYet(
            "A share lies between 0 and 1.", tried="flow(changes)", expected=f"{data.share:.3f}", got=got, cause="percent"
        )
    _compared(data, 1, got, data.share, "waiting_share", 0.0005, "all changes")
    return f"{data.share:.0%} of that time nobody works on it."


def worst_stage(work: Work, data: Changes) -> str:
    got = one_of(_got(work, data)["worst"], STAGES, "worst", "the name of a stage", cause="stage-name")
    if got == data.worst:
        return f"Most hours are lost in “{data.worst}”."
    said, cause = "`worst` is the stage in which most hours go by, added up over all changes that are live.", "stage"
    if got == data.stages["usual-stage"]:
        said, cause = (
            "That stage is usually the longest. Most hours, added up over all changes, go by in another.",
            "usual-stage",
        )
    elif got == data.stages["single-wait"]:
        said = "The longest single wait is in that stage. Most hours, added up over all changes, go by in another."
        cause = "single-wait"
    raise NotYet(said, tried="flow(changes)", expected=data.worst, got=got, cause=cause)


_FLOW = """
def flow(changes):
    import datetime as dt
    from statistics import mean, median
    from zoneinfo import ZoneInfo
    names = ["written", "asked", "reviewed", "approved", "merged", "live"]
    stages = ["writing", "waiting for review", "review", "waiting for merge", "waiting for release"]
    spent = dict.fromkeys(stages, 0)
    leads, shares = [], []
    for change in changes:
        if change["live"] is None:
            {open}
        live = change["live"]
        times = [change[n] for n in names[:-1]] + [{utc}]
        hours = [(b - a).total_seconds() / 3600 for a, b in zip(times, times[1:])]
        for stage, h in zip(stages, hours):
            spent[stage] += h
        leads.append({lead})
        shares.append(sum(h for s, h in zip(stages, hours) if s.startswith("waiting")) / sum(hours))
    waited = {waited}
    return {"lead_hours": {middle}(leads), "waiting_share": {share}, "worst": {worst}}
"""


def _flow(**parts: str) -> str:
    usual = {
        "open": "continue",
        "lead": "sum(hours)",
        "middle": "median",
        "share": "waited / sum(spent.values())",
        "utc": "live.replace(tzinfo=ZoneInfo('Europe/Berlin')).astimezone(dt.timezone.utc).replace(tzinfo=None)",
        "waited": "sum(h for s, h in spent.items() if s.startswith('waiting'))",
        "worst": "max(spent, key=spent.get)",
    }
    text = _FLOW
    for key, value in {**usual, **parts}.items():
        text = text.replace("{" + key + "}", value)
    return text


def _by_stage(which: str) -> str:
    """An answer whose `worst` is the stage with the largest median, or maximum, of hours in one change."""
    every = "    every = {s: [] for s in stages}\n    leads, shares"
    kept = "            spent[stage] += h\n            every[stage].append(h)"
    text = _flow(worst=f"max(stages, key=lambda s: {which}(every[s]))")
    return text.replace("    leads, shares", every).replace("            spent[stage] += h", kept)


TASK_5 = Task(
    id="01.5",
    title="Where the time goes",
    minutes=10,
    points=2,
    deliver=(function("flow"),),
    data=changes,
    checks=(
        Check("lead time: the median, from first commit to live", lead_time, expected=lambda d: d.lead),
        Check("waiting share: of all hours together", waiting_share, expected=lambda d: d.share),
        Check("the stage where most hours go by", worst_stage),
    ),
    hints=(
        "Bring all six moments onto one clock before you subtract anything, and leave out what is not live.",
        "`live.replace(tzinfo=ZoneInfo('Europe/Berlin')).astimezone(timezone.utc).replace(tzinfo=None)` knows the clock change. Five differences of six moments are the five stages.",
        "Add up the hours of each stage over all live changes: the waiting ones over all of them is the share, the largest is the worst, `statistics.median` of the sums per change is the lead time.",
    ),
    wrong=(
        wrong("one clock for all", _flow(utc="live"), "berlin-as-utc"),
        wrong("always two hours", _flow(utc="live - dt.timedelta(hours=2)"), "summer-time"),
        wrong("always one hour", _flow(utc="live - dt.timedelta(hours=1)"), "winter-time"),
        wrong("the mean", _flow(middle="mean"), "mean"),
        wrong("the mean of shares", _flow(share="mean(shares)"), "mean-of-shares"),
        wrong(
            "review counts as waiting", _flow(waited="sum(h for s, h in spent.items() if s != 'writing')"), "review-waits"
        ),
        wrong("begins at the review", _flow(lead="sum(hours[1:])"), "without-writing"),
        wrong("open changes take no time", _flow(open="leads.append(0); continue"), "open-changes"),
        wrong("in per cent", _flow(share="100 * waited / sum(spent.values())"), "percent"),
        wrong("the shortest stage", _flow(worst="min(spent, key=spent.get)"), "stage"),
        wrong("the stage that is usually longest", _by_stage("median"), "usual-stage"),
        wrong("the longest single wait", _by_stage("max"), "single-wait"),
        wrong("the number of the stage", _flow(worst="stages.index(max(spent, key=spent.get))"), "stage-name"),
        wrong("only the lead time", _flow().replace('"worst"', '"slowest"'), "keys"),
    ),
    clauses={
        "in UTC": "one clock for all",
        "in Berlin": "always two hours",
        "leave it out": "open changes take no time",
        "lead_hours: the median": "the mean",
        "from written to live": "begins at the review",
        "the hours of the three waiting stages": "review counts as waiting",
        "as a share (0 to 1)": "in per cent",
        "over all live changes together": "the mean of shares",
        "the stage in which most hours go by, added up": "the stage that is usually longest",
    },
    right=(
        right("as above, shorter names", _flow(worst="sorted(spent.items(), key=lambda item: -item[1])[0][0]")),
        right(
            "with pandas",
            """
def flow(changes):
    import pandas as pd
    table = pd.DataFrame(changes).dropna()
    names = ["written", "asked", "reviewed", "approved", "merged", "live"]
    for name in names:
        table[name] = pd.to_datetime(table[name])
    table["live"] = table.live.dt.tz_localize("Europe/Berlin").dt.tz_convert("UTC").dt.tz_localize(None)
    stages = ["writing", "waiting for review", "review", "waiting for merge", "waiting for release"]
    hours = pd.DataFrame({s: (table[b] - table[a]).dt.total_seconds() / 3600 for s, a, b in zip(stages, names, names[1:])})
    total = hours.sum()
    waits = total[[s for s in stages if s.startswith("waiting")]].sum()
    return {"lead_hours": float(hours.sum(axis=1).median()), "waiting_share": float(waits / total.sum()), "worst": str(total.idxmax())}
""",
        ),
    ),
)
