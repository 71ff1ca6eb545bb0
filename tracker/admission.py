"""Who may come in: where a socket comes from, and how many may come from there.

An address is an IPv4 address or an IPv6 /64 (`p2pcdn.model.home_of`). The limits are
generous: an office behind one NAT is the best swarm there is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web
from msgspec import Struct

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import home_of
from p2pcdn.wire.candidate import IPAddress, parse_address
from tracker.bucket import Bucket

TIDY_AT = 1024
"""Addresses without sockets that are remembered before they are looked through."""

TELLING = 4
"""The part of a process's share of a limit beyond which the others hear of it."""

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")


@dataclass(slots=True)
class _Visitor:
    """What is known of one address."""

    joins: Bucket
    beacons: Bucket
    sockets: int = 0


class Shares(Struct, frozen=True, array_like=True):
    """Of which addresses one of several processes has much."""

    sockets: dict[bytes, int]
    joins: dict[bytes, int]
    """Since it last said so."""


class Admission:
    """Counts sockets, joins and reports past sockets by address.

    Several processes tell each other once a second of which addresses they have more than a
    `TELLING`th of their share; so one address gets a quarter more than it may have in all, at
    the most, and what it gets within that second."""

    def __init__(self, config: TrackerConfig, processes: int = 1) -> None:
        self._config = config
        self._processes = processes
        self._told_from = max(1, config.sockets_per_address // (TELLING * processes))
        self._elsewhere: dict[str, Mapping[bytes, int]] = {}
        """Sockets by address, at each other process."""
        self._many: set[bytes] = set()
        """Addresses that have enough sockets for the others to hear of it."""
        self._joined: Counter[bytes] = Counter()
        """Joins since the others were told."""
        self.joined: Callable[[bytes], None] = lambda _: None
        """Told of the address of each join."""
        self._proxies = config.proxy_networks
        self._visitors: dict[bytes, _Visitor] = {}
        self._idle = 0

    def address_of(self, request: web.Request) -> IPAddress:
        """Where a request comes from, as far as can be believed."""
        peer = request.transport and request.transport.get_extra_info("peername")
        if not peer:
            raise ConnectionResetError  # it has gone already
        address = parse_address(peer[0])
        assert address is not None  # the server listens on TCP only
        return self.believed(address, request.headers.getall("X-Forwarded-For", []))

    def believed(self, address: IPAddress, forwarded: list[str]) -> IPAddress:
        """The client behind the proxies that are trusted.

        Each proxy appends whom it heard from, so the list is read from its end, and no further than
        the last trusted one: what stands before that anybody may have written.
        """
        hops = [hop.strip() for line in forwarded for hop in line.split(",")]
        while hops and any(address in network for network in self._proxies):
            before = _parse_hop(hops.pop())
            if before is None:
                break
            address = before
        return address

    def enter(self, address: IPAddress, now: float) -> None:
        """Take a place for a socket from there; `RemoteError` if there is none."""
        key = home_of(address)
        visitor = self._visitor(key, now)
        open_ = visitor.sockets + sum(other.get(key, 0) for other in self._elsewhere.values())
        if open_ >= self._config.sockets_per_address:
            raise RemoteError(
                ErrorCode.TOO_MANY,
                f"{open_} sockets are open from your address: close some first.",
            )
        if not visitor.sockets:
            self._idle -= 1
        visitor.sockets += 1
        if visitor.sockets == self._told_from:
            self._many.add(key)

    def leave(self, address: IPAddress) -> None:
        """Give a place back that was taken."""
        key = home_of(address)
        visitor = self._visitors[key]
        if visitor.sockets == self._told_from:
            self._many.discard(key)
        visitor.sockets -= 1
        if not visitor.sockets:
            self._idle += 1

    def join(self, address: IPAddress, now: float) -> None:
        """A socket from there joins; `RemoteError` if too many did in too short a time."""
        key = home_of(address)
        if not self._visitor(key, now).joins.try_take(now):
            raise RemoteError(ErrorCode.TOO_FAST, "too many joins from your address")
        if self._processes > 1:
            self._joined[key] += 1
        self.joined(key)

    def beacon(self, address: IPAddress, now: float) -> None:
        """A page from there reports as it goes; `RemoteError` if too many did in too short a
        time: as many may as may join."""
        if not self._visitor(home_of(address), now).beacons.try_take(now):
            raise RemoteError(ErrorCode.TOO_FAST, "too many reports from your address")

    # Several processes

    def shares(self) -> Shares:
        """What the others should know."""
        least = max(1, int(self._config.joins_per_second / (TELLING * self._processes)))
        joined, self._joined = self._joined, Counter()
        return Shares(
            {key: self._visitors[key].sockets for key in self._many},
            {key: joins for key, joins in joined.items() if joins >= least},
        )

    def hear(self, name: str, shares: Shares, now: float) -> None:
        """What another process says of its own."""
        self._elsewhere[name] = shares.sockets
        for key, joins in shares.joins.items():
            self._visitor(key, now).joins.take(now, joins)

    def forget(self, name: str) -> None:
        """That process is no more, and neither are its sockets."""
        self._elsewhere.pop(name, None)

    def _visitor(self, key: bytes, now: float) -> _Visitor:
        visitor = self._visitors.get(key)
        if visitor is None:
            if self._idle >= TIDY_AT:
                self._tidy(now)
            rate = self._config.joins_per_second
            joins, beacons = (Bucket(rate, max(1.0, rate), now) for _ in range(2))
            visitor = self._visitors[key] = _Visitor(joins, beacons)
            self._idle += 1
        return visitor

    def _tidy(self, now: float) -> None:
        """Forget those of whom there is nothing to remember."""
        for key, visitor in list(self._visitors.items()):
            idle = visitor.joins.is_full(now) and visitor.beacons.is_full(now)
            if not visitor.sockets and idle:
                del self._visitors[key]
                self._idle -= 1


def _parse_hop(text: str) -> IPAddress | None:
    """An address as proxies write it: some add the port, or brackets."""
    match = _WITH_PORT.fullmatch(text)
    return parse_address((match["v6"] or match["v4"]) if match else text)
