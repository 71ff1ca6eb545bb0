"""How long what encoders put is kept, and how much of it.

::

    put --> named by a playlist --> left it --> `window` seconds later: deleted
                                       |
                                       +-- no room for more: the longest gone first, `GRACE` after

Nothing is written down. Who was named is found in the playlists, again and again; after a restart
what looks like a segment that a playlist names in its folder or below (the same but for the digits
of its name) counts as one that has just left it. All else in these folders is left alone, and so
are folders with a DASH manifest in them, which names segments by patterns: there an encoder's own
DELETE counts.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import structlog

from origin.content_types import is_hls, is_mpd, is_playlist
from origin.ingest import draft
from origin.ingest.playlists import MOST_BYTES, named_in
from origin.sources.archive import folders_above

GRACE = 15.0
"""Seconds for which a segment that has left its playlist is kept in any case: viewers have read it
there (RFC 8216, 6.2.2)."""

PLAYLISTS = 1 / 16
"""Share of the room that playlists below one folder of a token may take: they are never due, and
the room is everybody's."""

_BLOCK = 4096
"""What the smallest file takes of a disk."""

_DIGITS = re.compile(r"\d+")

log = structlog.get_logger("p2pcdn.origin")


class _File(NamedTuple):
    place: Path
    size: int
    mtime_ns: int

    @property
    def takes(self) -> int:
        """Bytes of the disk."""
        return max(self.size, _BLOCK)


class Window:
    """Deletes what is due. All methods block, and may be called from any thread."""

    def __init__(self, folders: Mapping[str, Path], window: float, most: int) -> None:
        self._folders = folders
        self._window = window
        self._most = most
        self._lock = threading.Lock()
        self._left: dict[str, float] = {}
        """Of files that are ours to delete, when they were last needed."""
        self._files: dict[str, _File] = {}
        self._named: dict[str, tuple[int, int, frozenset[str]]] = {}
        """By playlist: its size and time, and what it names."""
        self._within: dict[str, str] = {}
        """By playlist: the folder in which who put it may put things."""
        self._used = 0
        self._reserved = 0

    def put(self, path: str, place: Path, size: int, now: float, within: str | None = None) -> None:
        """A file was put, by somebody who may do so anywhere ``within`` a folder, everywhere if
        that is empty: a playlist keeps nothing but what is in there, or if nobody knows, in its own
        folder."""
        with self._lock:
            if within is not None and is_playlist(path):
                self._within[path] = within
            before = self._files.get(path)
            self._files[path] = _File(place, size, 0)
            self._used += self._files[path].takes - (before.takes if before else 0)
            if not is_playlist(path):
                self._left[path] = now

    def keeps(self, path: str) -> bool:
        """Whether it will be deleted in its time."""
        return path in self._left

    def reserve(self, size: int, now: float) -> bool:
        """Whether so much more may be put, and if so, keep the room for it until `release`; what is
        no longer needed makes room."""
        with self._lock:
            if not self._has_room(size):
                self._make_room(size, now)
            if not self._has_room(size):
                return False
            self._reserved += size
            return True

    def takes(self, path: str, size: int, within: str) -> bool:
        """Whether a playlist of so many bytes may be put, as far as that is up to the others
        ``within`` the folder of who puts it."""
        if not within:
            return True
        with self._lock:
            others = sum(
                file.takes
                for other, file in self._files.items()
                if is_playlist(other) and other != path and other.startswith(f"{within}/")
            )
        return others + max(size, _BLOCK) <= self._most * PLAYLISTS

    def release(self, size: int) -> None:
        """What was reserved has been put, or will not be."""
        with self._lock:
            self._reserved -= size

    def _has_room(self, size: int) -> bool:
        return self._used + self._reserved + size <= self._most

    def _make_room(self, size: int, now: float) -> None:
        kept = self._kept()
        for path in sorted(self._left, key=lambda one: self._left[one]):
            if path not in kept and now - self._left[path] > GRACE:
                self._delete(path)
                if self._has_room(size):
                    return

    def sweep(self, now: float) -> None:
        """Look at the folders, and delete what is due."""
        with self._lock:
            self._files = dict(self._look())
            self._used = sum(file.takes for file in self._files.values())
            self._read()
            kept, own = self._kept(), self._own()
            shapes = {_shape(path) for path in own}
            dash = {_folder_of(path) for path in self._files if is_mpd(path)}
            for path in self._files:
                if is_playlist(path) or not dash.isdisjoint(folders_above(path)):
                    self._left.pop(path, None)
                elif path in kept:
                    if path in own or path in self._left:
                        self._left[path] = now
                elif _shape(path) in shapes:
                    self._left.setdefault(path, now)
            for path in [one for one in self._left if one not in self._files]:
                del self._left[path]
            for path in [one for one, left in self._left.items() if now - left > self._window]:
                self._delete(path)

    def _read(self) -> None:
        self._named = {
            path: self._names_of(path, file) for path, file in self._files.items() if is_hls(path)
        }
        self._within = {p: folder for p, folder in self._within.items() if p in self._files}

    def _kept(self) -> frozenset[str]:
        """What playlists name, where they may: else who may put things in one folder could keep
        what is in the others until there is room for nothing."""
        return frozenset(
            name
            for path, (*_, names) in self._named.items()
            for name in _inside(self._within.get(path, _folder_of(path)), names)
        )

    def _own(self) -> frozenset[str]:
        """What of it is in their own folders. Of that alone others of its kind are taken for
        theirs: by naming the files of another encoder, or of nobody, one would have them
        deleted."""
        return frozenset(
            name
            for path, (*_, names) in self._named.items()
            for name in _inside(_folder_of(path), names)
        )

    def _names_of(self, path: str, file: _File) -> tuple[int, int, frozenset[str]]:
        known = self._named.get(path)
        if known is not None and known[:2] == (file.size, file.mtime_ns):
            return known
        names: set[str] = set()
        with contextlib.suppress(OSError), file.place.open("rb") as opened:
            names = named_in(path, opened.read(MOST_BYTES))
        return file.size, file.mtime_ns, frozenset(names)

    def _look(self) -> Iterator[tuple[str, _File]]:
        waiting = [(folder, place) for folder, place in self._folders.items()]
        while waiting:
            folder, place = waiting.pop()
            with contextlib.suppress(OSError), os.scandir(place) as entries:
                for entry in entries:
                    path, inner = f"{folder}/{entry.name}", Path(entry.path)
                    if entry.name.startswith("."):
                        if entry.name.endswith(draft.SUFFIX):
                            draft.sweep(inner)
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append((path, inner))
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        yield path, _File(inner, status.st_size, status.st_mtime_ns)

    def _delete(self, path: str) -> None:
        file = self._files.pop(path, None)
        del self._left[path]
        if file is None:
            return
        self._used -= file.takes
        try:
            file.place.unlink(missing_ok=True)
        except OSError as error:
            log.warning("segment_not_deleted", path=path, error=str(error))


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _inside(folder: str, names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not folder or name.startswith(f"{folder}/"))


def _shape(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{_DIGITS.sub('#', name)}"
