"""What the lesson calls: a workflow tried on some of the prepared pull requests, and a command of the shell with its exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dojo.ci.pull_requests import PullRequest, Tried
from dojo.ci.shown_runs import Trial, plain
from dojo.tasks.m04_continuous_integration.pull_requests import _variants, main_branch


def trial(workflow: str, *kinds: str, baseline: bool = False, title: str = "", system: str = "act", **event: Any) -> Trial:
    """Executes a workflow's text on the prepared pull requests of these kinds (see pull_requests.ORDER).

    baseline: whether main's last run left its cache; title: another title for all of them; system: "act" for GitHub's
    workflows, "jenkins" for a Jenkinsfile; event: what else the pull requests have, `fork` and `secrets` (see dojo.ci.act).
    """
    from dojo.judge import toolbox

    pulls = [_variants(kind)[int(kind == "contract")] for kind in kinds]
    pulls = [PullRequest(p.kind, title or p.title, p.colour, p.changes) for p in pulls]
    path = {"act": ".github/workflows/ci.yml", "jenkins": "Jenkinsfile", "gitlab": ".gitlab-ci.yml"}[system]
    asked = {"path": path, "files": main_branch(), "own": {path: workflow}, "baseline": baseline}
    results = toolbox.run(system, {**asked, "pull_requests": [{**p.as_request(), **event} for p in pulls]})
    return Trial([Tried(p, r) for p, r in zip(pulls, results, strict=True)])


def shell(shop: Any, command: str, *, holding: str = "", last: int = 12) -> None:
    """Runs a command in the workspace's repository; prints the end of what it said and its exit status."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    quiet = {"NO_COLOR": "1", "RUFF_NO_CACHE": "true", "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command,
        cwd=shop.path / "repo",
        shell=True,
        env={**os.environ, **quiet, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=110,
    )
    lines = [plain(line) for line in done.stdout.splitlines() if line.strip() and holding in line]
    print("\n".join([*lines[-last:], f"exit status {done.returncode}"]))
