"""A timer wheel: many deadlines of which most are moved or dropped before they come.

::

    spokes, one a tick:   ... | 41: a, d | 42: | 43: b, c, e | ...
                               due first

To put a deadline, to move and to drop it costs the same however many there are (Varghese and Lauck,
"Hashed and hierarchical timing wheels", 1987), and only the spokes stand in a heap. A deadline is
due up to a tick early, and never late.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import floor
from typing import Generic, TypeVar

T = TypeVar("T")


class Wheel(Generic[T]):
    """Deadlines of hashable things, one each; ``tick`` is seconds."""

    def __init__(self, tick: float = 1.0) -> None:
        self._tick = tick
        self._spokes: dict[int, dict[T, None]] = {}
        self._order: list[int] = []
        """The spokes' numbers, as a heap."""
        self._places: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, thing: object) -> bool:
        return thing in self._places

    def put(self, thing: T, at: float) -> None:
        """The thing's deadline is then, and no longer when it was."""
        self.drop(thing)
        number = floor(at / self._tick)
        spoke = self._spokes.get(number)
        if spoke is None:
            spoke = self._spokes[number] = {}
            heapq.heappush(self._order, number)
        spoke[thing] = None
        self._places[thing] = number

    def drop(self, thing: T) -> None:
        """The thing has no deadline any more, if it had one."""
        number = self._places.pop(thing, None)
        if number is not None:
            del self._spokes[number][thing]

    def next_at(self) -> float | None:
        """When something is due next; None if nothing is."""
        while self._order and not self._spokes[self._order[0]]:
            del self._spokes[heapq.heappop(self._order)]
        return self._order[0] * self._tick if self._order else None

    def due(self, now: float) -> Iterator[T]:
        """Take out what is due, one after the other; what is put meanwhile counts, too."""
        while (at := self.next_at()) is not None and at <= now:
            thing = next(iter(self._spokes[self._order[0]]))
            self.drop(thing)
            yield thing
