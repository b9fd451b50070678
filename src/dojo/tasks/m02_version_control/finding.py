"""Tasks 02.1 and 02.2: who brought a line that stands there now, and which commit broke revenue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.m02_version_control import story
from dojo.tasks.m02_version_control.story import DAILY, Daily
from dojo.tasks.samples import company
from shopflow.history import PEOPLE

GIT = """\
def git(repo, *arguments):
    import subprocess
    return subprocess.run(["git", *arguments], cwd=repo, capture_output=True, text=True, check=True).stdout
"""


def made(work: Work, stream: str) -> str:
    """The path of a new checkout, where the learner's code can reach it."""
    return work.tool("git", {"op": "make", "stream": stream})["path"]


# ---------------------------------------------------------------- 02.1


@dataclass(frozen=True)
class Line:
    """A line that is asked about, and the commit that brought it (None where nothing of the kind stands there)."""

    path: str
    text: str
    commit: str | None
    answer: dict[str, str] | None


@dataclass(frozen=True)
class Lines:
    """A repository and the lines in question."""

    known: story.Known
    all: tuple[Line, ...]
    story: story.Story


def lines(seed: int) -> Lines:
    """A story in which limits were renamed and sorted, an alert came, went and came again, and docs were first."""
    told = story.tell(
        *(("distinct", "middle") if seed % 2 else ("weekdays", "late")), raised="500" if seed % 4 == 3 else "400"
    )
    raised = "500" if seed % 4 == 3 else "400"
    known = story.known(told)
    asked = (
        ("config/limits.yml", f"big_basket_eur: {raised}", "raised"),
        ("config/limits.yml", "late_customers_max: 5", "limits"),
        ("config/limits.yml", "stale_after_hours", "limits"),
        ("config/alerts.yml", "at_night: phone", "phone-again"),
        (DAILY, "average_order_eur", "average"),
        ("config/limits.yml", "big_basket_eur: 250", None),
        ("docs/limits.md", f"big_basket_eur: {raised}", "announced"),
        ("docs/closing.md", "at_night: phone", None),
        ("config/limits.yml", "big basket of .*", None),
    )
    of = {c.label: c for c in told.commits}
    found = []
    for path, text, label in asked:
        commit = of[label] if label else None
        answer = None
        if commit:
            name = PEOPLE[commit.who].split(" <")[0]
            answer = {"commit": known.ids[label], "who": name, "day": f"{commit.moment:%Y-%m-%d}", "why": commit.message}
        found.append(Line(path, text, label, answer))
    return Lines(known, tuple(found), told)


_MISTAKES = {
    "renamed": ("rename", "That commit only gave the file its present name. The line had come earlier, under the old one."),
    "sorted": ("tidied", "That commit only moved lines about. The line itself is older."),
    "phone": (
        "first-of-all",
        "That line was taken out again later. The one that stands there now came back with another commit.",
    ),
    "no-phone": ("removal", "That commit took the line out."),
    "announced": ("other-file", "That commit wrote the text into another file."),
}


def finds_the_commit(work: Work, data: Lines) -> str:
    repo = made(work, data.known.stream)
    given = work.calls("who_brought", [(repo, line.path, line.text) for line in data.all])
    for line, got in zip(data.all, given, strict=True):
        tried = f"who_brought(repo, {line.path!r}, {line.text!r})"
        if line.answer is None and got is not None:
            raise NotYet(
                f"`{line.path}` holds no `{line.text}`, so nobody brought it.",
                tried=tried, expected="None", got=got, cause="not-there",
                look="A history knows lines that are gone. Look first whether the line stands there today; the text is a text, not a pattern.",
            )  # fmt: skip
        if line.answer is None:
            continue
        if not isinstance(got, dict) or not got.get("commit"):
            raise NotYet(
                f"Somebody brought `{line.text}` into `{line.path}`, and you found nobody.",
                tried=tried, expected="a dict with commit, who, day, why", got=got, cause="nobody",
            )  # fmt: skip
        _same_commit(data, line, got, tried)
        for key, wanted in line.answer.items():
            if got.get(key) != wanted:
                cause = (
                    "committer"
                    if key == "who" and any(n.startswith(str(got.get(key))) for n in PEOPLE.values())
                    else f"{key}"
                )
                said = {
                    "who": "Who wrote a line and who committed it can be two people: Mara applied it, the author answers for it."
                }
                raise NotYet(said.get(key, f"`{key}` of that commit is another."), tried=tried, expected=wanted, got=got.get(key), cause=cause)  # fmt: skip
    return f"{len(data.all)} lines, each with the commit that brought it or with nobody."


def _same_commit(data: Lines, line: Line, got: dict, tried: str) -> None:
    if got["commit"] == line.answer["commit"]:
        return
    label = data.known.labels.get(got["commit"], "")
    cause, said = _MISTAKES.get(label, ("another", "That is another commit."))
    if label == "" and line.answer["commit"].startswith(str(got["commit"])):
        cause, said = "short", "Give the commit's full id: a short one may mean two commits next year."
    elif label == "raised":
        cause, said = "removal", "That commit took the line out."
    subject = next((c.message for c in data.story.commits if c.label == label), "")
    raise NotYet(
        said, tried=tried, expected=f"{line.answer['commit'][:10]} “{line.answer['why']}”",
        got=f"{str(got['commit'])[:10]} “{subject}”" if subject else got["commit"], cause=cause,
    )  # fmt: skip


_WHO = (
    GIT
    + """

def who_brought(repo, path, text):
    from pathlib import Path
    target = Path(repo, path)
    if not target.is_file() or text not in target.read_text():
        return None
    said = git(repo, "log", "--follow", "-1", f"-S{text}", "--format=%H%x09%an%x09%as%x09%s", "--", path)
    return dict(zip(("commit", "who", "day", "why"), said.strip().split("\\t")))
"""
)


def _who(old: str, new: str) -> str:
    if old not in _WHO:
        raise ValueError(f"{old!r} is not in the reference")
    return _WHO.replace(old, new)


_BLAME = (
    GIT
    + """

def who_brought(repo, path, text):
    from pathlib import Path
    file = Path(repo) / path
    rows = file.read_text().splitlines() if file.exists() else []
    places = [n for n, row in enumerate(rows, 1) if text in row]
    if not places:
        return None
    porcelain = git(repo, "blame", "-w", "-M1", "-C", "-C", "--porcelain", f"-L{places[0]},{places[0]}", path)
    commit = porcelain.split()[0]
    who, day, why = git(repo, "show", "-s", "--format=%an%n%ad%n%s", "--date=short", commit).splitlines()
    return {"commit": commit, "who": who, "day": day, "why": why}
"""
)
_WALK = (
    GIT
    + """

def who_brought(repo, path, text):
    def holds(commit, name):
        try:
            return text in git(repo, "show", f"{commit}:{name}")
        except Exception:
            return False
    if not holds("HEAD", path):
        return None
    name, brought = path, None
    for entry in git(repo, "log", "--follow", "--name-status", "--format=@%H", "--", path).split("@")[1:]:
        commit, change = entry.split("\\n\\n")
        fields = change.strip().split("\\t")
        if not holds(commit, fields[-1]):
            break
        brought = commit
    found = git(repo, "log", "-1", "--format=%H|%an|%as|%s", brought).strip().split("|", 3)
    return {"commit": found[0], "who": found[1], "day": found[2], "why": found[3]}
"""
)

TASK_1 = Task(
    id="02.1",
    title="Ask the history who, when and why",
    minutes=8,
    points=2,
    deliver=(function("who_brought"),),
    data=lines,
    checks=(Check("The commit that brought the line that stands there now", finds_the_commit, lambda d: [x.answer for x in d.all]),),
    hints=(
        "`git blame` names the last commit that touched a line. Somebody who sorts a file touches every line of it.",
        "`git log -S'text'` lists the commits that changed how often the text occurs (the pickaxe). It can follow one file through its renames.",
        'Return None where the file does not hold the text today. Else: git(repo, "log", "--follow", "-1", f"-S{text}", "--format=%H%x09%an%x09%as%x09%s", "--", path), split at the tabs.',
    ),
    wrong=(
        wrong("asks blame", _who('said = git(repo, "log", "--follow", "-1", f"-S{text}", "--format=%H%x09%an%x09%as%x09%s", "--", path)', 'row = [n for n, l in enumerate(target.read_text().splitlines(), 1) if text in l][0]\n    said = git(repo, "log", "-1", "--format=%H%x09%an%x09%as%x09%s", git(repo, "blame", "-l", f"-L{row},{row}", path).split()[0].strip("^"))'), "tidied"),
        wrong("does not follow the rename", _who('"--follow", ', ""), "rename"),
        wrong("takes the first commit ever", _who('"--follow", "-1", ', '"--follow", ').replace(".strip().split", ".strip().splitlines()[-1].split"), "first-of-all"),
        wrong("forgets the path", _who('"--follow", "-1", ', '"--reverse", ').replace(', "--", path)', ')').replace(".strip().split", ".strip().splitlines()[0].split"), "other-file"),
        wrong("names the committer", _who("%an", "%cn"), "committer"),
        wrong("does not look whether the line is there", _who('    if not target.is_file() or text not in target.read_text():\n        return None\n', '').replace("return dict", "return None if not said.strip() else dict"), "not-there"),
        wrong("short ids", _who("%H", "%h"), "short"),
    ),
    spared={"line 3: True → False": "no command of the answer fails"},
    right=(right("blame that looks through moves", _BLAME), right("walks back until the line is gone", _WALK)),
)  # fmt: skip


# ---------------------------------------------------------------- 02.2


@dataclass(frozen=True)
class Checkout:
    """One state of the files: what it is, its tree, and whether revenue is right (None: nobody can tell)."""

    what: str
    tree: dict[str, str]
    good: bool | None
    cause: str


@dataclass(frozen=True)
class Hunt:
    """A repository in which one commit broke revenue."""

    known: story.Known
    messages: dict[str, str]

    @property
    def bad(self) -> str:
        """The commit that did it."""
        return self.known.ids["bad"]


@dataclass(frozen=True)
class Broken:
    """Checkouts to tell apart, a repository to search, and the tables that is_good gets."""

    checkouts: tuple[Checkout, ...]
    hunt: Hunt
    tables: dict[str, Any]


def books(seed: int) -> dict[str, Any]:
    """The facts, the calendar, and what finance booked: every day but the last three, to the cent."""
    held = company(seed)
    con = duckdb.connect()
    con.from_arrow(held.tables["marts.daily_revenue"]).create("daily")
    closed = con.execute(
        "select business_date, sum(revenue_eur)::decimal(14, 2) as revenue_eur from daily "
        "where business_date <= ? group by 1 order by 1",
        [held.last.replace(day=held.last.day - 3)],
    ).to_arrow_table()
    calendar = con.execute(
        story.template()["dbt/models/marts/dim_date.sql"].replace("{{", "").replace("}}", "")
    ).to_arrow_table()
    con.close()
    return {"marts.fact_sales": held.tables["marts.fact_sales"], "marts.dim_date": calendar, "finance.closed_days": closed}


_PLACES = {11: ("whole-euros", "branch"), 29: ("weekdays", "late")}


def broken(seed: int) -> Broken:
    """Forms of the model, good ones and all five bad ones, and a story."""
    full = {"comment": True, "cte": True, "weekday": True, "average": True, "returns": True}

    def tree(text: str | None) -> dict[str, str]:
        files = {
            "README.md": "# ShopFlow\n",
            "dbt/models/marts/dim_date.sql": story.template()["dbt/models/marts/dim_date.sql"],
        }
        return files if text is None else {**files, DAILY: text}

    says = {
        "distinct": "equal amounts are counted once", "paid-only": "shipped orders are missing", "whole-euros": "lines are rounded to whole euros",
        "weekdays": "weekends are missing altogether", "next-day": "each day's revenue stands on the day after",
    }  # fmt: skip
    shape = full if seed == 11 else {"comment": True, "cte": True}
    checkouts = [
        Checkout("daily_revenue as Petra first wrote it", tree(Daily().sql()), True, "good-refused"),
        Checkout("daily_revenue with all that was added, and right", tree(Daily(**full).sql()), True, "good-refused"),
        *(
            Checkout(f"daily_revenue where {says[kind]}", tree(Daily(**shape, wrong=kind).sql()), False, f"passes-{kind}")
            for kind in story.KINDS
        ),
        Checkout("daily_revenue with a bracket missing", tree(Daily(cte=True, readable=False).sql()), None, "cannot-tell"),
        Checkout("a checkout from before there was a daily_revenue", tree(None), None, "cannot-tell"),
    ]
    told = story.tell(*_PLACES[seed])
    return Broken(tuple(checkouts), Hunt(story.known(told), {c.label: c.message for c in told.commits}), books(seed))


def tells_good_from_bad(work: Work, data: Broken) -> str:
    paths = work.tool("git", {"op": "folders", "trees": [c.tree for c in data.checkouts]})["paths"]
    con = Database(data.tables)
    verdicts = work.calls("is_good", [(path, con) for path in paths])
    words = {True: "True (good)", False: "False (bad)", None: "None (cannot tell)"}
    for checkout, got in zip(data.checkouts, verdicts, strict=True):
        if got is checkout.good:
            continue
        look = ""
        if checkout.good is True:
            look = "The last three days are not closed yet: the model shows them, the ledger does not. And revenue is kept by store, booked by day."
        elif checkout.good is None:
            look = "A commit whose model does not run says nothing about revenue. Bisect can pass over it; calling it bad accuses its author."
        elif checkout.cause == "passes-weekdays":
            look = "A closed day that the model does not show at all is wrong too. Which side of your join keeps it?"
        elif checkout.cause in ("passes-next-day", "passes-whole-euros"):
            look = "Compare day by day and to the cent: the ledger is."
        raise NotYet(
            f"You were given {checkout.what}.",
            tried="is_good(repo, con)", expected=words[checkout.good], got=words.get(got, got) if isinstance(got, bool | None) else got,
            cause=checkout.cause, look=look,
        )  # fmt: skip
    return f"{len(data.checkouts)} checkouts told apart: good, bad, and those nobody can judge."


def finds_the_first_bad(work: Work, data: Broken) -> str:
    hunt = data.hunt
    repo = made(work, hunt.known.stream)
    before = work.tool("git", {"op": "state", "path": repo})
    got = work.call("first_bad", repo, story.TAG, "main", Database(data.tables))
    label = hunt.known.labels.get(got, "") if isinstance(got, str) else ""
    if label != "bad":
        _not_the_one(hunt, got, label)
    _left_as_it_was(before, work.tool("git", {"op": "state", "path": repo}))
    return f"{hunt.bad[:10]} “{hunt.messages['bad']}”, and the checkout is on main again."


def _not_the_one(hunt: Hunt, got: Any, label: str) -> None:
    wanted = f"{hunt.bad[:10]} “{hunt.messages['bad']}”"
    cause, said = "another", "That commit did not break revenue."
    if label == "unreadable":
        cause, said = (
            "accuses-the-unreadable",
            "That commit cannot be run at all, which says nothing about revenue. Skip it.",
        )
    elif isinstance(got, str) and hunt.bad.startswith(got) and len(got) >= 4:
        cause, said = "short", "Right, and give its full id."
    elif "Merge" in hunt.messages.get(label, ""):
        cause, said = (
            "the-merge",
            "That is the merge. It brought the fault to main, but the commit that made it stands on the merged branch.",
        )
    elif got is None:
        cause, said = "nobody", "Your function returned nothing."
    raise NotYet(
        said, tried=f"first_bad(repo, {story.TAG!r}, 'main', con)", expected=wanted,
        got=f"{got[:10]} “{hunt.messages[label]}”" if label else got, cause=cause,
    )  # fmt: skip


def _left_as_it_was(before: dict[str, Any], after: dict[str, Any]) -> None:
    if after["doing"] == "bisect" or after["branch"] != before["branch"]:
        raise NotYet(
            "The right commit, but you left the repository in the middle of a bisect.",
            expected="HEAD on main again", got=after["doing"] or "a detached HEAD", cause="left-in-bisect",
            look="`git bisect reset` brings the checkout back. A colleague who commits now commits to nowhere.",
        )  # fmt: skip


_HUNT = (
    GIT
    + '''

def is_good(repo, con):
    import re
    from pathlib import Path
    import duckdb
    try:
        model = Path(repo, "dbt/models/marts/daily_revenue.sql").read_text()
        query = re.sub(r"{{ ref\\('(\\w+)'\\) }}", r"marts.\\1", model)
        wrong = con.execute(f"""
            select count(*)
            from finance.closed_days as closed
            left join (select business_date, sum(revenue_eur) as eur from ({query}) group by business_date) as shown
                on closed.business_date = shown.business_date
            where closed.revenue_eur is distinct from shown.eur
        """).fetchone()[0]
    except (OSError, duckdb.Error):
        return None
    return wrong == 0


def first_bad(repo, good, bad, con):
    said = git(repo, "bisect", "start", bad, good)
    while "is the first bad commit" not in said:
        said = git(repo, "bisect", {True: "good", False: "bad", None: "skip"}[is_good(repo, con)])
    git(repo, "bisect", "reset")
    return said.split()[0]
'''
)


def _hunt(old: str, new: str) -> str:
    if old not in _HUNT:
        raise ValueError(f"{old!r} is not in the reference")
    return _HUNT.replace(old, new)


_ALL_DAYS = """\
def is_good(repo, con):
    import re, duckdb
    from pathlib import Path
    path = Path(repo) / "dbt" / "models" / "marts" / "daily_revenue.sql"
    if not path.exists():
        return None
    for name in ("fact_sales", "dim_date"):
        con.execute(f"create or replace temp view {name} as select * from marts.{name}")
    sql = path.read_text().replace("{{ ref('", "").replace("') }}", "")
    try:
        rows = con.execute(sql).fetchall()
    except duckdb.Error:
        return None
    names = [d[0] for d in con.description]
    shown = {}
    for row in rows:
        row = dict(zip(names, row))
        shown[row["business_date"]] = shown.get(row["business_date"], 0) + row["revenue_eur"]
    booked = dict(con.execute("select business_date, revenue_eur from finance.closed_days").fetchall())
    return all(day in shown and shown[day] == eur for day, eur in booked.items())
"""
_BY_HAND = (
    GIT
    + "\n"
    + _ALL_DAYS
    + """

def first_bad(repo, good, bad, con):
    import tempfile
    from pathlib import Path
    model = "dbt/models/marts/daily_revenue.sql"

    def verdict(commit):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, model)
            target.parent.mkdir(parents=True)
            try:
                target.write_text(git(repo, "show", f"{commit}:{model}"))
            except Exception:
                return None
            return is_good(folder, con)

    for commit in git(repo, "rev-list", "--reverse", "--topo-order", f"{good}..{bad}").split():
        parents = git(repo, "rev-parse", f"{commit}^@").split()
        if verdict(commit) is False and all(verdict(p) is not False for p in parents):
            return commit
"""
)
_WORKTREE = _hunt('''    said = git(repo, "bisect", "start", bad, good)
    while "is the first bad commit" not in said:
        said = git(repo, "bisect", {True: "good", False: "bad", None: "skip"}[is_good(repo, con)])
    git(repo, "bisect", "reset")
    return said.split()[0]
''', '''    import tempfile
    folder = tempfile.mkdtemp()
    git(repo, "worktree", "add", "--detach", folder + "/hunt", bad)
    at = folder + "/hunt"
    git(at, "bisect", "start")
    git(at, "bisect", "bad", bad)
    said = git(at, "bisect", "good", good)
    while "first bad commit" not in said:
        verdict = is_good(at, con)
        said = git(at, "bisect", "skip" if verdict is None else "good" if verdict else "bad")
    found = git(repo, "rev-parse", said.split()[0]).strip()
    git(repo, "worktree", "remove", "--force", at)
    return found
''')  # fmt: skip

TASK_2 = Task(
    id="02.2",
    title="Find the commit that broke revenue",
    minutes=18,
    points=3,
    deliver=(function("is_good"), function("first_bad")),
    data=broken,
    checks=(
        Check("A checkout is good, bad, or nobody can tell", tells_good_from_bad),
        Check("The first bad commit, and the checkout left as it was", finds_the_first_bad, lambda d: d.hunt.bad),
    ),
    hints=(
        "Two jobs: a test that says good or bad in a blink, and a search that asks it a few times. Write the test first and try it on `books-opened` and on `main`.",
        "The model is SQL with two `{{ ref('…') }}`: put `marts.…` in their place and run it on `con`. Compare with `finance.closed_days` from the ledger's side, so that a day the model does not show counts as wrong. A model that does not run is neither good nor bad.",
        "`git bisect start bad good` checks out a commit half-way; answer `git bisect good`, `bad` or `skip` until Git says “… is the first bad commit”; its first word is the id. `git bisect reset` at the end.",
    ),
    wrong=(
        wrong("an inner join forgets the missing days", _hunt("left join (", "join ("), "passes-weekdays"),
        wrong("compares totals, roughly", _hunt("return wrong == 0", "a = con.execute('select sum(revenue_eur) from finance.closed_days').fetchone()[0]\n    b = con.execute(f'select sum(revenue_eur) from ({query}) where business_date in (select business_date from finance.closed_days)').fetchone()[0]\n    return abs(a - b) / a < 0.02"), "passes-distinct"),
        wrong("day by day, roughly", _hunt("closed.revenue_eur is distinct from shown.eur", "shown.eur is null or abs(closed.revenue_eur - shown.eur) > 0.1 * closed.revenue_eur"), "passes-distinct"),
        wrong("expects the open days in the ledger", _hunt("left join (", "full join ("), "good-refused"),
        wrong("a model that does not run is bad", _hunt("        return None\n    return wrong == 0", "        return False\n    return wrong == 0"), "cannot-tell"),
        wrong("compares the text with the first version", _hunt("    return wrong == 0", '    return "distinct sales.line" not in model and "= \'paid\'" not in model and "round(" not in model and "strftime" not in model'), "passes-weekdays"),
        wrong("leaves the bisect open", _hunt('    git(repo, "bisect", "reset")\n', ""), "left-in-bisect"),
        wrong("searches the main line only", _hunt('"bisect", "start", bad', '"bisect", "start", "--first-parent", bad'), "the-merge"),
        wrong("returns a short id", _hunt("said.split()[0]", "said.split()[0][:8]"), "short"),
    ),
    right=(right("reads the model out of Git and asks each commit", _BY_HAND), right("bisects in a worktree beside the checkout", _WORKTREE)),
    seconds=10.0,
    mutants=30,
    spared={"line 3: True → False": "no command of the answer fails"},
)  # fmt: skip
