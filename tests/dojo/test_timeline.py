"""The first lessons tell one day, and tell it as the sheet of the timeline has it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import yaml

from dojo.places import COURSE, stem
from dojo.tasks.m02_version_control import LEDGER
from dojo.tasks.m02_version_control.finding import closed_until

SHEET = yaml.safe_load((COURSE / "src" / "shopflow" / "timeline.yaml").read_text(encoding="utf-8"))
MOMENTS = SHEET["moments"]


def lesson(key: str) -> str:
    return (COURSE / "notebooks" / f"{stem(key)}.md").read_text(encoding="utf-8")


def euros(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda m: f"{m['lesson']} at {m['at']}")
def test_a_lesson_says_what_the_sheet_says(moment):
    text = lesson(moment["lesson"])
    assert moment["at"] in text
    assert moment.get("opens", "") in text
    for name, number in moment["numbers"].items():
        assert number in text, name


@pytest.mark.parametrize("key", ["00", "01", "02"])
def test_a_lesson_opens_with_a_moment_of_the_sheet(key):
    opens = [m["opens"] for m in MOMENTS if m["lesson"] == key and "opens" in m]
    first = next(line for line in lesson(key).split("\n") if line.startswith("**Tuesday"))
    assert len(opens) == 1
    assert first.startswith(opens[0])


def test_the_day_goes_forward_and_its_numbers_fit_together():
    assert [m["at"] for m in MOMENTS] == sorted(m["at"] for m in MOMENTS)
    assert SHEET["date"].strftime("%A") == "Tuesday"
    at = {(m["lesson"], m["at"]): m["numbers"] for m in MOMENTS}
    board = at["01", "09:10"]
    assert euros(board["revenue_eur"]) == euros(at["00", "08:20"]["revenue_eur"])
    assert euros(board["revenue_eur"]) - euros(board["subtracted_eur"]) == euros(board["board_eur"])
    assert euros(at["01", "11:40"]["left_out_eur"]) % euros(board["subtracted_eur"]) == 0


def test_what_is_wrong_is_wrong_in_the_copy_only():
    assert {m["company"] for m in MOMENTS if m["lesson"] in ("00", "01")} == {"production"}
    assert {m["company"] for m in MOMENTS if m["lesson"] == "02"} == {"copy"}
    assert "production is untouched" in lesson("02")
    assert "The table was right" in lesson("01")


def test_finance_closes_a_day_three_working_days_later():
    assert closed_until(SHEET["date"]) == SHEET["ledger_ends"]
    assert f"date '{SHEET['ledger_ends']}'" in LEDGER
    assert closed_until(dt.date(2025, 12, 3)) == dt.date(2025, 11, 30)  # from Friday to Sunday three working days as well
    assert closed_until(dt.date(2025, 12, 4)) == dt.date(2025, 12, 1)
