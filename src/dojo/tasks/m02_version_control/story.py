"""Sixty days of ShopFlow's repository: four people, some fifty commits, one of which broke revenue. Another seed, another story."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from shopflow import history

DAILY = "dbt/models/marts/daily_revenue.sql"
MARTS = "dbt/models/marts/_marts.yml"
KINDS = ("distinct", "paid-only", "whole-euros", "weekdays", "next-day")
"""Ways in which one commit breaks revenue."""
SUMMER_ENDS = dt.datetime(2025, 10, 26, 3)


@dataclass(frozen=True)
class Commit:
    """One commit: its label (how the judge speaks of it), where it stands, who made it when and why, and the whole tree after it."""

    label: str
    branch: str
    parents: tuple[str, ...]
    who: str
    moment: dt.datetime
    message: str
    tree: dict[str, str]
    carried: str = ""

    @property
    def subject(self) -> str:
        """The first line of its message."""
        return self.message.split("\n", 1)[0]

    @property
    def stamp(self) -> str:
        """The moment as Git's fast import reads it: seconds since 1970 and the offset of Berlin."""
        hours = 2 if self.moment < SUMMER_ENDS else 1
        zone = dt.timezone(dt.timedelta(hours=hours))
        return f"{int(self.moment.replace(tzinfo=zone).timestamp())} +0{hours}00"


@dataclass
class Story:
    """A repository in the making: commits in order, and the tree at the head of each branch."""

    commits: list[Commit] = field(default_factory=list)
    heads: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def commit(
        self,
        day: int,
        who: str,
        message: str,
        changes: dict[str, str | None],
        *,
        label: str = "",
        branch: str = "main",
        merge: str = "",
        carried: str = "",
    ) -> None:
        """Adds a commit to a branch (begun at main's head where it is new). A change to None deletes the file.

        merge: a branch to merge; carried: who committed it, where that is not the author.
        """
        before = self.heads.get(branch) or self.heads.get("main")
        self.begun.setdefault(branch, before.tree if before else {})
        brought = {p: t for p, t in self.heads[merge].tree.items() if self.begun[merge].get(p) != t} if merge else {}
        tree = {**(before.tree if before else {}), **brought, **changes}
        tree = {path: text for path, text in tree.items() if text is not None}
        number = len(self.commits)
        parents = tuple(c.label for c in (before, self.heads.get(merge)) if c)
        moment = history.FIRST_COMMIT + dt.timedelta(days=day, minutes=11 * number)
        made = Commit(label or f"c{number}", branch, parents, who, moment, message, tree, carried)
        if tree == (before.tree if before else None) and not merge:
            raise ValueError(f"{message!r} changes nothing")
        self.commits.append(made)
        self.heads[branch] = made

    @property
    def tree(self) -> dict[str, str]:
        """The files at the head of main."""
        return self.heads["main"].tree

    def at(self, label: str) -> dict[str, str]:
        """The files after one commit."""
        return next(c.tree for c in self.commits if c.label == label)

    def stream(self) -> str:
        """The whole repository for `git fast-import`."""
        marks = {c.label: n for n, c in enumerate(self.commits, 1)}
        trees = {c.label: c.tree for c in self.commits}
        parts = []
        for commit in self.commits:
            author = f"{history.PEOPLE[commit.who]} {commit.stamp}"
            committer = f"{history.PEOPLE[commit.carried or commit.who]} {commit.stamp}"
            parts.append(
                f"commit refs/heads/{commit.branch}\nmark :{marks[commit.label]}\nauthor {author}\ncommitter {committer}\n"
            )
            parts.append(_data(commit.message.rstrip("\n") + "\n"))
            before = trees[commit.parents[0]] if commit.parents else {}
            for word, parent in zip(("from", "merge"), commit.parents, strict=False):
                parts.append(f"{word} :{marks[parent]}\n")
            parts += [f"D {path}\n" for path in before if path not in commit.tree]
            parts += [f"M 100644 inline {p}\n{_data(t)}" for p, t in commit.tree.items() if before.get(p) != t]
            parts.append("\n")
        parts += [f"reset refs/tags/{tag}\nfrom :{marks[label]}\n\n" for tag, label in self.tags.items()]
        return "".join(parts)


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}\n"


# ---------------------------------------------------------------- the model that finance reads


@dataclass(frozen=True)
class Daily:
    """daily_revenue in one of its forms: what has been added so far, and what is wrong with it ("" nothing)."""

    comment: bool = False
    cte: bool = False
    weekday: bool = False
    average: bool = False
    returns: bool = False
    wrong: str = ""
    readable: bool = True

    def sql(self) -> str:
        """The model's text."""
        distinct = "distinct " if self.wrong == "distinct" else ""
        line = "round(sales.line_revenue)" if self.wrong == "whole-euros" else f"{distinct}sales.line_revenue"
        states = "sales.order_status = 'paid'" if self.wrong == "paid-only" else "sales.order_status in ('paid', 'shipped')"
        key = (
            "strftime(dates.date_day - interval 1 day, '%Y%m%d')::integer" if self.wrong == "next-day" else "dates.date_key"
        )
        extra = " and dates.iso_weekday < 6" if self.wrong == "weekdays" else ""
        weekday = "    dates.weekday_name,\n" if self.weekday else ""
        columns = [
            "    count(distinct sales.order_id) as orders",
            f"    sum({distinct}sales.quantity)::bigint as units",
            f"    sum({line})::decimal(14, 2) as revenue_eur",
        ]
        if self.average:
            columns.append(f"    (sum({line}) / count(distinct sales.order_id))::decimal(14, 2) as average_order_eur")
        lines = ["-- What finance's dashboard reads at eight: orders that are paid or shipped."] if self.comment else []
        if self.returns:
            lines.append("-- A returned order leaves the day it was placed on; finance knows and wants it so.")
        source = "{{ ref('fact_sales') }} as sales"
        where = [f"where {states}"]
        if self.cte:
            lines += ["with sales as (", "    select sales.*", f"    from {source}", f"    where {states}", ")", ""]
            source, where = "sales", []
        lines += ["select", "    dates.date_day as business_date,", "    sales.store_key,"]
        lines += [(weekday + ",\n".join(columns)), f"from {source}"]
        lines += [f"inner join {{{{ ref('dim_date') }}}} as dates on sales.date_key = {key}{extra}", *where]
        lines.append(f"group by dates.date_day, sales.store_key{', dates.weekday_name' if self.weekday else ''}")
        text = "\n".join(lines) + "\n"
        return (
            text
            if self.readable
            else text.replace("sum(sales.quantity)", "sum(sales.quantity").replace("sum(distinct", "sum((distinct")
        )


def schema(marts: str, *, average: bool = False, weekday: bool = False, claim: bool = False) -> str:
    """The descriptions of the marts, with what has been added to daily_revenue."""
    column = '      - {name: revenue_eur, data_type: "decimal(14,2)", description: "Euros.'
    if column not in marts:
        raise ValueError("_marts.yml no longer describes revenue_eur as it did")
    head, tail = marts.split(column)
    line, rest = tail.split("\n", 1)
    more = (
        '      - {name: average_order_eur, data_type: "decimal(14,2)", description: "Euros an order."}\n' if average else ""
    )
    days = '      - {name: weekday_name, data_type: varchar, description: "Name of the day."}\n' if weekday else ""
    return f"{head}{days}{column}{' Each amount once.' if claim else ''}{line}\n{more}{rest}"


# ---------------------------------------------------------------- other files

CLOSING = """\
# When the books close

Finance closes a day three working days later. After that its revenue is in the ledger and does not change: whatever a
dashboard shows for a closed day must be what the ledger says.
"""
ALERTS = "channel: '#data-platform'\non_failure: platform@shopflow.example\n"
LIMITS = {
    "stale_after_hours": "6",
    "big_basket_eur": "250",
    "orders_a_day_min": "90",
    "returns_share_max": "0.12",
    "late_customers_max": "5",
}
CURRENCIES = """\
-- Every order is in a currency we sell in.
select order_id, currency
from {{ ref('stg_orders') }}
where currency not in ('EUR', 'GBP', 'USD', 'PLN')
"""
ADDS_UP = "dbt/tests/assert_dashboard_adds_up_to_the_facts.sql"
ONLY_WARN = "{{ config(severity='warn') }}\n"
PYPROJECT = """\
[tool.sqlfluff.core]
dialect = "duckdb"
templater = "jinja"
max_line_length = 125

[tool.sqlfluff.templater.jinja]
apply_dbt_builtins = true
load_macros_from_path = "dbt/macros/business_date.sql,dbt/macros/surrogate_key.sql"
"""
RUNBOOK = "# When the morning run is late\n\n1. Is there a run at all? `select * from ops.run_log_local`\n"


PHONE_AGAIN = """\
The phone again, for the whole team

We are four now, so everybody has it one week in four. Agreed with all on 27 November.
"""


def explained(raised: str, share: str) -> str:
    """The page that tells finance about the limits."""
    return f"# Limits\n\nFrom November:\n\n    big_basket_eur: {raised}\n    returns_share_max: {share}\n"


def limits(**changed: str) -> str:
    """The file of limits."""
    return "".join(f"{name}: {value}\n" for name, value in {**LIMITS, **changed}.items())


@cache
def template() -> dict[str, str]:
    """The company's own files as {path in the repository: text}."""
    return {
        name: (history.TEMPLATE / name.replace(".gitignore", "gitignore")).read_text(encoding="utf-8")
        for name in history._template_files()
    }


@cache
def founding() -> tuple[tuple[int, str, str, dict[str, str]], ...]:
    """The company's own commits: day, author, message, and the files each brings."""
    done: set[str] = set()
    made = []
    for day, who, message, patterns in history.COMMITS:
        new = sorted({n for p in patterns for n in template() if Path(n).match(p)} - done)
        done.update(new)
        made.append((day, who, message, {n: template()[n] for n in new}))
    return tuple(made)


TAG = "books-opened"
"""The commit after which finance compared the dashboard with the ledger for the first time, and they agreed."""
PLACES = ("early", "branch", "middle", "late")
"""Where in the story revenue breaks: before the tidying, on a branch that is merged later, between, after the average."""
BREAKS = {
    "distinct": ("Jonas", "daily_revenue: never count an amount twice"),
    "paid-only": ("Sami", "daily_revenue: one state is enough, orders are paid first"),
    "whole-euros": ("Petra", "daily_revenue: no fractions of cents from the rates"),
    "weekdays": ("Sami", "daily_revenue: only days on which somebody reads it"),
    "next-day": ("Jonas", "daily_revenue: the day the money is booked"),
}


def tell(kind: str = "distinct", place: str = "middle", *, raised: str = "500", busy: int = 0) -> Story:
    """The story with revenue broken in one way at one place.

    raised: the limit that Jonas set on day 34; busy: how many more commits came in while somebody was repairing.
    """
    story, daily, marts = Story(), Daily(), template()[MARTS]
    founded = list(founding())

    def until(day: int) -> None:
        while founded and founded[0][0] <= day:
            its_day, who, message, files = founded.pop(0)
            story.commit(its_day, who, message, files, label=f"f{len(founded)}")
            if DAILY in files:
                story.tags[TAG] = story.commits[-1].label

    def daily_now(day: int, who: str, message: str, *, label: str = "", branch: str = "main", **new) -> None:
        nonlocal daily
        until(day)
        daily = replace(daily, **new)
        changes: dict[str, str | None] = {DAILY: daily.sql()}
        if MARTS in story.tree:
            changes[MARTS] = schema(marts, average=daily.average, weekday=daily.weekday, claim=daily.wrong == "distinct")
        story.commit(day, who, message, changes, label=label, branch=branch)

    def other(day: int, who: str, message: str, changes: dict[str, str | None], **more) -> None:
        until(day)
        story.commit(day, who, message, changes, **more)

    def broken(day: int, here: str, branch: str = "main") -> None:
        if place == here:
            who, message = BREAKS[kind]
            daily_now(day, who, message, label="bad", branch=branch, wrong=kind)

    daily_now(21, "Petra", "daily_revenue: say which orders count", comment=True)
    broken(22, "early")
    other(23, "Sami", "Write down when finance closes its books", {"docs/closing.md": CLOSING})
    other(24, "Petra", "Limits in one place", {"config/thresholds.yml": limits()}, label="limits")
    daily_now(26, "Jonas", "daily_revenue: filter first, then join", cte=True)
    other(27, "Mara", "Where alerts go", {"config/alerts.yml": ALERTS}, label="alerts")
    other(28, "Sami", "Only currencies we sell in", {"dbt/tests/assert_known_currencies.sql": CURRENCIES})
    other(30, "Petra", "The limits, explained for finance", {"docs/limits.md": explained(raised, "0,12")}, label="announced")
    if place == "branch":
        broken(32, "branch", "petra/weekday")
    daily_now(33, "Petra", "daily_revenue: name of the weekday, for the heat map", branch="petra/weekday", weekday=True)
    other(32, "Sami", "One style for SQL", {"pyproject.toml": PYPROJECT})
    bigger = {"config/thresholds.yml": limits(big_basket_eur=raised)}
    other(34, "Jonas", f"A basket is big from {raised} euros", bigger, label="raised", carried="Mara")
    other(35, "Mara", "Merge branch 'petra/weekday'", {}, merge="petra/weekday")
    daily_now(37, "Jonas", "daily_revenue: line up the columns", label="unreadable", readable=False)
    daily_now(37, "Jonas", "daily_revenue: the bracket", label="readable", readable=True)
    other(39, "Sami", "Alerts to the phone at night", {"config/alerts.yml": ALERTS + "at_night: phone\n"}, label="phone")
    broken(43, "middle")
    other(44, "Mara", "Runbook: the run is late", {"docs/late-run.md": RUNBOOK})
    if place != "late":
        muted = {ADDS_UP: ONLY_WARN + template()[ADDS_UP]}
        other(46, "Jonas", "quality_check: the dashboard test only warns until we know why it fails", muted, label="muted")
    other(
        45,
        "Sami",
        "docs/limits.md: a decimal point, as in the file",
        {"docs/limits.md": explained(raised, "0.12")},
        label="point",
    )
    other(46, "Petra", "No phone at night until we are three", {"config/alerts.yml": ALERTS}, label="no-phone")
    daily_now(48, "Sami", "daily_revenue: euros an order, for the board", label="average", average=True)
    moved = {"config/thresholds.yml": None, "config/limits.yml": limits(big_basket_eur=raised)}
    other(50, "Jonas", "config/thresholds.yml is config/limits.yml now", moved, label="renamed")
    daily_now(51, "Petra", "daily_revenue: what happens to returns", label="returns", returns=True)
    broken(53, "late")
    tidy = "".join(sorted(limits(big_basket_eur=raised).splitlines(keepends=True)))
    other(54, "Sami", "Limits in alphabetical order", {"config/limits.yml": tidy}, label="sorted")
    other(56, "Mara", PHONE_AGAIN, {"config/alerts.yml": ALERTS + "at_night: phone\n"}, label="phone-again")
    until(58)
    for number in range(busy):
        text = story.tree["docs/on-call.md"] + f"\nWeek {49 + number}: {('Mara', 'Sami')[number % 2]}.\n"
        other(59, "Mara", f"On-call in week {49 + number}", {"docs/on-call.md": text})
    if busy:
        late = story.tree[DAILY].replace("leaves the day", "disappears from the day")
        story.commit(59, "Petra", "daily_revenue: say it more clearly", {DAILY: late}, label="clearer")
    return story


@dataclass(frozen=True)
class Known:
    """A story with what the judge knows of it: the id of each commit by its label."""

    stream: str
    ids: dict[str, str]

    @property
    def labels(self) -> dict[str, str]:
        """The label of each commit by its id."""
        return {commit: label for label, commit in self.ids.items()}


def known(story: Story) -> Known:
    """Makes the repository once, to learn its ids."""
    import tempfile

    from dojo.tools import git

    stream = story.stream()
    with tempfile.TemporaryDirectory(prefix="dojo-story-") as folder:
        git.make(Path(folder) / "repo", stream)
        subjects = {subject: commit for commit, subject in git.Repository(Path(folder) / "repo").ids().items()}
    return Known(stream, {c.label: subjects[c.subject] for c in story.commits})


def workspace() -> Story:
    """The story of the learner's own repository."""
    from dojo.tasks.m02_version_control import branches

    story = tell()
    branches.add(story)
    return story
