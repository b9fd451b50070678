"""Makefiles and justfiles: which shell lines a target runs, and which of their failures make ignores."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dataops_audit import shell

IGNORED = "starts with `-`: make ignores its failure"


@dataclass
class Rule:
    """A target's prerequisites and recipe, each recipe line with its place in the file."""

    line: int
    needs: list[str] = field(default_factory=list)
    recipe: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class Makefile:
    """What a Makefile (or justfile) says, as far as running its targets goes."""

    rules: dict[str, Rule] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    first: str = ""
    one_shell: bool = False
    ignored: frozenset[str] | None = None
    ignore_all: bool = False
    just: bool = False


_RULE = re.compile(r"^([^\s#=:][^=:#]*?)\s*::?(?!=)\s*([^=#]*?)\s*(?:;(.*?))?(?:#.*)?$")
_VARIABLE = re.compile(r"^(?:export\s+|override\s+)*([A-Za-z_.][\w.]*)\s*(\?=|:=|::=|\+=|=)\s*(.*?)\s*$")
_JUST_RECIPE = re.compile(r"^@?([A-Za-z_][\w-]*)((?:\s+[+*$]?[\w-]+(?:\s*=\s*\S+)?)*)\s*:(?!=)\s*(.*)$")
_REFERENCE = re.compile(r"\$\(([\w.-]+)\)|\$\{([\w.-]+)\}|\$\$|\$([@<^*])")


def parse(text: str) -> Makefile:
    """A Makefile's rules and variables; conditionals are read as if every branch held."""
    made = Makefile()
    targets: list[str] = []
    text = _without_definitions(made, text)
    for line, row in _logical(text):
        if row.startswith("\t") and targets:
            for target in targets:
                made.rules[target].recipe.append((line, row[1:]))
            continue
        bare = row.strip()
        if (
            not bare
            or bare.startswith("#")
            or re.match(r"(ifn?eq|ifn?def|else|endif|-?include|sinclude|define|endef|vpath|unexport)\b", bare)
        ):
            continue
        if variable := _VARIABLE.match(bare):
            name, sign, value = variable.groups()
            value = value.split(" #")[0].rstrip()
            if sign == "+=":
                made.variables[name] = f"{made.variables.get(name, '')} {value}".strip()
            elif sign != "?=" or name not in made.variables:
                made.variables[name] = value
            targets = []
        elif rule := _RULE.match(bare):
            targets = _rule(made, line, rule)
    flags = made.variables.get("MAKEFLAGS", "").replace("--", " --").split()
    made.ignore_all = "--ignore-errors" in flags or any(
        re.fullmatch(r"-?[a-zA-Z]*i[a-zA-Z]*", flag) for flag in flags if not flag.startswith("--")
    )
    return made


_DEFINE = re.compile(r"^define\s+([\w.-]+)[^\n]*\n(.*?)^endef\b[^\n]*", re.MULTILINE | re.DOTALL)


def _without_definitions(made: Makefile, text: str) -> str:
    """Variables of several lines are noted and blanked, so that lines keep their numbers."""

    def note(match: re.Match[str]) -> str:
        made.variables[match[1]] = match[2].strip("\n")
        return "\n" * match[0].count("\n")

    return _DEFINE.sub(note, text)


def _rule(made: Makefile, line: int, rule: re.Match[str]) -> list[str]:
    names, needs = expand(made, rule[1]).split(), expand(made, rule[2]).split()
    if names == [".ONESHELL"]:
        made.one_shell = True
    if names == [".IGNORE"]:
        made.ignored = frozenset(needs)
    for name in names:
        known = made.rules.setdefault(name, Rule(line))
        known.needs += [need for need in needs if need != "|"]
        if rule[3] and rule[3].strip():
            known.recipe.append((line, rule[3].strip()))
        if not made.first and not name.startswith("."):
            made.first = name
    return names


def _logical(text: str) -> list[tuple[int, str]]:
    """Lines with backslash continuations joined by real newlines kept for the shell."""
    found: list[tuple[int, str]] = []
    start, pieces = 0, []
    for number, row in enumerate(text.split("\n"), 1):
        if not pieces:
            start = number
        pieces.append(row)
        if not row.endswith("\\"):
            found.append((start, "\n".join(pieces)))
            pieces = []
    if pieces:
        found.append((start, "\n".join(pieces)))
    return [(line, row if row.startswith("\t") else re.sub(r"\\\n\s*", " ", row)) for line, row in found]


_CALL = re.compile(r"\$\(call\s+([\w.-]+)\s*((?:,[^()]*(?:\([^()]*\)[^()]*)*)?)\)")


def expand(made: Makefile, text: str, depth: int = 0) -> str:
    """Make's variables and `$(call …)` put in; `$$` becomes `$`, what is unknown becomes nothing."""

    def called(match: re.Match[str]) -> str:
        body = made.variables.get(match[1], "")
        given = match[2].lstrip(",").split(",") if match[2] else []
        for place, value in enumerate(given, 1):
            body = body.replace(f"$({place})", value.strip()).replace(f"${{{place}}}", value.strip())
        return expand(made, body, depth + 1)

    if depth < 8 and "$(call" in text:
        text = _CALL.sub(called, text)

    def one(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name = match[1] or match[2]
        if name == "MAKE":
            return "make"
        if name is None or depth > 8:
            return ""
        return expand(made, made.variables.get(name, ""), depth + 1)

    return _REFERENCE.sub(one, text)


DEEPEST = 100


def runs(made: Makefile, target: str) -> list[shell.Run]:
    """The commands a target runs, prerequisites first, each target once and each command with its mask."""
    return _runs(made, target, set(), 0)


def _runs(made: Makefile, target: str, done: set[str], depth: int) -> list[shell.Run]:
    rule = made.rules.get(target)
    if rule is None or target in done or depth > DEEPEST:
        return []
    done.add(target)
    found: list[shell.Run] = []
    for need in rule.needs:
        found += _runs(made, need, done, depth + 1)
    return found + (_just_lines(rule) if made.just else _make_lines(made, rule, target))


def _shell_lines(made: Makefile, text: str, whole: bool) -> list[str]:
    """The lines make hands to a shell of their own: a variable of several lines is several of them."""
    body = expand(made, text)
    return [body] if whole else [row for row in re.split(r"(?<!\\)\n", body) if row.strip()]


def _make_lines(made: Makefile, rule: Rule, target: str) -> list[shell.Run]:
    flags = made.variables.get(".SHELLFLAGS", "") + " " + made.variables.get("SHELL", "")
    errexit, pipefail = bool(re.search(r"(^|\s)-\w*e", flags)), "pipefail" in flags
    mask = None
    if made.ignore_all:
        mask = "MAKEFLAGS holds -i: make ignores every failure"
    elif made.ignored is not None and (not made.ignored or target in made.ignored):
        mask = ".IGNORE: make ignores its failure"
    recipe = rule.recipe
    if made.one_shell and recipe:
        recipe = [(recipe[0][0], "\n".join(text for _, text in recipe))]
    found = []
    for line, text in recipe:
        for row in _shell_lines(made, text, made.one_shell):
            prefix = re.match(r"[\s@+-]*", row)[0]
            here = mask or (IGNORED if "-" in prefix else None)
            body = re.sub(r"\n\t", "\n", row[len(prefix) :])
            for run in shell.runs(body, line, errexit=errexit, pipefail=pipefail):
                run.mask = run.mask or here
                found.append(run)
    return found


def parse_just(text: str) -> Makefile:
    """A justfile in the same form."""
    made = Makefile(just=True)
    current: Rule | None = None
    for line, row in enumerate(text.split("\n"), 1):
        if row[:1] in (" ", "\t") and row.strip():
            if current is not None:
                current.recipe.append((line, row.strip()))
        elif found := _JUST_RECIPE.match(row):
            needs = re.findall(r"\(?([A-Za-z_][\w-]*)[^()]*\)?", found[3].split("#")[0].replace("&&", " "))
            current = made.rules[found[1]] = Rule(line, needs)
            made.first = made.first or found[1]
        elif row.strip() and not row.startswith(("#", "[")):
            current = None
    return made


def _just_lines(rule: Rule) -> list[shell.Run]:
    if rule.recipe and rule.recipe[0][1].startswith("#!"):
        shebang = rule.recipe[0][1]
        if not re.search(r"\b(ba|z|da|k)?sh\b", shebang):
            return []
        text = "\n".join(row for _, row in rule.recipe[1:])
        return shell.runs(text, rule.recipe[0][0] + 1, errexit=bool(re.search(r"\s-\w*e", shebang)))
    found = []
    for line, text in rule.recipe:
        prefix = re.match(r"[@-]*", text)[0]
        for run in shell.runs(text[len(prefix) :], line):
            run.mask = run.mask or ("starts with `-`: just ignores its failure" if "-" in prefix else None)
            found.append(run)
    return found
