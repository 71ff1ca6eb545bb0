"""What is given away: not more than was agreed, and as much as was agreed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcdn.core.governor import LEAST_RATE, WAIT, Governor
from p2pcdn.core.ports import Caps, Device
from p2pcdn.model import CHUNK_SIZE, FRAME_PAYLOAD

MEGABYTE = 1_000_000


def governor(caps: Caps | None = None) -> Governor:
    made = Governor()
    made.limit(caps or Caps())
    return made


@pytest.mark.parametrize(
    ("device", "gives"),
    [
        (Device(), True),
        (Device(hidden=True), True),
        (Device(on_battery=True), True),
        (Device(hidden=True, on_battery=True), False),
        (Device(cellular=True), False),
        (Device(saving=True), False),
    ],
)
def test_what_the_machine_is_at(device: Device, gives: bool) -> None:
    made = governor()
    made.device = device
    assert made.open is gives
    made.permitted = False
    assert not made.open


@pytest.mark.parametrize(
    ("rate", "gives"), [(None, True), (LEAST_RATE, True), (LEAST_RATE - 1, False), (0, False)]
)
def test_a_rate_too_low_to_be_of_use(rate: float | None, gives: bool) -> None:
    assert governor(Caps(rate=rate)).open is gives


def test_without_caps_everything_goes() -> None:
    made = governor()
    assert made.wait(CHUNK_SIZE, 10**15, 10**12, 0) is None
    made.sent(10**12, 0.0)
    assert made.has_room(0.0)


def test_a_promise_counts_against_the_budget() -> None:
    made = governor(Caps(budget=100))
    assert made.wait(50, 0, 0, 0) is None
    assert made.wait(51, 0, 50, 0) == WAIT
    assert made.open, "a promise may be given back"
    assert made.wait(50, 0, 50, 0) is None
    assert made.wait(1, 100, 0, 0) == WAIT
    assert not made.open


def test_only_another_budget_opens_again() -> None:
    made = governor(Caps(budget=100))
    assert made.wait(101, 0, 0, 0) == WAIT
    made.limit(Caps(budget=100, rate=10**6))
    assert [made.open] == [False]
    made.limit(Caps(budget=200))
    assert [made.open] == [True]


def test_a_ratio_opens_again() -> None:
    made = governor(Caps(ratio=0.5))
    assert made.wait(50, 0, 0, 99) == WAIT
    assert made.open
    assert made.wait(50, 0, 0, 100) is None
    assert made.wait(50, 20, 31, 200) == WAIT


ASKS = st.lists(
    st.tuples(
        st.integers(1, CHUNK_SIZE),
        st.booleans(),  # whether it is taken back
        st.integers(0, 2 * CHUNK_SIZE),  # what comes in meanwhile
    ),
    max_size=60,
)


@settings(deadline=None)
@given(asks=ASKS, budget=st.integers(0, 2 * MEGABYTE), ratio=st.floats(0, 2))
def test_no_order_of_asking_exceeds_budget_or_ratio(
    asks: list[tuple[int, bool, int]], budget: int, ratio: float
) -> None:
    made = governor(Caps(budget=budget, ratio=ratio))
    sent, received = 0, 0
    queue: list[int] = []
    for size, taken_back, came in asks:
        received += came
        if made.wait(size, sent, sum(queue), received) is None:
            queue.append(size)
        if queue and taken_back:
            queue.pop()
        elif len(queue) > 2:
            sent += queue.pop(0)
        assert sent + sum(queue) <= budget
        assert sent + sum(queue) <= ratio * received


@settings(deadline=None)
@given(budget=st.integers(2 * MEGABYTE, 50 * MEGABYTE))
def test_a_budget_is_used(budget: int) -> None:
    made, sent = governor(Caps(budget=budget)), 0
    while made.open:
        if made.wait(CHUNK_SIZE, sent, 0, 0) is None:
            sent += CHUNK_SIZE
    assert 0.95 * budget <= sent <= budget


@settings(deadline=None)
@given(
    rate=st.floats(LEAST_RATE, 20 * MEGABYTE),
    looks=st.lists(st.floats(0.0001, 0.05), min_size=1, max_size=20),
)
def test_a_rate_is_held_and_used(rate: float, looks: list[float]) -> None:
    """Whoever has something to send looks for room now and then, and is woken when there is."""
    made, now, turn = governor(Caps(rate=rate)), 0.0, 0
    sent: list[tuple[float, int]] = []
    while now < 20.0 and len(sent) < 4000:
        while made.has_room(now):
            made.sent(FRAME_PAYLOAD, now)
            sent.append((now, FRAME_PAYLOAD))
        now = max(made.room_at(), now + looks[turn % len(looks)])
        turn += 1
    total = sum(size for _, size in sent)
    assert total <= rate * (now + 0.1) + FRAME_PAYLOAD
    if now >= 10.0:
        assert 0.95 * rate * now - FRAME_PAYLOAD <= total <= 1.05 * rate * now + FRAME_PAYLOAD


def test_a_pause_is_not_made_up_for() -> None:
    made = governor(Caps(rate=MEGABYTE))
    made.sent(FRAME_PAYLOAD, 0.0)
    sent = 0
    while made.has_room(60.0):
        made.sent(FRAME_PAYLOAD, 60.0)
        sent += FRAME_PAYLOAD
    assert sent <= 0.1 * MEGABYTE + FRAME_PAYLOAD
