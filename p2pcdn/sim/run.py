"""Running scenes: once, in pairs with and without peers, and over a range of values of one key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from p2pcdn.sim.metrics import Comparison, Results, compare, measure
from p2pcdn.sim.scene import Scene
from p2pcdn.sim.world import World

Progress = Callable[[float], None]


def _nobody(share: float) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scene's run, and its comparison with the plain one if that was run, too."""

    scene: Scene
    results: Results
    plain: Results | None = None
    comparison: Comparison | None = None


def run(
    scene: Scene,
    name: str,
    seed: int,
    *,
    trace: TextIO | None = None,
    progress: Progress = _nobody,
) -> Outcome:
    """Run a scene, and the same without peers if it asks for that."""
    share = 0.9 if scene.pair else 1.0
    results = _once(scene, name, seed, False, trace, lambda done: progress(share * done))
    if not scene.pair:
        return Outcome(scene, results)
    plain = _once(scene, name, seed, True, None, lambda done: progress(share + done / 10))
    return Outcome(scene, results, plain, compare(results, plain))


def _once(
    scene: Scene, name: str, seed: int, plain: bool, trace: TextIO | None, progress: Progress
) -> Results:
    world = World(scene, seed, plain=plain, trace=trace)
    world.run(progress)
    return measure(world, name)
