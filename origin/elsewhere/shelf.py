"""A source of what is known of media elsewhere: playlists in whole, of files what they hash to.

It never waits for a network: the fetcher puts things here. So whatever is not here yet is not in
a manifest yet, and is asked for once more.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable

from origin.catalog.edition import Stretch
from origin.content_types import is_playlist
from origin.sources import Identity, Listing, missing

MOST_PLAYLISTS = 4096
"""A rendition each; those put here longest ago go first."""

MOST_STRETCHES = 400_000
"""Segments, at about 500 bytes each; the same."""


class _Playlist:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        digest = int.from_bytes(hashlib.sha256(data).digest()[:8])
        self.identity = Identity(len(data), 0, digest)
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        return memoryview(self.read(offset, size))

    def current(self) -> Identity:
        return self.identity

    def close(self) -> None:
        pass


class Shelf:
    """What has been fetched (a `Source`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._playlists: OrderedDict[str, _Playlist] = OrderedDict()
        self._files: dict[str, Identity] = {}
        self._hashed: OrderedDict[Stretch, float] = OrderedDict()
        """Parts of files of which the hashes are known, and since when."""
        self._changed = time.time_ns()

    # For the fetcher

    def put(self, name: str, data: bytes) -> None:
        """This is a playlist now."""
        with self._lock:
            if name not in self._playlists:
                self._changed = time.time_ns()
            self._playlists[name] = _Playlist(data)
            self._playlists.move_to_end(name)
            while len(self._playlists) > MOST_PLAYLISTS:
                self._playlists.popitem(last=False)
                self._changed = time.time_ns()

    def hashed(self, stretch: Stretch, now: float) -> None:
        """The hashes of this part of a file are known."""
        with self._lock:
            self._files[stretch.path] = stretch.identity
            self._hashed[stretch] = now
            self._hashed.move_to_end(stretch)
            while len(self._hashed) > MOST_STRETCHES:
                oldest, _ = self._hashed.popitem(last=False)
                self._files.pop(oldest.path, None)

    def forget(self, names: Iterable[str]) -> None:
        """These files may be others by now."""
        with self._lock:
            for name in names:
                self._files.pop(name, None)

    def since(self, path: str, offset: int, length: int | None) -> float | None:
        """Since when the hashes of a part of a file are known; ``None`` as its length is all the
        rest."""
        identity = self._files.get(path)
        if identity is None:
            return None
        length = identity.size - offset if length is None else length
        return self._hashed.get(Stretch(path, identity, offset, length))

    def knows(self, stretch: Stretch) -> bool:
        """Whether the hashes of this part of a file are known."""
        return stretch in self._hashed

    # As a source

    def open(self, path: str) -> _Playlist:
        with self._lock:
            playlist = self._playlists.get(path)
            if playlist is None:
                # Somebody wants to hash it: what was known of it has been lost.
                self._files.pop(path, None)
                raise missing(path)
        return playlist

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        found = {}
        with self._lock:
            for path in paths:
                playlist = self._playlists.get(path)
                identity = self._files.get(path) if playlist is None else playlist.identity
                if identity is not None:
                    found[path] = identity
        return found

    def list(self, folder: str) -> Listing:
        if folder:
            raise missing(folder)
        with self._lock:
            return Listing((), tuple(filter(is_playlist, self._playlists)))

    def folder_time(self, folder: str) -> int:
        if folder:
            raise missing(folder)
        return self._changed

    def problems(self) -> tuple[str, ...]:
        return ()

    def is_far(self, path: str) -> bool:
        """Its bytes were fetched already."""
        return False

    def close(self) -> None:
        """Nothing goes on here."""
