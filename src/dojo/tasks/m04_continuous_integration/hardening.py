"""Task 04.5: least privilege, pinned actions, secrets by reference, no text of a stranger in a shell; executed with hostile ones."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dojo.ci import workflow
from dojo.ci.pull_requests import deciding_step, in_repository, judged
from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m04_continuous_integration.pull_requests import main_branch, repository

SAFE = "repo/.github/workflows/safe.yml"
LEAKED = "sf-upload-2f9d1c77aa"
"""The token that stands in release.yml."""
UNTRUSTED = (
    r"github\.(event\.(pull_request\.(title|body|head\.(ref|label|repo))|issue|comment|review|head_commit|commits)|head_ref)"
)
CANARY = "a-command-of-the-title"


@dataclass(frozen=True)
class Strangers:
    """What a data set tries: the repository's secret, an honest title, and one that is a command in every kind of quotes."""

    token: str
    honest: str
    hostile: str

    @property
    def signature(self) -> str:
        """What ci/upload.py prints when it was given the token."""
        notes = main_branch()["docs/on-call.md"].encode()
        return hashlib.sha256(self.token.encode() + notes).hexdigest()[:16]

    def runs(self) -> dict[str, dict[str, Any]]:
        """The pull requests, by what they are."""
        mine = {
            "secrets": {"BUCKET_TOKEN": self.token},
            "head_ref": self.hostile.replace(" ", "${IFS}"),
            "body": self.hostile,
        }
        note = {"docs/notes.md": "A note.\n"}
        return {
            "ours": {"name": "ours", "title": self.honest, "branch": "note", "changes": note, **mine},
            "hostile": {"name": "hostile", "title": self.hostile, "branch": "typo", "changes": note, **mine},
            "fork": {
                **mine,
                "name": "fork",
                "title": self.honest,
                "branch": "fork",
                "changes": note,
                "fork": True,
                "secrets": {},
            },
            "unclean": {
                "name": "unclean",
                "title": self.honest,
                "branch": "more",
                "changes": {"pipeline/more.py": "import os\n"},
                **mine,
            },
        }


def strangers(seed: int) -> Strangers:
    """A data set."""
    key = hashlib.sha256(f"bucket {seed}".encode()).hexdigest()
    act = f'touch "$DOJO_ARTEFACTS/{CANARY}"'
    plain = act.replace('"', "")
    hostile = f"Fix typo {seed}\"; {act}; echo \"'; {plain}; echo '$({plain})`{plain}`"
    return Strangers(f"sf-upload-{key[:10]}", f"Fix the typo of day {seed}", hostile)


def _workflow(work: Work) -> dict[str, Any]:
    return workflow.read(work.file(SAFE), in_repository(SAFE))


# ---------------------------------------------------------------- what the text says


def token_reads(work: Work, data: Strangers) -> str:
    found = _workflow(work)
    _started_by_pull_requests(found)
    blocks = [found.get("permissions"), *workflow.permissions(found).values()]
    scopes = [s for b in blocks for s in workflow.write_scopes(b)]
    if scopes:
        raise NotYet(
            f"The token may write: {', '.join(dict.fromkeys(scopes))}. Nothing in these steps writes to the repository.",
            got=scopes,
            expected="contents: read",
            cause="write-token",
        )
    for name, own in workflow.permissions(found).items():
        if own is None:
            raise NotYet(
                f"Neither the workflow nor job `{name}` has a `permissions` block: the token holds the organisation's default, which may be everything.",
                expected="permissions: {contents: read}",
                got="none",
                cause="default-token",
            )
        if own == "read-all":
            raise NotYet(
                "`read-all` also reads packages, deployments and security alerts. Name the one scope that is needed.",
                got="read-all",
                expected="contents: read",
                cause="read-all",
            )
        if isinstance(own, dict) and own.get("contents") != "read" and _checks_out(workflow.jobs(found)[name]):
            raise NotYet(
                f"The token of job `{name}` may not even read the repository, which its checkout needs.",
                got=own or "permissions: {}",
                expected="contents: read",
                cause="no-read",
            )
    return "Started by `pull_request`; the token reads."


def _started_by_pull_requests(found: dict[str, Any]) -> None:
    on = workflow.triggers(found)
    if "pull_request_target" in on:
        heads = [s for _, _, s in workflow.steps(found) if "head" in str((s.get("with") or {}).get("ref", ""))]
        if heads:
            said, cause = (
                "`pull_request_target` runs in the base repository, with its secrets, and the checkout then fetches the stranger's commit: their code runs beside your key.",
                "target",
            )
        else:
            said, cause = (
                "`pull_request_target` runs with main's files, its secrets and a token that may write. Without the stranger's commit the check looks at main and tells nothing of the change; with it, a stranger's code would run beside the key.",
                "target-on-main",
            )
        raise NotYet(f"{said} Start on `pull_request`.", got="pull_request_target", expected="pull_request", cause=cause)
    if "workflow_run" in on and "pull_request" not in on:
        raise NotYet(
            "`workflow_run` starts after another workflow, on main and with its secrets. Alone it sees neither the change nor the title; what it would be handed of them is a stranger's text.",
            got="workflow_run",
            expected="pull_request",
            cause="trigger",
        )
    if "pull_request" not in on:
        raise NotYet(
            "It must still start on a pull request.",
            got=", ".join(on) or "nothing",
            expected="pull_request",
            cause="trigger",
        )


def _checks_out(job: dict[str, Any]) -> bool:
    return any(str(s.get("uses", "")).startswith("actions/checkout@") for _, _, s in workflow.steps({"jobs": {"one": job}}))


def pinned(work: Work, data: Strangers) -> str:
    used = [str(s["uses"]) for _, _, s in workflow.steps(_workflow(work)) if s.get("uses")]
    for one in used:
        if not one.startswith("./") and not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", one):
            ref = one.partition("@")[2] or "nothing"
            what = (
                "a branch: whatever stands there tomorrow runs with your secrets"
                if ref in ("main", "master")
                else "a short id"
                if re.fullmatch(r"[0-9a-f]{7,39}", ref)
                else "nothing"
                if ref == "nothing"
                else "a tag, and a tag can be moved"
            )
            raise NotYet(
                f"`{one}` is pinned to {what}. A full commit id (40 characters) cannot be moved.",
                expected="owner/name@<40 characters> # v5",
                got=one,
                cause="unpinned",
            )
    if not any(one.startswith("actions/checkout@") for one in used):
        raise NotYet(
            "The checkout is gone; the steps after it need the repository.",
            expected="actions/checkout@…",
            got=used or "no action",
            cause="no-checkout",
        )
    return "Every action by its commit."


def secrets_by_reference(work: Work, data: Strangers) -> str:
    found, text = _workflow(work), work.file(SAFE)
    _no_plain_secret(found, text)
    for job, _, step in workflow.steps(found):
        if workflow.secrets_in(step.get("run", "")):
            raise NotYet(
                f"In job `{job}` a secret is written into the command line: every process on the runner can list it. Hand it over in the step's `env`.",
                expected="env: {BUCKET_TOKEN: …} on that step",
                got=step["run"],
                cause="secret-in-command",
            )
    wide = [("the workflow", found), *((f"job `{n}`", j) for n, j in workflow.jobs(found).items())]
    for where, part in wide:
        if workflow.secrets_in(part.get("env", "")):
            raise NotYet(
                f"The secret stands in the `env` of {where}: every step and every action of it can read it, the linter too. Only the upload needs it.",
                expected="in the upload's own `env`",
                got=part["env"],
                cause="wide-secret",
            )
    if re.search(r"\btoJSON\(\s*secrets\s*\)", text, re.IGNORECASE) or re.search(r"^\s*secrets:\s*inherit\b", text, re.M):
        raise NotYet(
            "Every secret of the repository is handed on; the upload needs one.",
            expected="secrets.BUCKET_TOKEN",
            got="all of them",
            cause="wide-secret",
        )
    holders = [s for _, _, s in workflow.steps(found) if workflow.secrets_in([s.get("env", ""), s.get("with", "")])]
    if not any("upload.py" in str(s.get("run", "")) or s.get("uses") for s in holders):
        raise NotYet(
            "The upload still needs its token, in its own `env`.",
            expected="env: {BUCKET_TOKEN: ${{ secrets.BUCKET_TOKEN }}}",
            got=[_name(s) for s in holders] or "no step has it",
            cause="no-secret",
        )
    others = [s for s in holders if "upload.py" not in str(s.get("run", "")) and not s.get("uses")]
    if others:
        raise NotYet(
            f"“{_name(others[0])}” can read the secret and does not need it.",
            expected="the upload alone",
            got=_name(others[0]),
            cause="wide-secret",
        )
    return "One secret, by reference, in one step."


def _no_plain_secret(found: dict[str, Any], text: str) -> None:
    if LEAKED in text:
        raise NotYet(
            "The token of `release.yml` stands in the file, and the repository's history keeps it. Store it as a CI secret, refer to it, and change it: it has been seen.",
            got=f"{LEAKED[:4]}…",
            expected="${{ secrets.BUCKET_TOKEN }}",
            cause="plain-secret",
        )
    for where, value in _texts(found, ""):
        named = re.search(r"(token|key|password|secret)\w*$", where, re.IGNORECASE)
        if named and isinstance(value, str) and value and "${{" not in value and not value.startswith("$"):
            raise NotYet(
                f"`{where.lstrip('.')}` holds a credential in plain text, and the repository's history keeps it. Store it as a CI secret, refer to it, and change it: it has been seen.",
                got=value[:4] + "…",
                expected="${{ secrets.BUCKET_TOKEN }}",
                cause="plain-secret",
            )


def _texts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("permissions", "run", "uses", "name", "with", "if", "id"):
                yield from _texts(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, where)
    else:
        yield where, value


def _name(step: dict[str, Any]) -> str:
    return str(step.get("name") or step.get("uses") or str(step.get("run", "")).strip().split("\n")[0][:40])


def no_credentials_left(work: Work, data: Strangers) -> str:
    found = _workflow(work)
    for _, _, step in workflow.steps(found):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            options = step.get("with") or {}
            if str(options.get("persist-credentials", "true")).lower() != "false":
                raise NotYet(
                    "The checkout leaves the token in .git/config, where every later step finds it.",
                    expected="persist-credentials: false",
                    got=options or "with: nothing",
                    cause="persisted-token",
                )
    unlimited = [n for n, j in workflow.jobs(found).items() if "uses" not in j and "timeout-minutes" not in j]
    if unlimited:
        raise NotYet(
            f"Job `{unlimited[0]}` has no `timeout-minutes`: a hanging step holds the queue for six hours.",
            expected="timeout-minutes: 5",
            got="none",
            cause="no-timeout",
        )
    return "No token left lying about, and a time limit."


# ---------------------------------------------------------------- what the runs do


def _ran(work: Work, data: Strangers, which: str) -> dict[str, Any] | None:
    """The run on one of the pull requests; None where other runs decide. The honest one first."""
    if work.deciding is not None and which not in (*work.deciding, "ours"):
        return None

    def run() -> dict[str, Any]:
        own = {**repository().own(work), in_repository(SAFE): work.file(SAFE)}
        asked = {"path": in_repository(SAFE), "files": main_branch(), "own": own, "pull_requests": [data.runs()[which]]}
        return judged(work.tool("act", asked)[0])

    return work.once((SAFE, data, which), run)


def still_works(work: Work, data: Strangers) -> str:
    ours = _ran(work, data, "ours")
    tried = f"“{data.honest}”, from a branch of the repository itself"
    if ours["colour"] != "green":
        step = deciding_step(ours)
        raise NotYet(
            f"A colleague's pull request comes out {ours['colour']}{f' at {_decided(ours)}' if step else ''}.",
            tried=tried,
            expected="green",
            got=(step["said"] if step else ours["said"]) or ours["colour"],
            cause="good-is-red",
        )
    said = "\n".join(s["said"] for s in ours["steps"])
    if data.honest not in said and not _summarised(work):
        raise NotYet(
            "The step that announced the title does it no longer. Safe because it does nothing is not what was asked.",
            tried=tried,
            expected=f"New change {data.honest}",
            got=_said(ours),
            cause="lost-step",
        )
    if data.signature not in said:
        raise NotYet(
            "Nothing was uploaded with the repository's token.",
            tried=tried,
            expected="ci/upload.py prints what it uploaded",
            got=_said(ours),
            cause="lost-step",
        )
    unclean = _ran(work, data, "unclean")
    if unclean is not None and unclean["colour"] != "red":
        raise NotYet(
            "An unused import in the change goes through: `ruff check` is gone, or what it says does not reach the run.",
            tried="pipeline/more.py with `import os`",
            expected="red",
            got=unclean["colour"],
            cause="lost-step",
        )
    return "It announces, checks and uploads."


def _summarised(work: Work) -> bool:
    """Whether a step writes the title into the summary of the run, which no log shows."""
    runs = [s for _, _, s in workflow.steps(_workflow(work)) if "GITHUB_STEP_SUMMARY" in str(s.get("run", ""))]
    return any("title" in str(s.get("env", "")) for s in runs) or bool(runs and "pull_request.title" in work.file(SAFE))


def _decided(result: dict[str, Any]) -> str:
    return result["decided"].split(" / ")[-1]


def _said(result: dict[str, Any]) -> str:
    return "\n".join(f"{s['name']}: {s['said']}" for s in result["steps"] if s["said"])[-500:] or "nothing"


def no_text_of_strangers(work: Work, data: Strangers) -> str:
    result = _ran(work, data, "hostile")
    if result is None:
        return ""
    if any(CANARY in path for path in result["artefacts"]):
        raise NotYet(
            f'The title was executed: a command in it made a file on the runner.{_way_in(work)} Pass it in `env`, and use "$PR_TITLE" in quotes.',
            tried=data.hostile,
            expected="the title printed, sign by sign",
            got=_said(result),
            cause="injection",
        )
    if result["colour"] != "green":
        raise NotYet(
            f'The title became part of the program: a title with quotes breaks it.{_way_in(work)} Pass it in `env`, and use "$PR_TITLE" in quotes.',
            tried=data.hostile,
            expected="green",
            got=f"{result['colour']} at {_decided(result)}: {_said(result)}",
            cause="injection",
        )
    if data.hostile not in "\n".join(s["said"] for s in result["steps"]) and not _summarised(work):
        raise NotYet(
            "The title is not printed as it was written: the shell has read its quotes or signs.",
            tried=data.hostile,
            expected=data.hostile,
            got=_said(result),
            cause="garbled",
        )
    return "A title full of commands is printed, sign by sign."


def _way_in(work: Work) -> str:
    """The expression through which a stranger's text reaches a script, where one can be named."""
    found = _workflow(work)
    for job, inside, step in workflow.steps(found):
        known = {**(found.get("env") or {}), **(inside.get("env") or {}), **(step.get("env") or {})}
        for expression in workflow.expressions(str(step.get("run", ""))):
            name = re.search(r"\benv\.(\w+)|\benv\[['\"](\w+)", expression)
            source = str(known.get(name[1] or name[2], "")) if name else expression
            if re.search(UNTRUSTED, source):
                return f" In job `{job}`, `${{{{{expression}}}}}` is put into the script before the shell reads it."
    return ""


def forks_stay_green(work: Work, data: Strangers) -> str:
    result = _ran(work, data, "fork")
    if result is None:
        return ""
    if result["colour"] != "green":
        raise NotYet(
            "A pull request from a fork gets no secrets, and comes out red for no fault of its own. Upload only where there is a token: `if: github.event.pull_request.head.repo.full_name == github.repository`.",
            tried="a stranger's pull request, from a fork",
            expected="green, nothing uploaded",
            got=f"{result['colour']} at {_decided(result)}: {_said(result)}",
            cause="red-on-forks",
        )
    return "A fork's pull request is checked, and uploads nothing."


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
        if: github.event.pull_request.head.repo.full_name == github.repository
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
      - run: |
          if [ -z "$BUCKET_TOKEN" ]; then echo "a fork: nothing to upload with"; exit 0; fi
          python ci/upload.py --token "$BUCKET_TOKEN"
        env: {BUCKET_TOKEN: "${{ secrets['BUCKET_TOKEN'] }}"}
"""


def _but(*pairs: tuple[str, str]) -> dict[str, str]:
    return {SAFE: edited(GOOD, *pairs)}


TITLE = "${{ github.event.pull_request.title }}"
UPLOAD_ENV = "        env:\n          BUCKET_TOKEN: ${{ secrets.BUCKET_TOKEN }}\n        run: python ci/upload.py\n"

TASK = Task(
    id="04.5",
    title="What a stranger's pull request may do",
    minutes=15,
    points=3,
    deliver=(file(SAFE),),
    data=strangers,
    checks=(
        Check("is started safely, with a token that reads", token_reads),
        Check("pins every action", pinned),
        Check("holds no secret, refers to one", secrets_by_reference),
        Check("leaves no credentials behind, and ends in time", no_credentials_left),
        Check("still does its work", still_works, expected=lambda data: data.signature),
        Check("lets no text of a stranger into a shell", no_text_of_strangers),
        Check("stays green for a fork, which has no secrets", forks_stay_green),
    ),
    hints=(
        "Ask of each line: who wrote this text, and what could they write instead? There are six answers in `release.yml` that should worry you. And what does the upload do where there is no secret?",
        "The trigger, the token, the two `uses`, the plain token in `env`, the title in `echo`, the secret on the command line, the credentials that the checkout leaves behind; an `if` on the upload.",
        '`on: pull_request`, `permissions: {contents: read}`, 40-character commit ids, `env: {PR_TITLE: ${{ github.event.pull_request.title }}}` with `"$PR_TITLE"`, the secret in the upload step\'s `env`, `if: github.event.pull_request.head.repo.full_name == github.repository` on it, `persist-credentials: false`, `timeout-minutes`.',
    ),
    seconds=300.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "checkout": "the checkout thrown out",
        "announce the title": "the announcement thrown out",
        "check, upload": "the upload thrown out",
        "a stranger can do nothing with it": "the title in the script",
        "`BUCKET_TOKEN` is a secret": "the token in plain text",
        "From a fork there are no secrets": "uploads for forks too",
    },
    wrong=(
        wrong(
            "still pull_request_target",
            _but(
                ("on: pull_request\n", "on: pull_request_target\n"),
                (
                    "          persist-credentials: false\n",
                    "          persist-credentials: false\n          ref: ${{ github.event.pull_request.head.sha }}\n",
                ),
            ),
            "target",
        ),
        wrong(
            "pull_request_target with main's files",
            _but(("on: pull_request\n", "on: pull_request_target\n")),
            "target-on-main",
        ),
        wrong(
            "after another workflow",
            _but(("on: pull_request\n", "on: {workflow_run: {workflows: [ci], types: [completed]}}\n")),
            "trigger",
        ),
        wrong("no permissions block", _but(("permissions:\n  contents: read\n", "")), "default-token"),
        wrong("read-all", _but(("permissions:\n  contents: read\n", "permissions: read-all\n")), "read-all"),
        wrong("a token that may not even read", _but(("permissions:\n  contents: read\n", "permissions: {}\n")), "no-read"),
        wrong(
            "one scope still writes",
            _but(("  contents: read\n", "  contents: read\n  pull-requests: write\n")),
            "write-token",
        ),
        wrong("tags", _but(("@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "@v5")), "unpinned"),
        wrong(
            "the checkout thrown out",
            _but(
                (
                    "      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0\n        with:\n          persist-credentials: false\n",
                    "",
                )
            ),
            "no-checkout",
        ),
        wrong("the token in plain text", _but(("${{ secrets.BUCKET_TOKEN }}", LEAKED)), "plain-secret"),
        wrong(
            "the secret for everybody",
            _but(("jobs:\n", "env:\n  BUCKET_TOKEN: ${{ secrets.BUCKET_TOKEN }}\njobs:\n")),
            "wide-secret",
        ),
        wrong(
            "the secret for the whole job, in brackets",
            _but(
                (
                    "    timeout-minutes: 5\n",
                    "    timeout-minutes: 5\n    env:\n      BUCKET_TOKEN: ${{ secrets['BUCKET_TOKEN'] }}\n",
                ),
                (UPLOAD_ENV, "        run: python ci/upload.py\n"),
            ),
            "wide-secret",
        ),
        wrong(
            "the secret on the command line",
            _but(("python ci/upload.py", "python ci/upload.py --token ${{ secrets.BUCKET_TOKEN }}")),
            "secret-in-command",
        ),
        wrong(
            "the secret on the command line, in brackets",
            _but(("python ci/upload.py", "python ci/upload.py --token ${{ secrets['BUCKET_TOKEN'] }}")),
            "secret-in-command",
        ),
        wrong(
            "credentials left behind", _but(("        with:\n          persist-credentials: false\n", "")), "persisted-token"
        ),
        wrong("no time limit", _but(("    timeout-minutes: 5\n", "")), "no-timeout"),
        wrong(
            "the title in the script",
            _but(('"New change $PR_TITLE"', f'"New change {TITLE}"')),
            "injection",
            decided_by="hostile",
        ),
        wrong(
            "the title in the script by way of env",
            _but(('"New change $PR_TITLE"', '"New change ${{ env.PR_TITLE }}"')),
            "injection",
            decided_by="hostile",
        ),
        wrong(
            "a shell in the shell",
            _but(('echo "New change $PR_TITLE"', 'bash -c "echo New change $PR_TITLE"')),
            "injection",
            decided_by="hostile",
        ),
        wrong(
            "the announcement thrown out",
            _but(('echo "New change $PR_TITLE"', "echo a new change")),
            "lost-step",
            decided_by="ours",
        ),
        wrong(
            "the upload thrown out",
            _but(("        run: python ci/upload.py\n", "        run: ls ci/upload.py\n")),
            "lost-step",
            decided_by="ours",
        ),
        wrong(
            "the check is told to find nothing",
            _but(("ruff check .", "ruff check . --exit-zero")),
            "lost-step",
            decided_by="unclean",
        ),
        wrong(
            "uploads for forks too",
            _but(("        if: github.event.pull_request.head.repo.full_name == github.repository\n", "")),
            "red-on-forks",
            decided_by="fork",
        ),
    ),
    right=(
        right("two jobs, the secret in brackets", {SAFE: TWO}),
        right(
            "the title through a file",
            _but(
                (
                    'run: echo "New change $PR_TITLE"',
                    'run: printf \'New change %s\\n\' "$PR_TITLE" >> "$GITHUB_STEP_SUMMARY"',
                )
            ),
        ),
    ),
    spared={
        "python-version": "the version of Python is not what is judged",
        ".steps[1]": "setting up Python is not what is judged",
        "line 8": "a minute more or less decides nothing here",
        "5 →": "a minute more or less decides nothing here",
        "runs-on": "every job runs on the one runner",
        "3.11": "the version of Python is not what is judged",
    },
)
