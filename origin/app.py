"""The origin as a service: what it consists of, and where it answers.

::

    request --> cross_origin --> Media / Manifests / Contents / Snippet --show--> Representation
                                     |         |                                    |
    encoder --> Ingest --files-->  Source   Catalog                 selection: 200, 206, 304...
                                                                                    |
                                     Ledger <--counts-- Meter <---------------- Sender --> viewer
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Protocol

from aiohttp import web

from origin import contents, manifests, measure, media
from origin.catalog.catalog import Catalog
from origin.catalog.hash_store import HashStore
from origin.catalog.news import News
from origin.catalog.pages import Pages
from origin.contents import Contents
from origin.elsewhere.elsewhere import Elsewhere
from origin.http import cross_origin, meter
from origin.http.accel import accel_of
from origin.http.lanes import Lanes
from origin.http.meter import Meter
from origin.http.representation import Representation
from origin.http.sending import Sender, Show
from origin.http_error import HttpError
from origin.ingest.ingest import Ingest
from origin.manifests import Manifests
from origin.measure import Measure
from origin.media import Media
from origin.open_files import OpenFiles
from origin.reaching import tell_who_is_away
from origin.signing import Signer
from origin.snippet import Snippet
from origin.sources import Kept
from origin.sources.mounts import source_of
from p2pcdn.config import Config
from p2pcdn.service.gate import affordable_files
from p2pcdn.service.worker import ALONE, Worker
from p2pcdn.wire.manifest import Records

READERS = 64
"""Threads that wait for disks and networks. Of a handful, as is usual, all would wait for a slow
bucket while others ask for what is on a disk."""


class Ledger(meter.Ledger, measure.Ledger, Protocol):
    """The account of what was sent, and of what there is."""


class Origin:
    """Serves media, manifests and the snippet (a `p2pcdn.service.Service`)."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        *,
        extra_routes: Iterable[web.AbstractRouteDef] = (),
        pass_on: Callable[[Records], None] | None = None,
        worker: Worker = ALONE,
    ) -> None:
        """``pass_on`` is told what has just come out of live renditions."""
        self.cut = False
        """Whether media and manifests are refused, to show how viewers do without."""
        self._allow_origin = config.origin.allow_origin
        self._extra_routes = tuple(extra_routes)
        self._source = source_of(config)
        self._store = HashStore(config.data)
        self._catalog = Catalog(
            self._source,
            self._store,
            site=config.site,
            window=config.origin.live_window,
            hash_buckets=config.origin.hash_buckets,
            begin=worker.index / worker.count,
            urls=config.origin.urls,
        )
        self._meter = Meter(ledger)
        self._files = OpenFiles(affordable_files(config.origin.open_files), self._source.version)
        self._media = Media(self._source, self._catalog, self._files, accel_of(config))
        self._signer = Signer(config.data)
        pages = Pages(config.site, self._catalog.hasher, self._signer)
        measured = Measure(ledger)
        self._manifests = Manifests(self._catalog, pages, config.site, self._signer, measured.take)
        self._catalog.listen(measured.renewed)
        self._news = None if pass_on is None else News(pages, pass_on)
        if self._news is not None:
            self._catalog.listen(self._news.take)
        self._elsewhere = None
        if config.elsewhere:
            self._elsewhere = Elsewhere(
                config,
                self._signer,
                measured=measured.take,
                spent=self._meter.overhead,
                pass_on=pass_on,
            )
        self._contents = Contents(self._catalog, listed=config.origin.list_contents)
        self._snippet = Snippet()
        self._ingest = Ingest(config, self._source, self._catalog) if config.ingest.paths else None
        self._tells = worker.is_first
        """Whether it says in the log what is the same for all workers."""
        self._telling: asyncio.Task[None] | None = None

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Where the origin answers."""
        sender = Sender(self._meter, cross_origin.headers(self._allow_origin))
        preflight = cross_origin.preflight(self._allow_origin)
        for prefix, show in (
            (media.PREFIX, self._media.show),
            (manifests.PREFIX, self._manifest),
        ):
            everything = f"{prefix}{{path:(?s:.*)}}"  # line feeds too: they get an answer of ours
            yield web.get(everything, sender.handler(self._gated(show)))
            yield web.options(everything, preflight)
        yield web.get(contents.PATH, sender.handler(self._contents.show))
        yield web.options(contents.PATH, preflight)
        if self._ingest is not None:
            yield from self._ingest.routes()
        yield from self._snippet.routes(sender, preflight)
        yield from self._extra_routes

    def shortcut(self) -> Lanes:
        """The way of plain requests for media that are at hand."""
        headers = cross_origin.headers(self._allow_origin)
        return Lanes(f"{media.PREFIX}{{path}}", self._at_hand, self._meter, headers)

    async def start(self) -> None:
        """Begin to watch live playlists and to hash what is not hashed yet."""
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(READERS, thread_name_prefix="reading")
        )
        self._catalog.start()
        if self._tells:
            self._telling = asyncio.create_task(tell_who_is_away(self._source), name="reaching")
        if self._ingest is not None:
            await self._ingest.start()
        if self._elsewhere is not None:
            self._elsewhere.start()

    async def drain(self) -> None:
        """Let long polls go; all else is short."""
        self._catalog.drain()
        if self._elsewhere is not None:
            self._elsewhere.drain()

    async def close(self) -> None:
        """Stop, with everything counted that is known to have arrived."""
        self._meter.close()  # first: whoever keeps the ledger closes meanwhile, and writes it down
        if self._telling is not None:
            self._telling.cancel()
        if self._ingest is not None:
            await self._ingest.close()
        if self._news is not None:
            await self._news.close()
        if self._elsewhere is not None:
            await self._elsewhere.close()
        await self._catalog.close()
        await asyncio.to_thread(self._source.close)
        self._store.close()
        self._files.close()

    def problems(self) -> list[str]:
        """Why media cannot be served as they should be."""
        found = (self._store.problem, self._signer.problem)
        elsewhere = self._elsewhere.problems() if self._elsewhere is not None else ()
        return [*filter(None, found), *self._source.problems(), *elsewhere]

    def path_of(self, content: str) -> str | None:
        """Where a content is, below /media/ or by its canonical URL, if it was ever asked for."""
        path = self._catalog.path_of(content)
        if path is None and self._elsewhere is not None:
            path = self._elsewhere.name_of(content)
        return path

    async def _manifest(self, request: web.Request) -> Representation:
        if request.match_info["path"] or "url" not in request.query:
            return await self._manifests.show(request)
        if self._elsewhere is None:
            raise HttpError(
                HTTPStatus.NOT_FOUND, "This origin says nothing of media elsewhere (elsewhere)."
            )
        return await self._elsewhere.show(request)

    def _at_hand(self, target: str) -> tuple[Representation, Kept] | None:
        return None if self.cut else self._media.at_hand(target)

    def _gated(self, show: Show) -> Show:
        async def show_unless_cut(request: web.Request) -> Representation:
            if self.cut:
                raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "The origin is cut off for now.")
            return await show(request)

        return show_unless_cut
