"""An end that does not keep to the rules, and what becomes of aiortc's SCTP by that; what holds for
each transport is in `test_strangers.py`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    WEBRTC_BINARY,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    InitChunk,
    SackChunk,
)

from p2pcdn.core.ports import LinkBroke, LinkSays, LinkSends
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.chunk import Frame, encode_frame
from p2pcdn.wire.link import Cancel
from tests.peer.native.transport.ends import Met, met


@pytest.fixture
async def stranger_and_end() -> AsyncIterator[Met]:
    async with met("aiortc") as pair:
        yield pair


async def test_channels_too_many_leave_nothing_behind(stranger_and_end: Met) -> None:
    stranger, end = stranger_and_end
    for number in range(1000):
        stranger.connection.createDataChannel(f"extra {number}")
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.UNEXPECTED.value)]
    sctp = end.link._sctp
    assert set(sctp._data_channels) == {0, 1}
    assert set(sctp._inbound_streams) <= {0, 1}


async def test_a_message_without_end_breaks_the_link_before_it_fills_the_memory(
    stranger_and_end: Met,
) -> None:
    stranger, end = stranger_and_end
    stranger.sctp._remote_max_message_size = 0
    stranger.data.send(bytes(16 * 1024 * 1024))
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.TOO_LARGE.value)]
    held = sum(
        len(chunk.user_data)
        for stream in end.link._sctp._inbound_streams.values()
        for chunk in stream.reassembly
    )
    assert held < 4 * 1024 * 1024


async def test_packets_before_one_that_is_missing_are_bounded(
    stranger_and_end: Met, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a whole message, so nothing waits to be put together."""
    monkeypatch.setattr("peer.native.transport.guard.MOST_FRAGMENTS", 100)
    stranger, end = stranger_and_end
    for number in range(300):
        chunk = DataChunk(flags=SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG | SCTP_DATA_UNORDERED)
        chunk.tsn = (stranger.sctp._local_tsn + 2 * number + 1) % 2**32
        chunk.stream_id, chunk.protocol = 1, WEBRTC_BINARY
        chunk.user_data = encode_frame(Frame(number, 0, b"x"))
        await stranger.sctp._send_chunk(chunk)
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.TOO_LARGE.value)]
    await stranger.connection.close()
    assert len(end.link._sctp._sack_misordered) == 100
    assert len(end.all(LinkSends)) == 100


async def test_an_acknowledgement_of_what_was_never_sent_costs_nothing(
    stranger_and_end: Met,
) -> None:
    """To go through all these numbers would take minutes."""
    stranger, end = stranger_and_end
    for gaps in ([(1, 65_535)] * 250, [(2, 1)], [(5, 4), (1, 65_535)]):
        for _ in range(40):
            sack = SackChunk()
            sack.cumulative_tsn = end.link._sctp._last_sacked_tsn
            sack.gaps = gaps
            await stranger.sctp._send_chunk(sack)
    stranger.control.send('{"type":"cancel","want":1}')
    assert await end.until(LinkSays) == [LinkSays(1, Cancel(1))]
    assert not end.all(LinkBroke)


async def test_skipping_on_channels_that_are_not_there_makes_none(stranger_and_end: Met) -> None:
    stranger, end = stranger_and_end
    for first in range(0, 10_000, 250):
        skip = ForwardTsnChunk()
        skip.cumulative_tsn = stranger.sctp._local_tsn
        skip.streams = [(number, 0) for number in range(first, first + 250)]
        await stranger.sctp._send_chunk(skip)
        stranger.sctp._local_tsn += 1
    stranger.data.send(encode_frame(Frame(0, 0, b"x")))
    await end.until(LinkSends)
    assert set(end.link._sctp._inbound_streams) <= {0, 1}


@pytest.mark.parametrize("kind", [DataChunk, SackChunk, ForwardTsnChunk, InitChunk])
async def test_a_packet_that_cannot_be_read_breaks_the_link(
    stranger_and_end: Met, kind: type[Chunk], caplog: pytest.LogCaptureFixture
) -> None:
    stranger, end = stranger_and_end
    chunk = Chunk(body=b"xyz")
    chunk.type = kind.type
    await stranger.sctp._send_chunk(chunk)
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.MALFORMED.value)]
    assert not caplog.records, "what any stranger can provoke is not worth a line in the log"


async def test_who_talks_without_end_breaks_the_link(
    stranger_and_end: Met, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2pcdn.wire.allowance.MOST_A_SECOND", 0)
    monkeypatch.setattr("p2pcdn.wire.allowance.MOST_AT_ONCE", 1000)
    stranger, end = stranger_and_end
    end.link._inbox._allowance._left = 1000.0
    for _ in range(50):
        stranger.control.send('{"type":"cancel","want":1}')
    assert await end.until(LinkBroke) == [LinkBroke(1, ErrorCode.TOO_FAST.value)]
    assert 5 < len(end.all(LinkSays)) < 15


async def test_nothing_is_put_together_after_the_link_broke(stranger_and_end: Met) -> None:
    stranger, end = stranger_and_end
    stranger.control.send("{}")
    await end.until(LinkBroke)
    chunk = DataChunk(flags=SCTP_DATA_FIRST_FRAG)
    chunk.tsn, chunk.stream_id = stranger.sctp._local_tsn, 1
    chunk.user_data = bytes(1000)
    for _ in range(10):
        await stranger.sctp._send_chunk(chunk)
        chunk.tsn += 1
    await stranger.connection.close()
    assert not any(stream.reassembly for stream in end.link._sctp._inbound_streams.values())


async def test_nothing_is_heard_after_the_link_broke(stranger_and_end: Met) -> None:
    stranger, end = stranger_and_end
    stranger.control.send("{}")
    stranger.control.send('{"type":"cancel","want":1}')
    await end.until(LinkBroke)
    await stranger.connection.close()
    await end.link.close()
    assert end.told[-1] == LinkBroke(1, ErrorCode.MALFORMED.value)
