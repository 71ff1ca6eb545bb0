"""One connection to the gateway: nothing is read of it, nor written, before it is admitted.

::

    opened --header complete, admitted--> aiohttp's, for one request --> closed
       |
       '-- not admitted, too long, too slow, not HTTP --> reset

aiohttp would answer what is not HTTP, and what is wrong, with a sentence of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from peer.native.gateway.admission import HEADER_BYTES, Admission, Pass, read_head

HEADER_TIME = 5.0
"""Seconds until a header has to be complete."""
CONNECTIONS = 256
"""Most at once; a player has one or two, a browser six."""

log = structlog.get_logger("p2pcdn.peer")

_RESET = struct.pack("ii", 1, 0)


class Connection(RequestHandler):
    """aiohttp's protocol, behind the door."""

    __slots__ = ("_admission", "_clock", "_door", "_head", "admitted")

    def __init__(
        self, manager: web.Server, admission: Admission, door: Door, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self.admitted: Pass | None = None
        """Who asks."""
        self._admission = admission
        self._door = door
        self._head = b""
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._clock = self._loop.call_later(HEADER_TIME, self._reset)
        if not self._door.enter(self):
            self._reset()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_clock()
        self._door.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.admitted is not None:
            super().data_received(data)
            return
        self._head += data
        end = self._head.find(b"\r\n\r\n") + 4
        if end < 4 and len(self._head) <= HEADER_BYTES:
            if not _may_begin(self._head):
                self._reset()
            return
        head = read_head(self._head[:end]) if 4 <= end <= HEADER_BYTES else None
        self.admitted = None if head is None else self._admission.admit(head, self._loop.time())
        if self.admitted is None:
            self._reset()
            return
        self._stop_clock()
        data, self._head = self._head, b""
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What aiohttp cannot read, and what we cannot answer, ends without a word."""
        if status >= 500 and not isinstance(exc, ConnectionError):
            # Without a traceback, whose locals hold secrets when they are written out.
            log.error("request_failed", error=repr(exc))
        self._reset()
        raise ConnectionError("there is no way to say more")

    def _reset(self) -> None:
        self._stop_clock()
        transport = self.transport
        if transport is None:
            return
        opened = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class Door:
    """Counts connections."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: set[Connection] = set()

    def enter(self, connection: Connection) -> bool:
        """Whether there is room for one more."""
        if len(self._inside) >= self._most:
            return False
        self._inside.add(connection)
        return True

    def leave(self, connection: Connection) -> None:
        """It is gone."""
        self._inside.discard(connection)


def maker(manager: web.Server, admission: Admission) -> Callable[[], Connection]:
    """What makes the protocol of each connection."""
    door = Door(CONNECTIONS)
    return lambda: Connection(
        manager,
        admission,
        door,
        loop=asyncio.get_running_loop(),
        access_log=None,
        keepalive_timeout=0,
        lingering_time=0,
    )


def _may_begin(head: bytes) -> bool:
    """Whether a request may begin like this: who speaks TLS waits for an answer otherwise."""
    return head[:1].isalpha()
