"""What is known of one rendition: its records, and the chunk hashes behind their roots.

The machine is told which segments matter (`need`) and sees to it that they become known::

    unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known

A hash list may come from anybody, since it must hash to the record's root. What fails is asked for
again, after a pause that doubles. Only a *known* segment may be asked of peers.
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
from p2pcdn.errors import ErrorCode, RemoteError
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
class _Pause:
    """When something that failed may be tried again."""

    until: float = 0.0
    length: float = FIRST_PAUSE

    def failed(self, now: float) -> None:
        self.until = now + self.length
        self.length = min(self.length * 2, LONGEST_PAUSE)

    def succeeded(self) -> None:
        self.until, self.length = 0.0, FIRST_PAUSE


class Manifest:
    """The records and hashes of one rendition of ``content``."""

    def __init__(self, content: str, rendition: str, numbers: count[int]) -> None:
        self.content = content
        self.rendition = rendition
        self._numbers = numbers
        self._records: dict[int, SegmentRecord] = {}
        self._hashes: dict[int, list[bytes]] = {}
        self._checks: dict[int, tuple[SegmentRecord, list[bytes]]] = {}
        self._time = -1
        self._need: list[int] = []
        self._page_since: float | None = None
        self._hashes_since: float | None = None
        self._pause = _Pause()
        self._events: list[Event] = []

    # What is known

    def record(self, sequence: int) -> SegmentRecord | None:
        return self._records.get(sequence)

    def hash_of(self, sequence: int, chunk: int) -> bytes | None:
        """The proved hash of a chunk, if it is known."""
        hashes = self._hashes.get(sequence)
        return hashes[chunk] if hashes and chunk < len(hashes) else None

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
                self._page_since = None
                changed = self._take_page(page, now)
            case ManifestFailed():
                self._page_since = None
                self._pause.failed(now)
            case HashesArrived(sequences=sequences, data=data):
                self._hashes_since = None
                self._take_hashes(sequences, data, now)
        self._ask(now)
        return changed

    def checked(self, check: int, ok: bool, now: float) -> int | None:
        """The answer to one of our checks; returns the segment that is known from now on."""
        record, hashes = self._checks.pop(check)
        if self._records.get(record.sequence) != record:
            return None
        if not ok:
            self._pause.failed(now)
            return None
        self._pause.succeeded()
        self._hashes[record.sequence] = hashes
        return record.sequence

    def timer_at(self) -> float | None:
        times = [since + ANSWER_TIMEOUT for since in self._under_way()]
        if self._pause.until and self._lacks():
            times.append(self._pause.until)
        return min(times, default=None)

    def on_timer(self, now: float) -> None:
        if any(since + ANSWER_TIMEOUT <= now for since in self._under_way()):
            self._page_since = self._hashes_since = None
            self._pause.failed(now)
        self._ask(now)

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # Asking

    def _under_way(self) -> list[float]:
        return [since for since in (self._page_since, self._hashes_since) if since is not None]

    def _lacks(self) -> bool:
        return any(not self.knows(sequence) for sequence in self._need)

    def _ask(self, now: float) -> None:
        if now < self._pause.until:
            return
        if self._page_since is None:
            unknown = next((s for s in self._need if s not in self._records), None)
            if unknown is not None:
                self._page_since = now
                self._events.append(FetchManifest(self.rendition, unknown))
        if self._hashes_since is None and not self._checks:
            span = self._unproved()
            if span is not None:
                self._hashes_since = now
                self._events.append(FetchHashes(self.rendition, span))

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
        if page.content != self.content or page.rendition != self.rendition:
            raise RemoteError(ErrorCode.WRONG_CONTENT, f"a manifest of {page.rendition!r}")
        if page.time < self._time:
            # A rolled-back or stale page would bring old segments back.
            self._pause.failed(now)
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
        if any(s not in self._records and s <= page.last for s in self._need):
            return changed  # on another page
        if any(s not in self._records for s in self._need):
            self._pause.failed(now)  # not there yet
        else:
            self._pause.succeeded()
        return changed

    def _forget_before(self, first: int) -> None:
        for sequence in [s for s in self._records if s < first]:
            del self._records[sequence]
            self._hashes.pop(sequence, None)

    def _take_hashes(self, sequences: Span, data: bytes | None, now: float) -> None:
        records = [self._records.get(s) for s in sequences.numbers()]
        known = [record for record in records if record is not None]
        lists = (
            split_hashes(data, known) if data is not None and len(known) == len(records) else None
        )
        if lists is None:
            self._pause.failed(now)
            return
        for record, joined in zip(known, lists, strict=True):
            self._prove(record, joined)

    def _prove(self, record: SegmentRecord, joined: bytes) -> None:
        hashes = [
            joined[at * HASH_SIZE : (at + 1) * HASH_SIZE]
            for at in range(chunk_count(record.length))
        ]
        check = next(self._numbers)
        self._checks[check] = (record, hashes)
        preimage = root_input(self.content, self.rendition, record.sequence, record.length, hashes)
        self._events.append(Check(check, preimage, bytes.fromhex(record.root)))
