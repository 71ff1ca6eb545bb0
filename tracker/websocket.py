"""picows on a connection that came by aiohttp: WebSocket frames, parsed in C.

::

    request --aiohttp--> Line --> Frames (picows's protocol) --> WSListener
                                     '--> Lane --> transport

picows has no routes and reads headers more narrowly than browsers write them, so it never sees a
request but one of ours, with the client's key: what it answers to that is the answer to the client.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict
from picows import (
    WSAutoPingStrategy,
    WSListener,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stubs lack it

from p2pcdn import __version__
from p2pcdn.service.deadline import Line

READ_BUFFER = 2048
"""Bytes that every socket has for what it receives: the least that picows takes, and more than
most messages. A larger message doubles it until it fits."""

_REQUEST = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %b\r\n\r\n"
)

_ANSWER = WSUpgradeResponse.create_101_response(
    {"Server": f"p2pcdn/{__version__}", "X-Content-Type-Options": "nosniff"}
)
"""One for all: picows puts into it what the key makes, and writes it at once."""

_NO_HEADERS: CIMultiDict[str] = CIMultiDict()

log = structlog.get_logger("p2pcdn.tracker")


def key_of(request: web.Request) -> bytes | None:
    """The key that a WebSocket handshake is to be answered with (RFC 6455, 4.2.1); None if the
    request is none."""
    key = request.headers.get(hdrs.SEC_WEBSOCKET_KEY, "").strip()
    try:
        b64decode(key, validate=True)
    except ValueError:  # also of what is not even ASCII
        return None
    return key.encode() if web.WebSocketResponse().can_prepare(request).ok else None


class Lane:
    """What picows has of the connection: it may write, but ends it by its owner only.

    It would close the socket 10 ms after it has said why, which is too soon for whoever is far
    away: with data unread in its buffer the kernel resets a connection, and last words are lost.
    It is picows's logger, too. Most of what that would write is what is no WebSocket, which any
    client can cause, so it is not for the log.
    """

    __slots__ = ("_give_up", "_transport", "get_write_buffer_size", "write", "writelines")

    def __init__(self, transport: asyncio.Transport, give_up: Callable[[], None]) -> None:
        self._transport = transport
        self._give_up = give_up
        self.get_write_buffer_size = transport.get_write_buffer_size
        self.write: Callable[[bytes], None] = transport.write
        self.writelines = transport.writelines

    def get_extra_info(self, name: str) -> Any:
        return self._transport.get_extra_info(name)

    def close(self) -> None:
        self._give_up()

    def isEnabledFor(self, _: int) -> bool:  # noqa: N802 - as loggers have it
        return False

    def debug(self, *_: object) -> None:
        pass

    info = debug

    def error(self, *_: object) -> None:
        self._give_up()

    warning = error

    def exception(self, *_: object) -> None:
        """What failed is ours: a client's faults are errors."""
        log.exception("socket_failed")  # noqa: LOG004 - picows calls it in its handlers
        self._give_up()


class Frames:
    """Parses what comes over a line for a listener, which can send from when it is connected on.

    ``give_up`` is called when the bytes are no WebSocket, or a frame is larger than ``largest``:
    picows tells the client so, and is to be fed no more (`sink`).
    """

    __slots__ = ("_give_up", "_key", "_largest", "_listener", "_protocol", "_tail", "transport")

    def __init__(
        self,
        line: Line,
        key: bytes,
        listener: WSListener,
        largest: int,
        give_up: Callable[[], None],
    ) -> None:
        self.transport = line.transport
        self._tail = line.tail
        self._key = key
        self._listener = listener
        self._largest = largest
        self._give_up = give_up
        self._protocol = self._begin(line.transport.write)

    def start(self) -> None:
        """Parse what had been read before, and read on."""
        tail, self._tail = self._tail, b""
        self.transport.resume_reading()
        while tail and self.transport.get_protocol() is self._protocol:  # both may change meanwhile
            tail = _feed(self._protocol, tail)

    def renew(self) -> None:
        """Begin again with small buffers: picows's only ever grow. To be called between frames."""
        self._protocol = self._begin(lambda _: None)

    def sink(self) -> None:
        """Read on, but drop it, until the other side has closed as well."""
        if isinstance(self.transport.get_protocol(), _Sink):
            return
        self.transport.pause_reading()
        self.transport.set_protocol(_Sink(self._protocol))
        self.transport.resume_reading()

    def _begin(self, write: Callable[[bytes], None]) -> WSProtocol:
        """Have picows answer a handshake by ``write``."""
        lane = Lane(self.transport, self._give_up)
        protocol = WSProtocol(
            None,  # host and path: for clients
            None,
            False,  # it is no client
            self._answer,
            lane,
            True,  # an exception disconnects
            None,  # seconds for the handshake: it is over at once
            False,  # pings: they would take a task each
            0,
            0,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # pongs: pings are to be counted first
            self._largest,
            None,
            READ_BUFFER,
        )
        protocol.connection_made(lane)
        lane.write = write
        _feed(protocol, _REQUEST % self._key)  # it fits
        lane.write = self.transport.write
        protocol.transport.request.headers = _NO_HEADERS  # a kilobyte less
        self.transport.set_protocol(protocol)
        return protocol

    def _answer(self, _: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        return WSUpgradeResponseWithListener(_ANSWER, self._listener)


class _Sink(asyncio.Protocol):
    """Drops what comes, and says when the connection is lost."""

    def __init__(self, protocol: WSProtocol) -> None:
        self._protocol = protocol

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)


def _feed(protocol: WSProtocol, data: bytes) -> bytes:
    """Have it parse as much as its buffer takes; what is left."""
    room = protocol.get_buffer(-1)
    size = min(len(room), len(data))
    room[:size] = data[:size]
    protocol.buffer_updated(size)
    return data[size:]
