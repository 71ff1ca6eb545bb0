"""The limits of uploads, tried over real connections."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from origin.app import Origin
from origin.ingest.playlists import MOST_BYTES
from p2pcdn.config import Config, IngestConfig, OriginConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server
from tests.limits.case import counted, seconds, timed
from tests.p2pcdn.service.hosting import Wire, connected

TOKEN = "a-token-of-encoders"
PIECE = bytes(16_384)


@asynccontextmanager
async def taking(**limits: Any) -> AsyncIterator[Server]:
    """A server that takes uploads."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as content:
        ingest = IngestConfig(paths=("live",), token=TOKEN, **limits)
        patient = OriginConfig(header_timeout=30.0)
        config = Config(content=Path(content), data=Path(folder), ingest=ingest, origin=patient)
        origin = Origin(config, Ledger())
        async with Server([origin], host="127.0.0.1", port=0, limits=patient) as server:
            yield server


def head(wire: Wire, name: str, size: int | None) -> None:
    """Begin an upload."""
    length = "Transfer-Encoding: chunked" if size is None else f"Content-Length: {size}"
    first = f"PUT /ingest/live/{name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}"
    wire.send(f"{first}\r\n{length}\r\n\r\n")


async def code_in(wire: Wire) -> str:
    """The code by which an upload was refused; none if it was taken."""
    status = int((await wire.reader.readuntil(b"\r\n")).split()[1])
    headers = (await wire.reader.readuntil(b"\r\n\r\n")).decode().lower()
    if status in (201, 204):
        return ""
    body = await wire.reader.readexactly(int(headers.split("content-length: ")[1].split()[0]))
    return body.decode().split('"code":"')[1].split('"')[0]


async def upload(wire: Wire, name: str, size: int, begin: bytes = b"") -> str:
    """Put so much, without saying beforehand how much it is."""
    head(wire, name, None)
    answer = asyncio.create_task(code_in(wire))
    for at in range(0, size, len(PIECE)):
        if answer.done() or wire.writer.transport.is_closing():
            break
        piece = (begin if not at else b"").ljust(min(len(PIECE), size - at), b"#")
        wire.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        with suppress(ConnectionError):
            await wire.writer.drain()
    wire.send(b"0\r\n\r\n")
    return await answer


async def segment_of(size: int) -> str:
    async with taking(segment_bytes=65_536) as server, connected(server) as wire:
        return await upload(wire, "0.ts", size)


async def playlist_of(size: int) -> str:
    async with taking() as server, connected(server) as wire:
        return await upload(wire, "a.m3u8", size, b"#EXTM3U\n")


async def uploads(number: int) -> str:
    code = ""
    async with taking(uploads=3) as server, AsyncExitStack() as stack:
        for n in range(number):
            wire = await stack.enter_async_context(connected(server))
            head(wire, f"{n}.ts", 2)
            wire.send(b"x")
            if n < 3:
                await asyncio.sleep(0.05)
                continue
            wire.send(b"x")
            code = code or await code_in(wire)
    return code


async def segments_of(size: int) -> str:
    async with taking(max_size=1_048_576) as server, connected(server) as wire:
        return await upload(wire, "0.ts", size)


async def slow(how: str, **limits: Any) -> str:
    async with taking(**limits) as server, connected(server) as wire:
        head(wire, "0.ts", 1000)
        if how == "prompt":
            wire.send(bytes(1000))
        answer = asyncio.create_task(code_in(wire))
        while not answer.done():
            if how == "dripping":
                wire.send(b"x")
            await asyncio.sleep(0.02)
        return await answer


async def idle(how: str) -> str:
    return await slow(how, idle_timeout=seconds(how), timeout=2 * seconds(how))


async def late(how: str) -> str:
    return await slow(how, timeout=seconds(how))


CASES = [
    counted("ingest.segment_bytes", 65_536, segment_of, "request_entity_too_large"),
    counted(
        "origin.ingest.playlists.MOST_BYTES", MOST_BYTES, playlist_of, "request_entity_too_large",
        far=10 * MOST_BYTES, peak=16_777_216,
    ),
    counted("ingest.uploads", 3, uploads, "service_unavailable", far=50),
    timed("ingest.idle_timeout", idle, "request_timeout"),
    timed("ingest.timeout", late, "request_timeout"),
    counted("ingest.max_size", 1_048_576, segments_of, "insufficient_storage", far=50 * 1_048_576),
]  # fmt: skip
