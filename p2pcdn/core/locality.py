"""How near two addresses are, as far as a tracker can tell.

::

    LAN < PREFIX < OPERATOR < REGION < COUNTRY < FAR      the nearest first

    | one local   | one        | elsewhere: by what an ALTO map (RFC 7285) says that it
    | network     | operator   | costs, then by region and country

A `Where` is all that is known of an address. It stays in the tracker: to a peer it is never told,
neither his own nor another's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache
from math import inf
from typing import NamedTuple

from p2pcdn.wire.candidate import IPAddress, Vantage, lan_of, network_of

MOST_NEAR = 16
"""Regions that count as near another one, beside itself."""


class Near(IntEnum):
    """What two have in common, the narrowest first."""

    LAN = 0
    """A local network: one public IPv4 address, one IPv6 /64."""
    PREFIX = 1
    """An IPv4 /24 or IPv6 /48."""
    OPERATOR = 2
    """An autonomous system."""
    REGION = 3
    """A group of addresses of an ALTO map, its PID."""
    COUNTRY = 4
    FAR = 5
    """Nothing."""


class Where(NamedTuple):
    """What is known of where an address is; empty is what is not. In the order of `Near`."""

    lan: bytes = b""
    prefix: bytes = b""
    operator: str = ""
    """Its autonomous system, such as ``AS64500``."""
    region: str = ""
    """Its PID in an ALTO map."""
    country: str = ""
    """Two letters (ISO 3166)."""


class Costs:
    """What it costs to go from one region to another, in any unit: less is better.

    An ALTO map may leave out what it does not want to tell; that comes last.
    """

    def __init__(self, table: Mapping[str, Mapping[str, float]] | None = None) -> None:
        """``table`` has a row for each region to go from."""
        self._table = table or {}
        self._near = cache(self._cheapest)

    def __bool__(self) -> bool:
        return bool(self._table)

    def between(self, a: str, b: str) -> float:
        """The cost; infinity if it is unknown."""
        row = self._table.get(a)
        return inf if row is None else row.get(b, inf)

    def near(self, region: str) -> Sequence[str]:
        """The other regions that are cheap to go to, the cheapest first: the cheaper half of them,
        and no more than `MOST_NEAR`."""
        return self._near(region)

    def _cheapest(self, region: str) -> Sequence[str]:
        row = self._table.get(region, {})
        others = sorted((cost, other) for other, cost in row.items() if other != region)
        half = others[: min(len(others) // 2, MOST_NEAR)]
        return tuple(other for _, other in half)


NO_COSTS = Costs()

Distance = tuple[int, float, Near]
"""To be compared: the smaller one is nearer."""


def where_of(address: IPAddress, operator: str = "", region: str = "", country: str = "") -> Where:
    """Where an address is, with what maps and databases say of it."""
    return Where(lan_of(address), network_of(address), operator, region, country)


def where_is(vantage: Vantage) -> Where:
    """Where a socket comes from."""
    return where_of(vantage.source, vantage.operator, vantage.region, vantage.country)


def near(a: Where, b: Where) -> Near:
    """The narrowest of what the two have in common."""
    lan, prefix, operator, region, country = b  # not in a loop: a search asks it of many
    if a.lan and a.lan == lan:
        return Near.LAN
    if a.prefix and a.prefix == prefix:
        return Near.PREFIX
    if a.operator and a.operator == operator:
        return Near.OPERATOR
    if a.region and a.region == region:
        return Near.REGION
    return Near.COUNTRY if a.country and a.country == country else Near.FAR


def distance(a: Where, b: Where, costs: Costs = NO_COSTS) -> Distance:
    """How far it is from ``a`` to ``b``.

    In one local network nothing is cheaper. Within an operator, and beyond it, what the map says
    decides: it is the operator's own word. What else is known decides among equals.
    """
    common = near(a, b)
    if common is Near.LAN:
        return 0, 0.0, common
    cost = costs.between(a.region, b.region) if costs else 0.0
    return (1 if common <= Near.OPERATOR else 2), cost, common


def is_near(a: Where, b: Where, costs: Costs = NO_COSTS) -> bool:
    """Whether the two are of one operator, or it is cheap to go from ``a`` to ``b``; where not both
    operators are known, or there is a map, whether they have anything in common."""
    common = near(a, b)
    if a.operator and b.operator and not costs:
        return common <= Near.OPERATOR
    return common is not Near.FAR or bool(b.region and b.region in costs.near(a.region))
