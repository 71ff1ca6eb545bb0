"""Who of a swarm is near somebody, found at the same cost however large the swarm is.

::

    member --> its local network, its /24 or /48, its operator, its region, its country
                    '--- a crowd each, from which a random sample costs the same at any size

A random sample of a large swarm holds hardly anybody of a small network, so each network has a
crowd of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Generic, Protocol, TypeVar

from p2pcdn.core.locality import NO_COSTS, Costs, Near, Where
from p2pcdn.core.matching import Crowd


class Located(Protocol):
    """What counts about a member here. It has to stay as it is while the member is in."""

    @property
    def where(self) -> Where: ...


L = TypeVar("L", bound=Located)

Name = bytes | str
_Crowds = dict[Name, Crowd[L]]


class Nearby(Generic[L]):
    """Members by each thing that they may have in common."""

    def __init__(self) -> None:
        self._crowds: tuple[_Crowds[L], ...] = tuple({} for _ in Where._fields)
        """By kind, in the order of `Near`, and then by name."""

    def __contains__(self, member: L) -> bool:
        for crowds, name in self._named(member.where):
            if name:
                return name in crowds and member in crowds[name]
        return False

    def add(self, member: L) -> None:
        """Add it, if it is not in."""
        if member in self:
            return
        for crowds, name in self._named(member.where):
            crowd = crowds.get(name)
            if crowd is None and name:
                crowd = crowds[name] = Crowd()
            if crowd is not None:
                crowd.add(member)

    def discard(self, member: L) -> None:
        """Take it out, if it is in."""
        if member not in self:
            return
        for crowds, name in self._named(member.where):
            crowd = crowds.get(name)
            if crowd is not None:
                crowd.discard(member)
                if not crowd:
                    del crowds[name]

    def around(self, where: Where, most: int, rng: Random, costs: Costs = NO_COSTS) -> list[L]:
        """Up to ``most`` random members near a place, more of them from where it is nearer."""
        found: dict[L, None] = {}  # a set, but in order
        for crowd in self._crowds_around(where, costs):
            left = most - len(found)
            if left <= 0:
                break
            found.update(dict.fromkeys(crowd.draw((left + 1) // 2, rng)))
        return list(found)

    def _crowds_around(self, where: Where, costs: Costs) -> Iterator[Crowd[L]]:
        regions = self._crowds[Near.REGION]
        for crowds, name in self._named(where):
            if crowd := crowds.get(name):
                yield crowd
            if crowds is regions:
                for region in costs.near(where.region):
                    if crowd := regions.get(region):
                        yield crowd

    def _named(self, where: Where) -> Iterator[tuple[_Crowds[L], Name]]:
        """What is known of a place, and the crowds of that kind."""
        names: tuple[Name, ...] = where
        return zip(self._crowds, names, strict=True)


class LocalCrowd(Crowd[L]):
    """A crowd in which one can look around."""

    def __init__(self) -> None:
        super().__init__()
        self.nearby: Nearby[L] = Nearby()

    def add(self, member: L) -> None:
        super().add(member)
        self.nearby.add(member)

    def discard(self, member: L) -> None:
        super().discard(member)
        self.nearby.discard(member)
