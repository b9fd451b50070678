"""Task 04.4: build what changed and what reads it, defer to main for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from dojo.ci.excerpts import excerpt
from dojo.ci.pull_requests import PullRequest, Tried, deciding_step, tried
from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m04_continuous_integration.pull_requests import _edit, _variants, repository
from dojo.tasks.m04_continuous_integration.writing import FRAME, HEAD, framed

SLIM = "repo/.github/workflows/slim.yml"


@dataclass(frozen=True)
class Changes:
    """Three pull requests: one model touched, no model touched, a model that breaks its contract or its reader.

    without_cache: whether the first is tried again where main's run left nothing.
    """

    model: str
    reader: str
    small: PullRequest
    words: PullRequest
    broken: PullRequest
    without_cache: bool = True


@cache
def changes(seed: int) -> Changes:
    """A data set; seeds of another class modulo 3 touch other models."""
    if seed % 3 == 1:
        words = PullRequest(
            "words", "On-call rota", "green", (_edit("docs/on-call.md", ("The platform team takes turns", "We take turns")),)
        )
        return Changes("stg_products", "dim_product", _trimmed(), words, _as_broken(_variants("unit test")[1]), False)
    words = PullRequest("words", *_words(_variants("cosmetic")[1]))
    if seed % 3 == 2:
        return Changes("dim_date", "daily_revenue", _as_small(_variants("good")[0]), words, _breaks_reader())
    return Changes("dim_store", "daily_revenue", _as_small(_variants("good")[1]), words, _breaks_reader())


def _words(pull: PullRequest) -> tuple[str, str, tuple]:
    return pull.title, pull.colour, pull.changes


def _as_small(pull: PullRequest) -> PullRequest:
    return PullRequest("small", *_words(pull))


def _as_broken(pull: PullRequest) -> PullRequest:
    return PullRequest("broken", *_words(pull))


def _trimmed() -> PullRequest:
    """A change to a staging view, which reads the sample itself: sources are not deferred."""
    edited = _edit("dbt/models/staging/stg_products.sql", ("    name,", "    trim(name) as name,"))
    return PullRequest("small", "No blanks around product names", "green", (edited,))


def _breaks_reader() -> PullRequest:
    """A change that is fine by itself and breaks a model that reads it."""
    path = "dbt/models/staging/stg_exchange_rates.sql"
    edited = _edit(path, ("    eur_per_unit", "    eur_per_unit as rate"))
    return PullRequest("broken", "Plain name for the rate", "red", (edited,))


CACHED, FRESH = True, False


def _tried(work: Work, data: Changes) -> dict[str, Tried]:
    rows = tried(work, "act", SLIM, repository(), (data.small, data.words, data.broken), baseline=CACHED)
    return {row.pull.kind: row for row in rows}


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


def small_is_small(work: Work, data: Changes) -> str:
    result = _green(_tried(work, data)["small"])
    built = _models(result)
    tried_on = f"“{data.small.title}”, which touches {data.model}"
    if not result["commands"]:
        raise NotYet(
            "dbt did not run at all.", tried=tried_on, expected=data.model, got="no command of dbt's", cause="no-dbt"
        )
    if data.model not in built:
        raise NotYet(
            f"`{data.model}` was changed and not built.",
            tried=tried_on,
            expected=data.model,
            got=sorted(built) or "nothing",
            cause="not-built",
        )
    if "stg_payments" in built or len(built) > 4:
        raise NotYet(
            f"{len(built)} models built; the change touches one. Select by state, against main's manifest.",
            tried=tried_on,
            expected=f"{data.model} and what reads it",
            got=sorted(built),
            cause="full-build",
        )
    if not any(data.reader in n for n in _nodes(result)):
        raise NotYet(
            f"`{data.model}` was built and nothing that reads it was tried: `{data.reader}` is downstream. A plus sign after the selector takes the readers along.",
            tried=tried_on,
            expected=f"{data.model} and {data.reader}",
            got=sorted(built),
            cause="no-dependants",
        )
    return f"{len(built)} of 13 models built for “{data.small.title}”."


def broken_is_red(work: Work, data: Changes) -> str:
    row = _tried(work, data).get("broken")
    if row is None or row.result is None:
        return ""
    if not row.as_it_should:
        built = sorted(_models(row.result)) or "nothing"
        raise NotYet(
            f"“{row.pull.title}” came out {row.result['colour']}. Fast and blind is no gain: the changed model and its readers must be built and tested.",
            tried=row.pull.title,
            expected="red",
            got=f"{row.result['colour']}; built {built}",
            cause="blind",
        )
    return f"“{row.pull.title}” is stopped all the same."


def words_build_nothing(work: Work, data: Changes) -> str:
    row = _tried(work, data).get("words")
    if row is None or row.result is None:
        return ""
    nodes = _nodes(_green(row))
    if nodes:
        raise NotYet(
            f"A change of words made dbt work on {len(nodes)} nodes.",
            tried=f"“{row.pull.title}”",
            expected="0 nodes",
            got=f"{len(nodes)} nodes",
            cause="full-build",
        )
    return f"Nothing built for “{row.pull.title}”."


def works_without_a_cache(work: Work, data: Changes) -> str:
    """The cache may be missing: then the run builds everything and is right all the same."""
    if not data.without_cache or (work.deciding is not None and "no cache" not in work.deciding):
        return ""
    small = PullRequest("no cache", *_words(data.small))
    result = tried(work, "act", SLIM, repository(), (small,), baseline=FRESH)[0].result
    where = f"“{small.title}”, and no cache of main's"
    if result["colour"] != "green":
        raise NotYet(
            f"There is no cache, as after seven days without a run, and a change that is fine came out {result['colour']} at {result['decided'] or 'the start'}.",
            tried=where,
            expected="green, everything built",
            got=_said(result),
            cause="needs-the-cache",
        )
    built = _models(result)
    if data.model not in built or "fact_sales" not in built:
        raise NotYet(
            "There is no cache, and the run is green without having built the models: a slow run is right, a blind one is not.",
            tried=where,
            expected="every model built and tested",
            got=sorted(built) or "nothing built",
            cause="blind-without-cache",
        )
    return f"And {len(built)} models where main left nothing."


def _green(row: Tried) -> dict[str, Any]:
    if row.result["colour"] != "green":
        raise _not_green(row.pull, row.result)
    return row.result


def _said(result: dict[str, Any]) -> str:
    step = deciding_step(result)
    return excerpt((step["said"] if step else result["said"]).strip())


def _not_green(pull: PullRequest, result: dict[str, Any]) -> NotYet:
    step = deciding_step(result)
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
    return NotYet(
        f"“{pull.title}” is fine and came out {result['colour']} at {result['decided'] or 'the start'}.{why}",
        tried=pull.title,
        expected="green",
        got=excerpt(words) or result["colour"],
        cause=cause,
    )


RESTORE = """      - name: What main built last
        uses: actions/cache/restore@0400d5f644dc74513175e3cd8d07132dd4860809
        with:
          path: baseline
          key: shopflow-baseline-main
"""
FLAGS = "--project-dir dbt --profiles-dir ci"
BUILD = f"dbt build --select state:modified+ --defer --state ../baseline {FLAGS} --target slim"
WHOLE = f"dbt build {FLAGS}"


def _workflow(slim: str, restore: str = RESTORE, whole: str = WHOLE) -> dict[str, str]:
    """A workflow that runs `slim` where main's manifest was restored, and `whole` where it was not."""
    head = HEAD.replace("ci.duckdb\n", "ci.duckdb\n  SHOPFLOW_BASELINE: ${{ github.workspace }}/baseline/baseline.duckdb\n")
    steps = f"""      - run: python ci/load_sample.py
      - name: Build and test
        run: |
          if [ -f baseline/manifest.json ]; then
            {slim}
          else
            {whole}
          fi
"""
    return {SLIM: head + restore + steps}


def _by_condition() -> dict[str, str]:
    """The same with two steps, of which the cache's output chooses one; models first, tests after."""
    head = HEAD.replace("ci.duckdb\n", "ci.duckdb\n  SHOPFLOW_BASELINE: ${{ github.workspace }}/baseline/baseline.duckdb\n")
    restore = RESTORE.replace("        uses:", "        id: main\n        uses:")
    steps = f"""      - run: python ci/load_sample.py
      - if: steps.main.outputs.cache-hit == 'true'
        run: {BUILD.replace("dbt build", "dbt run")}
      - if: steps.main.outputs.cache-hit == 'true'
        run: {BUILD.replace("dbt build", "dbt test")}
      - if: steps.main.outputs.cache-hit != 'true'
        run: {WHOLE}
"""
    return {SLIM: head + restore + steps}


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
        Check(FRAME, lambda work, data: framed(work, SLIM)),
        Check("builds the changed model and its readers, not the rest", small_is_small, expected=lambda d: d.model),
        Check("builds nothing for a change of words", words_build_nothing),
        Check("still stops a change that breaks something", broken_is_red),
        Check("builds everything where main left no cache", works_without_a_cache),
    ),
    hints=(
        "dbt can compare this branch's manifest with main's. What must the run have from main, and where is it kept?",
        "Restore the cache with actions/cache/restore (`key: shopflow-baseline-main`, `path: baseline`), then select `state:modified+` with `--state` and `--defer`, target `slim`; where `baseline/manifest.json` is missing, build everything.",
        "`dbt build --select state:modified+ --defer --state ../baseline --project-dir dbt --profiles-dir ci --target slim`, after the sample was loaded; in a shell `if [ -f baseline/manifest.json ]; then …; else dbt build --project-dir dbt --profiles-dir ci; fi`.",
    ),
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "only the models that a pull request changed": "the whole project",
        "and those that read them": "changed models only, not their readers",
        "Where the cache is missing": "stops where there is no cache",
        "the run builds everything": "builds nothing where there is no cache",
    },
    wrong=(
        wrong("the whole project", _workflow(WHOLE), "full-build", decided_by="small"),
        wrong(
            "changed models only, not their readers",
            _workflow(BUILD.replace("modified+", "modified")),
            "no-dependants",
            decided_by="small",
        ),
        wrong("no defer", _workflow(BUILD.replace("--defer ", "")), "no-defer", decided_by="small"),
        wrong("nothing restored", _workflow(BUILD, ""), "full-build", decided_by="small"),
        wrong("nothing restored, and nothing else to do", _workflow(BUILD, "", BUILD), "no-state", decided_by="small"),
        wrong(
            "selects by a name",
            _workflow(BUILD.replace("state:modified+", "dim_customer+")),
            "not-built",
            decided_by="small",
        ),
        wrong(
            "compiles and builds nothing",
            _workflow(BUILD.replace("dbt build", "dbt compile")),
            "not-built",
            decided_by="small",
        ),
        wrong("always red", _workflow("exit 1", whole="exit 1"), "good-is-red", decided_by="small"),
        wrong(
            "builds, and tests nothing",
            _workflow(BUILD.replace("dbt build", "dbt run") + " || true"),
            "blind",
            decided_by="broken",
        ),
        wrong(
            "stops where there is no cache",
            _workflow(BUILD, RESTORE + "          fail-on-cache-miss: true\n"),
            "needs-the-cache",
            decided_by="no cache",
        ),
        wrong(
            "builds nothing where there is no cache",
            _workflow(BUILD, whole="echo nothing to compare with"),
            "blind-without-cache",
            decided_by="no cache",
        ),
    ),
    right=(
        right("state by an absolute path", _workflow(_absolute(BUILD))),
        right("run the models, then the tests; the cache's output decides", _by_condition()),
    ),
    spared={
        "timeout-minutes": "a minute more or less decides nothing here",
        "10 →": "a minute more or less decides nothing here",
        "persist-credentials": "judged in 04.5",
        ".steps[0].with": "judged in 04.5",
        "SHOPFLOW_BASELINE": "the default path is the same place",
        "runs-on": "every job runs on the one runner",
    },
)
