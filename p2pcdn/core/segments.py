"""The segments of one rendition, as far as they are known: records, and proved chunk hashes.

A page may be believed if it *fits*::

    a later era      and a later time: all that was known is void
    the same era     no record changes; a later time: the newest segment is not an older one;
                     else it fills gaps, and brings nothing from beyond the newest page's bounds
    an earlier era   never

What does not fit was rolled back, or comes out of a stale cache.
"""

from __future__ import annotations

from p2pcdn.model import Span
from p2pcdn.wire.manifest import RenditionManifest, SegmentRecord


class Segments:
    """What is known of the segments of a rendition."""

    def __init__(self) -> None:
        self.live = False
        self.first, self.last = 0, -1
        """Sequences of the rendition's oldest and newest segment, as the newest page has them."""
        self.era, self._time = -1, -1
        """Of the newest page."""
        self._records: dict[int, SegmentRecord] = {}
        self._hashes: dict[int, list[bytes]] = {}
        self._bytes = 0
        """What the segments with a record weigh."""
        self._duration = 0
        """Milliseconds that they last."""
        self.newest_known = -1
        """The newest segment that could be verified, so far."""

    # What is known

    def record(self, sequence: int) -> SegmentRecord | None:
        return self._records.get(sequence)

    def hashes(self, sequence: int) -> list[bytes]:
        """The proved hashes of a segment's chunks; none if they are not known."""
        return self._hashes.get(sequence, [])

    def knows(self, sequence: int) -> bool:
        """Whether every chunk of the segment can be verified."""
        return sequence in self._hashes

    def has(self, record: SegmentRecord) -> bool:
        """Whether that is what the record of the segment says."""
        return self._records.get(record.sequence) == record

    def usual_bytes(self) -> int:
        """What a segment weighs on average; 0 if there is no record of any."""
        return self._bytes // len(self._records) if self._records else 0

    def usual_duration(self) -> int:
        """How long a segment lasts on average, in milliseconds; 0 if that is not known."""
        return self._duration // len(self._records) if self._records else 0

    # What a page says

    def fits(self, page: RenditionManifest) -> bool:
        """Whether a page can be true beside what is known."""
        if page.era != self.era:
            return page.era > self.era and page.time > self._time
        if any(self._records.get(r.sequence, r) != r for r in page.segments):
            return False
        if page.time > self._time:
            return page.last >= self.last
        there = Span(self.first, self.last)
        return all(r.sequence in there for r in page.segments)

    def lacks(self, page: RenditionManifest) -> bool:
        """Whether a page speaks of another era, or of a segment that is not known as it says."""
        new = any(not (self.knows(r.sequence) and self.has(r)) for r in page.segments)
        return new or page.era != self.era

    # Taking in

    def believe(self, page: RenditionManifest) -> bool:
        """Take the records of a page that fits; returns whether what was known is void by that."""
        renewed = page.era > self.era >= 0
        if renewed:
            self._forget_all()
        for record in page.segments:
            self._enter(record)
        if page.time >= self._time:
            self.era, self._time = page.era, page.time
            self.last, self.live = page.last, page.live
            self._forget_before(page.first)
        return renewed

    def know(self, record: SegmentRecord, hashes: list[bytes]) -> bool:
        """These hashes give the record's root; returns whether the segment is known by that."""
        if self.knows(record.sequence) or not self.has(record):
            return False
        self._hashes[record.sequence] = hashes
        self.newest_known = max(self.newest_known, record.sequence)
        return True

    def _enter(self, record: SegmentRecord) -> None:
        if record.sequence not in self._records:
            self._records[record.sequence] = record
            self._bytes += record.length
            self._duration += record.duration

    def _forget(self, sequence: int) -> None:
        record = self._records.pop(sequence)
        self._bytes -= record.length
        self._duration -= record.duration
        self._hashes.pop(sequence, None)

    def _forget_before(self, first: int) -> None:
        self.first = first
        for sequence in [s for s in self._records if s < first]:
            self._forget(sequence)

    def _forget_all(self) -> None:
        for sequence in list(self._records):
            self._forget(sequence)
        self.newest_known = -1
