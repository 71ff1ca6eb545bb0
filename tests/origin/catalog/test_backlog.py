"""Hashing ahead of demand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from origin.catalog import backlog as backlog_module
from origin.catalog.backlog import Backlog
from origin.catalog.edition import Edition
from origin.catalog.rendition import Rendition, Studio
from origin.sources import Identity
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.catalog.conftest import GatedDirectory
from tests.origin.media_files import multivariant_playlist, write, write_vod
from tests.origin.waiting import until


@pytest.fixture
def backlog(studio: Studio) -> Backlog:
    async def edition(path: str) -> Edition:
        return await Rendition(path, studio).current()

    return Backlog(studio, edition)


def hashed(source: GatedDirectory) -> list[str]:
    return sorted(path for path in source.opened if not path.endswith(".m3u8"))


def unmount(content: Path) -> None:
    content.rename(content.with_name("elsewhere"))


async def test_segments_and_single_files_each_once(
    backlog: Backlog, content: Path, source: GatedDirectory
) -> None:
    write_vod(content / "demo", segments=2)
    write(content / "demo" / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    write(content / "movie.mp4", b"x" * 10)
    await backlog.work()
    await backlog.work()
    assert hashed(source) == ["demo/480p_0.ts", "demo/480p_1.ts", "movie.mp4"]


async def test_a_file_of_a_playlist_does_not_stand_alone(
    backlog: Backlog, content: Path, source: GatedDirectory, studio: Studio
) -> None:
    write(content / "all.mp4", b"x" * 10)
    write(content / "a.m3u8", "#EXTM3U\n#EXT-X-BYTERANGE:5@2\n#EXTINF:2,\nall.mp4\n#EXT-X-ENDLIST")
    write(content / "stray.ts", b"x")
    write(content / "page.html", b"x")
    await backlog.work()
    assert hashed(source) == ["all.mp4"]
    rows = studio.store._database.execute("SELECT path, offset, length FROM hashes").fetchall()
    assert rows == [("all.mp4", 2, 5)]


async def test_each_representation_of_a_dash_manifest(
    backlog: Backlog, content: Path, source: GatedDirectory
) -> None:
    write(
        content / "show.mpd",
        '<MPD mediaPresentationDuration="PT4S"><Period><AdaptationSet>'
        '<SegmentTemplate duration="2" media="$RepresentationID$-$Number$.mp4"/>'
        '<Representation id="a"/><Representation id="b"/></AdaptationSet></Period></MPD>',
    )
    names = ["a-1.mp4", "a-2.mp4", "b-1.mp4", "b-2.mp4"]
    for name in names:
        write(content / name, b"x")
    await backlog.work()
    await backlog.work()
    assert [path for path in hashed(source) if path != "show.mpd"] == names
    assert not {"show.mpd", *names} & set(backlog.single_files())


async def test_an_initialisation_section_does_not_stand_alone(
    backlog: Backlog, content: Path, source: GatedDirectory
) -> None:
    names = ("hls/init.mp4", "hls/1.m4s", "dash/v-init.mp4", "dash/v-1.m4s", "film.mp4")
    for name in names:
        write(content / name, b"x")
    text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\n1.m4s\n#EXT-X-ENDLIST\n'
    write(content / "hls/a.m3u8", text)
    write(
        content / "dash/a.mpd",
        '<MPD mediaPresentationDuration="PT2S"><Period><AdaptationSet><SegmentTemplate duration="2"'
        ' media="$RepresentationID$-$Number$.m4s" initialization="$RepresentationID$-init.mp4"/>'
        '<Representation id="v"/></AdaptationSet></Period></MPD>',
    )
    await backlog.work()
    await backlog.work()
    assert {one for one in backlog.single_files() if one.endswith(".mp4")} == {"film.mp4"}
    assert not {"hls/init.mp4", "dash/v-init.mp4"} & set(source.opened)


async def test_several_begin_at_different_places(
    studio: Studio, content: Path, source: GatedDirectory
) -> None:
    async def edition(path: str) -> Edition:
        return await Rendition(path, studio).current()

    for name in "abcd":
        write(content / f"{name}.mp4", name)
    await Backlog(studio, edition, begin=0.5).work()
    assert source.opened == ["c.mp4", "d.mp4", "a.mp4", "b.mp4"]
    await Backlog(studio, edition).work()
    assert len(source.opened) == 4, "what another has hashed is not hashed again"


async def test_what_is_new_or_changed_is_next(
    backlog: Backlog, content: Path, source: GatedDirectory, studio: Studio
) -> None:
    write(content / "a.mp4", b"x")
    await backlog.work()
    write(content / "a.mp4", b"y")
    write(content / "b.mp4", b"x")
    studio.library._stale_at = studio.library._took = 0.0  # it is due, and worth waiting for
    await backlog.work()
    assert hashed(source) == ["a.mp4", "a.mp4", "b.mp4"]


@pytest.mark.parametrize("far", [False, True])
async def test_what_is_far_only_if_it_may(
    backlog: Backlog,
    content: Path,
    source: GatedDirectory,
    monkeypatch: pytest.MonkeyPatch,
    far: bool,
) -> None:
    write_vod(content / "demo", segments=1)
    write(content / "bucket" / "movie.mp4", b"x" * 10)
    monkeypatch.setattr(source, "is_far", lambda path: path.startswith("bucket/"))
    backlog._far = far
    await backlog.work()
    assert hashed(source) == [*(["bucket/movie.mp4"] if far else []), "demo/480p_0.ts"]
    assert backlog.single_files() == ["bucket/movie.mp4"]


async def test_looking_takes_a_small_share_of_the_time(
    backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def work() -> None:
        backlog._looked = 3.0 * len(pauses)

    async def sleep(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 2:
            raise asyncio.CancelledError

    monkeypatch.setattr(backlog, "work", work)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await backlog.run()
    assert pauses == [backlog_module.PAUSE, 3.0 / backlog_module.SHARE]


async def test_what_is_damaged_stops_nobody(
    backlog: Backlog, content: Path, source: GatedDirectory
) -> None:
    write(content / "a.m3u8", "#EXTM3U\n#EXTINF:x,\na.ts\n#EXT-X-ENDLIST\n")
    write_vod(content, "b", segments=1)
    await backlog.work()
    assert hashed(source) == ["b_0.ts"]


async def test_a_source_that_is_away_is_tried_again(
    backlog: Backlog, content: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "PAUSE", 0.01)
    write(content / "a.mp4", b"x")
    looks = []

    def identify_all(paths: Iterable[str]) -> dict[str, Identity]:
        looks.append(paths)
        if len(looks) == 1:
            raise SourceError(SourceReason.UNREACHABLE)
        return look(paths)

    source = studio.source
    look = source.identify_all
    monkeypatch.setattr(source, "identify_all", identify_all)
    task = asyncio.create_task(backlog.run())
    await until(backlog.single_files)
    task.cancel()


async def test_hashes_of_deleted_files_go(backlog: Backlog, content: Path, studio: Studio) -> None:
    write(content / "a.mp4", b"x")
    write(content / "b.mp4", b"x")
    await backlog.work()
    (content / "a.mp4").unlink()
    backlog._prune_at = 0.0
    await backlog.work()
    rows = studio.store._database.execute("SELECT path FROM hashes").fetchall()
    assert rows == [("b.mp4",)]


async def test_but_not_of_what_a_playlist_still_names(
    backlog: Backlog, content: Path, studio: Studio
) -> None:
    write_vod(content, "a", segments=2)
    write(content / "b.mp4", b"x")
    await backlog.work()
    for name in ("a_1.ts", "b.mp4"):
        (content / name).unlink()
    backlog._prune_at = 0.0
    await backlog.work()
    assert [each.path for each in studio.store.kept()] == ["a_0.ts", "a_1.ts"]


async def test_nor_when_only_the_mount_point_is_there(
    backlog: Backlog, content: Path, studio: Studio
) -> None:
    write(content / "a.mp4", b"x")
    await backlog.work()
    unmount(content)
    content.mkdir()  # noqa: ASYNC240
    backlog._prune_at = 0.0
    await backlog.work()
    assert [each.path for each in studio.store.kept()] == ["a.mp4"]


async def test_but_not_when_the_disk_is_not_there(
    backlog: Backlog, content: Path, studio: Studio
) -> None:
    write(content / "a.mp4", b"x")
    await backlog.work()
    unmount(content)
    backlog._prune_at = 0.0
    await backlog.work()
    rows = studio.store._database.execute("SELECT path FROM hashes").fetchall()
    assert rows == [("a.mp4",)]
