"""The sound: one soft note a second, so that one hears whether sound and picture agree.

The melody repeats after `PATTERN` seconds; only that much is ever computed.
"""

from __future__ import annotations

import math
from array import array

RATE = 48_000
"""Samples a second."""

MELODY = (220.00, 277.18, 329.63, 415.30, 440.00, 329.63, 277.18, 246.94)
"""A note for each second, in hertz: A major with its sixth left out, nothing that jars."""

PATTERN = len(MELODY)

LOUDNESS = 0.14


def _note(hertz: float) -> list[float]:
    """One second of one note: a quick but soft beginning, then it dies away."""
    step = 2 * math.pi * hertz / RATE
    fade = RATE // 50
    return [
        LOUDNESS
        * min(1.0, n / fade, (RATE - n) / fade)
        * math.exp(-3.2 * n / RATE)
        * (math.sin(step * n) + 0.35 * math.sin(2 * step * n) + 0.12 * math.sin(3 * step * n))
        for n in range(RATE)
    ]


class Tone:
    """The samples, as 32-bit floats of one channel."""

    def __init__(self) -> None:
        notes = {hertz: _note(hertz) for hertz in set(MELODY)}
        pattern = array("f", [sample for hertz in MELODY for sample in notes[hertz]])
        self._period = len(pattern)
        self._samples = pattern + pattern[:RATE]

    def samples(self, first: int, count: int) -> bytes:
        """``count`` samples (at most a second's) from number ``first``."""
        at = first % self._period
        return self._samples[at : at + count].tobytes()
