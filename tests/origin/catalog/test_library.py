"""Who names whom, and noticing when that changes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from origin.catalog.library import Library
from origin.sources import Identity, Listing
from origin.sources.directory import Directory
from tests.origin.media_files import (
    identity_of,
    media_playlist,
    multivariant_playlist,
    write,
    write_vod,
)


class CountingDirectory(Directory):
    """Remembers which folders were listed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.listed: list[str] = []

    def list(self, folder: str) -> Listing:
        self.listed.append(folder)
        return super().list(folder)


@pytest.fixture
def source(content: Path) -> CountingDirectory:
    return CountingDirectory(content)


def test_a_presentation_and_its_renditions(source: Directory, content: Path) -> None:
    write_vod(content / "demo", "480p", 1)
    write_vod(content / "demo", "720p", 1)
    write(content / "demo" / "all.m3u8", multivariant_playlist(["480p.m3u8", "720p.m3u8"]))
    write(content / "movie.mp4", b"x")
    view = Library(source).look()
    assert view.playlists == {
        path: identity_of(content / path)
        for path in ("demo/480p.m3u8", "demo/720p.m3u8", "demo/all.m3u8")
    }
    assert set(view.presentations) == {"demo/all.m3u8"}
    assert view.owners == {"demo/480p.m3u8": "demo/all.m3u8", "demo/720p.m3u8": "demo/all.m3u8"}
    assert view.files == ("demo/480p_0.ts", "demo/720p_0.ts", "movie.mp4")


def test_of_several_presentations_the_first_by_path_owns(source: Directory, content: Path) -> None:
    write(content / "z" / "a.m3u8", media_playlist([]))
    write(content / "b.m3u8", multivariant_playlist(["z/a.m3u8"]))
    write(content / "a.m3u8", multivariant_playlist(["z/a.m3u8"]))
    write(content / "z" / "0.m3u8", multivariant_playlist(["a.m3u8"]))
    assert Library(source).look().owners == {"z/a.m3u8": "a.m3u8"}


def test_what_comes_changes_and_goes(source: Directory, content: Path) -> None:
    library = Library(source)
    assert library.look().playlists == {}
    write(content / "new" / "all.m3u8", multivariant_playlist(["a.m3u8"]))
    assert library.look().owners == {"new/a.m3u8": "new/all.m3u8"}
    write(content / "new" / "all.m3u8", multivariant_playlist(["b.m3u8"]))
    assert library.look().owners == {"new/b.m3u8": "new/all.m3u8"}
    write(content / "new" / "all.m3u8", media_playlist([]))
    assert library.look().owners == {}
    (content / "new" / "all.m3u8").unlink()
    assert library.look().playlists == {}
    (content / "new").rmdir()
    assert library.look().playlists == {}


def test_what_did_not_change_is_not_listed_again(source: CountingDirectory, content: Path) -> None:
    for name in ("old", "young"):
        write(content / name / "a.m3u8", media_playlist([]))
    for name in ("old", "."):
        os.utime(content / name, (1, 1))
    library = Library(source)
    library.look()
    source.listed.clear()
    library.look()
    assert source.listed == ["young"]  # may have changed again at the same tick of the clock


def test_damaged_playlists_are_no_presentations(source: Directory, content: Path) -> None:
    write(content / "a.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:\nb.m3u8\n")
    write(content / "b.m3u8", b"\xff\xfe")
    (content / "c.m3u8").symlink_to("/etc/passwd")
    view = Library(source).look()
    assert view.presentations == {}
    assert set(view.playlists) == {"a.m3u8", "b.m3u8"}


async def test_a_playlist_that_is_known_to_exist_is_found(content: Path) -> None:
    library = Library(Directory(content))
    assert (await library.view()).playlists == {}
    write(content / "demo" / "480p.m3u8", media_playlist([]))
    write(content / "demo" / "all.m3u8", multivariant_playlist(["480p.m3u8"]))
    assert (await library.view()).playlists == {}  # a moment ago is good enough
    view = await library.view("demo/480p.m3u8")
    assert view.owners == {"demo/480p.m3u8": "demo/all.m3u8"}


async def test_folders_behind_links_are_found_once_asked_for(content: Path) -> None:
    write(content / "shelf" / "show" / "480p.m3u8", media_playlist([]))
    write(content / "shelf" / "all.m3u8", multivariant_playlist(["show/480p.m3u8"]))
    (content / "alias").symlink_to("shelf")
    library = Library(Directory(content))
    assert "alias/all.m3u8" not in (await library.view()).playlists
    view = await library.view("alias/show/480p.m3u8")
    assert view.owners["alias/show/480p.m3u8"] == "alias/all.m3u8"
    assert view.owners["shelf/show/480p.m3u8"] == "shelf/all.m3u8"


async def test_nobody_waits_for_a_long_look(
    source: CountingDirectory, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_vod(content, "a", 1)
    library = Library(source)
    before = await library.view()
    library._took, library._stale_at = 1.0, 0.0
    go_on = threading.Event()

    def identify_all(paths: Iterable[str]) -> dict[str, Identity]:
        assert go_on.wait(10)
        return Directory.identify_all(source, paths)

    monkeypatch.setattr(source, "identify_all", identify_all)
    write_vod(content, "b", 1)
    assert await library.view("a.m3u8") is before
    asking = asyncio.create_task(library.view("b.m3u8"))
    go_on.set()
    assert "b.m3u8" in (await asking).playlists


def test_what_has_not_changed_is_not_made_anew(source: Directory, content: Path) -> None:
    write(content / "demo" / "movie.mp4", b"x")
    os.utime(content, (1, 1))
    os.utime(content / "demo", (1, 1))
    library = Library(source)
    files = library.look().files
    assert library.look().files is files
    write(content / "demo" / "other.mp4", b"x")
    assert library.look().files == ("demo/movie.mp4", "demo/other.mp4")
