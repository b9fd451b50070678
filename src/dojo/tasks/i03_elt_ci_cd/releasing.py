"""Tasks i03.4 and i03.5: a release that leaves production alone when anything fails, and its undoing; both executed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dojo.ci import workflow
from dojo.ci.excerpts import excerpt
from dojo.ci.pull_requests import deciding_step, in_repository, judged
from dojo.judge.contract import NotYet
from dojo.judge.work import Work
from dojo.tasks.i03_elt_ci_cd import changes, company

DEPLOY, UNDO = "repo/.github/workflows/deploy.yml", "repo/.github/workflows/rollback.yml"
CI = """name: ci
on: [pull_request, workflow_call]
permissions: {contents: read}
jobs:
  checks:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    env:
      SHOPFLOW_WAREHOUSE: ${{ github.workspace }}/ci.duckdb
      SHOP_API_URL: recorded
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with: {persist-credentials: false}
      - name: Secrets
        run: detect-secrets-hook --baseline .secrets.baseline $(git ls-files)
      - name: Format
        run: ruff format --check .
      - name: Tests of the load
        run: pytest -q
      - name: Load the recorded answers
        run: python -m ingest.shop_api
      - name: Build and test
        run: dbt build --project-dir dbt --profiles-dir dbt
"""
"""The gate that stands on main already; it may be called by a release."""


@dataclass(frozen=True)
class Merge:
    """A merge to main: its kind, its files beside main's, what the API answers when it is released, and what a reader must
    see afterwards."""

    kind: str
    title: str
    edits: tuple[tuple[str, str | None], ...]
    rows: company.Rows
    takings: company.Takings
    column: str = ""

    @property
    def good(self) -> bool:
        """Whether it should be released."""
        return self.kind == "good"


@dataclass(frozen=True)
class Production:
    """The company before the release, and the merges that come.

    killed: the good merge once more, in a release whose runner dies half-way; undo_without: whether a rollback is also
    tried where nothing was ever released.
    """

    seed: int
    before: company.Rows
    now: company.Rows
    merges: tuple[Merge, ...]
    wrong: Merge
    killed: Merge | None
    undo_without: bool

    @property
    def released(self) -> company.Takings:
        """What finance reads before the release."""
        return company.takings(self.before)


@lru_cache(maxsize=4)
def production(seed: int) -> Production:
    """A small company on the evening of a release; two or three merges of which one is good."""
    last = dt.date(2025, 11, 17) + dt.timedelta(days=seed % 6)
    days = company.answers(seed, last - dt.timedelta(days=2), last)
    before, now = days[last - dt.timedelta(days=1)], days[last]
    second = seed % 3 == 1
    good, column = (changes.LARGEST, "largest_eur") if second else (changes.WEEKEND, "is_weekend")
    released = company.takings(before)
    merges = [
        Merge(
            "good",
            "The largest payment of a day" if second else "Say which days are weekends",
            tuple(good),
            now,
            company.takings(now),
            column,
        ),
        Merge(
            "live", "Comment on the takings", changes.variants("cosmetic")[1].changes, _spoilt(before, now, second), released
        ),
    ]
    if not second:
        merges.append(Merge("python", "Ask for everything, to be safe", tuple(changes.ALWAYS_ALL), now, released))
    edits, statuses = (changes.FAILED, ("captured", "failed")) if second else (changes.REFUNDS, ("captured", "refunded"))
    counted = {
        **now,
        "payments": [{**r, "status": "captured" if r["status"] in statuses else "no"} for r in now["payments"]],
    }
    bad = Merge("wrong", "Takings as the provider counts them", tuple(edits), now, company.takings(counted))
    killed = replace(merges[0], kind="killed", title="The runner dies half-way") if second else None
    return Production(seed, before, now, tuple(merges), bad, killed, not second)


def _spoilt(before: company.Rows, now: company.Rows, second: bool) -> company.Rows:
    """Today's rows as no recording has them: payments in a currency without a rate, or one amount with a comma."""
    old = {r["payment_id"] for r in before["payments"]}
    fresh = [r["payment_id"] for r in now["payments"] if r["payment_id"] not in old]
    hit = set(fresh[:1] if second else fresh[::3])
    change = (lambda r: {**r, "amount": r["amount"].replace(".", ",")}) if second else (lambda r: {**r, "currency": "CHF"})
    return {**now, "payments": [change(r) if r["payment_id"] in hit else r for r in now["payments"]]}


# ---------------------------------------------------------------- what the files say


def _release_frame(text: str, path: str, event: str) -> dict[str, Any]:
    found = workflow.read(text, in_repository(path))
    on = workflow.triggers(found)
    if event not in on:
        raise NotYet(f"`{event}` does not start it.", expected=event, got=", ".join(on) or "nothing", cause="trigger")
    if {"pull_request", "pull_request_target"} & set(on):
        raise NotYet(
            "A pull request starts it as well: what nobody has merged would go to production.",
            expected=event,
            got=", ".join(on),
            cause="from-pull-request",
        )
    branches = on["push"].get("branches") if isinstance(on.get("push"), dict) else None
    if event == "push" and branches not in ("main", ["main"]):
        raise NotYet(
            "A push to a branch other than main would be released.",
            expected="push: {branches: [main]}",
            got=f"push: {on['push']}",
            cause="every-branch",
        )
    return found


def _guarded(found: dict[str, Any], text: str) -> None:
    """Raises NotYet unless token, credentials, environment and time are in order."""
    _token_reads(found)
    if company.token() in text:
        raise NotYet(
            "The token stands in the file, and the repository's history keeps it.",
            expected="${{ secrets.SHOP_API_TOKEN }}",
            got="sk_live_…",
            cause="plain-secret",
        )
    if workflow.secrets_in(found.get("env", "")):
        raise NotYet(
            "The secret stands in the workflow's `env`: every job and every action can read it, the tests too.",
            expected="in the one step that loads",
            got=found["env"],
            cause="wide-secret",
        )
    for name, job in workflow.jobs(found).items():
        _job_guarded(name, job)


def _token_reads(found: dict[str, Any]) -> None:
    if any(block is None for block in workflow.permissions(found).values()):
        raise NotYet(
            "No `permissions`: the token holds whatever the organisation's default is.",
            expected="permissions: {contents: read}",
            got="none",
            cause="default-token",
        )
    blocks = [found.get("permissions"), *workflow.permissions(found).values()]
    scopes = [s for b in blocks for s in workflow.write_scopes(b) if s not in ("id-token", "deployments")]
    if scopes:
        raise NotYet(
            "The token may write to the repository; a release writes to the warehouse.",
            got=scopes,
            expected="contents: read",
            cause="write-token",
        )


def _job_guarded(name: str, job: dict[str, Any]) -> None:
    if workflow.secrets_in(job.get("env", "")):
        raise NotYet(
            f"The secret stands in the `env` of job `{name}`: dbt and every action can read it. Only the load needs it.",
            expected="in the one step that loads",
            got=job["env"],
            cause="wide-secret",
        )
    if job.get("secrets") == "inherit":
        raise NotYet(
            f"Job `{name}` inherits every secret. The checks need none.",
            expected="no `secrets`",
            got="secrets: inherit",
            cause="wide-secret",
        )
    touches = set(workflow.secrets_in(job)) - {"GITHUB_TOKEN"} or re.search(r"\$\{\{[^}]*\bvars\b", str(job))
    if touches and workflow.environment_of(job) != "production":
        raise NotYet(
            f"Job `{name}` reaches production without `environment: production`. The secret is kept there, behind the rules that protect it; a job outside gets an empty one.",
            expected="environment: production",
            got=workflow.environment_of(job) or "none",
            cause="no-environment",
        )
    if "uses" not in job and "timeout-minutes" not in job:
        raise NotYet(
            f"Job `{name}` has no `timeout-minutes`: a hanging load holds production's queue for six hours.",
            expected="timeout-minutes: 15",
            got="none",
            cause="no-timeout",
        )
    for _, _, step in workflow.steps({"jobs": {name: job}}):
        if workflow.secrets_in(step.get("run", "")):
            raise NotYet(
                "A secret is written into a command line, where every process on the runner can list it. Hand it over in the step's `env`.",
                expected="env: {SHOP_API_TOKEN: …}",
                got=step["run"],
                cause="secret-in-command",
            )
        if (
            workflow.secrets_in(step.get("env", ""))
            and "shop_api" not in str(step)
            and re.search(r"\bdbt\b|pytest", str(step.get("run", "")))
        ):
            raise NotYet(
                "dbt or the tests can read the secret and do without it.",
                expected="in the step that loads",
                got=step.get("name", step["run"]),
                cause="wide-secret",
            )


def _queue(found: dict[str, Any]) -> str:
    """The concurrency group in which production is changed. NotYet where two releases may run at once or one be cut off."""
    entering = [j for j in workflow.jobs(found).values() if workflow.environment_of(j) == "production"]
    groups = [
        g if isinstance(g, dict) else {"group": g}
        for g in (found.get("concurrency"), *(j.get("concurrency") for j in entering))
        if g
    ]
    if not groups:
        raise NotYet(
            "Two merges in a minute are two releases at once, each writing over what the other does.",
            expected="concurrency: {group: production, cancel-in-progress: false}",
            got="no concurrency",
            cause="no-queue",
        )
    for group in groups:
        if str(group.get("cancel-in-progress", False)).lower() != "false":
            raise NotYet(
                "`cancel-in-progress` cuts off a release that is under way. A gate may be cancelled, a release never.",
                expected="cancel-in-progress: false",
                got=group.get("cancel-in-progress"),
                cause="cancels-release",
            )
        if re.search(r"github\.(sha|run_id|run_number|event)", str(group.get("group"))):
            raise NotYet(
                "Each release has a queue of its own, so nobody waits for anybody.",
                expected="one group",
                got=group.get("group"),
                cause="own-queue",
            )
    return str(groups[0].get("group"))


def framed(work: Work, data: Production) -> str:
    text = work.file(DEPLOY)
    found = _release_frame(text, DEPLOY, "push")
    _guarded(found, text)
    _queue(found)
    return "From main alone, one release at a time, never cut off, with the key in one step of one environment."


# ---------------------------------------------------------------- what the runs do


def story(
    deploy: str, undo: str, merges: list[tuple[str, Merge]], own: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Steps of the runner: (workflow, merge) pairs on one production, with the learner's own files; ours are main's gate and load."""
    steps = []
    for path, merge in merges:
        files = {**company.main_branch(), **(own or {}), in_repository(DEPLOY): deploy, ".github/workflows/ci.yml": CI}
        files |= {in_repository(UNDO): undo} if undo else {}
        files |= {name: text for name, text in merge.edits if text is not None}
        event = "push" if path == DEPLOY else "workflow_dispatch"
        steps.append(
            {
                "name": merge.title,
                "workflow": in_repository(path),
                "files": files,
                "event": event,
                "rows": merge.rows,
                "killed": merge.kind == "killed",
            }
        )
    return steps


Told = dict[str, Any]


def _tell(work: Work, data: Production, stories: list[tuple[str, str, list[tuple[str, Merge]]]]) -> list[list[Told]]:
    own = changes.repository().own(work)
    asked = [story(*one, own) for one in stories]
    told = work.tool(
        "delivery", {"released": company.main_branch(), "rows": data.before, "token": company.token(), "stories": asked}
    )
    for steps, one in zip(told, asked, strict=True):
        for result, step in zip(steps, one, strict=False):
            if not step["killed"]:
                judged(result)
    return told


def _wanted(work: Work, kind: str) -> bool:
    return work.deciding is None or kind in work.deciding


def _released(work: Work, data: Production) -> dict[str, list[Told]]:
    """What came of each merge, by its kind; the good one first: where it is not released, nothing is learnt from the others."""

    def tell() -> dict[str, list[Told]]:
        text = work.file(DEPLOY)
        merges = [m for n, m in enumerate(data.merges) if n == 0 or _wanted(work, m.kind)]
        steps = {m.kind: [(DEPLOY, m)] for m in merges}
        if data.killed and _wanted(work, "killed"):
            steps["killed"] = [(DEPLOY, data.killed), (DEPLOY, data.merges[0])]
        kinds, told = list(steps), {}
        while kinds and (not told or told["good"][0]["colour"] == "green"):
            batch, kinds = kinds[:2], kinds[2:]
            told |= dict(zip(batch, _tell(work, data, [(text, "", steps[kind]) for kind in batch]), strict=True))
        return told

    return work.once(("releases", data.seed), tell)


def _takings(told: Told) -> company.Takings | None:
    return _read(told["marts"])


def _read(marts: dict[str, list[dict[str, Any]]]) -> company.Takings | None:
    """daily_takings among some tables, as finance reads it; None where it is not there."""
    rows = marts.get("daily_takings")
    if rows is None or (rows and not {"business_date", "store_id", "payments", "takings_eur"} <= set(rows[0])):
        return None
    return sorted((str(r["business_date"]), r["store_id"], r["payments"], str(r["takings_eur"])) for r in rows)


def _euros(takings: company.Takings | None) -> Decimal:
    return sum((Decimal(t[3]) for t in takings or []), Decimal(0))


def _counted(takings: company.Takings | None) -> str:
    return "no daily_takings" if takings is None else f"{len(takings)} rows, €{_euros(takings):,.2f}"


def _words(told: Told) -> str:
    step = deciding_step(told)
    words = (step["said"] if step else told["said"]).strip()
    return f"{told['colour']} at {told['decided'] or 'the start'}\n{excerpt(words)}"


def publishes(work: Work, data: Production) -> str:
    merge, told = data.merges[0], _released(work, data)["good"][0]
    tried = f"“{merge.title}” is merged, and the API has a new day"
    if told["colour"] != "green":
        if any(not call[2] for call in told["calls"]):
            raise NotYet(
                "The API refused the load: the token did not reach it. The step that loads needs `env: {SHOP_API_TOKEN: ${{ secrets.SHOP_API_TOKEN }}}`.",
                tried=tried,
                expected="green",
                got=_words(told),
                cause="no-token",
            )
        raise NotYet("A good merge is not released.", tried=tried, expected="green", got=_words(told), cause="good-is-red")
    got = _takings(told)
    if not told["calls"]:
        raise NotYet(
            "The release is green and the API was never asked. Are the recorded answers in production now?",
            tried=tried,
            expected="a load from vars.SHOP_API_URL",
            got="no call",
            cause="recorded-in-prod",
        )
    if got == data.released:
        raise NotYet(
            "Green, and production is what it was: what was built was never put where finance reads, `prod.duckdb` in `vars.WAREHOUSE_FOLDER`.",
            tried=tried,
            expected=_counted(merge.takings),
            got=_counted(got),
            cause="never-published",
        )
    if got != merge.takings:
        raise NotYet(
            "Production does not hold what the load and the models make.",
            tried=tried,
            expected=_counted(merge.takings),
            got=_counted(got),
            cause="other-rows",
        )
    if merge.column not in told["marts"]["daily_takings"][0]:
        columns = sorted(told["marts"]["daily_takings"][0])
        raise NotYet(
            f"The new day is there and the new column `{merge.column}` is not.",
            tried=tried,
            expected=merge.column,
            got=columns,
            cause="old-code",
        )
    return f"Released: {_counted(got)}, with `{merge.column}`."


WHY = {
    "live": "The tests on the recorded answers are green; today's answers hold what no recording had, and a data test or a cast fails on them. Whoever builds in production has replaced tables by then.",
    "python": "The models build and their tests are green; only the tests of the load see this one.",
}


def leaves_alone(work: Work, data: Production) -> str:
    told = _released(work, data)
    for merge in data.merges[1:]:
        if merge.kind not in told:
            continue
        result = told[merge.kind][0]
        tried = f"“{merge.title}” is merged ({merge.kind})"
        got = _takings(result)
        if got != data.released:
            red = result["colour"] == "red"
            cause = "released-untested" if merge.kind == "python" else "half-released" if red else "released-bad"
            how = "The run is red and production has changed all the same" if red else "It was released"
            raise NotYet(
                f"{how}: finance reads {_counted(got)}. {WHY[merge.kind]} Build beside production, and put it in place when everything is green.",
                tried=tried,
                expected=f"{_counted(data.released)}, as before",
                got=_counted(got),
                cause=cause,
            )
        if result["colour"] != "red":
            raise NotYet(
                "Production is as it was, and the run is green: nobody will know that nothing was released.",
                tried=tried,
                expected="red",
                got=result["colour"],
                cause="quiet-failure",
            )
    return f"Bad merges are red, and finance's {_counted(data.released)} untouched."


def never_half(work: Work, data: Production) -> str:
    """At any moment of any of these runs a reader finds production whole; also when the runner dies half-way."""
    told = _released(work, data)
    for merge in data.merges:
        if merge.kind in told:
            allowed = [data.released, merge.takings]
            _whole_throughout(told[merge.kind][0], allowed, f"while “{merge.title}” is released")
    if "killed" in told:
        _survives(told["killed"], data)
    return "Finance finds a whole production at every moment, also when the runner dies half-way."


def _survives(steps: list[Told], data: Production) -> None:
    died, again = steps
    tried = "the runner dies while the release is under way"
    if _takings(died) not in (data.released, data.merges[0].takings):
        raise NotYet(
            "The runner died half-way, and production is neither the old nor the new one.",
            tried=tried,
            expected=_counted(data.released),
            got=_counted(_takings(died)),
            cause="half-released",
        )
    _whole_throughout(died, [data.released, data.merges[0].takings], tried)
    if again["colour"] != "green" or _takings(again) != data.merges[0].takings:
        raise NotYet(
            "The runner died half-way, and the next release does not get through: what the dead one left is in its way.",
            tried=f"{tried}; then the same merge again",
            expected=_counted(data.merges[0].takings),
            got=_words(again) if again["colour"] != "green" else _counted(_takings(again)),
            cause="stuck-after-a-crash",
        )
    _whole_throughout(again, [data.released, data.merges[0].takings], f"{tried}; then the same merge again")


def _whole_throughout(told: Told, allowed: list[company.Takings], tried: str) -> None:
    moments = told["moments"]
    if moments["written"]:
        raise NotYet(
            "`prod.duckdb` was written to in place while it stood where finance reads. Whoever opened it at that moment was refused, or read half of it. Make the new file beside it and `mv` it over the old one: a move within a folder happens at once.",
            tried=tried,
            expected="a file moved into place, whole",
            got="prod.duckdb written to",
            cause="in-place",
        )
    if moments["gone"]:
        raise NotYet(
            "For a moment there was no `prod.duckdb`: it was moved or taken away before the new one stood there. `mv new prod.duckdb` replaces the old file in one step, so that there is always one.",
            tried=tried,
            expected="a production at every moment",
            got="none between two steps",
            cause="gap",
        )
    for marts in moments["shown"]:
        got = _read(marts)
        if got not in allowed:
            raise NotYet(
                "In the middle of the run finance could read something that is neither the old nor the new production.",
                tried=tried,
                expected=" or ".join(dict.fromkeys(map(_counted, allowed))),
                got=_counted(got),
                cause="half-shown",
            )


# ---------------------------------------------------------------- taking it back


def _undone(work: Work, data: Production) -> dict[str, list[Told]]:
    def tell() -> dict[str, list[Told]]:
        deploy, undo = work.file(DEPLOY), work.file(UNDO)
        nothing = Merge("nothing", "Undo, before any release", (), data.now, data.released)
        stories = {"wrong": (deploy, undo, [(DEPLOY, data.wrong), (UNDO, data.wrong)])}
        if data.undo_without and _wanted(work, "nothing"):
            stories["nothing"] = (deploy, undo, [(UNDO, nothing)])
        return dict(zip(stories, _tell(work, data, list(stories.values())), strict=True))

    return work.once(("undone", data.seed), tell)


def undo_framed(work: Work, data: Production) -> str:
    text = work.file(UNDO)
    found = _release_frame(text, UNDO, "workflow_dispatch")
    if "push" in workflow.triggers(found):
        raise NotYet(
            "A push starts it: each release would undo the one before.",
            expected="workflow_dispatch",
            got=", ".join(workflow.triggers(found)),
            cause="undo-on-push",
        )
    _guarded(found, text)
    mine, theirs = _queue(found), _queue(workflow.read(work.file(DEPLOY), in_repository(DEPLOY)))
    if mine != theirs:
        raise NotYet(
            "A release and a rollback wait in different queues, so they may run at once, and they will: one evening, when everybody is in a hurry.",
            expected=f"group: {theirs}",
            got=f"group: {mine}",
            cause="two-queues",
        )
    return "Started by hand, in production's environment and queue."


def goes_back(work: Work, data: Production) -> str:
    release, undo = _undone(work, data)["wrong"]
    if _takings(release) != data.wrong.takings:
        raise NotYet(
            "Your `deploy.yml` did not release the merge that is to be taken back: see i03.4.",
            tried=f"“{data.wrong.title}” is merged",
            expected=_counted(data.wrong.takings),
            got=_words(release) if release["colour"] != "green" else _counted(_takings(release)),
            cause="not-released",
        )
    gap = _euros(data.wrong.takings) - _euros(company.takings(data.now))
    tried = f"“{data.wrong.title}” was released, every test green, and finance reads €{gap:,.2f} too much; then the rollback"
    if undo["colour"] != "green":
        raise NotYet("The rollback fails.", tried=tried, expected="green", got=_words(undo), cause="undo-red")
    got = _takings(undo)
    if got == data.wrong.takings:
        raise NotYet(
            "Green, and finance still reads the wrong release.",
            tried=tried,
            expected=_counted(data.released),
            got=_counted(got),
            cause="not-undone",
        )
    if got not in (data.released, company.takings(data.now)):
        raise NotYet(
            "Production is neither the wrong release nor the one before.",
            tried=tried,
            expected=_counted(data.released),
            got=_counted(got),
            cause="other-rows",
        )
    return f"Back to €{_euros(got):,.2f}, row by row."


def back_without_a_gap(work: Work, data: Production) -> str:
    undo = _undone(work, data)["wrong"][1]
    allowed = [data.wrong.takings, data.released, company.takings(data.now)]
    _whole_throughout(undo, allowed, "while the rollback runs")
    return "And finance could read at every moment of it."


def refuses_without(work: Work, data: Production) -> str:
    told = _undone(work, data).get("nothing")
    if told is None:
        return ""
    result, tried = told[0], "the rollback, where there is nothing to go back to"
    if _takings(result) != data.released:
        raise NotYet(
            "There was nothing to go back to, and production is damaged now.",
            tried=tried,
            expected=f"{_counted(data.released)}, as before",
            got=_counted(_takings(result)),
            cause="destroys",
        )
    if result["colour"] != "red":
        raise NotYet(
            "It says success and has taken nothing back. The person who pressed it will go to bed.",
            tried=tried,
            expected="red",
            got=result["colour"],
            cause="quiet-failure",
        )
    return "Says so where there is nothing to go back to."
