"""The account against the truth: what the origin was spared, never more, and hardly less.

The truth is what the origin would have sent to viewers without peers, less what it has sent.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.p2pcdn.core.network import Habits
from tests.p2pcdn.core.test_node import HABITS, LENGTH, watch, watch_live
from tests.p2pcdn.core.viewer import Viewer

LIVE = 150_000
"""Bytes of a segment of the live stream."""


def spared(viewers: list[Viewer], length: int) -> int:
    """What the origin did not have to send of so many bytes a viewer."""
    return len(viewers) * length - sum(viewer.shell.arrived.ranges for viewer in viewers)


def confirmed(viewers: list[Viewer], *, killed: int = 0) -> int:
    """What is confirmed once all have gone, but for so many who could say nothing any more."""
    for viewer in viewers[killed:]:
        viewer.shell.farewell()
    ledger = viewers[0].shell.world.ledger
    ledger.on_timer(viewers[0].shell.world.now + 1000.0)
    summary = ledger.summary()
    assert summary.refused_reports == 0
    return summary.peer_bytes_confirmed


STEADY = {name: habits for name, habits in HABITS.items() if not habits.http_fails}
"""An origin that fails sends things twice, to whomever."""


@pytest.mark.parametrize("habits", STEADY.values(), ids=list(STEADY))
def test_no_more_is_confirmed_than_was_spared(habits: Habits) -> None:
    _, viewers = watch(habits, seed=11)
    assert confirmed(viewers) <= max(0, spared(viewers, LENGTH))


def test_when_all_is_well_nearly_all_of_it_is() -> None:
    _, viewers = watch(Habits(), seed=12)
    truth = spared(viewers, LENGTH)
    assert truth > LENGTH
    assert confirmed(viewers) >= 0.97 * truth


def test_of_live_as_well() -> None:
    viewers = watch_live(Habits(), seed=13, leases=True)
    truth = sum(len(viewer.keys) * LIVE - viewer.shell.arrived.ranges for viewer in viewers)
    assert truth > 0
    assert 0.97 * truth <= confirmed([*viewers]) <= truth


def test_who_is_killed_costs_what_it_had_not_reported() -> None:
    world, viewers = watch(replace(Habits()), seed=14)
    before = world.ledger.summary().peer_bytes_confirmed
    after = confirmed(viewers, killed=3)
    assert after == before > 0, "the last report was more than ten seconds ago: nothing is missing"
    assert after <= spared(viewers, LENGTH)
