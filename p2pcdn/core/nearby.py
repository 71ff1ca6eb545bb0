"""Who of a swarm is near somebody, found at the same cost however large the swarm is.

::

    member --> its local network, its /24 or /48, its operator, its region, its country
                    '--- a crowd each, from which a random sample costs the same at any size

A random sample of a large swarm holds hardly anybody of a small network, so each network has a
crowd of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


class _Kind(Generic[L]):
    """Members by one thing that they may have in common. Most are the only ones of their local
    network: a crowd is made for two."""

    __slots__ = ("_alone", "_crowds")

    def __init__(self) -> None:
        self._alone: dict[Name, L] = {}
        self._crowds: dict[Name, Crowd[L]] = {}

    def __len__(self) -> int:
        return len(self._alone) + len(self._crowds)

    def has(self, name: Name, member: L) -> bool:
        crowd = self._crowds.get(name)
        return self._alone.get(name) is member if crowd is None else member in crowd

    def add(self, name: Name, member: L) -> None:
        crowd = self._crowds.get(name)
        if crowd is None:
            other = self._alone.setdefault(name, member)
            if other is member:
                return
            del self._alone[name]
            crowd = self._crowds[name] = Crowd()
            crowd.add(other)
        crowd.add(member)

    def discard(self, name: Name, member: L) -> None:
        crowd = self._crowds.get(name)
        if crowd is not None:
            crowd.discard(member)
            if not crowd:
                del self._crowds[name]
        elif self._alone.get(name) is member:
            del self._alone[name]

    def is_shared(self, name: Name) -> bool:
        """Whether several have that name, or had."""
        return name in self._crowds

    @property
    def alone(self) -> int:
        """How many are the only ones of their name."""
        return len(self._alone)

    def draw(self, name: Name, most: int, rng: Random) -> Iterable[L]:
        """``most`` random members of that name, or all of them if there are no more."""
        crowd = self._crowds.get(name)
        if crowd is not None:
            return crowd.draw(most, rng)
        alone = self._alone.get(name)
        return () if alone is None else (alone,)


class Nearby(Generic[L]):
    """Members by each thing that they may have in common."""

    def __init__(self) -> None:
        self._kinds: tuple[_Kind[L], ...] = tuple(_Kind() for _ in Where._fields)
        """In the order of `Near`."""
        self._operators = self._kinds[Near.OPERATOR]
        self._regions = self._kinds[Near.REGION]

    def __len__(self) -> int:
        """How many names there are."""
        return sum(map(len, self._kinds))

    def __contains__(self, member: L) -> bool:
        return any(kind.has(name, member) for kind, name in self._named(member.where))

    def add(self, member: L) -> None:
        """Add it, if it is not in."""
        for kind, name in self._named(member.where):
            if kind.has(name, member):
                return  # so it is by all other names
            kind.add(name, member)

    def discard(self, member: L) -> None:
        """Take it out, if it is in."""
        for kind, name in self._named(member.where):
            if not kind.has(name, member):
                return
            kind.discard(name, member)

    def around(self, where: Where, most: int, rng: Random, costs: Costs = NO_COSTS) -> list[L]:
        """Up to ``most`` random members near a place, more of them from where it is nearer."""
        found: dict[L, None] = {}  # a set, but in order
        given: tuple[Name, ...] = where
        for kind, name in zip(self._kinds, given, strict=True):
            if not name:
                continue
            names = (name, *costs.near(where.region)) if kind is self._regions else (name,)
            for each in names:
                left = most - len(found)
                if left <= 0:
                    return list(found)
                for member in kind.draw(each, (left + 1) // 2, rng):
                    found[member] = None
        return list(found)

    def awaits(self, operator: str, members: int) -> bool:
        """Whether somebody else of an operator's network is there, or likely to come: of so many
        members most have somebody."""
        operators = self._operators
        return bool(operator) and (operators.is_shared(operator) or 2 * operators.alone < members)

    def _named(self, where: Where) -> Iterator[tuple[_Kind[L], Name]]:
        """What is known of a place, and the members by that."""
        names: tuple[Name, ...] = where
        return ((kind, name) for kind, name in zip(self._kinds, names, strict=True) if name)


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
