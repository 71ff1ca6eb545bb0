"""How far peers are trusted: it is earned slowly, and lost at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.trust import (
    CLEAN,
    EARNED,
    FIRST_FLOOR,
    FIRST_PATIENCE,
    LEAST_FLOOR,
    LOST,
    Trust,
)

NOW = 0.0
TARGET = 30.0


def floor(trust: Trust, now: float = NOW, *, shaky: bool = False) -> float:
    return trust.floor(TARGET, shaky, now)


def rescued(*times: float, duration: float = 2.0, share: float = 1.0) -> Trust:
    trust = Trust()
    for at in times:
        trust.rescued(share, duration, TARGET, at)
    return trust


# On demand: a floor


def test_a_short_visit_asks_nothing_of_the_origin() -> None:
    assert floor(Trust()) == 0.0


def test_a_rescue_raises_the_floor_and_each_further_one_doubles_it_up_to_the_target() -> None:
    trust, floors = Trust(), []
    for _ in range(5):
        trust.rescued(1.0, 2.0, TARGET, NOW)
        floors.append(floor(trust))
    assert floors == [FIRST_FLOOR, 2 * FIRST_FLOOR, 4 * FIRST_FLOOR, TARGET, TARGET]


def test_it_is_at_least_two_segments() -> None:
    assert floor(rescued(NOW, duration=6.0)) == 12.0


def test_each_clean_minute_halves_it_until_it_is_none() -> None:
    trust = rescued(NOW, NOW)
    assert floor(trust, CLEAN - 0.1) == 2 * FIRST_FLOOR
    assert floor(trust, CLEAN) == FIRST_FLOOR
    assert floor(trust, 2 * CLEAN) == FIRST_FLOOR / 2 >= LEAST_FLOOR
    assert floor(trust, 3 * CLEAN) == 0.0


def test_a_minute_counts_from_the_last_rescue() -> None:
    trust = rescued(NOW, NOW + CLEAN - 1)
    assert floor(trust, NOW + CLEAN) == 2 * FIRST_FLOOR
    assert floor(trust, NOW + 2 * CLEAN - 1) == FIRST_FLOOR


def test_many_minutes_may_pass_unseen() -> None:
    assert floor(rescued(NOW, NOW, NOW), 100 * CLEAN) == 0.0


def test_where_the_origin_is_shaky_the_whole_buffer_has_to_be_there() -> None:
    assert floor(Trust(), shaky=True) == TARGET


def test_a_stall_is_remembered_for_a_minute() -> None:
    trust = Trust()
    trust.stalled(NOW)
    assert floor(trust, NOW + CLEAN - 0.1) == TARGET
    assert floor(trust, NOW + CLEAN) == 0.0


@given(
    st.lists(st.tuples(st.sampled_from(["rescued", "stalled"]), st.floats(0.0, 100.0))),
    st.floats(1.0, 60.0),
    st.booleans(),
)
def test_it_is_never_below_nothing_nor_above_what_the_player_wants(
    said: list[tuple[str, float]], target: float, shaky: bool
) -> None:
    trust, now = Trust(), NOW
    for what, pause in said:
        now += pause
        if what == "rescued":
            trust.rescued(1.0, 2.0, target, now)
        else:
            trust.stalled(now)
        assert 0.0 <= trust.floor(target, shaky, now) <= target
        assert 0.0 <= trust.patience(now) <= 1.0


# Live: patience


def test_patience_is_a_share_of_the_time_there_is() -> None:
    assert Trust().patience(NOW) == FIRST_PATIENCE


def test_it_is_earned_by_what_peers_bring_up_to_all_of_the_time() -> None:
    trust = Trust()
    trust.delivered(1.0)
    assert trust.patience(NOW) == pytest.approx(FIRST_PATIENCE + EARNED)
    trust.delivered(0.5)
    assert trust.patience(NOW) == pytest.approx(FIRST_PATIENCE + 1.5 * EARNED)
    for _ in range(100):
        trust.delivered(1.0)
    assert trust.patience(NOW) == 1.0


def test_a_rescue_costs_as_much_of_it_as_it_had_to_bring() -> None:
    assert rescued(NOW).patience(NOW) == FIRST_PATIENCE * (1 - LOST)
    half = rescued(NOW, share=0.5)
    assert half.patience(NOW) == pytest.approx(FIRST_PATIENCE * (1 - LOST / 2))


def test_none_is_left_after_a_stall() -> None:
    trust = Trust()
    trust.stalled(NOW)
    assert trust.patience(NOW) == 0.0


@pytest.mark.parametrize("looked_at", [False, True])
def test_after_a_clean_minute_it_begins_anew(looked_at: bool) -> None:
    trust = rescued(NOW, NOW)
    if looked_at:
        floor(trust, NOW + CLEAN)
    assert trust.patience(NOW + CLEAN - 0.1) < FIRST_PATIENCE
    assert trust.patience(NOW + CLEAN) == FIRST_PATIENCE


def test_what_was_earned_stays_earned() -> None:
    trust = Trust()
    trust.delivered(1.0)
    assert trust.patience(NOW + 100 * CLEAN) > FIRST_PATIENCE
