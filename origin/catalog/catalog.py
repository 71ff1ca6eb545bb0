"""All renditions that somebody is interested in.

::

    media     --playlist()--> Catalog --> Rendition --> Edition      Library: who names whom
    manifests --edition()---> Catalog        ^  ^                    Hasher, HashStore: hashes
                                       Watcher  Backlog

Live renditions are kept as long as they live. Others can be made again from their files and the
hash store at any time, so only those stay that were asked for last.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

import structlog

from origin.catalog.backlog import Backlog
from origin.catalog.edition import Edition, Stretch
from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import Hasher
from origin.catalog.library import Library, View
from origin.catalog.playlist import Document, is_live, load
from origin.catalog.rendition import NotARenditionError, Rendition, Studio
from origin.catalog.settling import Settling
from origin.catalog.watcher import Watcher
from origin.content_types import is_mpd
from origin.sources import Source
from p2pcdn.presentations import dash

_MOST_PIECES = 200_000
"""Segments of finished renditions that are kept in memory, at about 400 bytes each."""

_RENDITION = 8
"""What a rendition takes beside its segments, in as many of them."""

_PATIENCE = 0.5
"""Seconds that are waited for a look at the playlists which may name it."""

log = structlog.get_logger("p2pcdn.origin")


class Catalog:
    """Gives editions, and keeps them up to date."""

    def __init__(
        self,
        source: Source,
        store: HashStore,
        *,
        site: str,
        window: int,
        hash_buckets: bool = False,
        begin: float = 0.0,
        urls: tuple[str, ...] = (),
        knows: Callable[[Stretch], bool] | None = None,
    ) -> None:
        """``urls`` are those by which viewers reach the origin. With ``knows``, only that is in a
        manifest of which it says that it has been hashed; others see to that, so nothing is hashed
        in the background."""
        self._source = source
        self.hasher = Hasher(source, store)
        library = Library(source, urls)
        self._studio = Studio(source, library, self.hasher, store, site, window, knows)
        self._renditions: OrderedDict[str, Rendition] = OrderedDict()
        """Those used longest ago come first."""
        self._weights: dict[str, int] = {}
        """Of the finished ones, in segments."""
        self._weight = 0
        self._live_files: dict[str, frozenset[str]] = {}
        self._live_folders: dict[str, frozenset[str]] = {}
        """Where their segments are."""
        self._files: dict[str, frozenset[str]] = {}
        """Of each rendition, those that it is made of."""
        self._contents: dict[str, str] = {}
        """Of which content each of these files is."""
        self._settling = Settling()
        self._watcher = Watcher(source, self._forget)
        self._backlog = Backlog(self._studio, self._edition_ahead, far=hash_buckets, begin=begin)
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Callable[[Edition, Edition], None]] = []

    def listen(self, listener: Callable[[Edition, Edition], None]) -> None:
        """Be told of each live edition and of the one whose place it takes, which comes first."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to watch and to hash."""
        self._tasks = [asyncio.create_task(self._watcher.run(), name="watcher")]
        if self._studio.knows is None:
            self._tasks.append(asyncio.create_task(self._backlog.run(), name="backlog"))
        for task in self._tasks:
            task.add_done_callback(_report)

    def drain(self) -> None:
        """Let go whoever waits for a live rendition to grow."""
        for rendition in self._renditions.values():
            rendition.wake()

    async def close(self) -> None:
        """Stop everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(rendition.close() for rendition in self._renditions.values()))
        self.hasher.close()

    async def playlist(self, path: str) -> tuple[Document, bool]:
        """The playlist to show to viewers, and whether it will change.

        A live one is the latest whose segments all have their records, which may not be the one
        that the encoder wrote a moment ago.
        """
        document = await asyncio.to_thread(load, self._source, path)
        if is_mpd(path):
            return document, dash.is_dynamic(document.data)
        known = self._renditions.get(path)
        if not is_live(document.data) and not (known is not None and known.is_live):
            return document, False
        try:
            edition = await self.edition(path)
        except NotARenditionError:
            return document, False
        return edition.document or document, edition.live

    async def edition(self, path: str) -> Edition:
        """The edition of a rendition to answer with; raises as `Rendition.current` does."""
        rendition = self._rendition(path)
        try:
            return await rendition.current()
        finally:
            if rendition.edition is None and not rendition.is_busy:
                self._forget(rendition)  # there is no such thing

    async def newer_than(self, path: str, sequence: int, patience: float) -> Edition:
        """The edition as soon as it has a segment newer than ``sequence``; the latest one if
        there is none within ``patience`` seconds, or if nothing more can come."""
        await self.edition(path)
        return await self._rendition(path).newer_than(sequence, patience)

    async def contents(self) -> list[str]:
        """The paths of all contents: presentations, playlists that none of them names, and the
        files that stand alone as soon as they have been hashed."""
        view = await self._studio.library.view()
        return await asyncio.to_thread(self._contents_in, view)

    def _contents_in(self, view: View) -> list[str]:
        playlists = (path for path in view.playlists if path not in view.owners)
        files = set(self._backlog.single_files()).intersection(view.files)
        return sorted({*playlists, *files})

    def doubt(self, path: str) -> None:
        """What the edition of a rendition says turned out to be wrong."""
        rendition = self._renditions.get(path)
        if rendition is not None:
            rendition.doubt()

    def look(self, path: str) -> None:
        """Somebody has just put a playlist there: the watcher need not be waited for."""
        rendition = self._renditions.get(path)
        if rendition is not None:
            rendition.refresh()

    def is_live_segment(self, path: str) -> bool:
        """Whether a live playlist names this file, so that its name may be used again soon."""
        for files in self._live_files.values():  # noqa: SIM110 - for each request: any() costs twice
            if path in files:
                return True
        return False

    async def is_unfinished(self, path: str, mtime_ns: int) -> bool:
        """Whether a file, last written to at that time, may still be written: it is fresh, beside
        the segments of a live playlist, and not named by it yet."""
        if self._is_settled(path, mtime_ns):
            return False
        folder = path.rpartition("/")[0]
        beside = [live for live, folders in self._live_folders.items() if folder in folders]
        looks = [self._renditions[live].refresh() for live in beside]
        if looks:  # a viewer may have the newest playlist from a process that knows it already
            await asyncio.wait(looks, timeout=_PATIENCE)
        if self._is_settled(path, mtime_ns):
            return False
        return bool(beside) and not any(self._names(live, path) for live in beside)

    def _is_settled(self, path: str, mtime_ns: int) -> bool:
        return path in self._contents or self._settling.is_settled(path, mtime_ns)

    def _names(self, live: str, path: str) -> bool:
        """Whether a playlist has this file's name in it: as an initialisation section, say."""
        rendition = self._renditions.get(live)
        edition = rendition.edition if rendition is not None else None
        document = edition.document if edition is not None else None
        return document is not None and path.rpartition("/")[2].encode() in document.data

    def content_of(self, path: str) -> str:
        """The id of the content that a file is part of; empty if none is known."""
        return self._contents.get(path, "")

    def path_of(self, content: str) -> str | None:
        """Where a content is, if it was ever asked for."""
        return self._studio.paths.get(content)

    async def _edition_ahead(self, path: str) -> Edition:
        """The edition of a rendition that nobody has asked for: it is the first to go."""
        known = path in self._renditions
        edition = await self.edition(path)
        if not known and path in self._renditions:
            self._renditions.move_to_end(path, last=False)
        return edition

    def _rendition(self, path: str) -> Rendition:
        rendition = self._renditions.get(path)
        if rendition is None:
            rendition = Rendition(path, self._studio, self._published)
            self._renditions[path] = rendition
        self._renditions.move_to_end(path)
        return rendition

    def _published(self, rendition: Rendition) -> None:
        edition = rendition.edition
        self._note_files(rendition)
        self._weigh(rendition)
        if edition is not None and edition.live:
            self._live_files[rendition.path] = self._files[rendition.path]
            self._live_folders[rendition.path] = frozenset(
                path.rpartition("/")[0] for path in self._files[rendition.path]
            )
            self._watcher.add(rendition)
            if rendition.before is not None:
                for listener in self._listeners:
                    listener(rendition.before, edition)
        else:
            self._live_files.pop(rendition.path, None)
            self._live_folders.pop(rendition.path, None)
            self._evict(rendition)

    def _note_files(self, rendition: Rendition) -> None:
        edition = rendition.edition
        if edition is None:
            return
        files = edition.files
        for path in self._files.get(rendition.path, frozenset()) - files:
            self._contents.pop(path, None)
        self._files[rendition.path] = files
        self._contents.update(dict.fromkeys(files, edition.content))

    def _weigh(self, rendition: Rendition) -> None:
        edition = rendition.edition
        finished = edition is not None and not edition.live
        weight = _RENDITION + len(edition.pieces) if edition is not None and finished else 0
        self._weight += weight - self._weights.pop(rendition.path, 0)
        if weight:
            self._weights[rendition.path] = weight

    def _evict(self, newest: Rendition) -> None:
        excess = self._weight - _MOST_PIECES
        leaving = []
        for rendition in self._renditions.values():
            if excess <= 0:
                break
            weight = self._weights.get(rendition.path, 0)
            if weight and rendition is not newest and not rendition.is_busy:
                leaving.append(rendition)
                excess -= weight
        for rendition in leaving:
            self._forget(rendition)

    def _forget(self, rendition: Rendition) -> None:
        self._renditions.pop(rendition.path, None)
        self._weight -= self._weights.pop(rendition.path, 0)
        self._live_files.pop(rendition.path, None)
        self._live_folders.pop(rendition.path, None)
        for path in self._files.pop(rendition.path, frozenset()):
            self._contents.pop(path, None)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("background_work_failed", task=task.get_name(), exc_info=task.exception())
