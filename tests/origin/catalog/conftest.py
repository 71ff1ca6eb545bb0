"""What editions are made with, for tests that make some."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import Hasher
from origin.catalog.library import Library
from origin.catalog.rendition import Studio
from origin.sources.directory import Directory, DirectoryFile

SITE = "pk_test"


class GatedDirectory(Directory):
    """Files with certain endings can be held back, and it is known what was opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[str] = []
        self.held: tuple[str, ...] = ()
        self._released = threading.Event()

    def hold(self, *endings: str) -> None:
        """Whoever opens such a file has to wait."""
        self.held = endings
        self._released.clear()

    def release(self) -> None:
        self.held = ()
        self._released.set()

    def open(self, path: str) -> DirectoryFile:
        self.opened.append(path)
        if path.endswith(self.held or ("\0",)):
            assert self._released.wait(10)
        return super().open(path)


@pytest.fixture
def source(content: Path) -> Iterator[GatedDirectory]:
    directory = GatedDirectory(content)
    yield directory
    directory.release()


@pytest.fixture
async def studio(source: GatedDirectory, tmp_path: Path) -> AsyncIterator[Studio]:
    store = HashStore(tmp_path / "data")
    hasher = Hasher(source, store)
    yield Studio(source, Library(source), hasher, store, SITE, window=8)
    source.release()
    hasher.close()
    store.close()
