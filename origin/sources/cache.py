"""Bytes of far files on a disk, up to so many: those used longest ago go first.

Each piece is a file with its bytes and a hash of them at the end. It is written under another name
and renamed, and read only if its length and, once in a process, its hash are right: a crash leaves
nothing that would be believed. Where the disk fails or is full, nothing is kept, and `problem` says
so. Methods block and may be called from any thread; several processes may share a directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import threading
import time
import weakref
from collections import OrderedDict
from pathlib import Path

import structlog

from origin.sources.directory import read_cached

SCAN = 30.0
"""Seconds between two looks at what other processes have kept, at the least."""

_SHARE = 0.01
"""The most of a processor's time that looking may take, however much is kept."""

OLD = 3600.0
"""Seconds after which what somebody was writing is taken for left behind."""

_KEY = re.compile(r"[0-9a-f]{64}")
_HASH = 16

log = structlog.get_logger("p2pcdn.origin")


class Piece:
    """A piece that is open, and stays what it is even if it has to go meanwhile."""

    def __init__(self, descriptor: int, length: int) -> None:
        self._descriptor = descriptor
        self._length = length
        weakref.finalize(self, os.close, descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end."""
        return os.pread(self._descriptor, self._within(offset, size), offset)

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        """The same without ever waiting, or None if that is not possible."""
        size = self._within(offset, size)
        return read_cached(self._descriptor, offset, size) if size else None

    def _within(self, offset: int, size: int) -> int:
        return max(0, min(size, self._length - offset))


class DiskCache:
    """Pieces by keys, which are 64 hexadecimal digits."""

    def __init__(self, directory: Path, most: int) -> None:
        """``most`` bytes are kept; with 0 none, and nothing is written."""
        self.problem: str | None = None
        """What is wrong with it, for an operator."""
        self._directory = directory
        self._most = most
        self._sizes: OrderedDict[str, int] = OrderedDict()
        self._total = 0
        self._good: set[str] = set()
        """Keys whose hash is known to be right."""
        self._lock = threading.Lock()
        self._scan_at = float("-inf")
        self._numbers = itertools.count()

    def find(self, key: str, length: int) -> Piece | None:
        """The piece of ``length`` bytes with this key, if it is there."""
        if not self._most:
            return None
        try:
            descriptor = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._fail(error)
            return None
        piece = Piece(descriptor, length)
        try:
            size = os.fstat(descriptor).st_size
            if size != length + _HASH or not self._is_good(key, descriptor, length):
                log.warning("cached_piece_damaged", key=key)
                self.drop(key)
                return None
            os.utime(descriptor)
        except OSError as error:
            self._fail(error)
            return None
        with self._lock:
            self._note(key, size)
        return piece

    def keep(self, key: str, data: bytes | bytearray) -> bool:
        """Keep a piece; whether that could be done."""
        size = len(data) + _HASH
        if size > self._most:
            return False
        temporary = self._directory / f".{os.getpid()}-{next(self._numbers)}"
        try:
            self._make_room(size)
            self._path(key).parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(data)
                file.write(_hash(data))
            temporary.replace(self._path(key))
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            self._fail(error)
            return False
        with self._lock:
            self._good.add(key)
            self._note(key, size)
        self.problem = None
        return True

    def drop(self, key: str) -> None:
        """Keep a piece no longer."""
        with self._lock:
            self._remove(key)

    @property
    def total(self) -> int:
        """Bytes that are kept, as far as is known."""
        return self._total

    def _is_good(self, key: str, descriptor: int, length: int) -> bool:
        if key in self._good:
            return True
        data = os.pread(descriptor, length + _HASH, 0)
        if _hash(memoryview(data)[:length]) != data[length:]:
            return False
        with self._lock:
            self._good.add(key)
        return True

    def _make_room(self, size: int) -> None:
        with self._lock:
            if time.monotonic() >= self._scan_at:
                self._scan()
            while self._sizes and self._total + size > self._most:
                self._remove(next(iter(self._sizes)))

    def _note(self, key: str, size: int) -> None:
        self._total += size - self._sizes.pop(key, 0)
        self._sizes[key] = size

    def _remove(self, key: str) -> None:
        self._total -= self._sizes.pop(key, 0)
        self._good.discard(key)
        with contextlib.suppress(FileNotFoundError):
            self._path(key).unlink()

    def _scan(self) -> None:
        """Learn what is there, by the time when it was last used."""
        start = time.monotonic()
        self._directory.mkdir(parents=True, exist_ok=True)
        found = []
        for folder in os.scandir(self._directory):
            if folder.name.startswith("."):
                self._sweep(folder)
            elif folder.is_dir():
                for entry in os.scandir(folder):
                    if _KEY.fullmatch(entry.name):
                        with contextlib.suppress(FileNotFoundError):
                            status = entry.stat()
                            found.append((status.st_mtime_ns, entry.name, status.st_size))
        self._sizes = OrderedDict((key, size) for _, key, size in sorted(found))
        self._total = sum(self._sizes.values())
        self._good.intersection_update(self._sizes)
        self._scan_at = start + max(SCAN, (time.monotonic() - start) / _SHARE)

    def _sweep(self, entry: os.DirEntry[str]) -> None:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > OLD:
                Path(entry).unlink()

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key

    def _fail(self, error: OSError) -> None:
        self.problem = f"Nothing can be kept in {self._directory}: {error.strerror}."
        log.warning("not_cached", directory=str(self._directory), error=str(error))


def _hash(data: bytes | bytearray | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH).digest()
