"""Runs targets, and says what an input did that it must not: crash, hang, leave things behind."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.fuzz.mutator import Mutator
from tests.fuzz.targets import Target

HANG = 1.0
"""Seconds of the processor for one input. None takes a hundredth of it."""

GROWTH = 500
"""Objects that may be left after a run, whatever its length: caches of a few."""


class FaultError(AssertionError):
    """An input that a target does not stand."""


class Outcome(NamedTuple):
    """A run that found nothing."""

    inputs: int
    seconds: float
    """Of the processor."""
    slowest: float
    """Seconds of the slowest input."""


def fuzz(
    target: Target, inputs: int, seed: int, progress: Callable[[int], None] | None = None
) -> Outcome:
    """So many inputs for a target, the same for the same seed; `FaultError` at the first bad."""
    mutator = Mutator(target.corpus, seed)
    for data in target.corpus:
        _run(target, data)
    before = _objects()
    began = time.process_time()
    slowest = 0.0
    for number in range(inputs):
        slowest = max(slowest, _run(target, mutator.next()))
        if progress is not None and number % 1000 == 999:
            progress(1000)
    took = time.process_time() - began
    grown = _objects() - before
    if grown > GROWTH:
        raise FaultError(f"{target.name} has left {grown} objects behind after {inputs} inputs.")
    return Outcome(inputs, took, slowest)


def _run(target: Target, data: bytes) -> float:
    began = time.process_time()
    try:
        target.run(data)
    except Exception as error:
        raise FaultError(f"{target.name} does not stand {data[:2000]!r}: {error!r}") from error
    took = time.process_time() - began
    if took > HANG:
        raise FaultError(f"{target.name} took {took:.1f} s for {data[:2000]!r} ({len(data)} bytes)")
    return took


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())
