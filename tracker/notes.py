"""What the workers of one tracker have each other note, beside their guests."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from p2pcdn.core.audit import Extent
from p2pcdn.core.ledger_ports import Reading
from p2pcdn.service.figures import Steps
from p2pcdn.wire.manifest import Records
from tracker.admission import Shares


class Counted(Struct, frozen=True, tag=0, array_like=True):
    """To the first: what is new in a ledger, and of the metrics."""

    reading: Reading
    steps: Steps
    paths: dict[str, str]
    """Where its contents are, as far as an origin of that process knows."""


class Sent(Struct, frozen=True, tag=1, array_like=True):
    """To a content's home: what an origin has sent of it."""

    content: str
    media: int
    file: str | None
    start: int


class Measured(Struct, frozen=True, tag=2, array_like=True):
    """To all: what there is of a rendition."""

    content: str
    rendition: str
    extent: Extent


class Out(Struct, frozen=True, tag=3, array_like=True):
    """To all who may have a part of the content: what has just come out."""

    records: Records


class Beaconed(Struct, frozen=True, tag=4, array_like=True):
    """To who let the peer in: its last report."""

    text: bytes


class Banned(Struct, frozen=True, tag=5, array_like=True):
    """To all: nobody is let in from there."""

    home: bytes


class Full(Struct, frozen=True, tag=6, array_like=True):
    """To all: what takes no more members here."""

    keys: list[bytes]


class Many(Struct, frozen=True, tag=7, array_like=True):
    """To all: of which addresses there is much here."""

    shares: Shares


Note = Counted | Sent | Measured | Out | Beaconed | Banned | Full | Many

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Note] = msgspec.msgpack.Decoder(Note)


def encode(note: Note) -> bytes:
    """A note as it goes to another place."""
    return _encoder.encode(note)


def decode(body: bytes) -> Note:
    """What another place noted; `msgspec.DecodeError` if it is nothing."""
    return _decoder.decode(body)
