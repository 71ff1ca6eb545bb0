"""The figures over HTTP: now, over time and by content, as JSON or CSV, or as they come.

``/api/v1/summary`` is since the ledger began, ``/api/v1/series`` and ``/api/v1/contents`` are of a
range of time. ``/api/v1/stream`` sends server-sent events of one kind, whose data is ``{"summary":
{...}, "series": [...], "nodes": ..., "site": ..., "price": ...}``: the summary as
``/api/v1/summary`` gives it, the samples since the last event, of which each is a second, how many
nodes there are, and what the settings say. The first event has the samples of the last quarter of
an hour.
No answer can be read by pages of other origins. openapi.json says all of it for programs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.amounts import SHOWN, STEPS
from p2pcdn.core.books import summary_of
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.ledger_ports import Summary
from p2pcdn.core.rollup import COARSE, Figures
from p2pcdn.errors import ErrorCode, RemoteError
from tracker import ranges
from tracker.bookkeeper import Bookkeeper
from tracker.export import Row, as_csv, as_json, format_of
from tracker.nodes.nodes import Nodes
from tracker.series import EVERY, Sample, Series
from tracker.storage import Range, Storage, StorageError

MOST_STREAMS = 256
"""Streams open at once. A dashboard is for a few people; each stream costs a write a second."""
WRITE_TIMEOUT = 10.0
"""A stream that takes nothing for so long is closed."""
MOST_QUERIES = 16
"""Queries that wait for the storage at once; each takes up to some 100 ms of it."""
MOST_CONTENTS = 1000
"""Contents that are listed."""

KINDS = (
    "country",
    "operator",
    "connection",
    "browser",
    "access",
    "rendition",
    "nat",
    "route",
)
"""By what viewers are told apart."""

OPENAPI = Path(__file__).parent / "openapi.json"

_EVENT_STREAM = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep the events until it has many
}
_TIMES = {step: f"{step}_time" for step in STEPS}
_OF_CONTENTS = ("least_bytes", "best_offload")
"""The origin knows what it sends of which content, but not to whom: no group has these."""
_FIGURES = (
    *SHOWN,
    *("link_success", "link_time", "startups", "startup_p50", "startup_p95", *_TIMES.values()),
    *("played_seconds", "stalled_seconds", "rebuffer_ratio", "bitrate", "saved_bytes", "offload"),
    *("best_offload", "seconds", "viewer_seconds", "viewers_avg", "viewers_max"),
)
_OF_GROUPS = tuple(name for name in _FIGURES if name not in _OF_CONTENTS)
_encode = msgspec.json.Encoder().encode

log = structlog.get_logger("p2pcdn.tracker")


class Api:
    """The routes under /api/v1, and the samples behind them."""

    def __init__(self, ledger: Ledger, storage: Storage, config: Config | None = None) -> None:
        config = config or Config()
        self._ledger = ledger
        self._storage = storage
        self._config = config.ledger
        self._settings = {"site": config.site, "price": _price(config.tracker)}
        self._books = Bookkeeper(ledger, storage, self._config.write_every)
        self._series = Series()
        self._sampled = asyncio.Event()
        """Set, and replaced by a new one, at each sample."""
        self._sampler: asyncio.Task[None] | None = None
        self._streams = 0
        self._queries = 0
        self._draining = False
        self.path_of: Callable[[str], str | None] = lambda _: None
        """Where a content is, if anybody in this process knows."""
        self.nodes: Nodes | None = None
        """All nodes, if there may be several."""

    def routes(self) -> Iterable[tuple[str, Handler]]:
        """Where it answers, to whoever is let in."""
        yield "/api/v1/summary", self._summary
        yield "/api/v1/series", self._points
        yield "/api/v1/contents", self._contents
        yield "/api/v1/networks", self._networks
        yield "/api/v1/failures", self._failures
        yield "/api/v1/stream", self._stream
        yield "/api/v1/openapi.json", _openapi

    async def start(self) -> None:
        """Go on from what was written, and begin to take samples."""
        await self._books.open()
        self._sampler = asyncio.create_task(self._sample())

    def notes(self) -> list[str]:
        """What an operator should know of the storage."""
        return self._books.notes()

    def drain(self) -> None:
        """End the streams."""
        self._draining = True
        self._sampled.set()

    async def close(self) -> None:
        """Take no more samples, and write what there is."""
        if self._sampler is None:
            await self._storage.close()
            return
        self._sampler.cancel()
        # One turn of the loop, in which an origin of the same process counts its last bytes, and no
        # more: whoever closes us may not wait for long.
        await asyncio.sleep(0)
        await self._books.close()
        await asyncio.wait([self._sampler])

    async def _sample(self) -> None:
        while True:
            now = time.time()
            self._ledger.on_timer(asyncio.get_running_loop().time())
            self._series.add(self._ledger.summary(), self._ledger.total, now)
            self._books.read(now)
            self._sampled.set()
            self._sampled = asyncio.Event()
            await asyncio.sleep(EVERY)

    # Answers

    async def _summary(self, request: web.Request) -> web.Response:
        summary = self._of_all() if _is_of_all(request) else self._ledger.summary()
        if format_of(request) == "csv":
            row = msgspec.to_builtins(summary)
            return as_csv("p2pcdn-summary", list(row), [row])
        return as_json(summary)

    def _of_all(self) -> Summary:
        """What all nodes have counted together."""
        if self.nodes is None:
            return self._ledger.summary()
        total = self.nodes.total()
        return summary_of(total.amounts, total.viewers, total.swarms, total.refused, total.since)

    async def _points(self, request: web.Request) -> web.Response:
        plan = ranges.series(request.query, self._config, time.time())
        kind = format_of(request)
        async with self._query() as as_of:
            points = await self._storage.points(plan.span, plan.step)
        rows = [{"at": point.at, **self._told(point.figures)} for point in points]
        if kind == "csv":
            return as_csv("p2pcdn-series", ("at", *_FIGURES), rows)
        total = self._told(_added_up(point.figures for point in points))
        span = {"from": plan.span.start, "to": plan.span.end, "step": plan.step, "as_of": as_of}
        return as_json({**span, "total": total, "points": rows})

    async def _contents(self, request: web.Request) -> web.Response:
        spans = ranges.contents(request.query, self._config, time.time())
        kind = format_of(request)
        async with self._query() as as_of:
            shares = await self._storage.shares(spans, MOST_CONTENTS)
        rows = [
            {
                "content": share.content,
                "path": self.path_of(share.content),
                **self._told(share.figures),
            }
            for share in shares
        ]
        if kind == "csv":
            return as_csv("p2pcdn-contents", ("content", "path", *_FIGURES), rows)
        return as_json({**_ends(spans), "as_of": as_of, "contents": rows})

    async def _networks(self, request: web.Request) -> web.Response:
        kinds = KINDS if "by" not in request.query else (request.query["by"],)
        if not set(kinds) <= set(KINDS):
            raise web.HTTPBadRequest(text=f"by is one of {', '.join(KINDS)}.")
        spans = ranges.contents(request.query, self._config, time.time(), COARSE)
        form = format_of(request)
        async with self._query() as as_of:
            found = [await self._storage.groups(spans, kind, MOST_CONTENTS) for kind in kinds]
        rows = [
            {"by": share.kind, "name": share.name, **_of_group(share.kind, share.figures)}
            for shares in found
            for share in shares
        ]
        if form == "csv":
            return as_csv("p2pcdn-networks", ("by", "name", *_OF_GROUPS), rows)
        return as_json({**_ends(spans), "as_of": as_of, "networks": rows})

    async def _failures(self, request: web.Request) -> web.Response:
        spans = ranges.contents(request.query, self._config, time.time(), COARSE)
        form = format_of(request)
        async with self._query() as as_of:
            found = await self._storage.failures(spans, MOST_CONTENTS)
        if form == "csv":
            rows = [msgspec.structs.asdict(count) for count in found]
            return as_csv("p2pcdn-failures", ("kind", "reason", "count"), rows)
        return as_json({**_ends(spans), "as_of": as_of, "failures": found})

    def _told(self, figures: Figures) -> Row:
        """Figures as they are told; what an origin that is elsewhere has sent is not known."""
        told = _told(figures)
        if figures.amounts.peer_bytes_confirmed > 0 and not self._ledger.knows_origin:
            return {**told, "offload": None, "best_offload": None}
        return told

    @asynccontextmanager
    async def _query(self) -> AsyncIterator[float]:
        """A turn at the storage, which knows all until the time that this gives."""
        if self._queries >= MOST_QUERIES:
            raise RemoteError(ErrorCode.TOO_MANY, "Too many queries are waiting: ask again later.")
        self._queries += 1
        try:
            await self._books.catch_up()
            yield self._books.written_at
        except StorageError as error:
            log.error("ledger_not_read", error=str(error))
            raise web.HTTPServiceUnavailable(
                text="The ledger cannot be read; the server's log says why."
            ) from error
        finally:
            self._queries -= 1

    # The stream

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
        nodes = 1 if self.nodes is None else self.nodes.count
        told = {"summary": self._ledger.summary(), "series": samples, "nodes": nodes}
        data = _encode(told | self._settings)
        return b"data: " + data + b"\n\n"


async def _openapi(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(OPENAPI, headers={"Cache-Control": "no-cache"})


def _is_of_all(request: web.Request) -> bool:
    """Whether all nodes are meant, and not this one alone."""
    scope = request.query.get("scope", "node")
    if scope not in ("node", "all"):
        raise web.HTTPBadRequest(text="scope is node or all.")
    return scope == "all"


def _price(config: TrackerConfig) -> dict[str, Any] | None:
    if config.price_per_gb is None:
        return None
    return {"per_gb": config.price_per_gb, "currency": config.currency}


def _ends(spans: Sequence[Range]) -> dict[str, int]:
    return {"from": spans[0].start, "to": spans[-1].end}


def _told(figures: Figures) -> Row:
    """Figures as they are told: with what can be said of them."""
    amounts, seconds = figures.amounts, figures.seconds
    return {
        **{name: getattr(amounts, name) for name in SHOWN},
        "link_success": amounts.link_success,
        "link_time": amounts.link_time,
        "startups": amounts.startups,
        "startup_p50": amounts.startup(0.5),
        "startup_p95": amounts.startup(0.95),
        **{name: amounts.time_to(step) for step, name in _TIMES.items()},
        "played_seconds": amounts.played_ms / 1000,
        "stalled_seconds": amounts.stalled_ms / 1000,
        "rebuffer_ratio": amounts.rebuffer_ratio,
        "bitrate": amounts.bitrate,
        "saved_bytes": amounts.saved_bytes,
        "offload": amounts.offload,
        "best_offload": amounts.best_offload,
        "seconds": round(seconds, 3),
        "viewer_seconds": round(figures.viewer_seconds, 3),
        "viewers_avg": round(figures.viewer_seconds / seconds, 3) if seconds else 0.0,
        "viewers_max": figures.viewers_max,
    }


def _of_group(kind: str, figures: Figures) -> Row:
    told = _told(figures)
    group = {name: told[name] for name in _OF_GROUPS}
    if kind == "route":  # what has failed, or came from the origin, went by none
        return {**group, "link_success": None, "offload": None}
    return group


def _added_up(several: Iterable[Figures]) -> Figures:
    total = Figures()
    for figures in several:
        total.amounts.add(figures.amounts)
        total.seconds += figures.seconds
        total.viewer_seconds += figures.viewer_seconds
        total.viewers_max = max(total.viewers_max, figures.viewers_max)
    return total
