"""Version control: history, owners, hooks, ignored and tracked files, notebooks, logic that lives outside Git."""

from __future__ import annotations

import re

from dataops_audit import notebooks, sql, taskfiles, yamllines
from dataops_audit.findings import Seen
from dataops_audit.tree import Tree

LARGE_DATA = 1_000_000
"""Bytes above which a tracked data file is more than a sample."""
_DATABASE = re.compile(r"\.(duckdb|duckdb\.wal|sqlite3?|db|mdb|accdb|rdb)$", re.IGNORECASE)
_DATA = re.compile(
    r"\.(csv|tsv|parquet|avro|orc|xlsx?|feather|jsonl|ndjson|arrow|pkl|pickle|dump|bak|sql\.gz|csv\.gz|zip|tar|gz)$",
    re.IGNORECASE,
)
_JUNK = re.compile(
    r"(^|/)(__pycache__/|\.DS_Store$|Thumbs\.db$|\.ipynb_checkpoints/|dbt_packages/|"
    r"\.terraform/(?!\.lock)|node_modules/|\.venv/|venv/lib/)|\.pyc$|(^|/)target/(run_results|"
    r"manifest|catalog|partial_parse)|(^|/)logs?/[\w.-]+\.log$|\.egg-info/"
)
_COPY = re.compile(
    (
        r"(?:^|/)[^/]*(?:[ _-](?:final|copy|kopie|backup|old|bak|v\d+[ _-]final|final[ _-]?v?\d+)\d*|"
        r"\((?:1|2|3|copy)\)|[_-]20\d{6})\.(?:sql|py|ipynb|yml|yaml|sh|tf)$"
    ),
    re.IGNORECASE,
)
_SAMPLE = re.compile(
    r"(^|/)(tests?|seeds?|fixtures?|samples?|examples?|docs?|testdata|jaffle-data|sample[-_]?data)/", re.IGNORECASE
)
_CONFLICT = re.compile(r"^<{7} \S.*\n(?:.*\n)*?={7}\n(?:.*\n)*?>{7} \S", re.MULTILINE)
_CREATES = re.compile(
    (
        r"\bcreate\s+(?:or\s+(?:replace|alter)\s+)?(?:temp(?:orary)?\s+)?(materialized\s+view|view|"
        r"table)\s+(?:if\s+not\s+exists\s+)?([\w.`\"\[\]{}$-]+)"
    ),
    re.IGNORECASE,
)


def read(tree: Tree, seen: Seen) -> None:
    """History, files about working together, and files that should not be there."""
    _history(tree, seen)
    _together(tree, seen)
    _files(tree, seen)
    _hooks(tree, seen)
    for path in tree.ending(".ipynb"):
        _notebook(tree, seen, path)
    _conflicts(tree, seen)


def _history(tree: Tree, seen: Seen) -> None:
    git = tree.git
    if git is None:
        if tree.kind == "folder":
            seen.add("vc.no-git", ".", 1, "This folder is not a Git repository")
        return
    commits = git.commits
    authors = {one.author.lower() for one in commits if "[bot]" not in one.author}
    if len(commits) >= 10 or git.shallow:
        seen.add("vc.history", ".", 1, f"{len(commits)} commits" + (" and older ones left behind" if git.shallow else ""))
    if len(authors) > 1:
        seen.add("vc.authors", ".", 1, f"{len(authors)} people have committed")
    if git.tags:
        seen.add("vc.releases", ".", 1, f"{len(git.tags)} tags, the last ones {', '.join(git.tags[-3:])}")


def _together(tree: Tree, seen: Seen) -> None:
    owners = [
        path
        for path in tree.named("codeowners")
        if path in ("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
    ]
    rows = [
        (line, row)
        for path in owners
        for line, row in enumerate(tree.lines(path), 1)
        if row.strip() and not row.lstrip().startswith("#")
    ]
    if owners and any("@" in row for _, row in rows):
        seen.add("vc.owners", owners[0], rows[0][0], f"{len(rows)} rules say who owns what")
    elif tree.kind != "file":
        seen.add(
            "vc.no-owners",
            owners[0] if owners else ".",
            1,
            "CODEOWNERS names nobody" if owners else "No CODEOWNERS file",
            "certain" if not owners else "likely",
        )
    if ".gitignore" in tree.entries and any(row.strip() and not row.startswith("#") for row in tree.lines(".gitignore")):
        seen.add("vc.ignore", ".gitignore", 1, "Build output and local files are ignored")
    elif tree.git is not None:
        seen.add("vc.no-ignore", ".", 1, "There is no .gitignore")
    if changes := [
        path
        for path in tree.named("changelog.md", "changelog.rst", "changes.md", "history.md", "changelog")
        if len(tree.text(path) or "") > 200
    ]:
        seen.add("vc.releases", changes[0], 1, "Releases are described")
    if readme := [
        path
        for path in tree.named("readme.md", "readme.rst", "readme", "readme.txt")
        if "/" not in path and len((tree.text(path) or "").split()) > 30
    ]:
        seen.add("vc.readme", readme[0], 1, "Says what this is and how to start")
    if review := [
        path
        for path in tree.named(
            "pull_request_template.md", "contributing.md", "contributing.rst", "merge_request_template.md"
        )
        if tree.text(path)
    ]:
        seen.add("vc.review", review[0], 1, "Says what a review looks at")


def _files(tree: Tree, seen: Seen) -> None:
    for path, entry in tree.entries.items():
        if entry.tracked is False:
            continue
        committed = "is in Git" if entry.tracked else "lies beside the code"
        sample = bool(_SAMPLE.search(path))
        if _JUNK.search(path):
            seen.add("vc.junk", path, 1, f"Made by a tool, and {committed}")
        elif _DATABASE.search(path) and entry.size > 0 and not path.lower().endswith("thumbs.db"):
            if _is_database(tree, path):
                seen.add(
                    "vc.database",
                    path,
                    1,
                    f"A database of {entry.size:,} bytes {committed}",
                    "possible" if sample or entry.tracked is None else "certain",
                )
        elif _DATA.search(path) and entry.size > LARGE_DATA:
            seen.add(
                "vc.data",
                path,
                1,
                f"{entry.size / 1e6:,.1f} MB of data {committed}",
                "possible" if sample or entry.tracked is None else "likely",
            )
        elif _COPY.search(path) and not sample and not re.search(r"migrat|alembic|versions/", path):
            seen.add("vc.copies", path, 1, "The name says that it is a copy", "likely")


def _is_database(tree: Tree, path: str) -> bool:
    head = tree.data(path, 16) or b""
    return (
        head.startswith(b"SQLite format 3")
        or head[8:12] == b"DUCK"
        or path.lower().endswith((".mdb", ".accdb"))
        or (path.lower().endswith(".duckdb") and b"\0" in head)
    )


def _hooks(tree: Tree, seen: Seen) -> None:
    path = ".pre-commit-config.yaml"
    text = tree.text(path)
    if text is None:
        if tree.named("lefthook.yml", ".lefthook.yml") or tree.has_folder(".husky") or tree.has_folder(".githooks"):
            seen.add(
                "vc.hooks",
                next(iter(tree.named("lefthook.yml", ".lefthook.yml")), "."),
                1,
                "Hooks run before a commit",
                "likely",
            )
        elif tree.kind != "file":
            seen.add("vc.no-hooks", ".", 1, "No hooks run before a commit")
        return
    try:
        yamllines.load(text)
    except yamllines.BrokenYaml as error:
        seen.add("vc.idle-hooks", path, error.line, f"pre-commit cannot read its configuration: {error}")
        return
    found = taskfiles.hooks(text)
    live = [hook for hook in found if not hook.mask and not re.search(r"\|\|\s*(true|:)\b", hook.entry)]
    if not live:
        seen.add(
            "vc.idle-hooks",
            path,
            1,
            "No hook does anything"
            if not found
            else f"None of {len(found)} hooks can stop a commit: {found[0].mask or 'masked'}",
        )
        return
    seen.add("vc.hooks", path, live[0].line, f"{len(live)} hooks run before a commit")
    for hook in found:
        if hook not in live and hook.id not in {one.id for one in live}:
            seen.add(
                "vc.idle-hooks",
                path,
                hook.line,
                f"The hook {hook.id} stops nothing: {hook.mask or 'its failure is masked'}",
                "likely",
            )
    scanner = next(
        (
            hook
            for hook in live
            if re.search(
                r"detect-secrets|gitleaks|trufflehog|ggshield|detect-private-key|talisman|whispers|ripsecrets",
                f"{hook.id} {hook.entry}",
            )
        ),
        None,
    )
    if scanner and scanner.id != "detect-private-key":
        seen.add("sec.scanner", path, scanner.line, f"{scanner.id} looks at every commit")


def _notebook(tree: Tree, seen: Seen, path: str) -> None:
    text = tree.text(path) or ""
    cells = notebooks.cells(text)
    outputs = [cell for cell in cells if cell.get("outputs")]
    if outputs and not re.search(r"(^|/)(docs?|examples?|book|tutorials?)/", path):
        seen.add("vc.notebook-outputs", path, 1, f"{len(outputs)} cells keep their output", "possible")
    elif cells and not outputs:
        seen.add("vc.clean-notebooks", path, 1, "The notebook is kept without outputs")
    lines = notebooks.Lines(text)
    for cell in cells:
        if cell.get("cell_type") != "code":
            continue
        lines.next_cell()
        source = notebooks.joined(cell.get("source"))
        code = re.sub(r"^\s*#.*$", "", sql.without_comments(source), flags=re.MULTILINE)
        for hit in _CREATES.finditer(code):
            if hit[1].lower() != "table" and not re.search(r"temp(orary)?\s", hit[0], re.IGNORECASE):
                what = f"A notebook makes the view {hit[2]}: it lives in the warehouse only"
                seen.add("vc.logic-outside", path, lines.of(hit[0].split("\n")[0]), what, "likely")


def _conflicts(tree: Tree, seen: Seen) -> None:
    for path in tree.ending(".sql", ".py", ".yml", ".yaml", ".tf", ".toml", ".json", ".sh"):
        text = tree.text(path) or ""
        if "<<<<<<< " in text and (hit := _CONFLICT.search(text)):
            seen.add("vc.conflict", path, text.count("\n", 0, hit.start()) + 1, "A merge conflict was committed unsolved")
