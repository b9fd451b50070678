"""The field's own linters, where they are at hand: run on a copy, in the background, within a few seconds."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops_audit import workflows
from dataops_audit.findings import Seen
from dataops_audit.tree import Tree

SECONDS = 300.0
"""After this long a linter hangs and is ended. What it reads is bounded by MOST_FILES, and what it says gives no points."""
MOST_FILES = 60
MOST_BYTES = {"actionlint": (500_000, 2_000_000), "zizmor": (60_000, 400_000), "hadolint": (20_000, 200_000)}
"""Bytes of one file, and of all, that a linter is given: the time of two of them grows with the square of a file."""
_ENVIRONMENT_KEPT = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "LANG")


def program(name: str) -> str | None:
    """A tool beside this Python, or on the PATH."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


@dataclass
class _Job:
    tool: str
    process: subprocess.Popen[bytes]
    out: Path
    take: Callable[[Seen, str, dict[str, str]], None]


@dataclass
class Bench:
    """A place to work in outside the audited folder, and the linters that run there."""

    tree: Tree
    at_hand: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    jobs: list[_Job] = field(default_factory=list)
    folder: Path | None = None
    names: dict[str, str] = field(default_factory=dict)
    started: float = 0.0

    def __enter__(self) -> Bench:
        self.folder = Path(tempfile.mkdtemp(prefix="audit-"))
        return self

    def __exit__(self, *_: object) -> None:
        for job in self.jobs:
            if job.process.poll() is None:
                job.process.kill()
                job.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, tree: Tree) -> None:
        """Copies what the linters read and starts them; they run while the readers read."""
        self.started = time.monotonic()
        for name in ("git", "actionlint", "zizmor", "hadolint"):
            (self.at_hand if program(name) else self.missing).append(name)
        for module, name in (("hcl2", "python-hcl2"), ("detect_secrets", "detect-secrets"), ("yaml", "PyYAML")):
            (self.at_hand if _importable(module) else self.missing).append(name)
        flows = self._copied(tree, workflows.files(tree), "flows/.github/workflows")
        root = self.folder / "flows"
        if flows:
            (root / ".git").mkdir(exist_ok=True)
        plain = ["-format", "{{json .}}", "-shellcheck=", "-pyflakes=", "-no-color"]
        self._launch("actionlint", plain, flows, root, _actionlint)
        plain = ["--offline", "--no-config", "--format", "json", "--no-progress", "--persona", "regular"]
        self._launch("zizmor", plain, flows, root, _zizmor)
        plain = ["--no-color", "--format", "json", "--no-fail", "--config", os.devnull]
        boxes = self._copied(tree, dockerfiles(tree), "boxes")
        self._launch("hadolint", plain, boxes, self.folder / "boxes", _hadolint)

    def _copied(self, tree: Tree, paths: list[str], below: str) -> list[str]:
        target = self.folder / below
        made = []
        self.tree.skipped += [
            (path, f"not given to a linter: no more than {MOST_FILES} such files are") for path in paths[MOST_FILES:]
        ]
        for place, path in enumerate(paths[:MOST_FILES]):
            text = tree.text(path)
            if text:
                target.mkdir(parents=True, exist_ok=True)
                name = f"{place:03d}{'.yml' if 'workflows' in below else '.dockerfile'}"
                (target / name).write_text(text, encoding="utf-8")
                self.names[name] = path
                made.append(str(target / name))
        return made

    def _within(self, tool: str, files: list[str]) -> list[str]:
        """Those of the copied files that a linter is given; the others are named among what was skipped."""
        most_of_one, most = MOST_BYTES[tool]
        given, total = [], 0
        for file in files:
            size = Path(file).stat().st_size
            if size <= most_of_one and total + size <= most:
                total += size
                given.append(file)
            else:
                why = f"not given to {tool}: no more than {most_of_one:,} bytes of a file and {most:,} of all are"
                self.tree.skipped.append((self.names[Path(file).name], why))
        return given

    def _launch(
        self, tool: str, options: list[str], files: list[str], root: Path, take: Callable[[Seen, str, dict[str, str]], None]
    ) -> None:
        where = program(tool)
        given = self._within(tool, files) if where else []
        if where is None or not given:
            return
        out = self.folder / f"{tool}.out"
        env = {name: os.environ[name] for name in _ENVIRONMENT_KEPT if name in os.environ} | {"HOME": str(self.folder)}
        try:
            with out.open("wb") as file:
                process = subprocess.Popen(
                    [where, *options, *given],
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.DEVNULL,
                    cwd=root,
                    env=env,
                )
        except OSError:
            return
        self.jobs.append(_Job(tool, process, out, take))

    def collect(self, seen: Seen) -> None:
        """Waits for the linters within the budget and adds what they say."""
        for job in self.jobs:
            left = max(0.1, SECONDS - (time.monotonic() - self.started))
            try:
                job.process.wait(left)
            except subprocess.TimeoutExpired:
                job.process.kill()
                job.process.wait()
                seen.skipped.append((f"({job.tool})", f"gave no answer within {SECONDS:g} seconds"))
                continue
            job.take(seen, job.out.read_text(encoding="utf-8", errors="replace"), self.names)

    def run(self, tree: Tree, seen: Seen) -> None:
        """Runs the project's own checks on a copy; see `project_checks`."""
        from dataops_audit import project_checks

        project_checks.run(tree, seen, self.folder)


def _importable(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


def dockerfiles(tree: Tree) -> list[str]:
    """Dockerfiles and Containerfiles, whatever stands before or after the name."""
    return [
        path
        for path in tree.paths
        if re.fullmatch(r"(.*\.)?(docker|container)file([._-][\w.-]+)?", path.rsplit("/", 1)[-1].lower())
        and not path.lower().endswith((".dockerignore", ".md"))
    ]


def _loaded(text: str) -> list[Any]:
    try:
        data = json.loads(text or "[]")
    except ValueError:
        return []
    return data if isinstance(data, list) else []


def _actionlint(seen: Seen, text: str, names: dict[str, str]) -> None:
    for one in _loaded(text):
        path = names.get(Path(one.get("filepath", "")).name)
        kind, message = one.get("kind", ""), str(one.get("message", "")).split("\n")[0][:160]
        if (
            not path
            or "does not exist" in message
            or "could not read" in message
            or "deprecated" in message
            or kind in ("runner-label", "credentials", "shellcheck")
        ):
            continue
        seen.add("ci.lint-of-workflow", path, one.get("line", 1), f"actionlint ({kind}): {message}", "likely")


_ZIZMOR = {"dangerous-triggers": ("sec.stranger-code", "possible"), "template-injection": ("sec.injection", "possible")}


def _zizmor(seen: Seen, text: str, names: dict[str, str]) -> None:
    for one in _loaded(text):
        known = _ZIZMOR.get(one.get("ident", ""))
        if (
            known is None
            or str(one.get("determinations", {}).get("confidence")) != "High"
            or str(one.get("determinations", {}).get("severity")) != "High"
        ):
            continue
        for place in one.get("locations", []):
            if str(place.get("symbolic", {}).get("kind")) != "Primary":
                continue
            name = Path(json.dumps(place.get("symbolic", {}).get("key", {})).rsplit("/", 1)[-1].rstrip('"} ')).name
            line = place.get("concrete", {}).get("location", {}).get("start_point", {}).get("row", 0) + 1
            if path := names.get(name):
                seen.add(known[0], path, line, f"zizmor ({one['ident']}): {one.get('desc', '')}"[:200], known[1])


def _hadolint(seen: Seen, text: str, names: dict[str, str]) -> None:
    for one in _loaded(text):
        path = names.get(Path(one.get("file", "")).name)
        if path and one.get("level") in ("error", "warning") and one.get("code") not in ("DL3006", "DL3007", "DL3002"):
            seen.add(
                "box.lint",
                path,
                one.get("line", 1),
                f"hadolint {one.get('code')}: {one.get('message', '')}"[:180],
                "likely" if one["level"] == "error" else "possible",
            )
