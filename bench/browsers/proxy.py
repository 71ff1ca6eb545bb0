"""Counts what a server's port sends, at the socket, and notes what it was sent for.

::

    browser <---- down: counted ---- proxy <---- server
            ----- up: requests ---->       ---->

What comes down between the head of one request and that of the next belongs to the first, since
browsers wait for an answer before they send the next request over the same connection. A WebSocket
is one request that lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

READ = 64 * 1024


@dataclass
class Fetch:
    """One request, and the bytes that came for it: heads, bodies, frames of a WebSocket."""

    began: float
    method: str
    path: str
    """With its query."""
    headers: dict[str, str]
    bytes: int = 0
    ended: float = 0.0

    @property
    def viewer(self) -> str:
        """Which viewer asked: each has a site of its own, ``http://v3.localhost``."""
        page = self.headers.get("origin") or self.headers.get("referer") or ""
        return (urlsplit(page).hostname or "-").removesuffix(".localhost")

    @property
    def range(self) -> str:
        return self.headers.get("range", "-")

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last byte that were asked for; none if it was all of it."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.range)
        return (int(asked[1]), int(asked[2])) if asked else None


def parse(head: bytes, now: float) -> Fetch:
    """The fetch that a request's head begins."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines if line)
    return Fetch(now, method, path, {name.lower(): value.strip() for name, _, value in pairs})


@dataclass
class Requests:
    """Finds the heads of requests in what a connection sends."""

    pending: bytes = b""
    opaque: bool = False
    """A WebSocket was asked for: what follows are its frames."""
    fetches: list[Fetch] = field(default_factory=list)

    def feed(self, data: bytes, now: float) -> list[Fetch]:
        """The fetches that begin with this data. Bodies are not expected: browsers only GET."""
        if self.opaque:
            return []
        *heads, self.pending = (self.pending + data).split(b"\r\n\r\n")
        begun = [parse(head, now) for head in heads]
        self.opaque = any("upgrade" in fetch.headers for fetch in begun)
        self.fetches += begun
        return begun


class Proxy:
    """Listens on a port of its own while its context is open, and passes all on."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._began = 0.0
        self.fetches: list[Fetch] = []
        self.port = 0

    @property
    def bytes(self) -> int:
        """All that the server's port has sent since `reset`."""
        return sum(fetch.bytes for fetch in self.fetches)

    def reset(self) -> None:
        """Count from here, and from time 0."""
        self.fetches = []
        self._began = time.monotonic()

    def _now(self) -> float:
        return time.monotonic() - self._began

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=READ)
        self.port = self._server.sockets[0].getsockname()[1]
        self.reset()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = Requests()
        with contextlib.suppress(OSError):
            up, down = await asyncio.open_connection("127.0.0.1", self._upstream, limit=READ)
            ways = (self._up(reader, down, requests), self._down(up, writer, requests))
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                down.close()
        writer.close()

    async def _up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: Requests
    ) -> None:
        while data := await reader.read(READ):
            self.fetches += requests.feed(data, self._now())
            writer.write(data)
            await writer.drain()

    async def _down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: Requests
    ) -> None:
        while data := await reader.read(READ):
            # A server that speaks unasked would only say that a connection is over.
            if requests.fetches:
                fetch = requests.fetches[-1]
                fetch.bytes += len(data)
                fetch.ended = self._now()
            writer.write(data)
            await writer.drain()
