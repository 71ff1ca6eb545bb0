"""Whom to pair with whom: what one peer can do for another, and a fair pick from a crowd.

A peer is of use to me if it holds what I will need: its store covers my play head, or what comes
soon after. A seeder covers everybody; of a peer that has no position yet nothing is known. The
work for one peer does not grow with its swarm: of a large one a random sample is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from math import log
from random import Random
from typing import Generic, Protocol, TypeVar

from p2pcdn.core.locality import Distance
from p2pcdn.wire.tracker import Position

T = TypeVar("T")
S = TypeVar("S", bound="Standing")

AHEAD = 64
"""Segments beyond the play head that a peer may want to prefetch: minutes of media."""

SAMPLE = 64
"""Peers looked at for one search. In a swarm of no more everybody is."""


class Use(IntEnum):
    """What a supplier can do for a taker."""

    NONE = 0
    """It does not upload, or holds nothing of what comes next."""
    UNKNOWN = 1
    """One of them has no position yet, or they watch renditions that cannot be compared."""
    ALIKE = 2
    """It holds the right part, of another rendition."""
    AHEAD = 3
    """It holds what comes after the play head, but not what is played now."""
    COVERS = 4
    """It holds what is played now, and what comes after."""


class Standing(Protocol):
    """What counts about a peer here."""

    upload: bool
    position: Position | None

    @property
    def spare(self) -> float:
        """Bytes a second that one more neighbour could have of it."""


def use_of(supplier: Standing, taker: Standing) -> Use:
    """What ``supplier`` can do for ``taker``."""
    if not supplier.upload:
        return Use.NONE
    has, needs = supplier.position, taker.position
    if has is None or needs is None:
        return Use.UNKNOWN
    # Of what is live, a peer at the same place will hold the next segment as soon as it is out. And
    # in a flash crowd nobody holds anything yet, but whoever is no further behind soon will.
    reach = has.last + (AHEAD if has.live or has.head >= needs.head else 0)
    overlaps = has.first <= needs.head + AHEAD and reach > needs.head
    if has.rendition != needs.rendition:
        return Use.ALIKE if overlaps else Use.UNKNOWN
    if not overlaps:
        return Use.NONE
    return Use.COVERS if has.first <= needs.head else Use.AHEAD


def ranked(seeker: Standing, others: Iterable[S], rng: Random) -> list[S]:
    """The others that make sense for ``seeker``, the best first.

    Of equals whoever has twice as much to spare comes first twice as often (Efraimidis and
    Spirakis, "Weighted random sampling with a reservoir", 2006).

    Those who can only take come last: a seeker is somebody's supplier, too.
    """
    scored: list[tuple[int, int, float, int, S]] = []
    random = rng.random
    for place, other in enumerate(others):  # no two have the same, so that it is never compared
        gives, takes = use_of(other, seeker), use_of(seeker, other)
        if gives or takes:
            chance = log(1.0 - random()) / max(other.spare, 1.0)
            scored.append((gives, takes, chance, place, other))
    scored.sort(reverse=True)
    return [entry[4] for entry in scored]


def ranked_near(
    seeker: Standing, others: Iterable[S], away: Callable[[S], Distance], rng: Random
) -> list[S]:
    """The others that have something for ``seeker``, the best first.

    Whoever holds what is played next comes before whoever is nearer, or playback would suffer; but
    whoever is nearer comes before those for whom ``seeker`` can do more.
    """
    scored: list[tuple[int, Distance, int, float, int, S]] = []
    for place, other in enumerate(others):
        gives = use_of(other, seeker)
        if gives:
            takes, chance = use_of(seeker, other), rng.expovariate(max(other.spare, 1.0))
            scored.append((-gives, away(other), -takes, chance, place, other))
    scored.sort()
    return [entry[5] for entry in scored]


class Crowd(Generic[T]):
    """A set from which a random sample costs the same however large it is."""

    __slots__ = ("_members", "_places")

    def __init__(self) -> None:
        self._members: list[T] = []
        self._places: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, member: object) -> bool:
        return member in self._places

    def __iter__(self) -> Iterator[T]:
        return iter(self._members)

    def add(self, member: T) -> None:
        """Add it, if it is not in."""
        if member not in self._places:
            self._places[member] = len(self._members)
            self._members.append(member)

    def discard(self, member: T) -> None:
        """Take it out, if it is in; the last one fills its place."""
        place = self._places.pop(member, None)
        if place is None:
            return
        last = self._members.pop()
        if place < len(self._members):
            self._members[place] = last
            self._places[last] = place

    def sample(self, most: int, rng: Random) -> list[T]:
        """``most`` random members, or all of them if there are no more."""
        if len(self._members) <= most:
            return list(self._members)
        return rng.sample(self._members, most)

    def draw(self, most: int, rng: Random) -> Iterator[T]:
        """The same one after the other: it costs no more than are taken. Nobody may come or go
        meanwhile."""
        members, random = self._members, rng.random
        if len(members) > 4 * most:
            drawn: set[int] = set()
            while len(drawn) < most:
                place = int(random() * len(members))
                if place not in drawn:
                    drawn.add(place)
                    yield members[place]
            return
        left, size = members.copy(), len(members)
        for _ in range(min(most, size)):
            place = int(random() * size)
            size -= 1
            yield left[place]
            left[place] = left[size]
