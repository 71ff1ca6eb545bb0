"""Mounts that `p2pcdn add` has made: a file of the data directory, which a running origin follows.

The operator's own configuration is left alone. The file is TOML as that is, written at once and
whole, and may be edited by hand::

    [[mount]]
    path = "shows"
    content = "/srv/shows.zip"
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import structlog

from origin.sources import File, Identity, Listing, Source
from p2pcdn.config import MountConfig, content_at
from p2pcdn.errors import ConfigError, P2pcdnError, UnavailableError
from p2pcdn.settings import toml_value

FILE = "mounts.toml"

LOOK = 1.0
"""Seconds between two looks at the file."""

_HEAD = "# Mounts that `p2pcdn add` has made; `p2pcdn remove` takes them out. Read while serving.\n"

log = structlog.get_logger("p2pcdn.origin")


def read(data: Path) -> tuple[MountConfig, ...]:
    """The mounts of a data directory; `ConfigError` if the file says something else."""
    path = data / FILE
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        mounts = [(str(each["path"]), str(each["content"])) for each in tables.get("mount", [])]
    except FileNotFoundError:
        return ()
    except NotADirectoryError:
        raise ConfigError(f"data has to be a directory; {data} is none.") from None
    except OSError as error:
        raise UnavailableError(f"The file {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"The file {path} has to be TOML with tables [[mount]], each with path and content, as "
            f"`p2pcdn add` writes it: {error}. Mend it, or remove it and add what was in it anew."
        ) from error
    made = tuple(MountConfig(path=where, content=content_at(what)) for where, what in mounts)
    paths = [mount.path for mount in made]
    if len(set(paths)) < len(paths):
        raise ConfigError(f"The file {path} has two mounts of one path; a path has one content.")
    return made


@contextmanager
def changed(data: Path) -> Iterator[list[MountConfig]]:
    """The mounts, to be changed: they are written when the block ends, and nobody else writes
    meanwhile."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = os.open(data / f".{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UnavailableError(f"{data} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mounts = list(read(data))
        yield mounts
        _write(data / FILE, mounts)
    finally:
        os.close(lock)


def _write(path: Path, mounts: Iterable[MountConfig]) -> None:
    text = _HEAD + "".join(
        f"\n[[mount]]\npath = {toml_value(mount.path)}\ncontent = {toml_value(mount.content)}\n"
        for mount in mounts
    )
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # a URL may be nobody else's business
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def stamp(data: Path) -> tuple[int, int, int]:
    """What changes with the file."""
    try:
        status = (data / FILE).stat()
    except OSError:
        return (0, 0, 0)
    return (status.st_mtime_ns, status.st_size, status.st_ino)


class Following:
    """A source that is made anew when the file has changed.

    If that cannot be, it stays as it was, and the log says why.
    """

    def __init__(self, data: Path, make: Callable[[int], Source]) -> None:
        """``make`` is given the file's time, in nanoseconds since 1970."""
        self._data = data
        self._make = make
        self._lock = threading.Lock()
        self._seen = stamp(data)
        self._look_at = time.monotonic() + LOOK
        self._version = 0
        self._source = make(self._seen[0])

    def open(self, path: str) -> File:
        return self._current().open(path)

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        return self._current().identify_all(paths)

    def list(self, folder: str) -> Listing:
        return self._current().list(folder)

    def folder_time(self, folder: str) -> int:
        return self._current().folder_time(folder)

    def is_far(self, path: str) -> bool:
        return self._current().is_far(path)

    def version(self) -> int | None:
        """Another whenever the source is made anew: what was opened before may not be served any
        more. None while it is about to be. Takes no longer than a look at the file."""
        if time.monotonic() >= self._look_at:
            if stamp(self._data) != self._seen:
                return None
            self._look_at = time.monotonic() + LOOK
        return self._version

    def problems(self) -> tuple[str, ...]:
        return self._current().problems()

    def parts(self) -> Mapping[str, Source]:
        return {"": self._current()}

    def close(self) -> None:
        self._source.close()

    def _current(self) -> Source:
        if time.monotonic() >= self._look_at and self._lock.acquire(blocking=False):
            try:
                self._look()
                self._look_at = time.monotonic() + LOOK
            finally:
                self._lock.release()
        return self._source

    def _look(self) -> None:
        seen = stamp(self._data)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._source = self._make(seen[0])
        except (P2pcdnError, OSError) as error:
            log.warning("mounts_not_followed", error=str(error))
        else:
            self._version += 1  # last: what is opened meanwhile counts as of the version before
            log.info("mounts_followed")
