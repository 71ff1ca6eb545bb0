"""A tracker's mind with sockets that write down what they are told: what its tests stand on."""

from __future__ import annotations

import ipaddress
from random import Random
from typing import TypeVar

from p2pcdn.core.access import Site
from p2pcdn.core.swarm import Swarms
from p2pcdn.core.swarm_ports import (
    Closed,
    Opened,
    Published,
    Rules,
    Said,
    SitesChanged,
    SwarmEvent,
)
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, Mode
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.manifest import Records, RenditionManifest, SegmentRecord
from p2pcdn.wire.tracker import (
    FromTracker,
    Invite,
    Join,
    Joined,
    Linked,
    Offered,
    Position,
    PreparedOffer,
    Refused,
    SendAnswer,
    SendOffer,
    ToTracker,
)

T = TypeVar("T")

CONTENT = "c" * 32
RELAY = "192.0.2.3"
"""Where the operator's relay sends from."""
FINGERPRINT = ":".join(["AB"] * 32)


def sdp(setup: str = "actpass", *candidates: str, ufrag: str = "abcd") -> str:
    """A browser's description of one data channel."""
    lines = [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        *(f"a={candidate}" for candidate in candidates),
        f"a=ice-ufrag:{ufrag}",
        "a=ice-pwd:aaaabbbbccccddddeeeeff",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        f"a=setup:{setup}",
        "a=mid:0",
        "a=sctp-port:5000",
        "a=max-message-size:262144",
    ]
    return "\r\n".join(lines) + "\r\n"


def mdns(number: int = 0, port: int = 50_000) -> str:
    """A browser's host candidate."""
    name = f"{number:08x}-ebda-4480-855e-0b4d87e49d94.local"
    return f"candidate:1 1 udp 2113937151 {name} {port} typ host generation 0 ufrag abcd"


def at(head: int, first: int | None = None, last: int | None = None, of: str = "v") -> Position:
    """A position; by default a viewer's who holds ten segments behind and ten ahead."""
    return Position(
        of,
        max(0, head - 10) if first is None else first,
        head,
        head + 10 if last is None else last,
    )


def live(newest: int, of: str = "v", duration: int = 2000, size: int = 500_000) -> Position:
    """The position of somebody who watches a live stream, three segments behind its edge."""
    first, head = max(0, newest - 10), max(0, newest - 3)
    return Position(of, first, head, newest, newest, duration, size, True)


def vod(
    head: int, last: int | None = None, newest: int = 500, of: str = "v", size: int = 500_000
) -> Position:
    """The position of somebody who plays a recording, and holds nothing beyond what is played."""
    return Position(of, 0, head, head if last is None else last, newest, 2000, size)


def published(content: str, *sequences: int, site: str = "pk_demo") -> Published:
    """News of these segments of a live stream."""
    segments = tuple(SegmentRecord(n, f"{n}.ts", 500_000, "0" * 64) for n in sequences)
    last = max(sequences)
    page = RenditionManifest(1, site, content, "v", CHUNK_SIZE, True, last, 0, last, segments)
    return Published(site, content, Records(page, ""))


class World:
    """Sockets, and the mind that they speak to."""

    def __init__(self, rules: Rules | None = None, seed: int = 1) -> None:
        self.swarms = Swarms(rules or Rules(), Random(seed))
        self.now = 0.0
        self.relays = {ipaddress.ip_address(RELAY)}
        self.heard: dict[int, list[FromTracker]] = {}
        self.ids: dict[int, str] = {}
        """Sockets' peers."""
        self.open: set[int] = set()
        self.events: list[SwarmEvent] = []
        self._sockets = 0
        self._done: dict[int, int] = {}
        """How much of what it was told each socket has acted upon."""

    def connect(
        self,
        source: str = "198.51.100.7",
        operator: str = "",
        region: str = "",
        country: str = "",
    ) -> int:
        """A new socket."""
        self._sockets += 1
        socket = self._sockets
        self.heard[socket] = []
        self.open.add(socket)
        vantage = Vantage(
            ipaddress.ip_address(source),
            is_relay=self.relays.__contains__,
            operator=operator,
            region=region,
            country=country,
        )
        self.swarms.receive(Opened(socket, vantage), self.now)
        self._drain()
        return socket

    def join(
        self,
        *offers: int,
        upload: bool = True,
        position: Position | None = None,
        content: str = CONTENT,
        site: str = "pk_demo",
        source: str = "198.51.100.7",
        uplink: int = 0,
        mode: Mode = "any",
        operator: str = "",
        region: str = "",
        country: str = "",
    ) -> int:
        """A new peer, with prepared offers of these numbers."""
        socket = self.connect(source, operator, region, country)
        prepared = tuple(PreparedOffer(number, sdp(ufrag=f"of{number:04}")) for number in offers)
        self.say(
            socket,
            Join(
                PROTOCOL,
                site,
                content,
                "browser",
                upload,
                prepared,
                position,
                uplink,
                mode=mode,
            ),
        )
        return socket

    def say(self, socket: int, *messages: ToTracker) -> None:
        for message in messages:
            self.swarms.receive(Said(socket, message), self.now)
            self._drain()

    def close(self, socket: int) -> None:
        """The socket vanishes."""
        self.open.discard(socket)
        self.swarms.receive(Closed(socket), self.now)
        self._drain()

    def change(self, sites: dict[str, Site]) -> None:
        """The operator says something else of the sites."""
        self.swarms.receive(SitesChanged(sites), self.now)
        self._drain()

    def publish(self, news: Published) -> None:
        """The origin has something new."""
        self.swarms.receive(news, self.now)
        self._drain()

    def wait(self, seconds: float) -> None:
        """Time passes; every timer on the way fires at its time."""
        until = self.now + seconds
        while (due := self.swarms.timer_at()) is not None and due <= until:
            self.now = max(self.now, due)
            self.swarms.on_timer(self.now)
            self._drain()
        self.now = until

    def _drain(self) -> None:
        for tell in self.swarms.take_messages():
            assert tell.socket in self.open, f"{tell.message} for a socket that is gone"
            if isinstance(tell.message, Joined):
                self.ids[tell.socket] = tell.message.peer
            self.heard[tell.socket].append(tell.message)
        self.events += self.swarms.take_events()

    def act(self, *sockets: int, answering: bool = True) -> bool:
        """These (or all) do what they were asked since last time; whether there was anything."""
        busy = False
        for socket in sockets or tuple(self.open):
            messages = self.heard[socket][self._done.get(socket, 0) :]
            self._done[socket] = len(self.heard[socket])
            for message in messages:
                if isinstance(message, Invite):
                    busy = True
                    self.offer(socket, message.pairing)
                elif isinstance(message, Offered) and answering:
                    busy = True
                    self.answer(socket, message.pairing)
                    self.say(socket, Linked(message.pairing, 100.0))
        return busy

    def settle(self) -> None:
        """Everybody does what a peer does, until nobody has anything to do."""
        while self.act():
            pass

    # Looking

    def all(self, socket: int, kind: type[T]) -> list[T]:
        """Everything of this kind that the socket was told."""
        return [message for message in self.heard[socket] if isinstance(message, kind)]

    def last(self, socket: int, kind: type[T]) -> T:
        """The last message, which is of this kind."""
        message = self.heard[socket][-1]
        assert isinstance(message, kind), self.heard[socket]
        return message

    def happened(self, kind: type[T]) -> list[T]:
        """Everything of this kind that the mind's owner was told."""
        return [event for event in self.events if isinstance(event, kind)]

    def refusals(self, socket: int) -> list[tuple[str, bool]]:
        """The codes that the socket was told, and whether they were the end."""
        return [(refused.code.value, refused.fatal) for refused in self.all(socket, Refused)]

    def socket_of(self, peer: str) -> int:
        return next(socket for socket, id_ in self.ids.items() if id_ == peer)

    def offer(self, socket: int, pairing: str, *candidates: str) -> None:
        self.say(socket, SendOffer(pairing, sdp("actpass", *candidates)))

    def answer(self, socket: int, pairing: str, *candidates: str) -> None:
        self.say(socket, SendAnswer(pairing, sdp("active", *candidates)))
