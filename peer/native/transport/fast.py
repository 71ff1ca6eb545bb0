"""Links over libdatachannel: WebRTC in C and C++, for a fifth of aiortc's CPU time.

::

    loop:     offer, answer, tell, send ---------> libdatachannel, which never waits
    threads of libdatachannel: messages, states -> queue -> inbox, on the loop

It opens one socket for all addresses, asks STUN and relays itself, and checks that the other end is
there by SCTP's heartbeats (`libdatachannel`). What it can't do is reach a relay by TCP or TLS, or
anybody on a machine that has only a loopback interface: then a link is aiortc's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from p2pcdn.core.ports import CandidateFound, LinkOpened, LinkRouted
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.candidate import Candidate
from p2pcdn.wire.chunk import FRAME_BYTES, Frame
from p2pcdn.wire.codec import encode
from p2pcdn.wire.link import CONTROL_BYTES, LinkMessage
from peer.native.transport import (
    CONTROL,
    DATA,
    Feed,
    Relay,
    Transport,
    TransportLink,
    ice,
    libdatachannel,
)
from peer.native.transport.description import put_together, take_apart
from peer.native.transport.libdatachannel import ALL, CLOSED, FAILED, RELAYED
from peer.native.transport.loop_queue import LoopQueue
from peer.native.transport.shared import (
    CLOSING,
    LAST_WORDS,
    MOST_TOLD,
    Kind,
    Shared,
    SharedLink,
)

AHEAD = 2 * FRAME_BYTES
"""Bytes of media handed to libdatachannel beyond what its SCTP takes: it has one queue for both
channels, so this is what a control message may have to wait for."""
LARGEST = max(CONTROL_BYTES, FRAME_BYTES) + 1
"""A longer message is cut off there, which shows that it was too long."""

Said = tuple[Callable[..., None], tuple[Any, ...]]
"""What a thread of the library says: a function of ours, and what it is given."""


class FastTransport(Shared):
    """Makes links of libdatachannel's peer connections; `ImportError` where that is not."""

    def __init__(self, advertise: Iterable[str] = ()) -> None:
        super().__init__(advertise)
        self.library = libdatachannel.load()
        self._other: Transport | None = None

    def link(self, number: int, feed: Feed) -> TransportLink:
        if self._is_out_of_reach():
            return self._aiortc().link(number, feed)
        self.resolver.listen()
        return FastLink(self, number, feed)

    async def close(self) -> None:
        await super().close()
        if self._other is not None:
            await self._other.close()

    def _is_out_of_reach(self) -> bool:
        """Whether libdatachannel could reach nobody as we are placed."""
        if self.mode == "relay":
            return bool(self.relays) and not any(map(_is_within_reach, self.relays))
        return ice.local_addresses(None) == [ice.LOOPBACK]

    def _aiortc(self) -> Transport:
        """Imported when it is needed: it takes most of a second."""
        from peer.native.transport.aiortc import AiortcTransport

        if self._other is None:
            self._other = AiortcTransport(self.advertise)
        self._other.place(local=self.local, stun=self.stun)
        self._other.confine(self.mode, self.relays)
        return self._other

    def servers(self) -> list[str]:
        """What libdatachannel is to ask about addresses, as URLs."""
        if self.mode == "relay":
            return [_url(relay) for relay in self.relays if _is_within_reach(relay)]
        if self.stun is None or not self.reflects:
            return []
        host, port = self.stun
        return [f"stun:{_host(host)}:{port}"]


class FastLink(SharedLink):
    """One peer connection of libdatachannel."""

    def __init__(self, transport: FastTransport, number: int, feed: Feed) -> None:
        super().__init__(transport, number, feed)
        self._transport = transport
        self._library = transport.library
        self._loop = asyncio.get_running_loop()
        self._relayed_only = transport.mode == "relay"
        self._queue = LoopQueue[Said](_heed)
        self._connection = self._library.connection(
            transport.servers(), policy=RELAYED if self._relayed_only else ALL, largest=LARGEST
        )
        self._ended = asyncio.Event()
        self._said = asyncio.Event()
        """Whether what was told has gone, as far as anybody waits for it."""
        self._connection.set_on_state_change(self._on_loop(self._state_changed))
        self._connection.set_on_local_candidate(self._on_loop(self._found))
        self._connection.set_on_data_channel(self._on_loop(self._refuse))
        self._control = self._channel("control", CONTROL, self._heard_control, ordered=True)
        self._data = self._channel("data", DATA, self._heard_data, ordered=False)
        self._control.set_on_buffered_amount_low(self._on_loop(self._said.set))
        self._data.set_on_buffered_amount_low(self._on_loop(self._emptied))
        self._open = False
        self._gone = False
        """Whether the connection was closed, and may not be called any more."""
        self._buffered = 0
        """Bytes of media that libdatachannel had when it was last asked. If there were any, it will
        tell when there are none: SCTP has some left to send then, so nothing stands still."""
        self._known: set[str] | None = None
        """Our candidates that the other end knows of; None before we have described ourselves."""
        self._flushes = False
        """Whether what was given is about to be handed over."""

    # Coming about

    async def _reach(self, candidate: Candidate, address: str) -> None:
        line = (
            f"candidate:{candidate.foundation} {candidate.component} UDP {candidate.priority} "
            f"{address} {candidate.port} typ {candidate.kind}"
        )
        with contextlib.suppress(RuntimeError):  # an address of a kind that we have none of
            self._connection.add_remote_candidate(line, "0")

    async def _describe(self, kind: Kind) -> str:
        """How this end describes itself, while STUN or a relay finds out more."""
        await asyncio.to_thread(self._connection.set_local_description, kind)
        bare, candidates = take_apart(self._connection.get_local_description() or "")
        self._known = set(candidates)
        candidates.sort(key=lambda line: _address(line) != self._transport.local)
        candidates = candidates[: ice.MOST_ADDRESSES]
        if not self._relayed_only:
            candidates += _advertised(candidates, self._transport.advertise)
        return put_together(bare, candidates)

    async def _take_bare(self, sdp: str, kind: Kind) -> None:
        await asyncio.to_thread(self._connection.set_remote_description, sdp, kind)

    def _found(self, candidate: str, mid: str) -> None:
        candidate = candidate.removeprefix("a=")
        if self._known is not None and candidate not in self._known:
            self._known.add(candidate)
            self._inbox.feed(CandidateFound(self._number, candidate, mid))

    # Once it is open

    def tell(self, message: LinkMessage) -> None:
        if not self._is_open():
            return
        if self._control.buffered_amount() > MOST_TOLD:
            self._inbox.closed("timeout")
            return
        try:
            self._control.send_text(encode(message))
        except RuntimeError:  # it has just closed, or the other end takes no such message
            self._inbox.closed("failed")

    def send(self, frame: Frame) -> None:
        self._put(frame)
        if not self._flushes:  # with all that follows in the same turn
            self._flushes = True
            self._loop.call_soon(self._hand_over)

    def _is_open(self) -> bool:
        return self._open and not self._gone

    def _pump(self) -> int:
        if not self._is_open():
            return 0
        try:
            while self._frames and self._buffered < AHEAD:
                room = AHEAD - self._buffered
                while self._frames and room > 0:
                    data = self._frames.popleft()
                    self._waiting -= len(data)
                    self._data.send_bytes(data)
                    room -= len(data)
                self._buffered = self._data.buffered_amount()
        except RuntimeError:
            self._inbox.closed("failed")
            return 0
        return self._buffered

    def _hand_over(self) -> None:
        self._flushes = False
        if self._flush() == 0:
            # SCTP has taken all of it at once, of which libdatachannel says nothing.
            self._drained()

    def _emptied(self) -> None:
        """SCTP has taken all that there was."""
        if self._is_open():
            self._buffered = self._data.buffered_amount()
        self._drained()

    # Its end

    async def close(self) -> None:
        self._hush()
        async with self._turn:
            if self._gone:
                return
            await self._say_last_words()
            self._gone = True
            self._connection.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), CLOSING)
            self._queue.end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(self._destroy), CLOSING)

    async def _say_last_words(self) -> None:
        if not self._is_open() or not self._control.buffered_amount():
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._said.wait(), LAST_WORDS)

    def _destroy(self) -> None:
        """Give everything back; it may wait for the library's threads."""
        self._control.destroy()
        self._data.destroy()
        self._connection.destroy()

    # What libdatachannel tells

    def _on_loop(self, function: Callable[..., None]) -> Callable[..., None]:
        """What the library may call, on any thread, to have a function called on the loop."""
        put = self._queue.put
        return lambda *said: put((function, said))

    def _channel(
        self, label: str, number: int, heard: Callable[[bytes | str], None], *, ordered: bool
    ) -> Any:
        channel = self._library.channel(self._connection, label, number, ordered=ordered)
        channel.set_on_message(self._on_loop(heard))
        channel.set_on_open(self._on_loop(self._opened))
        channel.set_on_closed(self._on_loop(self._closed))
        return channel

    def _heard_control(self, data: bytes | str) -> None:
        if self._inbox.over:
            return
        if isinstance(data, str):
            self._inbox.control(data)
        else:
            self._inbox.broke(ErrorCode.UNEXPECTED)

    def _heard_data(self, data: bytes | str) -> None:
        if self._inbox.over:
            return
        if isinstance(data, bytes):
            self._inbox.data(data)
        else:
            self._inbox.broke(ErrorCode.UNEXPECTED)

    def _opened(self) -> None:
        if self._gone or self._open or not (self._control.is_open() and self._data.is_open()):
            return
        self._open = True
        self._inbox.feed(LinkOpened(self._number))
        route = self._library.route_of(self._connection)
        if route is not None:
            self._inbox.feed(LinkRouted(self._number, route))

    def _closed(self) -> None:
        self._open = False
        self._inbox.closed("closed")

    def _refuse(self, handle: int) -> None:
        """The other end opens a channel of its own."""
        self._inbox.broke(ErrorCode.UNEXPECTED)
        self._start(asyncio.to_thread(self._library.refuse, handle))

    def _state_changed(self, state: int) -> None:
        if state in (FAILED, CLOSED):
            self._ended.set()
            self._open = False
            self._inbox.closed("failed" if state == FAILED else "closed")


def _heed(said: Said) -> None:
    function, given = said
    function(*given)


def _is_within_reach(relay: Relay) -> bool:
    return relay.transport == "udp" and not relay.tls


def _url(relay: Relay) -> str:
    name, secret = quote(relay.username, safe=""), quote(relay.credential, safe="")
    return f"turn:{name}:{secret}@{_host(relay.host)}:{relay.port}?transport=udp"


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _address(candidate: str) -> str:
    return candidate.split()[4]


def _advertised(candidates: list[str], addresses: Iterable[str]) -> list[str]:
    """Our candidates again, at the addresses by which others reach us."""
    hosts = [line.split() for line in candidates if " typ host" in line]
    return [
        " ".join([*words[:4], address, *words[5:]])
        for words in hosts
        for address in addresses
        if (":" in address) == (":" in words[4]) and address != words[4]
    ]
