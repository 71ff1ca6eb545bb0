"""Where media come from. A source knows nothing of HTTP, playlists or manifests.

All methods may wait for a disk or a network, so they are called in threads; what a source does not
have is a `SourceError` with the reason ``missing``. Paths are relative, separated by slashes, and
already checked by `origin.paths`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol, runtime_checkable

from p2pcdn.errors import SourceError, SourceReason


class Identity(NamedTuple):
    """One version of a file: as long as these stay the same, so do its bytes."""

    size: int
    mtime_ns: int
    inode: int
    """Of a file of this machine. Elsewhere a number made of what tells versions apart."""

    @property
    def etag(self) -> str:
        """A strong entity tag (RFC 9110, 8.8.3)."""
        return f'"{self.mtime_ns:x}-{self.size:x}-{self.inode:x}"'

    @property
    def modified(self) -> int:
        """In whole seconds since 1970, as HTTP writes dates; 0 if it is not known."""
        return self.mtime_ns // 1_000_000_000


class Listing(NamedTuple):
    """What is in a folder, but for hidden entries."""

    folders: tuple[str, ...]
    files: tuple[str, ...]


class File(Protocol):
    """An open file: one version, even when another takes its place meanwhile."""

    @property
    def identity(self) -> Identity: ...

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; fewer only at the end."""

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        """The same without ever waiting, or None if that is not possible."""

    def current(self) -> Identity:
        """Its identity now, to see whether somebody has written to it since it was opened."""

    def close(self) -> None: ...


class Kept(File, Protocol):
    """A file that stays open from one request to the next, and whose bytes the kernel can send by
    itself."""

    @property
    def descriptor(self) -> int: ...

    @property
    def begin(self) -> int:
        """Where in what the descriptor is of the file begins."""

    def is_newest(self) -> bool:
        """Whether its path still leads to this version, and nobody has written to it: asked in the
        event loop, so that it takes no more than a look at a directory."""

    def keep(self) -> Kept | None: ...


@runtime_checkable
class Keepable(Protocol):
    """A file of a kind that may be kept."""

    def keep(self) -> Kept | None:
        """The same version once more, to be closed by itself; None if its bytes do not stand on a
        disk as they are."""


class Source(Protocol):
    """A tree of files."""

    def open(self, path: str) -> File: ...

    def identify_all(self, paths: Iterable[str]) -> dict[str, Identity]:
        """The identities of those of the paths that are files; `SourceError` if that cannot be
        told, which is never taken for that they are gone."""

    def list(self, folder: str) -> Listing:
        """What is in ``folder``; the top has the name ``""``."""

    def folder_time(self, folder: str) -> int:
        """When an entry of the folder last came or went, in nanoseconds since 1970."""

    def is_far(self, path: str) -> bool:
        """Whether the bytes of a file come over a network, for which somebody may have to pay."""

    def problems(self) -> tuple[str, ...]:
        """What is wrong with it as a whole, in sentences for an operator."""

    def close(self) -> None:
        """Stop what it does in the background; nothing is asked of it any more."""


@runtime_checkable
class Reachable(Protocol):
    """A source on another machine."""

    def reach(self) -> None:
        """Ask whether anybody is there, whatever there is; `SourceError` if not, or (status) if
        it will not say what it has."""


@runtime_checkable
class Composed(Protocol):
    """A source that consists of others."""

    def parts(self) -> Mapping[str, Source]:
        """Those by the paths of their mounts; at the top it is ``""``."""


def far_parts(source: Source, mount: str = "") -> Iterator[tuple[str, Reachable]]:
    """What of a source is on other machines, with the path of its mount."""
    if isinstance(source, Reachable):
        yield mount, source
    elif isinstance(source, Composed):
        for path, part in source.parts().items():
            yield from far_parts(part, path)


def since_of(file: File) -> float | None:
    """When another server said that a file is so, in seconds since 1970; None of what is here."""
    since: float | None = getattr(file, "since", None)
    return since


def missing(path: str) -> SourceError:
    """The error for a path that a source does not have."""
    return SourceError(SourceReason.MISSING, path)
