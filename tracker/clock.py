"""The time of an event loop, and one timer for all who want to be looked at again."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from p2pcdn.core.wheel import Wheel

STEP = 0.05
"""Seconds that somebody may be looked at later than he asked for."""

log = structlog.get_logger("p2pcdn.tracker")


class Timed(Protocol):
    """Who wants to be looked at."""

    def on_timer(self, now: float) -> None:
        """Its time has come."""


class Clock:
    """Turns a `Wheel` as time goes by."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        """Seconds on the loop's clock."""
        self._wheel: Wheel[Timed] = Wheel(STEP)
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None

    def put(self, timed: Timed, at: float) -> None:
        """Have somebody looked at then, and not when it was to be before: never early."""
        self._wheel.put(timed, at + STEP)
        self._arm()

    def drop(self, timed: Timed) -> None:
        """Have it looked at no longer."""
        self._wheel.drop(timed)

    def close(self) -> None:
        """Look at nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        at = self._wheel.next_at()
        if at == self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = at
        self._timer = None if at is None else self._loop.call_at(at, self._turn)

    def _turn(self) -> None:
        self._timer = self._wakes_at = None
        now = self.now()
        for timed in list(self._wheel.due(now)):
            try:
                timed.on_timer(now)
            except Exception:
                log.exception("timer_failed")
        self._arm()
