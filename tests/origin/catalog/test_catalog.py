"""The catalog: what is shown of live playlists, and what stays in memory."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from origin.catalog import catalog as catalog_module
from origin.catalog.catalog import Catalog
from origin.catalog.hash_store import HashStore
from origin.sources.directory import Directory
from p2pcdn.errors import SourceError
from tests.origin.catalog.conftest import SITE, GatedDirectory
from tests.origin.media_files import media_playlist, multivariant_playlist, write, write_vod
from tests.origin.waiting import until


@pytest.fixture
async def catalog(source: GatedDirectory, tmp_path: Path) -> AsyncIterator[Catalog]:
    store = HashStore(tmp_path / "data")
    catalog = Catalog(source, store, site=SITE, window=8)
    yield catalog
    source.release()
    catalog.drain()
    await catalog.close()
    store.close()


def publish(content: Path, last: int, *, live: bool = True) -> bytes:
    write(content / f"{last}.ts", f"segment {last}")
    names = [f"{number}.ts" for number in range(last + 1)]
    return write(content / "live.m3u8", media_playlist(names, live=live))


async def test_finished_playlists_are_shown_as_they_are(catalog: Catalog, content: Path) -> None:
    write_vod(content)
    all_of_it = write(content / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    document, live = await catalog.playlist("all.m3u8")
    assert (document.data, live) == (all_of_it, False)
    document, live = await catalog.playlist("480p.m3u8")
    assert not live
    changed = write(content / "480p.m3u8", media_playlist(["480p_0.ts"]))
    document, live = await catalog.playlist("480p.m3u8")
    assert (document.data, live) == (changed, False)


async def test_live_playlists_are_shown_by_editions(
    catalog: Catalog, content: Path, source: GatedDirectory
) -> None:
    before = publish(content, 0)
    document, live = await catalog.playlist("live.m3u8")
    assert (document.data, live) == (before, True)
    source.hold("1.ts")
    after = publish(content, 1)
    assert (await catalog.playlist("live.m3u8"))[0].data == before
    source.release()
    await catalog._renditions["live.m3u8"].refresh()
    assert (await catalog.playlist("live.m3u8"))[0].data == after


async def test_so_is_the_last_version(
    catalog: Catalog, content: Path, source: GatedDirectory
) -> None:
    before = publish(content, 0)
    await catalog.playlist("live.m3u8")
    source.hold("1.ts")
    after = publish(content, 1, live=False)
    assert await catalog.playlist("live.m3u8") == (
        (await catalog.edition("live.m3u8")).document,
        True,
    )
    assert (await catalog.playlist("live.m3u8"))[0].data == before
    source.release()
    await catalog._renditions["live.m3u8"].refresh()
    document, live = await catalog.playlist("live.m3u8")
    assert (document.data, live) == (after, False)


async def test_segments_of_live_playlists_are_known(catalog: Catalog, content: Path) -> None:
    write_vod(content)
    publish(content, 0)
    await catalog.edition("480p.m3u8")
    await catalog.edition("live.m3u8")
    assert catalog.is_live_segment("0.ts")
    assert not catalog.is_live_segment("480p_0.ts")
    publish(content, 1, live=False)
    await catalog.edition("live.m3u8")
    assert not catalog.is_live_segment("0.ts")


async def test_files_are_known_by_their_content_as_long_as_they_are_part_of_it(
    catalog: Catalog, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "_MOST_PIECES", 2 * (catalog_module._RENDITION + 2))
    write_vod(content, "a", segments=3)
    publish(content, 0)
    vod, live = await catalog.edition("a.m3u8"), await catalog.edition("live.m3u8")
    assert catalog.path_of(vod.content) == "a.m3u8"
    assert catalog.path_of("f" * 32) is None
    assert catalog.content_of("a_0.ts") == catalog.content_of("a_2.ts") == vod.content
    assert catalog.content_of("0.ts") == live.content != vod.content
    assert catalog.content_of("a.m3u8") == catalog.content_of("other.ts") == ""
    write(content / "1.ts", "another")
    write(content / "live.m3u8", media_playlist(["1.ts"], live=True, first=1))
    await catalog.edition("live.m3u8")
    assert catalog.content_of("1.ts") == live.content
    write_vod(content, "b", segments=3)
    await catalog.edition("b.m3u8")
    assert catalog.content_of("a_0.ts") == ""
    assert set(catalog._contents) == set().union(*catalog._files.values())


async def test_so_are_initialisation_sections(catalog: Catalog, content: Path) -> None:
    for name, end in (("vod", "#EXT-X-ENDLIST\n"), ("live", "")):
        for file in ("init.mp4", "1.m4s"):
            write(content / name / file, b"x")
        text = f'#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n1.m4s\n{end}'
        write(content / f"{name}/a.m3u8", text)
        edition = await catalog.edition(f"{name}/a.m3u8")
        assert catalog.content_of(f"{name}/init.mp4") == edition.content
    assert catalog.is_live_segment("live/init.mp4")  # whose name an encoder uses again
    assert not catalog.is_live_segment("vod/init.mp4")


async def test_whoever_listens_hears_of_each_live_edition_that_follows_another(
    catalog: Catalog, content: Path
) -> None:
    heard: list[tuple[int, int]] = []
    catalog.listen(lambda before, edition: heard.append((before.last, edition.last)))
    write_vod(content)
    await catalog.edition("480p.m3u8")
    for last in range(3):
        publish(content, last)
        await catalog.edition("live.m3u8")
    assert heard == [(0, 1), (1, 2)]


async def test_what_does_not_exist_leaves_no_trace(catalog: Catalog, content: Path) -> None:
    write(content / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    for path in ("none.m3u8", "none.mp4"):
        with pytest.raises(SourceError):
            await catalog.edition(path)
    with pytest.raises(SourceError):
        await catalog.playlist("none.m3u8")
    assert not catalog._renditions
    catalog.doubt("none.m3u8")


async def test_finished_renditions_leave_memory_by_turns(
    catalog: Catalog, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "_MOST_PIECES", 2 * (catalog_module._RENDITION + 2))
    publish(content, 9)
    await catalog.edition("live.m3u8")
    for name in ("a", "b", "c"):
        write_vod(content, name, segments=2)
        await catalog.edition(f"{name}.m3u8")
        await catalog.edition("a.m3u8")
    assert list(catalog._renditions) == ["live.m3u8", "c.m3u8", "a.m3u8"]
    assert list((await catalog.edition("b.m3u8")).pieces) == [0, 1]


async def test_what_nobody_asked_for_leaves_first(
    catalog: Catalog, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "_MOST_PIECES", 2 * (catalog_module._RENDITION + 1))
    for name in ("asked.mp4", "ahead.mp4", "more.mp4"):
        write(content / name, b"x")
    await catalog.edition("asked.mp4")
    await catalog._edition_ahead("ahead.mp4")
    await catalog._edition_ahead("asked.mp4")
    await catalog._edition_ahead("more.mp4")
    assert list(catalog._renditions) == ["more.mp4", "asked.mp4"]
    assert catalog._weight == sum(catalog._weights.values()) == 18


async def test_it_watches_and_hashes_by_itself(
    catalog: Catalog, content: Path, source: GatedDirectory
) -> None:
    publish(content, 0)
    write_vod(content / "demo")
    catalog.start()
    await until(lambda: catalog.is_live_segment("0.ts"))
    publish(content, 1)
    await until(lambda: catalog.is_live_segment("1.ts"))
    await until(lambda: "demo/480p_2.ts" in source.opened)


async def test_long_waits_end_with_it(catalog: Catalog, content: Path) -> None:
    publish(content, 0)
    assert (await catalog.newer_than("live.m3u8", 0, 0.01)).last == 0
    catalog.drain()
    assert (await catalog.newer_than("live.m3u8", 0, 60)).last == 0


async def test_what_an_encoder_still_writes_is_known(catalog: Catalog, content: Path) -> None:
    now = time.time_ns()
    publish(content, 0)
    text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n0.ts\n'
    write(content / "live.m3u8", text)
    await catalog.edition("live.m3u8")
    assert await catalog.is_unfinished("1.ts", now)
    assert not await catalog.is_unfinished("0.ts", now)  # it is named
    assert not await catalog.is_unfinished("init.mp4", now)
    assert not await catalog.is_unfinished("elsewhere/1.ts", now)
    assert not await catalog.is_unfinished("1.ts", now - 11_000_000_000)
    publish(content, 1)  # which another process may have shown already
    assert not await catalog.is_unfinished("1.ts", now)
    publish(content, 2, live=False)
    await catalog.edition("live.m3u8")
    assert not await catalog.is_unfinished("3.ts", now)


async def test_who_puts_a_playlist_says_so(catalog: Catalog, content: Path) -> None:
    publish(content, 0)
    await catalog.edition("live.m3u8")
    publish(content, 1)
    catalog.look("live.m3u8")
    catalog.look("none.m3u8")
    await until(lambda: catalog.is_live_segment("1.ts"))


async def test_where_others_hash_only_that_is_in_an_edition_which_they_have(
    content: Path, tmp_path: Path
) -> None:
    write_vod(content, segments=4)
    known: set[str] = {"480p_2.ts"}
    store = HashStore(tmp_path / "data")
    catalog = Catalog(
        Directory(content),
        store,
        site=SITE,
        window=8,
        knows=lambda stretch: stretch.path in known,
    )
    catalog.start()
    edition = await catalog.edition("480p.m3u8")
    assert list(edition.pieces) == [2]
    assert (edition.first, edition.last) == (0, 3)
    known.add("480p_0.ts")
    catalog.doubt("480p.m3u8")
    later = await catalog.edition("480p.m3u8")
    assert sorted(later.pieces) == [0, 2]
    assert (later.era, edition.era) == (0, 0)
    assert later.time > edition.time
    await catalog.close()
    store.close()
