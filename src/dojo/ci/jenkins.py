"""A stand-in for Jenkins: reads a declarative Jenkinsfile with a Groovy parser and lets dojo.ci.act execute a translation.

Known: agent, environment, options, stages, stage, steps, parallel, matrix, post, when { changeRequest() }, sh, dir, script,
withEnv, catchError, warnError, archiveArtifacts, echo, checkout scm. As in Jenkins, `sh` stops at a failing line and knows no
pipefail, unless its first line is a `#!`: that program then runs the script, and without -e. What the stand-in does not know
it names, and says that it cannot tell. A container of `agent` is not used: the host is the runner.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from dojo.ci import act, checkouts
from dojo.ci.gate import Pipeline, Place, scripts
from dojo.ci.gitlab import CHECKOUT, UPLOAD
from dojo.ci.masks import JENKINS
from dojo.judge.contract import NotYet

RUNNER = "the stand-in for Jenkins"
TRANSLATED = ".github/workflows/translated.yml"
"""Where the translation stands for act."""
GIVEN = {"WORKSPACE": "${{ github.workspace }}", "CHANGE_ID": "1", "CHANGE_TARGET": "main", "BRANCH_NAME": "PR-1"}
SECTIONS = ("agent", "environment", "options", "stages", "post", "triggers", "tools", "parameters", "libraries")
WHEN = {
    "always": "always()",
    "cleanup": "always()",
    "success": "success()",
    "failure": "failure()",
    "unsuccessful": "failure()",
}
SILENT = ("echo", "checkout", "cleanWs", "deleteDir", "sleep", "timestamps", "milestone", "junit", "publishHTML")
"""Steps that decide no colour here: what they do concerns Jenkins alone."""
BLOCKS = ("dir", "catchError", "warnError", "timeout", "timestamps", "script", "withEnv", "ansiColor", "lock", "ws")
"""Steps that wrap others."""


class CannotRead(ValueError):
    """The file is no declarative pipeline; the message says what is wrong and where."""


class NotKnown(ValueError):
    """The file uses something this stand-in does not know; the message names it, its line, and who would tell."""


def _not_known(line: int, what: str) -> NotKnown:
    return NotKnown(f"Line {line}: {what} is not known to {RUNNER}. A Jenkins server would tell.")


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
    """Runs the Jenkinsfile on pull requests; the request and the results are those of dojo.ci.act, `path` that of the file."""
    try:
        translated = as_workflow({**request["files"], **request["own"]}[request["path"]])
    except CannotRead as problem:
        return [{**checkouts.not_run(pr, str(problem)), "runner": RUNNER} for pr in request["pull_requests"]]
    except NotKnown as problem:
        return [{**checkouts.not_run(pr, str(problem), unknown=True), "runner": RUNNER} for pr in request["pull_requests"]]
    own = {**request["own"], TRANSLATED: translated}
    return [{**r, "runner": RUNNER} for r in act.session({**request, "own": own, "path": TRANSLATED})]


def check_form(text: str) -> None:
    """NotYet where the file is no declarative pipeline; what is merely not known here passes."""
    try:
        as_workflow(text)
    except NotKnown:
        return
    except CannotRead as problem:
        raise NotYet(str(problem), expected="a declarative pipeline", cause="not-a-pipeline") from None


def commands(text: str, own: dict[str, str]) -> Pipeline:
    """The pipeline as it is read for masks: what each `sh` runs. Jenkins starts its shell with -e and without pipefail."""
    return Pipeline(JENKINS, text, (*_places(read(text), "pipeline"), *scripts(own, {"Jenkinsfile"})))


def _places(calls: Iterable[Call], stage: str) -> Iterator[Place]:
    for call in calls:
        if call.name == "sh":
            script, shell = _script(call)
            errexit = shell.startswith("sh -e") or " -e" in shell
            yield Place(stage, script, errexit=errexit, returned=call.named.get("returnStatus") == "true")
        inner = call.values[0] if call.name == "stage" and call.values else stage
        yield from _places(call.block or (), inner)


# ---------------------------------------------------------------- reading


def read(text: str) -> tuple[Call, ...]:
    """The statements of a Jenkinsfile. CannotRead with the line where the Groovy parser gives up."""
    import tree_sitter_groovy
    from tree_sitter import Language, Parser

    root = Parser(Language(tree_sitter_groovy.language())).parse(text.encode()).root_node
    if root.has_error:
        raise CannotRead(f"The Groovy parser gave up at line {_first_error(root).start_point[0] + 1}.")
    return tuple(_statements(root, free=True))


def _first_error(node: Any) -> Any:
    for child in node.children:
        if child.has_error or child.is_error or child.is_missing:
            return child if child.is_error or child.is_missing else _first_error(child)
    return node


def _statements(node: Any, *, free: bool = False) -> Iterator[Call]:
    """The statements of a block. `free`: where Jenkins takes any Groovy, which this stand-in does not follow."""
    for child in node.named_children:
        if "comment" in child.type:
            continue
        if child.type == "expression_statement":
            yield from _statements(child, free=free)
        elif free and not _is_call(child):
            raise _not_known(child.start_point[0] + 1, f"`{_text(child).splitlines()[0][:60]}`")
        else:
            yield _call(child)


def _is_call(node: Any) -> bool:
    parts = node.named_children
    return node.type in ("method_invocation", "juxt_function_call") and bool(parts) and parts[0].type == "identifier"


def _call(node: Any) -> Call:
    line, parts = node.start_point[0] + 1, list(node.named_children)
    if node.type == "local_variable_declaration" and not _text(node).startswith(("def ", "final ")):
        # `agent any` reads like a declaration to Groovy
        return Call(_text(parts[0]), line, tuple(_text(p) for p in parts[1:]))
    if node.type == "assignment_expression":
        return Call(_text(parts[0]), line, (_value(parts[1]),))
    if node.type == "identifier":
        return Call(_text(node), line)
    if not _is_call(node):
        raise CannotRead(
            f"Line {line}: `{_text(node).splitlines()[0][:60]}` is not a section or a step of a declarative pipeline. "
            "Give every section a line of its own; what is Groovy proper belongs into a script, not into the gate."
        )
    values, named, block, free = [], {}, None, _text(parts[0]) == "script"
    for part in parts[1:]:
        if part.type == "closure":
            block = tuple(_statements(part, free=free))
        for argument in part.named_children if part.type == "argument_list" else ():
            if argument.type == "map_item":
                key, value = argument.named_children
                named[_text(key)] = _value(value)
            elif argument.type == "closure":
                block = tuple(_statements(argument, free=free))
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
    """The workflow that does what the Jenkinsfile says on a pull request. CannotRead, or NotKnown where that cannot be told."""
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
    if "libraries" in sections:
        raise _not_known(sections["libraries"].line, "a shared library")
    made = _Translation()
    for stage in stages:
        made.stage(stage)
    made.afterwards("post", sections.get("post"))
    environment = {**GIVEN, **_environment(sections.get("environment"))}
    job = {"runs-on": "ubuntu-latest", "env": environment, "steps": [{"uses": CHECKOUT}, *made.steps]}
    whole = {"name": "jenkins", "on": "pull_request", "permissions": {"contents": "read"}, "jobs": {"pipeline": job}}
    return yaml.safe_dump(whole, sort_keys=False, width=10_000)


def _block(call: Call | None) -> tuple[Call, ...]:
    return call.block or () if call is not None else ()


def _environment(section: Call | None, more: dict[str, str] | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for call in _block(section):
        if not call.values:
            raise CannotRead(f"Line {call.line}: a variable is written `NAME = 'value'`.")
        if call.values[0].startswith("credentials("):
            raise _not_known(call.line, "`credentials()`")
        found[call.name] = _filled(call.values[0], {**(more or {}), **found})
    return found


def _filled(value: str, known: dict[str, str]) -> str:
    """A value with the variables that Jenkins gives, or that stand before it, put in."""
    given = {**GIVEN, **known}
    return re.sub(r"\$\{?(?:env\.)?(\w+)\}?", lambda m: given.get(m[1], m[0]), value)


@dataclass(frozen=True)
class _Place:
    """Where a step stands: its stage, folder and variables, whether a failure is caught there, and what it waits for."""

    stage: str
    folder: str = "."
    environment: tuple[tuple[str, str], ...] = ()
    masked: bool = False
    when: str = ""


class _Translation:
    """The steps of one act job that do what stages do, in order.

    Branches of `parallel` and cells of `matrix` run one after another; as in Jenkins, one that fails keeps no other from
    running, and fails the build at the end. So each of their steps asks for the steps before it by their ids.
    """

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self._so_far: list[str] = []
        self._needed: list[str] | None = None
        """Within a branch: the ids of the steps that must have succeeded before the next one."""

    def stage(self, stage: Call, place: _Place | None = None) -> None:
        """One stage: its steps, its nested, parallel or matrix stages, and what follows it."""
        named = stage.values[0] if stage.values else "stage"
        parts = {c.name: c for c in _block(stage)}
        for name, part in parts.items():
            if name not in (
                "agent",
                "environment",
                "options",
                "steps",
                "post",
                "when",
                "parallel",
                "stages",
                "matrix",
                "failFast",
            ):
                raise _not_known(part.line, f"`{name}` in a stage")
        for condition in _block(parts.get("when")):
            if condition.name not in ("changeRequest", "beforeAgent"):
                raise _not_known(condition.line, f"`when {{ {condition.name} }}`")
        outer = place or _Place(named)
        variables = _environment(parts.get("environment"), dict(outer.environment))
        here = replace(outer, stage=named, environment=(*outer.environment, *variables.items()))
        if not {"steps", "parallel", "stages", "matrix"} & set(parts):
            raise CannotRead(f"Line {stage.line}: stage `{named}` has no `steps`.")
        for call in _block(parts.get("steps")):
            if call.name == "parallel":
                raise _not_known(call.line, "`parallel` as a step (as a section of the stage it is)")
            self.step(call, here)
        for inner in _block(parts.get("stages")):
            self.stage(inner, here)
        if "parallel" in parts:
            self._branches([(inner, here) for inner in _block(parts["parallel"]) if inner.name == "stage"])
        if "matrix" in parts:
            self._matrix(parts["matrix"], here)
        self.afterwards(named, parts.get("post"), here)

    def _branches(self, branches: list[tuple[Call, _Place]]) -> None:
        before, ended = self._needed, []
        earlier = list(self._so_far if before is None else before)
        for branch, place in branches:
            self._needed = list(earlier)
            self.stage(branch, place)
            ended += self._needed
        self._needed = before if before is None else list(dict.fromkeys([*earlier, *ended]))

    def _matrix(self, matrix: Call, place: _Place) -> None:
        parts = {c.name: c for c in _block(matrix)}
        for name, part in parts.items():
            if name not in ("axes", "stages", "agent", "environment", "options", "post"):
                raise _not_known(part.line, f"`{name}` in a matrix")
        axes = [{c.name: c for c in _block(axis)} for axis in _block(parts.get("axes")) if axis.name == "axis"]
        if not axes or not all({"name", "values"} <= set(axis) for axis in axes) or "stages" not in parts:
            raise CannotRead(f"Line {matrix.line}: a matrix has `axes {{ axis {{ name '…'; values '…' }} }}` and `stages`.")
        lists = [[(axis["name"].values[0], value) for value in axis["values"].values] for axis in axes]
        cells = []
        for cell in itertools.product(*lists):
            inner = Call("stage", matrix.line, (f"{place.stage} {' '.join(v for _, v in cell)}",), {}, (parts["stages"],))
            cells.append((inner, replace(place, environment=(*place.environment, *cell))))
        self._branches(cells)

    def step(self, call: Call, place: _Place) -> None:
        """One of Jenkins's steps."""
        if call.name in BLOCKS and call.block is not None:
            for inner in call.block:
                self.step(inner, _inside(call, place))
        elif call.name == "sh":
            script, shell = _script(call)
            if call.named.get("returnStatus") == "true":
                script, shell = f"(\n{script}\n) || true", shell if not script.startswith("#!") else "sh {0}"
            self._add({"name": place.stage, "shell": shell, "working-directory": place.folder, "run": script}, place)
        elif call.name == "archiveArtifacts":
            self._add(_archive(call, place), place)
        elif call.name == "error":
            self._add({"name": place.stage, "shell": "sh {0}", "run": "exit 1"}, place)
        elif call.name not in SILENT:
            raise _not_known(call.line, f"the step `{call.name}`")

    def _add(self, step: dict[str, Any], place: _Place) -> None:
        if place.environment:
            step["env"] = dict(place.environment)
        if place.masked:
            step["continue-on-error"] = True
        if place.when:
            step["if"] = self._condition(place.when)
        else:
            step["id"] = f"s{len(self.steps)}"
            if self._needed is not None:
                step["if"] = self._condition("success()")
                self._needed.append(step["id"])
            self._so_far.append(step["id"])
        self.steps.append(step)

    def _condition(self, when: str) -> str:
        """A condition as it reads within a branch, where only that branch's own steps count."""
        if self._needed is None or when == "always()":
            return when
        if when == "failure()":
            return (
                " || ".join(["always() && (false", *(f"steps.{one}.conclusion == 'failure'" for one in self._needed)]) + ")"
            )
        return " && ".join(["always()", *(f"steps.{one}.conclusion == 'success'" for one in self._needed)])

    def afterwards(self, where: str, post: Call | None, place: _Place | None = None) -> None:
        """What follows a stage or the whole, under its condition."""
        for condition in _block(post):
            if condition.name not in WHEN:
                raise _not_known(condition.line, f"`{condition.name}` in `post`")
            here = replace(place or _Place(where), stage=f"{where}, {condition.name}", when=WHEN[condition.name])
            for call in _block(condition):
                self.step(call, here)


def _inside(call: Call, place: _Place) -> _Place:
    """Where the steps within a wrapping step stand."""
    if call.name == "dir" and call.values:
        return replace(place, folder=f"{place.folder}/{call.values[0]}")
    if call.name == "withEnv":
        pairs = re.findall(r"['\"](\w+)=([^'\"]*)['\"]", call.values[0] if call.values else "")
        return replace(
            place, environment=(*place.environment, *((n, _filled(v, dict(place.environment))) for n, v in pairs))
        )
    hides = call.name == "warnError" or (
        call.name == "catchError" and call.named.get("buildResult") in ("SUCCESS", "UNSTABLE")
    )
    return replace(place, masked=place.masked or hides)


def _script(call: Call) -> tuple[str, str]:
    """What a `sh` step runs, and the shell that runs it: `sh -xe`, or what a `#!` in the very first place names."""
    script = call.named.get("script", call.values[0] if call.values else "")
    first = script.split("\n")[0]
    if first.startswith("#!"):
        return script, f"{first[2:].strip()} {{0}}"
    return script, "sh -e {0}"


def _archive(call: Call, place: _Place) -> dict[str, Any]:
    pattern = call.named.get("artifacts", call.values[0] if call.values else "")
    empty = "ignore" if call.named.get("allowEmptyArchive") == "true" else "error"
    paths = "\n".join(f"{place.folder}/{p.strip()}".removeprefix("./") for p in pattern.split(","))
    kept = {"name": f"archive-{call.line}", "path": paths, "if-no-files-found": empty}
    return {"name": place.stage, "uses": UPLOAD, "with": kept}
