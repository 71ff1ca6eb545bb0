"""The signed manifest of an edition, page by page, and the hash lists behind its roots."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import OrderedDict
from typing import NamedTuple

from origin.catalog.edition import Edition, Piece
from origin.catalog.hashing import Hasher
from origin.signing import Signer
from p2pcdn.model import CHUNK_SIZE, HASH_SIZE, Span
from p2pcdn.wire.codec import encode
from p2pcdn.wire.manifest import (
    PAGE_RECORDS,
    VERSION,
    RenditionManifest,
    SegmentRecord,
    segment_root,
)

FILE_RECORDS = 16
"""Of a page of a plain file: they are of 64 MiB."""

PATIENCE = 4.0
"""Seconds until a page goes out with those records alone that are known, among them the one that it
is asked for: browsers wait for eight, and ask again for what they still lack."""

_REMEMBERED = 512
"""Pages kept in memory: 6 MB of JSON."""


class Blob(NamedTuple):
    """An answer and its entity tag."""

    data: bytes
    etag: str
    whole: bool = True
    """Whether nothing is left out that will be there in a moment."""


def blob(data: bytes, *, whole: bool = True) -> Blob:
    """``data`` with an entity tag that is the same wherever and whenever it is made."""
    return Blob(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"', whole)


class Pages:
    """Makes pages and hash lists; `ChangedError` if a file is no longer what the edition says."""

    def __init__(self, site: str, hasher: Hasher, signer: Signer) -> None:
        self._site = site
        self._hasher = hasher
        self._signer = signer
        self._recent: OrderedDict[tuple[object, ...], Blob] = OrderedDict()

    async def page(self, edition: Edition, sequence: int) -> Blob:
        """The page that would hold ``sequence``, as JSON. Where that has to be hashed first, it may
        lack others."""
        count = PAGE_RECORDS if edition.document is not None else FILE_RECORDS
        first = sequence - sequence % count
        return await self.records(edition, Span(first, first + count - 1), sequence)

    async def records(self, edition: Edition, sequences: Span, wanted: int | None = None) -> Blob:
        """The page of these segments, as far as the edition has them, as JSON; the one that is
        ``wanted``, or the first, among them in any case."""
        key = (edition.rendition, edition.time, edition.last, sequences, self._signer.keys())
        made = self._recent.get(key)
        if made is None:
            made = await self._make(edition, sequences, wanted)
            if not made.whole:
                return made
            self._recent[key] = made
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        else:
            self._recent.move_to_end(key)
        return made

    async def hashes(self, edition: Edition, sequences: Span) -> Blob:
        """The hash lists of these segments, all of which the edition has, one after another."""
        pieces = [edition.pieces[sequence] for sequence in sequences.numbers()]
        lists = await self._hasher.lists([piece.stretch for piece in pieces])
        return blob(b"".join(lists))

    async def _make(self, edition: Edition, sequences: Span, wanted: int | None) -> Blob:
        pieces = edition.within(sequences)
        begin = bisect_left(pieces, wanted or 0, key=lambda piece: piece.sequence)
        stretches = [piece.stretch for piece in pieces[begin:] + pieces[:begin]]
        lists = await self._hasher.some(stretches, PATIENCE) if stretches else {}
        known = [piece for piece in pieces if piece.stretch in lists]
        page = RenditionManifest(
            version=VERSION,
            site=self._site,
            content=edition.content,
            rendition=edition.rendition,
            chunk_size=CHUNK_SIZE,
            live=edition.live,
            era=edition.era,
            time=edition.time,
            first=edition.first,
            last=edition.last,
            segments=tuple(_record(edition, piece, lists[piece.stretch]) for piece in known),
        )
        data = encode(self._signer.sign(page)).encode()
        return blob(data, whole=len(known) == len(pieces))


def _record(edition: Edition, piece: Piece, hashes: bytes) -> SegmentRecord:
    length = piece.stretch.length
    chunks = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    return SegmentRecord(
        sequence=piece.sequence,
        uri=piece.uri,
        length=length,
        root=segment_root(edition.content, edition.rendition, piece.sequence, length, chunks),
        duration=piece.duration,
        offset=piece.stretch.offset,
    )
