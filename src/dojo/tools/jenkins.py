"""A stand-in for Jenkins: reads a declarative Jenkinsfile with a Groovy parser and lets dojo.tools.act execute a translation.

Known: agent, environment, options, stages, stage, steps, post, when { changeRequest() }, sh, dir, catchError, warnError,
archiveArtifacts, echo, checkout scm. As in Jenkins, `sh` stops at a failing line and knows no pipefail. Everything else
is refused and named. A container of `agent` is not used: the host is the runner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from dojo.tools import act, checkouts
from dojo.tools.gitlab import CHECKOUT, UPLOAD

RUNNER = "the stand-in for Jenkins"
GIVEN = {"WORKSPACE": "${{ github.workspace }}", "CHANGE_ID": "1", "CHANGE_TARGET": "main"}
SECTIONS = ("agent", "environment", "options", "stages", "post", "triggers", "tools", "parameters")
WHEN = {
    "always": "always()",
    "cleanup": "always()",
    "success": "success()",
    "failure": "failure()",
    "unsuccessful": "failure()",
}


class CannotRead(ValueError):
    """The file is no declarative pipeline, or uses something this stand-in does not know; the message says what and where."""


@dataclass(frozen=True)
class Call:
    """`name argument, key: value { … }` as it stands in the file: line from 1, arguments as text, block as its statements."""

    name: str
    line: int
    values: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    block: tuple[Call, ...] | None = None


def warm() -> None:
    """Loads what the runs need."""
    checkouts.warm()


def session(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs the Jenkinsfile (`pipeline`: its text) on pull requests; the rest and the results are those of dojo.tools.act."""
    try:
        workflow = as_workflow(request["pipeline"])
    except CannotRead as problem:
        return [{**checkouts.not_run(pr, str(problem)), "runner": RUNNER} for pr in request["pull_requests"]]
    rest = {k: v for k, v in request.items() if k != "pipeline"}
    return [{**result, "runner": RUNNER} for result in act.session({**rest, "workflow": workflow})]


# ---------------------------------------------------------------- reading


def read(text: str) -> tuple[Call, ...]:
    """The statements of a Jenkinsfile. CannotRead with the line where the Groovy parser gives up."""
    import tree_sitter_groovy
    from tree_sitter import Language, Parser

    root = Parser(Language(tree_sitter_groovy.language())).parse(text.encode()).root_node
    if root.has_error:
        raise CannotRead(f"The Groovy parser gave up at line {_first_error(root).start_point[0] + 1}.")
    return tuple(_statements(root))


def _first_error(node: Any) -> Any:
    for child in node.children:
        if child.has_error or child.is_error or child.is_missing:
            return child if child.is_error or child.is_missing else _first_error(child)
    return node


def _statements(node: Any) -> Iterator[Call]:
    for child in node.named_children:
        if "comment" in child.type:
            continue
        yield from _statements(child) if child.type == "expression_statement" else [_call(child)]


def _call(node: Any) -> Call:
    line, parts = node.start_point[0] + 1, list(node.named_children)
    if node.type == "local_variable_declaration":  # `agent any` reads like a declaration to Groovy
        return Call(_text(parts[0]), line, tuple(_text(p) for p in parts[1:]))
    if node.type == "assignment_expression":
        return Call(_text(parts[0]), line, (_value(parts[1]),))
    if node.type == "identifier":
        return Call(_text(node), line)
    if node.type not in ("method_invocation", "juxt_function_call") or not parts or parts[0].type != "identifier":
        raise CannotRead(
            f"Line {line}: `{_text(node).splitlines()[0][:60]}` is not a section or a step of a declarative pipeline. "
            "Give every section a line of its own; what is Groovy proper belongs into a script, not into the gate."
        )
    values, named, block = [], {}, None
    for part in parts[1:]:
        if part.type == "closure":
            block = tuple(_statements(part))
        for argument in part.named_children if part.type == "argument_list" else ():
            if argument.type == "map_item":
                key, value = argument.named_children
                named[_text(key)] = _value(value)
            elif argument.type == "closure":
                block = tuple(_statements(argument))
            else:
                values.append(_value(argument))
    return Call(_text(parts[0]), line, tuple(values), named, block)


def _text(node: Any) -> str:
    return node.text.decode()


def _value(node: Any) -> str:
    """The text of a value without its quotes; a name of Groovy's, like `scm` or `env.X`, as it stands."""
    text = _text(node)
    for quotes in ("'''", '"""', "'", '"'):
        if text.startswith(quotes) and text.endswith(quotes) and len(text) >= 2 * len(quotes):
            return text[len(quotes) : -len(quotes)]
    return text


# ---------------------------------------------------------------- translating


def as_workflow(text: str) -> str:
    """The workflow that does what the Jenkinsfile says on a pull request. CannotRead where that cannot be told."""
    pipelines = [c for c in read(text) if c.name == "pipeline" and c.block is not None]
    if len(pipelines) != 1:
        raise CannotRead("The file holds no `pipeline { … }`; only declarative pipelines are read here.")
    sections = {c.name: c for c in pipelines[0].block or ()}
    for name, section in sections.items():
        if name not in SECTIONS:
            raise CannotRead(f"Line {section.line}: `{name}` is not a section of a pipeline.")
    stages = [c for c in _block(sections.get("stages")) if c.name == "stage"]
    if not stages:
        raise CannotRead("The pipeline has no `stages { stage('…') { steps { … } } }`.")
    if "agent" not in sections:
        raise CannotRead("The pipeline has no `agent`: Jenkins refuses a declarative pipeline without one.")
    steps: list[dict[str, Any]] = [{"uses": CHECKOUT}]
    for stage in stages:
        steps += _stage(stage)
    steps += _afterwards("post", sections.get("post"), "")
    job = {"runs-on": "ubuntu-latest", "env": {**GIVEN, **_environment(sections.get("environment"))}, "steps": steps}
    made = {"name": "jenkins", "on": "pull_request", "permissions": {"contents": "read"}, "jobs": {"pipeline": job}}
    return yaml.safe_dump(made, sort_keys=False, width=10_000)


def _block(call: Call | None) -> tuple[Call, ...]:
    return call.block or () if call is not None else ()


def _environment(section: Call | None) -> dict[str, str]:
    found = {}
    for call in _block(section):
        if not call.values:
            raise CannotRead(f"Line {call.line}: a variable is written `NAME = 'value'`.")
        found[call.name] = re.sub(r"\$\{?(?:env\.)?(\w+)\}?", lambda m: GIVEN.get(m[1], m[0]), call.values[0])
    return found


def _stage(stage: Call) -> list[dict[str, Any]]:
    parts = {c.name: c for c in _block(stage)}
    for name, part in parts.items():
        if name not in ("agent", "environment", "options", "steps", "post", "when"):
            raise CannotRead(f"Line {part.line}: `{name}` in a stage is not known to this stand-in for Jenkins.")
    named = stage.values[0] if stage.values else "stage"
    for condition in _block(parts.get("when")):
        if condition.name != "changeRequest":
            raise CannotRead(
                f"Line {condition.line}: of `when`, only `changeRequest()` is known to this stand-in for Jenkins."
            )
    if "steps" not in parts:
        raise CannotRead(f"Line {stage.line}: stage `{named}` has no `steps`.")
    made = [step for call in _block(parts["steps"]) for step in _steps(call, named)]
    made += _afterwards(named, parts.get("post"), named)
    environment = _environment(parts.get("environment"))
    return [{**step, "env": environment} for step in made] if environment else made


def _steps(call: Call, stage: str, folder: str = ".", *, masked: bool = False, when: str = "") -> Iterator[dict[str, Any]]:
    """The workflow's steps for one of Jenkins's."""
    if call.name in ("echo", "checkout", "cleanWs", "deleteDir"):
        return
    if call.name in ("dir", "catchError", "warnError", "timeout", "timestamps"):
        inner = f"{folder}/{call.values[0]}" if call.name == "dir" and call.values else folder
        hides = call.name == "warnError" or (
            call.name == "catchError" and call.named.get("buildResult") in ("SUCCESS", "UNSTABLE")
        )
        for step in _block(call):
            yield from _steps(step, stage, inner, masked=masked or hides, when=when)
        return
    made: dict[str, Any] = {"name": stage, **({"if": when} if when else {})}
    if call.name == "sh":
        script = call.named.get("script", call.values[0] if call.values else "")
        if call.named.get("returnStatus") == "true":
            script = f"({script.strip()}\n) || true"
        made |= {"shell": "sh -e {0}", "working-directory": folder, "run": script}
    elif call.name == "archiveArtifacts":
        pattern = call.named.get("artifacts", call.values[0] if call.values else "")
        empty = "ignore" if call.named.get("allowEmptyArchive") == "true" else "error"
        paths = "\n".join(f"{folder}/{p.strip()}".removeprefix("./") for p in pattern.split(","))
        made |= {"uses": UPLOAD, "with": {"name": f"archive-{call.line}", "path": paths, "if-no-files-found": empty}}
    else:
        raise CannotRead(f"Line {call.line}: the step `{call.name}` is not known to this stand-in for Jenkins.")
    if masked:
        made["continue-on-error"] = True
    yield made


def _afterwards(where: str, post: Call | None, stage: str) -> Iterator[dict[str, Any]]:
    for condition in _block(post):
        if condition.name not in WHEN:
            raise CannotRead(
                f"Line {condition.line}: `{condition.name}` in `post` is not known to this stand-in for Jenkins."
            )
        for call in _block(condition):
            yield from _steps(call, f"{stage or where}, {condition.name}", when=WHEN[condition.name])
