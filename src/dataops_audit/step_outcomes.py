"""What decides beyond the single step: later steps that ask for a swallowed failure, empty builds, selectors of nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from dataops_audit import shell
from dataops_audit.delegation import Executed
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, is_false

_FAILS = re.compile(
    r"\bexit\s+(?:[1-9]|\$|\"\$)|\bfalse\b|core\.setFailed|process\.exit\([1-9]|raise SystemExit|sys\.exit\("
)
_REPORTS = {
    "dorny/test-reporter": ("fail-on-error", "false"),
    "enricomi/publish-unit-test-result-action": ("fail_on", "nothing"),
    "phoenix-actions/test-reporting": ("fail-on-error", "false"),
}
"""Actions that read a test report and fail on what it says, unless this input has this value."""
_REPORTS_IF_TOLD = {"mikepenz/action-junit-report": ("fail_on_failure", "true"), "test-summary/action": ("fail", "true")}


def asked(step: Any, after: list[Any]) -> bool:
    """Whether a later step fails when this one did: `if: steps.plan.outcome == 'failure'` with `exit 1`."""
    identity = str(step.get("id") or "")
    if not identity:
        return False
    sign = re.compile(rf"steps\.{re.escape(identity)}\.(outcome|conclusion|outputs)|steps\['{re.escape(identity)}'\]")
    for later in after:
        env = child(later, "env")
        given = [child(later, "if"), child(later, "run"), *(env.values() if isinstance(env, dict) else [])]
        script = f"{child(later, 'run') or ''} {child(later, 'with', 'script') or ''}"
        if sign.search(" ".join(str(one) for one in given if one)) and _FAILS.search(script):
            return True
    return False


def reprieved(one: Executed, step: Any, after: list[Any]) -> bool:
    """Whether a masked check decides after all: its report, its result file or its output is judged later."""
    script = str(step.get("run") or "")
    if re.search(r"GITHUB_(OUTPUT|ENV)|::set-output", script) and (asked(step, after) or _env_asked(script, after)):
        return True
    if "run_results" in script and one.words and one.words[0].endswith("dbt"):
        return any("run_results" in run.text and not run.mask for run in shell.runs(script, errexit=True))
    for later in after:
        run, uses = str(child(later, "run") or ""), str(child(later, "uses") or "").split("@")[0].lower()
        if is_false(child(later, "if")):
            continue
        if "run_results" in run and one.words[0].endswith("dbt") and _FAILS.search(run):
            return True
        if uses in _REPORTS and str(child(later, "with", _REPORTS[uses][0]) or "").lower() != _REPORTS[uses][1]:
            return one.check is not None and one.check.kind == "code tests"
        if (
            uses in _REPORTS_IF_TOLD
            and str(child(later, "with", _REPORTS_IF_TOLD[uses][0]) or "").lower() == _REPORTS_IF_TOLD[uses][1]
        ):
            return one.check is not None and one.check.kind == "code tests"
    return False


def _env_asked(script: str, after: list[Any]) -> bool:
    names = re.findall(r"echo\s+[\"']?(\w+)=", script)
    for later in after:
        text = f"{child(later, 'if') or ''} {child(later, 'run') or ''}"
        if any(re.search(rf"env\.{name}\b|\$\{{?{name}\b", text) for name in names) and _FAILS.search(
            str(child(later, "run") or "")
        ):
            return True
    return False


def over_nothing(found: list[Executed]) -> list[Executed]:
    """Data tests after an `--empty` build look at tables without rows: nothing can fail there."""
    empty, made = False, []
    for one in found:
        words = one.words
        if words and words[0].endswith("dbt"):
            if {"run", "build"} & set(words[1:4]):
                empty = "--empty" in words
            elif "seed" in words[1:3]:
                empty = False
            elif "test" in words[1:4] and empty and not one.mask:
                one = replace(one, mask="the tables were built with --empty: its tests look at no row")
        made.append(one)
    return made


def selecting(tree: Tree, one: Executed) -> Executed:
    """A dbt command whose selector names nothing that exists passes without running anything."""
    if one.mask or not one.words or not one.words[0].endswith("dbt") or one.check is None:
        return one
    chosen = _selectors(one.words)
    if chosen and all(_names_nothing(tree, text) for text in chosen):
        return replace(one, mask=f"its selector matches nothing: {' '.join(chosen)}", sure="likely")
    return one


def _selectors(words: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    taking = False
    for word in words[1:]:
        if word in ("--select", "-s", "--models", "-m", "--model"):
            taking = True
        elif word.startswith(("--select=", "--models=")):
            found += word.split("=", 1)[1].split()
            taking = False
        elif word.startswith("-"):
            taking = False
        elif taking:
            found += word.split()
    return [part for text in found for part in text.split(",")]


def _names_nothing(tree: Tree, text: str) -> bool:
    """Whether a selector surely names nothing; what cannot be known counts as something."""
    bare = re.sub(r"^\d*\+|\+\d*$|^@", "", text)
    if not re.fullmatch(r"(?:tag:|path:)?[\w./-]+", bare) or not tree.named("dbt_project.yml"):
        return False
    kind, _, name = bare.rpartition(":")
    sources = tree.ending(".sql", ".yml", ".yaml", ".py", ".csv")
    if kind == "tag":
        sign = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
        return not any(
            "tag" in (body := tree.text(path) or "") and sign.search(body) for path in sources if not path.startswith(".")
        )
    if kind == "path" or "/" in name:
        return not any(name.strip("./") in path for path in sources)
    stem = name.split(".")[-1]
    return not any(part.rsplit(".", 1)[0] == stem for path in sources for part in path.split("/")) and not any(
        re.search(rf"name:\s*[\"']?{re.escape(stem)}\b", tree.text(path) or "")
        for path in tree.ending(".yml", ".yaml")
        if not path.startswith(".")
    )
