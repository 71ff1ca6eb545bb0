"""What a stranger sees of the gateway: a reset, and not a byte."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from peer.native.gateway import Gateway, connection
from peer.native.gateway.admission import HEADER_BYTES
from peer.native.gateway.api import Api
from peer.native.gateway.codes import ATTEMPTS
from tests.peer.native.gateway.conftest import Raw, ask, config, request

NOTHING = Raw(b"", reset=True)
EVIL = "https://evil.example"


async def test_who_knows_the_secret_is_answered(gateway: Gateway) -> None:
    answer = await ask(gateway, request(f"GET /{gateway.secret}/api/v1/", gateway))
    assert answer.data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not answer.reset


async def test_a_header_may_come_byte_by_byte(gateway: Gateway) -> None:
    text = request(f"GET /{gateway.secret}/api/v1/", gateway)
    reader, writer = await asyncio.open_connection(*gateway.address)
    for byte in text:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)
    assert (await reader.read(15)) == b"HTTP/1.1 200 OK"
    writer.close()


async def strangers(gateway: Gateway) -> dict[str, bytes]:
    own = gateway.secret
    rebound = {"host": f"evil.example:{gateway.address.port}"}
    return {
        "root": request("GET /", gateway),
        "favicon": request("GET /favicon.ico", gateway),
        "media": request("GET /media/film/index.m3u8", gateway),
        "another origin": request(f"GET /{own}/api/v1/", gateway, origin=EVIL),
        "its preflight": request(
            f"OPTIONS /{own}/api/v1/contents",
            gateway,
            origin=EVIL,
            access_control_request_method="POST",
            access_control_request_private_network="true",
        ),
        "a preflight of nothing": request("OPTIONS /", gateway, origin=EVIL),
        "an image": request(f"GET /{own}/media/x.png", gateway, sec_fetch_site="cross-site"),
        "a rebinding name": request(f"GET /{own}/api/v1/", gateway, **rebound),
        "a rebinding name without a secret": request("GET /", gateway, **rebound),
        "a code that is none": request(f"POST /{'0' * 12}/pair", gateway, origin=EVIL),
        "a socket": request(
            "GET /", gateway, origin=EVIL, upgrade="websocket", connection="Upgrade"
        ),
        "who expects": request("POST /", gateway, expect="100-continue", content_length="5"),
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "nonsense": b"\r\n\r\n",
        "no host": f"GET /{own}/api/v1/ HTTP/1.1\r\n\r\n".encode(),
        "HTTP/0.9": b"GET /\r\n\r\n",
        "a header without end": b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * HEADER_BYTES,
        "a header that is too long": request(f"GET /{own}/", gateway, x="x" * HEADER_BYTES),
    }


async def test_a_stranger_is_reset_without_a_byte(gateway: Gateway) -> None:
    for name, text in (await strangers(gateway)).items():
        assert await ask(gateway, text) == NOTHING, name


async def test_wrong_codes_and_the_right_one_behind_them_tell_nothing(gateway: Gateway) -> None:
    code = gateway.new_code().replace("-", "")
    for guess in [*(f"{n:012}" for n in range(ATTEMPTS)), code]:
        assert await ask(gateway, request(f"POST /{guess}/pair", gateway, origin=EVIL)) == NOTHING


async def test_who_says_nothing_is_reset(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEADER_TIME", 0.05)
    assert await ask(gateway, b"") == NOTHING
    assert await ask(gateway, b"GET /") == NOTHING


async def test_one_too_many_is_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECTIONS", 2)
    async with Gateway(config(tmp_path)) as gateway:
        opened = [await asyncio.open_connection(*gateway.address) for _ in range(2)]
        text = request(f"GET /{gateway.secret}/api/v1/", gateway)
        assert await ask(gateway, text) == NOTHING
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(10):
            while (answer := await ask(gateway, text)) == NOTHING:
                pass  # it has yet to notice that they are gone
        assert answer.data.startswith(b"HTTP/1.1 200")


async def test_each_request_comes_in_by_the_door(gateway: Gateway) -> None:
    one = request(f"GET /{gateway.secret}/api/v1/", gateway, connection="keep-alive")
    other = request("GET /", gateway, host="evil.example")
    answer = await ask(gateway, one + other)
    assert answer.data.count(b"HTTP/1.1") == 1


async def test_what_aiohttp_cannot_read_ends_without_a_word(gateway: Gateway) -> None:
    text = request(f"POST /{gateway.secret}/api/v1/contents", gateway, content_length="x")
    assert await ask(gateway, text) == NOTHING


async def test_what_goes_wrong_in_here_is_told_without_the_secrets_that_are_about(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Api, request: web.Request, *rest: object) -> web.Response:
        raise RuntimeError("no")

    monkeypatch.setattr(Api, "answer", broken)
    with capture_logs() as logged:
        text = request(f"GET /{gateway.secret}/api/v1/", gateway)
        assert await ask(gateway, text) == NOTHING
    said = {"event": "request_failed", "error": "RuntimeError('no')", "log_level": "error"}
    assert said in logged
