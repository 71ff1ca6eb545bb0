"""What peers brought within the last second: exactly that, and since when we ask."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.goodput import WINDOW, Goodput

NOW = 0.0


def test_nothing_has_come_yet() -> None:
    goodput = Goodput()
    assert goodput.rate(NOW) == 0.0
    assert goodput.asking_since == inf


def test_asking_begins_once_and_ends_when_nothing_is_asked_for() -> None:
    goodput = Goodput()
    goodput.asking(NOW + 1)
    goodput.asking(NOW + 2)
    assert goodput.asking_since == NOW + 1
    goodput.rests()
    assert goodput.asking_since == inf
    goodput.asking(NOW + 3)
    assert goodput.asking_since == NOW + 3


def test_what_came_counts_for_a_second() -> None:
    goodput = Goodput()
    goodput.brought(100, NOW)
    assert goodput.rate(NOW) == 100 / WINDOW
    assert goodput.rate(NOW + WINDOW - 0.01) == 100 / WINDOW
    assert goodput.rate(NOW + WINDOW) == 0.0


@given(
    st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(1, 10**6)), max_size=30),
    st.floats(0.0, 3.0),
)
def test_it_is_the_sum_of_what_is_not_too_old(came: list[tuple[float, int]], later: float) -> None:
    goodput, now = Goodput(), NOW
    arrivals = []
    for pause, size in came:
        now += pause
        goodput.brought(size, now)
        arrivals.append((now, size))
    now += later
    recent = sum(size for at, size in arrivals if at > now - WINDOW)
    assert goodput.rate(now) == recent / WINDOW
