"""What is known of media elsewhere, as a source."""

from __future__ import annotations

import pytest

from origin.catalog.edition import Stretch
from origin.elsewhere import shelf as module
from origin.elsewhere.shelf import Shelf
from origin.sources import Identity, Listing
from p2pcdn.errors import SourceError

FILM = "https://cdn.example/films/a.m3u8"
FILE = "https://cdn.example/films/a.ts"
ONE = Stretch(FILE, Identity(100, 0, 7), 0, 100)


def test_a_playlist_is_there_as_it_was_put() -> None:
    shelf = Shelf()
    shelf.put(FILM, b"#EXTM3U")
    file = shelf.open(FILM)
    assert file.read(0, 100) == b"#EXTM3U"
    cached = file.read_cached(1, 3)
    assert cached is not None
    assert bytes(cached) == b"EXT"
    assert not shelf.is_far(FILM)
    assert shelf.identify_all([FILM, FILE]) == {FILM: file.identity} == {FILM: file.current()}
    assert shelf.list("") == Listing((), (FILM,))
    before = shelf.folder_time("")
    shelf.put(FILM, b"#EXTM3U\n")
    assert shelf.identify_all([FILM])[FILM] != file.identity
    assert shelf.folder_time("") == before
    shelf.put(f"{FILM};q=1", b"#EXTM3U")
    assert shelf.folder_time("") > before
    assert shelf.identify_all([f"{FILM};q=1"])[f"{FILM};q=1"] == file.identity


def test_a_file_is_there_once_it_is_hashed() -> None:
    shelf = Shelf()
    assert shelf.identify_all([FILE]) == {}
    assert shelf.since(FILE, 0, None) is None
    shelf.hashed(ONE, 5.0)
    assert shelf.identify_all([FILE]) == {FILE: ONE.identity}
    assert shelf.since(FILE, 0, None) == shelf.since(FILE, 0, 100) == 5.0
    assert shelf.since(FILE, 0, 50) is None
    assert shelf.knows(ONE)
    assert not shelf.knows(ONE._replace(length=50))
    shelf.forget([FILE])
    assert shelf.since(FILE, 0, None) is None


def test_a_part_of_a_new_version_says_nothing_of_the_others() -> None:
    shelf = Shelf()
    first, second = (ONE._replace(offset=at, length=50) for at in (0, 50))
    shelf.hashed(first, 1.0)
    shelf.hashed(second, 1.0)
    shelf.hashed(second._replace(identity=Identity(100, 0, 8)), 2.0)
    assert shelf.since(FILE, 0, 50) is None
    assert shelf.since(FILE, 50, 50) == 2.0


def test_what_has_to_be_hashed_once_more_is_not_known_any_longer() -> None:
    shelf = Shelf()
    shelf.hashed(ONE, 1.0)
    with pytest.raises(SourceError, match="missing"):
        shelf.open(FILE)
    assert shelf.identify_all([FILE]) == {}


def test_there_are_no_folders() -> None:
    for look in (Shelf().list, Shelf().folder_time):
        with pytest.raises(SourceError, match="missing"):
            look("https:")
    assert Shelf().problems() == ()


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PLAYLISTS", 2)
    monkeypatch.setattr(module, "MOST_STRETCHES", 2)
    shelf = Shelf()
    for number in range(4):
        shelf.put(f"{number}.m3u8", b"x")
        shelf.hashed(ONE._replace(path=f"{number}.ts"), 1.0)
    assert shelf.list("").files == ("2.m3u8", "3.m3u8")
    assert [*shelf.identify_all([f"{n}.ts" for n in range(4)])] == ["2.ts", "3.ts"]


def test_nothing_goes_on_here() -> None:
    Shelf().close()
