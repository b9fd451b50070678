"""GitLab pipelines: the stand-in says what the local runner says; where the runner was added, it is the one that runs."""

from __future__ import annotations

import pytest

from dojo.ci import gitlab
from dojo.tasks.m04_continuous_integration import elsewhere
from dojo.tasks.m04_continuous_integration.pull_requests import _variants, main_branch

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
    "a matrix": "look: {parallel: {matrix: [{WHAT: [bad, worse]}]}, script: [test ! -e $WHAT]}",
    "several copies": "look: {parallel: 2, script: ['test ! -e bad || test $CI_NODE_INDEX = 1']}",
    "lines of another job": ".base: {script: [test ! -e bad]}\nlook: {script: [!reference [.base, script], echo on]}",
    "given variables": "look: {script: ['test $CI_MERGE_REQUEST_IID = 1', 'test -d $CI_PROJECT_DIR/.git || test -e $CI_PROJECT_DIR/README.md']}",
}
PULLS = [{"name": "good", "changes": {"new": "x\n"}}, {"name": "bad", "changes": {"bad": "x\n"}}]


@pytest.fixture(autouse=True)
def _own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(tmp_path))


def told(pipeline: str) -> list[dict]:
    return session(RULES + pipeline)


def session(pipeline: str, pulls=PULLS, files=None, **own: str) -> list[dict]:
    held = {".gitlab-ci.yml": pipeline, **own}
    return gitlab.session(
        {"path": ".gitlab-ci.yml", "files": files or {"README.md": "a repository\n"}, "own": held, "pull_requests": pulls}
    )


def agree(really: list[dict], stand_in: list[dict]) -> None:
    assert {r["runner"] for r in really} == {"gitlab-ci-local"}
    for field in ("colour", "decided"):
        told_by = [[r[field].split(" / ")[-1].split(": [")[0] for r in results] for results in (really, stand_in)]
        assert told_by[0] == told_by[1]
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
    pulls = [_variants("unit test")[1].as_request()]
    really = session(elsewhere.GOOD, pulls, main_branch())
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    agree(really, session(elsewhere.GOOD, pulls, main_branch()))


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


COLOURS = {
    "one job": "red",
    "status thrown away": "green",
    "allowed to fail": "green",
    "a matrix": "red",
    "several copies": "red",
    "lines of another job": "red",
}


@pytest.mark.parametrize("name", COLOURS)
def test_a_failure_reaches_the_pipeline_as_it_does_at_gitlab(name, monkeypatch):
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    good, bad = told(PIPELINES[name])
    assert (good["colour"], bad["colour"]) == ("green", COLOURS[name])


def test_a_file_of_the_repository_may_be_included(monkeypatch):
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    own = {"ci/look.yml": "look: {script: [test ! -e bad]}\n"}
    good, bad = session(RULES + "include: {local: /ci/look.yml}\n", **own)
    assert (good["colour"], bad["colour"]) == ("green", "red")


@pytest.mark.parametrize(
    ("job", "what"),
    [
        ("services: [postgres]", "`services`"),
        ("trigger: other/project", "`trigger`"),
        ("rules: [{changes: [dbt/**]}]", "`rules: changes`"),
        ("allow_failure: {exit_codes: 5}", "`allow_failure"),
        ("hooks: {pre_get_sources_script: [true]}", "`hooks`"),
        ("except: [tags]", "`except`"),
    ],
)
def test_what_the_stand_in_does_not_know_it_says_it_cannot_tell(job, what, monkeypatch):
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    (result, _) = told(f"look: {{script: ['true'], {job}}}\n")
    assert (result["colour"], result["unknown"]) == ("no run", True)
    assert what in result["said"] and "gitlab-ci-local" in result["said"]


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        ("a: [", "not YAML"),
        ("stages: [a]\n", "No job"),
        ("look: {stage: test}\n", "no `script`"),
        ("look: {extends: .none}\n", "no such job"),
        ("look: {script: ['true'], parallel: {matrix: 3}}\n", "`matrix`"),
        ("look: {script: ['true'], stage: late}\n", "no stage `late`"),
    ],
)
def test_what_is_no_pipeline_is_the_learners_to_mend(pipeline, said, monkeypatch):
    monkeypatch.setattr(gitlab, "local_runner", lambda: False)
    (result, _) = told(pipeline) if pipeline.startswith("look") else session(pipeline)
    assert (result["colour"], result["unknown"]) == ("no run", False)
    assert said in result["said"]
