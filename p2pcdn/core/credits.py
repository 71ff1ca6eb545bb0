"""What one session has had: so that nothing is credited to it twice, and nothing that it also took
from the origin.

::

    taken from the origin          credited from a peer
              \\                        /
               v                      v
        a mask for each segment that was touched of late; of those before, only that they are over

The book is bounded: a segment that was touched longest ago is closed, and earns nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcdn.core.runs import Tail, size_of
from p2pcdn.model import SegmentKey

MOST_SEGMENTS = 128
"""Segments of a session that can still earn credit: more than it loads ahead."""
MOST_CLOSED = 64
"""Stretches of closed segments that are told apart; then those between two of them are closed."""


@dataclass(slots=True)
class _Had:
    """What is known of a segment."""

    origin: int = 0
    """What came from the origin."""
    peers: int = 0
    """What was credited, of whatever kind."""
    counted: int = 0
    """What of that counts as confirmed, and would have to be taken back."""
    tail: Tail = None


class Credits:
    """One session's book."""

    def __init__(self) -> None:
        self._open: dict[SegmentKey, _Had] = {}
        """The one touched longest ago first."""
        self._closed: dict[str, list[list[int]]] = {}
        """Stretches of sequences, ascending, by rendition."""

    def credit(self, segment: SegmentKey, mask: int, tail: Tail, *, counts: bool) -> int:
        """Enter chunks that a peer has brought; those that earn credit. ``counts`` if what they
        earn may be taken back."""
        had = self._touch(segment)
        if had is None:
            return 0
        new = mask & ~(had.origin | had.peers)
        had.peers |= new
        if counts:
            had.counted |= new
            had.tail = tail or had.tail
        return new

    def took_from_origin(self, segment: SegmentKey, mask: int) -> int:
        """Enter chunks that came from the origin; the bytes that were credited for them."""
        had = self._touch(segment)
        if had is None:
            return 0
        undone = had.counted & mask
        had.origin |= mask
        had.counted &= ~mask
        return size_of(undone, had.tail)

    def _touch(self, segment: SegmentKey) -> _Had | None:
        had = self._open.pop(segment, None)
        if had is None:
            if self._is_closed(segment):
                return None
            had = _Had()
        self._open[segment] = had
        if len(self._open) > MOST_SEGMENTS:
            self._close(next(iter(self._open)))
        return had

    def _is_closed(self, segment: SegmentKey) -> bool:
        stretches = self._closed.get(segment.rendition, ())
        return any(first <= segment.sequence <= last for first, last in stretches)

    def _close(self, segment: SegmentKey) -> None:
        del self._open[segment]
        stretches = self._closed.setdefault(segment.rendition, [])
        stretches.append([segment.sequence, segment.sequence])
        stretches.sort()
        merged = [stretches[0]]
        for first, last in stretches[1:]:
            if first <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        if len(merged) > MOST_CLOSED:
            _, at = min((merged[i + 1][0] - merged[i][1], i) for i in range(len(merged) - 1))
            merged[at : at + 2] = [[merged[at][0], merged[at + 1][1]]]
        self._closed[segment.rendition] = merged
