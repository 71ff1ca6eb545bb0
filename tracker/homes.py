"""Where a content is at home: which of several places thinks for it.

A content is at home at one place, which all agree upon unasked (`p2pcdn.core.homes`). When its
swarm there has as many members as one place is to bear, those who come are a swarm of their own at
another: its next best home, until that is full as well. Each such part is whole in itself: pairs
and leases are within it, so each fetches a copy of its own from the origin. When all are full, it
goes on as if none was.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Sequence

from p2pcdn.core.homes import home_of
from tracker.guests import Realm

ROOM_AGAIN = 0.9
"""A swarm that was full takes members again when it has less than this share of what it may have:
not with each one who leaves."""


class Homes:
    """Knows the places, and who of them is full of what."""

    def __init__(
        self,
        name: str,
        places: Sequence[str],
        at: Callable[[str, int], Realm],
        most: int,
    ) -> None:
        """``name`` is our own place's, ``at`` gives the realms at a place by their index, and a
        swarm of more than ``most`` members is too large for one."""
        self.name = name
        self.is_alone = len(places) == 1
        """Whether there are no others."""
        self._places = places
        self.at = at
        self._most = most
        self._full: dict[str, Collection[bytes]] = {}
        """By place."""

    @classmethod
    def alone(cls, realms: Sequence[Realm]) -> Homes:
        """Everything is at home here."""
        return cls("", [""], lambda _, index: realms[index], sys.maxsize)

    def home(self, key: bytes) -> str:
        """Where somebody belongs who comes for this."""
        left = self._places
        full = [place for place, keys in self._full.items() if key in keys] if self._full else []
        if full and len(full) < len(left):
            left = [place for place in left if place not in full]
        return home_of(key, left) if len(left) > 1 else left[0]

    def first_home(self, key: bytes) -> str:
        """Where the account of it is kept, however many parts it has."""
        return home_of(key, self._places) if len(self._places) > 1 else self._places[0]

    def is_parted(self, key: bytes) -> bool:
        """Whether it may be at more places than one."""
        return any(key in keys for keys in self._full.values())

    # Who is full

    def fill(self, sizes: Iterable[tuple[bytes, int]]) -> frozenset[bytes] | None:
        """How many members each has here; what is full here by now, if that has changed."""
        before = self._full.get(self.name, frozenset())
        full = frozenset(
            key
            for key, size in sizes
            if size >= self._most or (key in before and size >= ROOM_AGAIN * self._most)
        )
        if full == before:
            return None
        self.told(self.name, full)
        return full

    @property
    def full(self) -> Collection[bytes]:
        """What is full here."""
        return self._full.get(self.name, frozenset())

    def told(self, place: str, full: Collection[bytes]) -> None:
        """What is full at a place."""
        if full:
            self._full[place] = frozenset(full)
        else:
            self._full.pop(place, None)
