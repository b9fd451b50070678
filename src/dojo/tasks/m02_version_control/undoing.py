"""Task 02.3: undo one published commit, keep what others built on it since."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import duckdb

from dojo.judge import sql
from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import LearnerError, Work
from dojo.tasks.m02_version_control import finding, story
from dojo.tasks.m02_version_control.story import DAILY, MARTS
from dojo.tasks.samples import company
from dojo.tools.git import NoSuchObject, Repository, opened

SCRIPT = "scripts/undo.sh"


@dataclass(frozen=True)
class Undoing:
    """A repository whose main has moved on, the commit to undo, and figures to hold the model against."""

    known: story.Known
    stream: str
    tip: str
    tables: dict[str, Any]
    truth: Any  # what the model should show: never among the tables on which the learner's model runs
    right_sql: str

    @property
    def bad(self) -> str:
        """The commit to undo."""
        return self.known.ids["bad"]


def undoing(seed: int) -> Undoing:
    """The story with one or two more weeks of commits on top."""
    told = story.tell(busy=1 + seed % 2, raised=str(300 + seed % 600))
    known = story.known(told)
    tip = known.ids[told.commits[-1].label]
    right_model = story.Daily(comment=True, cte=True, weekday=True, average=True, returns=True).sql()
    return Undoing(known, known.stream, tip, finding.books(seed), company(seed).tables["marts.daily_revenue"], right_model)


@dataclass(frozen=True)
class Outcome:
    """What the script left: its exit and words, the repository's state, and the texts on main."""

    exit: int
    said: str
    branch: str
    doing: str
    dirty: tuple[str, ...]
    moved: bool
    reaches_tip: bool
    reaches_bad: bool
    texts: dict[str, str | None]
    changed: tuple[str, ...]


def _outcome(work: Work, data: Undoing) -> Outcome:
    text = work.file(SCRIPT)

    def ran() -> Outcome:
        return _read(work.tool("git", {"op": "run", "stream": data.stream, "script": text, "arguments": [data.bad]}), data)

    return work.once(("02.3", data.tip, text), ran)


def _read(ran: dict[str, Any], data: Undoing) -> Outcome:
    try:
        with opened(ran["bundle"]) as repo:
            texts = {path: repo.text("main", path) for path in (DAILY, MARTS)}
            changed = _changed(repo, data)
            return Outcome(
                ran["exit"],
                ran["said"],
                ran["branch"],
                ran["doing"],
                tuple(ran["dirty"]),
                repo.commit("main") != data.tip,
                repo.reaches("main", data.tip),
                repo.reaches("main", data.bad),
                texts,
                changed,
            )
    except (NoSuchObject, RuntimeError) as error:
        raise NotYet(
            "After your script there is no branch main that could be read.",
            tried=f"bash undo.sh {data.bad[:10]}",
            expected="main, with the commit undone",
            got=str(error)[:300],
            cause="no-main",
        ) from None


def _changed(repo: Repository, data: Undoing) -> tuple[str, ...]:
    """Files other than the two of the bad commit that differ from where main stood; nothing where that is not reachable."""
    try:
        return tuple(p for p in repo.changed(data.tip, "main") if p not in (DAILY, MARTS))
    except RuntimeError:
        return ()


_DECIDES = re.compile(r"^(error|fatal|CONFLICT)\b.*|.*: (command not found|No such file or directory|syntax error.*)$", re.M)


def _deciding(said: str) -> str:
    """The lines of a script's output that say why it stopped, whole."""
    return "\n".join(match[0] for match in _DECIDES.finditer(said))


def _something_done(left: Outcome, tried: str) -> None:
    """Refuses a main that stands where it stood; says what was begun where something was."""
    if left.moved:
        return
    said, got, cause = (
        "main stands where it stood: nothing was undone yet.",
        left.said or "no word and no commit",
        "nothing-done",
    )
    uncommitted = [p for p in left.dirty if p in (DAILY, MARTS)]
    if left.doing:
        said, cause = f"main stands where it stood: a {left.doing} was begun and is still going on.", "not-committed"
    elif uncommitted:
        said, got = "The files are changed in the folder, and no commit holds the change.", ", ".join(uncommitted)
        cause = "not-committed"
    if left.exit == 124:
        said, got, cause = "Your script did not come to an end, and main stands where it stood.", left.said, "too-long"
    raise NotYet(said, tried=tried, expected="a new commit on main", got=got, cause=cause, look=_deciding(left.said))


def published_history_stands(work: Work, data: Undoing) -> str:
    left = _outcome(work, data)
    _something_done(left, f"bash undo.sh {data.bad[:10]}")
    if not left.reaches_tip:
        said = "The commits your colleagues had pulled are not in main's history any more."
        raise NotYet(
            said,
            tried=f"bash undo.sh {data.bad[:10]}",
            expected=f"{data.tip[:10]} still in the history of main",
            got="main was rewritten" + ("" if left.reaches_bad else ", without the commit to undo"),
            cause="rewritten",
            look="Reset and rebase make other commits. On a branch that others have, undoing is one more commit.",
        )
    return "Everything that was published is still in main's history."


def nothing_half_done(work: Work, data: Undoing) -> str:
    left = _outcome(work, data)
    tried = f"bash undo.sh {data.bad[:10]}"
    for path, text in left.texts.items():
        mark = re.search(r"^(<{7}|={7}|>{7}).*", text or "", re.M)
        if mark:
            raise NotYet(
                f"`{path}` was committed with Git's conflict markers in it.",
                tried=tried,
                expected="one text",
                got=mark[0],
                cause="markers",
                look="Decide what the lines between <<<<<<< and >>>>>>> should say; then `git add`.",
            )
    if left.doing:
        said, look = f"A {left.doing} is still going on.", _deciding(left.said) or "`git status` says how to continue."
        got = f"a {left.doing} in progress"
        raise NotYet(said, tried=tried, expected="nothing in progress", got=got, cause="not-committed", look=look)
    if left.branch != "main":
        got = f"HEAD on {left.branch}" if left.branch else "a detached HEAD"
        raise NotYet("The checkout is not on main.", tried=tried, expected="HEAD on main", got=got, cause="branch")
    uncommitted = [p for p in left.dirty if p in (DAILY, MARTS)]
    if uncommitted:
        raise NotYet(
            "The files are changed in the folder, and no commit holds the change.",
            tried=tried,
            expected="a clean checkout",
            got=", ".join(uncommitted),
            cause="not-committed",
        )
    return "Committed, on main, nothing in progress."


def _rows(data: Undoing, text: str | None) -> list[dict[str, Any]]:
    if text is None:
        raise NotYet(f"`{DAILY}` is gone from main.", expected="the model, repaired", got="no such file", cause="model-gone")
    query = re.sub(r"{{\s*ref\(\s*['\"](\w+)['\"]\s*\)\s*}}", r"marts.\1", text)
    try:
        return sql.query(data.tables, query).to_pylist()
    except LearnerError as error:
        said = f"`{DAILY}` on main does not run any more."
        raise NotYet(said, tried="the model on a sample", expected="rows", got=error.text, cause="does-not-run") from None


def _differing(data: Undoing, rows: list[dict[str, Any]], name: str, place: int) -> list[dict[str, Any]]:
    """Rows of the model whose value is not the ledger's (orders, units, revenue: places 0 to 2)."""
    truth = _truth(data)
    return [r for r in rows if r.get(name) != truth.get((r.get("business_date"), r.get("store_key")), (None,) * 3)[place]]


def _truth(data: Undoing) -> dict[tuple, tuple]:
    con = duckdb.connect()
    con.from_arrow(data.truth).create("truth")
    rows = con.execute("select business_date, store_key, orders, units, revenue_eur from truth").fetchall()
    con.close()
    return {(day, store): (orders, units, revenue) for day, store, orders, units, revenue in rows}


def revenue_is_right(work: Work, data: Undoing) -> str:
    left = _outcome(work, data)
    rows, truth = _rows(data, left.texts[DAILY]), _truth(data)
    if len(rows) != len(truth):
        said = f"The model on main shows {len(rows)} rows."
        raise NotYet(said, tried="the model on main", expected=f"{len(truth)} rows", got=f"{len(rows)} rows", cause="rows")
    half = "The commit did the same thing in two lines, and said so in a third place."
    for name, place, cause in (("revenue_eur", 2, "still-broken"), ("units", 1, "half-undone"), ("orders", 0, "orders")):
        off = _differing(data, rows, name, place)
        if off:
            first = off[0]
            want = truth.get((first.get("business_date"), first.get("store_key")), (None,) * 3)[place]
            raise NotYet(
                f"`{name}` is not right again: {len(off)} of {len(truth)} rows differ from the ledger.",
                tried=f"the model on main, {first.get('business_date')}",
                expected=f"{name}: {'no such row' if want is None else want}",
                got=f"{name}: {first.get(name)}",
                cause=cause,
                look=half if cause == "half-undone" else "",
            )
    if "each amount once" in (left.texts[MARTS] or "").lower():
        line = next(line for line in left.texts[MARTS].splitlines() if "each amount once" in line.lower())
        raise NotYet(
            "The model is right, and its description still promises what the bad commit promised.",
            tried=f"`{MARTS}` on main",
            expected="Euros.",
            got=line.strip(),
            cause="half-undone",
            look=f"The commit touched two files: `git show --stat`. The other is {MARTS}.",
        )
    return f"{len(truth)} rows of revenue, units and orders agree with the ledger."


def later_work_survives(work: Work, data: Undoing) -> str:
    left = _outcome(work, data)
    rows = _rows(data, left.texts[DAILY])
    columns = set(rows[0]) if rows else set()
    for name, whose in (
        ("average_order_eur", "Sami's euros an order, for the board"),
        ("weekday_name", "Petra's weekday, for the heat map"),
    ):
        if name not in columns or f"name: {name}" not in (left.texts[MARTS] or ""):
            where = DAILY if name not in columns else MARTS
            raise NotYet(
                f"`{name}` is gone from `{where}`: {whose}.",
                tried=f"`{where}` on main",
                expected=f"later work on the same lines: {name}",
                got=", ".join(sorted(columns)) if where == DAILY else f"no line with `name: {name}`",
                cause="later-work-lost",
                look="In the conflict, HEAD's side holds the later work and the fault. Neither side is right as it stands.",
            )
    _averages(rows)
    if "disappears from the day" not in (left.texts[DAILY] or ""):
        raise NotYet(
            "Petra's last commit to the model is lost.",
            tried="undo.sh after more commits have come in",
            expected="“… disappears from the day it was placed on …”",
            got="an older text of the file",
            cause="overwritten",
            look="Change the lines that are wrong. A whole file written from memory undoes whatever you had not seen.",
        )
    if left.changed:
        raise NotYet(
            "Files that have nothing to do with it changed.",
            tried="git diff between where main stood and where it stands",
            expected=f"only {DAILY} and {MARTS}",
            got=", ".join(left.changed[:5]),
            cause="too-much",
        )
    return "Weekday, average and the comments of others are as they left them."


def _averages(rows: list[dict[str, Any]]) -> None:
    """Refuses euros an order that are not the revenue of the row divided by its orders."""
    off = [
        r
        for r in rows
        if r["average_order_eur"] is None or abs(r["average_order_eur"] - r["revenue_eur"] / r["orders"]) > 1e-2
    ]
    if off:
        row = off[0]
        raise NotYet(
            f"`average_order_eur` is still wrong in {len(off)} rows: Sami had copied the expression that you repaired.",
            tried=f"{row['business_date']}: {row['revenue_eur']} euros, {row['orders']} orders",
            expected=f"{row['revenue_eur'] / row['orders']:.2f}",
            got=row["average_order_eur"],
            cause="copied-fault",
        )


_UNDO = """\
set -e
git revert --no-commit "$1" || true   # it conflicts: later commits changed the same lines
git checkout --ours -- dbt/models/marts/daily_revenue.sql dbt/models/marts/_marts.yml
perl -pi -e 's/sum\\(distinct /sum(/g' dbt/models/marts/daily_revenue.sql
perl -pi -e 's/ Each amount once\\.//' dbt/models/marts/_marts.yml
git add dbt/models/marts
git commit --quiet --message "Revert: daily_revenue counts equal amounts again"
"""


def _undo(old: str, new: str) -> dict[str, str]:
    return {SCRIPT: edited(_UNDO, (old, new))}


_FORWARD = """\
python - <<'END'
from pathlib import Path
for name in ("daily_revenue.sql", "_marts.yml"):
    path = Path("dbt/models/marts") / name
    path.write_text(path.read_text().replace("sum(distinct ", "sum(").replace(" Each amount once.", ""))
END
git commit --quiet -am "Count equal amounts again"
"""
_BRANCH = """\
set -eu
git switch --quiet -c repair
git revert "$1" > /dev/null 2>&1 || true
for f in $(git diff --name-only --diff-filter=U); do git checkout --quiet --ours "$f"; done
sed -i.old -e 's/(distinct sales\\.quantity/(sales.quantity/' -e 's/(distinct sales\\.line_revenue/(sales.line_revenue/' dbt/models/marts/daily_revenue.sql
sed -i.old -e 's/ Each amount once\\././;s/Euros\\.\\./Euros./' dbt/models/marts/_marts.yml
rm dbt/models/marts/*.old
git add -u
git revert --continue
git switch --quiet main
git commit --quiet --allow-empty -m "Somebody else was quicker"
git merge --quiet --no-ff -m "Merge repair" repair
git switch --quiet -c something-else
git switch --quiet main
"""
_FULL = story.Daily(comment=True, cte=True, weekday=True, average=True, returns=True).sql()
_WHOLE_FILE = f"""\
cat > dbt/models/marts/daily_revenue.sql <<'END'
{_FULL}END
perl -pi -e 's/ Each amount once\\.//' dbt/models/marts/_marts.yml
git commit --quiet -am Repair
"""

TASK_3 = Task(
    id="02.3",
    title="Undo it, and lose nothing",
    minutes=14,
    points=3,
    deliver=(file(SCRIPT),),
    data=undoing,
    checks=(
        Check("What was published is still in main's history", published_history_stands),
        Check("Committed on main, with nothing half done", nothing_half_done),
        Check("Revenue, units and their description are right again", revenue_is_right),
        Check("Later work on the same lines survives", later_work_survives),
    ),
    hints=(
        "Run `git revert` on a scratch copy first and read the conflict. What is between <<<<<<< and ======= is main as it is: the later work, with the fault in it.",
        "Keep main's side (`git checkout --ours -- FILE`), take the fault out of it with sed, perl or Python, `git add`, and commit. The commit touched two files, and somebody copied its expression since.",
        "`sum(distinct` becomes `sum(` everywhere in daily_revenue.sql; “Each amount once.” goes from _marts.yml. Then `git add dbt/models/marts` and `git commit -m …` ends the revert.",
    ),
    wrong=(
        wrong("resets main to before the commit", {SCRIPT: 'git reset --quiet --hard "$1^"\n'}, "rewritten"),
        wrong("drops the commit in a rebase", {SCRIPT: 'git rebase --quiet -X ours --onto "$1^" "$1" main\n'}, "rewritten"),
        wrong(
            "commits the conflict as it is",
            {SCRIPT: 'git revert "$1"\ngit add -A\ngit commit --quiet -m Revert\n'},
            "markers",
        ),
        wrong(
            "takes the reverted side wherever they disagree",
            {SCRIPT: 'git revert --no-edit -X theirs "$1"\n'},
            "later-work-lost",
        ),
        wrong(
            "takes main's side wherever they disagree",
            {SCRIPT: 'git revert --no-edit -X ours "$1" || git commit --quiet --allow-empty -m Reverted\n'},
            "still-broken",
        ),
        wrong("stops at the conflict", {SCRIPT: 'git revert --no-edit "$1"\n'}, "not-committed"),
        wrong("looks, and does nothing", {SCRIPT: "git show --stat $1\n"}, "nothing-done"),
        wrong(
            "changes a page of somebody else's",
            {SCRIPT: _UNDO.replace("git add dbt", "echo >> docs/closing.md\ngit add docs dbt")},
            "too-much",
        ),
        wrong("repairs a branch and leaves main", {SCRIPT: "git switch --quiet -c repair\n" + _UNDO}, "nothing-done"),
        wrong("does not commit", {SCRIPT: _UNDO[: _UNDO.index("git commit")] + "git revert --quit\n"}, "not-committed"),
        wrong(
            "repairs revenue and forgets units",
            _undo("s/sum\\(distinct /sum(/g", "s/sum\\(distinct sales.line/sum(sales.line/g"),
            "half-undone",
        ),
        wrong(
            "forgets the description",
            _undo("perl -pi -e 's/ Each amount once\\.//' dbt/models/marts/_marts.yml\n", ""),
            "half-undone",
        ),
        wrong(
            "overlooks the copied expression",
            _undo("s/sum\\(distinct /sum(/g", "s/^    sum\\(distinct /    sum(/"),
            "copied-fault",
        ),
        wrong("writes the whole file anew", {SCRIPT: _WHOLE_FILE}, "overwritten"),
    ),
    right=(
        right("one more commit without git revert", {SCRIPT: _FORWARD}),
        right("on a branch, merged, with another branch left lying about", {SCRIPT: _BRANCH}),
    ),
    clauses={
        "main has one or more new commits": "does not commit",
        "revenue": "takes main's side wherever they disagree",
        "units": "repairs revenue and forgets units",
        "what the documentation says of them are right": "forgets the description",
        "everything that others did since is still there": "writes the whole file anew",
        "also in the lines that conflict": "takes the reverted side wherever they disagree",
        "and also right": "overlooks the copied expression",
        "What was published stays in the history": "resets main to before the commit",
        "no other file changes": "changes a page of somebody else's",
    },
    executes=True,
)
