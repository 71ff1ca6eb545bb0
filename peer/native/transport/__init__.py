"""What carries links: an interface, so that another WebRTC library can take aiortc's place.

A transport makes a `TransportLink` for each link. Whatever happens on it is told as an input of the
node, by calling ``feed``, always from the loop and never from within a call of ours::

    offer() / answer(sdp)   -> sdp              CandidateFound, later, for each further address
    take_answer, add_candidate                  LinkOpened, once both channels are open
    tell(message), send(frame)                  LinkSays, LinkSends, LinkDrained
    close()                                     LinkBroke or LinkClosed, once; then nothing more
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from p2pcdn.core.ports import (
    Input,
    LinkBroke,
    LinkClosed,
    LinkReason,
    LinkSays,
    LinkSends,
)
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import Mode
from p2pcdn.wire.allowance import Allowance
from p2pcdn.wire.chunk import Frame, decode_frame
from p2pcdn.wire.codec import decode_link
from p2pcdn.wire.link import LinkMessage

Feed = Callable[[Input], None]

CONTROL, DATA = 0, 1
"""The ids of the two negotiated channels."""


class Relay(NamedTuple):
    """A TURN server, and what lets us in."""

    host: str
    port: int
    username: str
    credential: str
    transport: str = "udp"
    """By which it is reached; ``tcp`` otherwise."""
    tls: bool = False


class TransportLink(Protocol):
    """One WebRTC peer connection with its two channels."""

    async def offer(self) -> str:
        """Describe this end, as the one who calls. Whatever goes wrong is a `LinkError`."""

    async def answer(self, sdp: str) -> str:
        """Describe this end, as the one who is called with ``sdp``."""

    async def take_answer(self, sdp: str) -> None:
        """What the other end answered to `offer`."""

    def add_candidate(self, candidate: str) -> None:
        """An address of the other end, at any time; what can't be read or reached is ignored."""

    def tell(self, message: LinkMessage) -> None:
        """Send over the control channel, before any media that is still waiting."""

    def send(self, frame: Frame) -> None:
        """Send over the data channel. When half of what then waits has gone, and nothing more was
        sent meanwhile, that is told."""

    async def close(self) -> None:
        """Close, after what was told; nothing is fed any more. May be called at any time."""


class Transport(Protocol):
    """Makes links."""

    def link(self, number: int, feed: Feed) -> TransportLink:
        """A link that the node knows by this number."""

    def place(self, *, local: str | None, stun: tuple[str, int] | None) -> None:
        """From which of our addresses the tracker is reached, and where STUN is answered."""

    def confine(self, mode: Mode, relays: tuple[Relay, ...]) -> None:
        """Links from now on are for peers of this mode: in ``lan`` nothing is asked of STUN, in
        ``relay`` no address is told but those of relays."""

    async def close(self) -> None:
        """Give up what all links share, after the last one was closed."""


class LinkError(Exception):
    """A link that cannot come about; its text is for a log."""


class Inbox:
    """What comes in over a link's channels: decoded, which holds it to the wire's limits, and told.

    An end that sends anything else is reported, and heard no more.
    """

    def __init__(self, link: int, feed: Feed) -> None:
        self._link = link
        self._feed = feed
        self._over = False
        self._clock = asyncio.get_running_loop().time
        self._allowance = Allowance(self._clock())

    @property
    def over(self) -> bool:
        return self._over

    def feed(self, given: Input) -> None:
        """Pass something on, unless the link is over."""
        if not self._over:
            self._feed(given)

    def control(self, data: bytes | str) -> None:
        """A message of the control channel."""
        try:
            self._allowance.take(len(data), self._clock())
            message = decode_link(data)
        except RemoteError as error:
            self.broke(error.code)
        else:
            self.feed(LinkSays(self._link, message))

    def data(self, data: bytes) -> None:
        """A message of the data channel."""
        try:
            frame = decode_frame(data)
        except RemoteError as error:
            self.broke(error.code)
        else:
            self.feed(LinkSends(self._link, frame))

    def broke(self, code: ErrorCode) -> None:
        """The other end does what no honest one does."""
        self.feed(LinkBroke(self._link, code.value))
        self._over = True

    def closed(self, reason: LinkReason) -> None:
        """The connection is gone."""
        self.feed(LinkClosed(self._link, reason))
        self._over = True

    def hush(self) -> None:
        """We close it ourselves: nothing is to be told any more."""
        self._over = True
