"""One timer for many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog.testing

from tracker.clock import STEP, Clock


class Sleeper:
    """Notes when it was looked at."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.woken: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._then = then

    def on_timer(self, now: float) -> None:
        self._then()
        self.woken.set_result(now)


async def test_who_is_put_in_is_looked_at_in_its_turn() -> None:
    clock = Clock()
    late, early, never = Sleeper(), Sleeper(), Sleeper()
    now = clock.now()
    clock.put(late, now + 2 * STEP)
    clock.put(early, now)
    clock.put(never, now)
    clock.drop(never)
    assert await early.woken < await late.woken
    assert late.woken.result() >= now + 2 * STEP
    assert not never.woken.done()


async def test_one_that_fails_keeps_nobody_else_asleep() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    clock = Clock()
    failing, other = Sleeper(fail), Sleeper()
    with structlog.testing.capture_logs() as logs:
        clock.put(failing, clock.now())
        clock.put(other, clock.now() + 2 * STEP)
        await other.woken
    assert [entry["event"] for entry in logs] == ["timer_failed"]


async def test_when_it_is_closed_nobody_is_looked_at() -> None:
    clock, other = Clock(), Clock()
    sleeper, waker = Sleeper(), Sleeper()
    clock.put(sleeper, clock.now())
    clock.close()
    other.put(waker, other.now() + 2 * STEP)
    await waker.woken
    assert not sleeper.woken.done()
