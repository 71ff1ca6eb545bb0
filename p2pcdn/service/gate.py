"""How many connections may be open at once: in all, and from one address.

Without a bound of our own the kernel has one, of descriptors; beyond it nothing can be accepted,
opened or answered, for anybody. So ours stays below that, and whoever is over it is told so.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address

from p2pcdn.config import IPNetwork, OriginConfig
from p2pcdn.model import home_of

RESERVE = 128
"""Descriptors that are not for connections: files, the listening sockets, STUN."""


class Gate:
    """Counts connections. An address is an IPv4 address or an IPv6 /64; proxies that are trusted
    come with many, which they count themselves."""

    def __init__(self, most: int, most_of_one: int, proxies: Iterable[IPNetwork] = ()) -> None:
        self.open = 0
        self._most = most
        self._most_of_one = most_of_one
        self._proxies = tuple(proxies)
        self._homes: Counter[bytes] = Counter()

    def enter(self, transport: asyncio.BaseTransport) -> bytes | None:
        """Take a place; what it is to be given back by, or None if there is none."""
        home = self._home(transport)
        if self.open >= self._most or self._homes[home] >= self._most_of_one:
            return None
        self.open += 1
        if home:
            self._homes[home] += 1
        return home

    def leave(self, home: bytes) -> None:
        """Give a place back."""
        self.open -= 1
        if home:
            self._homes[home] -= 1
            if not self._homes[home]:
                del self._homes[home]

    def _home(self, transport: asyncio.BaseTransport) -> bytes:
        """Where it comes from; empty if that does not count."""
        peer = transport.get_extra_info("peername")
        if not peer:
            return b""
        address = ip_address(peer[0].partition("%")[0])
        if any(address in network for network in self._proxies):
            return b""
        return home_of(address)


def affordable(most: int, files: int = 0) -> int:
    """So many connections, or as many as the process may have descriptors for beside its open
    ``files``: as many as it can get by asking."""
    reserve = RESERVE + files
    got = _descriptors(most + reserve)
    return most if got is None else max(1, min(most, got - reserve))


def affordable_files(most: int) -> int:
    """So many open files, or a quarter of the descriptors that the process can get by asking."""
    got = _descriptors(4 * most)
    return most if got is None else min(most, got // 4)


def _descriptors(wanted: int) -> int | None:
    """How many descriptors the process may have after it has asked for so many; None if there is
    no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    if soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
        except (OSError, ValueError):  # macOS has one more limit, of its own
            pass
    return soft


def share_of_one(limits: OriginConfig, most: int) -> int:
    """So many from one address where there may be ``most`` in all: the same share of them as the
    settings say, or where descriptors are few one address could have them all."""
    return max(1, limits.connections_per_address * most // limits.connections)
