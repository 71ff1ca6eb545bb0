"""A file on its way in: written aside, hashed as it comes, and in its place when it is whole.

::

    open --> write, write, ... --+--> commit   the file is there, all at once, and so are its hashes
                                 +--> discard  it never was

Aside is a name that begins with a dot, which nobody is served, in the same folder, so that it can
be renamed. It is locked: whoever else would write to it, in this process or another one, is told
so; and a lock that goes with its process never keeps out an encoder that comes back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from origin.catalog.hashing import Digests
from origin.sources import Identity
from p2pcdn.errors import P2pcdnError

if sys.platform != "win32":
    import fcntl

SUFFIX = ".part"

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class TakenError(P2pcdnError):
    """Somebody else is writing the same file."""


class Draft:
    """A file that is not there yet. All methods block."""

    def __init__(self, path: Path) -> None:
        """`TakenError` if somebody else has one of the same file."""
        self._path = path
        self._aside = _aside(path)
        self._file: BinaryIO = _claim(self._aside)
        self._digests = Digests()
        self._lock = threading.Lock()
        """Whoever gives it up may be told to while a thread still writes."""

    def write(self, block: bytes) -> None:
        """More of it."""
        with self._lock:
            self._file.write(block)
            self._digests.update(block)

    def commit(self) -> tuple[Identity, bytes]:
        """Put it in its place; what it is, and the hashes of its chunks, 32 bytes each."""
        with self._lock:
            self._file.flush()
            status = os.fstat(self._file.fileno())
            self._aside.replace(self._path)
            self._file.close()
        identity = Identity(status.st_size, status.st_mtime_ns, status.st_ino)
        return identity, self._digests.hashes()

    def discard(self) -> None:
        """Leave nothing behind; nothing is done to one that is in its place."""
        with self._lock:
            if self._file.closed:
                return
            with contextlib.suppress(OSError):
                self._aside.unlink()  # first: while it is locked, nobody else has it
            with contextlib.suppress(OSError):
                self._file.close()  # writes what waits, for which there may be no room


def is_under_way(path: Path) -> bool:
    """Whether somebody is writing the file, in whichever process (this blocks)."""
    return _aside(path).exists()


def sweep(aside: Path) -> None:
    """Remove a file that lies aside, unless somebody is writing it."""
    with contextlib.suppress(TakenError, OSError):
        file = _claim(aside)
        aside.unlink()
        file.close()


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}{SUFFIX}")


def _claim(aside: Path) -> BinaryIO:
    while True:
        file = os.fdopen(os.open(aside, _FLAGS, 0o666), "r+b")
        try:
            if not _lock(file):
                raise TakenError(aside.name)
            if _is_at(aside, file):
                file.truncate()
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # it was put in its place, or given up, before we had it


def _lock(file: BinaryIO) -> bool:
    if sys.platform == "win32":
        return True  # one process has the port to itself, and knows what is under way
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A file system without locks: within this process we know what is under way.
    return True


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False
