"""Links over aiortc: WebRTC in Python, its SCTP included.

::

    offer:   gather, describe ---------> take_answer -.
                       '-> STUN trickles               >-> ICE -> DTLS -> SCTP -> both channels open
    answer:  take the offer, gather, describe --------'

Candidates of the other end never hold anything up: they are taken out of its description and added
one by one, those behind `.local` names once somebody has answered for them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcdatachannel import RTCDataChannel

from p2pcdn.core.ports import CandidateFound, LinkDrained, LinkOpened, LinkRouted
from p2pcdn.model import FRAME_PAYLOAD
from p2pcdn.wire.candidate import Candidate
from p2pcdn.wire.chunk import Frame, encode_frame
from p2pcdn.wire.codec import encode
from p2pcdn.wire.link import LinkMessage
from peer.native.transport import CONTROL, DATA, Feed, Inbox, LinkError, ice
from peer.native.transport.acknowledgements import acknowledge_sparingly
from peer.native.transport.description import put_together, take_apart, usable
from peer.native.transport.guard import guard
from peer.native.transport.mdns import is_local_name
from peer.native.transport.shared import CLOSING, LAST_WORDS, MOST_CANDIDATES, MOST_TOLD, Shared

AHEAD = 2 * FRAME_PAYLOAD
"""Bytes of media handed to aiortc ahead of time. It has one queue for both channels, so this is
what a control message may have to wait for."""
LOOK_EVERY = 0.01
"""Seconds between two looks at what a closing link still has to send."""


class AiortcTransport(Shared):
    """Makes links of aiortc's peer connections."""

    def link(self, number: int, feed: Feed) -> AiortcLink:
        self.resolver.listen()
        return AiortcLink(self, number, feed)


class AiortcLink:
    """One `RTCPeerConnection`."""

    def __init__(self, transport: AiortcTransport, number: int, feed: Feed) -> None:
        self._transport = transport
        self._number = number
        self._inbox = Inbox(number, feed)
        self._mode, self._relays = transport.mode, transport.relays
        policy = RTCIceTransportPolicy.RELAY if self._mode == "relay" else RTCIceTransportPolicy.ALL
        # Without a configuration aiortc would ask a third party's STUN server.
        self._connection = RTCPeerConnection(RTCConfiguration([], iceTransportPolicy=policy))
        self._control = self._channel("control", CONTROL, ordered=True)
        self._data = self._channel("data", DATA, ordered=False)
        self._data.on("bufferedamountlow", self._drained)
        self._connection.on("connectionstatechange", self._state_changed)
        sctp = self._connection.sctp
        assert sctp is not None
        self._sctp = sctp
        self._ice = sctp.transport.transport._connection
        guard(sctp, self._inbox)
        acknowledge_sparingly(sctp, more=lambda: self._ice._queue.qsize() > 0)
        self._frames: deque[bytes] = deque()
        self._waiting = 0
        """Bytes of these frames."""
        self._half = -1
        """Bytes that are left when half of what waited after sending has gone; -1 once that was
        told."""
        self._described = asyncio.Event()
        """Set once the other end is described; its candidates wait for that."""
        self._candidates = 0
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # Coming about

    async def offer(self) -> str:
        async with self._turn:
            try:
                await self._gather()
                await self._connection.setLocalDescription(await self._connection.createOffer())
            except Exception as error:
                raise LinkError(f"no offer: {error!r}") from error
            return self._description()

    async def answer(self, sdp: str) -> str:
        async with self._turn:
            try:
                await self._take(sdp, "offer")
                await self._gather()
                await self._connection.setLocalDescription(await self._connection.createAnswer())
            except Exception as error:
                raise LinkError(f"no answer: {error!r}") from error
            return self._description()

    async def take_answer(self, sdp: str) -> None:
        async with self._turn:
            try:
                await self._take(sdp, "answer")
            except Exception as error:
                raise LinkError(f"not an answer: {error!r}") from error

    def add_candidate(self, candidate: str) -> None:
        self._candidates += 1
        parsed = usable(candidate)
        if parsed is not None and self._candidates <= MOST_CANDIDATES and not self._inbox.over:
            self._start(self._add_candidate(parsed))

    async def _add_candidate(self, parsed: Candidate) -> None:
        address: str | None = parsed.address
        if is_local_name(parsed.address):
            found = await self._transport.resolver.resolve(parsed.address)
            address = None if found is None else str(found)
        await self._described.wait()
        if address is None or self._inbox.over:
            return
        await self._connection.addIceCandidate(
            RTCIceCandidate(
                component=parsed.component,
                foundation=parsed.foundation,
                ip=address,
                port=parsed.port,
                priority=parsed.priority,
                protocol=parsed.transport,
                type=parsed.kind,
                sdpMid=self._sctp.mid,
            )
        )

    async def _gather(self) -> None:
        if self._mode == "relay":
            await ice.gather_relayed(self._ice, self._relays)
            return
        await ice.gather(self._ice, ice.local_addresses(self._transport.local))

    async def _take(self, sdp: str, kind: str) -> None:
        bare, candidates = take_apart(sdp)
        await self._connection.setRemoteDescription(RTCSessionDescription(bare, kind))
        self._described.set()
        for candidate in candidates:
            self.add_candidate(candidate)

    def _description(self) -> str:
        """How this end describes itself, while STUN finds out more."""
        if self._transport.stun is not None and self._transport.reflects:
            self._start(ice.reflect(self._ice, self._transport.stun, self._found))
        bare, candidates = take_apart(self._connection.localDescription.sdp)
        if self._mode != "relay":
            candidates += ice.advertised(self._ice, self._transport.advertise)
        return put_together(bare, candidates)

    def _found(self, candidate: str) -> None:
        self._inbox.feed(CandidateFound(self._number, candidate, self._sctp.mid or "0"))

    # Once it is open

    def tell(self, message: LinkMessage) -> None:
        if self._control.readyState != "open":
            return
        if self._control.bufferedAmount > MOST_TOLD:
            self._inbox.closed("timeout")
            return
        self._control.send(encode(message))

    def send(self, frame: Frame) -> None:
        data = encode_frame(frame)
        self._frames.append(data)
        self._waiting += len(data)
        self._pump()
        self._half = self._left() // 2

    def _left(self) -> int:
        """Bytes that wait, here and in aiortc."""
        return self._waiting + self._data.bufferedAmount

    def _pump(self) -> None:
        while self._frames and self._data.bufferedAmount < AHEAD:
            if self._data.readyState != "open":
                return
            data = self._frames.popleft()
            self._waiting -= len(data)
            self._data.send(data)
        # It tells when it falls to this from above, so never of a frame that is alone at its mark.
        self._data.bufferedAmountLowThreshold = self._data.bufferedAmount // 2

    def _drained(self) -> None:
        """aiortc has put half of what it was given into packets."""
        self._pump()
        left = self._left()
        if left <= self._half:
            self._half = -1
            self._inbox.feed(LinkDrained(self._number, left))

    # Its end

    async def close(self) -> None:
        self._inbox.hush()
        self._frames.clear()
        for task in self._tasks:
            task.cancel()
        async with self._turn:
            await self._say_last_words()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._connection.close(), CLOSING)

    async def _say_last_words(self) -> None:
        """Have what was told arrive: aiortc ends its SCTP without waiting for that."""
        sctp = self._sctp
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                while self._control.readyState == "open" and (  # noqa: ASYNC110
                    self._control.bufferedAmount or sctp._outbound_queue or sctp._sent_queue
                ):
                    await asyncio.sleep(LOOK_EVERY)

    # What aiortc tells

    def _channel(self, label: str, number: int, *, ordered: bool) -> RTCDataChannel:
        channel = self._connection.createDataChannel(
            label, ordered=ordered, negotiated=True, id=number
        )
        channel.on("open", self._opened)
        channel.on("close", lambda: self._inbox.closed("closed"))
        return channel

    def _opened(self) -> None:
        if self._control.readyState == self._data.readyState == "open":
            self._start(self._watch())
            self._inbox.feed(LinkOpened(self._number))
            route = ice.route_of(self._ice)
            if route is not None:
                self._inbox.feed(LinkRouted(self._number, route))

    def _state_changed(self) -> None:
        if self._connection.connectionState == "failed":
            self._inbox.closed("failed")
        elif self._connection.connectionState == "closed":
            self._inbox.closed("closed")

    async def _watch(self) -> None:
        await ice.vanished(self._ice)
        self._inbox.closed("timeout")

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
