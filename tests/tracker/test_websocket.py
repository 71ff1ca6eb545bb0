"""picows behind aiohttp: handshakes as browsers write them, both loops, TLS, and small buffers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from p2pcdn.config import Config, Tls, TrackerConfig
from p2pcdn.wire.codec import encode
from tests.certificates import make_certificate
from tests.tracker.rig import Rig, join, rig
from tests.tracker.test_connection import frame, padded
from tracker.websocket import READ_BUFFER

HANDSHAKE = {
    "Host": "t",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
"""As in RFC 6455, 1.3."""


@asynccontextmanager
async def asked(
    tracker: Rig, changes: dict[str, str], more: bytes = b""
) -> AsyncIterator[asyncio.StreamReader]:
    """A raw connection on which a handshake was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", tracker.server.port)
    headers = HANDSHAKE | changes
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    writer.write(f"GET /tracker/v1 HTTP/1.1\r\n{''.join(lines)}\r\n".encode() + more)
    try:
        yield reader
    finally:
        writer.close()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Connection": "keep-alive, Upgrade"},  # Firefox
        {"Upgrade": "WebSocket"},
        {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"},
        {"Sec-WebSocket-Key": " dGhlIHNhbXBsZSBub25jZQ== "},
    ],
)
async def test_a_handshake_is_answered_by_its_key(changes: dict[str, str]) -> None:
    async with rig() as tracker, asked(tracker, changes) as reader:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        status, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ") for line in lines)}
        assert status == "HTTP/1.1 101 Switching Protocols"
        assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert headers["upgrade"] == "websocket"
        assert headers["connection"].lower() == "upgrade"
        assert headers["server"].startswith("p2pcdn/")
        assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize("key", ["", "short", "dGhlIHNhbXBsZSBub25jZQ==?", "\u00e4" * 24])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    async with rig() as tracker, asked(tracker, {"Sec-WebSocket-Key": key}) as reader:
        assert (await reader.readline()).startswith(b"HTTP/1.1 4")


async def test_what_comes_with_the_handshake_is_heard_after_the_welcome() -> None:
    said = frame(b"\x81", encode(join()).encode()) + frame(b"\x89", b"x")
    async with rig() as tracker, asked(tracker, {}, said) as reader:
        await reader.readuntil(b"\r\n\r\n")
        told = await reader.readuntil(b"\x8a\x01x")  # the pong
        assert told.index(b'"welcome"') < told.index(b'"joined"')


async def test_a_large_message_leaves_no_large_buffer() -> None:
    async with rig() as tracker:
        client = await tracker.joined()
        (guest,) = tracker.tracker._guests
        for size in (300, 60_000, 300, 65_000):
            await client.send(padded(size))
            assert await client.lives()
            assert len(guest.connection._frames._protocol.get_buffer(-1)) < 2 * READ_BUFFER


async def test_a_socket_that_is_idle_has_no_large_buffer() -> None:
    async with rig() as tracker:
        client = await tracker.joined()
        (guest,) = tracker.tracker._guests
        await client.send(padded(15_000))
        assert await client.lives()
        client.write(frame(b"\x8a"))  # a pong: nothing else has come for a while
        frames = guest.connection._frames
        await tracker.until(lambda: len(frames._protocol.get_buffer(-1)) < 2 * READ_BUFFER)
        assert await client.lives()


async def test_last_words_arrive_though_the_peer_goes_on_writing() -> None:
    """A frame of no WebSocket, and then a lot that nobody will read."""
    async with rig() as tracker:
        client = await tracker.joined()
        client.write(frame(b"\x83") + bytes(3_000_000))
        assert await client.last_words() == ("", 1002)


async def chats(tracker: Rig) -> None:
    client = await tracker.joined()
    assert await client.lives()
    for _ in range(20):  # read no faster than it may
        await client.send(padded(20_000))
    assert await client.lives()
    await client.send("nonsense")
    assert await client.last_words() == ("malformed", 1008)
    await tracker.until(lambda: not len(tracker.tracker._guests))


async def chats_at(tls: Tls, certificate: Path | None) -> None:
    limits = TrackerConfig(messages_per_second=200, burst=15)
    tracker = Rig(Config(listen="127.0.0.1:0", tls=tls, tracker=limits))
    if certificate is not None:
        trust = ssl.create_default_context(cafile=certificate)
        await tracker.session.close()
        tracker.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust))
    await tracker.server.start()
    try:
        await chats(tracker)
    finally:
        await tracker.close()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("secure", [False, True])
def test_a_peer_is_served_by_both_loops_with_tls_and_without(
    loop: str, secure: bool, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path, "127.0.0.1") if secure else (None, None)
    run = asyncio.run if loop == "asyncio" else pytest.importorskip("uvloop").run
    run(chats_at(Tls(cert=cert, key=key), cert))
