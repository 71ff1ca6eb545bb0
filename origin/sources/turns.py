"""Threads that wait for servers far away: so many in all, whichever they wait for.

Others have disks to read. One place takes only a part of them, so that a server that hangs leaves
some to those that do not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from p2pcdn.errors import SourceError, SourceReason

MOST_WAITING = 48
"""Threads that wait, for all places together; there are `origin.app.READERS`."""

MOST_OF_ONE = 36
"""Of these for one place."""


class Turns:
    """What all places have together. Any thread may use it."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._left = threading.BoundedSemaphore(most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The time of a thread that waits; `SourceError` (busy) if too many do."""
        with _taken(self._left, "servers far away"):
            yield


class Share:
    """What one place may have of it."""

    def __init__(self, turns: Turns, name: str, most: int = MOST_OF_ONE) -> None:
        """``name`` is how people call the place."""
        self._turns = turns
        self._name = name
        self._own = threading.BoundedSemaphore(most)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The time of a thread that waits for the place; `SourceError` (busy) if too many do."""
        with _taken(self._own, self._name), self._turns.turn():
            yield


@contextmanager
def _taken(one: threading.BoundedSemaphore, name: str) -> Iterator[None]:
    if not one.acquire(blocking=False):
        raise SourceError(SourceReason.BUSY, f"Too many wait for {name} already.")
    try:
        yield
    finally:
        one.release()
