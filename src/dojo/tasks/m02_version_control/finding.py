"""Tasks 02.1 and 02.2: who brought a line that stands there now, and which commit broke revenue."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import duckdb

from dojo.judge.contract import Check, NotYet, Task, edited, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import kind_of, mapping
from dojo.tasks.m02_version_control import story
from dojo.tasks.m02_version_control.story import DAILY, Daily
from dojo.tasks.samples import company
from shopflow.history import PEOPLE
from shopflow.tables import BATCH_ROWS

GIT = """\
def git(repo, *arguments):
    import subprocess
    return subprocess.run(["git", *arguments], cwd=repo, capture_output=True, text=True, check=True).stdout
"""


def made(work: Work, stream: str, branch: str = "main") -> str:
    """The path of a new checkout of a branch, where the learner's code can reach it."""
    return work.tool("git", {"op": "make", "stream": stream, "branch": branch})["path"]


# ---------------------------------------------------------------- 02.1


Mistakes = dict[str, tuple[str, str]]
RENAMED = ("rename", "That commit only gave the file its present name. The line had come earlier, under the old one.")
LIMITS: Mistakes = {
    "renamed": RENAMED,
    "sorted": ("tidied", "That commit only moved lines about. The line itself is older."),
    "announced": ("other-file", "That commit wrote the text into another file, `docs/limits.md`."),
}
PHONE: Mistakes = {
    "phone": (
        "first-of-all",
        "That line was taken out again later. The one that stands there now came back with another commit.",
    ),
    "no-phone": ("removal", "That commit took the line out."),
}
POINT: Mistakes = {
    "announced": (
        "literal",
        "That commit wrote 0,12, with a comma. As a pattern, a point stands for any sign; `text` is meant literally.",
    ),
}


@dataclass(frozen=True)
class Line:
    """A line that is asked about, the commit that brought it (None where no such line stands there), and what is often taken
    for it: by a commit's label the cause and what to say."""

    path: str
    text: str
    answer: dict[str, str] | None
    mistakes: Mistakes = field(default_factory=dict)


@dataclass(frozen=True)
class Lines:
    """A repository and the lines in question; `subjects` are the first lines of its messages by label."""

    known: story.Known
    all: tuple[Line, ...]
    subjects: dict[str, str]


def lines(seed: int) -> Lines:
    """A story in which limits were renamed and sorted, an alert came, went and came again, and docs were first."""
    raised = str(300 + seed % 600)
    told = story.tell(*(("distinct", "middle") if seed % 2 else ("weekdays", "late")), raised=raised)
    known = story.known(told)
    asked: tuple[tuple[str, str, str, Mistakes], ...] = (
        ("config/limits.yml", f"big_basket_eur: {raised}", "raised", LIMITS),
        ("config/limits.yml", "late_customers_max: 5", "limits", LIMITS),
        ("config/limits.yml", "stale_after_hours", "limits", LIMITS),
        ("config/alerts.yml", "at_night: phone", "phone-again", PHONE),
        (DAILY, "average_order_eur", "average", {}),
        ("config/limits.yml", "big_basket_eur: 250", "", {}),
        ("docs/limits.md", f"big_basket_eur: {raised}", "announced", {}),
        ("docs/limits.md", "returns_share_max: 0.12", "point", POINT),
        ("docs/closing.md", "at_night: phone", "", {}),
        ("config/limits.yml", "big.basket", "", {}),
        ("config/thresholds.yml", "late_customers_max: 5", "", {}),
    )
    of = {c.label: c for c in told.commits}
    found = []
    for path, text, label, mistakes in asked:
        answer = None
        if label:
            commit = of[label]
            name = PEOPLE[commit.who].split(" <")[0]
            answer = {"commit": known.ids[label], "who": name, "day": f"{commit.moment:%Y-%m-%d}", "why": commit.subject}
        found.append(Line(path, text, answer, mistakes))
    return Lines(known, tuple(found), {c.label: c.subject for c in told.commits})


def finds_the_commit(work: Work, data: Lines) -> str:
    repo = made(work, data.known.stream)
    given = work.calls("who_brought", [(repo, line.path, line.text) for line in data.all])
    for line, got in zip(data.all, given, strict=True):
        tried = f"who_brought(repo, {line.path!r}, {line.text!r})"
        if line.answer is None:
            _nobody(line, got, tried)
            continue
        if got is None:
            said = f"Somebody brought `{line.text}` into `{line.path}`, and you found nobody."
            raise NotYet(said, tried=tried, expected="a dict with commit, who, day, why", got="None", cause="nobody")
        answer = mapping(got, "What you return", tuple(line.answer))
        answer = {key: f"{v:%Y-%m-%d}" if isinstance(v, dt.date) else v for key, v in answer.items()}
        _same_commit(data, line, answer["commit"], tried)
        for key, wanted in line.answer.items():
            if answer[key] != wanted:
                said, cause = _other_detail(key, answer[key], wanted)
                raise NotYet(said, tried=tried, expected=f"{key}: {wanted}", got=f"{key}: {answer[key]}", cause=cause)
    return f"{len(data.all)} questions, each answered with the commit that brought the line, or with nobody."


def _nobody(line: Line, got: Any, tried: str) -> None:
    if got is None:
        return
    raise NotYet(
        f"`{line.path}` holds no `{line.text}` today, so nobody brought it.",
        tried=tried,
        expected="None",
        got=got,
        cause="not-there",
        look="A history knows lines that are gone. Look first whether the file is there today and holds the text, as a text.",
    )


def _other_detail(key: str, got: Any, wanted: str) -> tuple[str, str]:
    if key == "who" and any(str(got) in person for person in PEOPLE.values()):
        return (
            "The person who applied a change is not always the one who wrote it. The author answers for the line.",
            "committer",
        )
    if key == "why" and str(got).startswith(wanted):
        return "The first line of the message is enough: the rest belongs to whoever opens the commit.", "whole-message"
    return f"`{key}` of that commit is another.", key


def _same_commit(data: Lines, line: Line, got: Any, tried: str) -> None:
    wanted = line.answer["commit"]
    if got == wanted:
        return
    if not isinstance(got, str):
        said = f"`commit` must be the commit's id, a text; it is {kind_of(got)}."
        raise NotYet(said, tried=tried, expected=wanted, got=got, cause="type")
    label = data.known.labels.get(got, "")
    cause, said = line.mistakes.get(label, ("another", "That is another commit."))
    if len(got) >= 4 and wanted.startswith(got):
        cause, said = "short", "Give the commit's full id: a short one may mean two commits next year."
    raise NotYet(
        said,
        tried=tried,
        expected=f"{wanted if cause == 'short' else wanted[:10]} “{line.answer['why']}”",
        got=f"{got[:10]} “{data.subjects[label]}”" if label else got,
        cause=cause,
    )


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
    return edited(_WHO, (old, new))


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
    checks=(
        Check(
            "The commit that brought the line that stands there now", finds_the_commit, lambda d: [x.answer for x in d.all]
        ),
    ),
    hints=(
        "`git blame` names the last commit that touched a line. Somebody who sorts a file touches every line of it.",
        "`git log -S'text'` lists the commits that changed how often the text occurs (the pickaxe). It can follow one file through its renames.",
        'Return None where the file does not hold the text today. Else: git(repo, "log", "--follow", "-1", f"-S{text}", "--format=%H%x09%an%x09%as%x09%s", "--", path), split at the tabs.',
    ),
    wrong=(
        wrong(
            "asks blame",
            _who(
                'said = git(repo, "log", "--follow", "-1", f"-S{text}", "--format=%H%x09%an%x09%as%x09%s", "--", path)',
                'row = [n for n, l in enumerate(target.read_text().splitlines(), 1) if text in l][0]\n    said = git(repo, "log", "-1", "--format=%H%x09%an%x09%as%x09%s", git(repo, "blame", "-l", f"-L{row},{row}", path).split()[0].strip("^"))',
            ),
            "tidied",
        ),
        wrong("does not follow the rename", _who('"--follow", ', ""), "rename"),
        wrong(
            "takes the first commit ever",
            _who('"--follow", "-1", ', '"--follow", ').replace(".strip().split", ".strip().splitlines()[-1].split"),
            "first-of-all",
        ),
        wrong(
            "forgets the path",
            _who('"--follow", "-1", ', '"--reverse", ')
            .replace(', "--", path)', ")")
            .replace(".strip().split", ".strip().splitlines()[0].split"),
            "other-file",
        ),
        wrong("names the committer", _who("%an", "%cn"), "committer"),
        wrong(
            "does not look whether the line is there",
            _who("    if not target.is_file() or text not in target.read_text():\n        return None\n", "").replace(
                "return dict", "return None if not said.strip() else dict"
            ),
            "not-there",
        ),
        wrong("short ids", _who("%H", "%h"), "short"),
        wrong("reads the text as a pattern", _who('"-1", ', '"-1", "--pickaxe-regex", '), "literal"),
        wrong(
            "looks for the text as a pattern",
            _who("text not in target.read_text()", "not __import__('re').search(text, target.read_text())").replace(
                '"-1", ', '"-1", "--pickaxe-regex", '
            ),
            "literal",
            "not-there",
        ),
        wrong("quotes the whole message", _who("%s", "%B"), "whole-message"),
        wrong(
            "returns the id alone",
            _who('return dict(zip(("commit", "who", "day", "why"), said.strip().split("\\t")))', "return said.split()[0]"),
            "shape",
        ),
    ),
    right=(right("blame that looks through moves", _BLAME), right("walks back until the line is gone", _WALK)),
    clauses={
        "names the commit that brought the line that stands there today": "takes the first commit ever",
        "Files were renamed": "does not follow the rename",
        "lines sorted": "asks blame",
        "one setting was taken out and came back later": "takes the first commit ever",
        "the documentation said it before the configuration did": "forgets the path",
        "The person is the author": "names the committer",
        "Where the file does not hold the text today, the answer is None": "does not look whether the line is there",
        "text is meant literally": "reads the text as a pattern",
        "full id": "short ids",
        "first line of the message": "quotes the whole message",
    },
    spared={"line 3: True → False": "no command of the answer fails"},
)


# ---------------------------------------------------------------- 02.2


@dataclass(frozen=True)
class Checkout:
    """One state of the files: what it is, its tree, whether revenue is right (None: nobody can tell), where to look."""

    what: str
    tree: dict[str, str]
    good: bool | None
    cause: str
    look: str = ""


@dataclass(frozen=True)
class Hunt:
    """A repository in which one commit broke revenue, searched from a branch; `merge` brought it to main (or "")."""

    known: story.Known
    subjects: dict[str, str]
    branch: str
    merge: str

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


def closed_until(today: dt.date) -> dt.date:
    """The last day that finance has closed: three working days lie between its evening and this one."""
    day, left = today, 3
    while left:
        left -= day.weekday() < 5
        day -= dt.timedelta(days=1)
    return day


def books(seed: int) -> dict[str, Any]:
    """The facts, the calendar, and what finance booked to the cent for the days it has closed by the next morning."""
    held = company(seed)
    con = duckdb.connect()
    con.from_arrow(held.tables["marts.daily_revenue"]).create("daily")
    closed = con.execute(
        "select business_date, sum(revenue_eur)::decimal(14, 2) as revenue_eur from daily "
        "where business_date <= ? group by 1 order by 1",
        [closed_until(held.last + dt.timedelta(days=1))],
    ).to_arrow_table(BATCH_ROWS)
    calendar = con.execute(
        story.template()["dbt/models/marts/dim_date.sql"].replace("{{", "").replace("}}", "")
    ).to_arrow_table(BATCH_ROWS)
    con.close()
    return {"marts.fact_sales": held.tables["marts.fact_sales"], "marts.dim_date": calendar, "finance.closed_days": closed}


HUNTED = ("whole-euros", "weekdays", "next-day")
SAYS = {
    "distinct": "equal amounts are counted once",
    "paid-only": "shipped orders are missing",
    "whole-euros": "lines are rounded to whole euros",
    "weekdays": "weekends are missing altogether",
    "next-day": "each day's revenue stands on the day after",
}
DAY_BY_DAY = "Compare day by day and to the cent: the ledger is kept so."
OPEN_DAYS = (
    "The newest days are not closed yet: the model shows them, the ledger does not. "
    "And revenue is kept by store, booked by day."
)
CANNOT_TELL = (
    "A commit whose model does not run says nothing about revenue. Bisect can skip it; calling it bad accuses its author."
)
MISSING_DAYS = "A closed day that the model does not show at all is wrong too. Which side of your join keeps it?"


def _tree(text: str | None) -> dict[str, str]:
    files = {
        "README.md": "# ShopFlow\n",
        "dbt/models/marts/dim_date.sql": story.template()["dbt/models/marts/dim_date.sql"],
    }
    return files if text is None else {**files, DAILY: text}


def _swapped(first: dt.date, second: dt.date, **shape: bool) -> str:
    """The model with the revenue of two closed days, neither the first nor the last, in each other's place: totals agree."""
    one, other = f"{first:%Y%m%d}", f"{second:%Y%m%d}"
    key = f"case dates.date_key when {one} then {other} when {other} then {one} else dates.date_key end"
    return Daily(**shape).sql().replace("sales.date_key = dates.date_key", f"sales.date_key = {key}")


def _cents(day: dt.date, **shape: bool) -> str:
    """The model with a few cents too many on one day, one for each store."""
    text, right_sum = Daily(**shape).sql(), "sum(sales.line_revenue)::decimal(14, 2) as revenue_eur"
    wrong_sum = f"sum(sales.line_revenue)::decimal(14, 2) + case when dates.date_day = date '{day}' then 0.01 else 0 end as revenue_eur"
    return text.replace(right_sum, wrong_sum)


def broken(seed: int) -> Broken:
    """Forms of the model, good ones and seven bad ones, and a story; which fault is hunted and where depends on the seed."""
    full = {"comment": True, "cte": True, "weekday": True, "average": True, "returns": True}
    shape = full if seed % 2 else {"comment": True, "cte": True}
    tables = books(seed)
    days = sorted(row["business_date"] for row in tables["finance.closed_days"].to_pylist())
    at = 2 + seed % (len(days) - 4)
    hunted = {"whole-euros": DAY_BY_DAY, "next-day": DAY_BY_DAY, "weekdays": MISSING_DAYS}
    checkouts = (
        Checkout("daily_revenue as Petra first wrote it", _tree(Daily().sql()), True, "good-refused", OPEN_DAYS),
        Checkout(
            "daily_revenue with all that was added, and right", _tree(Daily(**full).sql()), True, "good-refused", OPEN_DAYS
        ),
        *(
            Checkout(
                f"daily_revenue where {said}",
                _tree(Daily(**shape, wrong=kind).sql()),
                False,
                f"passes-{kind}",
                hunted.get(kind, ""),
            )
            for kind, said in SAYS.items()
        ),
        Checkout(
            f"daily_revenue where {days[at - 1]} and {days[at + 1]} stand in each other's place",
            _tree(_swapped(days[at - 1], days[at + 1], **shape)),
            False,
            "passes-swapped",
            DAY_BY_DAY,
        ),
        Checkout(
            f"daily_revenue with one cent too much in each store on {days[at]}",
            _tree(_cents(days[at], **shape)),
            False,
            "passes-cents",
            DAY_BY_DAY,
        ),
        Checkout(
            "daily_revenue with a bracket missing",
            _tree(Daily(cte=True, readable=False).sql()),
            None,
            "cannot-tell",
            CANNOT_TELL,
        ),
        Checkout("a checkout from before there was a daily_revenue", _tree(None), None, "cannot-tell", CANNOT_TELL),
    )
    return Broken(checkouts, _hunted(seed), tables)


def _hunted(seed: int) -> Hunt:
    """The story to search: on two seeds of three the fault comes from a branch; it is searched from main or from a branch."""
    kind, place = HUNTED[seed % len(HUNTED)], ("branch", "branch", "late")[seed % 3]
    told = story.tell(kind, place, raised=str(300 + seed % 600))
    known = story.known(told)
    merge = next((c.label for c in told.commits if place == "branch" and c.message.startswith("Merge")), "")
    return Hunt(known, {c.label: c.subject for c in told.commits}, "petra/weekday", merge)


WORDS = {True: "True (good)", False: "False (bad)", None: "None (cannot tell)"}


def tells_good_from_bad(work: Work, data: Broken) -> str:
    paths = work.tool("git", {"op": "folders", "trees": [c.tree for c in data.checkouts]})["paths"]
    con = Database(data.tables)
    verdicts = work.calls("is_good", [(path, con) for path in paths])
    for checkout, got in zip(data.checkouts, verdicts, strict=True):
        if got is not None and not isinstance(got, bool):
            said = f"is_good must return True, False or None; it returned {kind_of(got)}."
            raise NotYet(
                said, tried=f"is_good(repo, con) on {checkout.what}", expected=WORDS[checkout.good], got=got, cause="type"
            )
        if got is not checkout.good:
            raise NotYet(
                f"You were given {checkout.what}.",
                tried="is_good(repo, con)",
                expected=WORDS[checkout.good],
                got=WORDS[got],
                cause=checkout.cause,
                look=checkout.look,
            )
    return f"{len(data.checkouts)} checkouts told apart: good, bad, and those nobody can judge."


def finds_the_first_bad(work: Work, data: Broken) -> str:
    hunt = data.hunt
    repo = made(work, hunt.known.stream, hunt.branch)
    before = work.tool("git", {"op": "state", "path": repo})
    got = work.call("first_bad", repo, story.TAG, "main", Database(data.tables))
    tried = f"first_bad(repo, {story.TAG!r}, 'main', con)"
    if not isinstance(got, str):
        said = "Your function returned nothing." if got is None else f"A commit's id is a text; you returned {kind_of(got)}."
        raise NotYet(
            said, tried=tried, expected=f"{hunt.bad[:10]} “{hunt.subjects['bad']}”", got=got or "None", cause="type"
        )
    if got.strip() != hunt.bad:
        _not_the_one(hunt, got.strip(), tried)
    _left_as_it_was(before, work.tool("git", {"op": "state", "path": repo}), tried)
    return f"{hunt.bad[:10]} “{hunt.subjects['bad']}”, and the checkout is on {hunt.branch} again."


def _not_the_one(hunt: Hunt, got: str, tried: str) -> None:
    label = hunt.known.labels.get(got, "")
    cause, said = "another", "That commit did not break revenue." if label else "That is no commit of the repository."
    if label == "unreadable":
        cause = "accuses-the-unreadable"
        said = "That commit cannot be run at all, which says nothing about revenue. Skip it."
    elif len(got) >= 4 and hunt.bad.startswith(got):
        cause, said = "short", "Right, and give its full id."
    elif label and label == hunt.merge:
        cause = "the-merge"
        said = "That is the merge. It brought the fault to main, but the commit that made it stands on the merged branch."
    raise NotYet(
        said,
        tried=tried,
        expected=hunt.bad if cause == "short" else f"{hunt.bad[:10]} “{hunt.subjects['bad']}”",
        got=f"{got[:10]} “{hunt.subjects[label]}”" if label else got,
        cause=cause,
    )


def _left_as_it_was(before: dict[str, Any], after: dict[str, Any], tried: str) -> None:
    home = before["branch"]
    if after["doing"] == "bisect":
        raise NotYet(
            "The right commit, but you left the repository in the middle of a bisect.",
            tried=tried,
            expected=f"HEAD on {home} again",
            got="a bisect in progress",
            cause="left-in-bisect",
            look="`git bisect reset` brings the checkout back. A colleague who commits now commits to nowhere.",
        )
    if after["branch"] != home:
        raise NotYet(
            "The right commit, but the checkout is not on the branch you found it on.",
            tried=tried,
            expected=f"HEAD on {home}",
            got=f"HEAD on {after['branch']}" if after["branch"] else "a detached HEAD",
            cause="other-branch",
        )
    if after["dirty"] != before["dirty"]:
        left = ", ".join(after["dirty"])
        raise NotYet(
            "The right commit, but files in the checkout are not as they were.",
            tried=tried,
            expected="nothing changed",
            got=f"changed: {left}",
            cause="left-changes",
        )


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
    return edited(_HUNT, (old, new))


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
_WORKTREE = _hunt(
    """    said = git(repo, "bisect", "start", bad, good)
    while "is the first bad commit" not in said:
        said = git(repo, "bisect", {True: "good", False: "bad", None: "skip"}[is_good(repo, con)])
    git(repo, "bisect", "reset")
    return said.split()[0]
""",
    """    import tempfile
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
""",
)

_SUMS = """a, b = con.execute(f'''select (select sum(revenue_eur) from finance.closed_days), (select sum(revenue_eur)
            from ({query}) where business_date in (select business_date from finance.closed_days))''').fetchone()
    """
_SAME = "    return wrong == 0"

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
        "Two jobs: a test that says good or bad in a blink, and a search that asks it a few times. Write the test first and "
        "try it on `books-opened` and on `main`.",
        "The model is SQL with two `{{ ref('…') }}`: put `marts.…` in their place and run it on `con`. Compare with "
        "`finance.closed_days` from the ledger's side, so that a day the model does not show counts as wrong. A model that "
        "does not run is neither good nor bad.",
        "`git bisect start bad good` checks out a commit half-way; answer `git bisect good`, `bad` or `skip` until Git says "
        "“… is the first bad commit”; its first word is the id. `git bisect reset` at the end.",
    ),
    wrong=(
        wrong("an inner join forgets the missing days", _hunt("left join (", "join ("), "passes-weekdays"),
        wrong(
            "compares the sum of all closed days",
            _hunt(_SAME, f"    {_SUMS}return a == b"),
            "passes-swapped",
        ),
        wrong(
            "compares the sum, and asks for every day",
            _hunt(
                _SAME,
                f"    {_SUMS}return a == b and not con.execute(f'select business_date from finance.closed_days except select business_date from ({{query}})').fetchall()",
            ),
            "passes-swapped",
        ),
        wrong(
            "to the euro",
            _hunt(
                "closed.revenue_eur is distinct from shown.eur",
                "shown.eur is null or abs(closed.revenue_eur - shown.eur) >= 1",
            ),
            "passes-cents",
        ),
        wrong(
            "day by day, roughly",
            _hunt(
                "closed.revenue_eur is distinct from shown.eur",
                "shown.eur is null or abs(closed.revenue_eur - shown.eur) > 0.1 * closed.revenue_eur",
            ),
            "passes-distinct",
            "passes-paid-only",
            "passes-whole-euros",
        ),
        wrong(
            "the first and the last closed day",
            _hunt(
                "where closed.revenue_eur",
                "where closed.business_date in (select min(business_date) from finance.closed_days union select max(business_date) from finance.closed_days) and closed.revenue_eur",
            ),
            "passes-weekdays",
            "passes-swapped",
        ),
        wrong("expects the open days in the ledger", _hunt("left join (", "full join ("), "good-refused"),
        wrong(
            "a model that does not run is bad",
            _hunt(f"        return None\n{_SAME}", f"        return False\n{_SAME}"),
            "cannot-tell",
        ),
        wrong(
            "compares the text with the first version",
            _hunt(
                _SAME,
                '    return "distinct sales.line" not in model and "= \'paid\'" not in model and "round(" not in model and "strftime" not in model',
            ),
            "passes-weekdays",
        ),
        wrong("leaves the bisect open", _hunt('    git(repo, "bisect", "reset")\n', ""), "left-in-bisect"),
        wrong(
            "always goes to main",
            _hunt('    git(repo, "bisect", "reset")\n', '    git(repo, "bisect", "reset", "main")\n'),
            "other-branch",
        ),
        wrong(
            "leaves an old model behind",
            _hunt(
                '    git(repo, "bisect", "reset")\n',
                '    git(repo, "bisect", "reset")\n    git(repo, "checkout", good, "--", "dbt/models/marts/daily_revenue.sql")\n',
            ),
            "left-changes",
        ),
        wrong(
            "searches the main line only",
            _hunt('"bisect", "start", bad', '"bisect", "start", "--first-parent", bad'),
            "the-merge",
        ),
        wrong("returns a short id", _hunt("said.split()[0]", "said.split()[0][:8]"), "short"),
        wrong(
            "names the last commit",
            _hunt("    return said.split()[0]", '    return git(repo, "rev-parse", bad).strip()'),
            "another",
        ),
    ),
    right=(
        right("reads the model out of Git and asks each commit", _BY_HAND),
        right("bisects in a worktree beside the checkout", _WORKTREE),
    ),
    clauses={
        "agrees with finance's closed days": "day by day, roughly",
        "on every day": "compares the sum of all closed days",
        "to the cent": "to the euro",
        "None for a checkout that can say nothing about it": "a model that does not run is bad",
        "names the first that broke revenue": "names the last commit",
        "the commits between two of them, on merged branches too": "searches the main line only",
        "by its full id": "returns a short id",
        "leaves the checkout on the branch it found it on": "always goes to main",
        "with the files as they were": "leaves an old model behind",
        "the newest days are in the model and not in the ledger": "expects the open days in the ledger",
        "a closed day that the model does not show counts as wrong": "an inner join forgets the missing days",
    },
    seconds=10.0,
    executes=True,
    mutants=16,
    spared={"line 3: True → False": "no command of the answer fails"},
)
