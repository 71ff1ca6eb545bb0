"""A directory of the local file system as a source.

Symbolic links are followed, but never out of the directory: what a link outside points to is
missing, like everything else that is not a regular file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from origin.sources import Identity, Listing, missing
from p2pcdn.errors import SourceError, UnavailableError

_ABSENT = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ENXIO,  # a socket, or a pipe without a writer
    }
)
"""Errors that mean that there is nothing to serve. All others (no descriptors left, a failing
disk) are troubles of ours and must not look like a missing file."""

_OPEN_FLAGS = (
    os.O_RDONLY
    | os.O_CLOEXEC
    | os.O_NOFOLLOW  # the path is resolved already: a link here came in between
    | os.O_NONBLOCK  # opening a named pipe would wait for its writer
)


class DirectoryFile:
    """A regular file, open for reading."""

    begin = 0

    def __init__(self, descriptor: int, status: os.stat_result, place: str) -> None:
        self._descriptor = descriptor
        self._status = status
        self._place = place
        self.identity = _identity(status)

    @property
    def descriptor(self) -> int:
        return self._descriptor

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        return read_cached(self._descriptor, offset, size)

    def current(self) -> Identity:
        return _identity(os.fstat(self._descriptor))

    def is_newest(self) -> bool:
        known = self._status
        try:
            found = os.stat(self._place)  # noqa: PTH116 - with each request: a Path costs twice that
        except OSError:
            return False
        return (
            found.st_ino == known.st_ino
            and found.st_ctime_ns == known.st_ctime_ns  # who may read it may have changed
            and found.st_mtime_ns == known.st_mtime_ns
            and found.st_size == known.st_size
            and found.st_dev == known.st_dev
        )

    def keep(self) -> DirectoryFile:
        return DirectoryFile(os.dup(self._descriptor), self._status, self._place)

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Directory:
    """The files under a directory."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        if not root.is_dir():
            raise UnavailableError(f"content has to be a directory; there is none at {root}.")

    def open(self, path: str) -> DirectoryFile:
        descriptor = -1
        try:
            descriptor = os.open(self._resolve(path), _OPEN_FLAGS)
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise missing(path)
            return DirectoryFile(descriptor, status, f"{self._root}/{path}")
        except BaseException as error:
            if descriptor >= 0:
                os.close(descriptor)
            if is_absent(error):
                raise missing(path) from None
            raise

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        folders: dict[str, str | None] = {}
        found = {}
        for path in paths:
            folder, _, name = path.rpartition("/")
            if folder not in folders:  # once for all the segments of a rendition
                folders[folder] = self._resolve_or_none(folder)
            status = self._status_in(folders[folder], name, path)
            if status is not None and stat.S_ISREG(status.st_mode):
                found[path] = _identity(status)
        return found

    def list(self, folder: str) -> Listing:
        folders, files = [], []
        try:
            with os.scandir(self._resolve(folder)) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
        except OSError as error:
            if is_absent(error):
                raise missing(folder) from None
            raise
        return Listing(tuple(sorted(folders)), tuple(sorted(files)))

    def folder_time(self, folder: str) -> int:
        try:
            return os.lstat(self._resolve(folder)).st_mtime_ns
        except OSError as error:
            if is_absent(error):
                raise missing(folder) from None
            raise

    def is_far(self, path: str) -> bool:
        return False

    def close(self) -> None:
        """There is nothing to stop."""

    def problems(self) -> tuple[str, ...]:
        try:
            self.folder_time("")
        except (SourceError, OSError):
            return (f"The directory of the media, {self._root}, is gone.",)
        return ()

    def _status_in(self, folder: str | None, name: str, path: str) -> os.stat_result | None:
        """The status of the file ``name`` in a resolved folder, or of what it links to."""
        if folder is None:
            return None
        try:
            status = os.lstat(f"{folder}/{name}")
            if not stat.S_ISLNK(status.st_mode):
                return status
            target = self._resolve_or_none(path)
            return os.lstat(target) if target is not None else None
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or is_absent(error):
                return None
            raise

    def _resolve_or_none(self, path: str) -> str | None:
        try:
            return self._resolve(path)
        except SourceError:
            return None

    def _resolve(self, path: str) -> str:
        """The file's real place, which lies under the root."""
        try:
            real = os.path.realpath(f"{self._root}/{path}")
        except ValueError:  # a NUL
            raise missing(path) from None
        if real != self._root and not real.startswith(self._root.rstrip("/") + "/"):
            raise missing(path)
        return real


_HAS_NOWAIT = hasattr(os, "preadv") and hasattr(os, "RWF_NOWAIT")

_PROBE = bytearray(1)
"""What is read into to see whether that takes any time; nobody looks at it."""


def _identity(status: os.stat_result) -> Identity:
    return Identity(status.st_size, status.st_mtime_ns, status.st_ino)


def read_cached(descriptor: int, offset: int, size: int) -> memoryview | None:
    """What a descriptor can give at once, as `File.read_cached`."""
    if not _HAS_NOWAIT:
        return None
    buffer = bytearray(size)
    try:
        count = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
    except OSError as error:
        # EAGAIN: not in the page cache. EOPNOTSUPP: the file system cannot tell.
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
            return None
        raise
    return memoryview(buffer)[:count] if count else None


def is_cached(descriptor: int, offset: int) -> bool:
    """Whether the byte there could be had without waiting; False where nobody can tell."""
    if not _HAS_NOWAIT:
        return False
    try:
        return os.preadv(descriptor, [_PROBE], offset, os.RWF_NOWAIT) == 1
    except OSError:
        return False


def is_absent(error: BaseException) -> bool:
    """Whether an error means that there is nothing to serve."""
    return isinstance(error, OSError) and error.errno in _ABSENT
