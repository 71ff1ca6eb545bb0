"""The library that is measured is one, and what is counted is what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.origin.library import IN_A_FOLDER, SIZE, Library, slices_hashed
from origin.catalog import library as catalog_library
from origin.catalog.edition import Stretch
from origin.catalog.hash_store import HashStore
from origin.sources.directory import Directory


@pytest.mark.parametrize(("films", "playlists", "others"), [(1, 1, 99), (100, 0, 100)])
def test_what_there_is(tmp_path: Path, films: int, playlists: int, others: int) -> None:
    library = Library(folders=2, films=films)
    library.make(tmp_path)
    view = catalog_library.Library(Directory(tmp_path)).look()
    assert len(view.playlists) == 2 * playlists
    assert len(view.files) == 2 * others == 2 * len(library.media)
    assert len(view.files) + len(view.playlists) == 2 * IN_A_FOLDER
    assert (tmp_path / "0001" / library.content).exists()


def test_what_is_hashed_is_counted(tmp_path: Path) -> None:
    store = HashStore(tmp_path / "data")
    Library(folders=1, films=100).make(tmp_path / "content")
    found = Directory(tmp_path / "content").identify_all(["0000/0.mp4", "0000/1.mp4"])
    for path, identity in found.items():
        store.keep(Stretch(path, identity, 0, SIZE), b"x" * 32)
    assert slices_hashed(tmp_path) == 2
    store.close()
