"""A zip archive as a source: what is in it is served without unpacking it.

::

    Zip ---> Version (the archive as it was opened) ---> Member: stored    pread in the archive
                entries, folders, sums, points                   deflated  Inflater, from a point

An archive that takes the place of another (`mv new.zip site.zip`) is read when somebody next asks.
Whatever is open then stays what it was: a version's descriptor is closed when nobody reads it any
more. If the new one is refused, the one before stays, and `problems` tells of it; but not if
somebody wrote into that very file, since its bytes are gone.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import structlog

from origin.sources import Identity, Listing, missing
from origin.sources.archive import BadArchiveError, Entry, read_entries
from origin.sources.directory import is_absent, read_cached
from origin.sources.folders import folders_of
from origin.sources.inflate import Inflater, Points, damaged
from p2pcdn.errors import SourceError, SourceReason, UnavailableError

log = structlog.get_logger("p2pcdn.origin")


class Stamp(NamedTuple):
    """What tells an archive from others at its place, and from what it was."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)


class Sum(NamedTuple):
    """The CRC of a stored member's first bytes."""

    position: int = 0
    crc: int = 0


class Version:
    """An archive as it was opened, and as it stays as long as this is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        weakref.finalize(self, os.close, self.descriptor)
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BadArchiveError("It is no file; name a zip archive.")
        self.stamp = Stamp.of(status)
        self.since = time.time_ns()
        self.entries = {entry.path: entry for entry in read_entries(self.descriptor)}
        if self.now() != self.stamp:
            raise BadArchiveError(
                "It is just being written; put it there by `mv` once it is whole."
            )
        self.folders = folders_of(self.entries)
        self.points = Points()
        self._sums: dict[str, Sum] = {}

    def now(self) -> Stamp:
        """The stamp that its file has by now: another if somebody wrote into it."""
        return Stamp.of(os.fstat(self.descriptor))

    def is_newest(self) -> bool:
        """Whether it is what is at its place, as it was when it was opened."""
        try:
            return Stamp.of(self.path.stat()) == self.stamp
        except OSError:
            return False

    def identity(self, entry: Entry) -> Identity:
        """That of a member: of these bytes, in this archive."""
        return _identity(entry, self.stamp)

    def add_up(self, entry: Entry, offset: int, data: bytes) -> None:
        """Take note of bytes of a stored member; `SourceError` if they complete it and its CRC is
        another. Only those count that follow on what was read already, by anybody."""
        known = self._sums.get(entry.path, Sum())
        if not offset <= known.position < offset + len(data):
            return
        crc = zlib.crc32(memoryview(data)[known.position - offset :], known.crc)
        position = offset + len(data)
        if position == entry.size and crc != entry.crc:
            self._sums.pop(entry.path, None)
            raise damaged(entry, f"its CRC is {crc:08x}, not {entry.crc:08x}")
        self._sums[entry.path] = Sum(position, crc)


class Member:
    """A file in an archive, open for reading."""

    def __init__(self, version: Version, entry: Entry) -> None:
        self._version: Version | None = version
        self._entry = entry
        self.identity = version.identity(entry)
        self._inflater = Inflater(entry, self._pread, version.points) if entry.deflated else None

    def read(self, offset: int, size: int) -> bytes:
        """As `File.read`; `SourceError` (integrity) if the bytes are not what the archive says,
        which shows at the end of what is read from the beginning."""
        if self._inflater is not None:
            return self._inflater.read(offset, size)
        size = self._within(offset, size)
        data = self._pread(self._entry.begin + offset, size) if size else b""
        self._opened.add_up(self._entry, offset, data)
        return data

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        size = self._within(offset, size)
        if self._inflater is not None or not size:
            return None
        return read_cached(self._opened.descriptor, self._entry.begin + offset, size)

    def current(self) -> Identity:
        return _identity(self._entry, self._opened.now())

    @property
    def descriptor(self) -> int:
        return self._opened.descriptor

    @property
    def begin(self) -> int:
        return self._entry.begin

    def is_newest(self) -> bool:
        return self._opened.is_newest()

    def keep(self) -> Member | None:
        return None if self._entry.deflated else Member(self._opened, self._entry)

    def close(self) -> None:
        self._version = None

    @property
    def _opened(self) -> Version:
        if self._version is None:
            raise ValueError("I/O operation on closed file.")
        return self._version

    def _pread(self, offset: int, size: int) -> bytes:
        return os.pread(self._opened.descriptor, size, offset)

    def _within(self, offset: int, size: int) -> int:
        return max(0, min(size, self._entry.size - offset))


class Zip:
    """The files of an archive."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._refused: tuple[Stamp, str] | None = None
        """What is at the archive's place, if it cannot be served."""
        try:
            self._version = Version(path)
        except BadArchiveError as error:
            raise UnavailableError(f"The archive {path} is refused. {error}") from error
        except OSError as error:
            raise UnavailableError(
                f"The archive {path} cannot be read: {error.strerror}."
            ) from error

    def open(self, path: str) -> Member:
        version = self._newest()
        entry = version.entries.get(path)
        if entry is None:
            raise missing(path)
        return Member(version, entry)

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        try:
            version = self._newest()
        except SourceError:
            return {}
        found = ((path, version.entries.get(path)) for path in paths)
        return {path: version.identity(entry) for path, entry in found if entry is not None}

    def list(self, folder: str) -> Listing:
        listing = self._newest().folders.get(folder)
        if listing is None:
            raise missing(folder)
        return listing

    def folder_time(self, folder: str) -> int:
        """When this version of the archive was opened. Not its own time, which archives may have in
        common: some are made to be the same at each making."""
        version = self._newest()
        if folder not in version.folders:
            raise missing(folder)
        return version.since

    def is_far(self, path: str) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to stop."""

    def problems(self) -> tuple[str, ...]:
        try:
            self._path.stat()
        except OSError:
            return (f"The archive of the media, {self._path}, is gone.",)
        if self._refused is None:
            return ()
        _, why = self._refused
        return (f"The archive {self._path} that is there now is refused. {why}",)

    def _newest(self) -> Version:
        """The archive that is there now, or the one before if that is refused."""
        with self._lock:
            try:
                self._look()
            except OSError as error:
                if is_absent(error):
                    raise missing(self._path.name) from None
                raise
            if self._refused is not None and self._version.now() != self._version.stamp:
                _, why = self._refused
                raise SourceError(SourceReason.INTEGRITY, f"The archive was written into. {why}")
            return self._version

    def _look(self) -> None:
        stamp = Stamp.of(self._path.stat())
        if stamp == self._version.stamp:
            self._refused = None
            return
        if self._refused is not None and self._refused[0] == stamp:
            return
        try:
            self._version = Version(self._path)
            self._refused = None
        except BadArchiveError as error:
            log.warning("archive_refused", path=str(self._path), reason=str(error))
            self._refused = stamp, str(error)


def _identity(entry: Entry, stamp: Stamp) -> Identity:
    told = struct.pack("<QQLQ", stamp.inode, stamp.size, entry.crc, entry.begin)
    number = int.from_bytes(hashlib.sha256(told).digest()[:8])
    return Identity(entry.size, stamp.mtime_ns, number)
