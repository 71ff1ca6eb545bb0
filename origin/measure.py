"""What there is of a rendition, for the ledger: nobody is credited for what is not there."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol
from weakref import ReferenceType, ref

from origin.catalog.edition import Edition
from p2pcdn.core.audit import Extent
from p2pcdn.model import chunk_count

_REMEMBERED = 4096
"""Renditions of which the extent is remembered."""


class Ledger(Protocol):
    """The account that is told."""

    def measured(self, content: str, rendition: str, extent: Extent) -> None: ...


class Measure:
    """Tells a ledger of each new edition, once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[str, tuple[ReferenceType[Edition], Extent]] = OrderedDict()
        """The last edition of each rendition, for as long as anybody else holds it."""

    def take(self, edition: Edition) -> None:
        """This is what there is now."""
        known = self._known.get(edition.rendition)
        if known is not None and known[0]() is edition:
            return
        extent = extent_of(edition)
        if known is not None and known[1].live:
            extent = _both(known[1], extent)
        self._known[edition.rendition] = ref(edition), extent
        self._known.move_to_end(edition.rendition)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        self._ledger.measured(edition.content, edition.rendition, extent)

    def renewed(self, _: Edition, edition: Edition) -> None:
        """A live edition has taken the place of another."""
        self.take(edition)


def _both(before: Extent, now: Extent) -> Extent:
    """What was out before still is, for the peers who hold it."""
    return Extent(
        rate=max(before.rate, now.rate),
        chunks=max(before.chunks, now.chunks),
        first=min(before.first, now.first),
        last=max(before.last, now.last) if now.live else now.last,
        live=now.live,
    )


def extent_of(edition: Edition) -> Extent:
    """An edition in figures."""
    lengths = [piece.stretch.length for piece in edition.pieces.values()]
    duration = sum(piece.duration for piece in edition.pieces.values())
    return Extent(
        rate=1000 * sum(lengths) / duration if duration else 0.0,
        chunks=chunk_count(max(lengths, default=0)),
        first=edition.first,
        last=edition.last,
        live=edition.live,
    )
