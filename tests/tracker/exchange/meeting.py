"""Realms and guests for places to exchange, and places that reach each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from p2pcdn.errors import ErrorCode, RemoteError
from tracker.guests import Facts, Guest

PATIENCE = 5.0
"""Seconds after which what should come is taken not to come."""

FACTS = Facts("203.0.113.7", "Firefox", "https://a.example", "nonce")


@dataclass(eq=False)
class Visitor:
    """A guest without a socket."""

    facts: Facts = FACTS
    told: list[bytes] = field(default_factory=list)
    dismissed: list[ErrorCode | None] = field(default_factory=list)
    sent_back: list[ErrorCode] = field(default_factory=list)
    together: int = 0

    def tell(self, text: bytes) -> None:
        self.told.append(text)

    def dismiss(self, code: ErrorCode | None) -> None:
        self.dismissed.append(code)

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        self.sent_back.append(error.code)
        self.together = together


class Echo:
    """A realm that says what it hears, but for a few words that it acts on."""

    def __init__(self) -> None:
        self.guests: dict[int, Guest] = {}
        self._numbers = count(100)

    def opened(self, guest: Guest) -> int:
        number = next(self._numbers)
        self.guests[number] = guest
        return number

    def said(self, number: int, data: bytes) -> None:
        match data:
            case b"leave":
                self.guests[number].dismiss(None)
            case b"later":
                self.guests[number].send_back(RemoteError(ErrorCode.TOO_MANY, "full"))
            case b"wrong":
                raise RemoteError(ErrorCode.MALFORMED, "wrong")
            case b"bug":
                raise ZeroDivisionError
            case _:
                self.guests[number].tell(data)

    def closed(self, number: int) -> None:
        del self.guests[number]

    def complain(self, error: RemoteError, retry: float | None = None, /) -> bytes | None:
        return error.code.value.encode()


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that nobody says."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event for a test to wait on
            await asyncio.sleep(0.002)
