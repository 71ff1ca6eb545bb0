"""The directory of a store: one process's alone, of one version, within one bound.

A thread writes, so that a slow disk holds up no link. What cannot be written stays in memory: the
store goes on without the disk, says so once, and tries again every minute, or when there is room.

After a start nothing goes for want of room as long as contents are coming back and ask for what is
there of them: nobody knows yet which of it is wanted.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import structlog

from p2pcdn.errors import ConfigError, P2pcdnError, UnavailableError
from peer.native.disk.recent import Recent
from peer.native.disk.segment_file import SegmentFile
from peer.native.file_lock import seize

VERSION = 1
FORMAT = "p2pcdn store "
"""What the file ``format`` says before the version."""
RETRY = 60.0
"""Seconds until a disk that was full, or failed, is tried again."""

SETTLED = 120.0
"""Seconds in which nobody has asked for anything from before, after which the rest of it may go."""

_CONTENT = re.compile("[0-9a-f]{32}")
_ROOT = re.compile("[0-9a-f]{64}")
_OURS = re.compile(r"format|lock|given\.(json|new)|\d+-of-\d+|lost\+found")
"""What else may be there: files of the store, stores of several processes in it, and what a file
system has at its root."""

log = structlog.get_logger("p2pcdn.peer")


class StoreError(P2pcdnError):
    """A store cannot be used. Its text is one sentence."""


class Disk:
    """A store's directory, open until `close`."""

    def __init__(self, directory: Path, limit: int) -> None:
        """``limit`` is the most that all its files may take, in bytes."""
        self.directory = directory
        self.limit = limit
        self.recent = Recent()
        self.used = 0
        """Bytes of all segments, whether anybody has verified them or not."""
        self._lock: IO[str] = self._seize()
        self._retry_at = 0.0
        self._failing = False
        self._files: dict[Path, SegmentFile] = {}
        """What somebody reads and writes."""
        self._users: Counter[SegmentFile] = Counter()
        """By how many stores: two peers may hold the same content."""
        self._refused: deque[tuple[SegmentFile, int, bytes, Callable[[], None]]] = deque()
        """What there was no room for, or no disk."""
        self._released: dict[Path, int] = {}
        """What nobody uses any more, and how many bytes it is."""
        self._strangers: dict[Path, int] = {}
        """What is there from before, and nobody has asked for yet: what was used longest ago
        first."""
        self._asked_at = time.monotonic()
        """When somebody last asked for any of that."""
        self._mutex = threading.Lock()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            self._check_format()
            self._take_stock()
        except BaseException:
            self.close()
            raise

    @property
    def share(self) -> int:
        """What the media may take of it: the rest is for the files' own."""
        return self.limit - self.limit // 64

    @property
    def failing(self) -> bool:
        """Whether it takes nothing at the moment."""
        return self._failing

    def file(self, content: str, root: str) -> SegmentFile:
        """The file of a segment, whether there is one or not, for one user more: each says once
        that it is to be removed or released."""
        path = self.directory / content / root[:2] / root
        with self._mutex:
            if path not in self._files:
                self._files[path] = SegmentFile(path)
                self._released.pop(path, None)
                if self._strangers.pop(path, None) is not None:
                    self._asked_at = time.monotonic()
            file = self._files[path]
            self._users[file] += 1
            return file

    def has(self, content: str, root: str) -> bool:
        """Whether there is anything of a segment: from before, or from others who use it now."""
        path = self.directory / content / root[:2] / root
        with self._mutex:
            file = self._files.get(path)
            if file is None:
                return path in self._strangers or path in self._released
        return bool(file.chunks())

    def write(self, file: SegmentFile, chunk: int, data: bytes, done: Callable[[], None]) -> None:
        """Write a chunk, soon; ``done`` is called by another thread when that is so."""
        self._writer.submit(self._write, file, chunk, data, done)

    def remove(self, file: SegmentFile) -> None:
        """Delete a segment, soon; unless somebody else uses it."""
        with self._mutex:
            is_last = self._leave(file)
        if is_last:
            self._writer.submit(self._remove, file)

    def release(self, files: Iterable[SegmentFile]) -> None:
        """One user less has these segments, once what is to be written is: whoever needs room may
        have theirs if it was the last."""
        self._writer.submit(self._release, files)

    def flush(self) -> None:
        """Wait until all that was to be written is."""
        self._writer.submit(lambda: None).result()

    def close(self) -> None:
        """Write what is left, and let others have it."""
        self._writer.shutdown(wait=True)
        self._lock.close()

    def _leave(self, file: SegmentFile) -> bool:
        """One user less; whether it was the last."""
        self._users[file] -= 1
        if self._users[file] > 0:
            return False
        del self._users[file], self._files[file.path]
        return True

    # The thread that writes

    def _write(self, file: SegmentFile, chunk: int, data: bytes, done: Callable[[], None]) -> None:
        if not self._attempt(file, chunk, data, done):
            self._refused.append((file, chunk, data, done))
        elif self._refused:
            self._again()

    def _again(self) -> None:
        """Write what was refused before, as far as that is possible now."""
        while self._refused and self._attempt(*self._refused[0]):
            self._refused.popleft()

    def _attempt(
        self, file: SegmentFile, chunk: int, data: bytes, done: Callable[[], None]
    ) -> bool:
        """Write a chunk; whether that is done with."""
        now = time.monotonic()
        if self._failing and now < self._retry_at:
            return False
        try:
            if file.has(chunk):  # another store was faster
                done()
                return True
            if not self._make_room(len(data)):
                return False
            grown = file.append(chunk, data)
        except OSError as error:
            if not self._failing:
                log.warning(
                    "store_not_written",
                    directory=str(self.directory),
                    error=error.strerror or str(error),
                    meaning="the peer goes on from memory and tries again every minute",
                )
            self._failing, self._retry_at = True, now + RETRY
            return False
        if self._failing:
            log.info("store_written_again", directory=str(self.directory))
        self._failing = False
        self.used += grown
        done()
        return True

    def _make_room(self, size: int) -> bool:
        """Delete what nobody uses, if that is needed; whether there is room."""
        while self.used + size > self.limit:
            with self._mutex:
                unused = self._released or self._unwanted()
                path = next(iter(unused), None)
                if path is None:
                    return False
                self.used -= unused.pop(path)
                path.unlink(missing_ok=True)
        return True

    def _unwanted(self) -> dict[Path, int]:
        """What is there from before, once it can be told that nobody will ask for it."""
        settled = time.monotonic() >= self._asked_at + SETTLED
        return self._strangers if settled else {}

    def _remove(self, file: SegmentFile) -> None:
        self._refused = deque(one for one in self._refused if one[0] is not file)
        try:
            size = file.path.stat().st_size
            file.remove()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("store_not_deleted", file=str(file.path), error=str(error))
            return
        self.used -= size
        if self._refused and not (self._failing and time.monotonic() < self._retry_at):
            self._again()

    def _release(self, files: Iterable[SegmentFile]) -> None:
        with self._mutex:
            for file in files:
                if self._leave(file) and file.path.exists():
                    self._released[file.path] = file.path.stat().st_size

    # What is there

    def _seize(self) -> IO[str]:
        """Make it ours alone."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = (self.directory / "lock").open("a+")
        except OSError as error:
            raise UnavailableError(
                f"The store has to be a directory that can be written to; {self.directory} is not: "
                f"{error.strerror}."
            ) from error
        try:
            seize(lock, wait=False)
        except OSError as error:
            lock.close()
            raise StoreError(
                f"The store at {self.directory} is in use by another process; each needs one of its"
                " own."
            ) from error
        return lock

    def _check_format(self) -> None:
        path = self.directory / "format"
        try:
            found = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            found = ""
        except UnicodeDecodeError:
            found = "?"
        if found == f"{FORMAT}{VERSION}":
            return
        names = (entry.name for entry in os.scandir(self.directory))
        there = {name for name in names if not _OURS.fullmatch(name)}
        if any(not _CONTENT.fullmatch(name) for name in there):
            raise ConfigError(
                f"{self.directory} is no store of p2pcdn, and not empty either: a store needs a "
                "directory of its own."
            )
        version = found.removeprefix(FORMAT)
        if found.startswith(FORMAT) and version.isdecimal() and int(version) > VERSION:
            raise StoreError(
                f"The store at {self.directory} was written by a later p2pcdn (version {version} of"
                f" its format, this one knows {VERSION}): use that one, or another directory."
            )
        if there:
            log.warning(
                "store_discarded",
                directory=str(self.directory),
                meaning=f"it is of an older format ({found or 'none'}); its media come anew",
            )
            for name in there:
                shutil.rmtree(self.directory / name)
        path.write_text(f"{FORMAT}{VERSION}\n", encoding="ascii")

    def _take_stock(self) -> None:
        """See what is there from before; nobody believes any of it yet."""
        found: list[tuple[float, Path, int]] = []
        for content in self.directory.iterdir():
            if _CONTENT.fullmatch(content.name):
                for path in content.glob("??/*"):
                    if _ROOT.fullmatch(path.name):
                        status = path.stat()
                        found.append((status.st_mtime, path, status.st_size))
        for _, path, size in sorted(found):
            self._strangers[path] = size
            self.used += size
