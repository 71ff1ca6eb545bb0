"""Folders, of files that come and go one by one."""

from __future__ import annotations

import time
from collections.abc import Iterable

from origin.sources import Listing
from origin.sources.archive import folders_above


class _Folder:
    def __init__(self) -> None:
        self.folders: dict[str, int] = {}
        """How many files are below each."""
        self.files: set[str] = set()
        self.changed = 0
        self.listing: Listing | None = None

    def touch(self) -> None:
        # Two changes within the clock's grain are two changes.
        self.changed = max(time.time_ns(), self.changed + 1)
        self.listing = None


class Tree:
    """The folders that the paths of files have; those without files are not there, but the top."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._folders = {"": _Folder()}
        self._folders[""].touch()
        for path in paths:
            self.add(path)

    def add(self, path: str) -> None:
        """There is a file more."""
        above, _, name = path.rpartition("/")
        self._folder(above).files.add(name)
        self._folder(above).touch()
        for below in folders_above(path):
            folder, _, name = below.rpartition("/")
            inner = self._folder(folder).folders
            inner[name] = inner.get(name, 0) + 1
            if inner[name] == 1:
                self._folder(folder).touch()

    def remove(self, path: str) -> None:
        """There is a file less."""
        above, _, name = path.rpartition("/")
        self._folders[above].files.discard(name)
        self._folders[above].touch()
        for below in folders_above(path):
            folder, _, name = below.rpartition("/")
            inner = self._folders[folder].folders
            inner[name] -= 1
            if not inner[name]:
                del inner[name]
                self._folders[folder].touch()
                del self._folders[below]

    def listing(self, folder: str) -> Listing | None:
        """What is in a folder, but for what is hidden; None if there is no such folder. Where a
        file has the name of a folder, the folder counts."""
        found = self._folders.get(folder)
        if found is None:
            return None
        if found.listing is None:
            names = (found.folders.keys(), found.files - found.folders.keys())
            shown = (tuple(sorted(n for n in some if not n.startswith("."))) for some in names)
            found.listing = Listing(*shown)
        return found.listing

    def time(self, folder: str) -> int | None:
        """When an entry of the folder last came or went, in nanoseconds since 1970."""
        found = self._folders.get(folder)
        return None if found is None else found.changed

    def _folder(self, path: str) -> _Folder:
        return self._folders.setdefault(path, _Folder())
