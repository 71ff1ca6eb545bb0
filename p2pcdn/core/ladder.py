"""Renditions by their bit rates: each content has others, but rates can be told of all together."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

RATES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Upper bounds of the classes, in Mbit/s."""

_NAMES = (
    f"up to {RATES[0]:g} Mbit/s",
    *(f"{lower:g} to {upper:g} Mbit/s" for lower, upper in pairwise(RATES)),
    f"over {RATES[-1]:g} Mbit/s",
)


def rung_of(rate: int) -> str:
    """What a rendition of so many bytes a second is called."""
    return _NAMES[bisect_left(RATES, rate * 8 / 1e6)]
