"""Guests of other nodes, which think that their content is at home here.

They are thought for here, by whichever process of ours has the content, and never passed on to yet
another node: so nobody is sent in circles, even while nodes do not agree who is there.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Protocol

from p2pcdn.errors import RemoteError
from tracker.guests import Complain, Guest


class Stay(Protocol):
    """A socket, and where what it comes for is at home; as `Visit` and `Tour`."""

    guest: Guest

    def hear(self, data: bytes, /) -> None: ...

    def closed(self) -> None: ...


class Arrivals:
    """A realm that finds out by what guests say which of ours they are for."""

    def __init__(self, make: Callable[[], Stay], complain: Complain) -> None:
        """``make`` gives what a socket of that protocol is to us, ``complain`` is that of the
        realms."""
        self._make = make
        self._complain = complain
        self._numbers = count()
        self._stays: dict[int, Stay] = {}

    def opened(self, guest: Guest) -> int:
        number = next(self._numbers)
        stay = self._stays[number] = self._make()
        stay.guest = guest
        return number

    def said(self, number: int, data: bytes) -> None:
        self._stays[number].hear(data)

    def closed(self, number: int) -> None:
        self._stays.pop(number).closed()

    def complain(self, error: RemoteError, retry: float | None = None, /) -> bytes | None:
        return self._complain(error, retry)
