"""How often what comes over a link is acknowledged."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aiortc.rtcsctptransport import RTCSctpTransport, SackChunk

from p2pcdn.core.ports import LinkSends
from p2pcdn.model import FRAME_PAYLOAD
from p2pcdn.wire.chunk import Frame
from peer.native.transport import acknowledgements
from peer.native.transport.acknowledgements import EACH, acknowledge_sparingly
from tests.peer.native.transport.ends import linked


class FakeSctp:
    """What is touched of aiortc's."""

    State = RTCSctpTransport.State

    def __init__(self) -> None:
        self._sack_misordered: set[int] = set()
        self._sack_duplicates: list[int] = []
        self._sack_needed = False
        self._association_state = self.State.ESTABLISHED
        self.sent = 0
        self.more = True
        self.was_sent = asyncio.Event()
        acknowledge_sparingly(cast(RTCSctpTransport, self), lambda: self.more)

    async def _send_sack(self) -> None:
        self.sent += 1
        self._sack_needed = False
        self.was_sent.set()

    async def packet(self) -> int:
        """A packet has come; how many acknowledgements it caused."""
        before = self.sent
        self._sack_needed = True
        await self._send_sack()
        return self.sent - before


async def test_one_is_for_a_few_packets_while_more_are_there() -> None:
    sctp = FakeSctp()
    assert [await sctp.packet() for _ in range(2 * EACH)] == 2 * ([0] * (EACH - 1) + [1])


async def test_the_last_packet_that_is_there_is_acknowledged_at_once() -> None:
    sctp = FakeSctp()
    assert await sctp.packet() == 0
    sctp.more = False
    assert await sctp.packet() == 1
    assert await sctp.packet() == 1


async def test_a_gap_is_told_at_once() -> None:
    """Who sent what is missing waits for three of these, and sends it again."""
    sctp = FakeSctp()
    sctp._sack_misordered.add(7)
    assert [await sctp.packet() for _ in range(3)] == [1, 1, 1]
    sctp._sack_misordered.clear()
    sctp._sack_duplicates.append(7)
    assert await sctp.packet() == 1


async def test_what_was_put_off_is_sent_if_no_packet_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acknowledgements, "LATEST", 0.01)
    sctp = FakeSctp()
    assert await sctp.packet() == 0
    await asyncio.wait_for(sctp.was_sent.wait(), 10)
    assert sctp.sent == 1


async def test_a_link_that_is_over_acknowledges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledgements, "LATEST", 0.0)
    sctp = FakeSctp()
    assert await sctp.packet() == 0
    sctp._association_state = sctp.State.CLOSED
    for _ in range(3):
        await asyncio.sleep(0)
    assert sctp.sent == 0


async def test_it_is_so_on_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio, unlike uvloop, reads one datagram and has it handled before the next."""
    async with linked() as (caller, called):
        monkeypatch.setattr(called.link._ice._queue, "qsize", lambda: 1)
        sctp = called.link._sctp
        said: list[str] = []
        send, take = sctp._send_chunk, sctp._receive_data_chunk

        async def note_sent(chunk: object) -> None:
            if isinstance(chunk, SackChunk):
                said.append("acknowledged")
            await send(chunk)

        async def note_came(chunk: object) -> None:
            said.append("came")
            await take(chunk)

        sctp._send_chunk = note_sent
        sctp._receive_data_chunk = note_came
        for want in range(32):
            caller.link.send(Frame(want, 0, bytes(FRAME_PAYLOAD)))
        await called.until(LinkSends, 32)
        assert said.count("acknowledged") < 0.5 * said.count("came")
