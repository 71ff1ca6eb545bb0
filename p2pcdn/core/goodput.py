"""What peers have brought within the last second, and since when we have been asking them."""

from __future__ import annotations

from collections import deque
from math import inf

WINDOW = 1.0
"""Seconds."""


class Goodput:
    """Bytes of chunks over all links."""

    def __init__(self) -> None:
        self.asking_since = inf
        """Since when something has been asked for without a pause; infinity if nothing is."""
        self._arrivals: deque[tuple[float, int]] = deque()
        self._bytes = 0

    def asking(self, now: float) -> None:
        """A chunk has been asked for."""
        if self.asking_since == inf:
            self.asking_since = now

    def overslept(self, late: float, now: float) -> None:
        """For so many seconds nobody was heard."""
        if self.asking_since != inf:
            self.asking_since = min(self.asking_since + late, now)

    def rests(self) -> None:
        """Nothing is asked for."""
        self.asking_since = inf

    def brought(self, size: int, now: float) -> None:
        """A chunk has come."""
        self._arrivals.append((now, size))
        self._bytes += size

    def rate(self, now: float) -> float:
        """Bytes a second."""
        while self._arrivals and self._arrivals[0][0] <= now - WINDOW:
            self._bytes -= self._arrivals.popleft()[1]
        return self._bytes / WINDOW
