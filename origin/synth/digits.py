"""Digits as a clock radio shows them: seven bars each, slanted a little.

::

      --a--
     f     b
      --g--
     e     c
      --d--
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

BARS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgedc",
    "7": "abc",
    "8": "abcdefg",
    "9": "abfgcd",
    "p": "abfge",
}

DOTS = {":": (0.3, 0.7), ".": (0.93,)}
"""How far down the middles of the dots are."""

WIDE = 0.52
"""Width of a digit, all in heights of it."""
THICK = 0.12
GAP = 0.16
NARROW = 0.14
"""Width of a dot."""
SLANT = 0.08


class Run(NamedTuple):
    """Equal pixels side by side, ``end`` not included."""

    y: int
    begin: int
    end: int


class Glyph(NamedTuple):
    """A character in pixels."""

    advance: int
    """From its left edge to that of the next one."""
    runs: tuple[Run, ...]


@cache
def glyph(character: str, height: int) -> Glyph:
    """A digit, a colon, a point or a ``p``, so many pixels tall."""
    runs = []
    for y in range(height):
        down = (y + 0.5) / height
        slant = SLANT * (1 - down)
        for begin, end in _slices(character, down):
            runs.append(Run(y, round((begin + slant) * height), round((end + slant) * height)))
    width = WIDE if character in BARS else NARROW
    return Glyph(round((width + GAP) * height), tuple(runs))


def _slices(character: str, down: float) -> Iterator[tuple[float, float]]:
    """Where a horizontal cut through the character meets ink, in heights of it."""
    if any(abs(down - dot) < NARROW / 2 for dot in DOTS.get(character, ())):
        yield 0, NARROW
    bars = BARS.get(character, "")
    for bar, middle in (("a", THICK / 2), ("g", 0.5), ("d", 1 - THICK / 2)):
        point = abs(down - middle)
        if bar in bars and point < THICK / 2:
            yield THICK / 2 + point, WIDE - THICK / 2 - point
    for left, right, top in (("f", "b", 0.0), ("e", "c", 0.5)):
        # The bars end in points that leave a hair's breadth to their neighbours.
        point = max(0.0, top + THICK - down, down - (top + 0.5 - THICK / 2))
        if top + 0.05 < down < top + 0.47 and point < THICK / 2:
            if left in bars:
                yield point / 2, THICK - point / 2
            if right in bars:
                yield WIDE - THICK + point / 2, WIDE - point / 2
