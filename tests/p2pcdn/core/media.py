"""Media that nobody had to film: the bytes of the scenarios' segments, and their manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from msgspec.structs import replace

from p2pcdn.core.signaling import Identity
from p2pcdn.model import CHUNK_SIZE, SegmentKey, Span
from p2pcdn.wire.manifest import (
    PAGE_RECORDS,
    Key,
    Records,
    RenditionManifest,
    SegmentRecord,
    Signature,
    segment_root,
    signed_bytes,
    to_base64,
)

SITE = "pk_demo"
CONTENT = "00112233445566778899aabbccddeeff"
IDENTITY = Identity(SITE, CONTENT, "browser")

KEY = Key("media", "ed25519", to_base64(bytes(32)))
"""The origin's, so to speak: what it signs is *genuine* if the signature is a plain SHA-256."""


def genuine(data: bytes, signature: bytes) -> bool:
    """The truth about a `Verify`, as the scenarios' README says."""
    return hashlib.sha256(data).digest() == signature


def signed(page: RenditionManifest) -> RenditionManifest:
    """The page with the only signature that is genuine."""
    value = to_base64(hashlib.sha256(signed_bytes(page)).digest())
    return replace(page, signatures=(Signature(KEY.id, "ed25519", value),))


@cache
def synthetic(key: SegmentKey, first: int, last: int) -> bytes:
    """Bytes ``first`` to ``last`` of a segment, as the scenarios' README says."""
    seed = 31 * key.sequence + ord(key.rendition[0])
    return bytes(
        (seed + 7 * i + 3 * (i >> 8) + 5 * (i >> 16)) & 255 for i in range(first, last + 1)
    )


def inverted(data: bytes) -> bytes:
    """The same bytes, but for the last."""
    return data[:-1] + bytes([data[-1] ^ 255])


@dataclass(frozen=True, slots=True)
class Piece:
    """One segment of the media."""

    key: SegmentKey
    length: int
    duration: int = 2000
    """Milliseconds."""
    published: float = 0.0

    @property
    def data(self) -> bytes:
        return synthetic(self.key, 0, self.length - 1)

    def hashes(self) -> list[bytes]:
        data = self.data
        return [
            hashlib.sha256(data[at : at + CHUNK_SIZE]).digest()
            for at in range(0, self.length, CHUNK_SIZE)
        ]

    def record(self, *, wrong: bool = False) -> SegmentRecord:
        sequence = self.key.sequence
        root = segment_root(
            CONTENT, self.key.rendition, sequence + wrong, self.length, self.hashes()
        )
        return SegmentRecord(sequence, f"{sequence}.ts", self.length, root, self.duration)


def time_of(pieces: Iterable[Piece]) -> int:
    """When the newest of these came out, in milliseconds."""
    return 1 + round(1000 * max((piece.published for piece in pieces), default=0.0))


@dataclass(slots=True)
class Media:
    """All segments of a content, and what an origin would answer about them."""

    pieces: dict[SegmentKey, Piece]
    live: bool = False

    @classmethod
    def of(cls, pieces: Iterable[Piece], *, live: bool = False) -> Media:
        return cls({piece.key: piece for piece in pieces}, live)

    def bytes_of(self, key: SegmentKey) -> bytes:
        return self.pieces[key].data

    def published(self, rendition: str, now: float) -> list[Piece]:
        """The segments of a rendition that are there by ``now``, ascending."""
        there = (p for p in self.pieces.values() if p.published <= now)
        return sorted((p for p in there if p.key.rendition == rendition), key=lambda p: p.key)

    def page(self, rendition: str, sequence: int, now: float) -> RenditionManifest:
        """The page that holds a segment, as an origin would answer now."""
        there = self.published(rendition, now)
        page = sequence // PAGE_RECORDS
        return self.page_of(
            rendition,
            [p for p in there if p.key.sequence // PAGE_RECORDS == page],
            now,
            time=time_of(there),
        )

    def few(self, rendition: str, sequences: Span, now: float) -> RenditionManifest:
        """The page of just these segments, as an origin would answer now."""
        there = self.published(rendition, now)
        pieces = [p for p in there if p.key.sequence in sequences]
        return self.page_of(rendition, pieces, now, time=time_of(there))

    def records(self, rendition: str, sequences: Span, now: float) -> Records:
        """What a peer that knows these segments would tell another one."""
        page = replace(self.few(rendition, sequences, now), keys=())
        return Records(page, to_base64(self.hashes(rendition, sequences, now) or b""))

    def page_of(
        self,
        rendition: str,
        pieces: Iterable[Piece],
        now: float,
        *,
        time: int = 1,
        era: int = 0,
        wrong: bool = False,
        bounds: Span | None = None,
    ) -> RenditionManifest:
        """A page with the records of these segments."""
        sequences = [p.key.sequence for p in self.published(rendition, now)] or [0, -1]
        first, last = bounds or Span(sequences[0], sequences[-1])
        page = RenditionManifest(
            version=1,
            site=SITE,
            content=CONTENT,
            rendition=rendition,
            chunk_size=65_536,
            live=self.live,
            time=time,
            first=first,
            last=last,
            era=era,
            segments=tuple(piece.record(wrong=wrong) for piece in pieces),
            keys=(KEY,),
        )
        return signed(page)

    def hashes(self, rendition: str, sequences: Span, now: float) -> bytes | None:
        """The hashes of a run of segments; none if one of them is not there."""
        there = {p.key.sequence: p for p in self.published(rendition, now)}
        if any(s not in there for s in sequences.numbers()):
            return None
        return b"".join(h for s in sequences.numbers() for h in there[s].hashes())
