"""The clock: what is planned happens in its order, and dice do not depend on each other."""

from __future__ import annotations

from math import inf

import pytest

from p2pcdn.sim.clock import Clock, chance


def test_what_is_planned_happens_in_order_and_equal_times_keep_theirs() -> None:
    clock = Clock()
    seen: list[str] = []
    clock.at(2.0, seen.append, "c")
    clock.at(1.0, seen.append, "a")
    clock.at(1.0, seen.append, "b")
    clock.at(9.0, seen.append, "later")
    clock.run(5.0)
    assert seen == ["a", "b", "c"]
    assert clock.now == 5.0
    assert clock.next_at() == 9.0


def test_what_happens_may_plan_more_and_the_past_is_now() -> None:
    clock = Clock()
    times: list[float] = []

    def happen() -> None:
        times.append(clock.now)
        if len(times) < 3:
            clock.after(0.5, happen)

    clock.at(1.0, happen)
    clock.run(1.2)
    clock.at(0.0, happen)
    clock.run(10.0)
    assert times == [1.0, 1.2, 1.5, 1.7]
    assert clock.next_at() == inf


def test_calls_that_are_planned_far_apart_and_close_together_come_in_one_order() -> None:
    clock = Clock()
    dice = chance(1, "times")
    seen: list[tuple[float, int]] = []
    planned: list[tuple[float, int]] = []

    def plan(number: int) -> None:
        time = clock.now + dice.choice([0.0, 0.0001, 0.003, 0.25, 40.0])
        planned.append((time, number))
        clock.at(time, happen, time, number)

    def happen(time: float, number: int) -> None:
        assert clock.now == time
        seen.append((time, number))
        if len(planned) < 500:
            plan(len(planned))
            plan(len(planned))

    plan(0)
    for until in (0.1, 0.1001, 3.0, 39.0, 1e6):
        clock.run(until)
        assert clock.now == until
        assert clock.next_at() > until
    assert seen == sorted(planned)
    assert clock.happened == len(planned) == 501


def test_what_is_planned_for_never_does_not_happen() -> None:
    clock = Clock()
    clock.at(inf, pytest.fail)
    clock.run(1e12)
    assert clock.happened == 0
    assert clock.next_at() == inf


def test_dice_are_the_same_for_the_same_names_and_others_for_others() -> None:
    assert chance(1, "viewer", 3).random() == chance(1, "viewer", 3).random()
    throws = {chance(*names).random() for names in [(1, "a", 1), (1, "a", 2), (2, "a", 1)]}
    assert len(throws) == 3
