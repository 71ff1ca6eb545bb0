"""Hashes what nobody has asked for yet, so that it is there when somebody does.

It goes through all playlists, then through the files that stand alone, one segment at a time, and
steps aside whenever a viewer waits for a hash. Then it looks for what is new, now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from origin.catalog.edition import Edition
from origin.catalog.hashing import ChangedError
from origin.catalog.library import View
from origin.catalog.playlist import PlaylistError
from origin.catalog.rendition import NotARenditionError, NotReadyError, Studio
from origin.content_types import is_media, is_playlist
from origin.sources import Identity
from p2pcdn.errors import SourceError

PAUSE = 10.0
"""Seconds between two looks for new content, at the least."""

SHARE = 0.05
"""The most of a processor's time that looking may take, however many files there are."""

PRUNE = 3600.0
"""Seconds between two looks for hashes of files that are gone."""

_SEGMENTS_ONLY = (".ts", ".m4s", ".cmfv", ".cmfa")
"""Such files are never watched on their own."""

T = TypeVar("T")

log = structlog.get_logger("p2pcdn.origin")


class Backlog:
    """Works through a source in the background."""

    def __init__(
        self,
        studio: Studio,
        edition: Callable[[str], Awaitable[Edition]],
        *,
        far: bool = False,
        begin: float = 0.0,
    ) -> None:
        """``far`` says whether files are read ahead of demand that come over a network; ``begin``
        at which share of the whole this one begins: of several processes with one hash store each
        at another, so that later each comes to what others have hashed."""
        self._far = far
        self._begin = begin
        self._looked = 0.0
        """Seconds that the last look at single files took."""
        self._studio = studio
        self._edition = edition
        self._done: dict[str, Identity] = {}
        self._parts: set[str] = set()
        """Files that playlists name, of those that might stand alone."""
        self._prune_at = 0.0

    def single_files(self) -> list[str]:
        """The files that stand alone, of those that have been hashed (any thread may ask)."""
        done = list(self._done)
        return [path for path in done if not is_playlist(path) and path not in self._parts]

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self.work()
            # A failing disk, no descriptors left, or a source elsewhere that is away.
            except (OSError, SourceError) as error:
                log.warning("backlog_interrupted", error=str(error))
            await asyncio.sleep(max(PAUSE, self._looked / SHARE))

    async def work(self) -> None:
        """Hash all that is not hashed yet."""
        view = await self._studio.library.view()
        for document, identity in self._turned(list(view.playlists.items())):
            for path in _renditions(view, document):
                if self._done.get(path) != identity:
                    await self._attempt(path, identity)
        loop = asyncio.get_running_loop()
        start = loop.time()
        new = await asyncio.to_thread(self._new_files, view)
        self._looked = loop.time() - start
        for path, identity in self._turned(new):
            await self._attempt(path, identity)
        await self._prune()

    def _turned(self, things: list[T]) -> list[T]:
        first = int(len(things) * self._begin)
        return things[first:] + things[:first]

    def _new_files(self, view: View) -> list[tuple[str, Identity]]:
        """The files that stand alone, of those that are not hashed as they are now."""
        paths = [path for path in view.files if may_stand_alone(path) and path not in self._parts]
        found = self._studio.source.identify_all(paths)
        return [(path, now) for path, now in found.items() if self._done.get(path) != now]

    async def _attempt(self, path: str, identity: Identity) -> None:
        try:
            edition = await self._edition(path)
            self._parts.update(filter(may_stand_alone, edition.files - {path}))
            for piece in list(edition.pieces.values()):
                part = piece.stretch.path
                if self._far or not self._studio.source.is_far(part):
                    await self._studio.hasher.prepare(piece.stretch)
        except (ChangedError, NotReadyError):
            return  # next time
        except (PlaylistError, NotARenditionError, SourceError) as error:
            log.info("not_hashed", path=path, reason=str(error))
        self._done[path] = identity

    async def _prune(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._prune_at:
            return
        self._prune_at = now + PRUNE
        await asyncio.to_thread(self._forget_what_is_gone)

    def _forget_what_is_gone(self) -> None:
        """All but what a playlist still names: of that it is to be known that it is missing."""
        source, library = self._studio.source, self._studio.library
        try:
            source.folder_time("")
            top = source.list("")
        except SourceError:
            return  # all of it is gone, which nobody means: a disk that is not mounted
        if not (top.folders or top.files):
            return  # likewise: its mount point

        def stay(paths: list[str]) -> set[str]:
            there = set(source.identify_all(paths))
            return there | library.named(set(paths) - there)

        self._studio.store.prune(stay)


def _renditions(view: View, document: str) -> list[str]:
    """The renditions that a playlist or DASH manifest itself describes."""
    found = view.presentations.get(document)
    return [document] if found is None else found.renditions_in(document)


def may_stand_alone(path: str) -> bool:
    """Whether a file may be watched on its own."""
    return is_media(path) and not path.endswith(_SEGMENTS_ONLY)
