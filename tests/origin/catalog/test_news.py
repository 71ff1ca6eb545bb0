"""News: each segment that comes out is told once, signed, with the hashes behind its root."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from origin.catalog import news as news_module
from origin.catalog.edition import Edition
from origin.catalog.news import News
from origin.catalog.pages import Pages
from origin.catalog.rendition import Rendition, Studio
from origin.signing import Signer
from p2pcdn.model import Span
from p2pcdn.wire.codec import decode_link, encode
from p2pcdn.wire.manifest import PAGE_RECORDS, Records, from_base64, segment_root
from tests.origin.catalog.conftest import SITE
from tests.origin.media_files import media_playlist, noise, write
from tests.origin.test_signing import verify


class Told:
    """What was passed on."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        self.records: list[Records] = []
        self.news = News(pages, self.records.append)

    async def settle(self) -> None:
        """Wait for what is being made."""
        await asyncio.gather(*self.news._tasks)

    @property
    def sequences(self) -> list[list[int]]:
        return [[record.sequence for record in told.page.segments] for told in self.records]


@pytest.fixture
async def told(studio: Studio, tmp_path: Path) -> AsyncIterator[Told]:
    made = Told(Pages(SITE, studio.hasher, Signer(tmp_path / "data")))
    yield made
    await made.news.close()


def publish(content: Path, *numbers: int, first: int = 0) -> None:
    for number in numbers:
        if not (content / f"{number}.ts").exists():
            write(content / f"{number}.ts", noise(100_000, number))
    names = [f"{number}.ts" for number in numbers]
    write(content / "live.m3u8", media_playlist(names, first=first, live=True))


async def editions(studio: Studio, content: Path, *lasts: int) -> list[Edition]:
    """Editions of a live rendition that grew so far each time."""
    rendition, found = Rendition("live.m3u8", studio), []
    for last in lasts:
        publish(content, *range(last + 1))
        await rendition.refresh()
        assert rendition.edition is not None
        found.append(rendition.edition)
    return found


async def test_what_is_new_is_told_with_its_hashes(
    studio: Studio, told: Told, content: Path
) -> None:
    before, after = await editions(studio, content, 2, 3)
    told.news.take(before, after)
    await told.settle()
    (records,) = told.records
    assert decode_link(encode(records)) == records
    page, (record,) = records.page, records.page.segments
    assert (record.sequence, record.uri) == (3, "3.ts")
    assert (page.site, page.content, page.rendition) == (SITE, after.content, "live.m3u8")
    assert (page.live, page.time, page.first, page.last) == (True, after.time, 0, 3)
    verify(page)
    hashes = from_base64(records.hashes)
    assert hashes is not None
    lists = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    assert len(lists) == 2
    assert record.root == segment_root(page.content, page.rendition, 3, 100_000, lists)


async def test_it_is_what_those_would_get_who_ask(
    studio: Studio, told: Told, content: Path
) -> None:
    before, after = await editions(studio, content, 2, 4)
    told.news.take(before, after)
    await told.settle()
    assert told.sequences == [[3, 4]]
    asked = await told.pages.records(after, Span(3, 4))
    assert encode(told.records[0].page).encode() == asked.data


async def test_of_what_begins_anew_the_newest_are_told(
    studio: Studio, told: Told, content: Path
) -> None:
    rendition = Rendition("live.m3u8", studio)
    found = []
    for first, last in ((10, 12), (0, 4)):
        names = [f"{n}.ts" for n in range(first, last + 1)]
        for n, name in enumerate(names):
            write(content / name, noise(100_000, first + n))
        write(content / "live.m3u8", media_playlist(names, first=first, live=True))
        await rendition.refresh()
        assert rendition.edition is not None
        found.append(rendition.edition)
    told.news.take(*found)
    await told.settle()
    assert told.sequences == [[2, 3, 4]]
    assert told.records[0].page.era == told.records[0].page.time > found[0].time


async def test_where_nothing_is_new_nothing_is_told(
    studio: Studio, told: Told, content: Path
) -> None:
    before, after = await editions(studio, content, 2, 3)
    told.news.take(after, after)
    told.news.take(after, before)
    await told.settle()
    assert told.records == []


async def test_of_much_that_is_new_the_newest_are_told(
    studio: Studio, told: Told, content: Path
) -> None:
    before, after = await editions(studio, content, 0, PAGE_RECORDS + 6)
    told.news.take(before, after)
    await told.settle()
    assert told.sequences == [list(range(7, PAGE_RECORDS + 7))]


async def test_too_many_hashes_are_not_told(
    studio: Studio, told: Told, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = await editions(studio, content, 0, 2)
    monkeypatch.setattr(news_module, "_MOST_HASH_BYTES", 4 * 32 - 1)
    told.news.take(before, after)
    await told.settle()
    assert told.records == []
    monkeypatch.setattr(news_module, "_MOST_HASH_BYTES", 4 * 32)
    told.news.take(before, after)
    await told.settle()
    assert told.sequences == [[1, 2]]


async def test_numbers_that_are_left_out_are_not_told(
    studio: Studio, told: Told, content: Path
) -> None:
    before, after = await editions(studio, content, 0, 3)
    del after.pieces[2]
    told.news.take(before, after)
    await told.settle()
    assert told.records == []


async def test_a_file_that_has_changed_is_not_told(
    studio: Studio, told: Told, content: Path
) -> None:
    before, after = await editions(studio, content, 0, 1)
    piece, other = after.pieces[1], after.pieces[0].stretch.identity
    after.pieces[1] = piece._replace(stretch=piece.stretch._replace(identity=other))
    told.news.take(before, after)
    await told.settle()
    assert told.records == []


async def test_nothing_is_told_once_it_is_closed(studio: Studio, told: Told, content: Path) -> None:
    before, after = await editions(studio, content, 0, 1)
    told.news.take(before, after)
    await told.news.close()
    assert told.records == []
    assert not told.news._tasks
