"""A guard between the network and aiortc's SCTP, which takes whatever comes.

aiortc puts messages of any length together, opens every channel that the other end asks for, and
never holds the other end to the window that it advertised. So what arrives is looked at before
aiortc sees it; everything that reaches into its `RTCSctpTransport` for that is in this file.
"""

from __future__ import annotations

from aiortc.rtcsctptransport import (
    WEBRTC_BINARY,
    WEBRTC_STRING,
    DataChunk,
    RTCSctpTransport,
)

from p2pcdn.errors import ErrorCode
from peer.native.transport import CONTROL, DATA, Inbox

MOST_FRAGMENTS = 2_048
"""Fragments of unfinished messages on a link. One frame is 15 fragments, and an honest end keeps
to the window of 1 MiB, some 900 of them."""

_EXPECTED = {CONTROL: WEBRTC_STRING, DATA: WEBRTC_BINARY}


def guard(sctp: RTCSctpTransport, inbox: Inbox) -> None:
    """Let whole messages of the two channels into the inbox, and report everything else there."""
    take_fragment = sctp._receive_data_chunk

    async def receive_fragment(chunk: DataChunk) -> None:
        if chunk.stream_id not in _EXPECTED:
            inbox.broke(ErrorCode.UNEXPECTED)
            return
        waiting = sum(len(stream.reassembly) for stream in sctp._inbound_streams.values())
        if waiting >= MOST_FRAGMENTS:
            inbox.broke(ErrorCode.TOO_LARGE)
            return
        await take_fragment(chunk)

    async def receive_message(stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id != _EXPECTED[stream_id]:
            inbox.broke(ErrorCode.UNEXPECTED)  # text for bytes, or an attempt to open the channel
        elif stream_id == CONTROL:
            inbox.control(data)
        else:
            inbox.data(data)

    sctp._receive_data_chunk = receive_fragment  # type: ignore[method-assign]
    sctp._data_channel_receive = receive_message  # type: ignore[method-assign]
