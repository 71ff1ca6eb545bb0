"""Pages: records that anybody can verify."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from origin.catalog import pages as pages_module
from origin.catalog.edition import Edition
from origin.catalog.hashing import ChangedError
from origin.catalog.pages import Pages, blob
from origin.catalog.rendition import Rendition, Studio
from origin.signing import Signer
from p2pcdn.model import CHUNK_SIZE, FILE_SLICE, Span
from p2pcdn.wire.codec import decode_manifest
from p2pcdn.wire.manifest import RenditionManifest, root_input, split_hashes
from tests.origin.catalog.conftest import SITE, GatedDirectory
from tests.origin.media_files import media_playlist, write, write_vod
from tests.origin.test_signing import verify
from tests.origin.waiting import until


@pytest.fixture
def pages(studio: Studio, tmp_path: Path) -> Pages:
    return Pages(SITE, studio.hasher, Signer(tmp_path / "data"))


async def edition_of(studio: Studio, path: str) -> Edition:
    return await Rendition(path, studio).current()


def decoded(data: bytes) -> RenditionManifest:
    page = decode_manifest(data)
    assert isinstance(page, RenditionManifest)
    return page


async def test_records_and_hash_lists_fit_the_segments(
    studio: Studio, pages: Pages, content: Path
) -> None:
    segments = write_vod(content / "demo")
    edition = await edition_of(studio, "demo/480p.m3u8")
    page = decoded((await pages.page(edition, 0)).data)
    assert (page.site, page.content, page.rendition) == (SITE, edition.content, "demo/480p.m3u8")
    assert (page.first, page.last, page.live, page.time) == (0, 2, False, edition.time)
    assert page.era == edition.era == 0
    lists = split_hashes((await pages.hashes(edition, Span(0, 2))).data, page.segments)
    assert lists is not None
    for record, hashes, data in zip(page.segments, lists, segments, strict=True):
        chunks = [data[at : at + CHUNK_SIZE] for at in range(0, len(data), CHUNK_SIZE)]
        digests = [hashlib.sha256(chunk).digest() for chunk in chunks]
        assert hashes == b"".join(digests)
        assert record.length == len(data)
        preimage = root_input(page.content, page.rendition, record.sequence, record.length, digests)
        assert record.root == hashlib.sha256(preimage).hexdigest()


async def test_a_page_of_a_plain_file_is_shorter(
    studio: Studio, pages: Pages, content: Path, source: GatedDirectory
) -> None:
    write(content / "film.mp4", b"")
    os.truncate(content / "film.mp4", 17 * FILE_SLICE)
    edition = await edition_of(studio, "film.mp4")
    for sequence, of_it in ((0, range(16)), (15, range(16)), (16, [16])):
        page = decoded((await pages.page(edition, sequence)).data)
        assert [record.sequence for record in page.segments] == list(of_it)


async def test_a_page_costs_the_hashing_of_its_own_segments(
    studio: Studio, pages: Pages, content: Path, source: GatedDirectory
) -> None:
    for n in range(130):
        write(content / f"{n}.ts", f"segment {n}")
    write(content / "a.m3u8", media_playlist(f"{n}.ts" for n in range(130)))
    edition = await edition_of(studio, "a.m3u8")
    source.opened.clear()
    page = decoded((await pages.page(edition, 129)).data)
    assert [record.sequence for record in page.segments] == [128, 129]
    assert sorted(source.opened) == ["128.ts", "129.ts"]
    assert (page.first, page.last) == (0, 129)


async def test_a_page_begins_with_what_it_is_asked_for_and_is_made_again_when_there_is_more(
    studio: Studio,
    pages: Pages,
    content: Path,
    source: GatedDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages_module, "PATIENCE", 0.0)
    for n in range(9):
        write(content / f"{n}.ts", f"segment {n}")
    write(content / "a.m3u8", media_playlist(f"{n}.ts" for n in range(9)))
    edition = await edition_of(studio, "a.m3u8")
    source.opened.clear()
    source.hold("/", *(f"{n}.ts" for n in range(9) if n != 5))
    made = await pages.page(edition, 5)
    assert not made.whole
    page = decoded(made.data)
    verify(page)
    assert ([r.sequence for r in page.segments], page.first, page.last) == ([5], 0, 8)
    source.release()
    await until(lambda: not studio.hasher._later)
    whole = await pages.page(edition, 5)
    assert whole.whole
    assert [r.sequence for r in decoded(whole.data).segments] == list(range(9))
    assert await pages.page(edition, 0) is whole
    asked = [int(path.removesuffix(".ts")) for path in source.opened]
    assert asked.index(5) < 5
    assert sorted(asked) == list(range(9))


async def test_a_page_is_made_once(studio: Studio, pages: Pages, content: Path) -> None:
    write_vod(content)
    edition = await edition_of(studio, "480p.m3u8")
    assert await pages.page(edition, 0) is await pages.page(edition, 2)
    few = await pages.records(edition, Span(1, 2))
    assert await pages.records(edition, Span(1, 2)) is few
    assert await pages.records(edition, Span(0, 2)) is not few


async def test_a_page_of_just_some_segments(
    studio: Studio, pages: Pages, content: Path, source: GatedDirectory
) -> None:
    write_vod(content, segments=5)
    edition = await edition_of(studio, "480p.m3u8")
    source.opened.clear()
    few = decoded((await pages.records(edition, Span(3, 9))).data)
    assert source.opened == ["480p_3.ts", "480p_4.ts"]
    whole = decoded((await pages.page(edition, 0)).data)
    assert few.segments == whole.segments[3:]
    assert (few.first, few.last, few.time) == (whole.first, whole.last, whole.time)


async def test_every_page_is_signed(studio: Studio, pages: Pages, content: Path) -> None:
    write_vod(content)
    edition = await edition_of(studio, "480p.m3u8")
    for made in (await pages.page(edition, 0), await pages.records(edition, Span(1, 1))):
        verify(decoded(made.data))


async def test_a_file_that_changed_makes_no_page(
    studio: Studio, pages: Pages, content: Path
) -> None:
    write_vod(content)
    edition = await edition_of(studio, "480p.m3u8")
    write(content / "480p_1.ts", b"other")
    with pytest.raises(ChangedError):
        await pages.page(edition, 0)


def test_tags_say_what_is_in_it() -> None:
    assert blob(b"a") == blob(b"a")
    assert blob(b"a").etag != blob(b"b").etag
    assert blob(b"a").etag.startswith('"')
