"""Manifests: what a content consists of, and what each segment must hash to.

A presentation's manifest names its renditions. A rendition's manifest lists its segments, in
pages; a record carries only the *root* of its segment. The chunk hashes behind a root are a binary
list, 32 bytes a chunk, that may come from anybody, since it is checked against the root.

::

    root = SHA-256( "p2pcdn segment v1\\n"
                    text(content) text(rendition)
                    u64(sequence) u64(length) u32(chunk size)
                    hash of chunk 0, hash of chunk 1, ... )

where ``text(s)`` is u16(bytes) followed by the UTF-8 bytes and all numbers are unsigned,
big-endian. Binding content, rendition and sequence into the root is what stops a valid segment
from being passed off as another one.

What a signature covers is `signed_bytes`, never the JSON text, which any proxy may re-serialise.
The keys stand beside the signatures and are not covered: whoever fetches a page from the origin
learns them, if they are not pinned, and nobody believes those that somebody else sends along.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from msgspec import Meta

from p2pcdn.model import CHUNK_SIZE, HASH_SIZE, chunk_count
from p2pcdn.wire.fields import (
    Base64,
    ContentId,
    Count,
    Digest,
    Message,
    Part,
    RenditionId,
    SiteId,
    whole,
)

VERSION: Final = 1

PAGE_RECORDS = 64
"""Records a page: about 11 KB of JSON, so that little comes before a peer's first chunk."""

_BASE64 = re.compile("[A-Za-z0-9_-]*")

Uri = Annotated[str, Meta(max_length=2048)]

KeyId = Annotated[str, Meta(max_length=64)]
"""Ours are the first 16 hexadecimal digits of the SHA-256 of the raw public key."""

Algorithm = Literal["ed25519", "ecdsa-p256"]


class Key(Part, frozen=True):
    """A public key of the origin. There may be two at a time, so that keys can rotate."""

    id: KeyId
    algorithm: Algorithm
    public: Annotated[str, Meta(max_length=128, pattern=whole("[A-Za-z0-9_-]*"))]
    """Base64url, without padding: of an Ed25519 key its 32 bytes (RFC 8032, 5.1.5), of one for
    ECDSA the 65 bytes of its point, uncompressed (SEC 1, 2.3.3)."""


class Signature(Part, frozen=True):
    """A signature over `signed_bytes`."""

    key: KeyId
    algorithm: Algorithm
    value: Annotated[str, Meta(max_length=256)]
    """Base64url, without padding: 64 bytes (RFC 8032, 5.1.6), or r and s, 32 bytes each, of ECDSA
    with SHA-256, as WebCrypto and JWS write them."""


class SegmentRecord(Part, frozen=True):
    """One segment of a rendition."""

    sequence: Count
    """Its media sequence number (RFC 8216, 4.3.3.2), or its number among a file's slices."""
    uri: Uri
    """Relative to the URL of the rendition's playlist or file."""
    length: Annotated[int, Meta(ge=1, le=CHUNK_SIZE * 65_536)]
    root: Digest
    duration: Count = 0
    """In milliseconds; 0 for a slice of a file."""
    offset: Count = 0
    """Where the segment begins in what `uri` names, in bytes."""

    @property
    def chunks(self) -> int:
        """How many chunks the segment has."""
        return chunk_count(self.length)


class RenditionRef(Part, frozen=True):
    """A rendition of a presentation."""

    rendition: RenditionId
    uri: Uri
    """Of its playlist, relative to the URL of the multivariant playlist."""


class Manifest(Message, frozen=True):
    """What the two kinds of manifest have in common."""

    version: Literal[1]
    site: SiteId
    content: ContentId


class PresentationManifest(Manifest, frozen=True, tag="presentation"):
    """The answer for a multivariant playlist."""

    renditions: Annotated[tuple[RenditionRef, ...], Meta(max_length=256)]
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=4)] = ()
    keys: Annotated[tuple[Key, ...], Meta(max_length=4)] = ()


class RenditionManifest(Manifest, frozen=True, tag="rendition"):
    """One page of the manifest of a rendition (a media playlist, or a plain file)."""

    rendition: RenditionId
    chunk_size: Literal[65_536]
    live: bool
    """Whether segments may still be added."""
    time: Count
    """When the rendition last changed, in milliseconds since 1970; it never goes back."""
    first: Count
    """Sequence of the oldest segment of the whole rendition."""
    last: Count
    """Sequence of the newest segment of the whole rendition; below `first` if there is none."""
    segments: Annotated[tuple[SegmentRecord, ...], Meta(max_length=PAGE_RECORDS)]
    """Those of this page, by ascending sequence."""
    era: Count = 0
    """The time at which the rendition last began anew, or 0. Within an era segments are added
    after the newest and dropped from the oldest, and no record ever changes."""
    signatures: Annotated[tuple[Signature, ...], Meta(max_length=4)] = ()
    keys: Annotated[tuple[Key, ...], Meta(max_length=4)] = ()


class Records(Message, frozen=True, tag="records"):
    """Records of a live rendition with the hashes behind them, from whoever has them already.

    They travel over links and over the tracker's socket, so that only a few peers have to ask the
    origin for them when a segment comes out. Nobody believes them for who sent them: the page
    carries the origin's signature, and the hashes have to give its roots.
    """

    page: RenditionManifest
    hashes: Base64
    """The chunk hashes of all the page's segments, one after the other."""


def thumbprint(public: bytes) -> str:
    """What a key is pinned by: the SHA-256 of the raw public key, in hexadecimal."""
    return hashlib.sha256(public).hexdigest()


def to_base64(data: bytes) -> str:
    """Base64url without padding, as signatures, keys and the hashes of `Records` are written."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64(text: str) -> bytes | None:
    """What `to_base64` was given; None if the text is nothing of the kind."""
    if not _BASE64.fullmatch(text) or len(text) % 4 == 1:
        return None
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def root_input(
    content: str, rendition: str, sequence: int, length: int, hashes: Iterable[bytes]
) -> bytes:
    """The bytes whose SHA-256 is a segment's root."""
    return b"".join(
        [
            b"p2pcdn segment v1\n",
            _text(content),
            _text(rendition),
            struct.pack(">QQI", sequence, length, CHUNK_SIZE),
            *hashes,
        ]
    )


def segment_root(
    content: str, rendition: str, sequence: int, length: int, hashes: Iterable[bytes]
) -> str:
    """The root of a segment, in hexadecimal."""
    return hashlib.sha256(root_input(content, rendition, sequence, length, hashes)).hexdigest()


def signed_bytes(manifest: PresentationManifest | RenditionManifest) -> bytes:
    """The canonical bytes of a manifest that its signatures cover."""
    if isinstance(manifest, PresentationManifest):
        return _presentation_bytes(manifest)
    return b"".join(
        [
            b"p2pcdn rendition v1\n",
            _text(manifest.site),
            _text(manifest.content),
            _text(manifest.rendition),
            struct.pack(
                ">I?QQQQI",
                manifest.chunk_size,
                manifest.live,
                manifest.era,
                manifest.time,
                manifest.first,
                manifest.last,
                len(manifest.segments),
            ),
            *(
                struct.pack(">QQQQ", r.sequence, r.length, r.duration, r.offset)
                + _text(r.uri)
                + bytes.fromhex(r.root)
                for r in manifest.segments
            ),
        ]
    )


def _presentation_bytes(manifest: PresentationManifest) -> bytes:
    return b"".join(
        [
            b"p2pcdn presentation v1\n",
            _text(manifest.site),
            _text(manifest.content),
            struct.pack(">I", len(manifest.renditions)),
            *(_text(r.rendition) + _text(r.uri) for r in manifest.renditions),
        ]
    )


def split_hashes(data: bytes, records: Iterable[SegmentRecord]) -> list[bytes] | None:
    """Cut the binary answer for several segments into one hash list each; none if it does not
    fit."""
    lists, at = [], 0
    for record in records:
        size = chunk_count(record.length) * HASH_SIZE
        lists.append(data[at : at + size])
        at += size
    return lists if at == len(data) else None
