"""How several contents share one store: what is asked for and rare comes first.

Pure. A content's worth is how many peers are linked to us for it, lately, and more if they hold
little of what we do. The contents get all that they would have, the worthier first, until the room
is shared out; what then has too much drops the end of what is finished, and the oldest of what is
live. What is there already counts for more, so that two contents of the same worth do not drive
each other out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HALF_LIFE = 1800.0
"""Seconds after which a peer that has gone counts half."""
HELD = 1.25
"""How much more is worth what is there already."""
LEAST = 0.01
"""The worth of what nobody asks for: rare things first, still."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a content would have, and why it should."""

    size: int
    """Bytes of all there is of it, as far as one can tell."""
    held: int
    """Bytes that we hold."""
    peers: int
    """Who is linked to us for it now."""
    rare: float = 1.0
    """Which part of what we hold no neighbour has, from 0 to 1."""


class Demand:
    """How many peers a content has had, lately."""

    def __init__(self) -> None:
        self.value = 0.0
        self._at: float | None = None

    def note(self, peers: int, now: float) -> float:
        """So many are there now; returns what that makes."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self.value = max(float(peers), self.value * 0.5 ** (passed / HALF_LIFE))
        return self.value


def worth(wish: Wish, demand: float) -> float:
    """How much sooner than others a content gets its room."""
    return (demand + LEAST) * (1 + wish.rare) * (HELD if wish.held else 1.0)


def share_out(room: int, wishes: Mapping[str, tuple[Wish, float]]) -> dict[str, int]:
    """The bytes of each content, by its wish and the demand for it; together no more than
    ``room``."""
    shares: dict[str, int] = {}
    left = room
    for name in sorted(wishes, key=lambda name: (-worth(*wishes[name]), name)):
        shares[name] = min(wishes[name][0].size, left)
        left -= shares[name]
    # What nobody needs is for whoever turns out to be larger than it seems, or grows.
    return {name: share + left // len(shares) for name, share in shares.items()}
