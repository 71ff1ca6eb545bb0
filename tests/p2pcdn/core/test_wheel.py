"""Deadlines on a wheel: none is late, none comes twice, and what is dropped leaves nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.wheel import Wheel

TIMES = st.floats(0, 1000, allow_nan=False)


def test_a_deadline_is_due_at_its_time_or_up_to_a_tick_before() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.put("a", 7.6)
    assert wheel.next_at() == 7.0
    assert list(wheel.due(6.9)) == []
    assert list(wheel.due(7.0)) == ["a"]
    assert wheel.next_at() is None
    assert len(wheel) == 0


def test_a_deadline_moves() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.put("a", 3)
    wheel.put("a", 9)
    assert list(wheel.due(8)) == []
    assert list(wheel.due(9)) == ["a"]


def test_what_is_put_meanwhile_counts() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.put("a", 1)
    found = []
    for thing in wheel.due(5):
        found.append(thing)
        if len(found) < 3:
            wheel.put("again", 4)
    assert found == ["a", "again", "again"]


def test_what_is_dropped_leaves_nothing() -> None:
    """However often somebody comes and goes: spokes stay until their time, and no more of them."""
    wheel: Wheel[int] = Wheel()
    for number in range(10_000):
        wheel.put(number, 100 + number % 3)
        wheel.drop(number)
        wheel.drop(number)
    assert len(wheel) == 0
    assert len(wheel._order) == len(wheel._spokes) <= 3
    assert wheel.next_at() is None
    assert wheel._order == []


@given(st.lists(st.tuples(st.integers(0, 9), TIMES)), st.lists(TIMES, min_size=1), st.data())
def test_nothing_is_late_or_lost(
    puts: list[tuple[int, float]], looks: list[float], data: st.DataObject
) -> None:
    tick = data.draw(st.sampled_from([0.25, 1.0, 10.0]))
    wheel: Wheel[int] = Wheel(tick)
    expected = dict(puts)
    for thing, at in puts:
        wheel.put(thing, at)
    for now in sorted(looks):
        for thing in wheel.due(now):
            assert expected.pop(thing) < now + tick
        assert all(at > now for at in expected.values())
        assert set(expected) == {thing for thing in range(10) if thing in wheel}
