"""The time of an event loop, and one timer for all who want to be looked at again."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from tracker.wheel import Wheel

STEP = 0.05
"""Seconds that somebody may be looked at later than he asked for."""

log = structlog.get_logger("p2pcdn.tracker")


class Timed(Protocol):
    """Who wants to be looked at, once for each time that it is put in."""

    def on_timer(self, now: float) -> None:
        """Its time has come."""

    def __hash__(self) -> int:
        """It is itself and nobody else."""


class Clock:
    """Turns a `Wheel` as time goes by."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        """Seconds on the loop's clock."""
        self._wheel: Wheel[Timed] = Wheel(STEP)
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None

    def put(self, timed: Timed, at: float) -> int:
        """Have somebody looked at; what `take` wants to know."""
        slot = self._wheel.put(timed, at)
        self._arm()
        return slot

    def take(self, timed: Timed, slot: int) -> None:
        """Have it looked at no longer."""
        self._wheel.take(timed, slot)

    def close(self) -> None:
        """Look at nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        at = self._wheel.timer_at()
        if at == self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = at
        self._timer = None if at is None else self._loop.call_at(at, self._turn)

    def _turn(self) -> None:
        self._timer = self._wakes_at = None
        now = self.now()
        for timed in self._wheel.due(now):
            try:
                timed.on_timer(now)
            except Exception:
                log.exception("timer_failed")
        self._arm()
