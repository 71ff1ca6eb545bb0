"""Frames: how a chunk travels on the data channel.

::

     0               4               8
     +---------------+---------------+---------------------+
     | want          | offset        | payload, 1 to 16 KiB|
     +---------------+---------------+---------------------+

Both numbers are unsigned, big-endian. ``want`` is the number of the request that the frame
answers, ``offset`` where its payload stands in the chunk. The channel is reliable but unordered,
so frames arrive in any order, each once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import CHUNK_SIZE, FRAME_PAYLOAD

_HEADER = struct.Struct(">II")

HEADER_BYTES = _HEADER.size
FRAME_BYTES = HEADER_BYTES + FRAME_PAYLOAD


class Frame(NamedTuple):
    """One binary message of the data channel."""

    want: int
    offset: int
    payload: bytes


def encode_frame(frame: Frame) -> bytes:
    """The message that carries this frame."""
    return _HEADER.pack(frame.want, frame.offset) + frame.payload


def decode_frame(data: bytes) -> Frame:
    """Read a message; `RemoteError` if no frame of any chunk looks like it."""
    if len(data) > FRAME_BYTES:
        raise RemoteError(ErrorCode.TOO_LARGE, f"a frame of {len(data)} bytes")
    if len(data) <= HEADER_BYTES:
        raise RemoteError(ErrorCode.BAD_FRAME, f"a frame of {len(data)} bytes has no payload")
    want, offset = _HEADER.unpack_from(data)
    payload = data[HEADER_BYTES:]
    if offset + len(payload) > CHUNK_SIZE:
        raise RemoteError(ErrorCode.BAD_FRAME, f"a frame that ends at {offset + len(payload)}")
    return Frame(want, offset, payload)


def frames_of(want: int, chunk: bytes) -> Iterator[Frame]:
    """Cut a chunk into the frames that answer ``want``."""
    for offset in range(0, len(chunk), FRAME_PAYLOAD):
        yield Frame(want, offset, chunk[offset : offset + FRAME_PAYLOAD])
