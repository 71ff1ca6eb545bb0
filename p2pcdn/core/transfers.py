"""Everything that is on its way in, and what has arrived: manifests, transfers, fetches, the store.

This machine knows sources only by what they bring; whom to ask is the scheduler's business. A chunk
that passes its check is stored and reported as `Kept`; one that fails as `ChunkRejected`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import count
from math import inf

from p2pcdn.core.account import Moved
from p2pcdn.core.bits import run
from p2pcdn.core.http import Http
from p2pcdn.core.manifest import Keys, Known, Manifest, Renewed
from p2pcdn.core.news import Learned
from p2pcdn.core.offers import Forged
from p2pcdn.core.ports import (
    AbortRange,
    Check,
    Checked,
    ChunkRejected,
    Demand,
    Event,
    FetchRange,
    HashesArrived,
    Loaded,
    ManifestArrived,
    ManifestFailed,
    RangeData,
    RangeDone,
    RangeFailed,
    Recalled,
    Rule,
    SegmentFailed,
    SegmentReady,
    Verify,
)
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.core.transfer import SILENCE, Copy, Fetch, Transfer
from p2pcdn.errors import SourceReason
from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey, Span, bytes_of, chunk_count, chunk_length
from p2pcdn.wire.manifest import Records

MOST_FAILURES = 3
"""So often the origin may fail a segment before the player is told to try by itself."""
USUAL_BYTES = 1_000_000
"""Of a segment, where nothing is known of its like."""
MOST_WAITING = 8
"""Segments loaded past us that may wait for their hashes."""
MOST_AHEAD = 1024
"""Segments of which it is remembered that the player was not given what has come of them: twice as
many as the account keeps waiting, so that none counts as given because it was forgotten."""
MOST_KNOWN = 256
"""Segments of which it is remembered when they became known."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A chunk was verified and is held now. ``link`` is who brought it, if a link did."""

    key: ChunkKey
    link: int | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A chunk is held no longer, or will not come from the origin after all."""

    segment: SegmentKey
    chunks: list[int]


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A demand for a segment that is not known yet."""

    deadline: float
    """When the play head gets there."""
    until: float
    """When the player is told to load it by itself."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A segment of so many chunks is no longer what was asked of links."""

    segment: SegmentKey
    chunks: int


@dataclass(frozen=True, slots=True)
class Anew:
    """A rendition has begun anew; what was held of it, or on its way, is given up."""

    rendition: str


TransferEvent = Event | Kept | Dropped | Forgotten | Anew | Learned | Forged


class Transfers:
    """The incoming half of a node for one content."""

    def __init__(self, content: str, store: Store, stats: Stats, numbers: count[int]) -> None:
        self.store = store
        self.http = Http()
        self.stats = stats
        self.wasted = 0
        """Bytes that arrived and were not kept."""
        self.from_origin = Moved()
        """Chunks of which the origin has sent something, of whatever use, since the last report."""
        self.ahead: dict[SegmentKey, None] = {}
        """Segments of which links, or the origin before the player had asked for it, have brought
        us something, and the player was not given."""
        self._from_links = 0
        """Bytes that links have brought, of whatever use."""
        self._content = content
        self._numbers = numbers
        self._manifests: dict[str, Manifest] = {}
        self._keys: Keys = {}
        self._transfers: dict[SegmentKey, Transfer] = {}
        self._fetches: dict[int, Fetch] = {}
        self._checks: dict[int, Manifest | Transfer] = {}
        self._awaited: dict[SegmentKey, _Awaited] = {}
        """Demanded, and not known yet."""
        self._waiting: dict[SegmentKey, Loaded] = {}
        self._known_at: dict[SegmentKey, float] = {}
        self._manifests_at = inf
        """When a manifest has to look at the clock."""
        self._events: list[TransferEvent] = []

    # What is known

    def manifest(self, rendition: str) -> Manifest:
        """What is known of a rendition."""
        if rendition not in self._manifests:
            self._manifests[rendition] = Manifest(
                self._content, rendition, self._numbers, self._keys
            )
        return self._manifests[rendition]

    def era(self, rendition: str) -> int:
        """When a rendition began, as far as that is known; 0 if it is not."""
        manifest = self._manifests.get(rendition)
        return 0 if manifest is None else manifest.era

    def knows(self, key: SegmentKey) -> bool:
        """Whether the segment can be verified, and so be had from anybody."""
        manifest = self._manifests.get(key.rendition)
        return manifest is not None and manifest.knows(key.sequence)

    def known_at(self, key: SegmentKey, now: float) -> float:
        """When a segment became known."""
        return self._known_at.get(key, now)

    def holds(self, key: SegmentKey) -> bool:
        """Whether all of a segment is held."""
        record = self.manifest(key.rendition).record(key.sequence)
        return record is not None and self.store.mask(key) == run(0, record.chunks - 1)

    def usual_bytes(self, rendition: str) -> int:
        """What a segment of a rendition weighs, as far as we know."""
        return self.manifest(rendition).usual_bytes() or USUAL_BYTES

    def open(self) -> Iterable[Transfer]:
        """The transfers that are not complete."""
        return self._transfers.values()

    def transfer(self, key: SegmentKey) -> Transfer | None:
        return self._transfers.get(key)

    # What is wanted

    def demand(self, demand: Demand, company: bool, now: float) -> None:
        """The player asks for a segment. One that is not known yet may become so, if there is time
        and somebody who could bring it: records of a live stream come from neighbours, a moment
        after the playlist that names their segment."""
        self._awaited.pop(demand.key, None)
        deadline = now + demand.within
        if self._demand(demand.key, deadline, now):
            return
        until = deadline - self.http.takes(self.usual_bytes(demand.key.rendition))
        # Who is in no hurry may wait for what the origin says, too.
        if (company or demand.within == inf) and until > now:
            self._awaited[demand.key] = _Awaited(deadline, until)
        else:
            self._events.append(SegmentFailed(demand.key, SourceReason.MISSING))

    def _demand(self, key: SegmentKey, deadline: float, now: float) -> bool:
        transfer = self.begin(key, now)
        if transfer is None:
            return False
        if transfer.demanded is None:
            transfer.since = now
        transfer.demanded = deadline
        self._finish(transfer)
        return True

    def release(self, key: SegmentKey) -> None:
        """The player no longer asks for it; what has arrived stays."""
        self._awaited.pop(key, None)
        transfer = self._transfers.get(key)
        if transfer is not None:
            transfer.demanded = None
            for fetch in self._fetches_of(key):
                self._abort(fetch)
                self._dropped(fetch)

    def begin(self, key: SegmentKey, now: float) -> Transfer | None:
        """The transfer of a segment, begun if need be; None if it can't be verified yet."""
        transfer = self._transfers.get(key)
        if transfer is None and self.knows(key):
            record = self.manifest(key.rendition).record(key.sequence)
            if record is not None:
                hashes = self.manifest(key.rendition).hashes(key.sequence)
                transfer = Transfer.of(key, record, hashes, self.store.mask(key), now)
                transfer.known_at = self.known_at(key, now)
                self._transfers[key] = transfer
        return transfer

    def keep_only(self, wanted: Collection[SegmentKey]) -> list[Transfer]:
        """End the transfers that are neither demanded nor wanted ahead; returns them."""
        ended = [
            t
            for t in self._transfers.values()
            if t.demanded is None and t.key not in wanted and not t.busy
        ]
        for transfer in ended:
            del self._transfers[transfer.key]
        return ended

    def need(self, wanted: dict[str, list[int]], hold: dict[int, float], now: float) -> None:
        """These segments' records and hashes are needed, in this order; those that ``hold`` names
        not before then, since neighbours are about to tell them."""
        for key in [*self._awaited, *self._waiting]:
            sequences = wanted.setdefault(key.rendition, [])
            if key.sequence not in sequences:
                sequences.append(key.sequence)
        for rendition, sequences in wanted.items():
            manifest = self.manifest(rendition)
            if sequences or manifest.needs:
                manifest.need(sequences, now, hold)
                self._gather(manifest, now)

    def offered(self, records: Records, link: int | None, now: float) -> None:
        """Somebody says what some live segments are, over a link or over the tracker's socket."""
        manifest = self._manifests.get(records.page.rendition)
        if manifest is not None:
            manifest.offered(records, link, now)
            self._gather(manifest, now)

    def fetch(self, transfer: Transfer, chunks: Span, rule: Rule, now: float) -> None:
        """Ask the origin for a run of chunks."""
        transfer.asked_origin(chunks)
        length = transfer.record.length
        fetch = Fetch(next(self._numbers), transfer.key, length, chunks, fresh=transfer.stale)
        fetch.beside = self._from_links
        fetch.heard = now
        self._fetches[fetch.number] = fetch
        coming = sum(other.due for other in self._fetches.values())  # they share the line
        fetch.expected = now + self.http.takes(coming)
        span = bytes_of(length, chunks)
        whole = span == Span(0, length - 1)
        self._events.append(
            FetchRange(fetch.number, transfer.key, span, whole, transfer.stale, rule)
        )

    def fetched(self, key: SegmentKey, now: float) -> tuple[int, int]:
        """The chunks of a segment that answers of the origin are still to bring, and those of them
        that are late."""
        left = late = 0
        for fetch in self._fetches_of(key):
            chunks = run(fetch.left().start, fetch.left().stop - 1)
            left |= chunks
            late |= chunks if fetch.late_at <= now else 0
        return left, late

    def comes_until(self, key: SegmentKey) -> float:
        """Until when the origin counts as bringing some of a segment, unless more of it comes."""
        return max((fetch.heard + SILENCE for fetch in self._fetches_of(key)), default=-inf)

    def late_at(self, now: float) -> float:
        """When the next answer of the origin will be late; infinity if none is under way that is
        not late already."""
        times = (fetch.late_at for fetch in self._fetches.values())
        return min((at for at in times if at > now), default=inf)

    def overslept(self, late: float, now: float) -> None:
        """For so many seconds nobody took in what the origin brought, nor what was checked."""
        for fetch in self._fetches.values():
            fetch.heard = min(fetch.heard + late, now)
            fetch.expected += late
        for transfer in self._transfers.values():
            transfer.overslept(late, now)

    def loading(self) -> dict[SegmentKey, list[int]]:
        """What the origin is about to bring."""
        loading: dict[SegmentKey, list[int]] = {}
        for key in self._transfers:
            loading[key] = [chunk for fetch in self._fetches_of(key) for chunk in fetch.left()]
        return loading

    def from_link(self, link: int, key: ChunkKey, data: bytes, now: float) -> bool:
        """A link brought a chunk; whether anybody still has a use for it."""
        self._from_links += len(data)
        transfer = self._transfers.get(key.segment)
        if transfer is None:
            self.wasted += len(data)
            return False
        return self._arrived(transfer, Copy(key.chunk, data, link=link), now)

    def lost(self, key: ChunkKey) -> None:
        """A link will not bring a chunk."""
        transfer = self._transfers.get(key.segment)
        if transfer is not None:
            transfer.lost(key.chunk, origin=False)
            self._back_to_origin(transfer, key.chunk)

    def evict(self, head: int, ahead: Collection[SegmentKey]) -> None:
        """Keep the store within its bound."""
        if self.store.size <= self.store.limit:
            return
        pinned = set(ahead) | set(self._transfers)
        for segment, chunks in self.store.evict(head, pinned).items():
            self._events.append(Dropped(segment, chunks))

    # The five verbs

    def receive(
        self,
        message: ManifestArrived
        | ManifestFailed
        | HashesArrived
        | Loaded
        | Recalled
        | RangeData
        | RangeDone
        | RangeFailed
        | Checked,
        now: float,
    ) -> None:
        match message:
            case ManifestArrived(page):
                self._manifest(page.rendition, message, now)
            case ManifestFailed(rendition) | HashesArrived(rendition=rendition):
                self._manifest(rendition, message, now)
            case Loaded():
                self._loaded(message, now)
            case Recalled():
                self._recalled(message, now)
            case RangeData(fetch=number, data=data):
                self._range_data(number, data, now)
            case RangeDone():
                self._range_done(message, now)
            case RangeFailed(fetch=number, reason=reason):
                self._range_failed(number, reason, now)
            case Checked(check=check, ok=ok):
                self._checked(check, ok, now)

    def timer_at(self) -> float | None:
        earliest = self._manifests_at
        for transfer in self._transfers.values():
            at = transfer.timer_at()
            if at is not None and at < earliest:
                earliest = at
        for awaited in self._awaited.values():
            earliest = min(earliest, awaited.until)
        return None if earliest == inf else earliest

    def on_timer(self, now: float) -> None:
        for key in [key for key, awaited in self._awaited.items() if awaited.until <= now]:
            del self._awaited[key]
            self._events.append(SegmentFailed(key, SourceReason.MISSING))
        if self._manifests_at <= now:
            for manifest in self._manifests.values():
                manifest.on_timer(now)
                self._gather(manifest, now)
        for transfer in list(self._transfers.values()):
            for check in transfer.checks_before(now):
                self._checked(check, None, now)

    @property
    def has_events(self) -> bool:
        """Whether `take_events` would bring any."""
        return bool(self._events)

    def take_events(self) -> list[TransferEvent]:
        events, self._events = self._events, []
        return events

    # Manifests

    def _manifest(
        self,
        rendition: str,
        message: ManifestArrived | ManifestFailed | HashesArrived,
        now: float,
    ) -> None:
        manifest = self.manifest(rendition)
        manifest.receive(message, now)
        self._gather(manifest, now)

    def _gather(self, manifest: Manifest, now: float) -> None:
        for event in manifest.take_events():
            match event:
                case Known(sequence):
                    self._known(SegmentKey(manifest.rendition, sequence), now)
                case Renewed():
                    self._renew(manifest.rendition)
                case Check(check=check) | Verify(check=check):
                    self._checks[check] = manifest
                    self._events.append(event)
                case _:
                    self._events.append(event)
        times = [manifest.timer_at() for manifest in self._manifests.values()]
        self._manifests_at = min((at for at in times if at is not None), default=inf)

    def _renew(self, rendition: str) -> None:
        """The rendition has begun anew: nothing that is held of it is what it was."""
        for key in dict.fromkeys((*self._transfers, *self.store.segments())):
            if key.rendition == rendition:
                self._forget(key)
        self._events.append(Anew(rendition))

    def _forget(self, key: SegmentKey) -> None:
        """The segment is no longer what it was."""
        self._known_at.pop(key, None)
        transfer = self._transfers.pop(key, None)
        if transfer is not None and transfer.demanded is not None:
            self._events.append(SegmentFailed(key, SourceReason.INTEGRITY))
        for fetch in self._fetches_of(key):
            self._abort(fetch)
            self._dropped(fetch)
        chunks = self.store.drop(key)
        if chunks:
            self._events.append(Dropped(key, chunks))
        if transfer is not None:
            self._events.append(Forgotten(key, transfer.record.chunks))

    # Arrivals

    def _loaded(self, loaded: Loaded, now: float) -> None:
        transfer = self._transfers.get(loaded.key)
        # What is being checked will count for whoever brought it.
        there = self.store.size_of(loaded.key) + (transfer.bytes_checking() if transfer else 0)
        held = min(there, len(loaded.data))
        self.wasted += held
        if loaded.cached:
            self.stats.cache_bytes += len(loaded.data) - held
        else:
            self.stats.origin_bytes += len(loaded.data) - held
            last = chunk_count(len(loaded.data)) - 1
            self.from_origin.add_run(loaded.key, 0, last, len(loaded.data) - last * CHUNK_SIZE)
        if loaded.took and not loaded.cached:
            at = now if loaded.at is None else loaded.at
            self.http.answered(len(loaded.data), loaded.ttfb, loaded.took, at)
        if self.knows(loaded.key):
            self._adopt(loaded, now)
            return
        self._waiting[loaded.key] = loaded
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def _adopt(self, loaded: Loaded, now: float) -> None:
        """Take what was loaded past us apart, to check and share it."""
        transfer = self.begin(loaded.key, now)
        if transfer is None or transfer.record.length != len(loaded.data):
            return  # not what the manifest says: of no use to anybody else
        for chunk in range(chunk_count(len(loaded.data))):
            start = chunk * CHUNK_SIZE
            copy = Copy(chunk, loaded.data[start : start + CHUNK_SIZE])
            self._arrived(transfer, copy, now)

    def _recalled(self, recalled: Recalled, now: float) -> None:
        """What is still there from before is held again, and announced."""
        transfer = self.begin(recalled.key, now)
        if transfer is None or not transfer.recalled(recalled.chunk):
            return
        key = ChunkKey(*recalled.key, recalled.chunk)
        self.store.put(key, recalled.data)
        self._events.append(Kept(key, None))
        self._spare(transfer)
        self._finish(transfer)

    def _arrived(self, transfer: Transfer, copy: Copy, now: float) -> bool:
        """Whether a chunk that is there now is one more."""
        check = transfer.arrived(copy, self._numbers, now)
        if check is None:
            self._waste(copy)
            return False
        self._checks[check.check] = transfer
        self._events.append(check)
        return True

    def _waste(self, copy: Copy) -> None:
        """The copy is not kept. What the shell loaded past us went to the player all the same."""
        if copy.link is not None or copy.fetch is not None:
            self.wasted += len(copy.data)

    def _checked(self, check: int, ok: bool | None, now: float) -> None:
        """What a check said; None: nothing, for too long."""
        owner = self._checks.pop(check, None)
        if isinstance(owner, Manifest):
            owner.checked(check, bool(ok), now)
            self._gather(owner, now)
        elif owner is not None:
            copy = owner.checked(check, bool(ok))
            if self._transfers.get(owner.key) is not owner:
                self._waste(copy)  # the segment is no longer what the copy was checked against
            elif ok:
                self._keep(owner, copy)
            else:
                self._reject(owner, copy, ok is not None, now)

    def _known(self, key: SegmentKey, now: float) -> None:
        """The segment can be verified from now on."""
        self._known_at[key] = now
        if len(self._known_at) > MOST_KNOWN:
            del self._known_at[next(iter(self._known_at))]
        loaded = self._waiting.pop(key, None)
        if loaded is not None:
            self._adopt(loaded, now)
        awaited = self._awaited.pop(key, None)
        if awaited is not None:
            self._demand(key, awaited.deadline, now)

    def _keep(self, transfer: Transfer, copy: Copy) -> None:
        key = ChunkKey(transfer.key.rendition, transfer.key.sequence, copy.chunk)
        self.store.put(key, copy.data)
        self._count(copy)
        # What the player has asked the origin for, a plain one would have asked for as well.
        if copy.link is not None or (copy.fetch is not None and transfer.demanded is None):
            self._lies_ahead(transfer.key)
        self._events.append(Kept(key, copy.link))
        self._spare(transfer)
        self._finish(transfer)

    def _lies_ahead(self, key: SegmentKey) -> None:
        """The player has not been given what has come of it; nor has he if the store drops it."""
        self.ahead.pop(key, None)
        self.ahead[key] = None
        if len(self.ahead) > MOST_AHEAD:
            del self.ahead[next(iter(self.ahead))]

    def _reject(self, transfer: Transfer, copy: Copy, proved: bool, now: float) -> None:
        self.stats.rejected_chunks += 1
        self._waste(copy)
        self._events.append(ChunkRejected(transfer.key, copy.chunk, copy.link, proved))
        if not self._back_to_origin(transfer, copy.chunk) and copy.fetch is not None:
            self._events.append(Dropped(transfer.key, [copy.chunk]))
        if copy.link is None:
            self.stats.origin_mismatches += 1
            transfer.stale = True
        if copy.fetch is not None:
            self._blame(copy.fetch, SourceReason.INTEGRITY, now)

    def _back_to_origin(self, transfer: Transfer, chunk: int) -> bool:
        """Somebody does not bring the chunk: an answer of the origin may still be about to."""
        coming = any(chunk in fetch.left() for fetch in self._fetches_of(transfer.key))
        if coming and transfer.missing >> chunk & 1:
            transfer.asked_origin(Span(chunk, chunk))
        return coming

    def _count(self, copy: Copy) -> None:
        size = len(copy.data)
        if copy.link is not None:
            self.stats.peer_bytes += size
        elif copy.fetch is not None:
            copy.fetch.kept += size
            if copy.fetch.number not in self._fetches:
                self._settle(copy.fetch)

    def _settle(self, fetch: Fetch) -> None:
        """Enter what a fetch has brought, which is over, into the figures."""
        if fetch.cached:
            self.stats.cache_bytes += fetch.kept
        else:
            self.stats.origin_bytes += fetch.kept
        fetch.kept = 0

    def _finish(self, transfer: Transfer) -> None:
        """Hand a complete segment to the player, if he asked for it."""
        if not transfer.complete:
            return
        self._transfers.pop(transfer.key, None)
        if transfer.demanded is not None:
            self.ahead.pop(transfer.key, None)
            data = self.store.assemble(transfer.key)
            self._events.append(
                SegmentFailed(transfer.key, SourceReason.INTEGRITY)
                if data is None
                else SegmentReady(transfer.key, data, transfer.origin_bytes, transfer.peer_bytes)
            )

    # The origin

    def _range_data(self, number: int, data: bytes, now: float) -> None:
        fetch = self._fetches.get(number)
        if fetch is None:
            self.wasted += len(data)
            return
        fetch.heard = now
        whole = fetch.take(data)
        if whole is None:
            self._abort(fetch)
            self._failed(fetch, SourceReason.LENGTH, now)
            return
        transfer = self._transfers.get(fetch.key)
        for chunk, piece in whole:
            if transfer is None:
                self.wasted += len(piece)
            else:
                self._arrived(transfer, Copy(chunk, piece, fetch=fetch), now)

    def _range_done(self, done: RangeDone, now: float) -> None:
        fetch = self._fetches.get(done.fetch)
        if fetch is None:
            return
        fetch.cached = done.cached
        self._close(fetch)
        if not done.cached:
            beside = self._from_links - fetch.beside
            self.http.answered(fetch.received, done.ttfb, done.took, now, beside)
        if fetch.left():
            self._failed(fetch, SourceReason.LENGTH, now)

    def _range_failed(self, number: int, reason: SourceReason, now: float) -> None:
        fetch = self._fetches.get(number)
        if fetch is not None:
            self._close(fetch)
            self._failed(fetch, reason, now)

    def _failed(self, fetch: Fetch, reason: SourceReason, now: float) -> None:
        self._dropped(fetch)
        self._blame(fetch, reason, now)

    def _dropped(self, fetch: Fetch) -> None:
        """What a fetch has not brought may come from elsewhere, and nobody need wait for us."""
        transfer = self._transfers.get(fetch.key)
        if transfer is not None:
            for chunk in fetch.left():
                transfer.lost(chunk, origin=True)
        held = self.store.chunks(fetch.key)
        lost = [chunk for chunk in fetch.left() if chunk not in held]
        if lost:
            self._events.append(Dropped(fetch.key, lost))

    def _blame(self, fetch: Fetch, reason: SourceReason, now: float) -> None:
        """The origin failed, once a fetch; after too many the player has to try by itself, and at
        once if no cache is to blame for what is wrong."""
        transfer = self._transfers.get(fetch.key)
        if transfer is None or fetch.blamed:
            return
        fetch.blamed = True
        transfer.origin_failed(now)
        hopeless = reason is SourceReason.INTEGRITY and fetch.fresh
        if not hopeless and transfer.origin_failures < MOST_FAILURES:
            return
        if transfer.demanded is not None:
            self.release(transfer.key)
            self._events.append(SegmentFailed(transfer.key, reason))
        if hopeless:
            manifest = self.manifest(transfer.key.rendition)
            manifest.doubt(transfer.key.sequence, now)
            self._gather(manifest, now)

    def _spare(self, transfer: Transfer) -> None:
        """Abort the fetches of a transfer that have nothing left to bring."""
        needed = transfer.missing | transfer.peer | transfer.origin
        for fetch in self._fetches_of(transfer.key):
            left = fetch.left()
            if left and not needed & run(left.start, left.stop - 1):
                self._abort(fetch)

    def _abort(self, fetch: Fetch) -> None:
        self._close(fetch)
        self._events.append(AbortRange(fetch.number))

    def _close(self, fetch: Fetch) -> None:
        """A fetch is over, however it went."""
        del self._fetches[fetch.number]
        self._settle(fetch)
        if not fetch.cached:
            # A chunk of which it has brought a part cost the origin that part; no chunk is what it
            # brought after the last.
            last = min(fetch.left().start - (0 if fetch.rest() else 1), fetch.chunks.last)
            if last >= fetch.chunks.first:
                size = chunk_length(fetch.length, last)
                self.from_origin.add_run(fetch.key, fetch.chunks.first, last, size)
        self.wasted += fetch.rest()

    def _fetches_of(self, key: SegmentKey) -> list[Fetch]:
        return [fetch for fetch in self._fetches.values() if fetch.key == key]
