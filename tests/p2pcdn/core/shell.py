"""A shell for tests: it does for its node what a browser or a native process would.

The tracker (everybody is paired with everybody), the origin and the wire are here, too, each as
small as it can be.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from p2pcdn.core import ports
from p2pcdn.core.node import STORE_BYTES, Node
from p2pcdn.errors import SourceReason
from p2pcdn.model import SegmentKey
from p2pcdn.wire import tracker as say
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.fields import Message
from p2pcdn.wire.link import LinkMessage
from tests.p2pcdn.core.media import IDENTITY, genuine
from tests.p2pcdn.core.network import World


@dataclass(slots=True)
class Wire:
    """One end of a link."""

    shell: Shell
    number: int
    other: Wire | None = None
    free_at: float = 0.0
    """When the uplink has sent what it was given."""
    said_at: float = 0.0
    buffered: int = 0
    half: int = -1
    """What is left when half of what was in the buffer after sending has gone; -1 once told."""
    closed: bool = False


@dataclass(slots=True)
class Arrived:
    """Bytes that came in, by whom they came."""

    links: int = 0
    ranges: int = 0


class Shell:
    """What a browser or a native process would do for its node."""

    def __init__(self, world: World, store_bytes: int = STORE_BYTES) -> None:
        self.world = world
        self.peer = world.new_id()
        self.node = Node(IDENTITY, world.now, store_bytes)
        self.arrived = Arrived()
        self.ready: dict[SegmentKey, ports.SegmentReady] = {}
        self.failed: list[SegmentKey] = []
        self.rejected: list[ports.ChunkRejected] = []
        self._wires: dict[int, Wire] = {}
        self._fetches: set[int] = set()
        self._timer: float | None = None
        self._feeding = False
        self._inbox: list[ports.Input] = []
        world.shells.append(self)
        self.hear(say.Welcome(1, "0" * 32, say.Limits(65_536, 20, 16), report_every=10))

    def farewell(self) -> None:
        """The page goes."""
        self.node.farewell()
        self._drain()

    # In

    def give(self, message: ports.Input) -> None:
        """Feed the node, and do what comes of it."""
        self._inbox.append(message)
        if self._feeding:
            return
        self._feeding = True
        while self._inbox:
            self.node.receive(self._inbox.pop(0), self.world.now)
            self._drain()
        self._feeding = False
        self._arm()

    def hear(self, message: say.FromTracker) -> None:
        self.later(lambda: self.give(ports.TrackerSays(message)))

    def later(self, what: Callable[[], None], seconds: float | None = None) -> None:
        self.world.later(self.world.delay() if seconds is None else seconds, what)

    # Time

    def _arm(self) -> None:
        at = self.node.timer_at()
        if at is not None and (self._timer is None or at < self._timer):
            self._timer = at
            self.world.later(max(at - self.world.now, 0.0), lambda: self._wake(at))

    def _wake(self, at: float) -> None:
        if self._timer != at:
            return
        self._timer = None
        due = self.node.timer_at()
        if due is not None and due <= self.world.now:
            self.node.on_timer(self.world.now)
            after = self.node.timer_at()
            assert after is None or after > self.world.now, "a machine spins"
            self._drain()
        self._arm()

    # Out

    def _drain(self) -> None:
        while True:
            messages, events = self.node.take_messages(), self.node.take_events()
            if not messages and not events:
                return
            for message in messages:
                self._send(message)
            for link in sorted({m.link for m in messages if isinstance(m, ports.SendFrame)}):
                self._wires[link].half = self._wires[link].buffered // 2
            for event in events:
                self._do(event)

    def _send(self, message: ports.Outgoing) -> None:
        match message:
            case ports.TellTracker(message=said):
                self._tell(said)
            case ports.TellLink(link, told):
                self._say(self._wires[link], told)
            case ports.SendFrame(link, frame):
                self._carry(self._wires[link], frame)

    def _tell(self, message: Message) -> None:
        """What the tracker does with a message."""
        world = self.world
        if isinstance(message, say.Join):
            others = [s for s in world.shells if s is not self]
            world.ledger.joined(self.peer, message.content, world.now)
            self.hear(say.Joined(self.peer, len(others)))
            for other in others:
                pairing = world.new_id()
                world.pairings[pairing] = (self, other)
                world.ledger.paired(pairing, self.peer, other.peer)
                self.hear(say.Invite(pairing, other.peer))
        elif isinstance(message, say.Report):
            assert world.ledger.report(self.peer, message, world.now), "it is honest"
        elif isinstance(message, say.Leave):
            world.ledger.left(self.peer, world.now)
        elif isinstance(message, say.SendOffer | say.SendAnswer):
            a, b = world.pairings[message.pairing]
            other = b if self is a else a
            if isinstance(message, say.SendOffer):
                other.hear(say.Offered(message.pairing, self.peer, message.sdp))
            elif isinstance(message, say.SendAnswer):
                other.hear(say.Answered(message.pairing, message.sdp))

    def _say(self, wire: Wire, message: LinkMessage) -> None:
        """Control messages keep their order."""
        other = wire.other
        if other is None:
            return
        wire.said_at = max(self.world.now + self.world.delay(), wire.said_at)
        self.later(lambda: other.shell.get(other, message), wire.said_at - self.world.now)

    def _carry(self, wire: Wire, frame: Frame) -> None:
        """Frames take their time on the uplink, and arrive in any order."""
        other, world = wire.other, self.world
        if other is None:
            return
        wire.buffered += len(frame.payload)
        wire.free_at = max(wire.free_at, world.now) + len(frame.payload) / world.habits.uplink
        self.later(lambda: self._sent(wire, len(frame.payload)), wire.free_at - world.now)
        if world.random.random() < world.habits.frame_lies:
            frame = frame._replace(payload=bytes(len(frame.payload)))
        arrives_in = wire.free_at - world.now + world.delay()
        self.later(lambda: other.shell.catch(other, frame), arrives_in)
        if world.random.random() < world.habits.link_breaks:
            self.cut(wire)

    def _sent(self, wire: Wire, size: int) -> None:
        wire.buffered -= size
        if wire.buffered <= wire.half and not wire.closed:
            wire.half = -1
            self.give(ports.LinkDrained(wire.number, wire.buffered))

    # Links

    def get(self, wire: Wire, message: LinkMessage) -> None:
        if not wire.closed:
            self.give(ports.LinkSays(wire.number, message))

    def catch(self, wire: Wire, frame: Frame) -> None:
        if not wire.closed:
            self.arrived.links += len(frame.payload)
            self.give(ports.LinkSends(wire.number, frame))

    def cut(self, wire: Wire) -> None:
        """The connection breaks, for both ends."""
        for end in (wire, wire.other):
            if end is not None and not end.closed:
                end.closed = True
                gone = ports.LinkClosed(end.number, "failed")
                end.shell.later(lambda end=end, gone=gone: end.shell.give(gone))  # type: ignore[misc]

    def links(self) -> list[Wire]:
        """The ends that are open."""
        return [w for w in self._wires.values() if w.other is not None and not w.closed]

    # What the node asks for

    def _do(self, event: ports.Event) -> None:
        media, now = self.world.media, self.world.now
        match event:
            case ports.SegmentReady(key, data):
                assert data == media.bytes_of(key), f"{key} has wrong bytes"
                self.ready[key] = event
            case ports.SegmentFailed(key):
                self.failed.append(key)
                self._load(key)
            case ports.ChunkRejected():
                self.rejected.append(event)
            case ports.FetchManifest(rendition, sequence):
                page = media.page(rendition, sequence, now)
                self.later(lambda: self.give(ports.ManifestArrived(page)))
            case ports.FetchRecords(rendition, span):
                few = media.few(rendition, span, now)
                self.later(lambda: self.give(ports.ManifestArrived(few)))
            case ports.FetchHashes(rendition, span):
                hashes = media.hashes(rendition, span, now)
                self.later(lambda: self.give(ports.HashesArrived(rendition, span, hashes)))
            case ports.Check(check, data, digest):
                ok = hashlib.sha256(data).digest() == digest
                self.later(lambda: self.give(ports.Checked(check, ok)), 0.001)
            case ports.Verify(check, _, data, _, signature):
                ok = genuine(data, signature)
                self.later(lambda: self.give(ports.Checked(check, ok)), 0.001)
            case ports.FetchRange():
                self._fetches.add(event.fetch)
                self.later(lambda: self._fetch(event, event.span.first, now), 0.1)
            case ports.AbortRange(fetch):
                self._fetches.discard(fetch)
            case _:
                self._connect(event)

    def _connect(self, event: ports.Event) -> None:
        match event:
            case ports.MakeOffer(link):
                self._wires[link] = Wire(self, link)
                offer = ports.Described(link, f"{self.world.shells.index(self)} {link}")
                self.later(lambda: self.give(offer))
            case ports.MakeAnswer(link, sdp):
                wire = self._wires[link] = Wire(self, link)
                index, theirs = map(int, sdp.split())
                other = self.world.shells[index]._wires.get(theirs)
                answer = ports.Described(link, "answer")
                self.later(lambda: self.give(answer))
                if other is not None and not other.closed:
                    wire.other, other.other = other, wire
            case ports.TakeAnswer(link):
                end = self._wires[link]
                for one in (end, end.other):
                    if one is not None:
                        opened = ports.LinkOpened(one.number)
                        self.later(lambda one=one, opened=opened: one.shell.give(opened))  # type: ignore[misc]
            case ports.CloseLink(link):
                wire = self._wires[link]
                if not wire.closed:
                    wire.closed = True
                    other = wire.other
                    if other is not None and not other.closed:
                        other.shell.later(lambda: other.shell.over(other), 0.2)

    def over(self, wire: Wire) -> None:
        if not wire.closed:
            wire.closed = True
            self.give(ports.LinkClosed(wire.number, "closed"))

    # The origin

    def _fetch(self, asked: ports.FetchRange, at: int, since: float) -> None:
        """Bring the next piece of a range."""
        world = self.world
        if asked.fetch not in self._fetches:
            return
        if world.random.random() < world.habits.http_fails:
            self._fetches.discard(asked.fetch)
            self.give(ports.RangeFailed(asked.fetch, SourceReason.STATUS))
            return
        last = min(asked.span.last, at + world.random.randint(0, world.habits.piece - 1))
        data = world.media.bytes_of(asked.key)[at : last + 1]
        self.arrived.ranges += len(data)
        self.give(ports.RangeData(asked.fetch, data))
        if last == asked.span.last and asked.fetch in self._fetches:
            self._fetches.discard(asked.fetch)
            took = world.now - since
            self.give(ports.RangeDone(asked.fetch, world.habits.ttfb, took))
        else:
            pause = len(data) / world.habits.http_rate
            self.later(lambda: self._fetch(asked, last + 1, since), pause)

    def _load(self, key: SegmentKey) -> None:
        """Plain HTTP, past the node."""

        def loaded() -> None:
            data = self.world.media.bytes_of(key)
            self.arrived.ranges += len(data)
            self.ready[key] = ports.SegmentReady(key, data, len(data), 0)
            self.give(ports.Loaded(key, data))

        size = self.world.media.pieces[key].length
        self.later(loaded, self.world.habits.ttfb + size / self.world.habits.http_rate)
