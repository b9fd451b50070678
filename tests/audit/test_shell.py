"""Whether the failure of `dbt test` reaches the exit status of the script around it."""

from __future__ import annotations

import pytest

from dataops_audit.shell import runs

E, EP, NONE = {"errexit": True}, {"errexit": True, "pipefail": True}, {}

BLOCKS = [
    ("dbt test", E),
    ("dbt test\nexit 0", E),
    ("dbt test; true", E),
    ("dbt test | tee log", EP),
    ("set -o pipefail\ndbt test | tee log", E),
    ("set -euo pipefail\ndbt test 2>&1 | tee log", NONE),
    ("dbt test && echo ok", E),
    ("dbt deps || true\ndbt test", E),
    ("docker rm -f db || true\nmkdir -p out || :\ndbt test", E),
    ("dbt test || (echo bad; exit 1)", E),
    ("dbt test || { echo bad; exit 1; }", E),
    ("dbt test || exit $?", NONE),
    ("dbt test || dbt retry", E),
    ("dbt test || rc=$?\nexit $rc", E),
    ("rc=0\ndbt test || rc=1\npytest || rc=1\nexit $rc", E),
    ('failed=0\ndbt test || failed=1\nif [ "$failed" -ne 0 ]; then\n  exit 1\nfi', E),
    ("set +e\ndbt test\nstatus=$?\necho report\nexit $status", E),
    ("set +e\ndbt test\nif [ $? -ne 0 ]; then exit 1; fi\necho", E),
    ("set +e\ndbt test | tee x\nexit ${PIPESTATUS[0]}", E),
    ("if ! dbt test; then echo bad; exit 1; fi\necho", E),
    ("if dbt test; then echo ok; else exit 1; fi\necho", E),
    ("dbt test &\nwait $!", E),
    ("check() {\n  dbt test\n}\ncheck", E),
    ("fail() { echo $1; exit 1; }\ndbt test || fail nope\necho", NONE),
    ("for one in a b; do dbt test -s $one; done\necho x", E),
    ("out=$(dbt test)\necho $out", E),
    ("( cd dbt && dbt test )\necho done", E),
    ("# dbt test || true\ndbt test", E),
    ("cat <<EOF\ndbt test || true\nEOF\ndbt test", E),
    ("trap 'rm -rf tmp' EXIT\ndbt test\necho", E),
    ("echo 'dbt test || true'\ndbt test", E),
    ("case $x in a) dbt test;; *) echo;; esac", E),
    ("cd dbt\ndbt test", NONE),
    ('if [ "$X" = 1 ]; then\n  dbt test\nfi\necho', E),
]
MASKED = [
    ("dbt test || true", E),
    ("dbt test || :", E),
    ("dbt test || echo failed", E),
    ("dbt test || exit 0", E),
    ("dbt test || { echo bad; exit 0; }", E),
    ("( dbt test ) || echo failed", E),
    ("{ dbt test; echo x; } || true", E),
    ("dbt test \\\n  --select x \\\n  || true", E),
    ("dbt test && echo ok || echo bad", E),
    ("dbt test && echo ok\necho end", E),
    ("dbt test; true", NONE),
    ("dbt test; exit 0", NONE),
    ("dbt test\ncat target/run.log", NONE),
    ("dbt test > out.txt 2>&1; cat out.txt", NONE),
    ("set +e\ndbt test\necho done", E),
    ("set +e\ndbt test\nset -e\necho done", E),
    ("dbt test | tee log", E),
    ("dbt test | cat", E),
    ("dbt test 2>&1 | tee x || true", EP),
    ("dbt test || rc=$?\necho $rc", E),
    ("if dbt test; then echo ok; else echo bad; fi", E),
    ("if ! dbt test; then echo bad; fi", E),
    ("dbt test &", E),
    ("dbt test &\nwait", E),
    ("check() { dbt test; }\ncheck || true", E),
    ("trap 'exit 0' EXIT\ndbt test", E),
    ("exit 0\ndbt test", E),
    ("echo $(dbt test)", E),
    ("export OUT=$(dbt test)", E),
    ("if false; then\n  dbt test\nfi", E),
    ("false && dbt test", E),
    ("! dbt test", E),
    ("dbt test || true || exit 1", E),
    ("dbt test || curl -X POST https://hooks.example.com", E),
]


def verdicts(script: str, start: dict[str, bool]) -> list[str | None]:
    return [run.mask for run in runs(script, **start) if run.words[:2] == ["dbt", "test"]]


@pytest.mark.parametrize(("script", "start"), BLOCKS)
def test_failure_fails_the_script(script: str, start: dict[str, bool]) -> None:
    assert verdicts(script, start) == [None]


@pytest.mark.parametrize(("script", "start"), MASKED)
def test_failure_goes_unseen(script: str, start: dict[str, bool]) -> None:
    (mask,) = verdicts(script, start)
    assert mask


@pytest.mark.parametrize(
    "script", ["# dbt test", "echo 'dbt test'", 'echo "run dbt test"', "cat <<'X'\ndbt test\nX", ": dbt test"]
)
def test_a_command_that_is_only_mentioned_does_not_run(script: str) -> None:
    assert verdicts(script, E) == []


def test_lines_are_those_of_the_file() -> None:
    found = runs("echo a\n\n# note\ndbt \\\n  test\npytest -q", 10, errexit=True)
    assert [(run.words[0], run.line) for run in found] == [("echo", 10), ("dbt", 13), ("pytest", 15)]


@pytest.mark.parametrize(
    "script", ["echo 'never closed", "if true; then", "))((", "a" * 50_000, "$(" * 500, "case x in", "\0\1", "((((" * 300]
)
def test_anything_can_be_read(script: str) -> None:
    assert all(run.words for run in runs(script, errexit=True))
