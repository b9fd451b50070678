"""Follows a command to what it really runs: make, just, tox, nox, npm, pre-commit, scripts, compose services, images."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from dataops_audit import makefiles, pythonruns, shell, taskfiles, yamllines
from dataops_audit.checks import Check, base, identify, unwrapped
from dataops_audit.tree import Tree

DEEPEST = 12


@dataclass(frozen=True)
class Executed:
    """A command that really runs: where it is written, through which files it was reached, and what masks it."""

    words: tuple[str, ...]
    file: str
    line: int
    mask: str | None = None
    sure: str = "certain"
    via: tuple[str, ...] = ()
    check: Check | None = None
    masked_at: tuple[str, int] | None = None

    @property
    def text(self) -> str:
        """The command on one line, shortened."""
        text = " ".join(self.words)
        return text if len(text) <= 90 else text[:87] + "..."


@dataclass(frozen=True)
class Place:
    """Where commands run: the file they are written in, the folder they run in, and how they were reached."""

    file: str
    folder: str = ""
    via: tuple[str, ...] = ()
    in_ci: bool = False
    skip: frozenset[str] = frozenset()
    line: int = 1


def expand(tree: Tree, runs: list[shell.Run], place: Place, depth: int = 0) -> list[Executed]:
    """Every command of `runs` with those that it stands for, masks joined: masked outside is masked inside."""
    found: list[Executed] = []
    if depth > DEEPEST or not tree.may_follow(len(runs)):
        return found
    folder = place.folder
    for run in runs:
        if run.words[0] in ("cd", "pushd") and len(run.words) > 1:
            folder = _moved(folder, run.words[-1])
            continue
        here = replace(place, folder=folder, line=run.line)
        inner = _delegated(tree, unwrapped(run.words), here, depth)
        if inner is None:
            words = unwrapped(run.words)
            check = identify(words) or _by_name(words)
            mask, sure = run.mask, run.sure
            if check is not None and mask and check.tool == "git diff":
                check = None  # a question, not a check
            if mask is None and check is not None and check.mask:
                mask, sure = check.mask, check.sure
            found.append(Executed(tuple(words), place.file, run.line, mask, sure, place.via, check))
        else:
            found += [outer_mask(one, run.mask, run.sure, place.file, run.line) for one in inner]
    return found


_CALLERS = frozenset(
    [
        "make",
        "gmake",
        "npm",
        "yarn",
        "pnpm",
        "just",
        "task",
        "poe",
        "invoke",
        "inv",
        "hatch-script",
        "bash",
        "sh",
        "python",
        "python3",
        "rake",
        "gradle",
    ]
)
_SOUNDS_LIKE_A_CHECK = re.compile(
    r"(?<![a-z])(?:tests?|lint|linting|checks?|ci|validate|verify|quality|typecheck)(?![a-z])", re.IGNORECASE
)
_SOUNDS_OTHERWISE = re.compile(
    (
        r"clean|down|stop|up\b|setup|set-up|teardown|install|deps|report|upload|data|env|image|fix|"
        r"format$|docs|out\b|prepare|create|init|list|summary"
    ),
    re.IGNORECASE,
)


def _by_name(words: list[str]) -> Check | None:
    """A delegated check whose file is not here: its name alone says that it is one, so that is only possible."""
    if not words:
        return None
    targets = [
        word for word in words[1:] if not word.startswith("-") and "=" not in word and word not in ("run", "run-script")
    ]
    if base(words[0]) in _CALLERS and targets and targets != ["ci"]:
        name = base(targets[0])
    elif re.search(r"\.(sh|py)$", words[0]):
        name = base(words[0])
    else:
        return None
    if _SOUNDS_LIKE_A_CHECK.search(name.rsplit(".", 1)[0]) and not _SOUNDS_OTHERWISE.search(name):
        return Check(f"{base(words[0])} {name}" if base(words[0]) != name else name, "code tests", None, "possible")
    return None


def outer_mask(one: Executed, mask: str | None, sure: str, file: str, line: int) -> Executed:
    """The command with the mask of what surrounds it, unless it has one of its own already."""
    return replace(one, mask=mask, sure=sure, masked_at=(file, line)) if mask and not one.mask else one


def _moved(folder: str, target: str) -> str:
    target = re.sub(r"^\$\{?\{?\s*(github\.workspace|GITHUB_WORKSPACE|CI_PROJECT_DIR)\s*\}?\}?/?", "/", target).strip("\"'")
    parts = [] if target.startswith("/") else [part for part in folder.split("/") if part]
    for part in target.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _delegated(tree: Tree, words: list[str], place: Place, depth: int) -> list[Executed] | None:
    """What a delegating command runs, or None for a command that stands for itself."""
    if not words or depth > DEEPEST:
        return None
    name, args = base(words[0]), words[1:]
    if args and args[0] in ("--version", "--help", "-h", "-V"):
        return None
    if name in ("bash", "sh", "zsh", "dash", "ksh"):
        return _shell(tree, args, place, depth)
    if name in ("source", ".") and args:
        return _script(tree, args[0], place, depth, "")
    if name in ("docker", "podman", "buildah") and "build" in args[:3]:
        return _image(tree, args, place, depth)
    if name in ("make", "gmake"):
        return _make(tree, args, place, depth)
    if name in _FOLLOWERS:
        return _FOLLOWERS[name](tree, args, place, depth)
    if re.match(r"^python[\d.]*$", name):
        return _python(tree, args, place, depth)
    if "/" in words[0] or words[0].endswith(".sh"):
        target = tree.resolve(place.folder, words[0])
        if target and target.endswith(".py"):
            return _python(tree, [words[0]], place, depth)
        return _script(tree, words[0], place, depth, None) if target else None
    return None


def _via(place: Place, file: str, **changes: Any) -> Place:
    """The place inside a file that was reached from here."""
    return replace(place, file=file, via=(*place.via, f"{place.file}:{place.line}"), **changes)


def _shell(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    flags, at = "", 0
    while at < len(args) and args[at][:1] in "-+" and len(args[at]) > 1:
        if args[at].endswith("c") and not args[at].startswith("--"):
            flags += args[at]
            text = args[at + 1] if at + 1 < len(args) else ""
            runs = shell.runs(text, 1, errexit="e" in flags.replace("c", "", 1), pipefail="pipefail" in " ".join(args[:at]))
            return expand(tree, runs, place, depth + 1)
        flags += args[at] if not args[at].startswith("--") else ""
        if args[at].endswith("o") and not args[at].startswith("--") and at + 1 < len(args):
            flags += " " + args[at + 1] + " "
            at += 1
        at += 1
    return _script(tree, args[at], place, depth, flags) if at < len(args) else None


def _script(tree: Tree, target: str, place: Place, depth: int, flags: str | None) -> list[Executed] | None:
    """A shell script; `flags` are those of the shell that is called with it, None when its own first line decides."""
    path = tree.resolve(place.folder, re.sub(r"^\$\{?\{?[^}/]*\}?\}?/", "", target)) or tree.resolve("", target)
    text = tree.text(path) if path else None
    if path is None or text is None:
        return None
    first = text.split("\n", 1)[0]
    if first.startswith("#!"):
        if not re.search(r"\b(ba|z|da|k)?sh\b", first):
            return None
        flags = (first.split(None, 1)[1] if " " in first else "") if flags is None else flags
    pipefail = "pipefail" in (flags or "")
    errexit = bool(re.search(r"(^|\s)-\w*e", flags or ""))
    runs = shell.runs(text, 1, errexit=errexit, pipefail=pipefail)
    return expand(tree, runs, _via(place, path), depth + 1)


def _make(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    folder, file, targets, ignore, at = place.folder, None, [], False, 0
    variables = {}
    while at < len(args):
        arg = args[at]
        if arg in ("-C", "--directory", "-f", "--file", "--makefile") and at + 1 < len(args):
            at += 1
            if arg in ("-C", "--directory"):
                folder = _moved(folder, args[at])
            else:
                file = args[at]
        elif arg in ("-i", "--ignore-errors") or re.fullmatch(r"-[a-zA-Z]*i[a-zA-Z]*", arg):
            ignore = True
        elif "=" in arg and not arg.startswith("-"):
            variables.update([arg.split("=", 1)])
        elif not arg.startswith("-"):
            targets.append(arg)
        at += 1
    path = next(
        (
            found
            for one in ([file] if file else ["GNUmakefile", "makefile", "Makefile"])
            if (found := tree.resolve(folder, one))
        ),
        None,
    )
    text = tree.text(path) if path else None
    if text is None:
        return None
    made = tree.once(_with_includes, path)
    made = replace(made, variables={**made.variables, **variables}) if variables else made
    found: list[Executed] = []
    for target in targets or [made.first]:
        inner = expand(tree, makefiles.runs(made, target), _via(place, path, folder=folder), depth + 1)
        found += [replace(one, mask=one.mask or "make -i ignores every failure") for one in inner] if ignore else inner
    return found or None


def _with_includes(tree: Tree, path: str) -> makefiles.Makefile:
    text = tree.text(path) or ""
    made = makefiles.parse(text)
    for include in re.findall(r"^-?include\s+(.+)$", text, re.MULTILINE)[:20]:
        for name in include.split():
            other = tree.resolve(path.rsplit("/", 1)[0] if "/" in path else "", name)
            if other and (more := tree.text(other)):
                for target, rule in makefiles.parse(more).rules.items():
                    made.rules.setdefault(target, rule)
    return made


def _just(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    path = next(
        (
            found
            for one in ("justfile", "Justfile", ".justfile")
            if (found := tree.resolve(place.folder, one) or tree.resolve("", one))
        ),
        None,
    )
    text = tree.text(path) if path else None
    if text is None:
        return None
    made = makefiles.parse_just(text)
    target = next((arg for arg in args if arg in made.rules), made.first)
    return expand(tree, makefiles.runs(made, target), _via(place, path), depth + 1)


def _tox(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    path, found = taskfiles.tox(tree, place.folder, args)
    return expand(tree, found, _via(place, path), depth + 1) if path and found else _opaque("tox", args, place)


def _nox(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    path = tree.resolve(place.folder, "noxfile.py")
    text = tree.text(path) if path else None
    found = taskfiles.nox(text, args) if text else []
    return expand(tree, found, _via(place, path or ""), depth + 1) if found else _opaque("nox", args, place)


def _opaque(tool: str, args: list[str], place: Place) -> list[Executed]:
    """A runner whose configuration cannot be read: it stands for itself as a check of code."""
    return [
        Executed((tool, *args), place.file, place.line, via=place.via, check=Check(tool, "code tests", None, "possible"))
    ]


def _npm(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    folder = place.folder
    if args[:1] in (["--prefix"], ["-C"], ["--cwd"], ["--dir"]) and len(args) > 1:
        folder, args = _moved(folder, args[1]), args[2:]
    words = [arg for arg in args if not arg.startswith("-")]
    script = words[1] if words[:1] in (["run"], ["run-script"]) and len(words) > 1 else (words[0] if words else "")
    script = "test" if script == "t" else script
    path = tree.resolve(folder, "package.json")
    text = tree.text(path) if path else None
    try:
        scripts = json.loads(text or "{}").get("scripts", {})
    except (ValueError, AttributeError, RecursionError):
        return None
    command = scripts.get(script) if isinstance(scripts, dict) else None
    if not isinstance(command, str):
        return None
    line = next(
        (number for number, row in enumerate((text or "").split("\n"), 1) if f'"{script}"' in row and command[:20] in row), 1
    )
    found = shell.runs(command, line)
    for run in found:
        run.line = line
    return expand(tree, found, _via(place, path, folder=folder), depth + 1)


def _task(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    for name in ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "Taskfile.dist.yml"):
        path = tree.resolve(place.folder, name) or tree.resolve("", name)
        text = tree.text(path) if path else None
        if text:
            found = [
                run
                for target in [arg for arg in args if not arg.startswith("-")] or ["default"]
                for run in taskfiles.taskfile(text, target)
            ]
            return expand(tree, found, _via(place, path), depth + 1) if found else None
    return None


def _pyproject_script(*keys: str):
    """poe, pdm and hatch keep scripts in pyproject.toml."""

    def follow(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
        path = tree.resolve(place.folder, "pyproject.toml") or tree.resolve("", "pyproject.toml")
        text = tree.text(path) if path else None
        words = [arg for arg in args if not arg.startswith("-")]
        if not text or not words:
            return None
        found = taskfiles.pyproject(text, keys, words[0])
        return expand(tree, found, _via(place, path), depth + 1) if found else None

    return follow


def _hatch_script(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    env, _, script = args[0].rpartition(":")
    found = _pyproject_script("tool", "hatch", "envs", env or "default", "scripts")(tree, [script], place, depth)
    return (
        found if found is not None else expand(tree, [shell.Run(args, 1)], place, depth + 1) if ":" not in args[0] else None
    )


def _pre_commit(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    if args[:1] != ["run"]:
        return None
    path = tree.resolve(place.folder, ".pre-commit-config.yaml") or tree.resolve("", ".pre-commit-config.yaml")
    text = tree.text(path) if path else None
    if text is None:
        return [
            Executed(
                ("pre-commit", *args),
                place.file,
                place.line,
                via=place.via,
                check=Check("pre-commit", "lint", None, "possible"),
            )
        ]
    stage = next((args[at + 1] for at, arg in enumerate(args[:-1]) if arg == "--hook-stage"), "pre-commit")
    wanted = [arg for arg in args[1:] if not arg.startswith("-") and arg != stage]
    some = any(arg in ("--all-files", "-a", "--from-ref", "--files", "--source", "-s", "--to-ref", "-o") for arg in args)
    if any(arg in ("--from-ref", "--to-ref", "--files", "--source", "-s", "-o") for arg in args):
        wanted = [arg for arg in wanted if arg in {hook.id for hook in taskfiles.hooks(text)}]
    nothing = (
        "without --all-files it looks at staged files only, and in CI nothing is staged"
        if place.in_ci and not some
        else None
    )
    found = []
    hooks = taskfiles.hooks(text)
    live = {hook.id for hook in hooks if not hook.mask}
    for hook in hooks:
        if hook.mask == taskfiles.BY_HAND and hook.id in live:
            continue
        if (wanted and hook.id not in wanted) or hook.id in place.skip:
            continue
        mask = hook.mask or nothing
        if hook.stages and stage not in hook.stages:
            if hook.stages != ["manual"]:
                continue  # meant for another moment, such as the push or the message
            mask = mask or taskfiles.BY_HAND
        elif hook.stages == [stage]:
            mask = nothing if mask == taskfiles.BY_HAND else mask
        inner = (
            expand(tree, shell.runs(hook.entry, hook.line), replace(_via(place, path), folder=""), depth + 1)
            if hook.entry
            else []
        )
        checks = [one for one in inner if one.check]
        if not checks:
            checks = [
                Executed(
                    (hook.id,),
                    path,
                    hook.line,
                    via=(*place.via, f"{place.file}:{place.line}"),
                    check=Check(hook.id, hook.kind),
                )
            ]
        found += [replace(one, line=hook.line, mask=one.mask or mask) for one in checks]
    return found


def _python(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    target = next((arg for arg in args if not arg.startswith("-")), None)
    path = tree.resolve(place.folder, target) if target else None
    text = tree.text(path) if path else None
    if text is None or not path.endswith(".py"):
        return None
    if path.endswith("manage.py") and "test" in args:
        return None
    found = [one for one in expand(tree, pythonruns.runs(text), _via(place, path), depth + 1) if one.check]
    name = base(path).lower()
    if (
        not found
        and re.search(r"(^|_)(test|tests|check|checks|validate|verify|lint|audit)", name)
        and pythonruns.can_fail(text)
    ):
        found = [
            Executed(
                ("python", target),
                path,
                1,
                via=(*place.via, f"{place.file}:{place.line}"),
                check=Check(base(path), "code tests", None, "possible"),
            )
        ]
    return found or None


def _image(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    """The checks among the RUN lines of a Dockerfile that is built."""
    from dataops_audit.containers import instructions

    file = next((args[at + 1] for at, arg in enumerate(args[:-1]) if arg in ("-f", "--file")), None)
    context = next((arg for arg in reversed(args) if (not arg.startswith("-") and "/" in arg) or arg == "."), ".")
    path = tree.resolve(place.folder, file) if file else tree.resolve(_moved(place.folder, context), "Dockerfile")
    text = tree.text(path) if path else None
    if not text:
        return None
    found: list[Executed] = []
    for one in instructions(text):
        if one.name == "RUN" and not one.text.startswith("["):
            runs = shell.runs(re.sub(r"^(--\S+\s+)+", "", one.text), one.line)
            for run in runs:
                run.line = one.line
            found += [inner for inner in expand(tree, runs, _via(place, path, folder=""), depth + 1) if inner.check]
    return found or None


def _compose_service(tree: Tree, args: list[str], place: Place, depth: int) -> list[Executed] | None:
    for name in ("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"):
        path = tree.resolve(place.folder, name) or tree.resolve("", name)
        text = tree.text(path) if path else None
        if not text:
            continue
        try:
            service = yamllines.child(yamllines.first(text), "services", args[0])
        except yamllines.BrokenYaml:
            return None
        command = yamllines.child(service, "command")
        if not command:
            return None
        line = yamllines.line_of(command)
        runs = [shell.Run(list(command), line)] if isinstance(command, list) else shell.runs(str(command), line)
        return expand(tree, runs, _via(place, path, folder=""), depth + 1)
    return None


_FOLLOWERS = {
    "just": _just,
    "tox": _tox,
    "nox": _nox,
    "npm": _npm,
    "yarn": _npm,
    "pnpm": _npm,
    "bun": _npm,
    "task": _task,
    "go-task": _task,
    "poe": _pyproject_script("tool", "poe", "tasks"),
    "poethepoet": _pyproject_script("tool", "poe", "tasks"),
    "hatch-script": _hatch_script,
    "pre-commit": _pre_commit,
    "prek": _pre_commit,
    "compose-service": _compose_service,
}
