"""What goes over a stream between two places: a head of nine bytes, and a body.

::

    length of the body (4) | kind (1) | number of the guest (4) | body
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, unique
from struct import Struct
from typing import NamedTuple

MOST_BODY = 16_777_216
"""Bytes of a body: far more than a message may have, and than a second's figures take."""

_HEAD = Struct("!IBI")


@unique
class Kind(IntEnum):
    """What a frame says."""

    HELLO = 0
    """I am here: a nonce."""
    PROOF = 1
    """I know the secret that all of us share, and this is my name."""
    OPENED = 2
    """A guest of ours is for you: the realm, and what is known of it."""
    SAID = 3
    """Its message."""
    CLOSED = 4
    """It has gone."""
    TELL = 5
    """Send your guest this message."""
    DISMISSED = 6
    """Close its socket, once it has been told what it was told: the code, or nothing."""
    SENT_BACK = 7
    """Have it come again: the code, and for people what was wrong."""
    NOTE = 8
    """Something of ours that you should know."""
    PING = 9
    """I am still here."""


class Frame(NamedTuple):
    """One of them."""

    kind: Kind
    guest: int
    body: bytes


class FrameError(Exception):
    """What came is no frame."""


def encode(kind: Kind, guest: int = 0, body: bytes = b"") -> bytes:
    """A frame as it goes over the stream."""
    return _HEAD.pack(len(body), kind, guest) + body


class Reader:
    """Takes pieces of a stream, gives whole frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole by now; `FrameError` if there can be none."""
        data = self._rest + data if self._rest else data
        at, end = 0, len(data)
        try:
            while end - at >= _HEAD.size:
                length, kind, guest = _HEAD.unpack_from(data, at)
                if length > MOST_BODY:
                    raise FrameError(f"a body of {length} bytes; {MOST_BODY} is the limit")
                begin = at + _HEAD.size
                if end < begin + length:
                    break
                at = begin + length
                try:
                    known = Kind(kind)
                except ValueError as error:
                    raise FrameError(f"there are no frames of kind {kind}") from error
                yield Frame(known, guest, data[begin:at])
        finally:
            self._rest = data[at:]
