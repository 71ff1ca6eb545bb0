"""Running scenes: once, in pairs with and without peers, and over a range of values of one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

import msgspec

from p2pcdn.sim.metrics import Comparison, Gain, Results, compare, gain, measure
from p2pcdn.sim.scene import Scene
from p2pcdn.sim.world import World

Progress = Callable[[float], None]


def _nobody(share: float) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scene's run, and its comparison with the plain one if that was run, too; the same of one
    with a tracker that knows nothing of networks."""

    scene: Scene
    results: Results
    plain: Results | None = None
    comparison: Comparison | None = None
    blind: Results | None = None
    gain: Gain | None = None


def run(
    scene: Scene,
    name: str,
    seed: int,
    *,
    trace: TextIO | None = None,
    progress: Progress = _nobody,
) -> Outcome:
    """Run a scene, and the same without peers, or by blind matching, if it asks for that."""
    blindly = msgspec.structs.replace(scene.networks, blind=True)
    runs = [(scene, False, 10)]
    runs += [(scene, True, 1)] * scene.pair
    runs += [(msgspec.structs.replace(scene, networks=blindly), False, 10)] * scene.networks.pair
    work = sum(weight for *_, weight in runs)
    before = 0
    found: list[Results] = []
    for one, plain, weight in runs:
        since, share = before / work, weight / work
        before += weight

        def told(done: float, since: float = since, share: float = share) -> None:
            progress(since + share * done)

        found.append(_once(one, name, seed, plain, None if found else trace, told))
    results, others = found[0], found[1:]
    plainly = others.pop(0) if scene.pair else None
    blind = others.pop(0) if scene.networks.pair else None
    return Outcome(
        scene,
        results,
        plainly,
        None if plainly is None else compare(results, plainly),
        blind,
        None if blind is None else gain(results, blind),
    )


def _once(
    scene: Scene, name: str, seed: int, plain: bool, trace: TextIO | None, progress: Progress
) -> Results:
    world = World(scene, seed, plain=plain, trace=trace)
    world.run(progress)
    return measure(world, name)
