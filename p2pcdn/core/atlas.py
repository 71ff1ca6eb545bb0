"""An operator's maps as the tracker uses them: the region of an address, and what regions cost.

Blocks of addresses may be nested. They are laid out as ranges once, so that to find the narrowest
block of an address is one bisection::

    10.0.0.0/8  --------------- A ---------------          0         10.0.0.0   10.1.0.0   10.2.0.0
    10.1.0.0/16            ---- B ----              ==>     unknown   A          B          A  ...
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from p2pcdn.core.locality import NO_COSTS, Costs
from p2pcdn.wire.alto import AltoError, CostMap, NetworkMap, Prefix
from p2pcdn.wire.candidate import IPAddress


def _place(entry: tuple[Prefix, str]) -> int:
    """Wider blocks come before those in them."""
    block, _ = entry
    return block.first << 8 | block.length


class Ranges:
    """To which region each address of a family belongs."""

    def __init__(self, blocks: Iterable[tuple[Prefix, str]]) -> None:
        self._starts = [0]
        self._regions = [""]
        around: list[tuple[int, str]] = [(-1, "")]
        """The last address and the region of each block that we are in, the widest first."""
        for block, region in sorted(blocks, key=_place):
            while 0 <= around[-1][0] < block.first:
                self._leave(around)
            self._begin(block.first, region)
            around.append((block.last, region))
        while len(around) > 1:
            self._leave(around)

    def region_of(self, address: int) -> str:
        """That of the narrowest block; empty if there is none."""
        return self._regions[bisect_right(self._starts, address) - 1]

    def _leave(self, around: list[tuple[int, str]]) -> None:
        last, _ = around.pop()
        self._begin(last + 1, around[-1][1])

    def _begin(self, start: int, region: str) -> None:
        if self._starts[-1] == start:
            self._regions[-1] = region
        elif self._regions[-1] != region:
            self._starts.append(start)
            self._regions.append(region)


class Regions:
    """A network map: the region of each address."""

    def __init__(self, networks: NetworkMap) -> None:
        pids = networks.pids
        self.vtag = networks.vtag
        self.pids = frozenset(pids.values())
        self._blocks = len(pids)
        self._families = {
            bits: Ranges((block, pid) for block, pid in pids.items() if block.bits == bits)
            for bits in (32, 128)
        }

    def __len__(self) -> int:
        """How many blocks it has."""
        return self._blocks

    def of(self, address: IPAddress) -> str:
        """The PID of an address; empty if it has none."""
        return self._families[address.max_prefixlen].region_of(int(address))


class Atlas(NamedTuple):
    """The regions, and what it costs to go from one to another."""

    regions: Regions
    costs: Costs


NOWHERE = Atlas(Regions(NetworkMap({})), NO_COSTS)
"""Where nobody has given a map."""


def atlas_of(regions: Regions, costs: CostMap | None) -> Atlas:
    """The two together; `AltoError` if they do not belong together."""
    if costs is None:
        return Atlas(regions, NO_COSTS)
    has = regions.vtag
    if has is not None and costs.depends and has not in costs.depends:
        needs = costs.depends[0]
        raise AltoError(
            f"The cost map is for the network map {needs.resource} of version {needs.tag}, and not "
            f"for {has.resource} of version {has.tag}."
        )
    if costs.costs and not any(regions.pids & row.keys() for row in _known(regions, costs)):
        raise AltoError(
            "The cost map is for another network map: it has no cost between two PIDs of this one."
        )
    return Atlas(regions, Costs(costs.costs))


def _known(regions: Regions, costs: CostMap) -> Iterable[Mapping[str, float]]:
    """The rows of a cost map that go from where a network map knows."""
    return (row for pid, row in costs.costs.items() if pid in regions.pids)
