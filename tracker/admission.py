"""Who may come in: where a socket comes from, and how many may come from there.

An address is an IPv4 address or an IPv6 /64 (`p2pcdn.model.home_of`). The limits are
generous: an office behind one NAT is the best swarm there is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aiohttp import web

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import home_of
from p2pcdn.wire.candidate import IPAddress, parse_address
from tracker.bucket import Bucket

TIDY_AT = 1024
"""Addresses without sockets that are remembered before they are looked through."""

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")


@dataclass(slots=True)
class _Visitor:
    """What is known of one address."""

    joins: Bucket
    beacons: Bucket
    sockets: int = 0


class Admission:
    """Counts sockets, joins and reports past sockets by address."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
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
        visitor = self._visitor(home_of(address), now)
        if visitor.sockets >= self._config.sockets_per_address:
            raise RemoteError(
                ErrorCode.TOO_MANY,
                f"{visitor.sockets} sockets are open from your address: close some first.",
            )
        if not visitor.sockets:
            self._idle -= 1
        visitor.sockets += 1

    def leave(self, address: IPAddress) -> None:
        """Give a place back that was taken."""
        visitor = self._visitors[home_of(address)]
        visitor.sockets -= 1
        if not visitor.sockets:
            self._idle += 1

    def join(self, address: IPAddress, now: float) -> None:
        """A socket from there joins; `RemoteError` if too many did in too short a time."""
        if not self._visitor(home_of(address), now).joins.try_take(now):
            raise RemoteError(ErrorCode.TOO_FAST, "too many joins from your address")

    def beacon(self, address: IPAddress, now: float) -> None:
        """A page from there reports as it goes; `RemoteError` if too many did in too short a
        time: as many may as may join."""
        if not self._visitor(home_of(address), now).beacons.try_take(now):
            raise RemoteError(ErrorCode.TOO_FAST, "too many reports from your address")

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
