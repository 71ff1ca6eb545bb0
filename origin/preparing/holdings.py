"""What an origin has, by name: the contents that were prepared, mounts, and what else lies in the
content directory. How long it plays, how large it is; and how what was added is taken out again.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from origin.catalog.hash_store import HashStore
from origin.catalog.library import Library, View
from origin.catalog.playlist import (
    MediaPlaylist,
    PlaylistError,
    Surroundings,
    document_of,
    load,
    parse,
)
from origin.preparing import draft, record
from origin.preparing.facts import MediaError
from origin.sources import Source, added
from origin.sources.directory import Directory
from origin.sources.mounts import source_at
from p2pcdn.config import Config, Content, MountConfig, is_url
from p2pcdn.errors import ConfigError, SourceError


@dataclass(frozen=True, slots=True)
class Holding:
    """A thing that is served, or is being made."""

    name: str
    kind: str
    """film, folder, file, zip, elsewhere; unfinished."""
    where: str
    removable: bool
    """`p2pcdn add` has made it."""
    size: int | None = None
    """In bytes; None if nobody knows."""
    seconds: float | None = None
    contents: int | None = None
    """How many playlists stand for themselves in it."""


class NotAddedError(MediaError):
    """What is to be removed was not made by `p2pcdn add`."""


def directory_of(config: Config) -> Path | None:
    """The content directory, if it is one that things can be put into."""
    if config.content is None or is_url(config.content):
        return None
    path = Path(config.content)
    return path if path.is_dir() else None


def holdings(config: Config) -> Iterator[Holding]:
    """Everything, by name: first what lies in the content directory, then mounts."""
    directory = directory_of(config)
    if directory is not None:
        yield from _in(directory)
    elif config.content is not None:
        yield _mounted("", config.content, config, removable=False)
    for mount in sorted(config.mount, key=lambda mount: mount.path):
        yield _mounted(mount.path, mount.content, config, removable=False)
    for mount in sorted(added.read(config.data), key=lambda mount: mount.path):
        yield _mounted(mount.path, mount.content, config, removable=True)


def remove(config: Config, name: str) -> str:
    """Take out what `p2pcdn add` has made; what was done, in a sentence.

    Of what a mount names nothing is touched. Of a content only those files are deleted that were
    made; `NotAddedError` if there is nothing of this name that was, `BusyError` if it is just being
    made. Its hashes are forgotten, so that nobody takes it for lost.
    """
    with added.changed(config.data) as mounts, closing(HashStore(config.data)) as hashes:
        said = _take_out(config, name, mounts)
        hashes.forget(name)
    return said


def _take_out(config: Config, name: str, mounts: list[MountConfig]) -> str:
    for mount in mounts:
        if mount.path == name:
            mounts.remove(mount)
            return f"{name} is not served any more; {mount.content} stays as it is."
    directory = directory_of(config)
    if directory is not None and _is_name(name):
        place = directory / name
        known = None if place.is_symlink() else record.read(place)
        if known is not None:
            return _delete(place, known)
        if not place.exists() and draft.discard(directory, name):
            return f"What there was of {name} is deleted."
        if place.exists() or place.is_symlink():
            raise NotAddedError(
                f"{place} was not made by `p2pcdn add`, so it is yours to delete; a running origin "
                "notices."
            )
    if any(mount.path == name for mount in config.mount):
        raise NotAddedError(f"{name} is a mount of your configuration; take it out there.")
    names = [holding.name for holding in holdings(config)]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"the nearest is {close[0]}" if close else "`p2pcdn list` says what there is"
    raise NotAddedError(f"There is nothing called {name}; {hint}.")


def _is_name(name: str) -> bool:
    return bool(name) and "/" not in name and not name.startswith(".") and "\0" not in name


def _delete(place: Path, known: record.Record) -> str:
    # Playlists go first, so that nobody begins to watch; the record goes last, so that a second
    # attempt knows what is left.
    names = sorted(known.files, key=lambda name: (not name.endswith(".m3u8"), name))
    for name in [*names, record.FILE]:
        if _is_name(name) or name == record.FILE:
            (place / name).unlink(missing_ok=True)
    strangers = sorted(place.iterdir())
    if strangers:
        return (
            f"{place.name} is deleted, but for what is not of it and stays: {len(strangers)} "
            f"files, such as {strangers[0]}."
        )
    place.rmdir()
    return f"{place.name} is deleted, {known.size / 1_000_000:.1f} MB."


# What there is


def _in(directory: Path) -> Iterator[Holding]:
    source = Directory(directory)
    view = Library(source).look()
    listing = source.list("")
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        name = entry.name
        if name.startswith(".") and name.endswith(".draft") and entry.is_dir():
            finished = name[1 : -len(".draft")]
            where = str(directory / name)
            size = _size_of(Path(entry.path))
            yield Holding(finished, "unfinished", where, removable=True, size=size)
    for name in (*listing.folders, *listing.files):
        place = directory / name
        known = record.read(place) if name in listing.folders else None
        if known is not None:
            yield Holding(name, "film", str(place), True, known.size, known.seconds, 1)
        else:
            kind = "folder" if name in listing.folders else "file"
            seconds, count = _played(source, view, name)
            yield Holding(name, kind, str(place), False, _size_of(place), seconds, count)


def _mounted(name: str, content: Content, config: Config, *, removable: bool) -> Holding:
    if is_url(content):
        return Holding(name, "elsewhere", content, removable)
    path = Path(content)
    kind = "folder" if path.is_dir() else "zip" if path.exists() else "gone"
    try:
        source = source_at(MountConfig(path=name or "content", content=content), config)
        seconds, count = _played(source, Library(source).look(), "")
    except (ConfigError, OSError):
        seconds, count = None, None
    size = _size_of(path) if path.exists() else None
    return Holding(name, kind, str(path), removable, size, seconds, count)


def presentations(view: View, name: str = "") -> list[str]:
    """The playlists that stand for themselves in a folder, or in all of a source."""
    return sorted(
        path
        for path in view.playlists
        if path not in view.owners and (not name or path == name or path.startswith(f"{name}/"))
    )


def _played(source: Source, view: View, name: str) -> tuple[float | None, int]:
    """How long the playlists of a folder play, together."""
    paths = presentations(view, name)
    known = [seconds for path in paths if (seconds := _seconds(source, view, path)) is not None]
    return (sum(known) if known else None), len(paths)


def _seconds(source: Source, view: View, path: str) -> float | None:
    found = view.presentations.get(path)
    if found is not None and found.renditions:
        path = found.renditions[0].path
    try:
        document = load(source, document_of(path))
        playlist = parse(path, document.data, Surroundings(source))
    except (PlaylistError, SourceError, OSError):
        return None
    if not isinstance(playlist, MediaPlaylist) or playlist.live:
        return None
    return sum(segment.duration for segment in playlist.segments) / 1000


def _size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links count nothing."""
    if not path.is_dir() or path.is_symlink():
        return path.stat().st_size if path.exists() else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except OSError:
                continue  # gone meanwhile
    return total
