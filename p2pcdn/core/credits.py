"""What one session has had: so that nothing is credited to it twice, nothing that it also took from
the origin, and nothing that its player was never given.

::

    taken from the origin          credited from a peer
              \\                        /
               v                      v
        a mask for each segment that was touched of late; of those before, only that they are over

What has come and is yet to be given to the player waits, and counts once it was.

The book is bounded: a segment that was touched longest ago is closed, and earns nothing any more;
nor does a rendition that comes after too many others.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import NamedTuple

from p2pcdn.core.runs import Tail, size_of
from p2pcdn.model import SegmentKey

MOST_SEGMENTS = 128
"""Segments of a session that can still earn credit."""
MOST_WAITING = 512
"""And so many more of which something waits: as many as a viewer loads ahead."""
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
    """What of that counts as confirmed, or will, and would have to be taken back."""
    waiting: int = 0
    """What of that will, once the player is given it."""
    pairings: dict[str, int] = field(default_factory=dict)
    """What of that each pairing has brought."""
    spent: int = 0
    """What came from the origin for a player that has not been given it."""
    spent_tail: Tail = None
    tail: Tail = None

    @property
    def bits(self) -> int:
        """Of its masks."""
        masks = (self.origin, self.peers, self.counted, self.waiting, self.spent)
        return sum(map(int.bit_length, (*masks, *self.pairings.values())))


class Undone(NamedTuple):
    """Bytes that turn out to have saved nothing."""

    counted: int
    """They had counted."""
    waiting: int
    """They had not, yet."""
    spent: int = 0
    """The origin sent them, and as yet in vain."""


class Credits:
    """One session's book."""

    def __init__(self) -> None:
        self._open: dict[SegmentKey, _Had] = {}
        """The one touched longest ago first."""
        self._waiting: dict[SegmentKey, _Had] = {}
        """In the same order, those of which something waits."""
        self._closed: dict[str, list[list[int]]] = {}
        """Stretches of sequences, ascending, by rendition; of each that was ever touched."""
        self._bits = 0
        """Of the masks of all that are open."""

    @property
    def waiting(self) -> int:
        """Bytes of peers that will count once the player is given them."""
        return sum(size_of(had.waiting, had.tail) for had in self._waiting.values())

    def credit(
        self,
        segment: SegmentKey,
        mask: int,
        tail: Tail,
        *,
        counts: bool,
        waits: bool = False,
        pairing: str = "",
    ) -> int:
        """Enter chunks that a peer has brought over a pairing; those that earn credit. ``counts``
        if what they earn may be taken back; ``waits`` if the player has not been given the
        segment."""
        had = self._touch(segment)
        if had is None:
            return 0
        before = had.bits
        new = mask & ~(had.origin | had.peers)
        had.peers |= new
        if counts:
            had.counted |= new
            if waits and new:
                had.waiting |= new
                had.pairings[pairing] = had.pairings.get(pairing, 0) | new
            if tail is not None and new >> tail[0] & 1:
                had.tail = tail
        self._changed(segment, had, had.bits - before)
        return new

    def took_from_origin(
        self, segment: SegmentKey, mask: int, tail: Tail = None, *, waits: bool = False
    ) -> Undone:
        """Enter chunks that came from the origin; the bytes that were credited for them.
        ``waits`` if the player has not been given the segment."""
        had = self._touch(segment)
        if had is None:
            return Undone(0, 0)
        before = had.bits
        waiting = had.waiting & mask
        undone = had.counted & mask & ~waiting
        spent = mask & ~had.origin if waits else 0
        had.spent |= spent
        if tail is not None and spent >> tail[0] & 1:
            had.spent_tail = tail
        had.origin |= mask
        had.counted &= ~mask
        had.waiting &= ~mask
        self._changed(segment, had, had.bits - before)
        return Undone(size_of(undone, had.tail), size_of(waiting, had.tail), size_of(spent, tail))

    def given(self, ahead: Container[SegmentKey]) -> tuple[int, int]:
        """The player has been given all that waits but what is ``ahead``: bytes of peers that count
        now, and bytes that the origin has not sent in vain after all."""
        size = spent = 0
        for segment in [segment for segment in self._waiting if segment not in ahead]:
            had = self._waiting.pop(segment)
            before = had.bits
            size += size_of(had.waiting, had.tail)
            spent += size_of(had.spent, had.spent_tail)
            had.waiting = had.spent = 0
            had.pairings.clear()
            self._changed(segment, had, had.bits - before)
        return size, spent

    def forgo(self, pairing: str) -> int:
        """What waits of what this pairing has brought will not count; its bytes."""
        size = 0
        for segment, had in [
            (s, had) for s, had in self._waiting.items() if pairing in had.pairings
        ]:
            del self._waiting[segment]
            before = had.bits
            mask = had.pairings.pop(pairing) & had.waiting
            size += size_of(mask, had.tail)
            had.waiting &= ~mask
            had.counted &= ~mask
            self._changed(segment, had, had.bits - before)
        return size

    def _changed(self, segment: SegmentKey, had: _Had, bits: int) -> None:
        """A segment has so many bits more; it is put where it belongs, and others go for it."""
        (self._waiting if had.waiting or had.spent else self._open)[segment] = had
        self._bits += bits
        if len(self._open) > MOST_SEGMENTS:
            self._close(next(iter(self._open)))
        if len(self._waiting) > MOST_WAITING:
            self._close(next(iter(self._waiting)))
        while self._bits > MOST_BITS:
            self._close(next(iter(self._open or self._waiting)))

    def _touch(self, segment: SegmentKey) -> _Had | None:
        """Take it out, to be changed."""
        had = self._open.pop(segment, None) or self._waiting.pop(segment, None)
        if had is None:
            if segment.rendition not in self._closed:
                if len(self._closed) >= MOST_RENDITIONS:
                    return None
                self._closed[segment.rendition] = []
            if self._is_closed(segment):
                return None
            had = _Had()
        return had

    def _is_closed(self, segment: SegmentKey) -> bool:
        stretches = self._closed[segment.rendition]
        return any(first <= segment.sequence <= last for first, last in stretches)

    def _close(self, segment: SegmentKey) -> None:
        had = self._open.pop(segment, None) or self._waiting.pop(segment)
        self._bits -= had.bits
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
