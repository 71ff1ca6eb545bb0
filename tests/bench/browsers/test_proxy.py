"""What is counted is what came down, to the byte, and it belongs to the right request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from bench.browsers.proxy import Proxy, Requests

BODY = b"x" * 300_000


async def _body(_: web.Request) -> web.Response:
    return web.Response(body=BODY)


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_bytes(message.data)
    return socket


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    app = web.Application()
    app.router.add_get("/body", _body)
    app.router.add_get("/echo", _echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with Proxy(runner.addresses[0][1]) as running:
        yield running
    await runner.cleanup()


async def _raw(proxy: Proxy, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_all_that_arrives_is_counted_heads_included(proxy: Proxy) -> None:
    answer = await _raw(proxy, b"GET /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.endswith(BODY)
    assert proxy.bytes == len(answer) > len(BODY)


async def test_each_request_of_a_connection_has_its_own(proxy: Proxy) -> None:
    url = f"http://127.0.0.1:{proxy.port}"
    async with aiohttp.ClientSession() as http:
        for path, headers in (
            ("/body?1", {"Origin": "http://v3.localhost:80", "Range": "bytes=0-"}),
            ("/none", {"Referer": "http://v4.localhost:80/viewer.html"}),
        ):
            async with http.get(url + path, headers=headers) as answer:
                await answer.read()
    first, second = proxy.fetches
    assert (first.method, first.path, first.viewer, first.range) == (
        "GET", "/body?1", "v3", "bytes=0-",
    )  # fmt: skip
    assert (second.path, second.viewer, second.range) == ("/none", "v4", "-")
    assert len(BODY) < first.bytes < len(BODY) + 1000
    assert 0 < second.bytes < 1000
    assert first.began <= first.ended <= second.began


async def test_a_web_socket_is_one_request_that_lasts(proxy: Proxy) -> None:
    url = f"http://127.0.0.1:{proxy.port}/echo"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        before = proxy.bytes
        await socket.send_bytes(b"GET / HTTP/1.1\r\n\r\n" * 3)
        assert len((await socket.receive()).data) == 54
    (fetch,) = proxy.fetches
    assert fetch.path == "/echo"
    assert proxy.bytes >= before + 54


async def test_counting_begins_anew(proxy: Proxy) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{proxy.port}/body") as answer,
    ):
        await answer.read()
    proxy.reset()
    assert proxy.bytes == 0


async def test_a_server_that_is_gone_ends_the_connection(proxy: Proxy) -> None:
    async with Proxy(1) as nowhere:
        assert await _raw(nowhere, b"GET / HTTP/1.1\r\n\r\n") == b""


def test_a_head_may_come_in_pieces() -> None:
    requests = Requests()
    found = [requests.feed(bytes([byte]), 1.0) for byte in b"GET /a HTTP/1.1\r\nA: b\r\n\r\n"]
    (fetch,) = found[-1]
    assert not any(found[:-1])
    assert (fetch.path, fetch.headers, fetch.viewer) == ("/a", {"a": "b"}, "-")
