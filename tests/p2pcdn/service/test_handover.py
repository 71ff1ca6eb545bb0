"""A connection that HTTP lets go of, under both loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from p2pcdn.config import OriginConfig
from p2pcdn.service.deadline import Line
from p2pcdn.service.handover import HandedOver, hand_over
from tests.p2pcdn.service.hosting import Wire, connected, hello, hosted

REQUEST = "GET /raw HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


class Echo(asyncio.BufferedProtocol):
    """Says what it hears; it has a buffer of its own, as those who parse in C have."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._buffer = bytearray(100)
        line.transport.set_protocol(self)
        line.transport.write(b"<" + line.tail)
        line.transport.resume_reading()

    def get_buffer(self, _: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._line.transport.write(self._buffer[:nbytes])

    def connection_lost(self, exc: Exception | None) -> None:
        self._line.leave()


async def take(request: web.Request) -> web.StreamResponse:
    Echo(hand_over(request))
    return HandedOver()


async def is_spoken_to_by_its_new_protocol() -> None:
    # No deadline of HTTP's is for it any more.
    limits = OriginConfig(header_timeout=0.3, keepalive=0.3, stall_timeout=0.3)
    async with hosted(web.get("/raw", take), limits=limits) as server, connected(server) as wire:
        wire.send(REQUEST + "and more")
        assert await wire.reader.readexactly(9) == b"<and more"
        await asyncio.sleep(0.5)
        wire.send("hello")
        assert await wire.reader.readexactly(5) == b"hello"


async def has_been_asked_for_other_things_before() -> None:
    routes = web.get("/raw", take), web.get("/", hello)
    async with hosted(*routes) as server, connected(server) as wire:
        wire.get("/")
        assert (await wire.answer()).body == b"hello"
        wire.send(REQUEST)
        assert await wire.reader.readexactly(1) == b"<"


async def keeps_its_place_until_it_is_closed() -> None:
    limits = OriginConfig(connections=1)
    async with hosted(web.get("/raw", take), web.get("/", hello), limits=limits) as server:
        async with connected(server) as wire:
            wire.send(REQUEST)
            await wire.reader.readexactly(1)
            async with connected(server) as other:
                assert (await other.answer()).status == 503
        async with asyncio.timeout(10):
            while True:
                async with connected(server) as other:
                    other.get("/")
                    if (await other.answer()).status == 200:
                        break


@asynccontextmanager
async def refused(spoil: Callable[[asyncio.Transport], None]) -> AsyncIterator[Wire]:
    """A connection that cannot be handed over after something has been done to it."""

    async def spoilt(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        spoil(request.transport)
        try:
            hand_over(request)
        except ConnectionResetError:
            told.set()
            raise
        return HandedOver()

    told = asyncio.Event()
    async with hosted(web.get("/raw", spoilt)) as server, connected(server) as wire:
        wire.send(REQUEST)
        yield wire
        await asyncio.wait_for(told.wait(), 10)


async def may_be_lost_already() -> None:
    async with refused(lambda transport: transport.abort()) as wire:
        assert await wire.ended() == b""


async def has_no_answers_unread() -> None:
    """Or its next protocol would never be told that it has to wait."""
    async with refused(lambda transport: transport.write(bytes(16_000_000))):
        pass


@pytest.mark.parametrize(
    "scene",
    [
        is_spoken_to_by_its_new_protocol,
        has_been_asked_for_other_things_before,
        keeps_its_place_until_it_is_closed,
        may_be_lost_already,
        has_no_answers_unread,
    ],
)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_connection(loop: str, scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run = asyncio.run if loop == "asyncio" else pytest.importorskip("uvloop").run
    run(scene())


async def test_it_counts_as_what_it_is() -> None:
    async with hosted(web.get("/raw", take)) as server, connected(server) as wire:
        wire.send(REQUEST)
        await wire.reader.readexactly(1)
        async with connected(server) as other:
            other.get("/metrics")
            figures = (await other.answer()).body.decode()
    assert 'p2pcdn_http_requests_total{route="/raw",status="101"}' in figures
