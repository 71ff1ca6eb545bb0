"""What the origin has shown so far: how long it takes to begin, and how fast it goes on.

Decisions rest on its bad moments rather than on its average: on the slow end of the last `SAMPLES`
answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

SAMPLES = 20
LEAST_MEASURED = 32_768
"""Bytes below which an answer says nothing about throughput."""
FIRST_TTFB = 0.2
FIRST_RATE = 250_000.0
"""Bytes a second, before there was any answer."""
ENOUGH = 3
"""Answers that it takes to call the origin shaky."""
GUARD = 0.8
"""Seconds kept in hand, whatever the figures say."""
RATE_SHARE = 0.8
"""The part of the slow answers' throughput that is counted on."""


class Http:
    """The record of one origin."""

    def __init__(self) -> None:
        self.ttfb = FIRST_TTFB
        """Seconds to the first byte: 19 of 20 answers begin sooner."""
        self.rate = FIRST_RATE
        """Bytes a second: four of five answers are faster."""
        self._ttfbs: deque[float] = deque(maxlen=SAMPLES)
        self._rates: deque[float] = deque(maxlen=SAMPLES)

    def answered(self, received: int, ttfb: float, took: float) -> None:
        """An answer of ``received`` bytes came whole, ``took`` seconds after it was asked for."""
        self._ttfbs.append(ttfb)
        self.ttfb = percentile(self._ttfbs, 0.95)
        if received >= LEAST_MEASURED:
            self._rates.append(received / max(took - ttfb, 0.001))
            self.rate = percentile(self._rates, 0.2)

    def takes(self, size: int) -> float:
        """Seconds in which ``size`` bytes are there for certain, as far as one can tell."""
        return self.ttfb + size / (RATE_SHARE * self.rate) + GUARD

    def is_shaky(self, bitrate: float) -> bool:
        """Whether it may soon be too slow for media of ``bitrate`` bytes a second."""
        return len(self._rates) >= ENOUGH and percentile(self._rates, 0.1) < 1.5 * bitrate


def percentile(values: Iterable[float], share: float) -> float:
    """The value that ``share`` of them do not exceed (nearest rank, rounded)."""
    ranked = sorted(values)
    return ranked[int(share * (len(ranked) - 1) + 0.5)]
