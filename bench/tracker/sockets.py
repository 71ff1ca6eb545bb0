"""Many sockets from many addresses, for loads: picows's clients, since a load must cost less than
what it measures.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable, Iterable
from statistics import quantiles
from typing import TypeVar

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

TEXT, CLOSE = WSMsgType.TEXT, WSMsgType.CLOSE

AT_ONCE = 100
"""Connections that are being opened at the same time."""


class Socket(WSListener):
    """A client's end; ``hear`` is for subclasses."""

    transport: WSTransport

    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = False

    def hear(self, data: bytes) -> None:
        """A message has come."""

    def say(self, text: bytes) -> None:
        """Send a message."""
        self.transport.send(TEXT, text)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is TEXT:
            self.hear(frame.get_payload_as_bytes())
        elif kind is CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.closed = True


S = TypeVar("S", bound=Socket)


def source(number: int) -> str:
    """An address of this machine, in a network of its own."""
    return f"127.{1 + number // 200 % 250}.{1 + number % 200}.1"


async def connect(url: str, sockets: Iterable[S]) -> list[S]:
    """Open them all, each from an address of its own."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(socket: S) -> S:
        async with gate:
            await ws_connect(
                lambda: socket,
                url,
                local_addr=(source(socket.number), 0),
                websocket_handshake_timeout=60,
                read_buffer_init_size=2048,
                logger_name=None,
            )
        return socket

    return await asyncio.gather(*map(one, sockets))


def many_descriptors() -> None:
    """Have as many sockets as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def paced(rate: float, seconds: float, act: Callable[[], None]) -> None:
    """Act so many times a second, evenly; what is late is made up for."""
    loop = asyncio.get_running_loop()
    began, done = loop.time(), 0
    while (passed := loop.time() - began) < seconds:
        while done < passed * rate:
            act()
            done += 1
        await asyncio.sleep(0.001)


def percentiles(times: list[float]) -> tuple[float, float]:
    """Half, and 99 of a hundred, are below it; in milliseconds."""
    if len(times) < 2:
        return 0.0, 0.0
    cuts = quantiles(times, n=100)
    return 1000 * cuts[49], 1000 * cuts[98]
