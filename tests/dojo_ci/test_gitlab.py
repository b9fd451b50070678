"""GitLab pipelines: the stand-in says what the local runner says; where the runner was added, it is the one that runs."""

from __future__ import annotations

import pytest

from dojo.tasks.m04_continuous_integration import elsewhere
from dojo.tasks.m04_continuous_integration.pull_requests import _variants, request
from dojo.tools import gitlab

needs_runner = pytest.mark.skipif(not gitlab.local_runner(), reason="gitlab-ci-local, Node.js or rsync is not here")
RULES = 'workflow:\n  rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]\n'
KEEP = "artifacts: {paths: [kept.txt], when: "
PIPELINES = {
    "one job": "look: {script: [test ! -e bad]}",
    "several lines, the first fails": "look: {script: [test ! -e bad, 'true']}",
    "status thrown away": "look: {script: ['test ! -e bad || true']}",
    "allowed to fail": "look: {script: [test ! -e bad], allow_failure: true}",
    "a later stage": "stages: [a, b]\nfirst: {stage: a, script: [test ! -e bad]}\nsecond: {stage: b, script: [echo on]}",
    "needs without stages": "second: {needs: [first], script: [echo on]}\nfirst: {script: [test ! -e bad], stage: build}",
    "a file of another job": "stages: [a, b]\nfirst: {stage: a, script: [touch left]}\nsecond: {stage: b, script: [test -e left]}",
    "kept when green": f"look: {{script: [touch kept.txt, test ! -e bad], {KEEP}on_success}}}}",
    "kept always": f"look: {{script: [touch kept.txt, test ! -e bad], {KEEP}always}}}}",
    "extends, before, variables": ".base: {before_script: [test ! -e $WHAT]}\nlook: {extends: .base, variables: {WHAT: bad}, script: [echo on]}",
    "given variables": "look: {script: ['test $CI_MERGE_REQUEST_IID = 1', 'test -d $CI_PROJECT_DIR/.git || test -e $CI_PROJECT_DIR/README.md']}",
}  # fmt: skip
PULLS = [{"name": "good", "changes": {"new": "x\n"}}, {"name": "bad", "changes": {"bad": "x\n"}}]


@pytest.fixture(autouse=True)
def _own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(tmp_path))


def told(pipeline: str) -> list[dict]:
    return gitlab.session({"files": {"README.md": "a repository\n"}, "pull_requests": PULLS, "pipeline": RULES + pipeline})


def agree(really: list[dict], stand_in: list[dict]) -> None:
    assert {r["runner"] for r in really} == {"gitlab-ci-local"}
    for field in ("colour", "decided"):
        assert [r[field].split(" / ")[-1] for r in really] == [r[field].split(" / ")[-1] for r in stand_in]
    names = [[{a.rsplit("/", 1)[-1] for a in r["artefacts"]} for r in rs] for rs in (really, stand_in)]
    assert names[0] == names[1]


@needs_runner
@pytest.mark.parametrize("name", PIPELINES)
def test_the_stand_in_agrees_with_the_local_runner(name, monkeypatch):
    really = told(PIPELINES[name])
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    agree(really, told(PIPELINES[name]))


@needs_runner
def test_both_run_the_reference_on_a_failing_unit_test(monkeypatch):
    asked = {**request("", (_variants("unit test")[1],)), "pipeline": elsewhere.GOOD}
    really = gitlab.session(asked)
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    agree(really, gitlab.session(asked))


@pytest.mark.parametrize(
    ("pipeline", "kept"),
    [
        ("a: {script: ['true']}\n", ""),
        (RULES + "a: {script: ['true']}\nb: {script: ['true'], rules: [{when: manual}]}\n", "a"),
        (RULES + "a: {script: ['true'], rules: [{if: '$CI_PIPELINE_SOURCE == \"push\"'}]}\n", ""),
    ],
)
def test_only_jobs_that_a_merge_request_starts_are_run(pipeline, kept):
    found = gitlab.as_started(pipeline)
    assert bool(found) == bool(kept)
    assert "b:" not in found


@pytest.mark.parametrize("key", gitlab.REFUSED)
def test_what_the_stand_in_does_not_know_is_named(key):
    (result, _) = told(f"look: {{script: ['true'], {key}: x}}\n")
    assert (result["colour"], key in result["said"]) == ("no run", True)
