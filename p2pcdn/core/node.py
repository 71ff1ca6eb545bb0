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
from itertools import count

from p2pcdn.core.neighbours import (
    Asked,
    Delivered,
    Down,
    NeighbourEvent,
    Neighbours,
    Undelivered,
    Up,
)
from p2pcdn.core.ports import (
    Allow,
    CandidateFound,
    ChunkRejected,
    CloseLink,
    Demand,
    Described,
    Event,
    Input,
    LinkBroke,
    LinkClosed,
    LinkDown,
    LinkDrained,
    LinkOpened,
    LinkSays,
    LinkSends,
    LinkUp,
    Loaded,
    MakeAnswer,
    MakeOffer,
    Outgoing,
    Playing,
    RangeData,
    Release,
    SegmentReady,
    TrackerDown,
    TrackerSays,
)
from p2pcdn.core.rank import rank_of
from p2pcdn.core.scheduler import (
    AskOrigin,
    AskPeer,
    ChunkView,
    SegmentView,
    View,
    plan,
)
from p2pcdn.core.signaling import CONNECT_TIMEOUT, Identity, Signaling, State
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.core.transfer import ChunkState, Transfer
from p2pcdn.core.transfers import Dropped, Kept, TransferEvent, Transfers
from p2pcdn.errors import ErrorCode
from p2pcdn.model import PROTOCOL, SegmentKey
from p2pcdn.wire.link import Gone, Have, Hello, Loading
from p2pcdn.wire.tracker import Move, PairReport, Position, Report

AHEAD = 60.0
"""Seconds of media ahead of what the player has asked for that peers may bring."""
MOST_AHEAD = 64
"""The same in segments, whatever their length."""
USUAL_DURATION = 4.0
"""Seconds a segment, where no record says otherwise."""
HOPE = 2.0
"""Seconds after the start for which a first link is waited for, where there is time to wait."""
STORE_BYTES = 128 * 1024 * 1024
MOST_PAIRS = 64
"""Pairs a report (the wire's own bound)."""


class Node:
    """One peer in one swarm."""

    def __init__(self, identity: Identity, now: float, store_bytes: int = STORE_BYTES) -> None:
        self.stats = Stats()
        self._identity = identity
        numbers = count(1)
        self._signaling = Signaling(identity, numbers)
        self._neighbours = Neighbours()
        self._transfers = Transfers(identity.content, Store(store_bytes), self.stats, numbers)
        self._allow = Allow(p2p=True, upload=True)
        self._playing: Playing | None = None
        self._reached: dict[str, int] = {}
        """The newest segment of each rendition that the player asked for."""
        self._started = False
        self._born = now
        self._dirty = False
        self._wake_at: float | None = None
        self._report_at: float | None = None
        self._reported: Report | None = None
        self._moved: Position | None = None
        self._ended: list[PairReport] = []
        """Links that ended since the last report, or before it could be sent."""
        self._events: list[Event] = []

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

    # The five verbs

    def receive(self, message: Input, now: float) -> None:
        """Take in anything that arrived; see `ports` for what there is."""
        match message:
            case LinkDrained(link, buffered):
                self._neighbours.drained(link, buffered)
                self._settle(now)
                return
            case LinkSends():
                self._neighbours.receive(message, now)
                self._settle(now)
                return
            case RangeData():
                self._transfers.receive(message, now)
                self._settle(now)
                return
            case TrackerSays() if not self._allow.p2p:
                return  # the shell closes the socket as soon as it can
            case Demand():
                self._reached[message.key.rendition] = message.key.sequence
                company = bool(self._neighbours.up())
                self._transfers.demand(message, company, now)
            case Release(key):
                self._transfers.release(key)
            case Playing():
                self._playing = message
            case Allow():
                self._permit(message, now)
            case LinkSays():
                self._neighbours.receive(message, now)
            case LinkBroke(link, code):
                self._neighbours.end(link, "protocol", now, ErrorCode(code))
            case LinkOpened(link):
                self._signaling.receive(message, now)
                if self._signaling.pairing_of(link) is not None:
                    self._neighbours.opened(link, self._hello(), now)
            case LinkClosed(link, reason):
                self._neighbours.closed(link, reason, now)
                self._pass_on(now)  # before the pairing is forgotten: its figures count
                self._signaling.receive(message, now)
            case TrackerSays() | TrackerDown() | Described() | CandidateFound():
                self._signaling.receive(message, now)
                self._report_from(now)
            case _:
                if isinstance(message, Loaded):
                    self._started = True
                self._transfers.receive(message, now)
        self._dirty = True
        self._settle(now)

    def timer_at(self) -> float | None:
        machines = (self._signaling, self._neighbours, self._transfers)
        times = [machine.timer_at() for machine in machines]
        times += [self._wake_at, self._report_at]
        return min((at for at in times if at is not None), default=None)

    def on_timer(self, now: float) -> None:
        self._signaling.on_timer(now)
        self._neighbours.on_timer(now)
        self._transfers.on_timer(now)
        if self._wake_at is not None and self._wake_at <= now:
            self._dirty = True
        if self._report_at is not None and self._report_at <= now:
            self._report(now)
        self._settle(now)

    def take_messages(self) -> list[Outgoing]:
        return self._signaling.take_messages() + self._neighbours.take_messages()

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # The player

    def _permit(self, allow: Allow, now: float) -> None:
        before, self._allow = self._allow, allow
        self._signaling.upload = allow.upload
        if not allow.p2p:
            self.farewell()
            for link in self._neighbours.all():
                self._neighbours.end(link, "closed", now)
            return
        if allow.upload != before.upload:
            kind = Have if allow.upload else Gone
            self._neighbours.announce(kind, self._holdings(), now)
        self._signaling.tell(Move(allow.upload, self._position()))

    def _ahead(self) -> list[SegmentKey]:
        """The segments that lie ahead of what the player has asked for: at least one, but no more
        than fit into half of the store, or they would drive one another out."""
        playing = self._playing
        if playing is None:
            return []
        reached = self._reached.get(playing.rendition, playing.head - 1)
        first = max(reached + 1, playing.head)
        most = min(max(int(AHEAD / self._duration(playing)), 1), MOST_AHEAD)
        room = self.store.limit // 2
        ahead: list[SegmentKey] = []
        for sequence in range(first, min(playing.last, first + most - 1) + 1):
            record = self._transfers.manifest(playing.rendition).record(sequence)
            room -= record.length if record else 0
            if ahead and room < 0:
                break
            ahead.append(SegmentKey(playing.rendition, sequence))
        return ahead

    def _duration(self, playing: Playing) -> float:
        record = self._transfers.manifest(playing.rendition).record(playing.head)
        return record.duration / 1000 if record and record.duration else USUAL_DURATION

    # Putting things together

    def _settle(self, now: float) -> None:
        """Pass events between the machines, and decide anew if anything changed."""
        self._pass_on(now)
        if self._dirty:
            self._dirty = False
            self._decide(now)
            self._pass_on(now)
        self.stats.links = len(self._neighbours.up())
        self.stats.uploaded_bytes = self._neighbours.sent
        self.stats.waste_bytes = self._transfers.wasted + self._neighbours.wasted

    def _pass_on(self, now: float) -> None:
        while True:
            heard = self._neighbours.take_events()
            came = self._transfers.take_events()
            self._signal(now)
            if not heard and not came:
                return
            for said in heard:
                self._hear(said, now)
            for event in came:
                self._take(event, now)

    def _signal(self, now: float) -> None:
        for event in self._signaling.take_events():
            if isinstance(event, MakeOffer | MakeAnswer):
                self.stats.link_attempts += 1
            elif isinstance(event, CloseLink):
                self._neighbours.closed(event.link, "closed", now)
            self._dirty = True
            self._events.append(event)

    def _hear(self, event: NeighbourEvent, now: float) -> None:
        """Something that a link did."""
        match event:
            case Up(link, peer):
                if self._allow.upload:
                    self._neighbours.introduce(link, self._holdings(), now)
                self._events.append(LinkUp(link, peer))
                self._dirty = True
            case Down():
                self._down(event)
            case Delivered(link, key, data):
                self._transfers.from_link(link, key, data, now)
                self._dirty = True
            case Undelivered(key):
                self._transfers.lost(key)
                self._dirty = True
            case Asked():
                chunk = self.store.get(event.key) if self._allow.upload else None
                self._neighbours.answer(event, chunk)

    def _holdings(self) -> dict[SegmentKey, Collection[int]]:
        return {segment: self.store.chunks(segment) for segment in self.store.segments()}

    def _announce(
        self,
        kind: type[Have | Gone | Loading],
        holdings: Mapping[SegmentKey, Iterable[int]],
        now: float,
    ) -> None:
        """Tell all neighbours; who does not upload has nothing to tell."""
        if self._allow.upload:
            self._neighbours.announce(kind, holdings, now)

    def _down(self, event: Down) -> None:
        pairing = self._signaling.pairing_of(event.link)
        if pairing is not None:
            self._ended.append(PairReport(pairing, event.received, event.sent))
        self._signaling.over(event.link, event.reason)
        self._events.append(CloseLink(event.link))
        if event.greeted:
            self._events.append(LinkDown(event.link, event.reason))
        self._dirty = True

    def _take(self, event: TransferEvent, now: float) -> None:
        """Something that became of a transfer."""
        match event:
            case Kept(key, link):
                self._neighbours.cancel(key)
                if link is not None:
                    self._neighbours.credit(link, len(self.store.get(key) or b""))
                self._announce(Have, {key.segment: [key.chunk]}, now)
                self._dirty = True
                return
            case Dropped(segment, chunks):
                self._announce(Gone, {segment: chunks}, now)
                self._dirty = True
                return
            case ChunkRejected(link=link):
                self._dirty = True
                if link is not None:
                    self._neighbours.end(link, "integrity", now)
            case SegmentReady():
                self._started = True
        self._events.append(event)

    # Deciding

    def _decide(self, now: float) -> None:
        ahead = self._ahead()
        self._need(ahead, now)
        for key in ahead:
            self._begin(key, now)
        self._transfers.keep_only(set(ahead))
        decision = plan(self._view(set(ahead), now), now)
        self._wake_at = decision.wake_at
        for ask in decision.asks:
            transfer = self._transfers.transfer(ask.key)
            if transfer is None:
                continue
            if isinstance(ask, AskPeer):
                transfer.asked_peer(ask.chunk)
                self._neighbours.want(ask.link, ask.chunk_key, transfer.length_of(ask.chunk), now)
            elif isinstance(ask, AskOrigin):
                self._transfers.fetch(transfer, ask.chunks)
                self._announce(Loading, {ask.key: ask.chunks.numbers()}, now)
        if self._playing is not None:
            self._transfers.evict(self._playing.head, ahead)

    def _need(self, ahead: list[SegmentKey], now: float) -> None:
        wanted: dict[str, list[int]] = {}
        if self._playing is not None:
            # The segments around the play head: what is loaded past us is to be shared too.
            reached = self._reached.get(self._playing.rendition, -1)
            near = range(max(self._playing.head, reached - MOST_AHEAD), reached + 1)
            wanted[self._playing.rendition] = [*near, *(key.sequence for key in ahead)]
        self._transfers.need(wanted, now)

    def _begin(self, key: SegmentKey, now: float) -> None:
        transfer = self._transfers.transfer(key)
        if transfer is None and not self._held(key):
            self._transfers.begin(key, now)

    def _held(self, key: SegmentKey) -> bool:
        record = self._transfers.manifest(key.rendition).record(key.sequence)
        return record is not None and len(self.store.chunks(key)) == record.chunks

    def _view(self, ahead: Collection[SegmentKey], now: float) -> View:
        playing = self._playing
        quiet = self._neighbours.quiet(now)
        links = [link for link in self._neighbours.views() if link.number not in quiet]
        wanted = (t for t in self._transfers.open() if t.demanded is not None or t.key in ahead)
        transfers = sorted(wanted, key=_urgency)
        numbers = [link.number for link in links]
        hopeful_until = max([self._born + HOPE, *quiet.values()])
        if self._signaling.connecting():
            hopeful_until = max(hopeful_until, now + CONNECT_TIMEOUT)
        return View(
            started=self._started,
            live=playing is not None and playing.live,
            buffer=playing.buffer if playing is not None else 0.0,
            hopeful_until=hopeful_until if self._allow.p2p else now,
            http=self._transfers.http,
            segments=[self._segment_view(t, numbers, now) for t in transfers],
            links=links,
        )

    def _segment_view(self, transfer: Transfer, links: list[int], now: float) -> SegmentView:
        chunks = tuple(
            ChunkView(
                number,
                self._neighbours.holders(transfer.key, number, links),
                self._neighbours.loaded_until(transfer.key, number, now),
                asked=transfer.states[number] is ChunkState.PEER,
            )
            for number in transfer.chunks_in(ChunkState.MISSING, ChunkState.PEER)
        )
        return SegmentView(
            key=transfer.key,
            demanded=transfer.demanded is not None,
            deadline=_urgency(transfer)[0],
            since=transfer.since,
            rank=self._rank(transfer.key),
            origin_after=transfer.origin_after,
            missing_bytes=transfer.bytes_missing(),
            chunks=chunks,
        )

    def _rank(self, segment: SegmentKey) -> int:
        """When it is our turn; who does not upload waits for all who do."""
        peers = self._neighbours.peers()
        return rank_of(self.peer, peers, segment) if self._allow.upload else len(peers)

    # The tracker

    def _hello(self) -> Hello:
        return Hello(PROTOCOL, self._identity.content, self.peer, self._allow.upload)

    def _position(self) -> Position | None:
        playing = self._playing
        if playing is None:
            return None
        held = [s.sequence for s in self.store.segments() if s.rendition == playing.rendition]
        return Position(
            playing.rendition,
            first=min(held, default=playing.head),
            head=playing.head,
            last=max(held, default=playing.head),
        )

    def _report_from(self, now: float) -> None:
        """Begin to report, once we are in; and keep the join's position fresh."""
        self._signaling.position = self._position()
        welcome = self._signaling.welcome
        if self._report_at is None and self.peer and welcome is not None:
            self._report_at = now + welcome.report_every

    def _report(self, now: float) -> None:
        welcome = self._signaling.welcome
        if welcome is None:
            return
        self._report_at = now + welcome.report_every
        position = self._position()
        if position != self._moved:
            self._moved = position
            self._signaling.tell(Move(self._allow.upload, position))
        report = self._figures()
        if report != self._reported and self._signaling.state is State.IN:
            self._reported = report
            self._signaling.tell(report)
            self._ended.clear()

    def _figures(self) -> Report:
        pairs = list(self._ended)
        for link in self._neighbours.up():
            pairing = self._signaling.pairing_of(link.number)
            if pairing is not None and (link.received or link.sent):
                pairs.append(PairReport(pairing, link.received, link.sent))
        return Report(
            origin_bytes=self.stats.origin_bytes,
            peer_bytes=self.stats.peer_bytes,
            cache_bytes=self.stats.cache_bytes,
            waste_bytes=self.stats.waste_bytes,
            rejected_chunks=self.stats.rejected_chunks,
            pairs=tuple(pairs[-MOST_PAIRS:]),
        )

    def farewell(self) -> None:
        """Say the last figures and leave the swarm. Links stay; the page may be closing."""
        self._signaling.tell(self._figures())
        self._signaling.leave()


def _urgency(transfer: Transfer) -> tuple[float, int]:
    """Sorts by when the play head gets there; what nobody asked for yet comes last."""
    deadline = transfer.demanded if transfer.demanded is not None else float("inf")
    return (deadline, transfer.key.sequence)
