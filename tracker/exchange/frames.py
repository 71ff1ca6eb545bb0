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
    SEALED = 10
    """What was said in one turn of the loop: a MAC, and frames."""


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

    def __init__(self, most: int = MOST_BODY) -> None:
        self.most = most
        """Bytes that a body may have from now on."""
        self._pieces: list[bytes] = []
        self._size = 0
        self._needs = 0
        """Bytes without which there is nothing to give; until then pieces are not joined."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole by now; `FrameError` if there can be none."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size < self._needs:
            return
        data = b"".join(self._pieces)
        at, end, self._needs = 0, len(data), 0
        try:
            while True:
                begin = at + _HEAD.size
                if end < begin:
                    self._needs = _HEAD.size
                    break
                length, kind, guest = _HEAD.unpack_from(data, at)
                if length > self.most:
                    raise FrameError(f"a body of {length} bytes; {self.most} is the limit")
                if end < begin + length:
                    self._needs = _HEAD.size + length
                    break
                at = begin + length
                try:
                    known = Kind(kind)
                except ValueError as error:
                    raise FrameError(f"there are no frames of kind {kind}") from error
                yield Frame(known, guest, data[begin:at])
        finally:
            self._pieces, self._size = [data[at:]], end - at
