"""What one session has had: so that nothing is credited to it twice, and nothing that it also took
from the origin.

::

    taken from the origin          credited from a peer
              \\                        /
               v                      v
        a mask for each segment that was touched of late; of those before, only that they are over

The book is bounded: a segment that was touched longest ago is closed, and earns nothing any more;
nor does a rendition that comes after too many others.
"""

from __future__ import annotations

from dataclasses import dataclass

from p2pcdn.core.runs import Tail, size_of
from p2pcdn.model import SegmentKey

MOST_SEGMENTS = 128
"""Segments of a session that can still earn credit: more than it loads ahead."""
MOST_BITS = 2**18
"""Of the masks of these segments: 32 KiB. One of 4 GiB has room, and so have 128 of 42 MiB."""
MOST_CLOSED = 64
"""Stretches of closed segments that are told apart; then those between two of them are closed. Each
rendition has one, whatever there is of others."""
MOST_RENDITIONS = 16
"""Renditions of a session that can earn credit, as many as a report may name."""


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

    @property
    def bits(self) -> int:
        """Of its masks."""
        return sum(map(int.bit_length, (self.origin, self.peers, self.counted)))


class Credits:
    """One session's book."""

    def __init__(self) -> None:
        self._open: dict[SegmentKey, _Had] = {}
        """The one touched longest ago first."""
        self._closed: dict[str, list[list[int]]] = {}
        """Stretches of sequences, ascending, by rendition; of each that was ever touched."""
        self._bits = 0
        """Of the masks of all that are open."""

    def credit(self, segment: SegmentKey, mask: int, tail: Tail, *, counts: bool) -> int:
        """Enter chunks that a peer has brought; those that earn credit. ``counts`` if what they
        earn may be taken back."""
        had = self._touch(segment)
        if had is None:
            return 0
        before = had.bits
        new = mask & ~(had.origin | had.peers)
        had.peers |= new
        if counts:
            had.counted |= new
            if tail is not None and new >> tail[0] & 1:
                had.tail = tail
        self._changed(had.bits - before)
        return new

    def took_from_origin(self, segment: SegmentKey, mask: int) -> int:
        """Enter chunks that came from the origin; the bytes that were credited for them."""
        had = self._touch(segment)
        if had is None:
            return 0
        before = had.bits
        undone = had.counted & mask
        had.origin |= mask
        had.counted &= ~mask
        self._changed(had.bits - before)
        return size_of(undone, had.tail)

    def _changed(self, bits: int) -> None:
        """The segment touched last has so many more of them."""
        self._bits += bits
        while self._bits > MOST_BITS:
            self._close(next(iter(self._open)))

    def _touch(self, segment: SegmentKey) -> _Had | None:
        had = self._open.pop(segment, None)
        if had is None:
            if segment.rendition not in self._closed:
                if len(self._closed) >= MOST_RENDITIONS:
                    return None
                self._closed[segment.rendition] = []
            if self._is_closed(segment):
                return None
            had = _Had()
        self._open[segment] = had
        if len(self._open) > MOST_SEGMENTS:
            self._close(next(iter(self._open)))
        return had

    def _is_closed(self, segment: SegmentKey) -> bool:
        stretches = self._closed[segment.rendition]
        return any(first <= segment.sequence <= last for first, last in stretches)

    def _close(self, segment: SegmentKey) -> None:
        self._bits -= self._open.pop(segment).bits
        stretches = self._closed[segment.rendition]
        stretches.append([segment.sequence, segment.sequence])
        stretches.sort()
        merged = [stretches[0]]
        for first, last in stretches[1:]:
            if first <= merged[-1][1] + 1:
                merged[-1][1] = max(merged[-1][1], last)
            else:
                merged.append([first, last])
        self._closed[segment.rendition] = merged
        if len(merged) > 1 and sum(map(len, self._closed.values())) > MOST_CLOSED:
            _, at = min((merged[i + 1][0] - merged[i][1], i) for i in range(len(merged) - 1))
            merged[at : at + 2] = [[merged[at][0], merged[at + 1][1]]]
