"""Levels: points alone give none; what a level says was seen, and nothing that was found refutes it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

import dataops_audit as audit
from dataops_audit import card
from dataops_audit.findings import Finding

Folder = Callable[[dict[str, str | bytes]], Path]
CARD = card.load()
GOOD = [key for key, rule in CARD.rules.items() if rule.kind == "good"]


def finding(rule: str, sure: str = "certain") -> Finding:
    return Finding(rule, "a.yml", 1, "", sure)


def scored(findings: list[Finding]) -> dict[str, card.Scored]:
    return {one.practice.key: one for one in card.score(findings)}


def holds(claim: card.Claim, findings: list[Finding]) -> bool:
    sure = {one.rule for one in findings if one.sure != "possible"}
    return all(sure & set(group) for group in claim.needs) and not {one.rule for one in findings} & set(claim.denied_by)


def drawn(chance: random.Random) -> list[Finding]:
    picked = chance.sample(GOOD, chance.randrange(len(GOOD))) + chance.sample(list(CARD.rules), chance.randrange(40))
    return [finding(rule, chance.choice(list(card.WEIGHT))) for rule in picked]


# the card ------------------------------------------------------------------------------------------------------------


def test_every_level_above_the_lowest_names_its_evidence() -> None:
    for practice in CARD.practices.values():
        assert len(practice.levels) == len(practice.claims) == 5
        assert all(claim.needs for claim in practice.claims[1:]) and not practice.claims[0].needs


def test_a_level_asks_for_what_is_on_the_card_and_is_refuted_by_what_may_stand_beside_its_evidence() -> None:
    for practice in CARD.practices.values():
        for level, claim in enumerate(practice.claims):
            needed = {rule for group in claim.needs for rule in group}
            assert needed | set(claim.denied_by) <= set(CARD.rules)
            assert not needed & set(claim.denied_by)
            assert all(CARD.rules[rule].kind == "good" for rule in needed)
            assert all((CARD.rules[rule].kind == "good") == (level == 0) or rule == "iac.broken" for rule in claim.denied_by)


def test_all_that_is_good_is_level_four_everywhere() -> None:
    for one in scored([finding(rule) for rule in GOOD]).values():
        assert (one.level, one.reached, one.lacking) == (4, 4, ())
        assert one.meaning == one.practice.levels[4]


@pytest.mark.parametrize("practice", CARD.practices)
def test_each_group_of_evidence_is_needed(practice: str) -> None:
    for level, claim in enumerate(CARD.practices[practice].claims):
        for group in claim.needs:
            there = [finding(rule) for rule in GOOD if rule not in group]
            assert scored(there)[practice].level < level, group
            assert scored([*there, finding(group[0], "possible")])[practice].level < level, group


@pytest.mark.parametrize("practice", CARD.practices)
@pytest.mark.parametrize("sure", card.WEIGHT)
def test_whatever_refutes_a_level_costs_it_however_sure_it_is(practice: str, sure: str) -> None:
    everything = [finding(rule) for rule in GOOD]
    for level, claim in enumerate(CARD.practices[practice].claims):
        for rule in claim.denied_by if level else ():
            assert scored([*everything, finding(rule, sure)])[practice].level < level, rule


@pytest.mark.parametrize("seed", range(300))
def test_no_level_says_more_than_was_found(seed: int) -> None:
    findings = drawn(random.Random(seed))
    for one in scored(findings).values():
        assert one.level <= one.reached == card.level_of(one.points)
        assert all(holds(claim, findings) for claim in one.practice.claims[1 : one.level + 1])
        if one.level:
            assert one.meaning == one.practice.levels[one.level]
        else:
            said = one.meaning == one.practice.levels[0]
            assert said == (not {f.rule for f in findings} & set(one.practice.claims[0].denied_by))
        assert bool(one.lacking) == (one.level < one.reached)


# repositories --------------------------------------------------------------------------------------------------------

DOCKERFILE = (
    "FROM python:3.11-slim AS base\nRUN pip install dbt-duckdb\nCOPY . .\nHEALTHCHECK CMD true\n{user}\n"
    "FROM base\nCOPY --from=base /a /a\nHEALTHCHECK CMD true\n{user}\n"
)
STACK = "services:\n  a:\n    build: .\n    mem_limit: 1g\n    healthcheck:\n      test: true\n"
DAG = (
    "from airflow import DAG\nfrom airflow.operators.bash import BashOperator\n"
    "with DAG('a', schedule='@daily', catchup=False, default_args={args}) as dag:\n"
    "    one = BashOperator(task_id='one', bash_command='dbt run')\n"
    "    two = BashOperator(task_id='two', bash_command='dbt test')\n    one >> two\n"
)
MODELS = {
    "dbt_project.yml": "name: shop\n",
    "models/a.sql": "select 1 as id\n",
    "models/a.yml": "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests: [unique, not_null]\n",
}

CASES: dict[str, tuple[dict[str, str | bytes], str, int, str]] = {
    # files; the practice; the level it has at most; words that its sentence must not hold
    "root in the last stage": (
        {"Dockerfile": DOCKERFILE.format(user="USER root"), ".dockerignore": "x\n", "compose.yml": STACK},
        "containers",
        2,
        "ordinary user",
    ),
    "root beside a good image": (
        {
            "Dockerfile": DOCKERFILE.format(user="USER app"),
            "b/Dockerfile": "FROM python:3.11-slim\n",
            ".dockerignore": "x\n",
            "compose.yml": STACK,
        },
        "containers",
        2,
        "ordinary user",
    ),
    "neither alerts nor limits": ({"dags/a.py": DAG.format(args="{'retries': 2}")}, "orchestration", 2, "alerts"),
    "tests without owners and hooks": (MODELS, "version_control", 1, "hooks"),
    "tests that nothing covers": (
        {**MODELS, **{f"models/m{n}.sql": "select 1\n" for n in range(9)}},
        "tests",
        2,
        "most models",
    ),
    "a masked pipeline": (
        {
            **MODELS,
            ".github/workflows/a.yml": "on: pull_request\npermissions: {contents: read}\njobs:\n  a:\n    steps:\n"
            "      - run: dbt build || true\n      - run: ruff check .\n      - run: pytest\n",
        },
        "ci",
        2,
        "data tests all stop",
    ),
    "passwords in the files": (
        {"a.py": "import os\nPASSWORD = 'Wint3rIsC0ming!'\nTOKEN = os.environ['TOKEN']\n"},
        "security",
        1,
        "none was found",
    ),
    "only words about objectives": (
        {"docs/slo.md": "# SLO\n\n## Objectives\n\nSoon.\n"},
        "observability",
        1,
        "with a number",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sentence_of_a_level_agrees_with_the_findings(folder: Folder, case: str) -> None:
    files, practice, most, words = CASES[case]
    report = audit.audit(folder(files))
    one = next(one for one in report.scored if one.practice.key == practice)
    assert one.level <= most
    assert words not in one.meaning
    row = next(row for row in report.text().split("\n") if row.startswith(one.practice.name))
    assert one.meaning in row and one.meaning in report.html()


def test_a_good_image_has_its_level(folder: Folder) -> None:
    files = {"Dockerfile": DOCKERFILE.format(user="USER app"), ".dockerignore": "x\n", "compose.yml": STACK}
    one = next(one for one in audit.audit(folder(files)).scored if one.practice.key == "containers")
    assert one.level == 4, one


def test_dangers_and_a_good_habit_are_not_told_as_nothing(folder: Folder) -> None:
    masked = "on: pull_request\njobs:\n  a:\n    steps:\n      - run: pytest\n      - run: dbt build || true\n"
    one = next(one for one in audit.audit(folder({".github/workflows/a.yml": masked})).scored if one.practice.key == "ci")
    assert any(f.rule == "ci.blocks-code" for f in one.findings)
    assert "No check stops" not in one.meaning


def test_the_report_says_what_a_level_still_asks_for(folder: Folder) -> None:
    files = {"Dockerfile": DOCKERFILE.format(user=""), ".dockerignore": "x\n", "compose.yml": STACK}
    report = audit.audit(folder(files))
    one = next(one for one in report.scored if one.practice.key == "containers")
    assert one.reached > one.level == 2 and "box.user" in one.lacking and "no box.root" in one.lacking
    assert "Level 3 also asks for: box.user" in " ".join(report.text().split())
    assert "Level 3 also asks for: box.user" in report.html()
