"""The links that are open, what they announced, and what they are asked for.

Each link is a machine of its own; this one feeds them, gathers what they say, knows whom a chunk
may be asked of, and shares our uplink among those who ask us: a chunk of each link, in turn. What
we announce is gathered and told to all links at once, `ANNOUNCE_EVERY` seconds apart; but to none
who has brought something what it holds itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from p2pcdn.core.account import Account
from p2pcdn.core.availability import Availability, holding_in
from p2pcdn.core.bits import mask_of
from p2pcdn.core.goodput import Goodput
from p2pcdn.core.governor import Governor
from p2pcdn.core.link import (
    Announced,
    ChunkCame,
    Ended,
    Greeted,
    Link,
    LinkEvent,
    Need,
    State,
    Told,
    Wanted,
    WantFailed,
)
from p2pcdn.core.ports import Caps, LinkReason, LinkSays, LinkSends, Outgoing, SendFrame
from p2pcdn.core.uplink import Uplink
from p2pcdn.errors import ErrorCode, SourceReason
from p2pcdn.model import CHUNK_SIZE, ChunkKey, Route, SegmentKey
from p2pcdn.wire.link import Gone, Have, Hello, Loading
from p2pcdn.wire.manifest import Records

REST = 2.0
"""Seconds for which a link that let a want time out is not asked for anything."""
FIRST_WORDS = 0.5
"""Seconds from a link's opening in which its first announcement is awaited: a hello has to go each
way before it, which takes 0.3 s around the world."""
ANNOUNCE_EVERY = 0.1
"""Announcements are gathered for so long: ten a second at most."""
HOLDINGS = 32
"""Holdings a message: however ragged they are, it stays below the limit of a control message."""
PATIENCE = {Need.SPARE: 0.05, Need.USUAL: 0.35, Need.SOON: 1.0, Need.IMPORTS: 1.0}
"""Seconds of backlog above which the answer to a want is busy."""
RELAYED = 0.15
"""Seconds for what somebody else is being sent, who has it to give in a moment."""
DUPLICATES = 0.05
"""The share of what peers bring that may be asked for a second time, elsewhere."""
FIRST_DUPLICATES = 524_288.0
"""Bytes that may be asked for twice before anything has come."""


@dataclass(frozen=True, slots=True)
class Up:
    """A link has been greeted by its other end."""

    link: int
    peer: str


@dataclass(frozen=True, slots=True)
class Down:
    """A link is over."""

    link: int
    reason: LinkReason
    greeted: bool
    """Whether it had been up."""
    account: Account = field(default_factory=Account)
    """What has gone over it since the last report."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A link brought a whole chunk, still unproved."""

    link: int
    key: ChunkKey
    data: bytes


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A link will not bring a chunk that it was asked for."""

    key: ChunkKey


@dataclass(frozen=True, slots=True)
class Asked:
    """A link wants a chunk: answer with `Neighbours.answer`."""

    link: int
    want: int
    key: ChunkKey
    need: Need
    era: int = 0


@dataclass(frozen=True, slots=True)
class Noted:
    """A link has announced something about these segments."""

    segments: list[SegmentKey]
    lost_by: int | None = None
    """The link, if it no longer holds some of it: it has not been told who else does."""
    offered_by: int | None = None
    """The link, if all that is new is what it may be asked for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A link passes records on."""

    link: int
    records: Records


NeighbourEvent = Up | Down | Delivered | Undelivered | Asked | Noted | Heard


class Neighbours:
    """All open links of a node."""

    def __init__(self) -> None:
        self.uplink = Uplink()
        self.governor = Governor()
        self.goodput = Goodput()
        self._links: dict[int, Link] = {}
        self._availability = Availability()
        self._quiet_until: dict[int, float] = {}
        """Links that have announced nothing yet."""
        self._asked: dict[ChunkKey, int] = {}
        """The link that each chunk is asked of."""
        self._duplicates = FIRST_DUPLICATES
        """Bytes that may still be asked for a second time."""
        self._news: dict[type[Have | Gone | Loading], dict[SegmentKey, int]] = {}
        self._announced_at = -ANNOUNCE_EVERY
        self._alarm = inf
        """When a link has to look at the clock, or earlier."""
        self._turn = 0
        """The link that was the last to send a frame."""
        self._pump_at = inf
        self._messages: list[Outgoing] = []
        self._events: list[NeighbourEvent] = []
        self._wasted = 0
        self.sent = 0
        """Bytes of chunks that went out over links."""

    # What is known

    def all(self) -> list[int]:
        """The links that are open, greeted or not."""
        return list(self._links)

    def up(self) -> list[Link]:
        """The links that have been greeted."""
        return [link for link in self._links.values() if link.state is State.UP]

    def peers(self) -> list[str]:
        """The ids of the peers at the other ends, but for those that said they don't upload."""
        return [link.peer for link in self.up() if link.uploads]

    def views(self, now: float) -> list[Link]:
        """The links that may be asked for something."""
        quiet = self._quiet_until
        return [
            link
            for link in self._links.values()
            if link.state is State.UP and quiet.get(link.number, 0.0) <= now
        ]

    def quiet(self, now: float) -> dict[int, float]:
        """The links that have just opened, and until when they may be about to say what they
        hold."""
        return {number: until for number, until in self._quiet_until.items() if until > now}

    def offers(self, segment: SegmentKey) -> bool:
        """Whether a neighbour holds any of a segment."""
        return self._availability.offers(segment)

    def can_send(self, number: int, segment: SegmentKey, chunks: int, now: float) -> bool:
        """Whether a link may be asked now for any of these chunks of a segment."""
        link = self._links.get(number)
        return link is not None and link.is_free(now) and link.held.get(segment, 0) & chunks != 0

    def runs_dry(self, number: int) -> bool:
        """Whether a fast link has brought most of what it was asked for."""
        link = self._links.get(number)
        return link is not None and link.runs_dry

    def loading(self, segment: SegmentKey, now: float) -> tuple[int, float]:
        """Which chunks of a segment a neighbour is loading, and until when that is believed."""
        return self._availability.loading(segment, now)

    @property
    def wasted(self) -> int:
        """Bytes that came over links after they were no longer wanted."""
        return self._wasted + sum(link.wasted for link in self._links.values())

    # What is asked and said

    def want(
        self, number: int, key: ChunkKey, length: int, need: Need, now: float, era: int = 0
    ) -> None:
        link = self._links[number]
        link.want(key, length, need, now, era)
        self._asked[key] = number
        self._alarm = min(self._alarm, link.alarm)
        self.goodput.asking(now)

    def cancel(self, key: ChunkKey) -> None:
        """Nobody need send this chunk any more."""
        link = self._links.get(self._asked.pop(key, -1))
        if link is not None:
            link.cancel(key)
        self._note_asking()

    def answer(self, asked: Asked, chunk: bytes | None, received: int, now: float) -> None:
        """Give a link what it wants, or say that we can't, or not now. ``received`` are the bytes
        of media that we have got so far."""
        link = self._links.get(asked.link)
        if link is None or link.state is State.OVER:
            return
        if chunk is None:
            link.lack(asked.want)
            return
        owed = self._owed()
        wait = self.governor.wait(len(chunk), self.sent, owed, received)
        if wait is None:
            patience = PATIENCE[asked.need]
            # Nobody else will have it to give in a moment whom an importer could ask.
            if asked.need is not Need.IMPORTS and owed and self._owes(asked.key):
                patience = min(patience, RELAYED)
            wait = self.uplink.busy(owed, patience, now)
        if wait is not None:
            link.refuse(asked.want, wait)
        else:
            link.supply(asked.want, asked.key, chunk, asked.need)
            self._pump(now)

    def limit(self, caps: Caps) -> None:
        """Hold to these caps from now on."""
        self.governor.limit(caps)
        self.uplink.cap = inf if caps.rate is None else caps.rate

    def withdraw(self) -> None:
        """Take back all that is promised."""
        for link in self._links.values():
            link.withdraw()

    def routed(self, number: int, route: Route, rtt: float = 0.0) -> None:
        """A link goes this way, now. What has ever gone through a relay has to be paid for; and how
        far the other end is tells the least round trip, since queues add to the others."""
        link = self._links.get(number)
        if link is not None and rtt:
            link.rtt = min(link.rtt or rtt, rtt)
        if link is not None and link.account.route != "relay":
            link.account.route = route

    def announce(
        self,
        kind: type[Have | Gone | Loading],
        holdings: Mapping[SegmentKey, Iterable[int]],
        now: float,
    ) -> None:
        """Tell every link, soon. What is gone is no longer announced as held or loading."""
        for segment, chunks in holdings.items():
            mask = mask_of(chunks)
            news = self._news.setdefault(kind, {})
            news[segment] = news.get(segment, 0) | mask
            if kind is Gone:
                for other in (Have, Loading):
                    news = self._news.get(other, {})
                    if segment in news:
                        news[segment] &= ~mask
        # That somebody loads something is news to act upon at once.
        if kind is Loading or now >= self._announced_at + ANNOUNCE_EVERY:
            self._tell_news(now)

    def introduce(
        self,
        number: int,
        holdings: Mapping[SegmentKey, Iterable[int]],
        loading: Mapping[SegmentKey, Iterable[int]],
    ) -> None:
        """Tell one link, which is new or has lost something, what we hold, and what will follow."""
        link = self._links[number]
        for kind, all_ in ((Have, holdings), (Loading, loading)):
            masks = {s: mask for s, chunks in all_.items() if (mask := mask_of(chunks))}
            for message in _said(kind, _lacked(link, masks)):
                link.tell(message)

    def pass_on(self, records: Records, but: int | None) -> None:
        """Tell records to every link but the one that told us."""
        for link in self.up():
            if link.number != but:
                link.tell(records)

    def credit(self, number: int, key: ChunkKey, size: int) -> None:
        """A chunk that this link delivered was verified, and is kept."""
        link = self._links.get(number)
        if link is not None:
            link.received += size
            link.account.received.add(key, size)

    def debit(self, number: int, size: int, *, rejected: bool = False) -> None:
        """A chunk that it delivered is of no use, perhaps since it was wrong."""
        link = self._links.get(number)
        if link is not None:
            link.account.waste += size
            link.account.rejected += rejected

    # The five verbs

    def opened(self, number: int, hello: Hello, now: float) -> None:
        """Both channels of a link are open."""
        self._links[number] = link = Link(number, hello, now, self._messages)
        link.held = self._availability.held(number)
        self._alarm = min(self._alarm, link.alarm)
        self._quiet_until[number] = now + FIRST_WORDS

    def receive(self, message: LinkSays | LinkSends, now: float) -> None:
        link = self._links.get(message.link)
        if link is None:
            return
        if isinstance(message, LinkSends):
            link.receive(message.frame, now)
        else:
            said = message.message
            if isinstance(said, Have) and link.listens():  # most of all that is said
                self._note(link.number, said, now)
                return
            link.receive(said, now)
        self._gather(link, now)

    def drained(self, number: int, buffered: int, now: float) -> None:
        """So many bytes are left in the buffer of a link's data channel."""
        if number in self._links:
            self.uplink.drained(number, buffered, now)
            self._pump(now)

    def end(
        self, number: int, reason: LinkReason, now: float, code: ErrorCode | None = None
    ) -> None:
        """End a link, telling the other end why."""
        link = self._links.get(number)
        if link is not None:
            link.end(reason, code)
            self._gather(link, now)

    def closed(self, number: int, reason: LinkReason, now: float) -> None:
        """The connection is gone already."""
        link = self._links.get(number)
        if link is not None:
            link.closed(reason)
            self._gather(link, now)

    @property
    def alarm(self) -> float:
        """When to look at the clock; infinity if there is no need."""
        at = min(self._alarm, self._pump_at)
        if self._news and self._links:
            at = min(at, self._announced_at + ANNOUNCE_EVERY)
        return at

    def timer_at(self) -> float | None:
        return None if self.alarm == inf else self.alarm

    def on_timer(self, now: float) -> None:
        if self._news and self._announced_at + ANNOUNCE_EVERY <= now:
            self._tell_news(now)
        if self._pump_at <= now:
            self._pump(now)
        if self._alarm <= now:
            for link in list(self._links.values()):
                if link.alarm <= now:
                    self._look_at(link, now)
            self._rearm()

    def _rearm(self) -> None:
        self._alarm = inf
        for link in self._links.values():
            if link.alarm < self._alarm:
                self._alarm = link.alarm

    def overslept(self, late: float, now: float) -> None:
        """For so many seconds nobody was heard: that is nobody's fault."""
        for link in self._links.values():
            link.overslept(late, now)
        self._rearm()
        for number in self._quiet_until:
            self._quiet_until[number] += late
        self.goodput.overslept(late, now)
        self.uplink.overslept(now)

    def _look_at(self, link: Link, now: float) -> None:
        """A link may have been silent for too long. What it is given up for is asked elsewhere and
        may still arrive: that is not to happen too often. Who never brought anything will not."""
        late = link.late(now)
        if link.received:
            if late and self._duplicates <= 0:
                link.bear_with(now)
                return
            self._duplicates -= len(late) * CHUNK_SIZE
        link.on_timer(now)
        self._gather(link, now)

    def take_messages(self) -> list[Outgoing]:
        if not self._messages:
            return []
        messages = self._messages[:]
        self._messages.clear()  # the links go on filling it
        return messages

    @property
    def has_events(self) -> bool:
        """Whether `take_events` would bring any."""
        return bool(self._events)

    def take_events(self) -> list[NeighbourEvent]:
        events, self._events = self._events, []
        return events

    # What the links say

    def _gather(self, link: Link, now: float) -> None:
        if link.has_events:
            for event in link.take_events():
                self._hear(link, event, now)

    def _hear(self, link: Link, event: LinkEvent, now: float) -> None:
        match event:
            case Greeted(hello):
                self._events.append(Up(link.number, hello.peer))
            case Announced(message):
                self._note(link.number, message, now)
            case Told(records):
                self._events.append(Heard(link.number, records))
            case ChunkCame(key, data):
                self._came(key, len(data), now)
                self._events.append(Delivered(link.number, key, data))
            case WantFailed(key, reason):
                self._asked.pop(key, None)
                self._note_asking()
                if reason is SourceReason.MISSING:
                    self._availability.lacks(link.number, key.segment, key.chunk)
                elif reason is SourceReason.TIMEOUT:
                    link.busy_until = max(link.busy_until, now + REST)
                self._events.append(Undelivered(key))
            case Wanted(want, key, need, era):
                self._events.append(Asked(link.number, want, key, need, era))
            case Ended(reason):
                self._forget(link)
                greeted = bool(link.peer)
                self._events.append(Down(link.number, reason, greeted, link.account))

    def _note(self, number: int, message: Have | Gone | Loading, now: float) -> None:
        first = self._quiet_until.pop(number, None) is not None
        match message:
            case Have(holdings):
                self._availability.have(number, holdings, now)
            case Gone(holdings):
                self._availability.gone(number, holdings)
            case Loading(holdings):
                self._availability.loads(number, holdings, now)
        keys = [SegmentKey(h.rendition, h.sequence) for h in message.holdings]
        if isinstance(message, Gone):
            self._events.append(Noted(keys, lost_by=number))
        else:
            self._events.append(Noted(keys, offered_by=None if first else number))

    def _came(self, key: ChunkKey, size: int, now: float) -> None:
        self._asked.pop(key, None)
        self._duplicates = min(self._duplicates + DUPLICATES * size, FIRST_DUPLICATES)
        self.goodput.brought(size, now)
        self._note_asking()

    def _note_asking(self) -> None:
        self._rearm()
        if not self._asked:
            self.goodput.rests()

    # What we send

    def _owed(self) -> int:
        """Bytes promised over all links."""
        return sum(link.owed for link in self._links.values())

    def _owes(self, key: ChunkKey) -> bool:
        """Whether somebody is being sent this chunk."""
        return any(link.owed and link.owes(key) for link in self._links.values())

    def _pump(self, now: float) -> None:
        """Fill the channels' buffers, a chunk of each link after the other."""
        self._pump_at = inf
        owing = [link for link in self._links.values() if link.owed]
        if not owing:
            return
        # A chunk can be passed on once it is whole: so they go one after the other.
        if len(owing) > 1:
            turn = self._turn
            owing.sort(key=lambda x: (not x.has_begun, not x.imports, x.number <= turn, x.number))
        while owing and not self.uplink.is_full(now):
            owing = [link for link in owing if self._send_chunk(link, now)]
        if any(link.owed for link in self._links.values()):
            self._pump_at = max(self.uplink.room_at(now), self.governor.room_at())

    def _send_chunk(self, link: Link, now: float) -> bool:
        """Send what is left of a link's next chunk; whether there was room for it."""
        governor, uplink, number = self.governor, self.uplink, link.number
        while link.owed and governor.has_room(now):
            room, given, whole = uplink.room(number, now), 0, False
            while given < room and not whole and governor.has_room(now):
                frame = link.next_frame()
                if frame is None:
                    break
                size = len(frame.payload)
                given += size
                governor.sent(size, now)
                self._messages.append(SendFrame(number, frame))
                whole = not link.has_begun
            if not given:
                break
            self._turn = number
            self.sent += given
            uplink.sent(number, given, now)
            if whole:
                return True
        return False

    def _tell_news(self, now: float) -> None:
        """Say what is new to all who listen."""
        self._announced_at = now
        news, self._news = self._news, {}
        # What is gone first: a segment that was dropped and came back is held.
        for kind in (Gone, Loading, Have):
            masks = {s: mask for s, mask in news.get(kind, {}).items() if mask}
            usual = _said(kind, masks) if masks else []
            for link in self._links.values() if usual else ():
                if link.state is not State.UP:
                    continue
                lacked = masks if kind is Gone else _lacked(link, masks)
                if lacked:
                    for message in usual if lacked == masks else _said(kind, lacked):
                        link.tell(message)

    def _forget(self, link: Link) -> None:
        self._wasted += link.wasted
        self._availability.forget(link.number)
        self.uplink.forget(link.number)
        self._quiet_until.pop(link.number, None)
        del self._links[link.number]


def _lacked(link: Link, masks: Mapping[SegmentKey, int]) -> Mapping[SegmentKey, int]:
    """What of these a link has not announced itself, as far as its word counts: whoever has brought
    nothing may be boasting, and would load all from the origin that it is not told of."""
    if not link.received:
        return masks
    held = link.held
    return {s: left for s, mask in masks.items() if (left := mask & ~held.get(s, 0))}


def _said(
    kind: type[Have | Gone | Loading], masks: Mapping[SegmentKey, int]
) -> list[Have | Gone | Loading]:
    """The messages that announce these chunks."""
    all_ = [holding_in(s, mask) for s, mask in masks.items()]
    return [kind(tuple(all_[at : at + HOLDINGS])) for at in range(0, len(all_), HOLDINGS)]
