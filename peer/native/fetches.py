"""What the node wants fetched from the origin, fetched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from p2pcdn.core.ports import (
    AbortRange,
    FetchHashes,
    FetchManifest,
    FetchRange,
    FetchRecords,
    HashesArrived,
    ManifestFailed,
    RangeData,
    RangeDone,
    RangeFailed,
)
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import PresentationManifest, RenditionManifest, SegmentRecord
from peer.native.http_source import HttpSource
from peer.native.transport import Feed

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0

log = structlog.get_logger("p2pcdn.peer")

FetchEvent = FetchManifest | FetchRecords | FetchHashes | FetchRange | AbortRange


class Fetches:
    """The requests that are under way."""

    def __init__(
        self,
        source: HttpSource,
        feed: Feed,
        page: Callable[[RenditionManifest], None],
        record: Callable[[SegmentKey], SegmentRecord | None],
        take_hashes: Callable[[HashesArrived], Awaitable[None]] | None = None,
    ) -> None:
        self._source = source
        self._feed = feed
        self._page = page
        """Where the pages of manifests go."""
        self._record = record
        """What is known of a segment, whoever told it."""
        self._take_hashes = take_hashes
        """Feeds hashes, if somebody has to see them first."""
        self.received = 0
        """Bytes of media that have come, whatever becomes of them."""
        self._ranges: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, event: FetchEvent) -> None:
        """Do what the node asks for; what comes of it is fed to it later."""
        match event:
            case FetchManifest() | FetchRecords():
                self._start(self._fetch_page(event))
            case FetchHashes(rendition, sequences):
                self._start(self._fetch_hashes(rendition, sequences))
            case FetchRange():
                task = self._ranges[event.fetch] = self._start(self._fetch_range(event))
                task.add_done_callback(lambda _: self._ranges.pop(event.fetch, None))
            case AbortRange(fetch):
                if fetch in self._ranges:
                    self._ranges[fetch].cancel()

    def follow(self, rendition: str) -> None:
        """Get the first page of a rendition and, as long as it is live, what is added."""
        self._start(self._follow(rendition))

    async def close(self) -> None:
        """Give everything up."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _fetch_page(self, event: FetchManifest | FetchRecords) -> None:
        rendition = event.rendition
        try:
            page = await self._page_for(event)
        except SourceError as error:
            log.info("no_manifest", rendition=rendition, reason=error.reason, error=error.detail)
            self._feed(ManifestFailed(rendition))
            return
        if isinstance(page, RenditionManifest):
            self._page(page)
        else:
            self._feed(ManifestFailed(rendition))

    async def _page_for(
        self, event: FetchManifest | FetchRecords
    ) -> PresentationManifest | RenditionManifest:
        match event:
            case FetchManifest(rendition, sequence):
                return await self._source.manifest(rendition, at=sequence)
            case FetchRecords(rendition, sequences):
                return await self._source.records(rendition, sequences)

    async def _fetch_hashes(self, rendition: str, sequences: Span) -> None:
        data: bytes | None = None
        try:
            data = await self._source.hashes(rendition, sequences)
        except SourceError as error:
            log.info("no_hashes", rendition=rendition, reason=error.reason, error=error.detail)
        arrived = HashesArrived(rendition, sequences, data)
        if self._take_hashes is None:
            self._feed(arrived)
        else:
            await self._take_hashes(arrived)

    async def _fetch_range(self, event: FetchRange) -> None:
        record = self._record(event.key)
        if record is None:
            self._feed(RangeFailed(event.fetch, SourceReason.MISSING))
            return
        span = Span(record.offset + event.span.first, record.offset + event.span.last)

        def take(data: bytes) -> None:
            self.received += len(data)
            self._feed(RangeData(event.fetch, data))

        try:
            timing = await self._source.range(
                event.key.rendition, record.uri, span, take, fresh=event.fresh
            )
        except SourceError as error:
            log.info("no_range", key=event.key, reason=error.reason, error=error.detail)
            self._feed(RangeFailed(event.fetch, error.reason))
        else:
            self._feed(RangeDone(event.fetch, timing.ttfb, timing.took))

    async def _follow(self, rendition: str) -> None:
        pause = FIRST_PAUSE
        page: RenditionManifest | None = None
        while page is None or page.live:
            try:
                newer = await self._newer(rendition, page)
            except SourceError as error:
                log.info("no_manifest", rendition=rendition, reason=error.reason)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if newer is not None:
                page = newer
                self._page(page)

    async def _newer(
        self, rendition: str, page: RenditionManifest | None
    ) -> RenditionManifest | None:
        if page is not None and page.last >= page.first:
            return await self._source.newer(rendition, page.last, page.era)
        first = await self._source.manifest(rendition)
        if not isinstance(first, RenditionManifest):
            raise SourceError(SourceReason.STATUS, f"{rendition} is not one rendition")
        return first

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
