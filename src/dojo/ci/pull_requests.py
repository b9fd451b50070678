"""Prepared pull requests tried on a learner's repository: what each is, what goes along, and what came of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from dojo.judge.work import NotCheckable, Work

REPOSITORY = "repo"
"""The folder of the workspace that is the learner's checkout."""


@dataclass(frozen=True)
class PullRequest:
    """kind: what is the matter with it; title: as its author wrote it; colour: what a gate must show; changes by path."""

    kind: str
    title: str
    colour: str
    changes: tuple[tuple[str, str | None], ...]

    def as_request(self) -> dict[str, Any]:
        """What the runner is told: nothing about the colour."""
        branch = "".join(c if c.isalnum() else "-" for c in self.title.lower()).strip("-")[:40]
        return {"name": self.title, "branch": branch, "changes": dict(self.changes)}


@dataclass(frozen=True)
class Tried:
    """A pull request and what the runner said of it; None when it was not run."""

    pull: PullRequest
    result: dict[str, Any] | None

    @property
    def as_it_should(self) -> bool:
        """Whether the colour is the one a gate must show."""
        return self.result is not None and self.result["colour"] == self.pull.colour


@dataclass(frozen=True)
class Repository:
    """A repository on main as the course prepares it, how the workspace began, and what of the learner's is left aside.

    main: what main holds, by path; starting: files that came with the workspace and are no work of the learner's; aside:
    paths of which main's own version is tried.
    """

    main: dict[str, str]
    starting: dict[str, str]
    aside: tuple[str, ...] = ()

    def own(self, work: Work) -> dict[str, str]:
        """The learner's own files: all that a commit would take along and that did not come with the workspace."""
        held = work.once("files of the repository", lambda: work.files(REPOSITORY))
        begun = {**self.main, **self.starting}
        return {p: t for p, t in held.items() if begun.get(p) != t and p not in self.aside and _inside(p)}


def _inside(path: str) -> bool:
    """Whether a path is one of the repository's files: not outside of it, and nothing of Git's own."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] not in ("/", ".git") and ".." not in parts


def in_repository(path: str) -> str:
    """A path of the workspace as one of the repository."""
    return path.removeprefix(f"{REPOSITORY}/")


def wanted(work: Work, pulls: tuple[PullRequest, ...]) -> tuple[PullRequest, ...]:
    """The first pull request and, where only some runs decide, those."""
    return pulls if work.deciding is None else tuple(p for n, p in enumerate(pulls) if n == 0 or p.kind in work.deciding)


def tried(
    work: Work, tool: str, path: str, repository: Repository, pulls: tuple[PullRequest, ...], **more: Any
) -> list[Tried]:
    """The learner's pipeline (its path in the workspace) on some pull requests, each once for one piece of work.

    Those that must come out green stand first: where one does not get through, nothing is learnt from the others. A graded
    pipeline is also done with at its first surprise; a learner sees them all. NotCheckable where this runner lacks what
    the pipeline asks for, or was too busy.
    """
    chosen = wanted(work, pulls)
    text = work.file(path)

    def run() -> list[Tried]:
        request = {"path": in_repository(path), "files": repository.main, "own": repository.own(work), **more}
        request["own"][in_repository(path)] = text
        return _in_batches(work, tool, request, chosen)

    return work.once((tool, path, tuple(p.title for p in chosen), repr(sorted(more.items()))), run)


def _in_batches(work: Work, tool: str, request: dict[str, Any], pulls: tuple[PullRequest, ...]) -> list[Tried]:
    graded, done = work.isolated is not None, []
    while len(done) < len(pulls) and all(t.as_it_should for t in done if graded or t.pull.colour == "green"):
        batch = pulls[len(done) :] if done and not graded else pulls[len(done) : len(done) + 2]
        asked = {**request, "pull_requests": [p.as_request() for p in batch], "before": len(done), "of": len(pulls)}
        results = work.tool(tool, asked)
        done += [Tried(p, judged(r)) for p, r in zip(batch, results, strict=True)]
    return done + [Tried(p, None) for p in pulls[len(done) :]]


def judged(result: dict[str, Any]) -> dict[str, Any]:
    """A result that says something of the learner's work. NotCheckable for one that says something of this machine."""
    if result.get("unknown"):
        raise NotCheckable(result["said"])
    if result.get("stopped"):
        raise NotCheckable(
            f"The run on “{result['name']}” was cut off twice, the second time after three minutes. Check again when less runs "
            "on this machine; if it is cut off again, look for a step that waits for something."
        )
    lack = lacking(result)
    if lack:
        raise NotCheckable(lack)
    return result


MISSING = {
    "docker",
    "podman",
    "buildah",
    "gh",
    "jq",
    "yq",
    "node",
    "npm",
    "npx",
    "yarn",
    "shellcheck",
    "aws",
    "az",
    "gcloud",
    "kubectl",
    "terraform",
    "curl",
    "wget",
    "make",
    "rsync",
    "zip",
    "unzip",
    "java",
    "go",
    "cargo",
    "sudo",
    "apt-get",
}
"""Programs that GitHub's runners hold and this machine may not."""


def lacking(result: dict[str, Any]) -> str:
    """What of this runner, not of the learner, made a run red; "" for nothing that could be told."""
    step = deciding_step(result)
    if result["colour"] != "red" or step is None:
        return ""
    offline = re.search(
        r"this runner is offline|Could not resolve host|Temporary failure in name resolution|Network is unreachable"
        r"|Failed to establish a new connection|Name or service not known",
        step["said"],
    )
    if offline:
        line = next(x for x in step["said"].split("\n") if offline[0] in x)
        return f"The step “{step['name']}” wants the network, and this runner has none: {line.strip()[:200]} A push to GitHub would tell."
    absent = re.search(r"(?:^|[\s:])([\w.-]+): (?:command )?not found", step["said"])
    if absent and absent[1] in MISSING:
        return f"The step “{step['name']}” calls `{absent[1]}`, which is not on this machine. A push to GitHub would tell."
    return ""


def deciding_step(result: dict[str, Any]) -> dict[str, Any] | None:
    """The step that made a run red, or None."""
    return next((s for s in result["steps"] if f"{s['job']} / {s['name']}" == result["decided"]), None)


def table(rows: list[Tried]) -> str:
    """A line a pull request: colour, title, the step that decided."""
    lines = []
    for row in rows:
        if row.result is None:
            lines.append(f"not run · {row.pull.title}")
            continue
        step = row.result["decided"].split(" / ")[-1]
        sign = "✓" if row.as_it_should else "✗"
        lines.append(f"{sign} {row.result['colour']}{f' at {step}' if step else ''} · {row.pull.title} ({row.pull.kind})")
    return "\n".join(lines)
