"""What decides beyond the single step: later steps that ask for a swallowed failure, empty builds, selectors of nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
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


@dataclass
class Asked:
    """What the steps of a job ask of the steps before them: by name, the last step that fails on the answer."""

    outcomes: dict[str, int] = field(default_factory=dict)
    variables: dict[str, int] = field(default_factory=dict)
    run_results: int = -1
    reports: int = -1

    def outcome_of(self, step: Any, place: int) -> bool:
        """Whether a later step fails when this one did: `if: steps.plan.outcome == 'failure'` with `exit 1`."""
        identity = str(step.get("id") or "")
        return bool(identity) and self.outcomes.get(identity, -1) > place

    def decides(self, one: Executed, step: Any, place: int) -> bool:
        """Whether a masked check decides after all: its report, its result file or its output is judged later."""
        script = str(step.get("run") or "")
        if re.search(r"GITHUB_(OUTPUT|ENV)|::set-output", script) and (
            self.outcome_of(step, place) or self._variable_of(script, place)
        ):
            return True
        if one.words and one.words[0].endswith("dbt"):
            if "run_results" in script:
                return any("run_results" in run.text and not run.mask for run in shell.runs(script, errexit=True))
            if self.run_results > place:
                return True
        return self.reports > place and one.check is not None and one.check.kind == "code tests"

    def _variable_of(self, script: str, place: int) -> bool:
        return any(self.variables.get(name, -1) > place for name in re.findall(r"echo\s+[\"']?(\w+)=", script))


_OUTCOME = re.compile(r"steps\.([\w-]+)\.(?:outcome|conclusion|outputs)|steps\['([^']+)'\]")
_VARIABLE = re.compile(r"env\.(\w+)|\$\{?(\w+)")


def asked_for(steps: list[Any]) -> Asked:
    """Reads the steps of a job once."""
    asked = Asked()
    for place, step in enumerate(steps):
        env, condition, run = child(step, "env"), child(step, "if"), str(child(step, "run") or "")
        if _FAILS.search(f"{run} {child(step, 'with', 'script') or ''}"):
            given = [condition, run, *(env.values() if isinstance(env, dict) else [])]
            text = " ".join(str(one) for one in given if one)
            asked.outcomes |= {one or other: place for one, other in _OUTCOME.findall(text)}
        if _FAILS.search(run):
            asked.variables |= {one or other: place for one, other in _VARIABLE.findall(f"{condition or ''} {run}")}
            if "run_results" in run and not is_false(condition):
                asked.run_results = place
        if not is_false(condition) and _judges_a_report(step):
            asked.reports = place
    return asked


def _judges_a_report(step: Any) -> bool:
    """Whether a step reads a report of tests and fails on what it says."""
    uses = str(child(step, "uses") or "").split("@")[0].lower()
    name, value = _REPORTS.get(uses) or _REPORTS_IF_TOLD.get(uses) or ("", "")
    same = str(child(step, "with", name) or "").lower() == value
    return uses in (_REPORTS_IF_TOLD if same else _REPORTS)


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
    named = tree.once(_named)
    if kind == "tag":
        return re.fullmatch(r"[\w-]+", name) is not None and name not in named.tags
    if kind == "path" or "/" in name:
        return not any(name.strip("./") in path for path in named.sources)
    return name.split(".")[-1] not in named.nodes


@dataclass(frozen=True)
class _Named:
    """What a selector can name: paths of sources, names of nodes, words beside which tags are given."""

    sources: list[str]
    nodes: set[str]
    tags: set[str]


def _named(tree: Tree) -> _Named:
    sources = tree.ending(".sql", ".yml", ".yaml", ".py", ".csv")
    nodes = {part.rsplit(".", 1)[0] for path in sources for part in path.split("/")}
    tags: set[str] = set()
    for path in sources:
        body = tree.text(path) or ""
        if path.startswith("."):
            continue
        if "tag" in body:
            tags |= set(re.findall(r"[\w-]+", body))
        if path.lower().endswith((".yml", ".yaml")):
            nodes |= {one for pair in re.findall(r"name:\s*[\"']?((\w+)[\w-]*)", body) for one in pair}
    return _Named(sources, nodes, tags)
