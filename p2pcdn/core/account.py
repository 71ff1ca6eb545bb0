"""What has moved since it was last reported: chunk by chunk, told as runs.

A report says which chunks came and went, not how many bytes: so the two ends of a link can be held
against each other, and nobody can claim a chunk twice. What is told is taken out; what there is no
room for stays for the next report.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from p2pcdn.core.bits import run, spans_in
from p2pcdn.model import CHUNK_SIZE, ChunkKey, Route, SegmentKey

MOST_NUMBERS = 6000
"""In the runs of a report: some 30 KB of the 64 KiB that a message may have."""
MOST_RENDITIONS = 16
"""In a report (the wire's own bound)."""
MOST_RUNS = 2000
"""Of one segment in a report (the wire's own bound is 2,048)."""

Runs = tuple[int, ...]
"""See `p2pcdn.wire.fields.Runs`."""


class Room:
    """What a report has room for, and the renditions that it names."""

    def __init__(self) -> None:
        self.renditions: list[str] = []
        self._left = MOST_NUMBERS

    def number(self, rendition: str) -> int | None:
        """The rendition's number in the report; None if there are too many."""
        if rendition not in self.renditions:
            if len(self.renditions) >= MOST_RENDITIONS:
                return None
            self.renditions.append(rendition)
        return self.renditions.index(rendition)

    def take(self, numbers: int) -> bool:
        """Whether there is room for so many more."""
        if numbers > self._left:
            return False
        self._left -= numbers
        return True


class Moved:
    """Chunks that have moved one way."""

    def __init__(self) -> None:
        self._masks: dict[SegmentKey, int] = {}
        self._tails: dict[SegmentKey, tuple[int, int]] = {}
        """The last chunk of a segment and its bytes, where it is short."""

    def __bool__(self) -> bool:
        return bool(self._masks)

    def add(self, key: ChunkKey, size: int) -> None:
        """This chunk, of so many bytes."""
        self.add_run(key.segment, key.chunk, key.chunk, size)

    def add_run(self, segment: SegmentKey, first: int, last: int, size: int) -> None:
        """These chunks, of which the last has so many bytes."""
        mask = run(first, last)
        if mask:
            self._masks[segment] = self._masks.get(segment, 0) | mask
            if size < CHUNK_SIZE:
                self._tails[segment] = (last, size)

    def take(self, room: Room) -> tuple[Runs, ...]:
        """Tell what there is room for, and forget it."""
        told: list[Runs] = []
        for segment in list(self._masks):
            number = room.number(segment.rendition)
            spans = spans_in(self._masks[segment])[:MOST_RUNS]
            if number is None or not room.take(3 + 2 * len(spans)):
                break
            last = spans[-1].last
            chunk, size = self._tails.get(segment, (-1, 0))
            bounds = [bound for span in spans for bound in span]
            told.append((number, segment.sequence, size if chunk == last else 0, *bounds))
            self._forget(segment, last)
        return tuple(sorted(told))

    def _forget(self, segment: SegmentKey, last: int) -> None:
        """What is told of a segment goes as far as this chunk."""
        rest = self._masks[segment] >> (last + 1) << (last + 1)
        if rest:
            self._masks[segment] = rest
        else:
            del self._masks[segment]
            self._tails.pop(segment, None)


@dataclass(slots=True)
class Account:
    """What has gone over one link since it was last reported."""

    received: Moved = field(default_factory=Moved)
    sent: Moved = field(default_factory=Moved)
    waste: int = 0
    """Bytes that came in vain."""
    rejected: int = 0
    """Chunks with a wrong hash."""
    route: Route | None = None
    """By which kind of way it goes, if that is known."""

    def __bool__(self) -> bool:
        return bool(self.received or self.sent or self.waste or self.rejected)
