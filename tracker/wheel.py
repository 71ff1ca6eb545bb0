"""A timer wheel: many things to look at again, each at its time, with one timer for all.

::

    put(socket, at) --> | 17.00 | 17.05 | 17.10 | ... |  --due(now)--> sockets, once each
                            ^ timer_at()

Time goes in steps, and all that is due within one step is due at its end: never early, a step late
at the most. So thousands of heartbeats cost a set each step, not a timer each.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heappop, heappush
from math import ceil
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Wheel(Generic[T]):
    """``step`` is in seconds."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._slots: dict[int, set[T]] = {}
        self._order: list[int] = []
        """A heap of the slots, and of some that have become empty since."""
        self._turned = -1
        """The last slot that was due: it does not come again."""

    def __len__(self) -> int:
        return sum(map(len, self._slots.values()))

    def put(self, item: T, at: float) -> int:
        """Have it due at a time, in the next step if that has passed; the slot that it is in."""
        number = max(ceil(at / self._step), self._turned + 1)
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = set()
            heappush(self._order, number)
        slot.add(item)
        return number

    def take(self, item: T, number: int) -> None:
        """Have it due no longer, if it is in that slot still."""
        slot = self._slots.get(number)
        if slot is not None:
            slot.discard(item)
            if not slot:
                del self._slots[number]

    def timer_at(self) -> float | None:
        """When the next is due."""
        while self._order and self._order[0] not in self._slots:
            heappop(self._order)
        return self._order[0] * self._step if self._order else None

    def due(self, now: float) -> Iterator[T]:
        """Take out whatever is due."""
        while (at := self.timer_at()) is not None and at <= now:
            self._turned = heappop(self._order)
            yield from self._slots.pop(self._turned)
