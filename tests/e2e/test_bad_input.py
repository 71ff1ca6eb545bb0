"""Bad input on every surface is answered clearly, and a viewer beside it notices nothing."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.e2e.servers import Command
from tests.e2e.viewer import Stage

REQUESTS = [
    # method, path, headers, acceptable statuses
    ("GET", "/media/../../etc/passwd", {}, {400, 404}),
    ("GET", "/media/%2e%2e/%2e%2e/etc/passwd", {}, {400, 404}),
    ("GET", "/media/film/..%2f..%2f..%2fetc/passwd", {}, {400, 404}),
    ("GET", "/media//etc/passwd", {}, {400, 404}),
    ("GET", "/media/film/%00", {}, {400, 404}),
    ("GET", "/media/film/.recipe.json", {}, {404}),
    ("GET", "/media/film/index.m3u8", {"Range": "bytes=999999-"}, {416}),
    ("GET", "/media/film/index.m3u8", {"Range": "bytes=5-2"}, {200}),
    ("GET", "/media/film/index.m3u8", {"Range": "lines=1-2"}, {200}),
    ("GET", "/media/film/index.m3u8", {"Range": "bytes=" + "9" * 400 + "-"}, {200, 400, 416}),
    ("POST", "/media/film/index.m3u8", {}, {405}),
    ("GET", "/manifest/nothing.m3u8", {}, {404}),
    ("GET", "/manifest/film/180p.m3u8?hashes=9-1", {}, {400}),
    ("GET", "/manifest/film/180p.m3u8?hashes=0-99999999999999999999", {}, {400, 404}),
    ("GET", "/manifest/film/180p.m3u8?at=-1", {}, {400}),
    ("GET", "/p2pcdn.0123456789.js", {}, {404}),
    ("GET", "/tracker/v1", {}, {400, 426}),
    ("GET", "/nothing", {}, {404}),
]

MESSAGES = [
    ("{", "malformed"),
    ("[]", "malformed"),
    ('{"type":"dance"}', "malformed"),
    ('{"type":"leave","type":"leave"}', "unexpected"),
    ('{"type":"join","protocol":1}', "malformed"),
    ("[" * 30_000, "malformed"),
    ("x" * 65_537, "too_large"),
]


@pytest.fixture
def server(fresh_server: Command) -> Command:
    return fresh_server


async def test_bad_requests_and_messages(stage: Stage, server: Command) -> None:
    async with stage.viewer() as viewer:
        await viewer.plays(1)
        await _requests(server)
        await _messages(server)
        await viewer.plays(4)
        await viewer.assert_smooth()


async def _requests(server: Command) -> None:
    for method, path, headers, expected in REQUESTS:
        status, body = await _raw(server.url, method, path, headers)
        assert status in expected, (method, path, headers, status)
        if status >= 400:
            error = json.loads(body)["error"]
            assert error["code"], path
            assert error["message"].endswith("."), error
            assert "Traceback" not in body


async def _messages(server: Command) -> None:
    async with aiohttp.ClientSession() as http:
        for text, code in MESSAGES:
            async with http.ws_connect(f"{server.url}/tracker/v1") as socket:
                assert (await socket.receive_json())["type"] == "welcome"
                await socket.send_str(text)
                answer = await socket.receive(timeout=5)
                if answer.type is aiohttp.WSMsgType.TEXT:
                    assert json.loads(answer.data)["code"] == code, text[:40]
                    answer = await socket.receive(timeout=5)
                assert answer.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def _raw(url: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """A request whose path no client library has tidied up."""
    host = url.removeprefix("http://")
    name, port = host.split(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode(errors="replace")
