"""A content's fingerprint: what its manifest says of its bytes, in one number.

It is made of the roots of all segments, so it is the same wherever and whenever they are hashed,
and another one if a bit is another. The hashes are kept on the way, where an origin with the same
data directory finds them.
"""

from __future__ import annotations

import hashlib

from origin.catalog.catalog import Catalog
from origin.catalog.edition import Edition
from origin.catalog.hash_store import HashStore
from origin.catalog.rendition import NotARenditionError
from origin.sources import Source
from p2pcdn.config import Config
from p2pcdn.model import HASH_SIZE
from p2pcdn.wire.manifest import segment_root

_AT_ONCE = 16
"""Segments that are hashed together."""


async def fingerprint(source: Source, config: Config, path: str) -> str:
    """That of the content at ``path``, in hexadecimal."""
    store = HashStore(config.data)
    catalog = Catalog(source, store, site=config.site, window=config.origin.live_window)
    try:
        try:
            editions = [await catalog.edition(path)]
        except NotARenditionError as found:
            paths = sorted(entry.path for entry in found.playlist.renditions)
            editions = [await catalog.edition(each) for each in paths]
        digest = hashlib.sha256(config.site.encode() + b"\n")
        for edition in editions:
            for root in await _roots(catalog, edition):
                digest.update(bytes.fromhex(root))
        return digest.hexdigest()
    finally:
        await catalog.close()
        store.close()


async def _roots(catalog: Catalog, edition: Edition) -> list[str]:
    pieces = list(edition.pieces.values())
    roots = []
    for at in range(0, len(pieces), _AT_ONCE):
        some = pieces[at : at + _AT_ONCE]
        lists = await catalog.hasher.lists([piece.stretch for piece in some])
        for piece, hashes in zip(some, lists, strict=True):
            chunks = [hashes[n : n + HASH_SIZE] for n in range(0, len(hashes), HASH_SIZE)]
            length = piece.stretch.length
            roots.append(
                segment_root(edition.content, edition.rendition, piece.sequence, length, chunks)
            )
    return roots
