"""Task 04.1: which step made a run red, and which file to open."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work

FAILURES = (
    (
        "Lint SQL",
        "== [dbt/models/staging/{m}.sql] FAIL\nL:   1 | P:   1 | CP01 | Keywords must be lower case. [capitalisation.keywords]\nAll Finished!",
        "dbt/models/staging/{m}.sql",
    ),
    (
        "Build",
        "1 of 61 START sql view model staging.{m}\n1 of 61 OK created sql view model staging.{m}\nFailure in test not_null_{m}_status (models/staging/{m}.yml)\n  Got 3 results, configured to fail if != 0\nDone. PASS=40 WARN=0 ERROR=1 SKIP=20 NO-OP=0 TOTAL=61",
        "models/staging/{m}.yml",
    ),
    (
        "Build",
        'Running with dbt=1.11.16\nDatabase Error in model {m} (models/staging/{m}.sql)\n  Binder Error: Referenced column "price" not found\nDone. PASS=4 WARN=0 ERROR=1 SKIP=55 NO-OP=1 TOTAL=61',
        "models/staging/{m}.sql",
    ),
    (
        "Python tests",
        "tests/test_load.py ..F.\nFAILED tests/test_{m}.py::test_a_day_may_come_twice - assert 2 == 1\n1 failed, 3 passed in 0.41s",
        "tests/test_{m}.py",
    ),
)
MODELS = ("stg_orders", "stg_payments", "stg_stores", "stg_products", "stg_customers")


@dataclass(frozen=True)
class Runs:
    """(what is special, the run as a list of steps, (job, step, file) or None for a green run)."""

    runs: tuple[tuple[str, list[dict[str, Any]], tuple[str, str, str] | None], ...]


def _step(
    job: str, step: str, outcome: str, said: str = "", tolerated: bool = False, always: bool = False
) -> dict[str, Any]:
    return {"job": job, "step": step, "outcome": outcome, "tolerated": tolerated, "always": always, "said": said}


def runs(seed: int) -> Runs:
    """Seven runs, their steps in the order they ended: plain, tolerated failure, consequence, cancelled job, a word that misleads,
    a clean-up that fails alone, green."""
    dice = random.Random(seed)
    chosen = [*dice.sample(MODELS, 4), dice.choice(MODELS)]
    name, said, file = zip(
        *(
            (n, s.format(m=m), f.format(m=m))
            for (n, s, f), m in zip((*dice.sample(FAILURES, 4), FAILURES[2]), chosen, strict=True)
        ),
        strict=True,
    )
    fine = _step("checks", "Lint Python", "success", "All checks passed!")
    made = [
        (
            "one step failed",
            [fine, _step("checks", name[0], "failure", said[0]), _step("checks", "Docs", "skipped")],
            ("checks", name[0], file[0]),
        ),
        (
            "a tolerated failure came first",
            [
                _step("checks", "Audit", "failure", "Error in docs/old.md: 3 dead links", tolerated=True),
                fine,
                _step("checks", name[1], "failure", said[1]),
            ],
            ("checks", name[1], file[1]),
        ),
        (
            "the clean-up failed as well",
            [
                fine,
                _step("checks", name[2], "failure", said[2]),
                _step("checks", "Docs", "skipped"),
                _step("checks", "Keep", "failure", "Error: no files at dbt/target/run_results.json", always=True),
            ],
            ("checks", name[2], file[2]),
        ),
        (
            "another job was cancelled",
            [
                _step("models", "Sample", "cancelled", "Error: the operation was canceled. ci/load_sample.py"),
                _step("code", name[3], "failure", said[3]),
                _step("models", "Build", "cancelled"),
            ],
            ("code", name[3], file[3]),
        ),
        (
            "a green step speaks of errors",
            [
                _step(
                    "checks",
                    "Old models",
                    "success",
                    "0 errors in models/marts/old_error.sql\nFAILED attempts: 0, see docs/errors.md",
                ),
                _step("checks", name[4], "failure", said[4]),
            ],
            ("checks", name[4], file[4]),
        ),
        (
            "the clean-up alone failed",
            [
                fine,
                _step("checks", "Build", "success", "Done. PASS=61"),
                _step(
                    "checks", "Tell the team", "failure", f"Error in ci/notify_{chosen[0]}.py: no such channel", always=True
                ),
            ],
            ("checks", "Tell the team", f"ci/notify_{chosen[0]}.py"),
        ),
        (
            "nothing failed that counts",
            [
                fine,
                _step("checks", "Audit", "failure", "Error in docs/old.md", tolerated=True),
                _step("checks", "Build", "success", "Done. PASS=61"),
            ],
            None,
        ),
    ]
    return Runs(tuple(made))


def names_the_step(work: Work, data: Runs) -> str:
    for special, run, want in data.runs:
        if want is None:
            continue
        got = _answer(work, run, want)
        if got[:2] == want[:2]:
            continue
        if got == ():
            raise NotYet(
                "The run is red, and you found no cause.",
                tried=f"a run in which {special}",
                expected=want[:2],
                got="None",
                cause="overlooked",
            )
        wrong_step = next((s for s in run if (s["job"], s["step"]) == tuple(got[:2])), None)
        said, cause = "That is not the step that made the run red.", "step"
        if wrong_step and wrong_step["tolerated"]:
            said, cause = (
                f"`{got[1]}` failed and was allowed to (`continue-on-error`): the run went on. It is not why the run is red.",
                "tolerated",
            )
        elif wrong_step and wrong_step["always"]:
            said, cause = (
                f"`{got[1]}` ran because of `if: always()` and failed because the step before it had left nothing. First cause, not last.",
                "last",
            )
        elif wrong_step and wrong_step["outcome"] == "cancelled":
            said, cause = f"Job `{got[0]}` was cancelled because another one had failed.", "cancelled"
        elif wrong_step and wrong_step["outcome"] == "success":
            said, cause = f"`{got[1]}` succeeded. Its output speaks of errors; its outcome does not.", "words"
        raise NotYet(said, tried=f"a run in which {special}", expected=want[:2], got=got, cause=cause)
    return f"{len(data.runs) - 1} red runs, each with its first cause."


def names_the_file(work: Work, data: Runs) -> str:
    for special, run, want in data.runs:
        if want is None:
            continue
        got = _answer(work, run, want)
        if got[2] != want[2]:
            said = next(s["said"] for s in run if (s["job"], s["step"]) == want[:2])
            cause = "first-path" if got[2] and got[2] in said else "file"
            why = (
                "Its output names more than one file; you took one from a line that does not speak of the failure."
                if cause == "first-path"
                else "The file stands in the line that speaks of the failure."
            )
            raise NotYet(
                why,
                tried=f"a run in which {special}; the step said:\n{said}",
                expected=want[2],
                got=got[2] or "nothing",
                cause=cause,
            )
    return "And the file to open."


def green_is_none(work: Work, data: Runs) -> str:
    special, run, _ = data.runs[-1]
    got = _answer(work, run, None)
    if got:
        raise NotYet(
            "No step failed that counts: the run is green and the answer is None.",
            tried=f"a run in which {special}",
            expected="None",
            got=got,
            cause="green",
        )
    return "A green run has no cause."


def _answer(work: Work, run: list, want: Any) -> tuple:
    """What the learner says of a run: (job, step, file), or () for None. NotYet for anything else."""
    got = work.call("first_cause", run)
    if got is None:
        return ()
    if not isinstance(got, list | tuple) or len(got) != 3 or not all(isinstance(part, str) or part is None for part in got):
        raise NotYet(
            "Return (job, step, file), three texts, or None for a green run.", expected=want or "None", got=got, cause="type"
        )
    return tuple(got)


_HEAD = "def first_cause(run):\n    import re\n"
_PATH = r"[\\w./-]+\\.(?:sql|yml|py|md|json)"
_FIRST = (
    _HEAD
    + f"""    for s in run:
        if s['outcome'] == 'failure' and not s['tolerated']:
            line = next(x for x in s['said'].splitlines() if re.search('FAIL|Failure in|Error in', x))
            return s['job'], s['step'], re.search('{_PATH}', line)[0]
    return None"""
)
TASK = Task(
    id="04.1",
    title="Why is it red?",
    minutes=10,
    points=2,
    deliver=(function("first_cause"),),
    data=runs,
    checks=(
        Check("finds the step that made the run red", names_the_step, expected=lambda d: [w for _, _, w in d.runs]),
        Check("finds the file to open", names_the_file, expected=lambda d: [w and w[2] for _, _, w in d.runs]),
        Check("says nothing about a green run", green_is_none),
    ),
    hints=(
        "A run is red because of a step whose failure was not tolerated. Which of several came first?",
        "Take the first step with outcome `failure` that is not tolerated; then look in what it said for a line that holds FAIL or Error in.",
        'For the file: `re.search(r"[\\w./-]+\\.(?:sql|yml|py)", line)` on the first line that matches `FAIL|Failure in|Error in`.',
    ),
    clauses={
        "of the first cause": "the last failing step",
        "`tolerated` (it had `continue-on-error`)": "tolerated failures count",
        "`always` (it had `if: always()`)": "overlooks a clean-up that fails alone",
        "the line that speaks of the failure": "first path in the output",
        "A run that is green has no cause": "a cause for a green run",
    },
    wrong=(
        wrong(
            "overlooks a clean-up that fails alone",
            _FIRST.replace("not s['tolerated']", "not s['tolerated'] and not s['always']"),
            "overlooked",
        ),
        wrong(
            "a cause for a green run",
            _FIRST.replace(
                "    return None", "    return next((s['job'], s['step'], '') for s in run if s['outcome'] == 'failure')"
            ),
            "green",
        ),
        wrong(
            "the last failing step",
            _HEAD
            + "    bad = [s for s in run if s['outcome'] == 'failure' and not s['tolerated']]\n    if not bad:\n        return None\n    s = bad[-1]\n    return s['job'], s['step'], ''",
            "last",
        ),
        wrong(
            "tolerated failures count",
            _HEAD
            + "    bad = [s for s in run if s['outcome'] == 'failure']\n    if not bad:\n        return None\n    s = bad[0]\n    return s['job'], s['step'], ''",
            "tolerated",
        ),
        wrong(
            "anything that did not succeed",
            _HEAD
            + "    bad = [s for s in run if s['outcome'] not in ('success', 'skipped') and not s['tolerated']]\n    if not bad:\n        return None\n    s = bad[0]\n    return s['job'], s['step'], ''",
            "cancelled",
        ),
        wrong(
            "looks for words",
            _HEAD
            + "    for s in run:\n        if re.search('error|fail', s['said'], re.I) and not s['tolerated'] and s['outcome'] != 'cancelled':\n            return s['job'], s['step'], ''",
            "words",
        ),
        wrong(
            "first path in the output",
            _HEAD
            + f"    for s in run:\n        if s['outcome'] == 'failure' and not s['tolerated']:\n            return s['job'], s['step'], re.search('{_PATH}', s['said'])[0]",
            "first-path",
        ),
        wrong(
            "no file",
            _HEAD
            + "    for s in run:\n        if s['outcome'] == 'failure' and not s['tolerated']:\n            return s['job'], s['step'], ''",
            "file",
        ),
    ),
    right=(
        right(
            "with next and a generator",
            _HEAD
            + f"    s = next((s for s in run if s['outcome'] == 'failure' and not s['tolerated']), None)\n    if s is None:\n        return None\n    lines = [x for x in s['said'].split('\\n') if 'FAIL' in x or 'Failure' in x or 'Error in' in x]\n    return [s['job'], s['step'], re.findall('{_PATH}', lines[0])[0]]",
        ),
        right(
            "with pandas",
            "def first_cause(run):\n    import pandas as pd\n    t = pd.DataFrame(run)\n    t = t[(t.outcome == 'failure') & ~t.tolerated.astype(bool)]\n    if t.empty:\n        return None\n    s = t.iloc[0]\n    said = pd.Series(s.said.splitlines())\n    line = said[said.str.contains('FAIL|Failure in|Error in')].iloc[0]\n    import re\n    return str(s.job), str(s.step), re.search(r'[\\w/.-]+[.](sql|yml|py)', line).group(0)",
        ),
    ),
)
