"""Links over real data channels, between two ends in this process: of each library, with each."""

from __future__ import annotations

import asyncio
import hashlib
from random import Random

import pytest

from p2pcdn.core.ports import (
    LinkClosed,
    LinkDrained,
    LinkOpened,
    LinkSays,
    LinkSends,
)
from p2pcdn.errors import ErrorCode
from p2pcdn.model import CHUNK_SIZE, FRAME_PAYLOAD
from p2pcdn.wire.chunk import Frame, encode_frame, frames_of
from p2pcdn.wire.link import Bye, Cancel
from peer.native.transport import LinkError
from peer.native.transport.choice import Choice, transport_of
from peer.native.transport.description import take_apart
from tests.peer.native.transport.ends import EACH, End, linked, needs_fast

Pair = tuple[Choice, Choice]
"""Who calls, and who is called."""


@pytest.fixture(
    params=[
        pytest.param(("aiortc", "aiortc"), id="aiortc"),
        pytest.param(("fast", "fast"), id="fast", marks=needs_fast),
        pytest.param(("aiortc", "fast"), id="aiortc-calls-fast", marks=needs_fast),
        pytest.param(("fast", "aiortc"), id="fast-calls-aiortc", marks=needs_fast),
    ]
)
def pair(request: pytest.FixtureRequest) -> Pair:
    chosen: Pair = request.param
    return chosen


async def test_both_ends_hear_that_both_channels_are_open(pair: Pair) -> None:
    async with linked(*pair) as (caller, called):
        assert caller.all(LinkOpened) == [LinkOpened(1)]
        assert called.all(LinkOpened) == [LinkOpened(1)]


async def test_control_messages_keep_their_order(pair: Pair) -> None:
    async with linked(*pair) as (caller, called):
        for number in range(50):
            caller.link.tell(Cancel(number))
        said = await called.until(LinkSays, 50)
        assert [s.message for s in said] == [Cancel(number) for number in range(50)]


async def test_large_transfers_arrive_whole_while_little_is_buffered(pair: Pair) -> None:
    """The sender goes by what is reported as drained, as the core does."""
    data = Random(1).randbytes(64 * CHUNK_SIZE)
    frames = [
        frame
        for want in range(64)
        for frame in frames_of(want, data[want * CHUNK_SIZE : (want + 1) * CHUNK_SIZE])
    ]
    async with linked(*pair) as (caller, called):
        buffered, told = 0, 0
        for frame in frames:
            if buffered > 2 * CHUNK_SIZE:
                *_, drained = await caller.until(LinkDrained, told + 1)
                told = len(caller.all(LinkDrained))
                assert drained.buffered <= buffered / 2
                buffered = drained.buffered
            caller.link.send(frame)
            buffered += len(encode_frame(frame))
        arrived = await called.until(LinkSends, len(frames))
    pieces = {(s.frame.want, s.frame.offset): s.frame.payload for s in arrived}
    joined = b"".join(pieces[key] for key in sorted(pieces))
    assert hashlib.sha256(joined).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("count", [1, 2, 3, 16])
async def test_it_is_told_once_when_half_of_what_was_sent_has_gone(pair: Pair, count: int) -> None:
    async with linked(*pair) as (caller, called):
        frame = Frame(0, 0, bytes(FRAME_PAYLOAD))
        for want in range(count):
            caller.link.send(frame._replace(want=want))
        (drained,) = await caller.until(LinkDrained)
        size = len(encode_frame(frame))
        # aiortc tells at that very frame, libdatachannel when its SCTP has taken that much.
        assert drained.buffered <= count // 2 * size
        if pair[0] == "aiortc":
            assert drained.buffered == count // 2 * size
        await called.until(LinkSends, count)
        assert caller.all(LinkDrained) == [drained]
        caller.link.send(frame._replace(want=count))
        await caller.until(LinkDrained, 2)


async def test_drained_is_told_after_the_smallest_frame(pair: Pair) -> None:
    """A data channel's own event stays silent below its threshold, and the core would wait."""
    async with linked(*pair) as (caller, _):
        caller.link.send(Frame(0, 0, b"x"))
        assert await caller.until(LinkDrained) == [LinkDrained(1, 0)]


async def test_control_overtakes_media_that_waits(pair: Pair) -> None:
    async with linked(*pair) as (caller, called):
        for want in range(64):
            caller.link.send(Frame(want, 0, bytes(FRAME_PAYLOAD)))
        caller.link.tell(Cancel(0))
        await called.until(LinkSays)
        # What aiortc had been given already, and what was on its way meanwhile.
        assert len(called.all(LinkSends)) < 32


async def test_what_was_told_before_closing_arrives(pair: Pair) -> None:
    async with linked(*pair) as (caller, called):
        for want in range(16):
            caller.link.send(Frame(want, 0, bytes(FRAME_PAYLOAD)))
        caller.link.tell(Bye(ErrorCode.TIMEOUT))
        await caller.link.close()
        await called.until(LinkClosed)
        assert [s.message for s in called.all(LinkSays)] == [Bye(ErrorCode.TIMEOUT)]
        assert called.all(LinkClosed) == [LinkClosed(1, "closed")]
        assert not caller.all(LinkClosed), "who closes a link knows"


async def test_a_closed_link_is_silent(pair: Pair) -> None:
    async with linked(*pair) as (caller, called):
        await called.link.close()
        told = list(called.told)
        caller.link.tell(Cancel(1))
        caller.link.send(Frame(1, 0, b"x"))
        await caller.until(LinkClosed)
        assert called.told == told


@pytest.mark.parametrize("choice", EACH)
async def test_what_is_no_description_fails_and_leaves_nothing_behind(choice: Choice) -> None:
    transport = transport_of(choice)
    end = End(transport)
    with pytest.raises(LinkError):
        await end.link.answer("v=0\r\n")
    with pytest.raises(LinkError):
        await end.link.take_answer("")
    await end.link.close()
    assert not end.told
    await transport.close()


@pytest.mark.parametrize("choice", EACH)
async def test_a_link_is_closed_at_any_time(choice: Choice) -> None:
    transport = transport_of(choice)
    fresh, offering, answering = End(transport), End(transport), End(transport)
    await fresh.link.close()
    offer = asyncio.create_task(offering.link.offer())
    await asyncio.sleep(0)
    await offering.link.close()
    await answering.link.answer(await offer)
    await answering.link.close()
    assert not [told for end in (fresh, offering, answering) for told in end.told]
    await transport.close()


@pytest.mark.parametrize("choice", EACH)
async def test_advertised_addresses_come_with_the_ports_that_are_open(
    choice: Choice,
) -> None:
    transport = transport_of(choice, ["203.0.113.7"])
    end = End(transport)
    _, candidates = take_apart(await end.link.offer())
    ports = {c.split()[5] for c in candidates if c.split()[4] == "203.0.113.7"}
    own = {c.split()[5] for c in candidates if c.split()[4] != "203.0.113.7"}
    assert ports
    assert ports <= own
    await end.link.close()
    await transport.close()
