"""Jenkinsfiles: read as Groovy, executed as Jenkins does, refused by name where this stand-in knows no better."""

from __future__ import annotations

import pytest

from dojo.ci import jenkins

PULLS = [{"name": "good", "changes": {"new": "x\n"}}, {"name": "bad", "changes": {"bad": "x\n"}}]


@pytest.fixture(autouse=True)
def _own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(tmp_path))


def pipeline(steps: str, more: str = "") -> str:
    return f"pipeline {{\n  agent any\n  stages {{\n    stage('look') {{\n      steps {{\n{steps}\n      }}\n    }}\n  }}\n{more}\n}}\n"


def session(text: str, pulls=PULLS, files=None) -> list[dict]:
    held = files or {"README.md": "x\n"}
    return jenkins.session({"path": "Jenkinsfile", "files": held, "own": {"Jenkinsfile": text}, "pull_requests": pulls})


@pytest.mark.parametrize(
    ("steps", "colour"),
    [
        ("sh 'test ! -e bad'", "red"),
        ('sh """\n test ! -e bad\n true\n"""', "red"),
        ("sh 'test ! -e bad | cat'", "green"),
        ("sh(script: 'test ! -e bad', returnStatus: true)", "green"),
        ("catchError(buildResult: 'SUCCESS') { sh 'test ! -e bad' }", "green"),
        ("warnError('never mind') { sh 'test ! -e bad' }", "green"),
        ("catchError { sh 'test ! -e bad' }", "red"),
        ("dir('sub') {\n sh 'test ! -e ../bad'\n}", "red"),
        ("echo 'bad'\nsh 'true'", "green"),
        ("sh '''#!/bin/bash\nset -eo pipefail\ntest ! -e bad | cat\n'''", "red"),
        ("sh '''#!/bin/bash\ntest ! -e bad\ntrue\n'''", "green"),
        ("sh '''#!/usr/bin/env python3\nimport pathlib, sys\nsys.exit(pathlib.Path('bad').exists())\n'''", "red"),
        ("sh '''\n#!/bin/bash\ntest ! -e bad\ntrue\n'''", "red"),
        ("script {\n sh 'test ! -e bad'\n}", "red"),
        ("withEnv(['WHAT=bad']) {\n sh 'test ! -e $WHAT'\n}", "red"),
    ],
)
def test_a_failure_reaches_the_run_as_it_does_in_jenkins(steps, colour):
    good, bad = session(pipeline(steps), files={"README.md": "x\n", "sub/here": "x\n"})
    assert (good["colour"], bad["colour"], bad["runner"]) == ("green", colour, jenkins.RUNNER)


@pytest.mark.parametrize("when", ["always", "cleanup", "failure", "unsuccessful", "success"])
def test_what_follows_a_failure_follows_it(when):
    post = f"  post {{\n    {when} {{ archiveArtifacts artifacts: 'README.md' }}\n  }}"
    (bad,) = session(pipeline("sh 'test ! -e bad'", post), PULLS[1:])
    assert [a.rsplit("/", 1)[-1] for a in bad["artefacts"]] == ([] if when == "success" else ["README.md"])


def whole(stage: str) -> str:
    return f"pipeline {{\n  agent any\n  stages {{\n    stage('all') {{\n{stage}\n    }}\n    stage('after') {{\n      steps {{ sh 'touch after && test -e README.md' }}\n    }}\n  }}\n}}\n"


BRANCHES = "parallel {\n stage('first') {\n steps { sh 'test ! -e bad' }\n }\n stage('second') {\n steps { sh 'echo second' }\n }\n}"
MATRIX = "matrix {\n axes {\n axis {\n name 'WHAT'\n values 'bad', 'worse'\n }\n }\n stages {\n stage('cell') {\n steps { sh 'test ! -e $WHAT' }\n }\n }\n}"


@pytest.mark.parametrize(("stage", "names"), [(BRANCHES, ["first", "second"]), (MATRIX, ["cell", "cell"])])
def test_every_branch_runs_and_one_that_fails_fails_the_build(stage, names):
    good, bad = session(whole(stage))
    assert (good["colour"], bad["colour"]) == ("green", "red")
    ran = [s["name"] for s in bad["steps"] if s["result"] in ("success", "failure") and "checkout" not in s["name"]]
    assert ran == names  # and the stage after them did not
    assert [s["name"] for s in good["steps"] if s["result"] == "success"][-1] == "after"


def test_a_branch_waits_for_what_stands_before_it():
    text = whole(BRANCHES).replace("stage('all')", "stage('before') {\n steps { sh 'test ! -e bad' }\n }\n stage('all')")
    bad = session(text)[1]
    assert [s["name"] for s in bad["steps"] if s["result"] in ("success", "failure")][1:] == ["before"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no `pipeline"),
        ("pipeline {", "gave up at line 1"),
        ("node { sh 'x' }\n", "no `pipeline"),
        ("pipeline {\n  agent any\n}\n", "no `stages"),
        (pipeline("sh 'x'").replace("  agent any\n", ""), "no `agent`"),
        (pipeline("def x = 1"), "Line 6"),
        (pipeline("sh 'x'", "  library 'x'"), "`library` is not a section"),
    ],
)
def test_what_is_no_declarative_pipeline_is_said_with_its_place(text, said):
    (result,) = session(text, PULLS[:1])
    assert (result["colour"], result["unknown"]) == ("no run", False)
    assert said in result["said"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (pipeline("parallel a: { sh 'x' }"), "`parallel` as a step"),
        (pipeline("slackSend 'x'"), "the step `slackSend`"),
        (pipeline("script {\n def x = 1\n sh 'x'\n}"), "`def x = 1`"),
        (pipeline("sh 'x'", "  post { fixed { echo 'x' } }"), "`fixed` in `post`"),
        (pipeline("sh 'x'").replace("steps {", "when { branch 'main' }\n steps {"), "`when { branch }`"),
    ],
)
def test_what_is_not_known_here_is_named_and_nobody_is_accused(text, said):
    (result,) = session(text, PULLS[:1])
    assert (result["colour"], result["unknown"]) == ("no run", True)
    assert said in result["said"] and "A Jenkins server would tell" in result["said"]
