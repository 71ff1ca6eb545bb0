"""The field types that wire messages are made of, each with its bounds and the reason for them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


def whole(pattern: str) -> str:
    """A regular expression for the whole of a text, in Python and in JavaScript alike: Python's
    ``$`` would also match before a newline at the end."""
    return f"^{pattern}$(?!\\n)"


Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A whole number that JavaScript can hold exactly."""

Id = Annotated[str, Meta(pattern=whole("[0-9a-f]{16}"))]
"""A random id issued by the tracker: of a peer or of a pairing."""

ContentId = Annotated[str, Meta(pattern=whole("[0-9a-f]{32}"))]

Digest = Annotated[str, Meta(pattern=whole("[0-9a-f]{64}"))]
"""A SHA-256 digest in hexadecimal."""

SiteId = Annotated[str, Meta(pattern=whole("[A-Za-z0-9_.-]{1,64}"))]

RenditionId = Annotated[str, Meta(max_length=512)]
"""The path of the rendition's playlist (or of the file) under the origin's media root."""

Sdp = Annotated[str, Meta(max_length=8192)]
"""A session description with one data channel section takes 500 to 2,000 bytes."""

Candidate = Annotated[str, Meta(max_length=512)]
"""An ICE candidate attribute (RFC 8839, 5.1)."""

Candidates = Annotated[tuple[Candidate, ...], Meta(max_length=16)]
"""Of one connection, in the order in which they were found. A tracker passes ten on."""

Mid = Annotated[str, Meta(max_length=32)]
"""The media section that a candidate belongs to; a data-channel session has only one."""

Offer = Annotated[int, Meta(ge=0, le=2**31 - 1)]
"""A number by which a peer knows an offer that it prepared for nobody in particular."""

ChunkNumber = Annotated[int, Meta(ge=0, le=65_535)]
"""Bounds a segment to 4 GiB."""

Runs = Annotated[
    tuple[Annotated[int, Meta(ge=0, le=2**53 - 1)], ...], Meta(min_length=5, max_length=4099)
]
"""Chunks of one segment, in a canonical form: the number of the segment's rendition in a list that
comes with it, its sequence, the bytes of the last of these chunks (0 if it is 64 KiB), and the
first and the last chunk of each run, ascending and with a gap before each: ``[0, 7, 0, 0, 15]``."""

Stretches = Annotated[
    tuple[Annotated[int, Meta(ge=0, le=2**53 - 1)], ...], Meta(min_length=3, max_length=129)
]
"""Segments of one rendition: its number in a list that comes with it, and the first and the last
sequence of each stretch, ascending and with a gap before each: ``[0, 7, 19]``."""

Mac = Annotated[str, Meta(pattern=whole("[A-Za-z0-9_-]{22}"))]
"""16 bytes of HMAC-SHA256 as base64url."""

WantNumber = Annotated[int, Meta(ge=0, le=2**32 - 1)]
"""A request's number on its link, chosen by the requester; it also stands in each frame."""

BASE64_LENGTH = 32_768

Base64 = Annotated[str, Meta(max_length=BASE64_LENGTH, pattern=whole("[A-Za-z0-9_-]*"))]
"""Bytes as base64url without padding (RFC 4648, 5): the hash lists of 48 MB of media at most."""

JoinToken = Annotated[str, Meta(max_length=1024, pattern=whole("[A-Za-z0-9_.-]+"))]
"""JWS compact (RFC 7515): see `p2pcdn.wire.token`."""

Coordinate = Annotated[str, Meta(pattern=whole("[A-Za-z0-9_-]{43}"))]
"""32 bytes as base64url: of a public key (RFC 7518, 6.2.1)."""

RawSignature = Annotated[str, Meta(pattern=whole("[A-Za-z0-9_-]{86}"))]
"""64 bytes as base64url: r and s of ECDSA on P-256 (RFC 7518, 3.4)."""

Detail = Annotated[str, Meta(max_length=512)]
"""For a person who reads a log; programs look at the code beside it."""

StripeNumber = Annotated[int, Meta(ge=0, le=7)]
"""Which part of a segment; there are at most eight."""

SocketUrl = Annotated[str, Meta(max_length=256, pattern=whole("wss?://[!-~]+"))]
"""Where a WebSocket is opened (RFC 6455, 3)."""

Seconds = Annotated[float, Meta(ge=0, le=86_400)]

Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]


class Message(Struct, frozen=True, tag_field="type", omit_defaults=True):
    """What all messages have in common: immutable, and a ``type`` that says which one it is.

    Unknown fields are ignored, so that a newer side may add one; an unknown type is an error.
    """


class Part(Struct, frozen=True, omit_defaults=True):
    """A piece of a message or of a manifest that is no message of its own."""
