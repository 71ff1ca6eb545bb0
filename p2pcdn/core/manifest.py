"""What is known of one rendition: its records, and the chunk hashes behind their roots.

The machine is told which segments matter (`need`) and sees to it that they become known::

    unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known
       |  '----FetchRecords----^                                                    ^
       '----- offered: records and hashes over a link --Verify, Check (`Offers`)----'

A hash list may come from anybody, since it must hash to the record's root. A record counts if it
came from the origin, or with its signature by a key that the origin told us. What fails is asked
for again, after a pause that doubles. Only a *known* segment may be asked of peers. What is older
than the rendition's oldest segment will never be known, and is not asked for.

Of a live rendition, what has become known is *learned*: others may be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from msgspec.structs import replace

from p2pcdn.core.offers import Forged, Offer, Offers, Proof
from p2pcdn.core.ports import (
    Check,
    Event,
    FetchHashes,
    FetchManifest,
    FetchRecords,
    HashesArrived,
    ManifestArrived,
    ManifestFailed,
)
from p2pcdn.model import HASH_SIZE, Span, chunk_count
from p2pcdn.wire.manifest import (
    MOST_HASH_BYTES,
    PAGE_RECORDS,
    Key,
    Records,
    RenditionManifest,
    SegmentRecord,
    Signature,
    from_base64,
    root_input,
    split_hashes,
    to_base64,
)

FEW = 3
"""Records that are asked for, and passed on, by themselves: more of them make a page."""
MOST_UNTOLD = 8
"""Pages whose segments are not all known yet, and that are passed on once they are."""
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


@dataclass(frozen=True, slots=True)
class Known:
    """The segment can be verified from now on."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Changed:
    """The segment is no longer what its record said."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Learned:
    """Records of a live rendition, proved, that others may not have yet. Said once a segment.

    ``link`` is who brought them; None if the origin or the tracker's socket did.
    """

    records: Records
    link: int | None


ManifestEvent = Event | Known | Changed | Learned | Forged

Keys = dict[str, bytes]
"""The origin's public keys by their ids, raw, as its own pages tell them."""


class Manifest:
    """The records and hashes of one rendition of ``content``.

    ``keys`` may be shared by the renditions of a content; without it, each learns them by itself.
    """

    def __init__(
        self, content: str, rendition: str, numbers: count[int], keys: Keys | None = None
    ) -> None:
        self.content = content
        self.rendition = rendition
        self._numbers = numbers
        self._keys: Keys = {} if keys is None else keys
        self._offers = Offers(numbers)
        self._records: dict[int, SegmentRecord] = {}
        self._hashes: dict[int, list[bytes]] = {}
        self._claims: dict[int, _Claim] = {}
        """By the number of the check that decides."""
        self._bytes = 0
        """What the segments with a record weigh."""
        self._live = False
        self._time = -1
        """Of the newest page."""
        self._first, self._last = 0, -1
        """Sequences of the oldest and the newest segment of the rendition, as that page has it."""
        self._need: Sequence[int] = []
        self._hold: Mapping[int, float] = {}
        """Until when a segment is not asked for."""
        self._held_until: float | None = None
        self._untold: list[RenditionManifest] = []
        """Short pages from the origin whose segments are not all known."""
        self._told: set[int] = set()
        self._page = _Question()
        self._page_for = 0
        """The segment that the page was asked for."""
        self._proof = _Question()
        """Hashes; it is answered when they have been checked."""
        self._events: list[ManifestEvent] = []

    # What is known

    def record(self, sequence: int) -> SegmentRecord | None:
        return self._records.get(sequence)

    def hashes(self, sequence: int) -> list[bytes]:
        """The proved hashes of a segment's chunks; none if they are not known."""
        return self._hashes.get(sequence, [])

    def knows(self, sequence: int) -> bool:
        """Whether every chunk of the segment can be verified."""
        return sequence in self._hashes

    def usual_bytes(self) -> int:
        """What a segment weighs on average; 0 if there is no record of any."""
        return self._bytes // len(self._records) if self._records else 0

    # The five verbs

    def need(
        self, sequences: Sequence[int], now: float, hold: Mapping[int, float] | None = None
    ) -> None:
        """These segments matter now, in this order. Those that ``hold`` names are not asked for
        before then, since others are about to offer them."""
        self._need, self._hold = sequences, hold or {}
        self._ask(now)

    def receive(
        self, message: ManifestArrived | ManifestFailed | HashesArrived, now: float
    ) -> None:
        """Take an answer of the origin in."""
        match message:
            case ManifestArrived(page):
                self._take_page(page, now)
            case ManifestFailed():
                self._page.failed(now)
            case HashesArrived(sequences=sequences, data=data):
                self._take_hashes(sequences, data, now)
        self._ask(now)

    def offered(self, records: Records, link: int | None, now: float) -> None:
        """Somebody who need not be believed says what some segments are: over a link, or (None)
        over the tracker's socket."""
        page = records.page
        if self._is_ours(page) and page.live and self._fits(page) and self._lacks(page):
            signature = next((s for s in page.signatures if _usable(s, self._keys)), None)
            if signature is not None:
                # Whatever else stands beside the page is not passed on with it.
                page = replace(page, signatures=(signature,), keys=())
                proof = Proof(self._keys[signature.key], from_base64(signature.value) or b"")
                self._offers.take(Records(page, records.hashes), proof, link, now)

    def checked(self, check: int, ok: bool, now: float) -> None:
        """The answer to one of our checks."""
        claim = self._claims.pop(check, None)
        if claim is not None:
            self._decide(claim, ok, now)
        else:
            offer = self._offers.checked(check, ok)
            if offer is not None and self._fits(offer.records.page):
                self._accept(offer)
        self._ask(now)

    def timer_at(self) -> float | None:
        times = (
            self._page.timer_at(),
            self._proof.timer_at(),
            self._offers.timer_at(),
            self._held_until,
        )
        return min((at for at in times if at is not None), default=None)

    def on_timer(self, now: float) -> None:
        self._page.on_timer(now)
        self._proof.on_timer(now)
        self._offers.on_timer(now)
        self._ask(now)

    def take_events(self) -> list[ManifestEvent]:
        events, self._events = self._events, []
        return [*events, *self._offers.take_events()]

    # Asking

    def _ask(self, now: float) -> None:
        unknown = self._run(self._has_no_record, now)
        if unknown is not None and self._page.may_ask(now):
            self._page.since, self._page_for = now, unknown.first
            self._events.append(self._question(unknown))
        unproved = self._run(self._has_only_a_record, now)
        if unproved is not None and self._proof.may_ask(now):
            self._proof.since = now
            self._claims.clear()
            self._events.append(FetchHashes(self.rendition, unproved))
        held = (self._hold.get(s, now) for s in self._need if not self.knows(s))
        self._held_until = min((at for at in held if at > now), default=None)

    def _question(self, unknown: Span) -> FetchManifest | FetchRecords:
        few = unknown.last - unknown.first < FEW
        if self._live and few:
            return FetchRecords(self.rendition, unknown)
        return FetchManifest(self.rendition, unknown.first)

    def _has_no_record(self, sequence: int) -> bool:
        return sequence not in self._records and sequence >= self._first

    def _has_only_a_record(self, sequence: int) -> bool:
        return sequence in self._records and not self.knows(sequence)

    def _run(self, lacks: Callable[[int], bool], now: float) -> Span | None:
        """The first run of needed segments that lack something and are to be asked for, no longer
        than a page."""

        def due(sequence: int) -> bool:
            held = self._hold.get(sequence, now) > now or self._offers.covers(sequence)
            return lacks(sequence) and not held

        first = next((s for s in self._need if due(s)), None)
        if first is None:
            return None
        last = first
        while last - first + 1 < PAGE_RECORDS and last + 1 in self._need and due(last + 1):
            last += 1
        return Span(first, last)

    # Pages

    def _is_ours(self, page: RenditionManifest) -> bool:
        return page.content == self.content and page.rendition == self.rendition

    def _fits(self, page: RenditionManifest) -> bool:
        """Whether a page can be true beside what is known. An older one fills gaps at most: it was
        rolled back, or it is stale, if it changes something or brings back what has gone."""
        bounds = Span(self._first, self._last)
        return page.time > self._time or all(
            r.sequence in bounds and self._records.get(r.sequence, r) == r for r in page.segments
        )

    def _lacks(self, page: RenditionManifest) -> bool:
        """Whether something of a page is not known yet."""
        return any(
            not self.knows(r.sequence) or self._records.get(r.sequence) != r for r in page.segments
        )

    def _take_page(self, page: RenditionManifest, now: float) -> None:
        if not self._is_ours(page) or not self._fits(page):
            self._page.failed(now)
            return
        self._learn_keys(page.keys)
        self._believe(page)
        if page.live and page.signatures and 0 < len(page.segments) <= FEW:
            self._untold = [*self._untold, replace(page, keys=())][-MOST_UNTOLD:]
            self._tell_known()
        if self._page_for in self._records:
            self._page.answered()
        else:
            self._page.failed(now)  # not there yet, or not any more

    def _learn_keys(self, keys: Sequence[Key]) -> None:
        """The newest page says which keys there are."""
        ours = [key for key in keys if key.algorithm == "ed25519"]
        if ours:
            self._keys.clear()
            self._keys.update({key.id: from_base64(key.public) or b"" for key in ours})

    def _believe(self, page: RenditionManifest) -> None:
        for record in page.segments:
            self._enter(record)
        if page.time >= self._time:
            self._time, self._last, self._live = page.time, page.last, page.live
            self._forget_before(page.first)

    def _enter(self, record: SegmentRecord) -> None:
        sequence = record.sequence
        known = self._records.get(sequence)
        if known is not None and known != record:
            self._forget(sequence)
            self._events.append(Changed(sequence))
        if known != record:
            self._records[sequence] = record
            self._bytes += record.length

    def _forget(self, sequence: int) -> None:
        self._bytes -= self._records.pop(sequence).length
        self._hashes.pop(sequence, None)
        self._told.discard(sequence)

    def _forget_before(self, first: int) -> None:
        self._first = first
        for sequence in [s for s in self._records if s < first]:
            self._forget(sequence)

    # Offers

    def _accept(self, offer: Offer) -> None:
        """An offer is proved."""
        page = offer.records.page
        self._believe(page)
        for record, hashes in zip(page.segments, offer.hashes, strict=True):
            self._know(record, hashes)
        self._tell(offer.records, offer.link)

    def _tell(self, records: Records, link: int | None) -> None:
        """Others may be told, unless they have been told of each segment."""
        sequences = {record.sequence for record in records.page.segments}
        if not sequences <= self._told:
            self._told |= sequences
            self._events.append(Learned(records, link))

    def _tell_known(self) -> None:
        """Others may be told of short pages whose segments have all become known."""
        for page in list(self._untold):
            if not all(self._records.get(r.sequence) == r for r in page.segments):
                self._untold.remove(page)  # it has changed, or it has gone
            elif all(self.knows(r.sequence) for r in page.segments):
                self._untold.remove(page)
                data = b"".join(h for r in page.segments for h in self._hashes[r.sequence])
                if len(data) <= MOST_HASH_BYTES:
                    self._tell(Records(page, to_base64(data)), None)

    # Hashes

    def _know(self, record: SegmentRecord, hashes: list[bytes]) -> None:
        sequence = record.sequence
        if self._records.get(sequence) == record and not self.knows(sequence):
            self._hashes[sequence] = hashes
            self._events.append(Known(sequence))

    def _decide(self, claim: _Claim, ok: bool, now: float) -> None:
        if not ok:
            self._proof.failed(now)
            return
        if not self._claims and self._proof.since is not None:
            self._proof.answered()
        self._know(claim.record, claim.hashes)
        self._tell_known()

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


def _usable(signature: Signature, keys: Keys) -> bool:
    return signature.algorithm == "ed25519" and signature.key in keys
