"""Which files are whole, told by nobody having written to them for a while.

Two clocks tell: files have the time of day, which may jump, and be another machine's; so where it
has, or a file is of the future, it counts for how long a file was seen to stay as it is.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

SETTLED = 10.0
"""Seconds: a file that was not written to for so long is whole, or will never be."""

_JUMP = 1.0
"""Seconds by which the time of day may be wrong without anybody having set it."""

_MOST_SEEN = 1000

_NS = 1_000_000_000


class Settling:
    """Says of files whether they are whole."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = lambda: time.time_ns(),
    ) -> None:
        """``wall_ns`` is the time of day in nanoseconds since 1970."""
        self._clock = clock
        self._wall_ns = wall_ns
        self._apart: float | None = None
        """Seconds that the time of day was ahead of the clock when somebody last asked."""
        self._jumped = float("-inf")
        """When it was seen to have jumped."""
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Files by their paths: which time they had, and since when."""

    def is_settled(self, path: str, mtime_ns: int) -> bool:
        """Whether the file at ``path``, last written to at that time, is whole."""
        now, wall = self._clock(), self._wall_ns()
        apart = wall / _NS - now
        if self._apart is not None and abs(apart - self._apart) > _JUMP:
            self._jumped = now
        self._apart = apart
        if now - self._jumped > SETTLED and wall - mtime_ns > SETTLED * _NS:
            self._seen.pop(path, None)
            return True
        known, since = self._seen.get(path, (None, now))
        if known != mtime_ns:
            self._seen[path] = mtime_ns, now
            since = now
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
        return now - since > SETTLED
