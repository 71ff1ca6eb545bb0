"""Time that jumps from one event to the next: a heap of (time, order of being planned, call)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Any

Call = Callable[..., None]


class Clock:
    """The virtual time, and what is planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self.happened = 0
        """Events so far."""
        self._heap: list[tuple[float, int, Call, tuple[Any, ...]]] = []
        self._planned = 0

    def at(self, time: float, call: Call, *arguments: Any) -> None:
        """Call at a time; what lies in the past happens now. Equal times keep their order."""
        self._planned += 1
        heappush(self._heap, (max(time, self.now), self._planned, call, arguments))

    def after(self, seconds: float, call: Call, *arguments: Any) -> None:
        """Call so many seconds from now."""
        self.at(self.now + seconds, call, *arguments)

    def next_at(self) -> float:
        """When something happens next; infinity if nothing will."""
        return self._heap[0][0] if self._heap else inf

    def run(self, until: float) -> None:
        """Let everything happen that is planned up to a time."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, call, arguments = heappop(heap)
            self.happened += 1
            call(*arguments)
        self.now = until


def chance(seed: int, *names: str | int) -> Random:
    """The dice of one entity: the same for the same names, whoever else throws dice."""
    return Random("/".join(map(str, (seed, *names))))
