"""The signed manifest of an edition, page by page, and the hash lists behind its roots."""

from __future__ import annotations

import hashlib
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
"""Of a page of a plain file: 64 MiB are hashed before it is there, whoever asks first."""

_REMEMBERED = 512
"""Pages kept in memory: 6 MB of JSON."""


class Blob(NamedTuple):
    """An answer and its entity tag."""

    data: bytes
    etag: str


def blob(data: bytes) -> Blob:
    """``data`` with an entity tag that is the same wherever and whenever it is made."""
    return Blob(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')


class Pages:
    """Makes pages and hash lists; `ChangedError` if a file is no longer what the edition says."""

    def __init__(self, site: str, hasher: Hasher, signer: Signer) -> None:
        self._site = site
        self._hasher = hasher
        self._signer = signer
        self._recent: OrderedDict[tuple[object, ...], Blob] = OrderedDict()

    async def page(self, edition: Edition, sequence: int) -> Blob:
        """The page that would hold ``sequence``, as JSON."""
        count = PAGE_RECORDS if edition.document is not None else FILE_RECORDS
        first = sequence - sequence % count
        return await self.records(edition, Span(first, first + count - 1))

    async def records(self, edition: Edition, sequences: Span) -> Blob:
        """The page of these segments, as far as the edition has them, as JSON."""
        key = (edition.rendition, edition.time, edition.last, sequences, self._signer.keys())
        made = self._recent.get(key)
        if made is None:
            made = await self._make(edition, sequences)
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

    async def _make(self, edition: Edition, sequences: Span) -> Blob:
        pieces = edition.within(sequences)
        lists = await self._hasher.lists([piece.stretch for piece in pieces])
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
            segments=tuple(
                _record(edition, piece, hashes) for piece, hashes in zip(pieces, lists, strict=True)
            ),
        )
        return blob(encode(self._signer.sign(page)).encode())


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
