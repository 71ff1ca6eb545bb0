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
from collections.abc import Iterable

from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.rtcdatachannel import RTCDataChannel

from p2pcdn.core.ports import CandidateFound, LinkOpened, LinkRouted
from p2pcdn.model import FRAME_PAYLOAD
from p2pcdn.wire.candidate import Candidate
from p2pcdn.wire.codec import encode
from p2pcdn.wire.link import LinkMessage
from peer.native.transport import CONTROL, DATA, Feed, ice
from peer.native.transport.acknowledgements import acknowledge_sparingly
from peer.native.transport.description import put_together, take_apart
from peer.native.transport.guard import guard
from peer.native.transport.shared import (
    CLOSING,
    LAST_WORDS,
    MOST_TOLD,
    Kind,
    Shared,
    SharedLink,
)

AHEAD = 2 * FRAME_PAYLOAD
"""Bytes of media handed to aiortc ahead of time. It has one queue for both channels, so this is
what a control message may have to wait for."""
LOOK_EVERY = 0.01
"""Seconds between two looks at what a closing link still has to send."""


class AiortcTransport(Shared):
    """Makes links of aiortc's peer connections."""

    def __init__(self, advertise: Iterable[str] = ()) -> None:
        super().__init__(advertise)
        self.leaving: set[asyncio.Task[None]] = set()
        """What leaves relays that are not needed."""

    def link(self, number: int, feed: Feed) -> AiortcLink:
        self.resolver.listen()
        return AiortcLink(self, number, feed)

    async def close(self) -> None:
        await super().close()
        if self.leaving:
            await asyncio.wait(self.leaving, timeout=LAST_WORDS)


class AiortcLink(SharedLink):
    """One `RTCPeerConnection`."""

    def __init__(self, transport: AiortcTransport, number: int, feed: Feed) -> None:
        super().__init__(transport, number, feed)
        self._transport = transport
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

    # Coming about

    async def _describe(self, kind: Kind) -> str:
        await self._gather()
        if kind == "offer":
            description = await self._connection.createOffer()
        else:
            description = await self._connection.createAnswer()
        await self._connection.setLocalDescription(description)
        return self._description()

    async def _take_bare(self, sdp: str, kind: Kind) -> None:
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, kind))

    async def _reach(self, candidate: Candidate, address: str) -> None:
        await self._connection.addIceCandidate(
            RTCIceCandidate(
                component=candidate.component,
                foundation=candidate.foundation,
                ip=address,
                port=candidate.port,
                priority=candidate.priority,
                protocol=candidate.transport,
                type=candidate.kind,
                sdpMid=self._sctp.mid,
            )
        )

    async def _gather(self) -> None:
        if self._mode == "relay":
            await ice.gather_relayed(self._ice, self._relays, self._transport.leaving)
            return
        await ice.gather(self._ice, ice.local_addresses(self._transport.local))

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

    def _pump(self) -> int:
        while self._frames and self._data.bufferedAmount < AHEAD:
            if self._data.readyState != "open":
                break
            data = self._frames.popleft()
            self._waiting -= len(data)
            self._data.send(data)
        # It tells when it falls to this from above, so never of a frame that is alone at its mark.
        buffered = self._data.bufferedAmount
        self._data.bufferedAmountLowThreshold = buffered // 2
        return buffered

    # Its end

    async def close(self) -> None:
        self._hush()
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
