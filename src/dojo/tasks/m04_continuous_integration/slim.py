"""Task 04.4: build what changed and what reads it, defer to main for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m04_continuous_integration import gate
from dojo.tasks.m04_continuous_integration.pull_requests import PullRequest, _edit, _variants, request

SLIM = "repo/.github/workflows/slim.yml"
_TRIED: WeakKeyDictionary = WeakKeyDictionary()


@dataclass(frozen=True)
class Changes:
    """Three pull requests: one model touched, no model touched, a model that breaks its contract or its reader."""

    model: str
    reader: str
    small: PullRequest
    words: PullRequest
    broken: PullRequest


@cache
def changes(seed: int) -> Changes:
    """A data set; the other touches other models."""
    second = seed // 10 % 2 == 0
    small = _trimmed() if second else _variants("good")[0]
    model, reader = ("stg_products", "dim_product") if second else ("dim_date", "daily_revenue")
    words = _variants("cosmetic")[1] if not second else PullRequest("cosmetic", "On-call rota", "green", (_edit("docs/on-call.md", ("The platform team takes turns", "We take turns")),))  # fmt: skip
    broken = _variants("unit test")[1] if second else _breaks_reader()
    return Changes(model, reader, small, words, broken)


def _trimmed() -> PullRequest:
    """A change to a staging view, which reads the sample itself: sources are not deferred."""
    edited = _edit("dbt/models/staging/stg_products.sql", ("    name,", "    trim(name) as name,"))
    return PullRequest("good", "No blanks around product names", "green", (edited,))


def _breaks_reader() -> PullRequest:
    """A change that is fine by itself and breaks a model that reads it."""
    path = "dbt/models/staging/stg_exchange_rates.sql"
    return PullRequest(
        "broken reader", "Plain name for the rate", "red", (_edit(path, ("    eur_per_unit", "    eur_per_unit as rate")),)
    )


def _tried(work: Work, data: Changes) -> dict[str, dict[str, Any]]:
    known = _TRIED.setdefault(work, {})
    if data.model not in known:
        text = work.file(SLIM)
        pulls = (data.small, data.words, data.broken)
        done: list[dict] = []
        if not (work.isolated is not None and gate.problems(text)):
            done = work.tool("act", request(text, pulls[:1], baseline=True))
            if done[0]["colour"] == "green" or work.isolated is None:
                done += work.tool("act", request(text, pulls[1:], baseline=True))
        known[data.model] = dict(zip(("small", "words", "broken"), done, strict=False))
    return known[data.model]


WORKS = {"build", "run", "test", "snapshot"}
"""dbt's commands that touch the warehouse."""


def _models(result: dict[str, Any]) -> set[str]:
    """Names of the models and snapshots that dbt worked on."""
    nodes = [n for c in result["commands"] if WORKS & set(c["arguments"]) for n in c["nodes"] or []]
    return {
        n[0].split(".")[2] for n in nodes if n[0].startswith(("model.", "snapshot.")) and n[1] not in ("skipped", "no-op")
    }


def _nodes(result: dict[str, Any]) -> list[str]:
    return [n[0] for c in result["commands"] if WORKS & set(c["arguments"]) for n in c["nodes"] or [] if n[1] != "no-op"]


def framed(work: Work, data: Changes) -> str:
    return gate.framed(work, SLIM)


def small_is_small(work: Work, data: Changes) -> str:
    result = _run(work, data, "small")
    if result["colour"] != "green":
        raise _not_green(data.small, result)
    built = _models(result)
    tried = f"“{data.small.title}”, which touches {data.model}"
    if not result["commands"]:
        raise NotYet("dbt did not run at all.", tried=tried, cause="no-dbt")
    if data.model not in built:
        raise NotYet(
            f"`{data.model}` was changed and not built.",
            tried=tried,
            expected=data.model,
            got=sorted(built) or "nothing",
            cause="not-built",
        )
    if "stg_payments" in built or len(built) > 4:
        raise NotYet(f"{len(built)} models built; the change touches one. Select by state, against main's manifest.", tried=tried, expected=f"{data.model} and what reads it", got=sorted(built), cause="full-build")  # fmt: skip
    if not any(data.reader in n for n in _nodes(result)):
        raise NotYet(
            f"`{data.model}` was built and nothing that reads it was tried: `{data.reader}` is downstream. A plus sign after the selector takes the readers along.",
            tried=tried, expected=f"{data.model} and {data.reader}", got=sorted(built), cause="no-dependants",
        )  # fmt: skip
    return f"{len(built)} of 13 models built for “{data.small.title}”."


def words_build_nothing(work: Work, data: Changes) -> str:
    result = _run(work, data, "words")
    if result["colour"] != "green":
        raise _not_green(data.words, result)
    nodes = _nodes(result)
    if nodes:
        raise NotYet(
            f"A change of words made dbt work on {len(nodes)} nodes.",
            tried=f"“{data.words.title}”",
            expected="0 nodes",
            got=f"{len(nodes)} nodes",
            cause="full-build",
        )
    return f"Nothing built for “{data.words.title}”."


def broken_is_red(work: Work, data: Changes) -> str:
    result = _run(work, data, "broken")
    if result["colour"] != "red":
        raise NotYet(
            f"“{data.broken.title}” ({data.broken.kind}) came out {result['colour']}. Fast and blind is no gain: the changed model and its readers must be built and tested.",
            tried=data.broken.title, expected="red", got=f"{result['colour']}; built {sorted(_models(result)) or 'nothing'}", cause="blind",
        )  # fmt: skip
    return f"“{data.broken.title}” is stopped all the same."


def _run(work: Work, data: Changes, which: str) -> dict[str, Any]:
    found = _tried(work, data)
    if which not in found:
        raise NotYet("Not executed yet: mend what the first checks say.", cause="not-run")
    return found[which]


def _not_green(pull: PullRequest, result: dict[str, Any]) -> NotYet:
    step = next((s for s in result["steps"] if f"{s['job']} / {s['name']}" == result["decided"]), None)
    words = (step["said"] if step else result["said"]).strip()
    cause, why = "good-is-red", ""
    if "does not exist" in words or "Catalog Error" in words:
        cause, why = (
            "no-defer",
            " dbt looked for a table that this run did not build. With `--defer` it takes main's, in baseline.duckdb, which only the target `slim` has attached.",
        )
    elif "manifest" in words or "--state" in words or "baseline" in words:
        cause, why = (
            "no-state",
            " main's manifest was not there: restore the cache `shopflow-baseline-main` into `baseline/` first, and mind that dbt reads `--state` from the project's folder (`../baseline`).",
        )
    tail = "\n".join(line for line in words.splitlines() if line.strip())[-500:]
    return NotYet(
        f"“{pull.title}” is fine and came out {result['colour']} at {result['decided'] or 'the start'}.{why}",
        tried=pull.title,
        expected="green",
        got=tail,
        cause=cause,
    )


RESTORE = """      - name: What main built last
        uses: actions/cache/restore@0400d5f644dc74513175e3cd8d07132dd4860809
        with:
          path: baseline
          key: shopflow-baseline-main
          fail-on-cache-miss: true
"""
BUILD = "dbt build --select state:modified+ --defer --state ../baseline --project-dir dbt --profiles-dir ci --target slim"


def _workflow(build: str, restore: str = RESTORE) -> dict[str, str]:
    from dojo.tasks.m04_continuous_integration.writing import HEAD

    head = HEAD.replace("ci.duckdb\n", "ci.duckdb\n  SHOPFLOW_BASELINE: ${{ github.workspace }}/baseline/baseline.duckdb\n")
    return {SLIM: head + restore + f"      - run: python ci/load_sample.py\n      - run: {build}\n"}


def _absolute(text: str) -> str:
    return text.replace("--state ../baseline", '--state "$GITHUB_WORKSPACE/baseline"')


TASK = Task(
    id="04.4",
    title="Only what changed",
    minutes=15,
    points=3,
    deliver=(file(SLIM),),
    data=changes,
    checks=(
        Check("starts on every pull request, with a reader's token and a time limit", framed),
        Check("builds the changed model and its readers, not the rest", small_is_small, expected=lambda d: d.model),
        Check("builds nothing for a change of words", words_build_nothing),
        Check("still stops a change that breaks something", broken_is_red),
    ),
    hints=(
        "dbt can compare this branch's manifest with main's. What must the run have from main, and where is it kept?",
        "Restore the cache with actions/cache/restore (`key: shopflow-baseline-main`, `path: baseline`), then select `state:modified+` with `--state` and `--defer`, target `slim`.",
        "`dbt build --select state:modified+ --defer --state ../baseline --project-dir dbt --profiles-dir ci --target slim`, after the sample was loaded.",
    ),
    seconds=150.0,
    mutants=5,
    wrong=(
        wrong("the whole project", _workflow("dbt build --project-dir dbt --profiles-dir ci"), "full-build"),
        wrong("changed models only, not their readers", _workflow(BUILD.replace("modified+", "modified")), "no-dependants"),
        wrong("no defer", _workflow(BUILD.replace("--defer ", "")), "no-defer"),
        wrong("nothing restored", _workflow(BUILD, ""), "no-state"),
        wrong("selects by a name", _workflow(BUILD.replace("state:modified+", "dim_customer+")), "not-built"),
        wrong("compiles and builds nothing", _workflow(BUILD.replace("dbt build", "dbt compile")), "not-built"),
    ),
    right=(
        right("state by an absolute path", _workflow(_absolute(BUILD))),
        right("run the models, then the tests", _workflow(BUILD.replace("dbt build", "dbt run") + "\n      - run: " + BUILD.replace("dbt build", "dbt test"))),
    ),
    spared={"fail-on-cache-miss": "the cache is always there in the judge's runs", "timeout-minutes": "a minute more or less decides nothing here", "10 →": "a minute more or less decides nothing here", "persist-credentials": "judged in 04.5", ".steps[0].with": "judged in 04.5", "SHOPFLOW_BASELINE": "the default path is the same place"},
)  # fmt: skip
