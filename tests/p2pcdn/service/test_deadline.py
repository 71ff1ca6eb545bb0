"""Slow and oversized request headers, sent as an attacker would."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiohttp import web

from p2pcdn.config import OriginConfig
from tests.p2pcdn.service.hosting import connected, hello, hosted


async def drip(wire: asyncio.StreamWriter, text: str) -> None:
    """Write one byte at a time, until the other side has had enough."""
    for byte in text.encode() * 1000:
        wire.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def test_a_silent_connection_is_closed_without_a_word() -> None:
    async with hosted() as server, connected(server) as wire:
        assert await wire.ended() == b""


async def test_half_a_header_is_told_so_and_closed() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\nHost: x\r\n")
        answer = await wire.answer()
        assert answer.status == 408
        assert answer.error == (
            "request_timeout", "The request's header was not complete within 0.3 s.",
        )  # fmt: skip
        assert await wire.ended() == b""


async def test_more_bytes_do_not_turn_the_clock_back() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip(wire.writer, "X-Slow: 1\r\n"))
        await wire.ended()  # the 408 may be lost: whoever still writes gets a reset
        dripping.cancel()


async def test_a_kept_connection_may_be_idle_longer_than_a_header_may_take() -> None:
    async with hosted(web.get("/", hello)) as server, AsyncExitStack() as stack:
        kept = await stack.enter_async_context(connected(server))
        clock = await stack.enter_async_context(connected(server))
        kept.get("/")
        assert (await kept.answer()).body == b"hello"
        await clock.ended()  # it has said nothing for as long as a header may take
        kept.get("/")
        assert (await kept.answer()).body == b"hello"


async def test_the_next_header_on_a_kept_connection_has_its_deadline_too() -> None:
    async with hosted(web.get("/", hello)) as server, connected(server) as wire:
        wire.get("/")
        await wire.answer()
        wire.send("GET / HT")
        assert (await wire.answer()).status == 408
        assert await wire.ended() == b""


async def test_a_handler_may_take_longer_than_a_header() -> None:
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(text="at last")

    async with hosted(web.get("/", slow)) as server, AsyncExitStack() as stack:
        busy = await stack.enter_async_context(connected(server))
        busy.get("/")
        clock = await stack.enter_async_context(connected(server))
        await clock.ended()
        release.set()
        assert (await busy.answer()).body == b"at last"


@pytest.mark.parametrize("header", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_body_has_the_same_deadline(header: str) -> None:
    async with hosted(web.post("/", hello)) as server, connected(server) as wire:
        wire.send(f"POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n")
        answer = await wire.answer()
        assert answer.status == 408
        assert answer.error[1] == "The request's body was not complete within 0.3 s."
        assert await wire.ended() == b""


async def test_a_body_in_time_is_there_for_the_handler() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with hosted(web.post("/", read)) as server, connected(server) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.01)
        wire.send("b")
        assert (await wire.answer()).body == b"ab"


async def test_a_websocket_may_be_silent() -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async with hosted(web.get("/", socket)) as server, AsyncExitStack() as stack:
        wire = await stack.enter_async_context(connected(server))
        wire.get(
            "/",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        assert b" 101 " in await wire.reader.readuntil(b"\r\n\r\n")
        for _ in range(2):
            wire.send(b"\x81\x82\x00\x00\x00\x00hi")  # a masked text frame, RFC 6455, 5.2
            assert await wire.reader.readexactly(4) == b"\x81\x02hi"
            clock = await stack.enter_async_context(connected(server))
            await clock.ended()


async def test_an_idle_connection_is_closed_after_its_keepalive() -> None:
    limits = OriginConfig(header_timeout=30.0, keepalive=0.2)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        wire.get("/")
        await wire.answer()
        assert await wire.ended() == b""


async def test_a_header_that_grows_and_grows_is_refused_before_it_ends() -> None:
    limits = OriginConfig(header_timeout=30.0, header_bytes=4096, header_count=1000)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        lines = [f"X-{number}: {'x' * 90}\r\n" for number in range(60)]
        wire.send("GET / HTTP/1.1\r\n" + "".join(lines[:30]))
        await wire.writer.drain()
        wire.send("".join(lines[30:]))
        answer = await wire.answer()
        assert answer.status == 431
        assert answer.error == (
            "request_header_fields_too_large", "A request header has at most 4096 bytes here.",
        )  # fmt: skip
        assert await wire.ended() == b""


async def test_a_header_at_its_bounds_is_fine_and_one_line_more_is_not() -> None:
    limits = OriginConfig(header_timeout=30.0, header_count=16)
    async with hosted(web.get("/", hello), limits=limits) as server, AsyncExitStack() as stack:
        good = await stack.enter_async_context(connected(server))
        good.get("/", *(f"X-{number}: 1" for number in range(limits.header_count - 1)))
        assert (await good.answer()).status == 200
        bad = await stack.enter_async_context(connected(server))
        bad.get("/", *(f"X-{number}: 1" for number in range(limits.header_count)))
        assert (await bad.answer()).error[0] == "bad_request"
        assert await bad.ended() == b""


async def test_a_line_that_is_too_long_is_refused() -> None:
    async with hosted(web.get("/", hello)) as server, connected(server) as wire:
        wire.get("/", f"X-Long: {'x' * 9000}")
        answer = await wire.answer()
        assert answer.status == 400
        assert await wire.ended() == b""


async def test_what_is_not_http_is_told_so_in_our_shape() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\nno colon\r\n\r\n")
        answer = await wire.answer()
        assert answer.status == 400
        code, message = answer.error
        assert code == "bad_request"
        assert message.startswith("This is not valid HTTP: ")
        assert "\n" not in message
        assert await wire.ended() == b""


async def test_hundreds_of_slow_connections_disturb_nobody() -> None:
    limits = OriginConfig(header_timeout=1.0)
    async with hosted(web.get("/", hello), limits=limits) as server, AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(server)) for _ in range(300)]
        for wire in slow:
            wire.send("GET / HTTP/1.1\r\nX: ")
        good = await stack.enter_async_context(connected(server))
        good.get("/")
        assert (await good.answer()).body == b"hello"
        for wire in slow:
            assert b" 408 " in await wire.ended()
