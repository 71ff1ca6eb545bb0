"""The limits of HTTP, tried over real connections."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from aiohttp import web

from origin.http_error import refusal_of
from origin.sources.cache import DiskCache
from origin.sources.mounts import Common
from origin.sources.object_store import ObjectReader, connect, place_of
from origin.sources.turns import MOST_OF_ONE, MOST_WAITING, Share, Turns
from origin.sources.upstream import upstream_at
from p2pcdn.config import Config, OriginConfig
from p2pcdn.errors import SourceError
from p2pcdn.service.errors import code_of
from p2pcdn.service.server import BODY_BYTES
from tests.limits.case import counted, seconds, timed
from tests.p2pcdn.service.hosting import Wire, connected, hello, hosted
from tests.tracker.rig import rig
from tracker import api

PATIENT = OriginConfig(header_timeout=30.0)


async def code_in(wire: Wire) -> str:
    """The code of an answer; that of a connection which was closed without one is `closed`."""
    try:
        answer = await wire.answer()
    except (asyncio.IncompleteReadError, ConnectionError):
        return "closed"
    return "" if answer.status == 200 else answer.error[0]


async def drip(wire: Wire, text: str) -> None:
    while True:
        wire.send(text)
        await asyncio.sleep(0.05)


async def slow_header(how: str) -> str:
    limits = OriginConfig(header_timeout=seconds(how))
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\n" + ("Host: x\r\n\r\n" if how == "prompt" else "X: "))
        dripping = asyncio.create_task(drip(wire, "x") if how == "dripping" else asyncio.sleep(0))
        code = await code_in(wire)
        dripping.cancel()
        return "request_timeout" if how == "dripping" and code == "closed" else code


async def header_of_bytes(size: int) -> str:
    limits = OriginConfig(header_timeout=30.0, header_bytes=1024, header_count=1000)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        head = "GET / HTTP/1.1\r\nHost: x\r\n"
        left = size - len(head) - 2
        lines = [f"X: {'x' * 995}\r\n"] * max(0, left // 1000 - 1)
        left -= 1000 * len(lines)
        wire.send(head + "".join(lines) + f"X: {'x' * (left - 5)}\r\n\r\n")
        return await code_in(wire)


async def header_of_lines(number: int) -> str:
    limits = OriginConfig(header_timeout=30.0, header_bytes=1_048_576, header_count=16)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        wire.get("/", *["X: x"] * (number - 1))
        return await code_in(wire)


async def idle(how: str) -> str:
    limits = OriginConfig(header_timeout=seconds(how), keepalive=seconds(how))
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        wire.get("/")
        await wire.answer()
        if how == "dripping":
            wire.send("G")
            await wire.ended()
            return "closed"
        if how == "prompt":
            wire.get("/")
        return await code_in(wire)


async def unread(how: str) -> str:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=bytes(8_000_000))

    limits = OriginConfig(stall_timeout=seconds(how))
    async with hosted(web.get("/", answer), limits=limits) as server, connected(server) as wire:
        if how != "prompt":
            wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire.get("/")
        if how != "prompt":
            assert server._runner is not None
            assert server._runner.server is not None
            for there in (True, False):
                while bool(server._runner.server.connections) != there:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
            return "closed"
        return await code_in(wire)


async def connections(number: int, **limits: Any) -> str:
    code = ""
    async with (
        hosted(web.get("/", hello), limits=OriginConfig(**limits)) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(number):
            wire = await stack.enter_async_context(connected(server))
            wire.get("/")
            code = code or await code_in(wire)
    return code


async def body_of(size: int) -> str:
    async def read(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async with hosted(web.post("/", read), limits=PATIENT) as server, connected(server) as wire:
        wire.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
        answer = asyncio.create_task(code_in(wire))
        piece = bytes(16_384)
        for offset in range(0, size, len(piece)):
            if answer.done() or wire.writer.transport.is_closing():
                break
            wire.send(piece[: size - offset])
            with suppress(ConnectionError):
                await wire.writer.drain()
        return await answer


def waiting_far_away(number: int) -> str:
    """Threads that wait for a bucket and for an upstream, by turns."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        common = Common(DiskCache(Path(folder), 0), Turns())
        config = Config(data=Path(folder))
        source = upstream_at("http://127.0.0.1:1/", "content", config, *common)
        stack.callback(source.close)
        place = place_of("s3://films?endpoint=http://127.0.0.1:1&anonymous=yes", "content")
        reader = ObjectReader(connect(place, "content"), turns=common.turns)
        try:
            for n in range(number):
                stack.enter_context(reader.turn() if n % 2 else source.turn())
        except SourceError as error:
            return code_of(refusal_of(error).status)
    return ""


def waiting_for_one(number: int) -> str:
    share = Share(Turns(), "https://media.example/")
    with ExitStack() as stack:
        try:
            for _ in range(number):
                stack.enter_context(share.turn())
        except SourceError as error:
            return code_of(refusal_of(error).status)
    return ""


async def streams_of(number: int) -> str:
    with mock.patch.object(api, "MOST_STREAMS", 3):
        async with rig() as tracker, AsyncExitStack() as stack:
            for _ in range(number):
                stream = tracker.session.get(f"{tracker.server.url}/api/v1/stream")
                response = await stack.enter_async_context(stream)
                if response.status != 200:
                    return str((await response.json())["error"]["code"])
        return ""


CASES = [
    timed("origin.header_timeout", slow_header, "request_timeout"),
    counted("origin.header_bytes", 1024, header_of_bytes, "request_header_fields_too_large"),
    counted("origin.header_count", 16, header_of_lines, "bad_request"),
    timed("origin.keepalive", idle, "closed"),
    timed("origin.stall_timeout", unread, "closed")._replace(far=None),
    counted(
        "origin.connections", 3, lambda n: connections(n, connections=3), "service_unavailable",
        far=100,
    ),
    counted(
        "origin.connections_per_address", 3, lambda n: connections(n, connections_per_address=3),
        "service_unavailable", far=100,
    ),
    counted(
        "p2pcdn.service.server.BODY_BYTES", BODY_BYTES, body_of, "request_entity_too_large",
    ),
    counted(
        "origin.sources.turns.MOST_WAITING", MOST_WAITING, waiting_far_away, "service_unavailable",
    ),
    counted(
        "origin.sources.turns.MOST_OF_ONE", MOST_OF_ONE, waiting_for_one, "service_unavailable",
    ),
    counted("tracker.api.MOST_STREAMS", 3, streams_of, "too_many", far=50),
]  # fmt: skip
