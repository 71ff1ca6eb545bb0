"""The content of a scene: one rendition of equal segments, whose bytes are all the same byte.

Nobody hashes media. A chunk is right if it consists of zeros, as every honest one does; a hash
list is right if it is the one that the origin gives out. A signature is a short hash of what it
signs: what a forger could make up is not the question here.
"""

from __future__ import annotations

import hashlib
from functools import cache

from msgspec.structs import replace

from p2pcdn.core.signaling import Identity
from p2pcdn.core.store import Store
from p2pcdn.model import CHUNK_SIZE, HASH_SIZE, ChunkKey, SegmentKey, Span, chunk_count
from p2pcdn.wire.manifest import (
    PAGE_RECORDS,
    Key,
    Records,
    RenditionManifest,
    SegmentRecord,
    Signature,
    signed_bytes,
    to_base64,
)

SITE = "pk_sim"
CONTENT = f"{0x51:032x}"
RENDITION = "v/index.m3u8"
IDENTITY = Identity(SITE, CONTENT, "browser")
ROOT = b"p2pcdn segment v1\n"
"""How that begins which a segment's root is the hash of."""
KEY = Key("51" * 8, "ed25519", to_base64(bytes(32)))
REMEMBERED = 64
"""Segments of a live rendition that its manifest still names."""


@cache
def blank(length: int) -> bytes:
    """So many bytes of honest media."""
    return bytes(length)


class SharedStore(Store):
    """A store that says it holds bytes of its own, and shares them with everybody."""

    def put(self, key: ChunkKey, data: bytes) -> None:
        super().put(key, blank(len(data)))

    def assemble(self, segment: SegmentKey) -> bytes:
        return blank(self.size_of(segment))


class Media:
    """What the origin publishes. Segment ``s`` of a live rendition is there from
    ``(s - behind) * duration`` on, so that a live scene begins with a playlist."""

    def __init__(self, segment_bytes: int, duration: float, count: int, behind: int) -> None:
        self.segment_bytes = segment_bytes
        self.duration = duration
        self.count = count
        """Segments in all."""
        self.behind = behind
        """Segments of a live rendition that are there when the scene begins; 0: it is VOD."""
        self.chunks = chunk_count(segment_bytes)
        self._pages: dict[tuple[range, int], RenditionManifest] = {}
        self._hashes: dict[int, bytes] = {}

    def bytes_of(self, sequence: int, first: int, last: int) -> bytes:
        """Bytes ``first`` to ``last`` of a segment, both included."""
        return blank(last - first + 1)

    def store(self, limit: int) -> Store:
        """What a viewer keeps it in."""
        return SharedStore(limit)

    @property
    def live(self) -> bool:
        return self.behind > 0

    def published(self, sequence: int) -> float:
        """When the segment came out."""
        return (sequence - self.behind + 1) * self.duration if self.live else 0.0

    def newest(self, now: float) -> int:
        """The newest segment that is out."""
        if not self.live:
            return self.count - 1
        return min(self.count - 1, self.behind - 1 + int(now / self.duration + 1e-9))

    def page(self, sequence: int, now: float) -> RenditionManifest:
        """The page of the manifest that holds a segment, as of now."""
        first = sequence - sequence % PAGE_RECORDS
        return self.records(Span(first, first + PAGE_RECORDS - 1), now)

    def records(self, sequences: Span, now: float) -> RenditionManifest:
        """A page with the records of just these segments, as far as they are out."""
        newest = self.newest(now)
        here = range(max(self._oldest(newest), sequences.first), min(newest, sequences.last) + 1)
        key = (here, newest)
        if key not in self._pages:
            self._pages[key] = self._signed(self._page(here, newest))
        return self._pages[key]

    def news(self, sequence: int) -> Records:
        """What an origin tells of a segment that has just come out."""
        page = self.records(Span(sequence, sequence), self.published(sequence))
        return Records(page, to_base64(self.hashes_of(sequence)))

    def hashes(self, sequences: Span, now: float) -> bytes | None:
        """The chunk hashes of these segments; None if one of them is not out."""
        if sequences.last > self.newest(now):
            return None
        return b"".join(map(self.hashes_of, sequences.numbers()))

    def hashes_of(self, sequence: int) -> bytes:
        """Something unique in place of the hashes of a segment's chunks."""
        if sequence not in self._hashes:
            tags = (sequence * 65_536 + chunk for chunk in range(self.chunks))
            self._hashes[sequence] = b"".join(tag.to_bytes(HASH_SIZE, "big") for tag in tags)
        return self._hashes[sequence]

    def is_true(self, data: bytes, digest: bytes) -> bool:
        """Whether SHA-256 would say that ``data`` hashes to ``digest``, were these hashes real."""
        if data.startswith(ROOT):
            return data.endswith(self.hashes_of(int.from_bytes(digest, "big") - 1))
        return data == blank(len(data))

    def is_signed(self, data: bytes, signature: bytes) -> bool:
        """Whether the origin signed this."""
        return signature == _signature(data)

    def _oldest(self, newest: int) -> int:
        return max(0, newest + 1 - REMEMBERED) if self.live else 0

    def _page(self, here: range, newest: int) -> RenditionManifest:
        return RenditionManifest(
            version=1,
            site=SITE,
            content=CONTENT,
            rendition=RENDITION,
            chunk_size=CHUNK_SIZE,
            live=self.live,
            time=1 + round(1000 * self.published(newest)),
            first=self._oldest(newest),
            last=newest,
            segments=tuple(map(self._record, here)),
        )

    def _signed(self, page: RenditionManifest) -> RenditionManifest:
        if not self.live:
            return page
        value = to_base64(_signature(signed_bytes(page)))
        signatures = (Signature(KEY.id, KEY.algorithm, value),)
        return replace(page, signatures=signatures, keys=(KEY,))

    def _record(self, sequence: int) -> SegmentRecord:
        root = f"{sequence + 1:064x}"
        milliseconds = round(self.duration * 1000)
        return SegmentRecord(sequence, f"{sequence}.ts", self.segment_bytes, root, milliseconds)


def _signature(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=64).digest()
