"""What the origin has shown so far: how long it takes to begin, and how fast it goes on.

Decisions rest on its bad moments rather than on its average: on the slow end of the last `SAMPLES`
answers. What comes at the same time, answers and chunks of peers, shares the line: how fast it is
shows in all of that together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

SAMPLES = 20
LEAST_MEASURED = 32_768
"""Bytes below which an answer says nothing about throughput."""
COMPARABLE = 0.5
"""Nor does one that is smaller than so much of the largest: it was over before it was up to
speed (TCP's slow start, RFC 5681)."""
FIRST_TTFB = 0.2
FIRST_RATE = 250_000.0
"""Bytes a second, before there was any answer."""
HALF_LIFE = 60.0
"""Seconds in which what the origin once showed by itself comes to count half."""
ENOUGH = 6
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
        self._slow: float | None = None
        """Bytes a second that nine of ten answers exceed; None before there were `ENOUGH`."""
        self._ttfbs: deque[float] = deque(maxlen=SAMPLES)
        self._answers: deque[tuple[int, float, float, float]] = deque(maxlen=SAMPLES)
        """Bytes, when the first and the last of them came, and what links brought in between."""

    def answered(
        self, received: int, ttfb: float, took: float, now: float, beside: int = 0
    ) -> None:
        """An answer of ``received`` bytes is complete, ``took`` seconds after it was asked for, in
        which links have brought ``beside`` bytes over the same line."""
        self._ttfbs.append(ttfb)
        self.ttfb = percentile(self._ttfbs, 0.95)
        if received >= LEAST_MEASURED:
            comes = max(took - ttfb, 0.001)
            share = min(comes / took, 1.0) if took else 0.0
            self._answers.append((received, now - comes, now, beside * share))
            rates = self._rates()
            self.rate = percentile(rates, 0.2)
            self._slow = percentile(rates, 0.1) if len(rates) >= ENOUGH else None

    def takes(self, size: int) -> float:
        """Seconds in which ``size`` bytes are there for certain, as far as one can tell."""
        return self.ttfb + size / (RATE_SHARE * self.rate) + GUARD

    def is_shaky(self, bitrate: float) -> bool:
        """Whether it may soon be too slow for media of ``bitrate`` bytes a second."""
        return self._slow is not None and self._slow < 1.5 * bitrate

    def _rates(self) -> list[float]:
        """Bytes a second that came in all, while an answer came that is large enough to tell. What
        links brought counts for no more than the origin has lately shown without them: of a line
        that peers fill it is not known how much of it the origin could."""
        least = COMPARABLE * max((size for size, *_ in self._answers), default=0)
        large = [
            (self._between(begun, ended) / (ended - begun), beside / (ended - begun), ended)
            for size, begun, ended, beside in self._answers
            if size >= least
        ]
        now = max((ended for *_, ended in large), default=0.0)
        shown = max(
            (alone * 0.5 ** ((now - ended) / HALF_LIFE) for alone, _, ended in large), default=0.0
        )
        return [alone + min(beside, shown) for alone, beside, _ in large]

    def _between(self, since: float, until: float) -> float:
        """Bytes that came, if each answer came evenly."""
        return sum(
            size * max(min(until, ended) - max(since, begun), 0.0) / (ended - begun)
            for size, begun, ended, _ in self._answers
        )


def percentile(values: Iterable[float], share: float) -> float:
    """The value that ``share`` of them do not exceed (nearest rank, rounded)."""
    ranked = sorted(values)
    return ranked[int(share * (len(ranked) - 1) + 0.5)]
