"""Maps of ALTO (RFC 7285), by which a network's operator says which addresses belong together, and
what it costs to go from some to others.

::

    network map   {"PID1": {"ipv4": ["192.0.2.0/24"], "ipv6": [...]}, ...}     groups, each a PID
    cost map      {"PID1": {"PID1": 1, "PID2": 5.5}, ...}                      from one to another

A cost map names the version of the network map that it is for. Costs are numbers in either mode,
``numerical`` or ``ordinal``, and the lower one is better.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

NETWORK_MAP = "application/alto-networkmap+json"
COST_MAP = "application/alto-costmap+json"

METRIC = "routingcost"
"""The cost metric that every server has to have (RFC 7285, 6.1.1.1)."""
MODES = ("numerical", "ordinal")

_PID = re.compile(r"[A-Za-z0-9_.:@-]{1,64}")
_LENGTH = re.compile(r"\d{1,3}", re.ASCII)


class AltoError(ValueError):
    """What is wrong with a document, as a sentence for whoever wrote it."""


class VersionTag(Struct, frozen=True, rename={"resource": "resource-id"}):
    """Which map, and which version of it."""

    resource: str
    tag: str


class Prefix(NamedTuple):
    """A block of addresses."""

    bits: int
    """Of an address of its family: 32 or 128."""
    first: int
    length: int

    @property
    def last(self) -> int:
        return self.first | (1 << self.bits - self.length) - 1


class NetworkMap(NamedTuple):
    """Which addresses belong together."""

    pids: Mapping[Prefix, str]
    """The PID of each block; of nested ones the narrowest counts."""
    vtag: VersionTag | None = None


class CostMap(NamedTuple):
    """What it costs to go from one PID to another."""

    costs: Mapping[str, Mapping[str, float]]
    depends: tuple[VersionTag, ...] = ()
    """The network map that it is for."""


def parse(data: bytes) -> NetworkMap | CostMap:
    """Read a map; `AltoError` says why it is none, or none that is of use."""
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, RecursionError) as error:
        raise AltoError(f"It is no map of ALTO: {error}.") from error
    if document.networks is not None:
        return NetworkMap(dict(_blocks(document.networks)), document.meta.vtag)
    if document.costs is not None:
        return CostMap(_costs(document.costs, document.meta.type), document.meta.depends)
    raise AltoError('It is no map of ALTO: it has neither a "network-map" nor a "cost-map".')


# The documents


class _CostType(Struct, frozen=True, rename={"mode": "cost-mode", "metric": "cost-metric"}):
    mode: str
    metric: str


class _Meta(Struct, frozen=True, rename={"depends": "dependent-vtags", "type": "cost-type"}):
    vtag: VersionTag | None = None
    depends: tuple[VersionTag, ...] = ()
    type: _CostType | None = None


class _Group(Struct, frozen=True):
    """Of other kinds of addresses we know nothing (RFC 7285, 10.4.4 lets there be some)."""

    ipv4: list[str] = []
    ipv6: list[str] = []


class _Document(Struct, frozen=True, rename={"networks": "network-map", "costs": "cost-map"}):
    meta: _Meta = field(default_factory=_Meta)
    networks: dict[str, _Group] | None = None
    costs: dict[str, dict[str, float]] | None = None


def _blocks(networks: Mapping[str, _Group]) -> Iterator[tuple[Prefix, str]]:
    seen: dict[Prefix, str] = {}
    for pid, group in networks.items():
        _check(pid)
        for kind, texts in ((IPv4Address, group.ipv4), (IPv6Address, group.ipv6)):
            for text in texts:
                block = _prefix(kind, text)
                other = seen.setdefault(block, pid)
                if other is not pid:
                    raise AltoError(f"{text} is in two PIDs, {other} and {pid}: it can be in one.")
                yield block, pid


def _prefix(kind: type[IPv4Address] | type[IPv6Address], text: str) -> Prefix:
    address, _, length = text.partition("/")
    try:
        found = ip_address(address)
    except ValueError:
        found = None
    if not isinstance(found, kind) or "%" in address or not _LENGTH.fullmatch(length):
        family = "IPv4" if kind is IPv4Address else "IPv6"
        raise AltoError(f"{text[:64]!r} is no {family} prefix such as {_EXAMPLES[kind]}.")
    bits, first = found.max_prefixlen, int(found)
    if int(length) > bits or first & (1 << bits - int(length)) - 1:
        raise AltoError(f"{text} is no prefix: it has bits beyond its length.")
    return Prefix(bits, first, int(length))


_EXAMPLES = {IPv4Address: "192.0.2.0/24", IPv6Address: "2001:db8::/32"}


def _costs(
    costs: Mapping[str, Mapping[str, float]], kind: _CostType | None
) -> Mapping[str, Mapping[str, float]]:
    if kind is not None and (kind.metric != METRIC or kind.mode not in MODES):
        raise AltoError(
            f"Its costs are {kind.metric[:64]!r} ({kind.mode[:64]!r}): ask for {METRIC}, "
            f"{' or '.join(MODES)}."
        )
    for pid, row in costs.items():
        _check(pid)
        for other, cost in row.items():
            _check(other)
            if cost < 0:
                raise AltoError(f"The cost from {pid} to {other} is {cost}: it can't be negative.")
    return costs


def _check(pid: str) -> None:
    if not _PID.fullmatch(pid):
        raise AltoError(
            f"{pid[:64]!r} is no PID: that is up to 64 letters, digits and any of -:@_. ."
        )
