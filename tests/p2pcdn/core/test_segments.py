"""What is known of a rendition's segments, and which pages may change it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from p2pcdn.core.segments import Segments
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import RenditionManifest
from tests.p2pcdn.core.media import Media, Piece

PIECES = {n: Piece(SegmentKey("v", n), 1000 + n, duration=2000 + n) for n in range(20)}
MEDIA = Media.of(PIECES.values(), live=True)


def page_of(
    *sequences: int, time: int = 1, era: int = 0, first: int = 0, last: int = 9
) -> RenditionManifest:
    pieces = [PIECES[n] for n in sequences]
    return MEDIA.page_of("v", pieces, 0.0, time=time, era=era, bounds=Span(first, last))


def changed(page: RenditionManifest) -> RenditionManifest:
    """The same page with other roots."""
    return replace(page, segments=tuple(replace(r, root="0" * 64) for r in page.segments))


def segments_of(*sequences: int, time: int = 5, era: int = 0) -> Segments:
    """Segments of which the records are known."""
    segments = Segments()
    assert not segments.believe(page_of(*sequences, time=time, era=era))
    return segments


def test_nothing_is_known_at_first() -> None:
    segments = Segments()
    assert segments.record(3) is None
    assert segments.hashes(3) == []
    assert not segments.knows(3)
    assert (segments.usual_bytes(), segments.usual_duration()) == (0, 0)
    assert (segments.first, segments.last, segments.newest_known) == (0, -1, -1)
    assert (segments.era, segments.live) == (-1, False)
    assert segments.fits(page_of(3, time=0)), "however long ago that was"


def test_a_page_brings_records() -> None:
    segments = segments_of(3, 4)
    assert segments.record(3) == PIECES[3].record()
    assert segments.record(5) is None
    assert (segments.usual_bytes(), segments.usual_duration()) == (1003, 2003)
    assert (segments.first, segments.last, segments.live) == (0, 9, True)


def test_hashes_are_those_of_the_record_that_is_known() -> None:
    segments = segments_of(2, 3)
    record, hashes = PIECES[3].record(), PIECES[3].hashes()
    assert not segments.know(replace(record, root="0" * 64), hashes)
    assert segments.know(record, hashes)
    assert segments.knows(3)
    assert segments.hashes(3) == hashes
    assert not segments.know(record, hashes), "once"
    assert segments.know(PIECES[2].record(), PIECES[2].hashes())
    assert segments.newest_known == 3


@pytest.mark.parametrize(
    ("page", "fits"),
    [
        (page_of(3, 4, time=6), True),
        (changed(page_of(3, time=6)), False),
        (page_of(12, time=6, last=12), True),
        (page_of(8, time=6, last=8), False),
        (page_of(8, time=4, last=8), True),
        (page_of(3, 4, time=5), True),
        (page_of(10, time=5, last=10), False),
        (changed(page_of(3, time=5)), False),
        (page_of(5, time=4), True),
        (changed(page_of(5, time=4)), True),
        (changed(page_of(3, time=4)), False),
        (page_of(10, time=4, last=10), False),
        (page_of(5, 10, time=4, last=10), False),
        (page_of(time=4), True),
    ],
)
def test_which_pages_fit(page: RenditionManifest, fits: bool) -> None:
    assert segments_of(3, 4).fits(page) is fits


@pytest.mark.parametrize(
    ("page", "fits"),
    [
        (page_of(5, time=6, era=3), True),
        (page_of(5, time=6, era=2), False),
        (page_of(5, time=4, era=2), False),
        (page_of(5, time=6), False),
        (changed(page_of(3, time=6, era=6)), True),
        (page_of(2, time=6, era=6, last=2), True),
        (page_of(5, time=5, era=5), False),
        (page_of(5, time=4, era=4), False),
    ],
)
def test_which_eras_fit(page: RenditionManifest, fits: bool) -> None:
    assert segments_of(3, 4, era=3).fits(page) is fits


def test_what_is_before_the_oldest_segment_does_not_come_back() -> None:
    segments = segments_of(3, 4)
    assert not segments.believe(page_of(5, time=6, first=5))
    assert segments.record(3) is None
    assert (segments.usual_bytes(), segments.usual_duration()) == (1005, 2005)
    assert not segments.fits(page_of(4, time=5))


def test_another_era_takes_all_that_was_known_with_it() -> None:
    segments = segments_of(3, 4)
    for n in (3, 4):
        assert segments.know(PIECES[n].record(), PIECES[n].hashes())
    assert segments.believe(page_of(3, time=6, era=6, last=3))
    assert (segments.first, segments.last, segments.newest_known) == (0, 3, -1)
    assert segments.record(3) == PIECES[3].record()
    assert segments.record(4) is None
    assert not segments.knows(3)
    assert (segments.usual_bytes(), segments.usual_duration()) == (1003, 2003)
    assert not segments.believe(page_of(3, time=7, era=6, last=3)), "once"


def test_an_older_page_says_nothing_about_the_whole() -> None:
    segments = segments_of(3)
    segments.believe(replace(page_of(5, time=4, first=2, last=7), live=False))
    assert segments.record(5) is not None
    assert (segments.first, segments.last, segments.live) == (0, 9, True)


def test_what_a_page_has_that_is_not_known() -> None:
    segments = segments_of(3, 4)
    assert segments.lacks(page_of(3, time=6)), "no hashes"
    segments.know(PIECES[3].record(), PIECES[3].hashes())
    assert not segments.lacks(page_of(3, time=6))
    assert segments.lacks(changed(page_of(3, time=6)))
    assert segments.lacks(page_of(3, 5, time=6))
    assert not segments.lacks(page_of(time=6))
    assert segments.lacks(page_of(3, time=6, era=6))
