"""What happened lately counts most."""

from __future__ import annotations


class Fading:
    """A count of what happened lately: it halves every ``half`` seconds."""

    __slots__ = ("_at", "_count", "_half")

    def __init__(self, half: float) -> None:
        self._half = half
        self._count = 0.0
        self._at = 0.0

    def at(self, now: float) -> float:
        """The count as it is now."""
        halved: float = 0.5 ** ((now - self._at) / self._half)
        return self._count * halved

    def add(self, now: float) -> None:
        """It happened once more."""
        self._count, self._at = self.at(now) + 1, now
