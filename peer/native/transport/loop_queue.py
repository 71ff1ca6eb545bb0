"""From the threads of a library to the loop: in order, bounded, and with few wake-ups.

::

    thread:  put(a), put(b), put(c) ...  waits while MOST_WAITING are there
                 |                            ^
                 '--- wakes the loop once     | room
    loop:              take(a), take(b), take(c) ... at most AT_ONCE of them, then others' turn

While a thread waits the library reads nothing more, SCTP's window closes, and so the other end
waits as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from threading import Event
from typing import Generic, TypeVar

Item = TypeVar("Item")

MOST_WAITING = 64
"""What waits for the loop at most: of frames a megabyte, as much as SCTP's own window."""
AT_ONCE = 32
"""Taken in one turn of the loop: others want to have theirs."""
PATIENCE = 5.0
"""Seconds that a thread waits for a loop that does not come round: it may be gone for good."""


class LoopQueue(Generic[Item]):
    """Hands things over to a function that is called from the loop."""

    def __init__(self, take: Callable[[Item], None]) -> None:
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Item] = deque()
        self._room = Event()
        self._woken = False
        """Whether the loop will look, after anything that is put now."""
        self._over = False

    def put(self, item: Item) -> None:
        """From any thread: have it taken, after what was put before."""
        if self._over:
            return
        waiting = self._waiting
        waiting.append(item)
        # The loop goes on until nothing is left. How much there is says nothing about that: another
        # thread may have put something as well by now.
        if not self._woken:
            self._woken = True
            self._wake()
        if len(waiting) >= MOST_WAITING:
            self._room.clear()
            if len(waiting) >= MOST_WAITING and not self._over:
                self._room.wait(PATIENCE)

    def end(self) -> None:
        """From the loop: nothing is taken any more, and no thread waits."""
        self._over = True
        self._waiting.clear()
        self._room.set()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        waiting, take = self._waiting, self._take
        try:
            for _ in range(AT_ONCE):
                if not waiting:
                    break
                take(waiting.popleft())
        finally:
            self._room.set()
            if not waiting:
                self._woken = False
            if waiting:  # perhaps only by now
                self._woken = True
                self._loop.call_soon(self._empty)
