"""What is known of the files of another server, and for how long that may be believed.

Whoever opens a file gets what is `fresh`. Whoever looks at many at once, such as the library and
the watcher of live playlists, is told what is known, and asks again for what is `due`: a file
seldom, a playlist the more seldom the longer it has not changed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from origin.content_types import is_playlist
from origin.sources import Listing
from origin.sources.asking import NOTHING, Found
from origin.sources.known import KnownFiles
from origin.sources.tree import Tree
from origin.sources.versions import LEAST, MOST_GUESSED, SHARE, Version

MOST_KNOWN = 100_000
"""Files; of those that nobody has asked for longest, the server is asked again."""

SELDOM = 60.0
"""Seconds between two looks at a file, at the least, that nobody opens: a film has thousands."""

_MOST_ABSENT = 10_000

_WRITE = 600.0
"""Seconds between two notes on the disk that a file is still the same."""


class Known(NamedTuple):
    """What was found at a path."""

    found: Found
    since: float
    """When the server said so last, in seconds since 1970."""
    first: float
    """When this version was seen first."""
    fresh_until: float
    """On the monotonic clock."""
    due_at: float
    written: float
    """Which `since` is on the disk."""

    @property
    def version(self) -> Version | None:
        """None if there is no such file."""
        return self.found.version


class Memory:
    """The files by their paths. Any thread may use it."""

    def __init__(
        self,
        files: KnownFiles,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``files`` outlive a restart; their versions are then due at once."""
        self._files = files
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        never = float("-inf")
        self._known: OrderedDict[str, Known] = OrderedDict(
            (path, Known(Found(version), since, since, never, never, since))
            for path, (version, since) in files.all().items()
        )
        self._absent: OrderedDict[str, Known] = OrderedDict()
        self._tree = Tree(self._known)

    def get(self, path: str) -> Known | None:
        """What is known of a path."""
        return self._known.get(path) or self._absent.get(path)

    def version(self, path: str) -> Version | None:
        """The version of a file that is known to be there."""
        known = self._known.get(path)
        return None if known is None else known.version

    def is_fresh(self, path: str) -> bool:
        """Whether what is known may be used without asking."""
        known = self.get(path)
        return known is not None and self._clock() < known.fresh_until

    def is_due(self, path: str) -> bool:
        """Whether it is time to ask again, though nobody needs to know just now."""
        known = self.get(path)
        return known is None or self._clock() >= known.due_at

    def listing(self, folder: str) -> Listing | None:
        """What is known to be in a folder."""
        with self._lock:
            return self._tree.listing(folder)

    def folder_time(self, folder: str) -> int | None:
        """When that changed, in nanoseconds since 1970."""
        with self._lock:
            return self._tree.time(folder)

    def note(self, path: str, found: Found) -> Known:
        """This is what the server says now; a version that stays what it was is the same one."""
        with self._lock:
            before = self._known.get(path)
            known = self._judged(path, found, before)
            write = known.written != (before.written if before is not None else None)
            self._take(path, known)
        if write or known.version is None:
            self._files.keep(path, known.version, known.since)
        return known

    def doubt(self, path: str, version: Version) -> None:
        """A version that was known turned out to be gone."""
        with self._lock:
            known = self._known.get(path)
            if known is not None and known.version == version:
                never = float("-inf")
                self._take(path, Known(NOTHING, known.since, known.since, never, never, 0.0))

    def _judged(self, path: str, found: Found, before: Known | None) -> Known:
        version, said = found.version, found.said
        since = self._wall() - (0.0 if said is None else said.age)
        first, written = since, since
        old = None if before is None else before.version
        if before is not None and old is not None and version is not None and old.is_same(version):
            version, first = old, before.first
            if since <= before.written + _WRITE:
                written = before.written
        steady = max(LEAST, min(MOST_GUESSED, SHARE * (since - first)))
        told = LEAST if said is None else said.believed
        believed = steady if said is not None and said.guessed and steady > told else told
        fresh, due = believed, max(believed, SELDOM)
        if is_playlist(path):  # it may be a live one, whatever is said
            fresh, due = LEAST, steady
        now = self._clock()
        return Known(Found(version, said), since, first, now + fresh, now + due, written)

    def _take(self, path: str, known: Known) -> None:
        if known.version is None:
            if self._known.pop(path, None) is not None:
                self._tree.remove(path)
            self._absent[path] = known
            if len(self._absent) > _MOST_ABSENT:  # somebody tries names
                self._absent.popitem(last=False)
            return
        self._absent.pop(path, None)
        if path not in self._known:
            self._tree.add(path)
        self._known[path] = known
        self._known.move_to_end(path)
        if len(self._known) > MOST_KNOWN:
            self._tree.remove(self._known.popitem(last=False)[0])
