"""The figures over HTTP: once as JSON, or every second as server-sent events.

``/api/v1/stream`` sends one kind of event, whose data is ``{"summary": {...}, "series": [...]}``:
the summary as ``/api/v1/summary`` gives it, and the samples since the last event. The first event
has those of the last quarter of an hour. Neither answer can be read by pages of other origins.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import msgspec
from aiohttp import web

from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import ErrorCode, RemoteError
from tracker.series import EVERY, Sample, Series

MOST_STREAMS = 256
"""Streams open at once. A dashboard is for a few people; each stream costs a write a second."""
WRITE_TIMEOUT = 10.0
"""A stream that takes nothing for so long is closed."""

_NO_STORE = {"Cache-Control": "no-store"}
_EVENT_STREAM = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the events until it has many
}
_encode = msgspec.json.Encoder().encode


class Api:
    """The routes under /api/v1, and the samples behind them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._series = Series()
        self._sampled = asyncio.Event()
        """Set, and replaced by a new one, at each sample."""
        self._sampler: asyncio.Task[None] | None = None
        self._streams = 0
        self._draining = False

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        yield web.get("/api/v1/summary", self._summary)
        yield web.get("/api/v1/stream", self._stream)

    def start(self) -> None:
        """Begin to take samples."""
        self._sampler = asyncio.create_task(self._sample())

    def drain(self) -> None:
        """End the streams."""
        self._draining = True
        self._sampled.set()

    async def close(self) -> None:
        """Take no more samples."""
        if self._sampler is not None:
            self._sampler.cancel()
            await asyncio.wait([self._sampler])

    async def _sample(self) -> None:
        while True:
            self._series.add(self._ledger.summary(), time.time())
            self._sampled.set()
            self._sampled = asyncio.Event()
            await asyncio.sleep(EVERY)

    async def _summary(self, request: web.Request) -> web.Response:
        return web.Response(
            body=_encode(self._ledger.summary()),
            content_type="application/json",
            headers=_NO_STORE,
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._draining:
            raise RemoteError(ErrorCode.DRAINING, "This tracker is going away.")
        if self._streams >= MOST_STREAMS:
            raise RemoteError(ErrorCode.TOO_MANY, f"{MOST_STREAMS} streams are open: close some.")
        self._streams += 1
        try:
            return await self._send_events(request)
        finally:
            self._streams -= 1

    async def _send_events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_EVENT_STREAM)
        await response.prepare(request)
        sent = 0
        try:
            while not self._draining:
                samples, sent = self._series.since(sent), self._series.count
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await response.write(self._event(samples))
                await self._sampled.wait()
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()  # nobody reads; its buffer is not to be waited for
        return response

    def _event(self, samples: Iterable[Sample]) -> bytes:
        data = _encode({"summary": self._ledger.summary(), "series": samples})
        return b"data: " + data + b"\n\n"
