"""A rendition through time: finished, live, damaged, and with an encoder at work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from origin.catalog import edition as edition_module
from origin.catalog import rendition as rendition_module
from origin.catalog.playlist import PlaylistError
from origin.catalog.rendition import (
    NotARenditionError,
    NotReadyError,
    Rendition,
    Studio,
)
from p2pcdn.errors import SourceError
from p2pcdn.model import content_id
from tests.origin.catalog.conftest import SITE, GatedDirectory
from tests.origin.media_files import media_playlist, multivariant_playlist, write, write_vod
from tests.origin.waiting import until


@pytest.fixture
async def make(studio: Studio) -> AsyncIterator[Callable[..., Rendition]]:
    made: list[Rendition] = []

    def rendition(path: str = "live.m3u8", studio: Studio = studio) -> Rendition:
        made.append(Rendition(path, studio))
        return made[-1]

    yield rendition
    for one in made:
        await one.close()


def segment(content: Path, *numbers: int) -> None:
    for number in numbers:
        write(content / f"{number}.ts", f"segment {number}")


def playlist(content: Path, first: int, last: int, *, live: bool = True) -> bytes:
    names = [f"{number}.ts" for number in range(first, last + 1)]
    return write(content / "live.m3u8", media_playlist(names, first=first, live=live))


Make = Callable[..., Rendition]


async def test_a_finished_one(make: Make, content: Path) -> None:
    write_vod(content / "demo")
    edition = await make("demo/480p.m3u8").current()
    assert list(edition.pieces) == [0, 1, 2]
    assert edition.content == content_id(SITE, "/media/demo/480p.m3u8")
    assert edition.time > 0


async def test_it_belongs_to_its_presentation(make: Make, content: Path) -> None:
    write_vod(content / "demo")
    write(content / "demo" / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    edition = await make("demo/480p.m3u8").current()
    assert edition.content == content_id(SITE, "/media/demo/all.m3u8")


async def test_it_is_not_hashed_before_somebody_asks(
    make: Make, content: Path, source: GatedDirectory
) -> None:
    write_vod(content)
    await make("480p.m3u8").current()
    assert not [path for path in source.opened if path.endswith(".ts")]


async def test_it_is_not_looked_at_again_at_once(make: Make, content: Path) -> None:
    write_vod(content)
    rendition = make("480p.m3u8")
    before = await rendition.current()
    write(content / "480p_1.ts", b"other")
    assert await rendition.current() is before


async def test_a_changed_file_makes_a_later_edition(make: Make, content: Path) -> None:
    write_vod(content)
    rendition = make("480p.m3u8")
    before = await rendition.current()
    write(content / "480p_1.ts", b"other")
    rendition.doubt()
    after = await rendition.current()
    assert after.pieces[1] != before.pieces[1]
    assert after.time > before.time
    assert after.era == after.time
    rendition.doubt()
    assert await rendition.current() == after


async def test_time_goes_on_over_a_restart(make: Make, content: Path) -> None:
    write_vod(content)
    before = await make("480p.m3u8").current()
    assert await make("480p.m3u8").current() == before
    assert before.era == 0
    write(content / "480p_1.ts", b"other")
    assert (await make("480p.m3u8").current()).time > before.time


async def test_time_never_goes_back(
    make: Make, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_vod(content)
    rendition = make("480p.m3u8")
    before = await rendition.current()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    for text in (b"other", b"yet another"):
        write(content / "480p_1.ts", text)
        rendition.doubt()
        after = await rendition.current()
        assert after.time == before.time + 1
        before = after


async def test_a_plain_file(make: Make, content: Path) -> None:
    write(content / "movie.mp4", b"x" * 10)
    edition = await make("movie.mp4").current()
    assert edition.pieces[0].stretch.length == 10
    assert edition.content == content_id(SITE, "/media/movie.mp4")


async def test_what_is_no_rendition(make: Make, content: Path) -> None:
    with pytest.raises(SourceError):
        await make("none.m3u8").current()
    with pytest.raises(SourceError):
        await make("none.mp4").current()
    write(content / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    with pytest.raises(NotARenditionError) as caught:
        await make("all.m3u8").current()
    assert [entry.path for entry in caught.value.playlist.renditions] == ["480p.m3u8"]
    write(content / "broken.m3u8", "")
    with pytest.raises(PlaylistError):
        await make("broken.m3u8").current()


async def test_a_live_one_is_hashed_before_it_is_shown(
    make: Make, content: Path, source: GatedDirectory, studio: Studio
) -> None:
    segment(content, 0, 1)
    playlist(content, 0, 1)
    edition = await make().current()
    stretches = [piece.stretch for piece in edition.pieces.values()]
    assert edition.live
    assert set(studio.store.find(stretches)) == set(stretches)


async def test_it_stays_as_it_was_until_the_new_segment_is_hashed(
    make: Make, content: Path, source: GatedDirectory
) -> None:
    segment(content, 0, 1)
    text = playlist(content, 0, 1)
    rendition = make()
    before = await rendition.current()
    source.hold("2.ts")
    segment(content, 2)
    newer = playlist(content, 1, 2)
    assert await rendition.current() is before
    assert before.document is not None
    assert before.document.data == text
    source.release()
    await rendition.refresh()
    after = await rendition.current()
    assert after.document is not None
    assert after.document.data == newer
    assert list(after.pieces) == [0, 1, 2]
    assert after.time > before.time
    assert after.era == before.era == before.time


async def test_it_waits_for_a_segment_that_is_named_too_early(make: Make, content: Path) -> None:
    segment(content, 0)
    playlist(content, 0, 1)
    rendition = make()
    first = asyncio.create_task(rendition.current())
    await until(lambda: rendition.is_busy)
    segment(content, 1)
    assert list((await first).pieces) == [0, 1]


async def test_but_not_for_ever(make: Make, content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edition_module, "_LONGEST_AWAIT", 0.1)
    segment(content, 0)
    playlist(content, 0, 1)
    edition = await make().current()
    assert list(edition.pieces) == [0]


async def test_it_hashes_a_segment_that_is_still_being_written_when_it_is_whole(
    make: Make, content: Path, source: GatedDirectory, studio: Studio
) -> None:
    segment(content, 0)
    source.hold("0.ts")
    playlist(content, 0, 0)
    rendition = make()
    first = asyncio.create_task(rendition.current())
    await until(lambda: "0.ts" in source.opened)
    with (content / "0.ts").open("ab") as writer:
        writer.write(b" and its second half")
    source.release()
    edition = await first
    assert edition.pieces[0].stretch.length == len("segment 0 and its second half")
    assert studio.store.find([edition.pieces[0].stretch])


@pytest.mark.parametrize("size", [0, 6, 40, 85, 98])
async def test_a_half_written_playlist_is_not_shown(
    make: Make, content: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(edition_module, "_SETTLING", 60)
    segment(content, 0, 1, 2)
    playlist(content, 0, 1)
    rendition = make()
    before = await rendition.current()
    newer = playlist(content, 0, 2)
    (content / "live.m3u8").write_bytes(newer[:size])
    assert await rendition.current() is before
    (content / "live.m3u8").write_bytes(newer)
    await rendition.refresh()
    assert list((await rendition.current()).pieces) == [0, 1, 2]


async def test_an_encoder_that_begins_anew_is_believed_after_a_while(
    make: Make, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edition_module, "_SETTLING", 0.1)
    segment(content, *range(7, 10))
    playlist(content, 7, 9)
    rendition = make()
    before = await rendition.current()
    segment(content, 0)
    playlist(content, 0, 0)
    assert rendition.refresh() is rendition.refresh()
    await rendition.refresh()
    after = await rendition.current()
    assert list(after.pieces) == [0]
    assert after.time > before.time
    assert after.era == after.time


async def test_the_end_of_a_live_one(make: Make, content: Path) -> None:
    segment(content, 0, 1, 2)
    playlist(content, 0, 1)
    rendition = make()
    before = await rendition.current()
    playlist(content, 0, 2, live=False)
    after = await rendition.current()
    assert not after.live
    assert list(after.pieces) == [0, 1, 2]
    assert after.time > before.time
    assert after.era == before.era


async def test_a_presentation_that_comes_late_takes_its_renditions(
    make: Make, content: Path, studio: Studio
) -> None:
    segment(content, 0)
    playlist(content, 0, 0)
    rendition = make()
    before = await rendition.current()
    write(content / "all.m3u8", multivariant_playlist(["live.m3u8"]))
    studio.library._stale_at = 0.0
    after = await rendition.current()
    assert after.content == content_id(SITE, "/media/all.m3u8") != before.content
    assert after.time > before.time


async def test_waiting_for_a_live_one_to_grow(make: Make, content: Path) -> None:
    segment(content, 0, 1)
    playlist(content, 0, 1)
    rendition = make()
    assert (await rendition.newer_than(0, 10)).last == 1
    waiting = asyncio.create_task(rendition.newer_than(1, 10))
    await until(lambda: rendition.edition)
    segment(content, 2)
    playlist(content, 0, 2)
    rendition.refresh()
    assert (await waiting).last == 2


async def test_waiting_ends_when_another_era_begins(
    make: Make, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edition_module, "_SETTLING", 0.1)
    segment(content, 7, 8)
    playlist(content, 7, 8)
    rendition = make()
    asked: list[int] = []
    is_awaited = rendition._is_awaited

    def look(edition: edition_module.Edition, sequence: int, era: int) -> bool:
        asked.append(sequence)
        return is_awaited(edition, sequence, era)

    monkeypatch.setattr(rendition, "_is_awaited", look)
    waiting = asyncio.create_task(rendition.newer_than(8, 60))
    await until(lambda: asked)
    segment(content, 0)
    playlist(content, 0, 0)
    await rendition.refresh()
    assert (await waiting).last == 0


async def test_waiting_in_vain(make: Make, content: Path) -> None:
    segment(content, 0, 1)
    playlist(content, 0, 1)
    rendition = make()
    assert (await rendition.newer_than(1, 0.01)).last == 1
    playlist(content, 0, 1, live=False)
    assert (await rendition.newer_than(1, 60)).live is False
    playlist(content, 0, 1)
    rendition.doubt()
    waiting = asyncio.create_task(rendition.newer_than(1, 60))
    await until(lambda: rendition.is_live)
    rendition.wake()
    assert (await waiting).last == 1


async def test_not_ready(
    make: Make, content: Path, source: GatedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendition_module, "_FIRST_PATIENCE", 0.01)
    segment(content, 0)
    playlist(content, 0, 0)
    source.hold("0.ts")
    with pytest.raises(NotReadyError):
        await make().current()


async def test_memory_of_a_live_one_is_bounded(make: Make, content: Path, studio: Studio) -> None:
    rendition = make(studio=replace(studio, window=5))
    for last in range(2, 20):
        segment(content, *range(last - 2, last + 1))
        playlist(content, last - 2, last)
        edition = await rendition.current()
    assert list(edition.pieces) == [15, 16, 17, 18, 19]
