"""CI tools in a warm process: what is left out for speed changes nothing of what they say."""

from __future__ import annotations

import pytest

from dojo.tools import warm

BAD = "[sqlfluff]\ndialect = duckdb\n[sqlfluff:rules:capitalisation.keywords]\ncapitalisation_policy = {}\n"
SQL = "SELECT a FROM b\n"


@pytest.mark.parametrize("policy", ["lower", "upper", "loud"])
def test_sqlfluff_says_the_same_of_settings_whichever_way_they_are_looked_at(policy, tmp_path, monkeypatch, capsys):
    from sqlfluff.core.rules.base import RuleSet

    (tmp_path / ".sqlfluff").write_text(BAD.format(policy))
    (tmp_path / "one.sql").write_text(SQL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RuleSet, "_validate_config_options", RuleSet._validate_config_options)

    def told():
        from sqlfluff.cli.commands import cli

        return warm._exit_status(lambda: cli(args=["lint", "one.sql"], prog_name="sqlfluff")), capsys.readouterr()

    before = told()
    warm._look_at_a_rule_s_own_settings()
    assert told() == before


def test_detect_secrets_is_told_its_callers_as_before(monkeypatch):
    from detect_secrets.filters import common, util

    def callers():
        return [caller() for caller in (lambda: util.get_caller_path(), lambda: util.get_caller_path(offset=1))]

    for module in (common, util):
        monkeypatch.setattr(module, "get_caller_path", module.get_caller_path)
    before = callers()
    warm._see_callers_without_their_source()
    assert callers() == before and before[0].startswith(__name__)
