"""Hours and days: when something is given, and how much of a budget is left."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from peer.native.daily_budget import FILE, WRITTEN_EVERY, DailyBudget, is_open

MONDAY = dt.date(2026, 11, 30)
TUESDAY = dt.date(2026, 12, 1)


@pytest.mark.parametrize(
    ("hours", "time", "open_"),
    [
        ([], "03:00", True),
        (["8-17"], "07:59", False),
        (["8-17"], "08:00", True),
        (["8-17"], "17:00", False),
        (["22:30-6"], "22:29", False),
        (["22:30-6"], "22:30", True),
        (["22:30-6"], "00:00", True),
        (["22:30-6"], "05:59", True),
        (["22:30-6"], "06:00", False),
        (["0-24"], "23:59", True),
        (["1-2", "12-13"], "12:30", True),
        (["1-2", "12-13"], "11:30", False),
    ],
)
def test_hours(hours: list[str], time: str, open_: bool) -> None:
    moment = dt.datetime.combine(MONDAY, dt.time.fromisoformat(time))
    assert is_open(hours, moment) is open_


def test_each_day_has_its_budget() -> None:
    budget = DailyBudget(100)
    assert budget.left(MONDAY) == 100
    budget.give(70, MONDAY, 0.0)
    assert budget.left(MONDAY) == 30
    budget.give(70, MONDAY, 1.0)
    assert budget.left(MONDAY) == 0
    assert budget.left(TUESDAY) == 100
    budget.give(10, TUESDAY, 2.0)
    assert budget.left(TUESDAY) == 90


def test_without_a_budget_there_is_no_bound() -> None:
    budget = DailyBudget(None)
    budget.give(10**15, MONDAY, 0.0)
    assert budget.left(MONDAY) is None


def test_a_restart_brings_no_second_budget(tmp_path: Path) -> None:
    budget = DailyBudget(100, tmp_path)
    budget.give(30, MONDAY, 0.0)
    budget.give(30, MONDAY, 1.0)
    assert DailyBudget(100, tmp_path).left(MONDAY) == 70, "not written more often than it has to be"
    budget.give(10, MONDAY, WRITTEN_EVERY)
    assert DailyBudget(100, tmp_path).left(MONDAY) == 30
    budget.give(5, MONDAY, WRITTEN_EVERY + 1)
    budget.write()
    again = DailyBudget(100, tmp_path)
    assert again.left(MONDAY) == 25
    assert again.left(TUESDAY) == 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"day": "2026-11-30", "bytes": null}',
        '{"day": "2026-11-30", "bytes": Infinity}',
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with capture_logs() as logs:
        budget = DailyBudget(100, tmp_path)
    assert [entry["event"] for entry in logs] == ["budget_not_read"]
    assert budget.left(MONDAY) == 100


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    budget = DailyBudget(100, tmp_path / "gone")
    with capture_logs() as logs:
        budget.give(1, MONDAY, 0.0)
    assert [entry["event"] for entry in logs] == ["budget_not_written"]
    assert budget.left(MONDAY) == 99
