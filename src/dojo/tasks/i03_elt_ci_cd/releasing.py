"""Tasks i03.4 and i03.5: a release that leaves production alone when anything fails, and its undoing; both executed."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from dojo.judge.contract import NotYet
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.i03_elt_ci_cd import changes, company
from dojo.tasks.m04_continuous_integration import gate

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

_TOLD: WeakKeyDictionary = WeakKeyDictionary()


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
    """The company before the release, and the merges that come."""

    before: company.Rows
    now: company.Rows
    merges: tuple[Merge, ...]
    wrong: Merge

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
    second = seed // 10 % 2 == 0
    good, column = (changes.LARGEST, "largest_eur") if second else (changes.WEEKEND, "is_weekend")
    released = company.takings(before)
    merges = [
        Merge("good", "The largest payment of a day" if second else "Say which days are weekends", tuple(good), now, company.takings(now), column),
        Merge("live", "Comment on the takings", changes.variants("cosmetic")[1].changes, _spoilt(before, now, second), released),
    ]  # fmt: skip
    if not second:
        merges.append(Merge("python", "Ask for everything, to be safe", tuple(changes.ALWAYS_ALL), now, released))
    edits, statuses = (changes.FAILED, ("captured", "failed")) if second else (changes.REFUNDS, ("captured", "refunded"))
    counted = {
        **now,
        "payments": [{**r, "status": "captured" if r["status"] in statuses else "no"} for r in now["payments"]],
    }
    bad = Merge("wrong", "Takings as the provider counts them", tuple(edits), now, company.takings(counted))
    return Production(before, now, tuple(merges), bad)


def _spoilt(before: company.Rows, now: company.Rows, second: bool) -> company.Rows:
    """Today's rows as no recording has them: payments in a currency without a rate, or one amount with a comma."""
    old = {r["payment_id"] for r in before["payments"]}
    fresh = [r["payment_id"] for r in now["payments"] if r["payment_id"] not in old]
    hit = set(fresh[:1] if second else fresh[::3])
    change = (lambda r: {**r, "amount": r["amount"].replace(".", ",")}) if second else (lambda r: {**r, "currency": "CHF"})
    return {**now, "payments": [change(r) if r["payment_id"] in hit else r for r in now["payments"]]}


# ---------------------------------------------------------------- what the files say


def _release_frame(text: str, path: str, event: str) -> dict[str, Any]:
    workflow = parse_yaml(text, path)
    if not isinstance(workflow, dict) or not gate.jobs(workflow):
        raise NotYet("The file holds no `jobs`.", cause="no-jobs")
    on = gate.triggers(workflow)
    if event not in on:
        raise NotYet(f"`{event}` does not start it.", expected=event, got=", ".join(map(str, on)) or "nothing", cause="trigger")  # fmt: skip
    if {"pull_request", "pull_request_target"} & set(on):
        raise NotYet("A pull request starts it as well: what nobody has merged would go to production.", got=", ".join(map(str, on)), cause="from-pull-request")  # fmt: skip
    branches = on["push"].get("branches") if isinstance(on.get("push"), dict) else None
    if event == "push" and branches not in ("main", ["main"]):
        raise NotYet("Every push to every branch would be released.", expected="push: {branches: [main]}", got=f"push: {on['push']}", cause="every-branch")  # fmt: skip
    return workflow


def _guarded(workflow: dict[str, Any], text: str) -> None:
    """Raises NotYet unless token, credentials, environment, concurrency and time are in order."""
    blocks = [workflow.get("permissions"), *(j.get("permissions") for j in gate.jobs(workflow).values())]
    if "permissions" not in workflow and any(b is None for b in blocks[1:]):
        raise NotYet("No `permissions`: the token holds whatever the organisation's default is.", expected="permissions: {contents: read}", cause="default-token")  # fmt: skip
    scopes = [s for b in blocks for s in gate.write_scopes(b) if s not in ("id-token", "deployments")]
    if scopes:
        raise NotYet("The token may write to the repository; a release writes to the warehouse.", got=scopes, expected="contents: read", cause="write-token")  # fmt: skip
    if company.token() in text:
        raise NotYet("The token stands in the file, and the repository's history keeps it.", cause="plain-secret")
    if "secrets." in str(workflow.get("env")):
        raise NotYet("The secret stands in the workflow's `env`: every job and every action can read it, the tests too.", expected="in the one step that loads", cause="wide-secret")  # fmt: skip
    for name, job in gate.jobs(workflow).items():
        if "secrets." in str(job.get("env")):
            raise NotYet(f"The secret stands in the `env` of job `{name}`: dbt and every action can read it. Only the load needs it.", expected="in the one step that loads", cause="wide-secret")  # fmt: skip
        if job.get("secrets") == "inherit":
            raise NotYet(f"Job `{name}` inherits every secret. The checks need none.", cause="wide-secret")
        touches = re.search(r"\$\{\{[^}]*\b(secrets\.(?!GITHUB_TOKEN)|vars\.)", str(job))
        if touches and _environment(job) != "production":
            raise NotYet(f"Job `{name}` reaches production without `environment: production`. The secret is kept there, with the people who must approve; a job outside gets an empty one.", expected="environment: production", got=_environment(job) or "none", cause="no-environment")  # fmt: skip
        if "uses" not in job and "timeout-minutes" not in job:
            raise NotYet(f"Job `{name}` has no `timeout-minutes`: a hanging load holds production's queue for six hours.", cause="no-timeout")  # fmt: skip
        for step in job.get("steps") or []:
            if re.search(r"\$\{\{[^}]*secrets\.", str(step.get("run", ""))):
                raise NotYet("A secret is written into a command line, where every process on the runner can list it. Hand it over in the step's `env`.", got=step["run"], cause="secret-in-command")  # fmt: skip


def _environment(job: dict[str, Any]) -> str:
    found = job.get("environment", "")
    return str(found.get("name", "") if isinstance(found, dict) else found)


def _queue(workflow: dict[str, Any]) -> str:
    """The concurrency group in which production is changed. NotYet where two releases may run at once or one be cut off."""
    found = [workflow.get("concurrency"), *(j.get("concurrency") for j in gate.jobs(workflow).values() if _environment(j) == "production")]  # fmt: skip
    groups = [g if isinstance(g, dict) else {"group": g} for g in found if g]
    if not groups:
        raise NotYet("Two merges in a minute are two releases at once, each writing over what the other does.", expected="concurrency: {group: production, cancel-in-progress: false}", got="no concurrency", cause="no-queue")  # fmt: skip
    for group in groups:
        if str(group.get("cancel-in-progress", False)).lower() != "false":
            raise NotYet("`cancel-in-progress` cuts off a release that is under way. A gate may be cancelled, a release never.", expected="cancel-in-progress: false", got=group.get("cancel-in-progress"), cause="cancels-release")  # fmt: skip
        if re.search(r"github\.(sha|run_id|run_number|event)", str(group.get("group"))):
            raise NotYet("Each release has a queue of its own, so nobody waits for anybody.", expected="one group", got=group.get("group"), cause="own-queue")  # fmt: skip
    return str(groups[0].get("group"))


def framed(work: Work, data: Production) -> str:
    text = work.file(DEPLOY)
    workflow = _release_frame(text, DEPLOY, "push")
    _guarded(workflow, text)
    _queue(workflow)
    return "From main alone, one release at a time, never cut off, with the key in one step of one environment."


# ---------------------------------------------------------------- what the runs do


def _story(deploy: str, undo: str, merges: list[tuple[str, Merge]]) -> list[dict[str, Any]]:
    """Steps of the runner: (workflow, merge) pairs on one production."""
    steps = []
    for path, merge in merges:
        files = {**company.main_branch(), ".github/workflows/ci.yml": CI, ".github/workflows/deploy.yml": deploy}
        files |= {".github/workflows/rollback.yml": undo} if undo else {}
        files |= {name: text for name, text in merge.edits if text is not None}
        event = "push" if path == DEPLOY else "workflow_dispatch"
        steps.append({"name": merge.title, "workflow": path.removeprefix("repo/"), "files": files, "event": event, "rows": merge.rows})  # fmt: skip
    return steps


def _tell(work: Work, data: Production, stories: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    return work.tool("delivery", {"released": company.main_branch(), "rows": data.before, "token": company.token(), "stories": stories})  # fmt: skip


def _released(work: Work, data: Production) -> list[dict[str, Any] | None]:
    """What came of each merge, the good one first: where it is not released, nothing is learnt from the others."""
    held = _TOLD.setdefault(work, {})
    if ("deploy", id(data)) not in held:
        text = work.file(DEPLOY)
        stories = [_story(text, "", [(DEPLOY, m)]) for m in data.merges]
        if work.isolated is not None and _unsound(work, data):
            told: list = [None] * len(stories)
        else:
            told = [story[0] for story in _tell(work, data, stories[:2])]
            goes_on = told[0]["colour"] == "green" and (work.isolated is None or _as_it_was(told[1], data))
            told += [s[0] for s in _tell(work, data, stories[2:])] if goes_on and stories[2:] else [None] * len(stories[2:])
        held["deploy", id(data)] = told
    return held["deploy", id(data)]


def _unsound(work: Work, data: Production) -> bool:
    try:
        framed(work, data)
    except NotYet:
        return True
    return False


def _takings(told: dict[str, Any]) -> company.Takings | None:
    rows = told["marts"].get("daily_takings")
    if rows is None or (rows and not {"business_date", "store_id", "payments", "takings_eur"} <= set(rows[0])):
        return None
    return sorted((str(r["business_date"]), r["store_id"], r["payments"], str(r["takings_eur"])) for r in rows)


def _as_it_was(told: dict[str, Any], data: Production) -> bool:
    return _takings(told) == data.released


def _euros(takings: company.Takings | None) -> Decimal:
    return sum((Decimal(t[3]) for t in takings or []), Decimal(0))


def _words(told: dict[str, Any]) -> str:
    step = next((s for s in told["steps"] if f"{s['job']} / {s['name']}" == told["decided"]), None)
    words = (step["said"] if step else told["said"]).strip()
    return f"{told['colour']} at {told['decided'] or 'the start'}\n" + "\n".join(x for x in words.splitlines() if x.strip())[-500:]  # fmt: skip


def publishes(work: Work, data: Production) -> str:
    merge, told = data.merges[0], _released(work, data)[0]
    tried = f"“{merge.title}” is merged, and the API has a new day"
    if told is None:
        raise NotYet("Not executed yet: mend what the first check says.", cause="not-run")
    if told["colour"] != "green":
        refused = any(not c[2] for c in told["calls"])
        if refused:
            raise NotYet("The API refused the load: the token did not reach it. The step that loads needs `env: {SHOP_API_TOKEN: ${{ secrets.SHOP_API_TOKEN }}}`.", tried=tried, expected="green", got=_words(told), cause="no-token")  # fmt: skip
        raise NotYet("A good merge is not released.", tried=tried, expected="green", got=_words(told), cause="good-is-red")
    got = _takings(told)
    if not told["calls"]:
        raise NotYet("The release is green and the API was never asked. Are the recorded answers in production now?", tried=tried, expected="a load from vars.SHOP_API_URL", got="no call", cause="recorded-in-prod")  # fmt: skip
    if got == data.released:
        raise NotYet("Green, and production is what it was: what was built was never put where finance reads, `prod.duckdb` in `vars.WAREHOUSE_FOLDER`.", tried=tried, expected=f"€{_euros(merge.takings):,.2f}", got=f"€{_euros(got):,.2f}", cause="never-published")  # fmt: skip
    if got != merge.takings:
        raise NotYet("Production does not hold what the load and the models make.", tried=tried, expected=f"{len(merge.takings)} rows, €{_euros(merge.takings):,.2f}", got=f"{len(got or [])} rows, €{_euros(got):,.2f}" if got is not None else "no daily_takings", cause="other-rows")  # fmt: skip
    if merge.column not in told["marts"]["daily_takings"][0]:
        raise NotYet(f"The new day is there and the new column `{merge.column}` is not.", tried=tried, cause="old-code")
    return f"Released: {len(got)} rows, €{_euros(got):,.2f}, with `{merge.column}`."


WHY = {
    "live": "The tests on the recorded answers are green; today's answers hold what no recording had, and a data test or a cast fails on them. Whoever builds in production has replaced tables by then.",
    "python": "The models build and their tests are green; only the tests of the load see this one.",
}


def leaves_alone(work: Work, data: Production) -> str:
    told = _released(work, data)
    if told[0] is None or told[0]["colour"] != "green":
        raise NotYet("The good merge does not get through, so an unchanged production proves nothing yet.", cause="not-run")
    for merge, result in zip(data.merges[1:], told[1:], strict=True):
        tried = f"“{merge.title}” is merged ({merge.kind})"
        if result is None:
            raise NotYet("Not run to the end: see what came out wrong first.", cause="not-run")
        got = _takings(result)
        if got != data.released:
            now = "no daily_takings at all" if got is None else f"{len(got)} rows, €{_euros(got):,.2f}"
            cause = "released-untested" if merge.kind == "python" else "half-released" if result["colour"] == "red" else "released-bad"  # fmt: skip
            how = (
                "The run is red and production has changed all the same" if result["colour"] == "red" else "It was released"
            )
            raise NotYet(f"{how}: finance reads {now}. {WHY[merge.kind]} Build beside production, and put it in place when everything is green.", tried=tried, expected=f"{len(data.released)} rows, €{_euros(data.released):,.2f}, as before", got=now, cause=cause)  # fmt: skip
        if result["colour"] != "red":
            raise NotYet("Production is as it was, and the run is green: nobody will know that nothing was released.", tried=tried, expected="red", got=result["colour"], cause="quiet-failure")  # fmt: skip
    return f"{len(told) - 1} bad merges, red, and finance's €{_euros(data.released):,.2f} untouched."


# ---------------------------------------------------------------- undoing


def _undone(work: Work, data: Production) -> list[list[dict[str, Any]] | None]:
    held = _TOLD.setdefault(work, {})
    if ("undo", id(data)) not in held:
        deploy, undo = work.file(DEPLOY), work.file(UNDO)
        nothing = Merge("nothing", "Undo, before any release", (), data.now, data.released)
        stories = [_story(deploy, undo, [(DEPLOY, data.wrong), (UNDO, data.wrong)])]
        stories += [_story(deploy, undo, [(UNDO, nothing)])] if data.wrong.edits == tuple(changes.REFUNDS) else []
        sound = work.isolated is None or not _undo_unsound(work, data)
        held["undo", id(data)] = _tell(work, data, stories) if sound else [None] * len(stories)
    return held["undo", id(data)]


def _undo_unsound(work: Work, data: Production) -> bool:
    try:
        undo_framed(work, data)
    except NotYet:
        return True
    return False


def undo_framed(work: Work, data: Production) -> str:
    text = work.file(UNDO)
    workflow = _release_frame(text, UNDO, "workflow_dispatch")
    if "push" in gate.triggers(workflow):
        raise NotYet("A push starts it: each release would undo the one before.", cause="undo-on-push")
    _guarded(workflow, text)
    mine, theirs = _queue(workflow), _queue(parse_yaml(work.file(DEPLOY), DEPLOY))
    if mine != theirs:
        raise NotYet("A release and its undoing wait in different queues, so they may run at once, and they will: one evening, when everybody is in a hurry.", expected=f"group: {theirs}", got=f"group: {mine}", cause="two-queues")  # fmt: skip
    return "Started by hand, in production's environment and queue."


def goes_back(work: Work, data: Production) -> str:
    story = _undone(work, data)[0]
    if story is None:
        raise NotYet("Not executed yet: mend what the first check says.", cause="not-run")
    release, undo = story
    if _takings(release) != data.wrong.takings:
        raise NotYet("Your `deploy.yml` did not release the merge that is to be undone: see i03.4.", got=_words(release) if release["colour"] != "green" else f"€{_euros(_takings(release)):,.2f}", cause="not-released")  # fmt: skip
    gap = _euros(data.wrong.takings) - _euros(company.takings(data.now))
    tried = f"“{data.wrong.title}” was released, every test green, and finance reads €{gap:,.2f} too much; then the undoing"
    if undo["colour"] != "green":
        raise NotYet("The undoing fails.", tried=tried, expected="green", got=_words(undo), cause="undo-red")
    got = _takings(undo)
    if got == data.wrong.takings:
        raise NotYet("Green, and finance still reads the wrong release.", tried=tried, expected=f"€{_euros(data.released):,.2f}", got=f"€{_euros(got):,.2f}", cause="not-undone")  # fmt: skip
    if got not in (data.released, company.takings(data.now)):
        raise NotYet("Production is neither the wrong release nor the one before.", tried=tried, expected=f"{len(data.released)} rows, €{_euros(data.released):,.2f}", got="no daily_takings" if got is None else f"{len(got)} rows, €{_euros(got):,.2f}", cause="other-rows")  # fmt: skip
    return f"Back to €{_euros(got):,.2f}, row by row."


def refuses_without(work: Work, data: Production) -> str:
    told = _undone(work, data)
    if len(told) == 1:
        return ""
    if told[1] is None:
        raise NotYet("Not executed yet: mend what the first check says.", cause="not-run")
    result = told[1][0]
    tried = "the undoing, where there is nothing to go back to"
    if _takings(result) != data.released:
        raise NotYet("There was nothing to go back to, and production is damaged now.", tried=tried, expected=f"{len(data.released)} rows as before", got=f"{len(_takings(result) or [])} rows", cause="destroys")  # fmt: skip
    if result["colour"] != "red":
        raise NotYet("It says success and has undone nothing. The person who pressed it will go to bed.", tried=tried, expected="red", got=result["colour"], cause="quiet-failure")  # fmt: skip
    return "Says so where there is nothing to go back to."
