"""The inherited folder: five pitfalls, each at least three times, among look-alikes; and what `dojo audit` sees of them."""

from __future__ import annotations

import pytest

from dataops_audit import audit
from shopflow import history, inherited

SEEDS = (7, 11, 29)
RULES = {
    "outside-git": ("vc.logic-outside", "vc.copies"),
    "prod-by-hand": ("ci.masked", "env.by-hand"),
    "hand-clicked": ("iac.by-hand",),
    "unwatched": ("run.swallowed", "obs.freshness-idle"),
    "exposed": ("sec.secret", "sec.env-file", "sec.full-access", "sec.broad-access"),
}
"""Rules of the maturity card that speak of a pitfall."""
ONLY_A_PERSON_SEES = {
    "query_in_a_dashboard",
    "macro_in_a_sheet",
    "list_of_views",
    "deploy_from_the_laptop",
    "typed_on_a_friday",
    "inventory",
    "promised_import",
    "wizard",
    "silent_cron",
    "vague_promise",
    "left_mailbox",
}
"""Pitfalls that stand in prose, in another program's export, or in what is not written."""


def seen(folder, planted):
    found = [f for f in audit(folder).findings if f.rule in RULES[planted.pitfall]]
    return any(f.file == planted.path and abs(f.line - planted.line) <= 3 for f in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_pitfall_stands_there_three_times_among_look_alikes(seed):
    made = inherited.contents(seed)
    assert 22 <= len(made.files) <= 32
    for pitfall in inherited.PITFALLS:
        assert sum(one.pitfall == pitfall for one in made.planted) >= 3
    assert len(made.alike) >= 9


@pytest.mark.parametrize("seed", SEEDS)
def test_places_are_true_and_no_look_alike_stands_beside_a_pitfall_of_its_kind(seed):
    made = inherited.contents(seed)
    for one in (*made.planted, *made.alike):
        assert made.files[one.path].split("\n")[one.line - 1].strip()
    for alike in made.alike:
        near = [
            p for p in made.planted if p.path == alike.path and abs(p.line - alike.line) <= 3 and p.pitfall == alike.like
        ]
        assert not near, (alike, near)


def test_the_same_seed_makes_the_same_folder_and_another_seed_another():
    assert inherited.contents(7) == inherited.contents(7)
    one, other = inherited.contents(11), inherited.contents(29)
    assert {(p.path, p.line) for p in one.planted} != {(p.path, p.line) for p in other.planted}


@pytest.mark.parametrize("seed", SEEDS)
def test_audit_finds_every_pitfall_that_a_parser_can_see(seed, tmp_path):
    planted = inherited.build(tmp_path, seed)
    by_parser = [one for one in planted if one.by == "parser"]
    assert [one for one in by_parser if not seen(tmp_path, one)] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_audit_is_silent_about_the_look_alikes(seed, tmp_path):
    inherited.build(tmp_path, seed)
    made = inherited.contents(seed)
    report = audit(tmp_path)
    for alike in made.alike:
        wrong = [
            f
            for f in report.findings
            if f.rule in RULES[alike.like] and (f.file, f.line) == (alike.path, alike.line) and f.sure != "possible"
        ]
        assert not wrong, (alike, wrong)


def test_what_only_a_person_sees_is_known_by_name():
    """Each writer alone: those that plant for a reader are exactly the ones listed."""
    by_reader = set()
    for always, choice, _ in inherited.CHOICES:
        for write in [*always, *choice]:
            desk = inherited.Desk(inherited.random.Random("alone"))
            write(desk)
            if any(one.by == "reader" for one in desk.planted):
                by_reader.add(write.__name__)
    assert by_reader == ONLY_A_PERSON_SEES


def test_the_finished_template_has_none_of_them(tmp_path):
    history.make(tmp_path / "repo")
    pitfalls = {rule for rules in RULES.values() for rule in rules}
    assert [f for f in audit(tmp_path / "repo").findings if f.rule in pitfalls] == []
