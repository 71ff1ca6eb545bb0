"""The manifest of one rendition, as a peer comes to know it.

The machine is told which segments matter (`need`) and sees to it that they become known::

    unknown --FetchManifest--> record --FetchHashes--> unproved hashes --Check--> known
       |  '----FetchRecords----^                                                    ^
       '--offered over a link: records and hashes --Verify, Check-------------------'

A hash list may come from anybody, since it must hash to the record's root. A record counts if it
came from the origin, or with its signature, by a key that the origin has told us. Only a *known*
segment may be asked of peers. What is older than the rendition's oldest segment will never be
known, and is not asked for, unless all that is needed is: then the rendition may have begun anew.

Whoever brings records has to bring them in time. A page that is old, by what the origin's clock
says at least, may be of a rendition that has begun anew since; it is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from msgspec.structs import replace

from p2pcdn.core.news import FEW, Learned, News
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
from p2pcdn.core.question import Question
from p2pcdn.core.segments import Segments
from p2pcdn.model import HASH_SIZE, Span
from p2pcdn.wire.manifest import (
    PAGE_RECORDS,
    Key,
    Records,
    RenditionManifest,
    SegmentRecord,
    Signature,
    from_base64,
    root_input,
    split_hashes,
)

Keys = dict[str, Key]
"""The origin's public keys by their ids, as its own pages tell them."""

BATCH = 6
"""Segments of a recording whose hashes are asked for at once, a request for each being dear."""
MOST_AGE = 5
"""How many segments' durations old a page may be that somebody offers."""


@dataclass(frozen=True, slots=True)
class Known:
    """The segment can be verified from now on."""

    sequence: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """The rendition has begun anew: nothing is what its record said."""


ManifestEvent = Event | Known | Renewed | Learned | Forged


@dataclass(slots=True)
class _Claim:
    """Hashes that are said to be those of a record, until the check has answered."""

    record: SegmentRecord
    hashes: list[bytes]


class Manifest:
    """The records and hashes of one rendition of ``content``.

    ``keys`` may be shared by the renditions of a content; without it, each learns its own.
    """

    def __init__(
        self, content: str, rendition: str, numbers: count[int], keys: Keys | None = None
    ) -> None:
        self.content = content
        self.rendition = rendition
        self._numbers = numbers
        self._keys: Keys = {} if keys is None else keys
        self._segments = Segments()
        self._offers = Offers(numbers)
        self._news = News(self._segments)
        self._claims: dict[int, _Claim] = {}
        """By the number of the check that decides."""
        self._need: Sequence[int] = []
        self._hold: Mapping[int, float] = {}
        """Until when a segment is not asked for."""
        self._held_until: float | None = None
        self._page = Question()
        self._page_for = Span(0, 0)
        """The segments that the page was asked for."""
        self._page_is_short = False
        """Whether just their records were asked for."""
        self._proof = Question()
        """Hashes; it is answered when they have been checked."""
        self._clock: float | None = None
        """What the origin's clock is ahead of ours at least, in milliseconds."""
        self._events: list[ManifestEvent] = []

    # What is known

    def record(self, sequence: int) -> SegmentRecord | None:
        return self._segments.record(sequence)

    def hashes(self, sequence: int) -> list[bytes]:
        """The proved hashes of a segment's chunks; none if they are not known."""
        return self._segments.hashes(sequence)

    def knows(self, sequence: int) -> bool:
        """Whether every chunk of the segment can be verified."""
        return self._segments.knows(sequence)

    def usual_bytes(self) -> int:
        """What a segment weighs on average; 0 if there is no record of any."""
        return self._segments.usual_bytes()

    def usual_duration(self) -> int:
        """How long a segment lasts on average, in milliseconds; 0 if that is not known."""
        return self._segments.usual_duration()

    @property
    def era(self) -> int:
        """When the rendition began, as far as that is known; 0 if it is not."""
        return max(self._segments.era, 0)

    @property
    def newest_known(self) -> int:
        """The newest segment that could be verified so far; -1 if there was none."""
        return self._segments.newest_known

    @property
    def needs(self) -> bool:
        """Whether any segment matters, as far as was said."""
        return bool(self._need)

    # The five verbs

    def need(
        self, sequences: Sequence[int], now: float, hold: Mapping[int, float] | None = None
    ) -> None:
        """These segments matter now, in this order. Those that ``hold`` names are not asked for
        before then, since others are about to offer them, unless we could not verify that."""
        self._need = sequences
        self._hold = hold if hold and self._keys else {}
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

    def doubt(self, sequence: int, now: float) -> None:
        """The origin gives out something else than what the segment's record says: has the
        rendition begun anew?"""
        if self._page.may_ask(now):
            self._page.since, self._page_for = now, Span(sequence, sequence)
            self._page_is_short = False
            self._events.append(FetchManifest(self.rendition, sequence))

    def offered(self, records: Records, link: int | None, now: float) -> None:
        """Somebody who need not be believed says what some live segments are: over a link, or
        (None) over the tracker's socket."""
        page = records.page
        if not (self._may_believe(page) and page.live and self._segments.lacks(page)):
            return
        known = [s for s in page.signatures if self._is_by_known_key(s)]
        if known and not self._is_old(page, now):
            # Whatever else stands beside the page is not passed on with it.
            page = replace(page, signatures=tuple(known), keys=())
            proofs = [self._proof_of(signature) for signature in known]
            self._offers.take(Records(page, records.hashes), proofs, link, now)

    def checked(self, check: int, ok: bool, now: float) -> None:
        """The answer to one of our checks."""
        claim = self._claims.pop(check, None)
        offer = self._offers.checked(check, ok)
        if claim is not None:
            self._decide(claim, ok, now)
        elif offer is not None:
            self._take_offer(offer, now)
        self._ask(now)

    def timer_at(self) -> float | None:
        earliest = self._held_until
        for at in (self._page.timer_at(), self._proof.timer_at(), self._offers.timer_at()):
            if at is not None and (earliest is None or at < earliest):
                earliest = at
        return earliest

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
        if self._page.may_ask(now) and unknown is not None:
            self._page.since, self._page_for = now, unknown
            self._events.append(self._question())
        unproved = self._run(self._has_no_hashes, now)
        if self._proof.may_ask(now) and unproved is not None:
            self._proof.since = now
            self._claims.clear()
            self._events.append(FetchHashes(self.rendition, self._with_next(unproved)))
        held = (self._hold.get(s, now) for s in self._need if not self.knows(s))
        self._held_until = min((at for at in held if at > now), default=None)

    def _question(self) -> FetchManifest | FetchRecords:
        first, last = self._page_for
        self._page_is_short = self._segments.live and last - first < FEW
        if self._page_is_short:
            return FetchRecords(self.rendition, self._page_for)
        return FetchManifest(self.rendition, first)

    def _has_no_record(self, sequence: int) -> bool:
        oldest = min(self._segments.first, max(self._need, default=0))
        return self.record(sequence) is None and sequence >= oldest

    def _has_no_hashes(self, sequence: int) -> bool:
        return self.record(sequence) is not None and not self.knows(sequence)

    def _run(self, lacks: Callable[[int], bool], now: float) -> Span | None:
        """The first run of needed segments that lack something, no longer than a page; without
        those that others have offered or are about to."""
        if not self._need:
            return None

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

    def _with_next(self, unproved: Span) -> Span:
        """Of a recording with those that follow: they will be needed, too."""
        first, last = unproved
        if not self._segments.live:
            while last - first + 1 < BATCH and self._has_no_hashes(last + 1):
                last += 1
        return Span(first, last)

    # Taking in

    def _may_believe(self, page: RenditionManifest) -> bool:
        ours = page.content == self.content and page.rendition == self.rendition
        return ours and self._segments.fits(page)

    def _is_by_known_key(self, signature: Signature) -> bool:
        key = self._keys.get(signature.key)
        return key is not None and key.algorithm == signature.algorithm

    def _proof_of(self, signature: Signature) -> Proof:
        public = from_base64(self._keys[signature.key].public) or b""
        return Proof(signature.algorithm, public, from_base64(signature.value) or b"")

    def _is_old(self, page: RenditionManifest, now: float) -> bool:
        if self._clock is None:
            return False
        age = now * 1000 + self._clock - page.time
        return 0 < MOST_AGE * self.usual_duration() < age

    def _take_page(self, page: RenditionManifest, now: float) -> None:
        if not self._may_believe(page):
            self._page.failed(now)
            return
        self._learn_keys(page.keys)
        self._believe(page, now)
        if self._page_is_short:
            self._news.page(page)
            self._events += self._news.ripe()
        if self.record(self._page_for.first) is not None:
            self._page.answered()
        else:
            self._page.failed(now)  # not there yet, or not any more

    def _learn_keys(self, keys: Sequence[Key]) -> None:
        """The last page says which keys there are."""
        if keys:
            self._keys.clear()
            self._keys.update({key.id: key for key in keys})

    def _take_offer(self, offer: Offer, now: float) -> None:
        """An offer is proved, and counts unless something newer has come meanwhile."""
        page = offer.records.page
        if not self._segments.fits(page):
            return
        self._believe(page, now)
        for record, hashes in zip(page.segments, offer.hashes, strict=True):
            self._know(record, hashes)
        self._events += self._news.proved(offer.records, offer.link)

    def _believe(self, page: RenditionManifest, now: float) -> None:
        ahead = page.time - now * 1000
        self._clock = ahead if self._clock is None else max(self._clock, ahead)
        if self._segments.believe(page):
            self._news.renewed()
            self._events.append(Renewed())

    def _know(self, record: SegmentRecord, hashes: list[bytes]) -> None:
        if self._segments.know(record, hashes):
            self._events.append(Known(record.sequence))

    def _take_hashes(self, sequences: Span, data: bytes | None, now: float) -> None:
        records = [self.record(s) for s in sequences.numbers()]
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
        hashes = [joined[at : at + HASH_SIZE] for at in range(0, len(joined), HASH_SIZE)]
        check = next(self._numbers)
        self._claims[check] = _Claim(record, hashes)
        preimage = root_input(self.content, self.rendition, record.sequence, record.length, hashes)
        self._events.append(Check(check, preimage, bytes.fromhex(record.root)))

    def _decide(self, claim: _Claim, ok: bool, now: float) -> None:
        """A check has answered."""
        if not ok:
            self._proof.failed(now)
            return
        if not self._claims and self._proof.since is not None:
            self._proof.answered()
        self._know(claim.record, claim.hashes)
        self._events += self._news.ripe()
