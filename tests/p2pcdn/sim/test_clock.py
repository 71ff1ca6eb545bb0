"""The clock: what is planned happens in its order, and dice do not depend on each other."""

from __future__ import annotations

from math import inf

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


def test_dice_are_the_same_for_the_same_names_and_others_for_others() -> None:
    assert chance(1, "viewer", 3).random() == chance(1, "viewer", 3).random()
    throws = {chance(*names).random() for names in [(1, "a", 1), (1, "a", 2), (2, "a", 1)]}
    assert len(throws) == 3
