"""Whom a home has met: so that a harvester of addresses gains nothing by coming back.

::

                  came                    went (the last of its peers)
    unknown ------------> present <---------------------------------> gone --an hour--> unknown
                            '--- it may meet so many other homes an hour

A *home* is an IPv4 address or the /64 of an IPv6 one (`p2pcdn.model.home_of`). What it
has met outlasts its sockets. Others at the same home are no acquaintances: their address is its
own. An office behind one NAT is a home, too; so the more peers are present there, the more homes
it may meet, but only with the square root of their number: colleagues meet mostly the same peers
and each other, and a harvester with as many sockets is held back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isqrt

ACQUAINTANCE_LASTS = 3600.0
MOST_REMEMBERED = 131_072
"""Acquaintances of homes that are gone, some 100 bytes each; beyond it those that have been gone
for longest are forgotten."""


@dataclass(slots=True)
class _Home:
    """One home."""

    peers: int = 0
    """How many of its peers are in a swarm."""
    left: float = 0.0
    """When the last of them left."""
    met: dict[bytes, float] = field(default_factory=dict)
    """Other homes, and when they were met first, the longest ago first."""

    def forget(self, now: float) -> None:
        """Those met long ago are met no more."""
        while self.met and next(iter(self.met.values())) <= now - ACQUAINTANCE_LASTS:
            del self.met[next(iter(self.met))]


class Acquaintances:
    """Who has met whom within the hour, of all swarms of a tracker."""

    def __init__(self, most_an_hour: int) -> None:
        self._most = most_an_hour
        self._present: dict[bytes, _Home] = {}
        self._gone: dict[bytes, _Home] = {}
        """In the order in which they went."""
        self._remembered = 0
        """The acquaintances of those."""

    def came(self, home: bytes, now: float) -> None:
        """A peer of this home joins a swarm."""
        self._tidy(now)
        there = self._present.get(home)
        if there is None:
            there = self._present[home] = self._gone.pop(home, _Home())
            self._remembered -= len(there.met)
        there.peers += 1

    def went(self, home: bytes, now: float) -> None:
        """A peer of this home, which came before, leaves its swarm."""
        there = self._present[home]
        there.peers -= 1
        if there.peers:
            return
        del self._present[home]
        there.left = now
        there.forget(now)
        if there.met:
            self._gone[home] = there
            self._remembered += len(there.met)
        self._tidy(now)

    def may_meet(self, a: bytes, b: bytes, now: float) -> bool:
        """Whether peers of these homes may be paired, as far as their homes are concerned."""
        return a == b or (self._has_room(a, b, now) and self._has_room(b, a, now))

    def meet(self, a: bytes, b: bytes, now: float) -> None:
        """Peers of these homes are paired."""
        if a != b:
            self._present[a].met.setdefault(b, now)
            self._present[b].met.setdefault(a, now)

    def try_meet(self, a: bytes, b: bytes, now: float) -> bool:
        """Have peers of these homes paired, if they may."""
        if a == b or (b in self._present[a].met and a in self._present[b].met):
            return True
        if not self.may_meet(a, b, now):
            return False
        self.meet(a, b, now)
        return True

    def _has_room(self, home: bytes, other: bytes, now: float) -> bool:
        there = self._present[home]
        if other in there.met:
            return True
        most = isqrt(self._most * self._most * there.peers)
        if len(there.met) < most:
            return True
        there.forget(now)
        return len(there.met) < most

    def _tidy(self, now: float) -> None:
        while self._gone:
            oldest = next(iter(self._gone))
            expired = self._gone[oldest].left <= now - ACQUAINTANCE_LASTS
            if not expired and self._remembered <= MOST_REMEMBERED:
                return
            self._remembered -= len(self._gone.pop(oldest).met)
