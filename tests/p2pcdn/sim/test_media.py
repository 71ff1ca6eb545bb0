"""The content of scenes: when it is there, and what is true of it."""

from __future__ import annotations

from p2pcdn.core.store import Store
from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey, Span
from p2pcdn.sim.media import CONTENT, KEY, RENDITION, Media, SharedStore, blank
from p2pcdn.wire.manifest import from_base64, root_input, signed_bytes

LENGTH = 2 * CHUNK_SIZE + 10


def live() -> Media:
    return Media(LENGTH, 4.0, count=100, behind=6)


def test_a_live_rendition_begins_with_a_playlist_and_grows() -> None:
    media = live()
    assert [media.newest(at) for at in (0.0, 3.9, 4.0, 8.0)] == [5, 5, 6, 7]
    assert media.published(6) == 4.0
    assert media.published(5) == 0.0


def test_what_is_not_live_is_all_there() -> None:
    media = Media(LENGTH, 4.0, count=10, behind=0)
    page = media.page(0, 0.0)
    assert not media.live
    assert media.newest(0.0) == 9
    assert (page.first, page.last, len(page.segments), page.signatures) == (0, 9, 10, ())


def test_records_of_what_is_not_out_are_missing() -> None:
    media = live()
    assert [r.sequence for r in media.records(Span(5, 8), 4.0).segments] == [5, 6]
    assert media.records(Span(9, 9), 4.0).segments == ()
    assert media.hashes(Span(5, 6), 3.0) is None
    assert media.hashes(Span(5, 6), 4.0) == media.hashes_of(5) + media.hashes_of(6)


def test_a_page_remembers_no_more_than_it_should() -> None:
    media = live()
    page = media.page(90, 1_000.0)
    assert page.first == media.newest(1_000.0) - 63
    assert page.segments[0].sequence == max(page.first, 64)


def test_a_chunk_is_true_if_it_is_of_zeros() -> None:
    media = live()
    digest = media.hashes_of(3)[:32]
    assert media.is_true(bytes(CHUNK_SIZE), digest)
    assert not media.is_true(bytes(CHUNK_SIZE - 1) + b"\xff", digest)


def test_hashes_are_true_if_they_are_those_of_the_root() -> None:
    media = live()
    record = media.records(Span(3, 3), 0.0).segments[0]
    for sequence, true in ((3, True), (4, False)):
        data = root_input(CONTENT, RENDITION, 3, LENGTH, [media.hashes_of(sequence)])
        assert media.is_true(data, bytes.fromhex(record.root)) is true


def test_pages_of_live_media_are_signed() -> None:
    media = live()
    page = media.records(Span(5, 5), 0.0)
    signature = from_base64(page.signatures[0].value)
    assert signature is not None
    assert page.keys == (KEY,)
    assert media.is_signed(signed_bytes(page), signature)
    assert not media.is_signed(signed_bytes(media.records(Span(4, 4), 0.0)), signature)


def test_news_are_a_page_and_its_hashes() -> None:
    media = live()
    news = media.news(7)
    assert [record.sequence for record in news.page.segments] == [7]
    assert from_base64(news.hashes) == media.hashes_of(7)


def test_stores_share_one_copy() -> None:
    one, other = SharedStore(10**9), SharedStore(10**9)
    key = ChunkKey(RENDITION, 1, 0)
    for store in (one, other):
        store.put(key, bytearray(100))  # type: ignore[arg-type]
    assert one.get(key) is other.get(key) is blank(100)
    assert one.assemble(SegmentKey(RENDITION, 1)) is blank(100)
    assert isinstance(one, Store)


def test_whatever_part_of_it_is_asked_for_is_of_zeros() -> None:
    media = Media(100_000, 2.0, 5, 0)
    assert media.bytes_of(3, 10, 19) == bytes(10)
    assert isinstance(media.store(10**9), SharedStore)
