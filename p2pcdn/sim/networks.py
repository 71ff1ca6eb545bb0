"""Networks of operators: who is in which, at what address, and what lies between them.

::

    country --> networks, each with a run of /24 prefixes --> viewers, a few in each prefix
    network A --its exit, if that is narrow--> transit: a longer round trip --> network B

Sizes are dealt out as the scene says. Addresses are public ones of no real operator's: what the
tracker makes of them follows from what `Networks.where` tells it, as a database would.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from p2pcdn.sim.clock import chance
from p2pcdn.sim.network import Place
from p2pcdn.sim.scene import Scene

NOBODYS = -1
"""The number of no network: the origin's, and everybody's where there are none."""
A_PREFIX = 3
"""Viewers in each /24."""
FIRST_PREFIX = 46 << 16
"""46.0.0.0/24: from there on the prefixes are given out."""
NEAR = 0.2
"""A network reaches over so much of the map."""
COUNTRIES = (
    "US", "BR", "IN", "DE", "FR", "JP", "GB", "ZA", "MX", "ES", "IT", "PL", "KR", "AU", "TR", "NG",
)  # fmt: skip
FIRST_AS = 64_512
"""Numbers of autonomous systems that nobody has: RFC 6996."""


@dataclass(frozen=True, slots=True)
class Network:
    """One operator's network."""

    number: int
    country: str
    place: Place
    """Its middle; what the way to the net costs is each viewer's own."""
    prefix: int
    """The upper 24 bits of its first addresses."""

    @property
    def name(self) -> str:
        """What a database calls it."""
        return f"AS{FIRST_AS + self.number}"


class Seat(NamedTuple):
    """Where one viewer is."""

    network: int
    address: str


def seats(scene: Scene, seed: int, count: int) -> list[Seat]:
    """A seat for each of so many viewers."""
    numbers = _dealt(scene, seed, count)
    prefixes = _prefixes(Counter(numbers))
    taken: Counter[int] = Counter()
    found = []
    for number, network in enumerate(numbers):
        if network == NOBODYS:
            found.append(Seat(network, _address(FIRST_PREFIX + number, 7)))
            continue
        prefix, host = divmod(taken[network], A_PREFIX)
        taken[network] += 1
        found.append(Seat(network, _address(prefixes[network] + prefix, 7 + 40 * host)))
    return found


def networks(scene: Scene, seed: int, seated: list[Seat]) -> dict[int, Network]:
    """The networks that these viewers are in, by number."""
    dice, half = chance(seed, "countries"), scene.lines.spread / 2
    count = min(scene.networks.countries, len(COUNTRIES))
    middles = [(dice.uniform(-half, half), dice.uniform(-half, half)) for _ in range(count)]
    prefixes = _prefixes(Counter(seat.network for seat in seated if seat.network != NOBODYS))
    return {
        number: Network(
            number, COUNTRIES[number % count], Place(*middles[number % count], 0.0), prefix
        )
        for number, prefix in prefixes.items()
    }


def within(network: Network, place: Place) -> Place:
    """A place anywhere on the map, as one in a network."""
    middle = network.place
    return Place(middle.x + NEAR * place.x, middle.y + NEAR * place.y, place.access)


def sizes(scene: Scene, count: int) -> list[tuple[int, float]]:
    """Which share of so many viewers each network has."""
    part = scene.networks
    others = max(part.count - 1, 1)
    match part.kind:
        case "none":
            return [(NOBODYS, 1.0)]
        case "one":
            rest = (1 - part.share) / others
            return [(0, part.share), *((number, rest) for number in range(1, others + 1))]
        case "zipf":
            weights = [1 / rank for rank in range(1, part.count + 1)]
            return [(number, weight / sum(weights)) for number, weight in enumerate(weights)]
    return [(number, 1 / count) for number in range(count)]


def _dealt(scene: Scene, seed: int, count: int) -> list[int]:
    """The number of each viewer's network."""
    hand: list[int] = []
    total = 0.0
    for number, share in sizes(scene, count):
        total += share
        hand += [number] * (round(total * count) - len(hand))
    chance(seed, "networks").shuffle(hand)
    return hand


def _prefixes(members: Counter[int]) -> dict[int, int]:
    """The first prefix of each network, by its number."""
    found, at = {}, FIRST_PREFIX
    for number in sorted(members):
        found[number] = at
        at += -(-members[number] // A_PREFIX)
    return found


def _address(prefix: int, host: int) -> str:
    return f"{prefix >> 16}.{prefix >> 8 & 255}.{prefix & 255}.{host}"
