"""Two ends of a link in one process, with the signalling done by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcsctptransport import RTCSctpTransport

from p2pcdn.core.ports import CandidateFound, Input, LinkOpened
from peer.native.transport import Transport, libdatachannel
from peer.native.transport.choice import Choice, transport_of

Told = TypeVar("Told", bound=Input)

PATIENCE = 40.0
"""Seconds after which a test gives up; nothing here takes one."""


needs_fast = pytest.mark.skipif(
    not libdatachannel.is_there(),
    reason="aiolibdatachannel is not installed: it needs Python 3.12 (see tests/prepare.py)",
)

EACH = [
    pytest.param("aiortc", id="aiortc"),
    pytest.param("fast", id="fast", marks=needs_fast),
]
"""The transports that there are."""


class End:
    """A link, and all that it has told."""

    def __init__(self, transport: Transport, number: int = 1) -> None:
        self.told: list[Input] = []
        self.on_candidate: Callable[[str], None] | None = None
        self._news = asyncio.Event()
        self.link: Any = transport.link(number, self._hear)
        """Of whichever transport."""

    def _hear(self, told: Input) -> None:
        self.told.append(told)
        self._news.set()

    def all(self, kind: type[Told]) -> list[Told]:
        return [told for told in self.told if isinstance(told, kind)]

    async def until(self, kind: type[Told], count: int = 1) -> list[Told]:
        """Wait for so many inputs of a kind."""
        async with asyncio.timeout(PATIENCE):
            while len(self.all(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return self.all(kind)


async def introduce(caller: End, called: End) -> None:
    """Do what a tracker does."""
    offer = await caller.link.offer()
    answer = await called.link.answer(offer)
    await caller.link.take_answer(answer)
    for candidate in caller.all(CandidateFound):
        called.link.add_candidate(candidate.candidate)
    await asyncio.gather(caller.until(LinkOpened), called.until(LinkOpened))


@asynccontextmanager
async def linked(of: Choice = "aiortc", to: Choice = "aiortc") -> AsyncIterator[tuple[End, End]]:
    """Two ends of an open link."""
    ours, theirs = transport_of(of), transport_of(to)
    caller, called = End(ours), End(theirs)
    try:
        await introduce(caller, called)
        yield caller, called
    finally:
        await caller.link.close()
        await called.link.close()
        await ours.close()
        await theirs.close()


class Stranger:
    """A peer connection that does as it likes."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.control = self.connection.createDataChannel("control", negotiated=True, id=0)
        self.data = self.connection.createDataChannel("data", negotiated=True, id=1, ordered=False)

    @property
    def sctp(self) -> RTCSctpTransport:
        assert self.connection.sctp is not None
        return self.connection.sctp

    async def call(self, end: End) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await end.link.answer(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await end.until(LinkOpened)


Met = tuple[Stranger, End]


@asynccontextmanager
async def met(choice: Choice) -> AsyncIterator[Met]:
    """Somebody who does as he likes, and an end of ours."""
    transport, stranger = transport_of(choice), Stranger()
    end = End(transport)
    await stranger.call(end)
    try:
        yield stranger, end
    finally:
        await end.link.close()
        await stranger.connection.close()
        await transport.close()
