"""What the ledger is told that there is."""

from __future__ import annotations

import gc
from pathlib import Path
from weakref import ref

from origin.catalog.edition import Edition, Piece, Stretch
from origin.measure import Measure, extent_of
from origin.sources import Identity
from p2pcdn.core.audit import Extent
from p2pcdn.model import CHUNK_SIZE
from tests.origin.conftest import Site, Totals

NOBODY = Identity(0, 0, 0)


def edition(first: int, *lengths: int, live: bool = False, duration: int = 2000) -> Edition:
    pieces = {
        sequence: Piece(sequence, "s.ts", duration, Stretch("s.ts", NOBODY, 0, length))
        for sequence, length in enumerate(lengths, first)
    }
    return Edition("v", "content", live, pieces)


def told(*editions: Edition) -> Extent:
    totals = Totals()
    measure = Measure(totals)
    for one in editions:
        measure.take(one)
    return totals.extents["content", "v"]


def test_an_edition_in_figures() -> None:
    assert extent_of(edition(5, CHUNK_SIZE, 3 * CHUNK_SIZE + 1)) == Extent(
        rate=(4 * CHUNK_SIZE + 1) / 4, chunks=4, first=5, last=6
    )
    assert extent_of(edition(0, 10, duration=0)).rate == 0.0
    assert extent_of(edition(5, 10, live=True))[3:] == (5, True)
    assert extent_of(edition(0)) == Extent(0.0, 0, 1, 0)


def test_an_edition_is_told_once() -> None:
    totals = Totals()
    measure = Measure(totals)
    one = edition(0, 10)
    measure.take(one)
    totals.extents.clear()
    measure.take(one)
    assert not totals.extents
    measure.take(edition(0, 10))
    assert totals.extents


def test_an_edition_is_not_kept_but_what_was_out_is_remembered() -> None:
    totals = Totals()
    measure = Measure(totals)
    one = edition(5, 3 * CHUNK_SIZE, live=True)
    gone = ref(one)
    measure.take(one)
    del one
    gc.collect()
    assert gone() is None
    measure.take(edition(6, CHUNK_SIZE, live=True))
    assert totals.extents["content", "v"].chunks == 3


def test_what_was_out_of_a_live_stream_still_is() -> None:
    before = edition(5, 3 * CHUNK_SIZE, live=True)
    after = told(before, edition(6, CHUNK_SIZE, live=True))
    assert after == Extent(rate=3 * CHUNK_SIZE / 2, chunks=3, first=5, last=6, live=True)
    assert told(before, edition(6, CHUNK_SIZE, live=True), edition(7, 10)).last == 7
    assert told(before, edition(6, CHUNK_SIZE, live=True), edition(7, 10)).first == 5


def test_a_recording_that_was_replaced_is_what_it_is_now() -> None:
    assert told(edition(0, 3 * CHUNK_SIZE, 10), edition(0, 10)) == Extent(5.0, 1, 0, 0)


async def test_who_asks_for_a_manifest_has_the_ledger_told(site: Site, content: Path) -> None:
    (content / "film.bin").write_bytes(bytes(5 * CHUNK_SIZE + 1))
    assert (await site.get("/manifest/film.bin")).status == 200
    ((_, rendition),) = site.totals.extents
    assert rendition == "film.bin"
    assert list(site.totals.extents.values()) == [Extent(0.0, 6, 0, 0)]
