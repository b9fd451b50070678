"""What a shell script runs, and whether the failure of each command reaches the script's own exit status."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from dataops_audit.shell_syntax import Compound, Pipeline, Simple, Statement, parse

NEVER = "is never reached"
_ALWAYS_FINE = frozenset(
    [
        ":",
        "true",
        "echo",
        "printf",
        "cat",
        "touch",
        "mkdir",
        "sleep",
        "date",
        "tee",
        "continue",
        "break",
        "shift",
        "unset",
        "export",
        "pwd",
        "whoami",
        "log",
        "info",
        "warn",
        "warning",
    ]
)
_REPORTERS = frozenset(
    [
        "curl",
        "wget",
        "gh",
        "git",
        "slack",
        "mail",
        "sendmail",
        "notify",
        "ls",
        "rm",
        "cp",
        "mv",
        "tail",
        "head",
        "grep",
        "sed",
        "awk",
        "aws",
        "gsutil",
        "python-notify",
        "logger",
        "jq",
    ]
)
_FAILING = frozenset(["false", "die", "fail", "abort", "err", "error", "fatal"])
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*\+?=")


@dataclass
class Run:
    """A command that a script runs. `mask` says why its failure would go unseen; None when its failure fails the script."""

    words: list[str]
    line: int
    mask: str | None = None
    sure: str = "certain"

    @property
    def text(self) -> str:
        """The command on one line."""
        return " ".join(self.words)


@dataclass(frozen=True)
class _Around:
    """What surrounds a body: does `set -e` bite here, does its last status count, does something swallow all of it."""

    bites: bool = True
    tail: str | None = None
    forced: str | None = None
    sure: str = "certain"


MOST_CALLS = 2_000
"""Calls of functions that are followed in one script: functions that call each other twice never end otherwise."""


@dataclass
class _State:
    errexit: bool
    pipefail: bool
    functions: dict[str, Compound] = field(default_factory=dict)
    calling: tuple[str, ...] = ()
    calls: int = 0
    runs: list[Run] = field(default_factory=list)
    all_statements: list[Statement] = field(default_factory=list)
    trap: str | None = None


def runs(text: str, line: int = 1, *, errexit: bool = False, pipefail: bool = False) -> list[Run]:
    """Every simple command of a script, in order, each with its mask.

    `errexit` and `pipefail` are the shell's settings at the start: GitHub's default is the first without the second.
    """
    statements = parse(text, line)
    state = _State(errexit, pipefail, _functions(statements), all_statements=statements)
    _body(statements, _Around(), state)
    return state.runs


def _functions(statements: list[Statement]) -> dict[str, Compound]:
    return {one.name: one for one in _commands(statements) if isinstance(one, Compound) and one.kind == "function"}


def _commands(statements: list[Statement], depth: int = 0) -> list[Simple | Compound]:
    """Every command at any depth."""
    found: list[Simple | Compound] = []
    for statement in statements:
        for pipeline in statement.pipelines:
            for command in pipeline.commands:
                found.append(command)
                if isinstance(command, Compound) and depth < 40:
                    for part in [*command.parts, command.otherwise or []]:
                        found += _commands(part, depth + 1)
    return found


def _body(statements: list[Statement], around: _Around, state: _State) -> None:
    gone = None
    for place, statement in enumerate(statements):
        here = around
        if gone:
            here = replace(around, forced=gone)
        elif state.trap:
            here = replace(around, forced=state.trap)
        _statement(statement, statements[place + 1 :], here, state)
        if not gone and _leaves(statement):
            gone = f"{NEVER}: line {statement.line} leaves the script before it"


def _leaves(statement: Statement) -> bool:
    """Whether the script always ends here."""
    first = statement.pipelines[0]
    return not statement.operators and len(first.commands) == 1 and _name(first.commands[0]) in ("exit", "return")


def _statement(statement: Statement, after: list[Statement], around: _Around, state: _State) -> None:
    if statement.background and not _waited_for(after):
        around = replace(around, forced=around.forced or "runs in the background (&) and nobody asks how it ended")
    for place, pipeline in enumerate(statement.pipelines):
        dead = _never(statement, place)
        tail, sure = _status(statement, place, after, around, state)
        last = place == len(statement.pipelines) - 1
        inside = _Around(
            bites=around.bites and last and not pipeline.negated,
            tail=tail,
            forced=around.forced or dead,
            sure="likely" if "likely" in (sure, around.sure) else "certain",
        )
        _pipeline(pipeline, inside, state, after)


def _never(statement: Statement, place: int) -> str | None:
    """Why this pipeline of the list can never run: `false && …`, `true || …`."""
    if not place:
        return None
    first, sign = statement.pipelines[0], statement.operators[0]
    name = _name(first.commands[0]) if len(first.commands) == 1 else ""
    if place == 1 and ((name == "false" and sign == "&&") or (name in ("true", ":") and sign == "||")):
        return f"{NEVER}: `{name} {sign}` stands before it"
    return None


def _status(
    statement: Statement, place: int, after: list[Statement], around: _Around, state: _State
) -> tuple[str | None, str]:
    """Why the status of a failing pipeline does not fail the script, None where it does; and how sure that is."""
    rest = list(zip(statement.operators[place:], statement.pipelines[place + 1 :], strict=False))
    for sign, other in rest:
        if sign != "||":
            continue
        outcome, sure = _outcome_of_pipeline(other, state)
        if outcome == "succeeds":
            return f"`|| {_short(other)}` turns its failure into success", sure
        if outcome == "leaves":
            return None, "certain"
        if outcome.startswith("kept:"):
            return (
                (None, "certain")
                if _used(outcome[5:], after + state.all_statements, state)
                else (
                    f"`|| {_short(other)}` keeps its failure, but nothing ever asks for it",
                    "certain",
                )
            )
        break
    counts_at_end = not after and around.tail is None
    if counts_at_end or _asked_next(after, state):
        return None, "certain"
    final = place == len(statement.pipelines) - 1 or (rest and all(sign == "||" for sign, _ in rest))
    if final and state.errexit and around.bites:
        return None, "certain"
    if not after and around.tail is not None:
        return around.tail, around.sure
    if state.errexit and around.bites:
        return "stands before && in a list that is not the last command: `set -e` ignores it there", "certain"
    if not around.bites:
        return around.tail or "a later command in the same group decides", around.sure
    return "the script goes on without `set -e`, and a later command decides", "certain"


def _pipeline(pipeline: Pipeline, around: _Around, state: _State, after: list[Statement]) -> None:
    if pipeline.negated:
        around = replace(around, tail=around.tail or "`!` turns its failure into success")
    many = len(pipeline.commands) > 1
    for place, command in enumerate(pipeline.commands):
        inside = around
        if many and place < len(pipeline.commands) - 1 and not state.pipefail and not _mentions(after[:2], "PIPESTATUS"):
            into = _name(pipeline.commands[-1]) or "another command"
            inside = replace(around, forced=around.forced or f"is piped into {into} without pipefail: only {into} decides")
        elif many:
            inside = replace(around, bites=False) if isinstance(command, Compound) else around
        _command(command, inside, state)


def _command(command: Simple | Compound, around: _Around, state: _State) -> None:
    if isinstance(command, Compound):
        _compound(command, around, state)
        return
    _substitutions(command, around, state)
    words = [word.text for word in command.words]
    while words and _ASSIGNMENT.match(words[0]):
        words.pop(0)
    if not words:
        return
    _settings(words, state)
    function = state.functions.get(words[0])
    if function is not None and words[0] not in state.calling and len(state.calling) < 20 and state.calls < MOST_CALLS:
        state.calls += 1
        outer = state.calling
        state.calling = (*outer, words[0])
        _body(function.parts[0], around, state)
        state.calling = outer
        return
    mask = around.forced
    if mask is None and not (state.errexit and around.bites and around.tail is None):
        mask = around.tail
    state.runs.append(Run(words, command.line, mask, around.sure if mask else "certain"))


def _substitutions(command: Simple, around: _Around, state: _State) -> None:
    """Commands inside `$(…)`: only a plain assignment passes their status on."""
    only_assignments = all(_ASSIGNMENT.match(word.text) for word in command.words)
    for word in command.words:
        for text, line in word.inner:
            inside = around
            if not only_assignments:
                inside = replace(
                    around, forced=around.forced or f"runs inside $(…) of `{_name(command)}`, which hides its status"
                )
            outer = state.errexit
            state.errexit = outer and only_assignments
            _body(parse(text, line), inside, state)
            state.errexit = outer


def _settings(words: list[str], state: _State) -> None:
    """Follows `set -e`, `set +e`, `set -o pipefail` and traps."""
    if words[0] == "trap" and len(words) > 2 and set(words[2:]) & {"EXIT", "ERR", "0"}:
        body = parse(words[1])
        body = state.functions[words[1]].parts[0] if words[1] in state.functions else body
        if any(_name(one) == "exit" and _argument(one) == "0" for one in _commands(body)):
            state.trap = f"`trap … {words[-1]}` ends the script with 0 whatever happened"
    if words[0] != "set":
        return
    on = True
    for word in words[1:]:
        if word[:1] in "+-" and len(word) > 1:
            on = word[0] == "-"
            if "e" in word[1:]:
                state.errexit = on
        elif word == "pipefail":
            state.pipefail = on
        elif word == "errexit":
            state.errexit = on


def _compound(command: Compound, around: _Around, state: _State) -> None:
    if command.kind == "function":
        return
    if command.kind in ("group", "subshell"):
        outer = (state.errexit, state.pipefail)
        _body(command.parts[0], around, state)
        if command.kind == "subshell":
            state.errexit, state.pipefail = outer
        return
    if command.kind == "if":
        _branches(command, around, state)
        return
    if command.kind in ("while", "until"):
        stops = any(_exit_outcome(part) for part in command.parts)
        reason = None if stops or command.kind == "until" else "is only the condition of a loop"
        _body(command.parts[0], _Around(False, reason, around.forced), state)
    for part in command.parts[1:] if command.kind in ("while", "until", "for") else command.parts:
        _body(part, around, state)


def _branches(command: Compound, around: _Around, state: _State) -> None:
    """An `if`: a check in its condition counts only when the branch taken on failure leaves with an error."""
    for place in range(0, len(command.parts) - 1, 2):
        condition, then = command.parts[place], command.parts[place + 1]
        negated = bool(condition) and condition[-1].pipelines[-1].negated
        on_failure = then if negated else _next_branch(command, place)
        if _exit_outcome(on_failure) or _keeps_failure(on_failure, state):
            reason = None
        else:
            reason = "is the condition of an `if` whose branch for failure does not fail"
        _body(_without_not(condition), _Around(False, reason, around.forced), state)
        never = _constant(condition) is False
        inside = replace(around, forced=f"{NEVER}: its condition is never true") if never else around
        _body(then, inside, state)
    if command.otherwise:
        _body(command.otherwise, around, state)


def _next_branch(command: Compound, place: int) -> list[Statement]:
    return command.parts[place + 3] if place + 3 < len(command.parts) else command.otherwise or []


def _without_not(condition: list[Statement]) -> list[Statement]:
    return [replace(one, pipelines=[replace(pipeline, negated=False) for pipeline in one.pipelines]) for one in condition]


def _constant(condition: list[Statement]) -> bool | None:
    if len(condition) != 1 or condition[0].operators or len(condition[0].pipelines[0].commands) != 1:
        return None
    words = _words(condition[0].pipelines[0].commands[0])
    if words in (["false"], ["[", "1", "=", "0", "]"], ["[", "0", "-eq", "1", "]"], ["[[", "0", "==", "1", "]]"]):
        return False
    return None


def _keeps_failure(body: list[Statement], state: _State) -> bool:
    """Whether a branch notes the failure in a variable that decides later."""
    for command in _commands(body):
        if isinstance(command, Simple) and command.words and all(_ASSIGNMENT.match(word.text) for word in command.words):
            name = command.words[0].text.split("=")[0].rstrip("+")
            if _used(name, state.all_statements, state):
                return True
    return False


def _words(command: Simple | Compound) -> list[str]:
    return [word.text for word in command.words] if isinstance(command, Simple) else []


def _name(command: Simple | Compound) -> str:
    return next((word for word in _words(command) if not _ASSIGNMENT.match(word)), "")


def _argument(command: Simple | Compound) -> str:
    words = _words(command)
    return words[1] if len(words) > 1 else ""


def _short(pipeline: Pipeline) -> str:
    words = _words(pipeline.commands[0])
    text = " ".join(words) if words else "(…)"
    return text if len(text) < 40 else text[:37] + "…"


def _exit_outcome(body: list[Statement]) -> bool:
    """Whether a body leaves with an error somewhere in it."""
    for place, command in enumerate(found := _commands(body)):
        if _name(command) in ("exit", "return"):
            if _argument(command) != "0" and (_argument(command) or not place):
                return True
        elif _name(command) in _FAILING or _name(command) == "core.setFailed":
            return True
    return bool(found) and False


def _outcome_of_pipeline(pipeline: Pipeline, state: _State) -> tuple[str, str]:
    """What a command after `||` does with a failure: succeeds, leaves, kept:NAME, or fails (passes it on)."""
    if pipeline.negated:
        return "fails", "likely"
    return _outcome(pipeline.commands[-1], state)


def _outcome(command: Simple | Compound, state: _State) -> tuple[str, str]:
    if isinstance(command, Compound):
        return _outcome_of_compound(command, state)
    words = _words(command)
    if words and all(_ASSIGNMENT.match(word) for word in words):
        return f"kept:{words[0].split('=')[0].rstrip('+')}", "certain"
    name = _name(command).rsplit("/", 1)[-1]
    if name in ("exit", "return"):
        return ("succeeds", "certain") if _argument(command) == "0" else ("leaves", "certain")
    if name in state.functions and name not in state.calling:
        outer, state.calling = state.calling, (*state.calling, name)
        outcome = _outcome_of_compound(state.functions[name], state)
        state.calling = outer
        return outcome
    if name in _FAILING:
        return "leaves", "certain"
    if name in _ALWAYS_FINE:
        return "succeeds", "certain"
    if name in _REPORTERS:
        return "succeeds", "likely"
    return "fails", "certain"


def _outcome_of_compound(command: Compound, state: _State) -> tuple[str, str]:
    if command.kind not in ("group", "subshell", "function"):
        return ("leaves" if any(_exit_outcome(part) for part in command.parts) else "succeeds"), "likely"
    body = command.parts[0] if command.parts else []
    for place, statement in enumerate(body):
        for at, pipeline in enumerate(statement.pipelines):
            one = pipeline.commands[-1]
            if _name(one) in ("exit", "return") and not any(sign == "||" for sign in statement.operators[:at]):
                argument = _argument(one)
                passes_on = bool(argument) or not (place or at)
                return ("leaves" if argument != "0" and passes_on else "succeeds"), "certain"
            if isinstance(one, Compound) and _exit_outcome([statement]):
                return "leaves", "likely"
    return _outcome_of_pipeline(body[-1].pipelines[-1], state) if body else ("succeeds", "certain")


def _asked_next(after: list[Statement], state: _State) -> bool:
    """Whether the next statement asks `$?` and does something with it."""
    if not after:
        return False
    following = after[0]
    for command in _commands([following])[:12]:
        words = _words(command)
        if not any("$?" in word or "PIPESTATUS" in word or "LASTEXITCODE" in word for word in words):
            continue
        if all(_ASSIGNMENT.match(word) for word in words):
            return _used(words[0].split("=")[0], after, state)
        if words[0] in ("local", "declare", "export") and len(words) > 1:
            return _used(words[1].split("=")[0], after, state)
        if words[0] in ("exit", "return"):
            return True
        if words[0] in ("[", "[[", "test"):
            return _exit_outcome([following]) or (len(after) == 1 and not following.operators) or state.errexit
    return False


def _used(name: str, after: list[Statement], state: _State) -> bool:
    """Whether a variable with a status in it ever decides how the script ends."""
    sign = re.compile(r"\$\{?" + re.escape(name) + r"\b")
    for statement in after:
        for command in _commands([statement]):
            words = _words(command)
            if not any(sign.search(word) or word == name for word in words[1:]):
                if isinstance(command, Compound) and command.kind == "if":
                    continue
                if not (words and words[0].startswith("((")):
                    continue
            if words[0] in ("exit", "return"):
                return True
            if words[0] in ("[", "[[", "test", "((") and (_exit_outcome([statement]) or not statement.operators):
                return True
    return False


def _mentions(statements: list[Statement], text: str) -> bool:
    return any(text in word for command in _commands(statements) for word in _words(command))


def _waited_for(after: list[Statement]) -> bool:
    return any(_name(command) == "wait" and _argument(command) for command in _commands(after))
