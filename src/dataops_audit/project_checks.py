"""`--run`: the project's own quick checks, tried on a copy. Only on request: this runs other people's code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from dataops_audit import yamllines
from dataops_audit.findings import Seen
from dataops_audit.linters import program
from dataops_audit.tree import Tree

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None

CPU_SECONDS = 120
"""Processor time that one check may take: the same on a busy machine."""
SECONDS = 900
"""After this long a check hangs. It is then said not to have been tried."""
LARGEST_COPY = 200_000_000
"""Bytes of files that are copied at most."""


def run(tree: Tree, seen: Seen, folder: Path) -> None:
    """Parses each dbt project and runs the tests of the code, in a copy without the caller's settings and secrets."""
    copy = folder / "copy"
    if not _copied(tree, copy):
        seen.skipped.append(("(run)", f"not tried: more than {LARGEST_COPY // 1_000_000} MB would have to be copied"))
        return
    for path in tree.named("dbt_project.yml"):
        _parse(tree, seen, path, copy)
    tests = [path for path in tree.ending(".py") if re.match(r"(test_.*|.*_test)\.py$", path.rsplit("/", 1)[-1])]
    if tests:
        _pytest(seen, tests, copy)


def _copied(tree: Tree, copy: Path) -> bool:
    if sum(tree.entries[path].size for path in tree.paths) > LARGEST_COPY:
        return False
    for path in tree.paths:
        data = tree.data(path, LARGEST_COPY)
        target = copy / path
        if data is not None and ".." not in path.split("/"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            target.chmod(0o755 if tree.entries[path].executable else 0o644)
    return True


def _limit() -> None:
    """The processor time of a check, where the system can hold it to that."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))


def _ran(command: list[str], where: Path, copy: Path) -> tuple[int | None, str]:
    """Exit status and output; None for the status where it could not be tried."""
    env = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
    env |= {"HOME": str(copy), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=where,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            preexec_fn=_limit if resource is not None else None,
        )
    except subprocess.TimeoutExpired:
        return None, f"not tried to the end: it was still running after {SECONDS // 60} minutes"
    except OSError as error:
        return None, f"not tried: {error.strerror}"
    if resource is not None and done.returncode == -signal.SIGXCPU:
        return done.returncode, f"error: it used more than {CPU_SECONDS} seconds of processor time"
    return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")


def _parse(tree: Tree, seen: Seen, path: str, copy: Path) -> None:
    dbt = program("dbt")
    if dbt is None:
        seen.skipped.append(("(run)", "dbt is not at hand"))
        return
    where = (copy / path).parent
    profiles = where
    if not (where / "profiles.yml").exists():
        try:
            name = str(yamllines.child(yamllines.first(tree.text(path) or ""), "profile") or "default")
        except yamllines.BrokenYaml:
            name = "default"
        profiles = copy / ".profiles"
        profiles.mkdir(exist_ok=True)
        (profiles / "profiles.yml").write_text(
            f"{name}:\n  target: dev\n  outputs:\n    dev: {{type: duckdb, path: ':memory:'}}\n"
        )
    status, said = _ran(
        [dbt, "--no-use-colors", "parse", "--project-dir", str(where), "--profiles-dir", str(profiles)], where, copy
    )
    if status is None:
        seen.skipped.append(("(dbt parse)", said))
    elif status == 0:
        seen.add("env.parses", path, 1, "dbt parses the project in a fresh copy")
    else:
        seen.add("env.does-not-parse", path, 1, f"dbt cannot parse the project in a fresh copy: {_last(said)}", "likely")


def _pytest(seen: Seen, tests: list[str], copy: Path) -> None:
    status, said = _ran(
        [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:nbval"], copy, copy
    )
    if status is None:
        seen.skipped.append(("(pytest)", said))
    elif status == 0:
        seen.add("tests.pass", tests[0], 1, f"The tests of the code pass in a fresh copy: {_last(said)}")
    else:
        seen.add("tests.fail", tests[0], 1, f"The tests of the code do not pass in a fresh copy: {_last(said)}", "likely")


def _last(text: str) -> str:
    rows = [row.strip() for row in text.split("\n") if row.strip()]
    row = next(
        (one for one in reversed(rows) if re.search(r"error|failed|passed|could not|no module", one, re.IGNORECASE)),
        rows[-1] if rows else "no word",
    )
    return re.sub(r"(?:/[\w.-]+){2,}/", "", row)[:160]
