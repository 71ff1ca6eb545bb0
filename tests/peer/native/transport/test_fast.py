"""What is only libdatachannel's way; what holds for each transport is in `test_transports.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc.rtcsctptransport import WEBRTC_STRING

from p2pcdn.core.ports import (
    CandidateFound,
    LinkClosed,
    LinkDrained,
    LinkOpened,
    LinkSays,
    LinkSends,
)
from p2pcdn.core.uplink import Uplink
from p2pcdn.model import FRAME_PAYLOAD
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.link import Cancel
from peer.native.transport import Relay, ice, libdatachannel
from peer.native.transport.aiortc import AiortcLink
from peer.native.transport.choice import transport_of
from peer.native.transport.description import take_apart
from peer.native.transport.fast import FastTransport
from tests.peer.native.transport.ends import End, Met, linked, met, needs_fast
from tests.peer.native.transport.test_ice import SEEN, stun_server

pytestmark = needs_fast


@pytest.fixture
async def pair() -> AsyncIterator[Met]:
    async with met("fast") as pair:
        yield pair


@pytest.mark.parametrize("text", [b"\xff\xfe\xfd", b'{"type":"\xc3"}', b'"\xed\xa0\x80"'])
async def test_text_that_is_none_is_heard_by_nobody(pair: Met, text: bytes) -> None:
    """It comes on a thread in which nobody would catch what a decoder raises."""
    stranger, end = pair
    await stranger.sctp._send(0, WEBRTC_STRING, text)
    stranger.control.send('{"type":"cancel","want":1}')
    assert await end.until(LinkSays) == [LinkSays(1, Cancel(1))]


# What has gone


async def test_the_core_finds_out_how_fast_a_line_is_that_takes_all_at_once() -> None:
    frame = Frame(0, 0, bytes(FRAME_PAYLOAD))
    async with linked("fast", "fast") as (caller, _):
        uplink, loop = Uplink(), asyncio.get_running_loop()
        uplink.rate = 625_000.0
        for want in range(200):
            uplink.sent(1, FRAME_PAYLOAD, loop.time())
            caller.link.send(frame._replace(want=want))
            for drained in (await caller.until(LinkDrained, want + 1))[want:]:
                uplink.drained(1, drained.buffered, loop.time())
        assert uplink.measured


async def test_frames_that_are_given_together_are_handed_over_together() -> None:
    frame = Frame(0, 0, bytes(FRAME_PAYLOAD))
    async with linked("fast", "fast") as (caller, called):
        for want in range(4):
            caller.link.send(frame._replace(want=want))
        assert [drained.buffered for drained in await caller.until(LinkDrained)] == [0]
        assert len(await called.until(LinkSends, 4)) == 4
        assert len(caller.all(LinkDrained)) == 1


# The other end is gone


async def test_a_peer_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    library = libdatachannel.load()
    with monkeypatch.context() as sooner:
        sooner.setattr(libdatachannel, "HEARTBEAT_MS", 500)
        sooner.setattr(libdatachannel, "MOST_RETRANSMIT_MS", 500)
        sooner.setattr(libdatachannel, "MOST_RETRANSMITS", 2)
        library.set_up()
        try:
            async with linked("fast", "aiortc") as (caller, called):
                assert not caller.all(LinkClosed)
                for protocol in called.link._ice._protocols:
                    protocol.transport.abort()
                assert await caller.until(LinkClosed) == [LinkClosed(1, "closed")]
        finally:
            sooner.undo()
            library.set_up()


def test_a_peer_that_vanishes_is_noticed_within_seconds() -> None:
    each = libdatachannel.HEARTBEAT_MS + libdatachannel.MOST_RETRANSMIT_MS
    assert each * (libdatachannel.MOST_RETRANSMITS + 1) <= 8_000


# Addresses


async def test_candidates_may_come_before_the_description_and_be_nonsense() -> None:
    transport = FastTransport()
    caller, called = End(transport), End(transport)
    bare, candidates = take_apart(await caller.link.offer())
    for candidate in ["nonsense", *candidates]:
        called.link.add_candidate(candidate)
    await asyncio.sleep(0)  # they are under way
    answer, _ = take_apart(await called.link.answer(bare))
    await caller.link.take_answer(answer)
    await asyncio.gather(caller.until(LinkOpened), called.until(LinkOpened))
    for end in (caller, called):
        await end.link.close()
    await transport.close()


async def test_the_address_that_the_tracker_knows_comes_first() -> None:
    transport = FastTransport()
    first = End(transport)
    _, candidates = take_apart(await first.link.offer())
    await first.link.close()
    for preferred in {line.split()[4] for line in candidates}:
        transport.place(local=preferred, stun=None)
        end = End(transport)
        _, candidates = take_apart(await end.link.offer())
        assert candidates[0].split()[4] == preferred
        await end.link.close()
    await transport.close()


async def test_stun_is_asked_where_others_may_know_of_it() -> None:
    transport = FastTransport()
    assert transport.servers() == []
    transport.place(local=None, stun=("2001:db8::1", 3478))
    assert transport.servers() == ["stun:[2001:db8::1]:3478"]
    transport.confine("lan", ())
    assert transport.servers() == []
    await transport.close()


async def test_what_stun_finds_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = FastTransport()
    async with stun_server() as (server, address):
        transport.place(local=None, stun=address)
        end = End(transport)
        with monkeypatch.context() as slow:
            slow.setattr(server._transport, "sendto", lambda data, address: None)
            _, candidates = take_apart(await end.link.offer())
            assert not [line for line in candidates if "srflx" in line], "it is not waited for"
        (found,) = await end.until(CandidateFound)
        assert found.candidate.split()[7] == "srflx"
        assert found.candidate.split()[4] == SEEN[0]
        assert found.mid == "0"
        await end.link.close()
    await transport.close()


async def test_relays_are_reached_by_udp_and_their_passwords_may_be_anything() -> None:
    transport = FastTransport()
    near, far = Relay("turn.example", 3478, "1:me", "a/b@c"), Relay("t", 5349, "u", "p", tls=True)
    transport.confine("relay", (near, far))
    assert transport.servers() == ["turn:1%3Ame:a%2Fb%40c@turn.example:3478?transport=udp"]
    await transport.close()


async def test_where_relays_are_reached_otherwise_a_link_is_aiortcs() -> None:
    transport = transport_of("fast")
    transport.confine("relay", (Relay("t", 3478, "u", "p", "tcp"),))
    end = End(transport)
    assert isinstance(end.link, AiortcLink)
    assert end.link._relays == (Relay("t", 3478, "u", "p", "tcp"),)
    await end.link.close()
    await transport.close()


async def test_a_machine_without_a_network_talks_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """libdatachannel gathers nothing on its loopback interface."""
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    transport = FastTransport()
    end = End(transport)
    assert isinstance(end.link, AiortcLink)
    await end.link.close()
    await transport.close()


async def test_behind_a_relay_no_address_is_told() -> None:
    transport = FastTransport(["203.0.113.7"])
    transport.confine("relay", (Relay("127.0.0.1", 9, "u", "p"),))
    end = End(transport)
    bare, candidates = take_apart(await end.link.offer())
    assert candidates == []
    assert "IN IP4 0.0.0.0" in bare or "IN IP4 127.0.0.1" in bare
    await end.link.close()
    await transport.close()
