"""Connections that cost a server more than their owner: each kind opens one, and is slow.

An attacker that is closed has lost; how long that took is what it returns.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

ELSEWHERE = "127.0.0.2" if sys.platform == "linux" else "127.0.0.1"
"""Where attackers come from: not from where the honest are, if the machine can pretend that."""

DRIP = 1.0
"""Seconds between the bytes of those that drip."""

_SMALL = 4096


class Target(NamedTuple):
    """A server: where it speaks plainly, where by TLS, and what there is to be asked for."""

    port: int
    tls_port: int
    large: str
    """The path of a file that fits into no buffer."""


class Wire(NamedTuple):
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ended(self, drip: bytes = b"") -> None:
        """Wait until the other side has closed; meanwhile send one of these bytes at a time."""
        dripping = asyncio.create_task(self._drip(drip)) if drip else None
        try:
            while await self.reader.read(65_536):
                pass
        except ConnectionError:
            pass
        finally:
            if dripping is not None:
                dripping.cancel()
                await asyncio.wait([dripping])

    async def _drip(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                for byte in data:
                    await asyncio.sleep(DRIP)
                    self.writer.write(bytes([byte]))
                    await self.writer.drain()


@asynccontextmanager
async def connected(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """A connection from elsewhere with small buffers."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
    raw.setblocking(False)
    raw.bind((ELSEWHERE, 0))
    try:
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(
            sock=raw, limit=_SMALL, ssl=tls, server_hostname="localhost" if tls else None
        )
    except BaseException:
        raw.close()
        raise
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


UPGRADE = (
    b"GET /tracker/v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_PING = b"\x89\x80\x00\x00\x00\x00"
_BEGUN = b"\x01\x81\x00\x00\x00\x00{"
_MORE = b"\x00\x81\x00\x00\x00\x00 "


def _plain(first: bytes, drip: bytes = b"") -> Callable[[Target], Awaitable[None]]:
    async def attack(target: Target) -> None:
        async with connected(target.port) as wire:
            wire.writer.write(first)
            await wire.ended(drip)

    return attack


async def _half_handshake(target: Target) -> None:
    async with connected(target.tls_port) as wire:
        wire.writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # of a ClientHello
        await wire.ended()


async def _silent_after_handshake(target: Target) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    async with connected(target.tls_port, context) as wire:
        await wire.ended()


async def _deaf(target: Target) -> None:
    """Asks for much and reads nothing. That it was closed shows when a byte more is refused."""
    async with connected(target.port) as wire:
        wire.writer.write(f"GET {target.large} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(DRIP / 4)
                wire.writer.write(b"x")
                await wire.writer.drain()


KINDS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "no byte": _plain(b""),
    "half a request line": _plain(b"GET /med"),
    "a byte of a header a second": _plain(b"GET / HTTP/1.1\r\n", b"X-Slow: 1\r\n"),
    "a byte of a body a second": _plain(
        b"POST /api/v1/summary HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", b"x"
    ),
    "an answer that nobody reads": _deaf,
    "half a TLS handshake": _half_handshake,
    "TLS, and silent": _silent_after_handshake,
    "a WebSocket, and silent": _plain(UPGRADE),
    "a WebSocket that only pings": _plain(UPGRADE, _PING),
    "a message that never ends": _plain(UPGRADE + _BEGUN, _MORE),
}
"""What each does, by name."""


async def closed_after(kind: str, target: Target) -> float:
    """Attack once; how many seconds it took until the connection was closed."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await KINDS[kind](target)
    return loop.time() - began


async def besiege(
    target: Target, connections: int, deadline: float, pace: float = 0.002
) -> dict[str, list[float | None]]:
    """So many connections, all kinds in turn; for each kind when they were closed, or None for
    those that were not by the deadline."""
    names = [list(KINDS)[number % len(KINDS)] for number in range(connections)]

    async def attack(number: int) -> float | None:
        await asyncio.sleep(number * pace)
        try:
            async with asyncio.timeout(deadline):
                return await closed_after(names[number], target)
        except TimeoutError:
            return None

    times = await asyncio.gather(*(attack(number) for number in range(connections)))
    found: dict[str, list[float | None]] = {kind: [] for kind in KINDS}
    for kind, time in zip(names, times, strict=True):
        found[kind].append(time)
    return found
