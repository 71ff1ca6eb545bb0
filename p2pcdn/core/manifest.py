"""What is known of one rendition: its records, and the chunk hashes behind their roots.

The machine is told which segments matter (`need`) and sees to it that they become known::

    unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known

A hash list may come from anybody, since it must hash to the record's root. What fails is asked for
again, after a pause that doubles. Only a *known* segment may be asked of peers. What is older than
the rendition's oldest segment will never be known, and is not asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from p2pcdn.core.ports import (
    Check,
    Event,
    FetchHashes,
    FetchManifest,
    HashesArrived,
    ManifestArrived,
    ManifestFailed,
)
from p2pcdn.model import HASH_SIZE, Span, chunk_count
from p2pcdn.wire.manifest import (
    PAGE_RECORDS,
    RenditionManifest,
    SegmentRecord,
    root_input,
    split_hashes,
)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
ANSWER_TIMEOUT = 10.0
"""A fetch that is not answered by then counts as failed; the shell has time-outs of its own."""


@dataclass(slots=True)
class _Question:
    """Something that the origin is asked for, once at a time and with a pause after a failure."""

    since: float | None = None
    """When it was asked, if it is not answered yet."""
    until: float | None = None
    """When the pause ends, if there is one."""
    pause: float = FIRST_PAUSE

    def may_ask(self, now: float) -> bool:
        if self.until is not None and self.until <= now:
            self.until = None
        return self.since is None and self.until is None

    def answered(self) -> None:
        self.since, self.until, self.pause = None, None, FIRST_PAUSE

    def failed(self, now: float) -> None:
        if self.since is not None:
            self.since, self.until = None, now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE)

    def timer_at(self) -> float | None:
        return self.until if self.since is None else self.since + ANSWER_TIMEOUT

    def on_timer(self, now: float) -> None:
        if self.since is not None and self.since + ANSWER_TIMEOUT <= now:
            self.failed(now)


@dataclass(slots=True)
class _Claim:
    """Hashes that are said to be those of a record, until the check has answered."""

    record: SegmentRecord
    hashes: list[bytes]


class Manifest:
    """The records and hashes of one rendition of ``content``."""

    def __init__(self, content: str, rendition: str, numbers: count[int]) -> None:
        self.content = content
        self.rendition = rendition
        self._numbers = numbers
        self._records: dict[int, SegmentRecord] = {}
        self._hashes: dict[int, list[bytes]] = {}
        self._claims: dict[int, _Claim] = {}
        """By the number of the check that decides."""
        self._time = -1
        self._first = 0
        """Sequence of the oldest segment of the rendition."""
        self._need: list[int] = []
        self._page = _Question()
        self._page_for = 0
        """The segment that the page was asked for."""
        self._proof = _Question()
        """Hashes; it is answered when they have been checked."""
        self._events: list[Event] = []

    # What is known

    def record(self, sequence: int) -> SegmentRecord | None:
        return self._records.get(sequence)

    def hashes(self, sequence: int) -> list[bytes]:
        """The proved hashes of a segment's chunks; none if they are not known."""
        return self._hashes.get(sequence, [])

    def knows(self, sequence: int) -> bool:
        """Whether every chunk of the segment can be verified."""
        return sequence in self._hashes

    # The five verbs

    def need(self, sequences: list[int], now: float) -> None:
        """These segments matter now, in this order."""
        self._need = sequences
        self._ask(now)

    def receive(
        self, message: ManifestArrived | ManifestFailed | HashesArrived, now: float
    ) -> list[int]:
        """Take an answer in; returns the segments whose records have changed since."""
        changed: list[int] = []
        match message:
            case ManifestArrived(page):
                changed = self._take_page(page, now)
            case ManifestFailed():
                self._page.failed(now)
            case HashesArrived(sequences=sequences, data=data):
                self._take_hashes(sequences, data, now)
        self._ask(now)
        return changed

    def checked(self, check: int, ok: bool, now: float) -> int | None:
        """The answer to one of our checks; returns the segment that is known from now on."""
        claim = self._claims.pop(check, None)
        if claim is None:
            return None
        if not ok:
            self._proof.failed(now)
        elif not self._claims and self._proof.since is not None:
            self._proof.answered()
        sequence = claim.record.sequence
        if not ok or self._records.get(sequence) != claim.record:
            return None
        self._hashes[sequence] = claim.hashes
        return sequence

    def timer_at(self) -> float | None:
        times = (self._page.timer_at(), self._proof.timer_at())
        return min((at for at in times if at is not None), default=None)

    def on_timer(self, now: float) -> None:
        self._page.on_timer(now)
        self._proof.on_timer(now)
        self._ask(now)

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # Asking

    def _unknown(self) -> int | None:
        """The first needed segment that has no record and may have one."""
        unknown = (s for s in self._need if s not in self._records and s >= self._first)
        return next(unknown, None)

    def _ask(self, now: float) -> None:
        unknown = self._unknown()
        if self._page.may_ask(now) and unknown is not None:
            self._page.since, self._page_for = now, unknown
            self._events.append(FetchManifest(self.rendition, unknown))
        unproved = self._unproved()
        if self._proof.may_ask(now) and unproved is not None:
            self._proof.since = now
            self._claims.clear()
            self._events.append(FetchHashes(self.rendition, unproved))

    def _unproved(self) -> Span | None:
        """The first run of needed segments with a record and no hashes, no longer than a page."""

        def lacks(sequence: int) -> bool:
            return sequence in self._records and sequence not in self._hashes

        first = next((s for s in self._need if lacks(s)), None)
        if first is None:
            return None
        last = first
        while last - first + 1 < PAGE_RECORDS and last + 1 in self._need and lacks(last + 1):
            last += 1
        return Span(first, last)

    # Taking in

    def _take_page(self, page: RenditionManifest, now: float) -> list[int]:
        ours = page.content == self.content and page.rendition == self.rendition
        if not ours or page.time < self._time:
            # A rolled-back or stale page would bring old segments back.
            self._page.failed(now)
            return []
        self._time = page.time
        changed = []
        for record in page.segments:
            known = self._records.get(record.sequence)
            if known is not None and known != record:
                changed.append(record.sequence)
                self._hashes.pop(record.sequence, None)
            self._records[record.sequence] = record
        self._forget_before(page.first)
        if self._page_for in self._records:
            self._page.answered()
        else:
            self._page.failed(now)  # not there yet, or not any more
        return changed

    def _forget_before(self, first: int) -> None:
        self._first = first
        for sequence in [s for s in self._records if s < first]:
            del self._records[sequence]
            self._hashes.pop(sequence, None)

    def _take_hashes(self, sequences: Span, data: bytes | None, now: float) -> None:
        records = [self._records.get(s) for s in sequences.numbers()]
        known = [record for record in records if record is not None]
        lists = (
            split_hashes(data, known) if data is not None and len(known) == len(records) else None
        )
        if not lists:
            self._proof.failed(now)
            return
        self._proof.since = now  # the checks are given their time, too
        for record, joined in zip(known, lists, strict=True):
            self._prove(record, joined)

    def _prove(self, record: SegmentRecord, joined: bytes) -> None:
        hashes = [
            joined[at * HASH_SIZE : (at + 1) * HASH_SIZE]
            for at in range(chunk_count(record.length))
        ]
        check = next(self._numbers)
        self._claims[check] = _Claim(record, hashes)
        preimage = root_input(self.content, self.rendition, record.sequence, record.length, hashes)
        self._events.append(Check(check, preimage, bytes.fromhex(record.root)))
