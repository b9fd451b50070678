"""Puts the readers together: what a tree shows, and what its CI really stops."""

from __future__ import annotations

from dataops_audit import checks, pipelines, workflows
from dataops_audit.findings import CheckRun, Seen
from dataops_audit.tree import Tree

_GOOD = {
    checks.DATA: "ci.blocks-data",
    checks.CODE: "ci.blocks-code",
    checks.LINT: "ci.blocks-lint",
    checks.COMPILE: "ci.blocks-compile",
    checks.SECURITY: "ci.blocks-security",
}


def integration(tree: Tree, seen: Seen) -> None:
    """CI of every kind: reads it, then says which checks block, which are masked, and which come too late."""
    workflows.read(tree, seen)
    pipelines.read(tree, seen)
    blocking = {(run.tool, run.kind) for run in seen.checks if run.blocks}
    told: set[tuple[str, int, str]] = set()
    for run in seen.checks:
        place = _place(run)
        if (*place, run.tool) in told:
            continue
        told.add((*place, run.tool))
        if run.blocks:
            if run.executed.check.sure == "certain":
                seen.add(
                    _GOOD[run.kind],
                    run.file,
                    run.line,
                    f"{_told(run)} stops a bad change",
                    "likely" if run.system == "a script" else "certain",
                )
        elif run.mask:
            beside = (run.tool, run.kind) in blocking
            sure = run.sure if run.guards and run.executed.check.sure == "certain" else "likely"
            if run.mask.startswith(("the step runs only after", "the job runs only after")):
                continue
            seen.add("ci.masked-beside" if beside else "ci.masked", *place, f"{_told(run)} does not block: {run.mask}", sure)
    _late(seen, blocking)
    _missing(tree, seen)


def _place(run: CheckRun) -> tuple[str, int]:
    """Where the mask, or else the check, is written."""
    if run.executed.masked_at:
        return run.executed.masked_at
    return (run.executed.file, run.executed.line) if run.mask else (run.file, run.line)


def _told(run: CheckRun) -> str:
    via = "" if run.executed.file == run.file else f" (from {run.executed.file}:{run.executed.line})"
    return f"`{run.executed.text}`{via}"


def _late(seen: Seen, blocking: set[tuple[str, str]]) -> None:
    """Checks that run only when it is too late, where nothing of their kind blocks earlier."""
    early = {kind for _, kind in blocking}
    told: set[str] = set()
    for run in seen.checks:
        if run.mask or run.guards or run.kind in early or run.kind == checks.COMPILE or run.kind in told:
            continue
        told.add(run.kind)
        seen.add(
            "ci.late",
            run.file,
            run.line,
            f"{_told(run)} comes too late: {run.unguarded}",
            "possible" if run.unguarded == workflows.AFTERWARDS else "certain" if not early else "likely",
        )


def _missing(tree: Tree, seen: Seen) -> None:
    if tree.kind == "file":
        return
    if not seen.systems:
        if not seen.has("ci.broken"):
            seen.add("ci.none", ".", 1, "There is no CI configuration")
        return
    elsewhere = any(
        "/.github/workflows/" in text and "uses: ./" not in text
        for text in (tree.text(path) or "" for path in workflows.files(tree))
    )
    if not seen.checks and not seen.has("ci.commented-out") and not elsewhere:
        first = next((path for path in workflows.files(tree)), ".")
        seen.add("ci.no-check", first, 1, "No step of the pipeline is a check", "likely")
    if not any(run.kind in (checks.DATA, checks.CODE) for run in seen.checks) and seen.has("tests.data", "tests.code"):
        seen.add("ci.no-tests", ".", 1, "Tests exist, and no pipeline runs them", "likely")
    limited = seen.has("ci.least-token", "ci.broad-token")
    if "GitHub Actions" in seen.systems and not limited:
        seen.add("ci.no-token-limits", next(iter(workflows.files(tree)), "."), 1, "No workflow says what its token may do")


_MISSING = (
    ("tests.none", ("tests.data", "tests.code", "tests.unit", "tests.framework", "tests.business"), "There is no test"),
    ("box.none", ("box.image", "box.stack", "box.cluster"), "There is no Dockerfile and no Compose file"),
    ("run.none", ("run.workflow", "run.schedule", "run.broken"), "Nothing says when and in which order the work is done"),
    ("iac.none", ("iac.resources", "iac.broken", "iac.state-committed"), "No infrastructure is described in code"),
    ("obs.no-slo", ("obs.slo",), "No objective with a number and a time is written down"),
    (
        "inc.none",
        ("inc.runbook", "inc.postmortem", "inc.on-call", "inc.empty", "inc.template"),
        "There is no runbook and no postmortem",
    ),
    (
        "obs.none",
        ("obs.freshness", "obs.alerts", "obs.slo", "obs.notify", "obs.monitor", "obs.metrics", "run.alert"),
        "Nothing watches the runs or the data",
    ),
)


def what_is_missing(tree: Tree, seen: Seen) -> None:
    """Gaps that only the whole can show."""
    if tree.kind == "file":
        return
    for rule, cures, what in _MISSING:
        if not seen.has(*cures):
            seen.add(rule, ".", 1, what, "likely")
    scans = any(
        run.kind == checks.SECURITY
        and run.blocks
        and any(word in run.executed.text for word in ("secret", "leaks", "hog", "ggshield"))
        for run in seen.checks
    )
    if scans and not seen.has("sec.scanner"):
        run = next(run for run in seen.checks if run.kind == checks.SECURITY and run.blocks)
        seen.add("sec.scanner", run.file, run.line, f"{run.tool} looks at every change")
    if not seen.has("sec.scanner"):
        seen.add("sec.no-scanner", ".", 1, "No secret scanner runs in a hook or in CI", "likely")
    if not tree.unread and not seen.has(*_LEAKS):
        others = len(tree.entries) - seen.searched
        kinds = "data, pictures, lock files, pages or somebody else's code"
        beside = f"; {others:,} others are {kinds}, and were not searched" if others else ""
        seen.add("sec.clean", ".", 1, f"No secret was found in {seen.searched:,} files{beside}", "likely")


_LEAKS = (
    "sec.secret",
    "sec.private-key",
    "sec.env-file",
    "sec.notebook",
    "sec.default-password",
    "box.secret",
    "iac.state-committed",
)
"""Any of them, however unsure, and nobody can say that there is no secret."""
