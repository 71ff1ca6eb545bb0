"""A guard between the network and aiortc's SCTP, which takes whatever comes.

aiortc puts messages of any length together, opens every channel that the other end asks for, keeps
count of every packet that came before one that is missing, and never holds the other end to the
window that it advertised. So what arrives is looked at before aiortc sees it; everything that
reaches into its `RTCSctpTransport` for that is in this file.
"""

from __future__ import annotations

import structlog
from aiortc.rtcsctptransport import (
    WEBRTC_BINARY,
    WEBRTC_STRING,
    DataChunk,
    ForwardTsnChunk,
    RTCSctpTransport,
    SackChunk,
)
from aiortc.utils import uint32_gt

from p2pcdn.errors import ErrorCode
from peer.native.transport import CONTROL, DATA, Inbox

MOST_FRAGMENTS = 2_048
"""Fragments of unfinished messages on a link, and packets that came before one that is missing.
One frame is 15 fragments, and an honest end keeps to the window of 1 MiB, some 900 of them. None is
larger than 1,500 bytes, which is all that aiortc reads of a datagram."""

_EXPECTED = {CONTROL: WEBRTC_STRING, DATA: WEBRTC_BINARY}

log = structlog.get_logger("p2pcdn.peer")


def guard(sctp: RTCSctpTransport, inbox: Inbox) -> None:
    """Let whole messages of the two channels into the inbox, and report everything else there."""
    take_packet = sctp._handle_data
    take_fragment = sctp._receive_data_chunk
    take_acknowledgement = sctp._receive_sack_chunk
    take_skip = sctp._receive_forward_tsn_chunk

    async def receive_packet(data: bytes) -> None:
        try:
            await take_packet(data)
        except ConnectionError:
            raise
        except Exception:
            log.debug("packet_refused", exc_info=True)
            inbox.broke(ErrorCode.MALFORMED)

    async def receive_fragment(chunk: DataChunk) -> None:
        if inbox.over:
            return
        if chunk.stream_id not in _EXPECTED:
            inbox.broke(ErrorCode.UNEXPECTED)
            return
        waiting = sum(len(stream.reassembly) for stream in sctp._inbound_streams.values())
        if max(waiting, len(sctp._sack_misordered)) >= MOST_FRAGMENTS:
            inbox.broke(ErrorCode.TOO_LARGE)
            return
        await take_fragment(chunk)

    async def receive_acknowledgement(chunk: SackChunk) -> None:
        if uint32_gt(sctp._last_sacked_tsn, chunk.cumulative_tsn):
            return  # an earlier one
        # aiortc would go through each number of each gap: millions, for one packet.
        if any(first > last for first, last in chunk.gaps):
            return
        if sum(last - first + 1 for first, last in chunk.gaps) > len(sctp._sent_queue):
            return
        await take_acknowledgement(chunk)

    async def receive_skip(chunk: ForwardTsnChunk) -> None:
        chunk.streams = [stream for stream in chunk.streams if stream[0] in _EXPECTED]
        await take_skip(chunk)

    async def receive_message(stream_id: int, pp_id: int, data: bytes) -> None:
        if pp_id != _EXPECTED[stream_id]:
            inbox.broke(ErrorCode.UNEXPECTED)  # text for bytes, or an attempt to open the channel
        elif stream_id == CONTROL:
            inbox.control(data)
        else:
            inbox.data(data)

    sctp._handle_data = receive_packet  # type: ignore[method-assign]
    sctp._receive_data_chunk = receive_fragment  # type: ignore[method-assign]
    sctp._receive_sack_chunk = receive_acknowledgement  # type: ignore[method-assign]
    sctp._receive_forward_tsn_chunk = receive_skip  # type: ignore[method-assign]
    sctp._data_channel_receive = receive_message  # type: ignore[method-assign]
