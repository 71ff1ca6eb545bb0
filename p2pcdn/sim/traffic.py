"""What goes into networks and stays within them, beside what no matching can beat.

Bytes are those that arrived while the scene was measured, wanted or not: that is what operators
pay for. *Imports* are what a network's viewers got from peers elsewhere and from the origin, by the
size of the content: 1 means that it came in once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean
from typing import TYPE_CHECKING

from p2pcdn.sim import limits
from p2pcdn.sim.audience import GIVERS, Viewer
from p2pcdn.sim.network import Nat
from p2pcdn.sim.networks import NOBODYS

if TYPE_CHECKING:
    from p2pcdn.sim.world import World


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """What became of one network."""

    network: str
    country: str
    viewers: float
    """Watching at a time, on average."""
    intra_bytes: int
    """From peers within it."""
    imported_bytes: int
    """From peers elsewhere."""
    origin_bytes: int
    imports: float
    """Copies, from peers elsewhere and the origin."""
    imports_origin: float
    """Of these, from the origin."""
    imports_limit: float
    """The least that it could be."""
    intra: float | None
    """The share of what peers brought that came from within; None where they brought nothing."""
    attainable: float
    """The most that it could be."""


@dataclass(frozen=True, slots=True)
class Locality:
    """All networks in a line."""

    intra: float
    """The share of all that peers brought that did not leave a network."""
    attainable: float
    """The most that it could be."""
    imports: float
    """Copies that a network imported, on average."""
    imports_limit: float
    """The least that it could be."""
    imports_most: float
    """The same of the one that imported the most."""
    imports_origin: float
    """What of the average was from the origin."""

    @property
    def reached(self) -> float:
        """The share of what is attainable; 1 where nothing is."""
        return self.intra / self.attainable if self.attainable else 1.0


def rows(world: World, content: float) -> list[NetworkRow]:
    """Each network, by its number; ``content`` is what was published while it was measured, in
    bytes."""
    routes = world.tally.routes
    members: dict[int, list[Viewer]] = {number: [] for number in world.networks}
    for viewer in world.viewers:
        if viewer.network != NOBODYS:
            members[viewer.network].append(viewer)
    into = dict.fromkeys(members, 0)
    for (giver, taker), size in routes.items():
        if NOBODYS not in (giver, taker) and giver != taker:
            into[taker] += size
    found = []
    for number, network in world.networks.items():
        intra, imported = routes[number, number], into[number]
        origin = routes[NOBODYS, number]
        linked = [v for v in members[number] if v.nat is not Nat.BLOCKED]
        there = _present(world, linked)
        least = limits.imports(there, _ratio(world, linked))
        all_ = _present(world, members[number])
        found.append(
            NetworkRow(
                network=network.name,
                country=network.country,
                viewers=all_,
                intra_bytes=intra,
                imported_bytes=imported,
                origin_bytes=origin,
                imports=(imported + origin) / content,
                imports_origin=origin / content,
                imports_limit=all_ - there + least,
                intra=intra / (intra + imported) if intra + imported else None,
                attainable=1 - least / there if there else 0.0,
            )
        )
    return found


def locality(networks: Sequence[NetworkRow]) -> Locality | None:
    """All of them together."""
    if not networks:
        return None
    intra = sum(row.intra_bytes for row in networks)
    brought = intra + sum(row.imported_bytes for row in networks)
    return Locality(
        intra=intra / brought if brought else 0.0,
        attainable=limits.weighted((row.viewers, row.attainable) for row in networks),
        imports=fmean(row.imports for row in networks),
        imports_limit=fmean(row.imports_limit for row in networks),
        imports_most=max(row.imports for row in networks),
        imports_origin=fmean(row.imports_origin for row in networks),
    )


def _present(world: World, viewers: Iterable[Viewer]) -> float:
    return world.present(viewers, world.scene.warmup, world.scene.seconds)


def _ratio(world: World, linked: Sequence[Viewer]) -> float:
    """The mean uplink by the bitrate; of a recording there is time for any."""
    if not world.scene.live or not linked:
        return inf
    given = sum(viewer.up for viewer in linked if viewer.conduct in GIVERS)
    return given / (len(linked) * world.scene.bytes_per_second)


def completion(world: World, measured: range) -> list[float]:
    """Live: the seconds after which viewers had each measured segment, from when it came out. VOD:
    those after which each had the last one, from when he came. In order."""
    media = world.media
    if media.live:
        return sorted(
            player.came[sequence] - media.published(sequence)
            for player in world.players.values()
            for sequence in measured
            if sequence in player.came
        )
    last = media.count - 1
    return sorted(
        player.came[last] - world.viewers[number].arrives
        for number, player in world.players.items()
        if last in player.came
    )
