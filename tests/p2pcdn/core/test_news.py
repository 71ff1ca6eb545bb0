"""What others are told: each segment once, as soon as it is known."""

from __future__ import annotations

from msgspec.structs import replace

from p2pcdn.core.news import MOST_WAITING, Learned, News
from p2pcdn.core.segments import Segments
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.fields import BASE64_LENGTH
from p2pcdn.wire.manifest import Records, RenditionManifest
from tests.p2pcdn.core.media import Media, Piece

PIECES = {n: Piece(SegmentKey("v", n), 1000 + n) for n in range(20)}
MEDIA = Media.of(PIECES.values(), live=True)


class Peer:
    """Somebody who believes every page."""

    def __init__(self) -> None:
        self.segments = Segments()
        self.news = News(self.segments)

    def answered(self, page: RenditionManifest) -> list[Learned]:
        self.segments.believe(page)
        self.news.page(page)
        return self.news.ripe()

    def know(self, *sequences: int) -> list[Learned]:
        for n in sequences:
            self.segments.know(PIECES[n].record(), PIECES[n].hashes())
        return self.news.ripe()


def page_of(first: int, last: int, *, time: int = 1, oldest: int = 0) -> RenditionManifest:
    page = MEDIA.few("v", Span(first, last), 0.0)
    return replace(page, time=time, first=oldest)


def records_of(first: int, last: int) -> Records:
    return MEDIA.records("v", Span(first, last), 0.0)


def test_a_short_page_is_news_once_its_segments_are_known() -> None:
    peer = Peer()
    assert peer.answered(page_of(3, 4)) == []
    assert peer.know(3) == []
    assert peer.know(4) == [Learned(records_of(3, 4), None)]
    assert peer.know(3, 4) == []


def test_a_page_of_what_is_known_already_is_news_at_once() -> None:
    peer = Peer()
    peer.answered(page_of(0, 9))
    assert peer.know(3) == []
    assert peer.answered(page_of(3, 3)) == [Learned(records_of(3, 3), None)]
    assert peer.answered(page_of(3, 3)) == []


def test_what_is_no_news() -> None:
    peer = Peer()
    for page in (
        page_of(0, 3),
        replace(page_of(3, 3), live=False),
        replace(page_of(3, 3), signatures=()),
        replace(page_of(3, 3), segments=()),
    ):
        peer.answered(page)
    assert peer.know(0, 1, 2, 3) == []


def test_who_brought_it_is_known() -> None:
    peer = Peer()
    assert peer.news.proved(records_of(3, 3), 7) == [Learned(records_of(3, 3), 7)]
    assert peer.news.proved(records_of(3, 3), 8) == []
    assert peer.news.proved(records_of(3, 4), 8) == [Learned(records_of(3, 4), 8)]


def test_what_began_anew_is_news_again() -> None:
    peer = Peer()
    peer.news.proved(records_of(3, 3), 7)
    peer.news.renewed()
    assert peer.news.proved(records_of(3, 3), 7) != []


def test_what_has_gone_or_changed_is_no_news() -> None:
    peer = Peer()
    peer.answered(page_of(3, 3))
    peer.answered(page_of(4, 4))
    peer.answered(page_of(5, 19, time=2, oldest=4))
    other = replace(PIECES[4].record(), root="0" * 64)
    page = replace(page_of(4, 4, time=3, oldest=4), segments=(other,), signatures=(), era=3)
    peer.answered(page)
    assert peer.know(3, 4) == []


def test_hashes_that_fit_no_message_are_not_told() -> None:
    peer = Peer()
    page = records_of(3, 3).page
    assert peer.news.proved(Records(page, "A" * (BASE64_LENGTH + 1)), None) == []
    assert peer.news.proved(Records(page, "A" * BASE64_LENGTH), None) != []


def test_so_many_short_pages_wait_and_no_more() -> None:
    peer = Peer()
    for n in range(MOST_WAITING + 1):
        peer.answered(page_of(n, n))
    assert peer.know(0) == []
    assert peer.know(1) == [Learned(records_of(1, 1), None)]
