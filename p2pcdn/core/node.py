"""A peer: its machines, put together.

::

    player   --Demand, Playing-->  +----------------------------------+ --SegmentReady--> player
    origin   --RangeData, pages--> | transfers (manifests, the store) | --FetchRange----> origin
    tracker  --TrackerSays-->      | signaling        scheduler       | --TellTracker---> tracker
    links    --LinkSays, frames--> | neighbours (links)               | --TellLink------> links
                                   +----------------------------------+

A chunk's way is always the same: asked for by the scheduler's plan, arrived from a link or a range,
checked, and only then stored, used, announced, passed on and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import count
from math import inf

from p2pcdn.core.leases import Leases
from p2pcdn.core.link import Need, reason_for
from p2pcdn.core.neighbours import (
    Asked,
    Delivered,
    Down,
    Heard,
    NeighbourEvent,
    Neighbours,
    Noted,
    Undelivered,
    Up,
)
from p2pcdn.core.news import Learned
from p2pcdn.core.offers import Forged
from p2pcdn.core.playhead import Playhead
from p2pcdn.core.ports import (
    Allow,
    CandidateFound,
    ChunkRejected,
    CloseLink,
    Demand,
    Described,
    Device,
    Event,
    Input,
    LinkBroke,
    LinkClosed,
    LinkDown,
    LinkDrained,
    LinkOpened,
    LinkRouted,
    LinkSays,
    LinkSends,
    LinkUp,
    Loaded,
    Outgoing,
    Playing,
    Proved,
    RangeData,
    Release,
    SegmentReady,
    TrackerDown,
    TrackerSays,
)
from p2pcdn.core.reporter import Reporter
from p2pcdn.core.scheduler import AskOrigin, AskPeer, plan
from p2pcdn.core.signaling import Identity, Signaling, State
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.core.survey import Survey
from p2pcdn.core.transfers import Anew, Dropped, Forgotten, Kept, TransferEvent, Transfers
from p2pcdn.core.trust import Trust
from p2pcdn.errors import ErrorCode
from p2pcdn.model import PROTOCOL, ChunkKey, SegmentKey, chunk_length
from p2pcdn.wire.link import Gone, Have, Hello, Loading
from p2pcdn.wire.manifest import Records, SegmentRecord
from p2pcdn.wire.tracker import (
    BeingFetched,
    Fetching,
    FromTracker,
    Importers,
    Joined,
    Moved,
    Refused,
)
from p2pcdn.wire.tracker import Leases as Granted

DECIDE_EVERY = 0.05
"""Seconds between two decisions at least: what arrives in between is decided about together."""
HURRY = 0.01
"""The same while a fast link is about to have nothing to do."""
LATE = 0.1
"""Seconds by which a timer has to be late for us to have overslept: browsers are never exact."""
STARVED = 1.0
"""Seconds after that in which it may happen again: little is asked for that is not due soon."""
STORE_BYTES = 128 * 1024 * 1024

UNWELCOME = {
    ErrorCode.UNKNOWN_SITE,
    ErrorCode.BAD_TOKEN,
    ErrorCode.EXPIRED,
    ErrorCode.REVOKED,
    ErrorCode.WRONG_ORIGIN,
    ErrorCode.SITE_OFF,
}
"""Refusals after which we may share nothing; after all others links do well without a tracker."""


class Node:
    """One peer in one swarm."""

    def __init__(
        self,
        identity: Identity,
        now: float,
        store_bytes: int = STORE_BYTES,
        store: Store | None = None,
    ) -> None:
        self._stats = Stats()
        self._identity = identity
        numbers = count(1)
        self._signaling = Signaling(identity, numbers)
        self._neighbours = Neighbours()
        self._transfers = Transfers(
            identity.content, store or Store(store_bytes), self._stats, numbers
        )
        self._governor = self._neighbours.governor
        self._p2p = True
        self._anew = False
        """Whether we have yet to learn where the player is since peers are allowed."""
        self._uploads = True
        """Whether the governor is open, as far as others were told."""
        self._playhead = Playhead()
        self._trust = Trust()
        self._leases = Leases()
        self._survey = Survey(
            self._signaling,
            self._neighbours,
            self._transfers,
            self._playhead,
            self._trust,
            self._leases,
            born=now,
        )
        self._reporter = Reporter(
            self._signaling, self._neighbours, self._transfers, self._playhead
        )
        self._dirty = False
        self._decided_at = now - DECIDE_EVERY
        self._pause = DECIDE_EVERY
        """Seconds from then to the next decision, if there is something to decide."""
        self._wake_at: float | None = None
        self._due_at = inf
        """When we asked to be woken; infinity once we were, or are too late."""
        self._called_at = -inf
        """When we were called last: a time that passed before that has been seen to."""
        self._waits = False
        """Whether a decision waits for what we overslept."""
        self._settled = True
        """Whether others than the neighbours may want to be woken at another time than before."""
        self._others_at = inf
        self._events: list[Event] = []

    @property
    def stats(self) -> Stats:
        """What came from where."""
        stats, neighbours = self._stats, self._neighbours
        stats.links = len(neighbours.up())
        stats.uploaded_bytes = neighbours.sent
        stats.waste_bytes = self._transfers.wasted + neighbours.wasted
        return stats

    @property
    def store(self) -> Store:
        """What this peer holds."""
        return self._transfers.store

    @property
    def peer(self) -> str:
        """Our id in the swarm; empty until the tracker has let us in."""
        return self._signaling.peer

    def knows(self, key: SegmentKey) -> bool:
        """Whether the segment can be verified, and so be demanded."""
        return self._transfers.knows(key)

    def is_offered(self, key: SegmentKey) -> bool:
        """Whether a neighbour holds any of a segment."""
        return self._neighbours.offers(key)

    def hashes(self, key: SegmentKey) -> list[bytes]:
        """The proved hashes of a segment's chunks; none if they are not known."""
        return self._transfers.manifest(key.rendition).hashes(key.sequence)

    def record(self, key: SegmentKey) -> SegmentRecord | None:
        """What the origin says of a segment, as far as that is known."""
        return self._transfers.manifest(key.rendition).record(key.sequence)

    # The five verbs

    def receive(self, message: Input, now: float) -> None:
        """Take in anything that arrived; see `ports` for what there is."""
        self._look_at_the_clock(now)
        if isinstance(message, LinkSends):
            self._neighbours.receive(message, now)
            if self._neighbours.has_events:
                self._settle(now)
            return
        if isinstance(message, LinkDrained):
            self._neighbours.drained(message.link, message.buffered, now)
            return
        if isinstance(message, LinkSays):
            self._neighbours.receive(message, now)
            self._settle(now)
            return
        self._settled = True
        match message:
            case RangeData():
                self._transfers.receive(message, now)
                self._settle(now)
                return
            case TrackerSays() if not self._p2p:
                return  # the shell closes the socket as soon as it can
            case Demand():
                self._playhead.asked(message.key)
                self._transfers.demand(message, self._survey.has_company(now), now)
                self._hurry()
            case Release(key):
                self._transfers.release(key)
                self._hurry()
            case Playing():
                if self._playhead.moved(message, now):
                    self._trust.stalled(now)
                self._reporter.moved(self._uploads)
            case Allow():
                self._permit(message, now)
            case Device():
                self._governor.device = message
                self._weigh(now)
            case LinkBroke(link, code):
                error = ErrorCode(code)
                self._neighbours.end(link, reason_for(error), now, error)
            case LinkOpened(link):
                self._signaling.receive(message, now)
                if self._signaling.pairing_of(link) is not None:
                    self._neighbours.opened(link, self._hello(), now)
            case LinkRouted(link, route, rtt):
                self._neighbours.routed(link, route, rtt)
            case LinkClosed(link, reason):
                self._neighbours.closed(link, reason, now)
                self._pass_on(now)  # before the pairing is forgotten: its figures count
                self._signaling.receive(message, now)
            case TrackerSays(said):
                self._instructed(said, now)
                self._signaling.receive(message, now)
                self._reporter.begin(now)
            case TrackerDown():
                self._leases.importers = False  # nobody names any now
                self._signaling.receive(message, now)
            case Proved() | Described() | CandidateFound():
                self._signaling.receive(message, now)
            case _:
                if isinstance(message, Loaded):
                    self._playhead.started = True
                self._transfers.receive(message, now)
        if self._anew:
            self._take_stock(now)
        self._dirty = True
        self._settle(now)

    def timer_at(self) -> float | None:
        if self._settled:
            self._settled = False
            earliest = inf
            for at in (
                self._signaling.timer_at(),
                self._transfers.timer_at(),
                self._reporter.timer_at(),
                self._wake_at,
            ):
                if at is not None and at < earliest:
                    earliest = at
            self._others_at = earliest
        earliest = min(self._others_at, self._neighbours.alarm)
        if self._dirty:
            earliest = min(earliest, self._decided_at + self._pause)
        self._due_at = earliest
        return None if earliest == inf else earliest

    def on_timer(self, now: float) -> None:
        self._look_at_the_clock(now)
        self._due_at = inf
        others = self._settled or self._others_at <= now
        if others:
            self._settled = True
            self._signaling.on_timer(now)
        self._neighbours.on_timer(now)
        if others:
            self._transfers.on_timer(now)
            if self._wake_at is not None and self._wake_at <= now:
                self._wake_at = None
                self._dirty = True
            self._reporter.on_timer(self._uploads, now)
        self._settle(now)

    def take_messages(self) -> list[Outgoing]:
        said = self._neighbours.take_messages()
        return self._signaling.take_messages() + said if self._signaling.has_messages else said

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def farewell(self) -> None:
        """Say the last figures and leave the swarm. Links stay; the page may be closing."""
        self._reporter.farewell()
        self._signaling.leave()

    # What the viewer and the tracker say

    def _permit(self, allow: Allow, now: float) -> None:
        if allow.p2p and (not self._p2p or self._playhead.playing is None):
            self._playhead.forget_all()
            self._anew = True
        self._p2p = self._survey.p2p = allow.p2p
        self._signaling.mode = allow.mode
        self._signaling.token = allow.token
        self._governor.permitted = allow.upload
        self._neighbours.limit(allow.caps)
        self._hurry()
        if not allow.p2p:
            self.farewell()
            self._part(now)
        self._weigh(now)

    def _take_stock(self, now: float) -> None:
        """Once we know where the player is: it may have been playing for long."""
        playing = self._playhead.playing
        duration = self._transfers.manifest(playing.rendition).usual_duration() if playing else 0
        if duration:
            self._anew = False
            self._playhead.take_stock(duration / 1000, now)

    def _weigh(self, now: float) -> None:
        """See whether we give anything; who counts on it is told when that changes."""
        uploads = self._governor.open
        if uploads == self._uploads:
            return
        self._uploads = self._signaling.upload = self._survey.upload = uploads
        if not uploads:
            self._neighbours.withdraw()
        self._neighbours.announce(Have if uploads else Gone, self._holdings(), now)
        self._reporter.tell_position(uploads)

    def _instructed(self, message: FromTracker, now: float) -> None:
        match message:
            case Granted(leases):
                self._leases.granted(leases, now)
            case Joined():
                self._leases.importers = False  # it may be another network
            case Importers(named):
                self._leases.importers = named
            case BeingFetched(rendition, sequence, stripe):
                self._leases.begun(SegmentKey(rendition, sequence), stripe, now)
            case Records():
                self._transfers.offered(message, None, now)
            case Refused(code=code, fatal=True) if code in UNWELCOME:
                self._part(now)
            case Moved() if self._signaling.state is State.IN:
                self._reporter.farewell()  # the next node knows nothing of our pairings

    def _part(self, now: float) -> None:
        """End all links."""
        for link in self._neighbours.all():
            self._neighbours.end(link, "closed", now)

    # Putting things together

    def _look_at_the_clock(self, now: float) -> None:
        since, self._called_at = max(self._due_at, self._called_at), now
        if now >= since + LATE:
            self._overslept(now - since, now)

    def _overslept(self, late: float, now: float) -> None:
        """We are called later than we asked for: the machine had no time for us. Others have not
        been silent meanwhile; what they said waits to be heard, and the decision waits for that."""
        # And a moment more, until what waits is heard.
        late += DECIDE_EVERY
        self._due_at = inf
        # Timers of a hidden page are late by a browser's intent, not for want of time.
        if not self._governor.device.hidden:
            self._survey.starved_until = now + STARVED
        self._neighbours.overslept(late, now)
        self._transfers.overslept(late, now)
        self._settled = True
        if not (self._waits and self._dirty):  # no decision is put off twice
            self._waits = True
            self._decided_at = now

    def _hurry(self) -> None:
        """What has just been said is to be decided about at once."""
        self._decided_at = -DECIDE_EVERY

    def _settle(self, now: float) -> None:
        """Pass events between the machines, and decide anew if anything changed."""
        self._pass_on(now)
        if self._dirty and self._decided_at + self._pause <= now:
            self._dirty = False
            self._pause = DECIDE_EVERY
            self._decided_at = now
            self._decide(now)
            self._pass_on(now)

    def _pass_on(self, now: float) -> None:
        self._signal(now)
        while self._neighbours.has_events or self._transfers.has_events:
            for said in self._neighbours.take_events():
                self._hear(said, now)
            if self._transfers.has_events:
                for event in self._transfers.take_events():
                    self._settled = True
                    self._take(event, now)
            self._signal(now)

    def _signal(self, now: float) -> None:
        if not self._signaling.has_events:
            return
        for event in self._signaling.take_events():
            if isinstance(event, CloseLink):
                self._neighbours.closed(event.link, "closed", now)
            self._dirty = True
            self._events.append(event)
        self._stats.link_attempts = self._signaling.attempts

    def _hear(self, event: NeighbourEvent, now: float) -> None:
        """Something that a link did."""
        self._settled = self._settled or not isinstance(event, Asked | Noted)
        match event:
            case Delivered(link, key, data):
                if not self._transfers.from_link(link, key, data, now):
                    self._neighbours.debit(link, len(data))
                self._dirty = True
                if self._neighbours.runs_dry(link):
                    self._pause = HURRY
            case Asked():
                ours = event.era == self._transfers.era(event.key.rendition)
                chunk = self.store.get(event.key) if self._uploads and ours else None
                received = self._stats.origin_bytes + self._stats.peer_bytes
                if event.need is Need.IMPORTS and not self._leases.importers:
                    event = replace(event, need=Need.USUAL)  # or who says so is always first
                self._neighbours.answer(event, chunk, received, now)
                self._weigh(now)
            case Undelivered(key):
                self._transfers.lost(key)
                self._dirty = True
            case Noted(segments, lost_by, link):
                if lost_by is not None and self._uploads:
                    self._neighbours.introduce(lost_by, self._holdings(segments), {})
                if not self._dirty:
                    self._dirty = any(self._is_of_use(s, link, now) for s in segments)
            case Heard(link, records):
                self._transfers.offered(records, link, now)
            case Up(link, peer):
                if self._uploads:
                    self._neighbours.introduce(link, self._holdings(), self._transfers.loading())
                self._events.append(LinkUp(link, peer))
                self._changed()
            case Down():
                self._down(event)

    def _is_of_use(self, segment: SegmentKey, link: int | None, now: float) -> bool:
        """Whether it matters to us now what a neighbour says of a segment. What ``link`` offers of
        one that is on its way does if it can be asked for it at once: when it is free again, that
        is news by itself."""
        transfer = self._transfers.transfer(segment)
        if transfer is None:
            return not self._transfers.holds(segment)
        chunks = transfer.missing | self._transfers.fetched(segment, now)[1]
        if link is None or not chunks:
            return chunks != 0
        return self._neighbours.can_send(link, segment, chunks, now)

    def _changed(self) -> None:
        """There are other neighbours than before."""
        self._survey.forget_ranks()
        self._dirty = True

    def _holdings(
        self, segments: Iterable[SegmentKey] | None = None
    ) -> dict[SegmentKey, Collection[int]]:
        """What we hold, of all segments or of these."""
        some = self.store.segments() if segments is None else segments
        return {segment: self.store.chunks(segment) for segment in some}

    def _announce(
        self,
        kind: type[Have | Gone | Loading],
        holdings: Mapping[SegmentKey, Iterable[int]],
        now: float,
    ) -> None:
        """Tell all neighbours; who does not upload has nothing to tell."""
        if self._uploads:
            self._neighbours.announce(kind, holdings, now)

    def _down(self, event: Down) -> None:
        self._reporter.ended(event)
        self._signaling.over(event.link, event.reason)
        self._events.append(CloseLink(event.link))
        if event.greeted:
            self._events.append(LinkDown(event.link, event.reason))
        self._changed()

    def _lied(self, link: int | None, now: float) -> None:
        """What came over a link was wrong; it may be over by now."""
        if link in self._neighbours.all():
            self._neighbours.end(link, "integrity", now)
        elif link is not None:
            self._signaling.lied(link)

    def _take(self, event: TransferEvent, now: float) -> None:
        """Something that became of a transfer."""
        match event:
            case Kept(key, link):
                self._neighbours.cancel(key)
                if link is not None:
                    self._neighbours.credit(link, key, len(self.store.get(key) or b""))
                self._announce(Have, {key.segment: [key.chunk]}, now)
                self._dirty = True
                return
            case Forgotten(segment, size):
                for chunk in range(size):
                    self._neighbours.cancel(ChunkKey(*segment, chunk))
                return
            case Anew(rendition):
                self._playhead.forget(rendition)
                self._survey.forget_seen()
                self._dirty = True
                return
            case Dropped(segment, chunks):
                self._survey.forget_held()
                self._announce(Gone, {segment: chunks}, now)
                self._dirty = True
                return
            case Learned(records, link):
                if self._uploads:
                    self._neighbours.pass_on(records, link)
                self._dirty = True
                return
            case Forged(link):
                self._lied(link, now)
                return
            case ChunkRejected(link=link, proved=proved):
                self._dirty = True
                if link is not None:
                    record = self.record(event.key)
                    size = chunk_length(record.length, event.chunk) if record else 0
                    self._neighbours.debit(link, size, rejected=proved)
                if proved:
                    self._lied(link, now)
                elif link is not None:
                    self._neighbours.end(link, "timeout", now)
            case SegmentReady():
                self._playhead.started = True
                self._leases.done(event.key)
                self._trust.delivered(event.peer_bytes / max(len(event.data), 1))
        self._events.append(event)

    # Deciding

    def _decide(self, now: float) -> None:
        self._settled = True
        self._waits = False
        wanted = self._survey.wanted(now)
        self._transfers.need(*self._survey.needed(wanted, now), now)
        for key in wanted:
            self._transfers.begin(key, now)
        self._transfers.keep_only(wanted)
        decision = plan(self._survey.view(wanted, now), now)
        self._wake_at = decision.wake_at
        for ask in decision.asks:
            if isinstance(ask, AskPeer):
                self._ask_peer(ask, now)
            else:
                self._ask_origin(ask, now)
        late_at = self._transfers.late_at(now)
        if late_at < (inf if self._wake_at is None else self._wake_at):
            self._wake_at = late_at
        if self._playhead.playing is not None:
            self._transfers.evict(self._playhead.playing.head, wanted)

    def _ask_peer(self, ask: AskPeer, now: float) -> None:
        transfer = self._transfers.transfer(ask.key)
        if transfer is not None:
            transfer.asked_peer(ask.chunk)
            length = transfer.length_of(ask.chunk)
            era = self._transfers.era(ask.key.rendition)
            self._neighbours.want(ask.link, ask.chunk_key, length, ask.need, now, era)

    def _ask_origin(self, ask: AskOrigin, now: float) -> None:
        transfer = self._transfers.transfer(ask.key)
        if transfer is None:
            return
        self._transfers.fetch(transfer, ask.chunks, ask.rule, now)
        self._announce(Loading, {ask.key: ask.chunks.numbers()}, now)
        for stripe in self._leases.use(ask.key, transfer.record.chunks, ask.chunks):
            self._signaling.tell(Fetching(ask.key.rendition, ask.key.sequence, stripe))
        if ask.rescue and not transfer.rescued:
            transfer.rescued = True
            share = transfer.bytes_missing() / transfer.record.length
            duration = self._survey.duration(ask.key.rendition)
            self._trust.rescued(share, duration, self._playhead.target, now)

    # The other ends

    def _hello(self) -> Hello:
        return Hello(PROTOCOL, self._identity.content, self.peer, self._uploads)
