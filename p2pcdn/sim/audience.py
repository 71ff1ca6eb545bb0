"""The people of a scene: when they come and go, how they are connected, how they behave.

All of it follows from the seed. Shares are dealt out, not thrown for: of 10 viewers with a fifth of
free riders two are, whatever the seed, and the mean uplink is what the scene says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import exp, inf, log
from random import Random
from typing import TypeVar

from p2pcdn.sim.clock import chance
from p2pcdn.sim.network import Nat, Place
from p2pcdn.sim.networks import NOBODYS, networks, seats, within
from p2pcdn.sim.scene import Scene

T = TypeVar("T")

MBIT = 125_000.0
"""Bytes a second."""

MIXES: dict[str, list[tuple[float, float]]] = {
    "broad": [(2.0, 0.1), (10.0, 0.3), (20.0, 0.4), (50.0, 0.2)],
    "tight": [(1.0, 0.25), (4.0, 0.5), (8.0, 0.25)],
    "equal": [(8.0, 1.0)],
}
"""Uplinks in Mbit/s, and how many have them."""


class Conduct(Enum):
    """How a viewer's peer behaves."""

    HONEST = "honest"
    LIAR = "liar"
    GARBAGE = "garbage"
    DRIP = "drip"
    SILENT = "silent"
    IDLE = "idle"
    FREE = "free"


GIVERS = (Conduct.HONEST, Conduct.SILENT, Conduct.IDLE)
"""Those whose uplink is of use to others."""


@dataclass(slots=True)
class Viewer:
    """One person with a browser."""

    number: int
    arrives: float
    leaves: float
    """Infinity: at the end."""
    abruptly: bool
    """He leaves without a word."""
    up: float
    down: float
    http: float
    """Bytes a second, all three."""
    place: Place
    nat: Nat
    conduct: Conduct
    network: int = NOBODYS
    """The number of the network that he is in."""
    address: str = ""


def audience(scene: Scene, seed: int) -> list[Viewer]:
    """Everybody who will come, in the order of their arrival."""
    arrivals = _arrivals(scene, chance(seed, "arrivals"))
    count = len(arrivals)
    ups = _dealt(MIXES[scene.lines.mix], count, chance(seed, "uplinks"))
    nats = _dealt(_nats(scene), count, chance(seed, "nats"))
    conducts = _dealt(_conducts(scene), count, chance(seed, "conducts"))
    scale = _scale(scene, ups)
    viewers = [
        _viewer(scene, seed, number, arrives, ups[number], scale, nats[number], conducts[number])
        for number, arrives in enumerate(arrivals)
    ]
    _seat(scene, seed, viewers)
    _wave(scene, viewers, chance(seed, "wave"))
    return viewers


def _viewer(
    scene: Scene, seed: int, number: int, arrives: float, up: float, scale: float, nat: Nat,
    conduct: Conduct,
) -> Viewer:  # fmt: skip
    dice = chance(seed, "viewer", number)
    lines, rate = scene.lines, scene.bytes_per_second
    half = lines.spread / 2
    place = Place(dice.uniform(-half, half), dice.uniform(-half, half), dice.uniform(3.0, 12.0))
    return Viewer(
        number=number,
        arrives=arrives,
        leaves=_leaves(scene, arrives, dice),
        abruptly=False,
        up=up * scale * MBIT,
        down=max(lines.downlink * rate, lines.asymmetry * up * MBIT),
        http=scene.http.rate * MBIT * dice.uniform(0.7, 1.3),
        place=place,
        nat=nat,
        conduct=conduct,
    )


def _seat(scene: Scene, seed: int, viewers: list[Viewer]) -> None:
    """Put them into networks, as far as the scene has any."""
    seated = seats(scene, seed, len(viewers))
    there = networks(scene, seed, seated)
    for viewer, seat in zip(viewers, seated, strict=True):
        viewer.network, viewer.address = seat
        if (network := there.get(seat.network)) is not None:
            viewer.place = within(network, viewer.place)


def _arrivals(scene: Scene, dice: Random) -> list[float]:
    arrivals, count = scene.arrivals, scene.viewers
    match arrivals.kind:
        case "start":
            return [0.0] * count
        case "flash":
            return sorted(dice.uniform(0.0, arrivals.over) for _ in range(count))
        case "ramp":
            return [arrivals.over * number / count for number in range(count)]
    return _poisson(scene.viewers / _stay(scene), scene.seconds, dice)


def _poisson(rate: float, seconds: float, dice: Random) -> list[float]:
    times = [0.0]
    while times[-1] < seconds:
        times.append(times[-1] + dice.expovariate(rate))
    return times[:-1]


def _stay(scene: Scene) -> float:
    """How long a viewer stays on average."""
    sessions = scene.sessions
    stay = sessions.median * exp(sessions.sigma**2 / 2) if sessions.kind == "lognormal" else inf
    if not scene.live:
        stay = min(stay, scene.media.length)
    return min(stay, scene.seconds)


def _leaves(scene: Scene, arrives: float, dice: Random) -> float:
    sessions = scene.sessions
    if sessions.kind == "lognormal":
        return arrives + dice.lognormvariate(log(sessions.median), sessions.sigma)
    return inf


def _dealt(shares: list[tuple[T, float]], count: int, dice: Random) -> list[T]:
    """So many of each as its share says, in random order."""
    hand: list[T] = []
    total = 0.0
    for what, share in shares:
        total += share
        hand += [what] * (round(total * count) - len(hand))
    dice.shuffle(hand)
    return hand


def _nats(scene: Scene) -> list[tuple[Nat, float]]:
    nat = scene.nat
    kinds = [(Nat.BLOCKED, nat.blocked), (Nat.CONE, nat.cone), (Nat.SYMMETRIC, nat.symmetric)]
    return [*kinds, (Nat.OPEN, 1.0 - sum(share for _, share in kinds))]


def _conducts(scene: Scene) -> list[tuple[Conduct, float]]:
    part = scene.conduct
    kinds = [
        (Conduct.LIAR, part.liars),
        (Conduct.GARBAGE, part.garbage),
        (Conduct.DRIP, part.drip),
        (Conduct.SILENT, part.silent),
        (Conduct.IDLE, part.idle),
        (Conduct.FREE, part.free),
    ]
    return [*kinds, (Conduct.HONEST, 1.0 - sum(share for _, share in kinds))]


def _scale(scene: Scene, ups: list[float]) -> float:
    wanted = scene.lines.uplink * scene.media.bitrate
    return wanted * len(ups) / sum(ups) if wanted else 1.0


def _wave(scene: Scene, viewers: list[Viewer], dice: Random) -> None:
    wave = scene.wave
    if not wave.at:
        return
    there = [v for v in viewers if v.arrives < wave.at < v.leaves]
    for viewer in dice.sample(there, round(wave.share * len(there))):
        viewer.leaves = wave.at + dice.uniform(0.0, wave.over)
        viewer.abruptly = True
