"""CI systems beside GitHub Actions: GitLab, Azure, CircleCI, Travis, Bitbucket, Cloud Build, CodeBuild, Jenkins."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from dataops_audit import shell, yamllines
from dataops_audit.delegation import Executed, Place, expand, outer_mask
from dataops_audit.findings import CheckRun, Seen
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, is_true, items, words

_GITLAB_WORDS = frozenset(
    [
        "stages",
        "variables",
        "default",
        "include",
        "workflow",
        "image",
        "services",
        "cache",
        "before_script",
        "after_script",
        "pages:deploy",
        "spec",
        "types",
    ]
)


def read(tree: Tree, seen: Seen) -> None:
    """Reads every CI configuration there is beside GitHub's."""
    for path in tree.paths:
        name = path.lower()
        reader = next((one for pattern, one in _READERS if re.fullmatch(pattern, name)), None)
        text = tree.text(path) if reader else None
        if not text or reader is None:
            continue
        if reader in (_jenkins, script):
            reader(tree, seen, path, text)
            continue
        try:
            node = yamllines.first(text)
        except yamllines.BrokenYaml as error:
            seen.add("ci.broken", path, error.line, f"The CI system cannot read this file, so nothing in it runs: {error}")
            continue
        if isinstance(node, dict):
            reader(tree, seen, path, node)


def _note(seen: Seen, system: str, path: str, job: str, found: list[Executed], guard: bool, why: str = "") -> None:
    for one in found:
        if one.check:
            line = one.line if one.file == path else int(one.via[0].rsplit(":", 1)[-1]) if one.via else 1
            seen.checks.append(CheckRun(system, path, line, job, one, one.mask, one.sure, guard, "" if guard else why))


def _commands(
    tree: Tree, path: str, rows: list[Any], mask: str | None, errexit: bool, pipefail: bool, joined: bool = True
) -> list[Executed]:
    """The commands of a list of shell texts, run as one script (`joined`) or each on its own."""
    found: list[Executed] = []
    folder_runs: list[shell.Run] = []
    for place, row in enumerate(rows):
        runs = shell.runs(str(row), getattr(row, "first", 1), errexit=errexit or not joined, pipefail=pipefail)
        if not getattr(row, "block", False):
            for run in runs:
                run.line = getattr(row, "line", 1)
        if joined and not errexit and place < len(rows) - 1:
            for run in runs:
                run.mask = run.mask or "the script goes on without `set -e`, and a later command decides"
        folder_runs += runs
    found = expand(tree, folder_runs, Place(path, in_ci=True))
    return [outer_mask(one, mask, "certain", path, one.line) for one in found]


def _merged(node: Any, jobs: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """A GitLab job with what it extends."""
    made: dict[str, Any] = {}
    if depth < 12:
        for name in words(child(node, "extends")):
            made.update(_merged(jobs.get(name), jobs, depth + 1))
    made.update(node if isinstance(node, dict) else {})
    return made


DEEPEST_REFERENCE = 10
"""How deep GitLab itself follows `!reference`."""
MOST_LINES = 5_000
"""Lines, lists and references of one job's script that are read."""


def _gitlab_script(value: Any, root: Any) -> list[Any]:
    """The lines of a script; `!reference` and lists in lists are put in."""
    found: list[Any] = []
    todo = [(one, 0) for one in reversed(items(value))]
    for _ in range(MOST_LINES):
        if not todo:
            break
        one, depth = todo.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, list) and depth < DEEPEST_REFERENCE:
            refers = one.tag == "!reference" and all(isinstance(key, str) for key in one)
            inner = items(child(root, *one)) if refers else one
            todo += [(part, depth + 1) for part in reversed(inner)]
    return found


def _gitlab(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("GitLab CI")
    read_only, root = root, yamllines.Map(root)
    root.line = read_only.line
    for one in items(root.get("include")):
        local = child(one, "local") or (one if isinstance(one, str) and "://" not in one else None)
        other = tree.resolve("", str(local)) if local else None
        if other and other != path:
            try:
                inner = yamllines.first(tree.text(other) or "")
            except yamllines.BrokenYaml:
                continue
            if isinstance(inner, dict):
                for key, value in inner.items():
                    if key not in root:
                        if isinstance(value, dict):
                            value = yamllines.Map(value)
                            value["_from"] = other
                        root[key] = value
    before = child(root, "default", "before_script") or root.get("before_script")
    workflow_rules = items(child(root, "workflow", "rules"))
    for name, node in list(root.items()):
        if (
            name in _GITLAB_WORDS
            or str(name).startswith(".")
            or not isinstance(node, dict)
            or not ({"script", "extends", "run"} & set(node))
        ):
            continue
        job = _merged(node, root)
        mask, guard, why = _gitlab_conditions(job, workflow_rules)
        rows = _gitlab_script(job.get("before_script", before), root) + _gitlab_script(job.get("script"), root)
        found = _commands(tree, str(job.get("_from", path)), rows, mask, True, True)
        rows = _gitlab_script(job.get("after_script"), root)
        found += _commands(tree, str(job.get("_from", path)), rows, "GitLab ignores what after_script ends with", True, True)
        _note(seen, "GitLab CI", path, str(name), found, guard, why)
        if isinstance(job.get("environment"), str | dict):
            seen.add("env.deploy-environment", path, node.line, f"Job {name} deploys to a named environment")


def _gitlab_conditions(job: dict[str, Any], workflow_rules: list[Any]) -> tuple[str | None, bool, str]:
    """Mask, whether it runs before the merge, and if not, why."""
    mask = None
    if is_true(job.get("allow_failure")) or (
        isinstance(job.get("allow_failure"), dict) and "exit_codes" in job["allow_failure"]
    ):
        mask = "allow_failure lets the job fail unseen"
    rules = items(job.get("rules"))
    when = str(job.get("when", ""))
    if when == "manual" and not rules and not yamllines.is_false(job.get("allow_failure")):
        mask = mask or "when: manual: it waits for somebody's click and blocks nothing"
    if when == "never":
        mask = mask or "when: never: it never runs"
    if rules:
        live = [rule for rule in rules if str(child(rule, "when") or "") != "never"]
        if not live:
            return mask or "its rules never let it run", True, ""
        if all(is_true(child(rule, "allow_failure")) for rule in live):
            mask = mask or "allow_failure in every rule lets the job fail unseen"
        if all(
            str(child(rule, "when") or "") == "manual" and not yamllines.is_false(child(rule, "allow_failure"))
            for rule in live
        ):
            mask = mask or "when: manual in every rule: it waits for somebody's click"
        if not any(_gitlab_rule_guards(str(child(rule, "if") or "")) for rule in live):
            return mask, False, "its rules let it run after the merge or on a schedule only"
        return mask, True, ""
    only = job.get("only")
    refs = words(child(only, "refs") if isinstance(only, dict) else only)
    if (
        refs
        and not {"merge_requests", "branches", "external_pull_requests"} & set(refs)
        and not any(ref.startswith("/") for ref in refs)
    ):
        return mask, False, f"it runs only for {', '.join(refs)}"
    live = [rule for rule in workflow_rules if str(child(rule, "when") or "") != "never"]
    if workflow_rules and not any(_gitlab_rule_guards(str(child(rule, "if") or "")) for rule in live):
        return mask, False, "the pipeline's rules start it after the merge or on a schedule only"
    return mask, True, ""


def _gitlab_rule_guards(condition: str) -> bool:
    if not condition:
        return True
    if re.search(r"merge_request_event|CI_MERGE_REQUEST|external_pull_request", condition) and not re.search(
        r"!=\s*.merge_request_event", condition
    ):
        return True
    late = re.search(
        (
            r"CI_COMMIT_BRANCH\s*==\s*(\$CI_DEFAULT_BRANCH|.(main|master|prod\w*)\b)|"
            r"CI_PIPELINE_SOURCE\s*==\s*.(schedule|web|api|trigger|pipeline)|CI_COMMIT_TAG(?!\s*==\s*null)|"
            r"CI_COMMIT_REF_NAME\s*==\s*.(main|master)"
        ),
        condition,
    )
    return not late


def _azure(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("Azure Pipelines")
    trigger, pr = root.get("trigger"), root.get("pr")
    guard, why = True, ""
    if pr == "none" and (trigger == "none" or words(trigger) or isinstance(trigger, dict)):
        guard, why = False, "pr: none: it does not run for pull requests"
    _azure_steps(tree, seen, path, root, None, guard, why, 0, "pipeline")


def _azure_steps(
    tree: Tree, seen: Seen, path: str, node: Any, mask: str | None, guard: bool, why: str, depth: int, name: str
) -> None:
    if depth > 8 or not isinstance(node, dict):
        return
    name = str(node.get("job") or node.get("stage") or name)
    if is_true(node.get("continueOnError")):
        mask = mask or "continueOnError lets it fail unseen"
    if str(node.get("condition", "")).strip().lower() in ("false", "eq(1, 2)", "${{ false }}"):
        mask = mask or "its condition is never true"
    template = node.get("template")
    if isinstance(template, str):
        folder = path.rsplit("/", 1)[0] if "/" in path else ""
        other = tree.resolve("" if template.startswith("/") else folder, template)
        try:
            inner = yamllines.first(tree.text(other) or "") if other and other != path and tree.may_follow() else None
        except yamllines.BrokenYaml:
            inner = None
        _azure_steps(tree, seen, other or path, inner, mask, guard, why, depth + 1, name)
    for key in ("script", "bash"):
        if isinstance(node.get(key), str):
            found = _commands(tree, path, [node[key]], mask, False, False)
            _note(seen, "Azure Pipelines", path, name, found, guard, why)
    if str(node.get("task", "")).startswith(("Bash@", "CmdLine@")) and isinstance(child(node, "inputs", "script"), str):
        found = _commands(tree, path, [child(node, "inputs", "script")], mask, False, False)
        _note(seen, "Azure Pipelines", path, name, found, guard, why)
    for key in ("stages", "jobs", "steps"):
        for one in items(node.get(key)):
            _azure_steps(tree, seen, path, one, mask, guard, why, depth + 1, name)
    for inner in (child(node, "strategy", "runOnce", "deploy"),):
        if inner:
            seen.add("env.deploy-environment", path, node.line, f"Job {name} deploys to a named environment")
            _azure_steps(tree, seen, path, inner, mask, False, "it runs when something is deployed", depth + 1, name)


def _circle(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("CircleCI")
    jobs = root.get("jobs") if isinstance(root.get("jobs"), dict) else {}
    commands = root.get("commands") if isinstance(root.get("commands"), dict) else {}
    filters: dict[str, tuple[bool, str]] = {}
    for workflow in (root.get("workflows") or {}).values() if isinstance(root.get("workflows"), dict) else []:
        scheduled = child(workflow, "triggers") is not None
        for one in items(child(workflow, "jobs")):
            name, settings = (one, None) if isinstance(one, str) else next(iter(one.items()), ("", None))
            only = words(child(settings, "filters", "branches", "only"))
            late = scheduled or (
                bool(only) and all(branch in ("main", "master", "production", "prod", "develop") for branch in only)
            )
            if not late or str(name) not in filters:
                filters[str(name)] = (not late, "it runs on a schedule or after the merge only" if late else "")
    for name, job in jobs.items():
        guard, why = filters.get(str(name), (not filters, "no workflow runs this job"))
        _note(seen, "CircleCI", path, str(name), _circle_steps(tree, path, child(job, "steps"), commands, 0), guard, why)


def _circle_steps(tree: Tree, path: str, steps: Any, commands: dict[str, Any], depth: int) -> list[Executed]:
    found: list[Executed] = []
    for step in items(steps):
        if depth and not tree.may_follow():
            break
        if isinstance(step, str) and step in commands and depth < 5:
            found += _circle_steps(tree, path, child(commands[step], "steps"), commands, depth + 1)
        if not isinstance(step, dict):
            continue
        run = step.get("run")
        command = run if isinstance(run, str) else child(run, "command")
        if isinstance(command, str):
            strict = "{0}" not in str(child(run, "shell") or "") and not re.fullmatch(
                r"/bin/(ba)?sh", str(child(run, "shell") or "")
            )
            folder = str(child(run, "working_directory") or "").removeprefix("~/project").strip("/")
            rows = _commands(tree, path, [command], None, strict, strict)
            if folder:
                text = yamllines.Text(command)
                text.line, text.block = command.line, command.block
                runs = shell.runs(str(command), command.first, errexit=strict, pipefail=strict)
                rows = expand(tree, runs, Place(path, folder, in_ci=True))
            found += rows
        for key in ("when", "unless"):
            found += _circle_steps(tree, path, child(step, key, "steps"), commands, depth + 1) if depth < 5 else []
        for name in step:
            if name in commands and depth < 5:
                found += _circle_steps(tree, path, child(commands[name], "steps"), commands, depth + 1)
    return found


def _travis(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("Travis CI")
    for key in ("before_install", "install", "before_script", "script"):
        _note(
            seen,
            "Travis CI",
            path,
            key,
            _commands(tree, path, items(root.get(key)), None, True, False, joined=False),
            True,
        )
    for job in items(child(root, "jobs", "include")) + items(child(root, "matrix", "include")):
        _note(
            seen,
            "Travis CI",
            path,
            "jobs",
            _commands(tree, path, items(child(job, "script")), None, True, False, joined=False),
            True,
        )


def _bitbucket(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("Bitbucket Pipelines")
    for kind, node in (root.get("pipelines") or {}).items() if isinstance(root.get("pipelines"), dict) else []:
        guard = kind in ("default", "pull-requests")
        for keys, one in yamllines.walk(node):
            if keys and keys[-1] == "script" and isinstance(one, list):
                found = _commands(tree, path, [row for row in one if isinstance(row, str)], None, True, False)
                _note(seen, "Bitbucket Pipelines", path, str(kind), found, guard, f"it runs for {kind} only")


def _codebuild(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    if not isinstance(root.get("phases"), dict):
        return
    seen.systems.append("AWS CodeBuild")
    for name, phase in root["phases"].items():
        mask = "on-failure: CONTINUE lets the phase fail unseen" if child(phase, "on-failure") == "CONTINUE" else None
        found = _commands(tree, path, words(child(phase, "commands")), mask, True, False, joined=False)
        _note(seen, "AWS CodeBuild", path, str(name), found, True)


def _cloudbuild(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("Google Cloud Build")
    for step in items(root.get("steps")):
        mask = (
            "allowFailure lets the step fail unseen"
            if is_true(child(step, "allowFailure")) or child(step, "allowExitCodes")
            else None
        )
        entry, args = words(child(step, "entrypoint")), words(child(step, "args"))
        line = yamllines.line_of(step)
        script = child(step, "script")
        runs = shell.runs(str(script), script.first) if isinstance(script, str) else [shell.Run(entry + args or ["_"], line)]
        if (
            entry
            and base_name(entry[0]) in ("bash", "sh")
            and args[:1]
            and args[0].startswith("-")
            and "c" in args[0]
            and len(args) > 1
        ):
            runs = shell.runs(args[1], getattr(args[1], "first", line), errexit="e" in args[0])
        found = [outer_mask(one, mask, "certain", path, line) for one in expand(tree, runs, Place(path, in_ci=True))]
        _note(seen, "Google Cloud Build", path, str(child(step, "id") or "step"), found, True)


def base_name(word: str) -> str:
    """A program's name without its folder."""
    return word.rsplit("/", 1)[-1]


def _drone(tree: Tree, seen: Seen, path: str, root: Any) -> None:
    seen.systems.append("Drone or Woodpecker")
    steps = root.get("steps") or root.get("pipeline")
    for step in items(steps) if isinstance(steps, list) else list((steps or {}).values() if isinstance(steps, dict) else []):
        mask = "failure: ignore lets the step fail unseen" if child(step, "failure") == "ignore" else None
        _note(
            seen,
            "Drone or Woodpecker",
            path,
            str(child(step, "name") or "step"),
            _commands(tree, path, words(child(step, "commands")), mask, True, False),
            True,
        )


_GROOVY_STRING = r"'''(?:.|\n)*?'''|\"\"\"(?:.|\n)*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\""
_GROOVY_TOKEN = re.compile(rf"//[^\n]*|/\*(?:.|\n)*?\*/|{_GROOVY_STRING}|[{{}}]")
_SH = re.compile(r"\b(?:sh|bash)\s*\(?\s*(?:script\s*:\s*|label\s*:\s*[^,]+,\s*script\s*:\s*)?$")


def _jenkins(tree: Tree, seen: Seen, path: str, text: str) -> None:
    """A Jenkinsfile: `sh` steps with what the blocks around them do to a failure. Comments and strings are told apart."""
    seen.systems.append("Jenkins")
    stack: list[tuple[str, int]] = []
    code_from = 0
    for token in _GROOVY_TOKEN.finditer(text):
        sign = token[0]
        if sign == "{":
            head = re.sub(
                r"//[^\n]*", "", text[max(code_from, text.rfind("\n", 0, token.start()) + 1) : token.start()]
            ).strip()
            stack.append((head, token.start()))
            code_from = token.end()
        elif sign == "}":
            if stack:
                stack.pop()
            code_from = token.end()
        elif sign[0] in "'\"":
            before = text[max(0, token.start() - 120) : token.start()]
            if _SH.search(before):
                _jenkins_step(tree, seen, path, text, token, stack)


def _jenkins_step(tree: Tree, seen: Seen, path: str, text: str, token: re.Match[str], stack: list[tuple[str, int]]) -> None:
    quotes = 3 if token[0][:3] in ("'''", '"""') else 1
    line = text.count("\n", 0, token.start()) + 1
    body = token[0][quotes:-quotes]
    mask, sure = None, "certain"
    call = text[token.end() : token.end() + 120].split("\n")[0]
    head = text[text.rfind("\n", 0, token.start()) + 1 : token.start()]
    if re.search(r"returnStatus\s*:\s*true", call + head):
        name = re.search(r"(?:def|int)?\s*(\w+)\s*=\s*sh\b", head)
        used = name and re.search(
            rf"if\s*\(\s*{name[1]}\b[^)]*\)\s*\{{[^}}]*\b(error|throw|exit|currentBuild\.result)",
            text[token.end() :],
            re.DOTALL,
        )
        inline = re.search(r"if\s*\(\s*sh\b", head) and re.search(
            r"^[^{]*\{[^}]*\b(error|throw)\b", text[token.end() :], re.DOTALL
        )
        mask = None if used or inline else "returnStatus: true hands the status over and nothing asks for it"
    for block, start in stack:
        if block.startswith("catchError") and not re.search(r"buildResult\s*:\s*'FAILURE'", block):
            if re.search(r"buildResult\s*:\s*['\"](SUCCESS|UNSTABLE)|^catchError\s*\(?\s*stageResult", block):
                mask = mask or "catchError keeps the build from failing"
        elif block.startswith(("warnError", "unstable")):
            mask = mask or "warnError turns its failure into a warning"
        elif re.search(r"\btry$", block):
            end = _block_end(text, start)
            handler = re.match(r"\s*catch\s*\([^)]*\)\s*\{", text[end:])
            if handler:
                inner = text[end + handler.end() : _block_end(text, end + handler.end() - 1)]
                if not re.search(r"\b(throw|error)\b|currentBuild\.result\s*=\s*['\"]FAILURE", inner):
                    mask = mask or "try/catch swallows its failure"
    stage = next((block for block, _ in reversed(stack) if block.startswith("stage")), "stage")
    where = next((start for block, start in reversed(stack) if block.startswith("stage")), None)
    if where is not None and re.search(
        r"\bwhen\s*\{\s*(expression\s*\{\s*(return\s+)?false\s*\}|not\s*\{\s*anyOf\s*\{\s*\}\s*\})",
        text[where : where + 300],
    ):
        mask = mask or "its stage never runs: when { expression { false } }"
    runs = shell.runs(body, line, errexit=True)
    found = [outer_mask(one, mask, sure, path, line) for one in expand(tree, runs, Place(path, in_ci=True))]
    _note(seen, "Jenkins", path, stage, [replace(one, line=max(one.line, 1)) for one in found], True)


def _block_end(text: str, start: int) -> int:
    """The place behind the brace that closes the one at `start`."""
    depth = 0
    for token in _GROOVY_TOKEN.finditer(text, start):
        depth += (token[0] == "{") - (token[0] == "}")
        if not depth and token[0] == "}":
            return token.end()
    return len(text)


def script(tree: Tree, seen: Seen, path: str, text: str) -> None:
    """A script in a folder named for CI: what runs it cannot be seen here, so that it guards is only likely."""
    first = text.split("\n", 1)[0]
    if not re.match(r"#!.*\b(ba|z|da)?sh\b", first):
        return
    seen.systems.append("a script")
    runs = shell.runs(text, 1, errexit=bool(re.search(r"\s-\w*e", first)))
    _note(seen, "a script", path, path, expand(tree, runs, Place(path, in_ci=True)), True)


_READERS = (
    (r"(.*/)?[\w.-]*gitlab-ci[\w.-]*\.ya?ml", _gitlab),
    (r"(.*/)?azure-pipelines?[^/]*\.ya?ml|\.azure-?(devops|pipelines)/[^/]+\.ya?ml|\.pipelines/[^/]+\.ya?ml", _azure),
    (r"(.*/)?\.circleci/config\.ya?ml", _circle),
    (r"(.*/)?\.travis\.ya?ml", _travis),
    (r"(.*/)?bitbucket-pipelines\.ya?ml", _bitbucket),
    (r"(.*/)?buildspec[^/]*\.ya?ml", _codebuild),
    (r"(.*/)?cloudbuild[^/]*\.ya?ml", _cloudbuild),
    (r"\.ci/[\w-]+(\.sh)?", script),
    (r"\.drone\.ya?ml|\.woodpecker\.ya?ml|\.woodpecker/[^/]+\.ya?ml", _drone),
    (r"(.*/)?jenkinsfile([.-][\w.-]+)?|(.*/)?[^/]+\.jenkinsfile", _jenkins),
)
