"""Who has a socket open: what is known of each, and how it is told something.

A `Guest` may have its socket here or in another process: whoever thinks for it knows it by a number
of its own, and cannot tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from p2pcdn.errors import ErrorCode
from p2pcdn.wire.candidate import IPAddress
from tracker import metrics
from tracker.browsers import family_of
from tracker.connection import Connection


class Facts(Struct, frozen=True):
    """What is known of a socket as it opens, and never changes."""

    source: str
    """The address that it comes from."""
    browser: str
    """Its family."""
    origin: str | None
    """The page that opened it; None if it was not a browser."""
    nonce: str
    """What its `welcome` said."""

    @classmethod
    def of(cls, request: web.Request, address: IPAddress, nonce: str) -> Facts:
        """What a request says of the socket that it asks for."""
        given = request.headers.getall("Origin", [])
        return cls(
            str(address),
            family_of(request.headers.get("User-Agent")),
            ", ".join(given) if given else None,
            nonce,
        )

    @property
    def address(self) -> IPAddress:
        return ip_address(self.source)


class Guest(Protocol):
    """An open socket, wherever it is."""

    @property
    def facts(self) -> Facts:
        """Where it comes from."""

    def tell(self, text: bytes) -> None:
        """Send a message, text in UTF-8, as soon as the socket takes it."""

    def dismiss(self, code: ErrorCode | None) -> None:
        """Close once it has been told what it was told; without a code it is leaving."""


class Here:
    """A guest whose socket is this process's."""

    __slots__ = ("connection", "facts")

    def __init__(self, connection: Connection, facts: Facts) -> None:
        self.connection = connection
        self.facts = facts

    def tell(self, text: bytes) -> None:
        self.connection.tell(text)

    def dismiss(self, code: ErrorCode | None) -> None:
        self.connection.dismiss(code)


class Guests:
    """The sockets of this process."""

    def __init__(self) -> None:
        self._guests: dict[Here, asyncio.Future[None]] = {}

    def __iter__(self) -> Iterator[Here]:
        return iter(list(self._guests))

    def __len__(self) -> int:
        return len(self._guests)

    @contextmanager
    def stays(self, guest: Here) -> Iterator[None]:
        """Count a guest among them meanwhile."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._guests[guest] = done
        metrics.SOCKETS.inc()
        try:
            yield
        finally:
            del self._guests[guest]
            metrics.SOCKETS.dec()
            done.set_result(None)

    async def gone(self, most: float) -> None:
        """Wait until all who are here have gone, but no longer than so many seconds."""
        if self._guests:
            await asyncio.wait(self._guests.values(), timeout=most)

    def abort(self) -> None:
        """Cut whoever is left."""
        for guest in self:
            guest.connection.abort()
