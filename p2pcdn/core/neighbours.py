"""The links that are open, what they announced, and what they are asked for.

Each link is a machine of its own; this one feeds them, gathers what they say, and knows whom a
chunk may be asked of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from p2pcdn.core.availability import Availability
from p2pcdn.core.link import (
    Announced,
    ChunkCame,
    Ended,
    Greeted,
    Link,
    LinkEvent,
    State,
    Wanted,
    WantFailed,
)
from p2pcdn.core.ports import LinkReason, LinkSays, LinkSends, Outgoing
from p2pcdn.core.scheduler import LinkView
from p2pcdn.errors import ErrorCode, SourceReason
from p2pcdn.model import ChunkKey, SegmentKey
from p2pcdn.wire.link import Gone, Have, Hello, Loading

REST = 2.0
"""Seconds for which a link that let a want time out is not asked for anything."""
FIRST_WORDS = 0.5
"""Seconds from a link's opening in which its first announcement is awaited: a hello has to go each
way before it, which takes 0.3 s around the world."""


@dataclass(frozen=True, slots=True)
class Up:
    """A link has been greeted by its other end."""

    link: int
    peer: str


@dataclass(frozen=True, slots=True)
class Down:
    """A link is over; ``received`` and ``sent`` are its verified and its sent media bytes."""

    link: int
    reason: LinkReason
    greeted: bool
    """Whether it had been up."""
    received: int
    sent: int


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


NeighbourEvent = Up | Down | Delivered | Undelivered | Asked


class Neighbours:
    """All open links of a node."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._availability = Availability()
        self._rest_until: dict[int, float] = {}
        self._quiet_until: dict[int, float] = {}
        """Links that have announced nothing yet."""
        self._messages: list[Outgoing] = []
        self._events: list[NeighbourEvent] = []
        self._wasted = 0
        self._sent = 0

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

    def views(self) -> list[LinkView]:
        """The links that may be asked for something."""
        return [
            LinkView(
                link.number,
                link.in_flight,
                max(link.busy_until, self._rest_until.get(link.number, 0.0)),
            )
            for link in self.up()
        ]

    def quiet(self, now: float) -> dict[int, float]:
        """The links that have just opened, and until when they may be about to say what they
        hold."""
        return {number: until for number, until in self._quiet_until.items() if until > now}

    def holders(self, segment: SegmentKey, chunk: int, among: Iterable[int]) -> tuple[int, ...]:
        """Which of these links hold the chunk."""
        held = self._availability.holders(segment, chunk)
        return tuple(number for number in among if number in held)

    def loaded_until(self, segment: SegmentKey, chunk: int, now: float) -> float | None:
        return self._availability.loaded_until(segment, chunk, now)

    @property
    def wasted(self) -> int:
        """Bytes that came over links after they were no longer wanted."""
        return self._wasted + sum(link.wasted for link in self._links.values())

    @property
    def sent(self) -> int:
        """Bytes of chunks that went out over links."""
        return self._sent + sum(link.sent for link in self._links.values())

    # What is asked and said

    def want(self, number: int, key: ChunkKey, length: int, now: float) -> None:
        self._links[number].want(key, length, now)

    def cancel(self, key: ChunkKey) -> None:
        """Nobody need send this chunk any more."""
        for link in self._links.values():
            link.cancel(key)

    def answer(self, asked: Asked, chunk: bytes | None) -> None:
        """Give a link what it wants, or say that we can't."""
        link = self._links.get(asked.link)
        if link is None:
            return
        if chunk is None:
            link.lack(asked.want)
        else:
            link.supply(asked.want, chunk)

    def announce(
        self,
        kind: type[Have | Gone | Loading],
        holdings: Mapping[SegmentKey, Iterable[int]],
        now: float,
    ) -> None:
        """Tell every link."""
        for link in self.up():
            link.announce(kind, holdings, now)

    def introduce(
        self, number: int, holdings: Mapping[SegmentKey, Iterable[int]], now: float
    ) -> None:
        """Tell one link, which is new, all that we hold."""
        self._links[number].announce(Have, holdings, now)

    def credit(self, number: int, size: int) -> None:
        """A chunk that this link delivered was verified."""
        if number in self._links:
            self._links[number].received += size

    # The five verbs

    def opened(self, number: int, hello: Hello, now: float) -> None:
        """Both channels of a link are open."""
        self._links[number] = Link(number, hello, now)
        self._quiet_until[number] = now + FIRST_WORDS

    def receive(self, message: LinkSays | LinkSends, now: float) -> None:
        link = self._links.get(message.link)
        if link is not None:
            link.receive(message.message if isinstance(message, LinkSays) else message.frame, now)
            self._gather(link, now)

    def drained(self, number: int, buffered: int) -> None:
        if number in self._links:
            self._links[number].drained(buffered)

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

    def timer_at(self) -> float | None:
        times = (link.timer_at() for link in self._links.values())
        return min((at for at in times if at is not None), default=None)

    def on_timer(self, now: float) -> None:
        for link in list(self._links.values()):
            at = link.timer_at()
            if at is not None and at <= now:
                link.on_timer(now)
                self._gather(link, now)

    def take_messages(self) -> list[Outgoing]:
        messages, self._messages = self._messages, []
        for link in self._links.values():
            messages += link.take_messages()
        return messages

    def take_events(self) -> list[NeighbourEvent]:
        events, self._events = self._events, []
        return events

    # What the links say

    def _gather(self, link: Link, now: float) -> None:
        for event in link.take_events():
            self._hear(link, event, now)

    def _hear(self, link: Link, event: LinkEvent, now: float) -> None:
        match event:
            case Greeted(hello):
                self._events.append(Up(link.number, hello.peer))
            case Announced(message):
                self._note(link.number, message, now)
            case ChunkCame(key, data):
                self._events.append(Delivered(link.number, key, data))
            case WantFailed(key, reason):
                if reason is SourceReason.MISSING:
                    self._availability.lacks(link.number, key.segment, key.chunk)
                elif reason is SourceReason.TIMEOUT:
                    self._rest_until[link.number] = now + REST
                self._events.append(Undelivered(key))
            case Wanted(want, key):
                self._events.append(Asked(link.number, want, key))
            case Ended(reason):
                self._forget(link)
                greeted = bool(link.peer)
                self._events.append(Down(link.number, reason, greeted, link.received, link.sent))

    def _note(self, number: int, message: Have | Gone | Loading, now: float) -> None:
        self._quiet_until.pop(number, None)
        match message:
            case Have(holdings):
                self._availability.have(number, holdings)
            case Gone(holdings):
                self._availability.gone(number, holdings)
            case Loading(holdings):
                self._availability.loads(number, holdings, now)

    def _forget(self, link: Link) -> None:
        self._messages += link.take_messages()
        self._wasted += link.wasted
        self._sent += link.sent
        self._availability.forget(link.number)
        self._rest_until.pop(link.number, None)
        self._quiet_until.pop(link.number, None)
        del self._links[link.number]
