"""What keeps a failing check green: one catalogue of masks for GitHub Actions, GitLab CI and Jenkins, found in the line they hide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

GITHUB, GITLAB, JENKINS = "GitHub Actions", "GitLab CI", "Jenkins"


@dataclass(frozen=True)
class Mask:
    """One way to lose an exit status: its key, the text it is known by, what it does, and the systems where it does so."""

    cause: str
    pattern: str
    does: str
    systems: tuple[str, ...] = (GITHUB, GITLAB, JENKINS)


SYSTEM = (
    Mask(
        "continue-on-error", r"continue-on-error:\s*(?!false)\S", "`continue-on-error` paints a failed step green", (GITHUB,)
    ),
    Mask("never-runs", r"\bif:\s*(\$\{\{\s*)?false\b", "`if: false` keeps it from running", (GITHUB,)),
    Mask(
        "allow-failure",
        r"allow_failure:\s*(?!false)\S|allow_failure:\s*$",
        "`allow_failure` lets the pipeline pass with a failed job",
        (GITLAB,),
    ),
    Mask("never-runs", r"when:\s*(manual|never)\b", "`when: manual` or `never` keeps it from running by itself", (GITLAB,)),
    Mask(
        "caught",
        r"\bcatchError\b[^{\n]*buildResult:\s*['\"](SUCCESS|UNSTABLE)|\bwarnError\b|\bunstable\b",
        "`catchError(buildResult: 'SUCCESS')` or `warnError` lets the build end well",
        (JENKINS,),
    ),
    Mask(
        "returned",
        r"returnStatus:\s*true",
        "`returnStatus: true` hands the exit status to a caller who does not look at it",
        (JENKINS,),
    ),
)
"""What the system itself is told to overlook."""

LINE = (
    Mask("or-true", r"\|\|\s*(true|:|echo\b|printf\b|exit 0|/bin/true)", "the line throws its exit status away"),
    Mask(
        "or-true",
        r";\s*(true|:|exit 0|echo\b[^;|&]*)\s*[\"')]*\s*$",
        "the line ends with another command, whose exit status counts instead",
    ),
    Mask("exit-zero", r"--exit-zero\b|--nofail\b|--exit-0\b", "the tool is told to find things and end with 0"),
    Mask("collect-only", r"--collect-only\b|--co\b", "the tests are collected and none is run"),
    Mask("background", r"(?<!&)&\s*$", "the command runs in the background, and nobody waits for its exit status"),
    Mask("make-ignores", r"^\s*-\s*@?(?=[a-z])", "a recipe line that begins with `-` may fail: make goes on"),
)
"""What stands in the line of the command itself."""

PIPE = Mask("pipe", r"(?<!\|)\|(?![|&])", "of `a | b` only b's exit status counts where `pipefail` is not set")
SET_E = Mask(
    "set-e-off", r"^\s*set\s+\+e\b|^\s*set\s+\+o\s+errexit\b", "`set +e` lets the script go on, and its last line decides"
)


@dataclass(frozen=True)
class Found:
    """A mask, the line that it stands in, and where that is."""

    mask: Mask
    line: str
    where: str

    @property
    def said(self) -> str:
        """One sentence for a verdict."""
        return f"{self.mask.does}: `{self.line.strip()[:110]}`{f' in {self.where}' if self.where else ''}."


def lines_of(script: str) -> Iterator[str]:
    """The commands of a script: continued lines joined, comments left out."""
    for line in re.sub(r"\\\n\s*", " ", script).split("\n"):
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def in_script(
    script: str, command: str, *, where: str = "", pipefail: bool, errexit: bool = True, make: bool = False
) -> Found | None:
    """The mask that keeps a failure of `command` (a pattern) in a shell script from its exit status; None for none.

    pipefail, errexit: as the system starts its shell; make: whether the text is a Makefile, where `-` before a recipe masks.
    """
    before: list[str] = []
    lines = list(lines_of(script))
    for number, line in enumerate(lines):
        before.append(line)
        hit = re.search(command, line)
        if not hit:
            continue
        rest = line[hit.start() :]
        for mask in LINE:
            held = line if mask.cause == "make-ignores" else rest
            if re.search(mask.pattern, held) and (make or mask.cause != "make-ignores"):
                return Found(mask, line, where)
        if _piped(rest) and not _on(before, r"pipefail", pipefail):
            return Found(PIPE, line, where)
        off = [x for x in before if re.search(SET_E.pattern, x)]
        if off and number + 1 < len(lines):
            return Found(SET_E, off[-1], where)
        if not errexit and not _on(before, r"set\s+-\w*e|errexit", False) and number + 1 < len(lines):
            return Found(
                Mask("no-errexit", "", "the shell is not started with -e, so that only its last line decides"), line, where
            )
    return None


def _piped(text: str) -> bool:
    """Whether the command's own output goes into a pipe (quotes and `||` aside)."""
    return re.search(PIPE.pattern, re.sub(r"'[^']*'|\"[^\"]*\"", "", text)) is not None


def _on(lines: list[str], option: str, default: bool) -> bool:
    """Whether a shell option is on after these lines."""
    for line in lines:
        for sign in re.findall(rf"set\s+([-+])[^\n;&|]*(?:{option})", line) or re.findall(rf"(set) -\w*(?:{option})", line):
            default = sign != "+"
    return default


def in_system(text: str, system: str) -> Found | None:
    """The first thing in a pipeline's own words that makes the system overlook a failure."""
    for line in text.split("\n"):
        if line.lstrip().startswith(("#", "//")):
            continue
        for mask in SYSTEM:
            if system in mask.systems and re.search(mask.pattern, line):
                return Found(mask, line, "")
    return None
