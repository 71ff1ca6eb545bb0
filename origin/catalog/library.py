"""What there is in a source, and who names whom.

A presentation is a multivariant playlist; the media playlists that it names are its renditions.
Both can come, change and go at any time, so the library looks again now and then; it lists only
the folders and reads only the playlists that have changed since the last time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import structlog

from origin.catalog.playlist import (
    MediaPlaylist,
    MultivariantPlaylist,
    PlaylistError,
    Surroundings,
    is_presentation,
    load,
    parse,
)
from origin.content_types import is_playlist
from origin.sources import Identity, Listing, Source
from p2pcdn.errors import SourceError

FRESH = 1.0
"""Seconds for which a look at the source is good."""

QUICK = 0.05
"""Seconds that whoever asks is made to wait for a look; a longer one they need not wait for, if
there was one before."""

SHARE = 0.05
"""The most of a processor's time that looking may take, however large the source is."""

_GRANULARITY = 2_000_000_000
"""Nanoseconds: a folder that changed so shortly before it was listed may have changed again
without a new time."""

log = structlog.get_logger("p2pcdn.origin")


@dataclass(frozen=True, slots=True)
class View:
    """A source's playlists at one moment."""

    playlists: Mapping[str, Identity] = field(default_factory=dict)
    presentations: Mapping[str, MultivariantPlaylist] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    """For each playlist that a presentation names that presentation: of several, the first by
    path."""
    files: tuple[str, ...] = ()
    """All that is no playlist."""


class _Folder(NamedTuple):
    changed: int
    listed: int
    folders: tuple[str, ...]
    playlists: tuple[str, ...]
    others: tuple[str, ...]

    @classmethod
    def of(cls, folder: str, changed: int, listed: int, listing: Listing) -> _Folder:
        """What is in it by paths, made once for all looks that find it the same."""
        begin = f"{folder}/" if folder else ""
        files = [begin + name for name in listing.files]
        return cls(
            changed,
            listed,
            tuple(begin + name for name in listing.folders),
            tuple(filter(is_playlist, files)),
            tuple(path for path in files if not is_playlist(path)),
        )

    def holds(self, changed: int) -> bool:
        return self.changed == changed and self.listed - changed > _GRANULARITY


class Library:
    """Looks at a source, in a thread, once at a time."""

    def __init__(self, source: Source, urls: tuple[str, ...] = ()) -> None:
        """``urls`` are those by which viewers reach the origin."""
        self._source = source
        self.around = Surroundings(source, urls)
        """What all playlists have around them."""
        self._folders: dict[str, _Folder] = {}
        self._linked: set[str] = set()
        """Folders that are reached by symbolic links, which a walk does not follow."""
        self._parsed: dict[str, tuple[Identity, MultivariantPlaylist | None]] = {}
        self._view = View()
        self._look: asyncio.Task[None] | None = None
        self._stale_at = 0.0
        self._took = 0.0

    async def view(self, playlist: str | None = None) -> View:
        """What there is, as of a moment ago; with ``playlist`` in it, which is known to exist."""
        if self._look is None:
            await self._refresh()
        elif asyncio.get_running_loop().time() >= self._stale_at:
            look = self._begin()
            if self._took <= QUICK:
                await asyncio.shield(look)
        if playlist is not None and playlist not in self._view.playlists:
            await self._refresh()
        if playlist is not None and playlist not in self._view.playlists:
            self._linked.update(_ancestors(playlist))
            await self._refresh()
        return self._view

    async def _refresh(self) -> None:
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._measured(), name="look at the library")
            self._look.add_done_callback(_take_note)
        return self._look

    async def _measured(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.to_thread(self.look)
        self._took = loop.time() - start
        self._stale_at = start + max(FRESH, self._took / SHARE)

    def look(self) -> View:
        """Bring the view up to date (this may block)."""
        before, self._folders = self._folders, dict(self._walk())
        folders = self._folders.values()
        playlists = self._source.identify_all(sorted(p for seen in folders for p in seen.playlists))
        self._parsed = {path: self._read(path, seen) for path, seen in playlists.items()}
        presentations = {path: found for path, (_, found) in self._parsed.items() if found}
        owners: dict[str, str] = {}
        for path in sorted(presentations):
            found = presentations[path]
            for named in (*(entry.path for entry in found.renditions), *found.asides):
                owners.setdefault(named, path)
        others = self._view.files
        if len(before) != len(folders) or any(
            before.get(f) is not s for f, s in self._folders.items()
        ):
            others = tuple(sorted(path for seen in folders for path in seen.others))
        self._view = View(playlists, presentations, owners, others)
        return self._view

    def named(self, paths: Collection[str]) -> set[str]:
        """Those of the paths that a playlist has as a segment, as of the last look (this may
        block). Only playlists that are in the same folder of the top are read, or in the top."""
        tops = {"", *map(top_of, paths)}
        found: set[str] = set()
        for path in self._view.playlists:
            if top_of(path) in tops:
                found.update(self._segments_of(path))
        return found.intersection(paths)

    def _segments_of(self, document: str) -> Iterator[str]:
        presentation = self._view.presentations.get(document)
        renditions = presentation.renditions_in(document) if presentation else [document]
        owner = self._view.presentations.get(self._view.owners.get(document, ""))
        around = self.around if owner is None else replace(self.around, variables=owner.variables)
        try:
            data = load(self._source, document).data if renditions else b""
            for rendition in renditions:
                playlist = parse(rendition, data, around)
                if isinstance(playlist, MediaPlaylist):
                    yield from (segment.path for segment in playlist.segments)
        except (SourceError, PlaylistError, OSError):
            return  # it names nothing that anybody could play

    def _walk(self) -> Iterator[tuple[str, _Folder]]:
        waiting = ["", *self._linked]
        seen = set(waiting)
        while waiting:
            folder = waiting.pop()
            try:
                found = self._list(folder)
            except SourceError:
                continue  # gone meanwhile
            except OSError as error:
                log.warning("unreadable_folder", folder=folder, error=str(error))
                continue
            yield folder, found
            new = [inner for inner in found.folders if inner not in seen]
            seen.update(new)
            waiting.extend(new)

    def _list(self, folder: str) -> _Folder:
        changed = self._source.folder_time(folder)
        known = self._folders.get(folder)
        if known is not None and known.holds(changed):
            return known
        return _Folder.of(folder, changed, time.time_ns(), self._source.list(folder))

    def _read(self, path: str, identity: Identity) -> tuple[Identity, MultivariantPlaylist | None]:
        known = self._parsed.get(path)
        if known is not None and known[0] == identity:
            return known
        try:
            document = load(self._source, path)
            if not is_presentation(path, document.data):
                return document.identity, None
            playlist = parse(path, document.data, self.around)
        except (SourceError, PlaylistError, OSError):
            return identity, None  # whoever asks for it will hear why
        return document.identity, playlist if isinstance(playlist, MultivariantPlaylist) else None


def top_of(path: str) -> str:
    """The folder of the top that a path lies in; empty if it is in the top itself."""
    return path.partition("/")[0] if "/" in path else ""


def _take_note(look: asyncio.Task[None]) -> None:
    """Look at how it ended, since sometimes nobody else does."""
    if not look.cancelled() and look.exception() is not None:
        log.warning("library_not_looked_at", error=str(look.exception()))


def _ancestors(path: str) -> Iterator[str]:
    """The folders that a path lies in, but for the top."""
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
