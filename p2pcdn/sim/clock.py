"""Time that jumps from one event to the next, in the order of (time, order of being planned).

What is planned waits in slots of a few milliseconds; only the slot that has come is kept as a heap.
Thousands of viewers plan hundreds of thousands of calls: one heap of them all is in no cache, and
each step through it a wait for memory.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from random import Random
from typing import Any

Call = Callable[..., None]
Event = tuple[float, int, Call, tuple[Any, ...]]

SLOTS = 512.0
"""A second."""
FAR = 1e9
"""Seconds beyond which it does not matter when; infinity is there, too."""


class Clock:
    """The virtual time, and what is planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self.happened = 0
        """Events so far."""
        self._planned = 0
        self._slot = -1
        """The slot that has come."""
        self._near: list[Event] = []
        """A heap of what is planned up to its end."""
        self._later: dict[int, list[Event]] = {}
        """What is planned after that, by slot."""
        self._slots: list[int] = []
        """A heap of these slots."""

    def at(self, time: float, call: Call, *arguments: Any) -> None:
        """Call at a time; what lies in the past happens now. Equal times keep their order."""
        self._planned += 1
        if time < self.now:
            time = self.now
        slot = int(min(time, FAR) * SLOTS)
        event = (time, self._planned, call, arguments)
        if slot <= self._slot:
            heappush(self._near, event)
            return
        events = self._later.get(slot)
        if events is None:
            self._later[slot] = [event]
            heappush(self._slots, slot)
        else:
            events.append(event)

    def after(self, seconds: float, call: Call, *arguments: Any) -> None:
        """Call so many seconds from now."""
        self.at(self.now + seconds, call, *arguments)

    def next_at(self) -> float:
        """When something happens next; infinity if nothing will."""
        if not self._near and self._slots:
            self._come()
        return self._near[0][0] if self._near else inf

    def run(self, until: float) -> None:
        """Let everything happen that is planned up to a time."""
        while self.next_at() <= until:
            near = self._near
            while near and near[0][0] <= until:
                self.now, _, call, arguments = heappop(near)
                self.happened += 1
                call(*arguments)
        self.now = until

    def _come(self) -> None:
        """On to the next slot in which anything is planned."""
        self._slot = heappop(self._slots)
        self._near = self._later.pop(self._slot)
        heapify(self._near)


def chance(seed: int, *names: str | int) -> Random:
    """The dice of one entity: the same for the same names, whoever else throws dice."""
    return Random("/".join(map(str, (seed, *names))))
