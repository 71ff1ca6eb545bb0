"""A server with a service made for the test, and raw connections to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from p2pcdn.config import OriginConfig
from p2pcdn.service import Server

LIMITS = OriginConfig(header_timeout=0.3, keepalive=30.0)


class Host:
    """A service whose routes and problems a test chooses; it notes what is asked of it."""

    def __init__(self, *routes: web.AbstractRouteDef) -> None:
        self.calls: list[str] = []
        self.found: list[str] = []
        self.noted: list[str] = []
        self._routes = routes

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return self._routes

    async def start(self) -> None:
        self.calls.append("start")

    async def drain(self) -> None:
        self.calls.append("drain")

    async def close(self) -> None:
        self.calls.append("close")

    def problems(self) -> list[str]:
        return self.found

    def notes(self) -> list[str]:
        return self.noted


class Answer(msgspec.Struct):
    """What came back over a raw connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> tuple[str, str]:
        """Code and message of an answer in our shape."""
        error = msgspec.json.decode(self.body)["error"]
        return error["code"], error["message"]


class Wire:
    """A connection to which a test writes bytes as it pleases."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    def get(self, path: str, *headers: str) -> None:
        self.send("\r\n".join([f"GET {path} HTTP/1.1", "Host: test", *headers, "", ""]))

    async def answer(self) -> Answer:
        """The next answer, which has a length."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers["Content-Length"]))
        return Answer(int(status.split()[1]), headers, body)

    async def ended(self) -> bytes:
        """What is left until the server closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def hosted(
    *routes: web.AbstractRouteDef, limits: OriginConfig = LIMITS
) -> AsyncIterator[Server]:
    """A running server with these routes."""
    async with Server([Host(*routes)], host="127.0.0.1", port=0, limits=limits) as server:
        yield server


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Wire]:
    """A raw connection to a server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def hello(request: web.Request) -> web.Response:
    """A route's handler."""
    return web.Response(text="hello")
