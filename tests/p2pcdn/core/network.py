"""A world in one process: a clock that jumps, and how well everything behaves.

Time is a heap of what happens next, and all that is left to chance (delays, the order of frames,
how ranges are cut, which links break) comes from one seed. `shell` and `viewer` live in it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from p2pcdn.core.ledger import Ledger
from tests.p2pcdn.core.media import Media

if TYPE_CHECKING:
    from tests.p2pcdn.core.shell import Shell


@dataclass(slots=True)
class Habits:
    """How well the world behaves."""

    latency: float = 0.03
    jitter: float = 0.02
    uplink: float = 2_000_000.0
    """Bytes a second that one link carries."""
    http_rate: float = 1_000_000.0
    ttfb: float = 0.1
    piece: int = 50_000
    """Ranges come in pieces of up to so many bytes."""
    link_breaks: float = 0.0
    """Chance of each frame to be a link's last."""
    frame_lies: float = 0.0
    """Chance of each frame to be wrong."""
    http_fails: float = 0.0
    """Chance of each piece of a range to be its last."""


class World:
    """The clock, and everybody."""

    def __init__(self, media: Media, seed: int, habits: Habits | None = None) -> None:
        self.media = media
        self.habits = habits or Habits()
        self.random = random.Random(seed)
        self.now = 0.0
        self.shells: list[Shell] = []
        self.pairings: dict[str, tuple[Shell, Shell]] = {}
        """By their ids: who offers, and who answers."""
        self.ledger = Ledger()
        self._ids = count(1)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def new_id(self) -> str:
        """An id that nobody has."""
        return f"{next(self._ids):016x}"

    def delay(self) -> float:
        """How long the next thing takes from here to there."""
        return self.habits.latency + self.random.random() * self.habits.jitter

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), what))

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass; returns whether ``done`` came true."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, what = heapq.heappop(self._queue)
            what()
            if done():
                return True
        self.now = until
        return done()
