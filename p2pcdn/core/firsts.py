"""What the origin has sent for the first time: what it had to send, however well peers share.

::

    a file    0 ....... 1000 ....... 2000         sent 0-1000     1000 are new
              |=========|                         sent 500-1500    500 are new
              |==============|                    sent 0-1500        0 are new: peers had them

A content is remembered for as long as somebody is there who may have it. While nobody is, all had
to be sent; but who took it may be about to join, so it is kept for a moment. Of a file with too
many gaps, or of too many files, something is forgotten, and counts as new once more: what is new
is never more than what was sent.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container
from itertools import pairwise
from typing import NamedTuple

MOST_FILES = 16_384
"""Files that are remembered, of all contents together; the one sent longest ago goes first."""
MOST_STRETCHES = 64
"""Of one file; the shortest is forgotten."""
JOINS_WITHIN = 60.0
"""Seconds from what somebody takes to the swarm that it joins."""


class Place(NamedTuple):
    """Where bytes stand."""

    file: str
    """Whatever tells it, as it is now, from all others of its content."""
    start: int


class Firsts:
    """The files of all contents, as far as they were sent."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], list[int]] = {}
        """Where stretches begin and end, in order; the file sent longest ago first."""
        self._contents: dict[str, set[str]] = {}
        self._unwatched: dict[str, float] = {}
        """Contents that were sent while nobody was there, since when; in this order."""
        self._now = 0.0

    def sent(self, content: str, place: Place, size: int, *, watched: bool = True) -> int:
        """These bytes were sent, of a content that is ``watched``, or is not by anybody; how many
        of them had to be."""
        new = self._enter(content, place, size)
        if watched:
            return new
        self._unwatched.setdefault(content, self._now)
        return size

    def timer_at(self) -> float | None:
        """When to forget something."""
        return next((since + JOINS_WITHIN for since in self._unwatched.values()), None)

    def on_timer(self, now: float, watched: Container[str]) -> None:
        """Forget what was sent to those who have not joined."""
        self._now = now
        while (at := self.timer_at()) is not None and at <= now:
            content = next(iter(self._unwatched))
            del self._unwatched[content]
            if content not in watched:
                self.forget(content)

    def forget(self, content: str) -> None:
        """Nobody is there any more who has it."""
        for file in self._contents.pop(content, ()):
            del self._files[content, file]

    def _enter(self, content: str, place: Place, size: int) -> int:
        key = content, place.file
        bounds = self._files.pop(key, [])
        new = _add(bounds, place.start, place.start + size)
        if len(bounds) > 2 * MOST_STRETCHES:
            _forget_shortest(bounds)
        self._files[key] = bounds
        self._contents.setdefault(content, set()).add(place.file)
        if len(self._files) > MOST_FILES:
            oldest, file = next(iter(self._files))
            del self._files[oldest, file]
            self._contents[oldest].discard(file)
            if not self._contents[oldest]:
                del self._contents[oldest]
        return new


def _add(bounds: list[int], start: int, end: int) -> int:
    """Enter a stretch; how much of it is new."""
    first, last = bisect_left(bounds, start), bisect_right(bounds, end)
    # An odd index lies within a stretch, or at its end.
    known = [start] * (first % 2) + bounds[first:last] + [end] * (last % 2)
    had = sum(known[1::2]) - sum(known[::2])
    bounds[first:last] = [start] * (1 - first % 2) + [end] * (1 - last % 2)
    return end - start - had


def _forget_shortest(bounds: list[int]) -> None:
    lengths = [end - start for start, end in pairwise(bounds)][::2]
    at = 2 * lengths.index(min(lengths))
    del bounds[at : at + 2]
