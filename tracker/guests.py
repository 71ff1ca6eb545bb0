"""Who has a socket open: what is known of each, and how it is told something.

A `Guest` may have its socket here or in another process: whoever thinks for it knows it by a number
of its own, and cannot tell.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import IPAddress
from tracker import metrics
from tracker.browsers import family_of
from tracker.connection import Connection

RETRY = (1.0, 5.0)
"""Seconds between which a peer that is turned away for now is told to come back, so that not all
of them do at the same time."""

COME_BACK = 200.0
"""How many come back each second, on average, of those who were told to at the same time: half of
what one core lets in beside its other work."""

Complain = Callable[[RemoteError, float | None], bytes | None]
"""What a guest is told whose socket is closed; as in `Realm`."""


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
        return cls(
            str(address),
            family_of(request.headers.get("User-Agent")),
            origin_of(request),
            nonce,
        )

    @property
    def address(self) -> IPAddress:
        return _parsed(self.source)  # three times for each that joins


_parsed = lru_cache(1024)(ip_address)


class Guest(Protocol):
    """An open socket, wherever it is."""

    @property
    def facts(self) -> Facts:
        """Where it comes from."""

    def tell(self, text: bytes) -> None:
        """Send a message, text in UTF-8, as soon as the socket takes it."""

    def dismiss(self, code: ErrorCode | None) -> None:
        """Close once it has been told what it was told; without a code it is leaving."""

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        """Close, and have it come again in a moment; ``together`` are so many that do so at the
        same time."""


class Realm(Protocol):
    """Who thinks for guests and speaks their protocol, here or at another place."""

    def opened(self, guest: Guest) -> int:
        """Somebody has come; the number by which the rest is told. `RemoteError` if there is no way
        to take it in."""

    def said(self, number: int, data: bytes) -> None:
        """Somebody's message; `RemoteError` if it is none, or one too many."""

    def closed(self, number: int) -> None:
        """Somebody has gone."""

    def complain(self, error: RemoteError, retry: float | None = None, /) -> bytes | None:
        """What a guest is told whose socket is closed: why, and in how many seconds to come back;
        None if the protocol knows no such words."""


class Here:
    """A guest whose socket is this process's."""

    __slots__ = ("_complain", "connection", "facts", "tell")

    def __init__(self, connection: Connection, facts: Facts, complain: Complain) -> None:
        self.connection = connection
        self.facts = facts
        self._complain = complain
        self.tell = connection.tell

    def dismiss(self, code: ErrorCode | None) -> None:
        self.connection.dismiss(code)

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        self.connection.refuse(self._complain(error, retry_after(together)), error.code)


class Guests:
    """The sockets of this process."""

    def __init__(self) -> None:
        self._guests: set[Here] = set()
        self._last: asyncio.Future[None] | None = None
        """Done when the last of them has gone, if somebody waits for that."""

    def __iter__(self) -> Iterator[Here]:
        return iter(list(self._guests))

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, guest: Here) -> None:
        """One more is here."""
        self._guests.add(guest)
        metrics.SOCKETS.inc()

    def leave(self, guest: Here) -> None:
        """It has gone."""
        self._guests.remove(guest)
        metrics.SOCKETS.dec()
        if not self._guests and self._last is not None and not self._last.done():
            self._last.set_result(None)

    async def gone(self, most: float) -> None:
        """Wait until all who are here have gone, but no longer than so many seconds."""
        if self._guests:
            self._last = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._last], timeout=most)

    def abort(self) -> None:
        """Cut whoever is left."""
        for guest in self:
            guest.connection.abort()


def origin_of(request: web.Request) -> str | None:
    """The page that a request comes from; None if it is none."""
    given = request.headers.getall("Origin", [])
    return ", ".join(given) if given else None


def retry_after(together: int = 0) -> float:
    """Seconds after which somebody is to come back who is turned away for now, ``together`` with so
    many others."""
    first, last = RETRY
    return round(random.uniform(first, max(last, first + together / COME_BACK)), 1)
