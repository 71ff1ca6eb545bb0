"""Time is passed in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracker.wheel import Wheel

STEP = 0.25


def test_what_is_put_is_due_once_never_early_and_a_step_late_at_the_most() -> None:
    wheel = Wheel[str](STEP)
    wheel.put("a", 1.1)
    assert wheel.timer_at() == 1.25
    assert list(wheel.due(1.2)) == []
    assert list(wheel.due(1.25)) == ["a"]
    assert wheel.timer_at() is None
    assert list(wheel.due(9.0)) == []


def test_what_is_taken_back_is_not_due_and_wakes_nobody() -> None:
    wheel = Wheel[str](STEP)
    slot = wheel.put("a", 1.0)
    wheel.put("b", 2.0)
    wheel.take("a", slot)
    wheel.take("a", slot)
    assert wheel.timer_at() == 2.0
    assert list(wheel.due(5.0)) == ["b"]


def test_a_slot_that_was_emptied_may_be_used_again() -> None:
    wheel = Wheel[str](STEP)
    wheel.take("a", wheel.put("a", 1.0))
    wheel.put("b", 1.0)
    assert list(wheel.due(1.0)) == ["b"]
    assert wheel.timer_at() is None


def test_what_is_put_back_at_once_waits_for_the_next_step() -> None:
    wheel = Wheel[str](STEP)
    wheel.put("a", 1.0)
    for item in wheel.due(1.0):
        wheel.put(item, 1.0)
    assert wheel.timer_at() == 1.25


@given(st.lists(st.tuples(st.floats(0, 60), st.booleans()), max_size=50))
def test_nothing_is_lost_and_nothing_early(times: list[tuple[float, bool]]) -> None:
    wheel = Wheel[int](STEP)
    slots = [wheel.put(item, at) for item, (at, _) in enumerate(times)]
    for item, (_, stays) in enumerate(times):
        if not stays:
            wheel.take(item, slots[item])
    wanted = {item for item, (_, stays) in enumerate(times) if stays}
    assert len(wheel) == len(wanted)
    seen: list[int] = []
    while (now := wheel.timer_at()) is not None:
        for item in wheel.due(now):
            assert 0 <= now - times[item][0] < STEP + 1e-9
            seen.append(item)
    assert sorted(seen) == sorted(wanted)
