"""Jenkinsfiles: read as Groovy, executed as Jenkins does, refused by name where this stand-in knows no better."""

from __future__ import annotations

import pytest

from dojo.tools import jenkins

PULLS = [{"name": "good", "changes": {"new": "x\n"}}, {"name": "bad", "changes": {"bad": "x\n"}}]


@pytest.fixture(autouse=True)
def _own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(tmp_path))


def pipeline(steps: str, more: str = "") -> str:
    return f"pipeline {{\n  agent any\n  stages {{\n    stage('look') {{\n      steps {{\n{steps}\n      }}\n    }}\n  }}\n{more}\n}}\n"


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
    ],
)
def test_a_failure_reaches_the_run_as_it_does_in_jenkins(steps, colour):
    asked = {"files": {"README.md": "x\n", "sub/here": "x\n"}, "pull_requests": PULLS, "pipeline": pipeline(steps)}
    good, bad = jenkins.session(asked)
    assert (good["colour"], bad["colour"], bad["runner"]) == ("green", colour, jenkins.RUNNER)


@pytest.mark.parametrize("when", ["always", "cleanup", "failure", "unsuccessful", "success"])
def test_what_follows_a_failure_follows_it(when):
    post = f"  post {{\n    {when} {{ archiveArtifacts artifacts: 'README.md' }}\n  }}"
    asked = {"files": {"README.md": "x\n"}, "pull_requests": PULLS[1:], "pipeline": pipeline("sh 'test ! -e bad'", post)}
    (bad,) = jenkins.session(asked)
    assert [a.rsplit("/", 1)[-1] for a in bad["artefacts"]] == ([] if when == "success" else ["README.md"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no `pipeline"),
        ("pipeline {", "gave up at line 1"),
        ("node { sh 'x' }\n", "no `pipeline"),
        ("pipeline {\n  agent any\n}\n", "no `stages"),
        (pipeline("sh 'x'").replace("  agent any\n", ""), "no `agent`"),
        (pipeline("parallel a: { sh 'x' }"), "`parallel` is not known"),
        (pipeline("script { sh 'x' }"), "`script` is not known"),
        (pipeline("def x = 1"), "Line 6"),
        (pipeline("sh 'x'", "  post { fixed { echo 'x' } }"), "`fixed` in `post`"),
        (pipeline("sh 'x'").replace("steps {", "when { branch 'main' }\n steps {"), "`changeRequest()`"),
        (pipeline("sh 'x'", "  library 'x'"), "`library` is not a section"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(text, said):
    (result,) = jenkins.session({"files": {}, "pull_requests": PULLS[:1], "pipeline": text})
    assert result["colour"] == "no run"
    assert said in result["said"]
