"""Runners configured by files of their own: tox, nox, Taskfile, scripts of pyproject.toml, pre-commit hooks."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from dataops_audit import pythonruns, shell, yamllines
from dataops_audit.tree import Tree

BY_HAND = "runs only when called by hand (stages: manual)"
TOX_IGNORED = "starts with `-`: tox ignores its failure"


def tox(tree: Tree, folder: str, args: list[str]) -> tuple[str | None, list[shell.Run]]:
    """The configuration file and the commands that `tox ARGS` runs."""
    wanted = _tox_environments(args)
    for name in ("tox.ini", "setup.cfg", "pyproject.toml", "tox.toml"):
        path = tree.resolve(folder, name)
        text = tree.text(path) if path else None
        if not text:
            continue
        found = _tox_toml(text, wanted, name) if name.endswith(".toml") else _tox_ini(_ini(text), wanted)
        if found:
            return path, found
    return None, []


def _tox_environments(args: list[str]) -> list[str]:
    for place, arg in enumerate(args):
        if arg in ("-e", "--env") and place + 1 < len(args):
            return re.split(r",(?![^{]*\})", args[place + 1])
        if arg.startswith("-e") and len(arg) > 2:
            return arg[2:].lstrip("=").split(",")
    return []


def _ini(text: str) -> dict[str, dict[str, tuple[int, list[tuple[int, str]]]]]:
    """Sections, keys and their lines; configparser knows no lines and dies of small mistakes."""
    found: dict[str, dict[str, tuple[int, list[tuple[int, str]]]]] = {}
    section: dict[str, tuple[int, list[tuple[int, str]]]] = {}
    key = None
    for line, row in enumerate(text.split("\n"), 1):
        if not row.strip() or row.lstrip().startswith(("#", ";")):
            continue
        if head := re.match(r"^\[([^\]]+)\]", row):
            section, key = found.setdefault(head[1].strip(), {}), None
        elif row[:1] in " \t" and key:
            section[key][1].append((line, row.strip()))
        elif pair := re.match(r"^([\w.-]+)\s*[=:]\s*(.*)$", row):
            key = pair[1]
            section[key] = (line, [(line, pair[2].strip())] if pair[2].strip() else [])
    return found


def _tox_ini(sections: dict[str, Any], wanted: list[str]) -> list[shell.Run]:
    head = sections.get("tox") or sections.get("tox:tox")
    if head is None and not any(name.startswith("testenv") for name in sections):
        return []
    if not wanted:
        names = [row for key in ("envlist", "env_list") for _, row in (head or {}).get(key, (0, []))[1]]
        wanted = [one.strip() for row in names for one in re.split(r",(?![^{]*\})", row) if one.strip()] or ["py"]
    found: list[shell.Run] = []
    seen = set()
    for environment in wanted:
        name = f"testenv:{environment}" if f"testenv:{environment}" in sections else "testenv"
        section = {**sections.get("testenv", {}), **sections.get(name, {})}
        if "commands" not in section or name in seen:
            continue
        seen.add(name)
        ignored = any(
            pythonish in ("true", "yes", "1")
            for key in ("ignore_outcome",)
            for _, pythonish in [(0, v.lower()) for _, v in section.get(key, (0, []))[1]]
        )
        found += _tox_commands(
            section["commands"][1], "ignore_outcome = true: tox ignores the whole environment" if ignored else None
        )
    return found


def _tox_commands(rows: list[tuple[int, str]], mask: str | None) -> list[shell.Run]:
    found, held, start = [], "", 0
    for line, row in rows:
        start = start if held else line
        held += row.removesuffix("\\") + " "
        if row.endswith("\\"):
            continue
        text, held = re.sub(r"^[\w{},!-]+:\s+(?=\S)", "", held.strip()), ""
        here = TOX_IGNORED if text.startswith("-") else mask
        words = re.sub(r"\{[^{}]*\}", "", text.lstrip("-! ")).replace('"', "").replace("'", "").split()
        if words:
            found.append(shell.Run(words, start, here))
    return found


def _tox_toml(text: str, wanted: list[str], name: str) -> list[shell.Run]:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    data = data if name == "tox.toml" else data.get("tool", {}).get("tox", {})
    if isinstance(data.get("legacy_tox_ini"), str):
        start = text[: text.find("legacy_tox_ini")].count("\n")
        found = _tox_ini(_ini(data["legacy_tox_ini"]), wanted)
        for run in found:
            run.line += start
        return found
    base = data.get("env_run_base", {})
    found = []
    for environment in wanted or data.get("env_list", ["py"]):
        one = {**base, **data.get("env", {}).get(environment, {})} if isinstance(environment, str) else base
        for command in one.get("commands", []):
            words = (
                [str(word) for word in command if not isinstance(word, dict)]
                if isinstance(command, list)
                else str(command).split()
            )
            mask = TOX_IGNORED if words[:1] == ["-"] else None
            mask = mask or (
                "ignore_outcome = true: tox ignores the whole environment" if one.get("ignore_outcome") else None
            )
            if words and words != ["-"]:
                found.append(shell.Run([word for word in words if word != "-"], _line_of(text, words[-1]), mask))
    return found


def _line_of(text: str, word: str) -> int:
    return next((number for number, row in enumerate(text.split("\n"), 1) if word in row), 1)


def nox(text: str, args: list[str]) -> list[shell.Run]:
    """The commands of a noxfile's sessions that `nox ARGS` runs."""
    tree = pythonruns.parsed(text)
    if tree is None:
        return []
    wanted = {arg for arg in args if not arg.startswith("-")}
    found = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not any(
            "session" in pythonruns.dotted(one.func if isinstance(one, ast.Call) else one) for one in node.decorator_list
        ):
            continue
        names = {node.name} | {
            str(pythonruns.constant(pythonruns.keyword(one, "name")))
            for one in node.decorator_list
            if isinstance(one, ast.Call)
        }
        if (
            wanted
            and not {re.sub(r"[-(].*$", "", one) for one in wanted} & {re.sub(r"[-(].*$", "", one) for one in names}
            and not wanted & names
        ):
            continue
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and pythonruns.dotted(call.func) in ("session.run", "session.run_always", "s.run"):
                words = [str(one.value) for one in call.args if isinstance(one, ast.Constant)]
                codes = pythonruns.keyword(call, "success_codes")
                many = isinstance(codes, ast.List | ast.Tuple | ast.Call) and (
                    isinstance(codes, ast.Call) or any(pythonruns.constant(one) == 1 for one in codes.elts)
                )
                if words:
                    found.append(
                        shell.Run(words, call.lineno, "success_codes lets a failure count as success" if many else None)
                    )
    return found


def taskfile(text: str, target: str, done: set[str] | None = None) -> list[shell.Run]:
    """The commands of one task of a Taskfile, those of each task that it calls once."""
    done = set() if done is None else done
    try:
        tasks = yamllines.child(yamllines.first(text), "tasks")
    except yamllines.BrokenYaml:
        return []
    task = yamllines.child(tasks, target)
    if task is None or target in done:
        return []
    done.add(target)
    found: list[shell.Run] = []
    ignored = isinstance(task, dict) and yamllines.is_true(task.get("ignore_error"))
    for need in yamllines.items(yamllines.child(task, "deps")):
        name = need if isinstance(need, str) else str(yamllines.child(need, "task") or "")
        found += taskfile(text, name, done)
    commands = task if not isinstance(task, dict) else task.get("cmds") or task.get("cmd")
    for one in yamllines.items(commands):
        if isinstance(one, dict) and "task" in one:
            found += taskfile(text, str(one["task"]), done)
            continue
        command = one if isinstance(one, str) else yamllines.child(one, "cmd")
        mask = "ignore_error: true" if ignored or yamllines.is_true(yamllines.child(one, "ignore_error")) else None
        if isinstance(command, str):
            for run in shell.runs(command, getattr(command, "first", 1)):
                run.mask = run.mask or mask
                found.append(run)
    return found


def pyproject(text: str, keys: tuple[str, ...], script: str, done: set[str] | None = None) -> list[shell.Run]:
    """The commands of a script of pyproject.toml: a text, a list of names or commands, or a table with `cmd` or `shell`.

    Those of each script that it names are given once.
    """
    done = set() if done is None else done
    try:
        data: Any = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    value = data.get(script) if isinstance(data, dict) else None
    if value is None or script in done:
        return []
    done.add(script)
    line = next(
        (
            number
            for number, row in enumerate(text.split("\n"), 1)
            if re.match(rf"\s*[\"']?{re.escape(script)}[\"']?\s*=|.*\.{re.escape(script)}\]", row)
        ),
        1,
    )
    mask = None
    if isinstance(value, dict):
        mask = "ignore_fail: the runner ignores its failure" if value.get("ignore_fail") else None
        value = value.get("cmd") or value.get("shell") or value.get("sequence") or value.get("composite") or []
    found: list[shell.Run] = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            one = one.get("cmd") or one.get("ref") or ""
        if isinstance(one, str) and isinstance(data, dict) and one in data:
            found += pyproject(text, keys, one, done)
        elif isinstance(one, str):
            ignored = "starts with `-`: hatch ignores its failure" if one.startswith("- ") else None
            for run in shell.runs(one.removeprefix("- "), line):
                run.line, run.mask = line, run.mask or ignored
                found.append(run)
    for run in found:
        run.mask = run.mask or mask
    return found


@dataclass
class Hook:
    """One hook of a pre-commit configuration: what it runs where it says so, and why it could never stop a commit."""

    id: str
    line: int
    repo: str
    entry: str = ""
    stages: list[str] = field(default_factory=list)
    mask: str | None = None

    @property
    def kind(self) -> str:
        """The kind of check, as far as its name tells."""
        if re.search(r"secret|gitleaks|private-key|trufflehog|ggshield|bandit|checkov|tfsec|trivy|aws-credentials", self.id):
            return "security scan"
        if re.search(r"pytest|unittest|\btest", self.id):
            return "code tests"
        return "compile" if re.search(r"dbt-(parse|compile|run)|validate", self.id) else "lint"


def hooks(text: str) -> list[Hook]:
    """The hooks of a .pre-commit-config.yaml; none where it is broken."""
    try:
        config = yamllines.first(text)
    except yamllines.BrokenYaml:
        return []
    found = []
    default = yamllines.words(yamllines.child(config, "default_stages"))
    for repo in yamllines.items(yamllines.child(config, "repos")):
        where = str(yamllines.child(repo, "repo") or "")
        for one in yamllines.items(yamllines.child(repo, "hooks")):
            identity = yamllines.child(one, "id")
            if not isinstance(identity, str) or where == "meta":
                continue
            hook = Hook(str(identity), yamllines.line_of(identity), where, str(one.get("entry") or ""))
            hook.stages = [
                {"commit": "pre-commit", "push": "pre-push"}.get(stage, str(stage))
                for stage in yamllines.words(one.get("stages")) or default
            ]
            hook.mask = _hook_mask(one, hook)
            found.append(hook)
    return found


def _hook_mask(one: Any, hook: Hook) -> str | None:
    if str(one.get("files", "")) in ("^$", "$^", "(?!)"):
        return "`files` matches no file"
    if str(one.get("exclude", "-")) in (".*", ".", "^.*$", "^", ""):
        return "`exclude` matches every file"
    if hook.stages == ["manual"]:
        return BY_HAND
    args = yamllines.words(one.get("args"))
    option = next(
        (
            arg
            for arg in args
            if arg in ("--exit-zero", "--soft-fail", "--no-fail", "--nofail", "--warn-only", "--exit-zero-even-if-changed")
        ),
        None,
    )
    if option:
        return f"{option} makes it end well whatever it finds"
    if hook.entry.strip() in ("true", "/bin/true", ":", "echo") or hook.entry.startswith("echo "):
        return "its entry does nothing"
    return None
