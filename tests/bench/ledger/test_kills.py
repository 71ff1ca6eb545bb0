"""What is left of the ledger when its process is killed: a few trials of those of the benchmark."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.ledger.kills import Database, File, Outcome, trial
from tests import clickhouse

TRIALS = 20
"""``make bench`` has ten times as many."""

LASTS = 4.0
"""Seconds from the first time that something is written to the end, at the most."""

AT_ONCE = 5

MOST_LOST = 3.0
"""Seconds. These trackers write as often as they read, once a second."""


async def test_a_killed_tracker_has_lost_seconds_and_counted_nothing_twice(tmp_path: Path) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Outcome:
        async with places:
            return await trial(File(tmp_path / f"{number}"), LASTS * number / TRIALS, 0.2, number)

    for outcome in await asyncio.gather(*map(one, range(TRIALS))):
        assert not outcome.put_aside
        assert_sound(outcome)
        # A busy machine may be late, and is then late with its answers, too.
        assert outcome.lost <= MOST_LOST + 2 * outcome.lateness


@pytest.mark.skipif(not clickhouse.is_installed(), reason="there is no chDB here")
async def test_a_killed_tracker_whose_ledger_is_elsewhere_has_counted_nothing_twice(
    tmp_path: Path,
) -> None:
    with clickhouse.running(tmp_path) as server:
        assert_sound(await trial(Database(server, "killed"), 1.2, 0.2, 7))


def assert_sound(outcome: Outcome) -> None:
    assert not outcome.unequal
    assert not outcome.is_over_counted
    assert outcome.found >= outcome.seen > 0


def test_a_loss_is_the_time_of_which_nothing_is_left() -> None:
    outcome = Outcome(reported=30, booked=[(1.0, 10), (2.0, 20), (3.0, 30)], killed_at=3.5)
    for found, lost in ((0, 2.5), (9, 2.5), (10, 2.5), (25, 1.5), (30, 0.5)):
        outcome.found = found
        assert outcome.lost == lost
        assert not outcome.is_over_counted
    outcome.found = 31
    assert outcome.is_over_counted
