"""A server that has media, and plays whatever fault a test asks for."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self

OLD = 1_700_000_000
"""When files were last modified, unless a test says otherwise: long ago."""


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Kept:
    """A file of the server."""

    data: bytes
    etag: str | None = None
    modified: int | None = OLD
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """With an entity tag of its bytes."""
        return cls(data, f'"{hashlib.sha256(data).hexdigest()[:16]}"')


Play = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request in its own way; what it does not write is not answered."""


class FakeUpstream:
    """An HTTP/1.1 server on a port of 127.0.0.1, with single ranges and conditions."""

    def __init__(self) -> None:
        self.files: dict[str, Kept] = {}
        self.plays: dict[str, Play] = {}
        """What is played at these paths instead."""
        self.asked: list[Asked] = []
        self.connections = 0
        self.ranges = True
        self.heads = True
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def close(self) -> None:
        """Stop at once, connections included."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def gets(self, path: str) -> int:
        """How often a file was asked for with its body."""
        return sum(1 for asked in self.asked if (asked.method, asked.path) == ("GET", path))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                play = self.plays.get(asked.path, self._serve)
                await play(asked, writer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _serve(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        kept = self.files.get(asked.path)
        if kept is None or (asked.method == "HEAD" and not self.heads):
            writer.write(head(404 if kept is None else 405, {"Content-Length": "0"}))
            return
        headers = described(kept)
        if _unchanged(asked, kept):
            writer.write(head(304, headers))
            return
        status, data = 200, kept.data
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if match and self.ranges and _condition_holds(asked, kept):
            first, last = int(match[1]), min(int(match[2]), len(data) - 1)
            if first >= len(data):
                length = {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"}
                writer.write(head(416, headers | length))
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            status, data = 206, data[first : last + 1]
        headers["Content-Length"] = str(len(data))
        writer.write(head(status, headers))
        if asked.method != "HEAD":
            writer.write(data)


@contextlib.asynccontextmanager
async def fake_upstream() -> AsyncIterator[FakeUpstream]:
    """A server for as long as it is needed."""
    server = await FakeUpstream().start()
    try:
        yield server
    finally:
        await server.close()


def head(status: int, headers: dict[str, str]) -> bytes:
    """The head of an answer."""
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def described(kept: Kept) -> dict[str, str]:
    """The headers that tell of a file."""
    headers = {"Date": formatdate(usegmt=True), **kept.headers}
    if kept.etag is not None:
        headers["ETag"] = kept.etag
    if kept.modified is not None:
        headers["Last-Modified"] = formatdate(kept.modified, usegmt=True)
    return headers


def says(data: bytes, *, drip: float = 0.0, then: str = "") -> Play:
    """Writes just these bytes, one by one if it drips; then resets, closes or waits."""

    async def play(_: Asked, writer: asyncio.StreamWriter) -> None:
        if drip:
            for byte in data:
                writer.write(bytes([byte]))
                await asyncio.sleep(drip)
        else:
            writer.write(data)
            await writer.drain()
        if then == "reset":
            await asyncio.sleep(0.02)
            writer.transport.abort()
        elif then == "close":
            writer.close()
        elif then == "wait":
            await asyncio.sleep(3600)

    return play


def _unchanged(asked: Asked, kept: Kept) -> bool:
    tag = asked.headers.get("if-none-match")
    if tag is not None:
        return kept.etag is not None and tag.removeprefix("W/") == kept.etag.removeprefix("W/")
    since = asked.headers.get("if-modified-since")
    return since is not None and since == formatdate(kept.modified, usegmt=True)


def _condition_holds(asked: Asked, kept: Kept) -> bool:
    condition = asked.headers.get("if-range")
    modified = None if kept.modified is None else formatdate(kept.modified, usegmt=True)
    return condition is None or condition in (kept.etag, modified)


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    return Asked(method, target, {name.lower(): value for name, value in headers.items()})
