"""Viewers for tests: their players play one rendition to its last segment, from its first one, or
from where a live stream is."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile

from p2pcdn.core import ports
from p2pcdn.model import SegmentKey
from tests.p2pcdn.core.shell import Shell

TICK = 0.1
"""Seconds between two looks at the player."""


@dataclass(slots=True)
class Viewer:
    """Asks for one segment after the other, a few ahead of what it plays."""

    shell: Shell
    rendition: str
    ahead: int = 4
    """Segments that the player wants to have in its buffer."""
    keys: list[SegmentKey] = field(default_factory=list)
    stalled: float = 0.0
    """Seconds, those before the first picture included."""
    _ticks: int = 0
    """How often there was something to play."""
    _asked: int = 0

    def __post_init__(self) -> None:
        pieces = self.shell.world.media.published(self.rendition, float("inf"))
        self.keys = [piece.key for piece in pieces][self._first() :]
        self._tick()

    def _first(self) -> int:
        """The segment with which it begins."""
        return 0

    def _there(self) -> int:
        """How many segments there are to play."""
        return len(self.keys)

    def done(self) -> bool:
        """Whether every segment has arrived."""
        return all(map(self._has, self.keys))

    def _has(self, key: SegmentKey) -> bool:
        return key in self.shell.ready

    def _tick(self) -> None:
        duration = self.shell.world.media.pieces[self.keys[0]].duration / 1000
        position = self._ticks * TICK / duration
        head = min(int(position), len(self.keys) - 1)
        playable = len(list(takewhile(self._has, self.keys[head:])))
        if playable:
            self._ticks += 1
        else:
            self.stalled += TICK
        self._ask(head, max(0.0, (head + playable - position) * duration))
        if not self.done():
            self.shell.later(self._tick, TICK)

    def _ask(self, head: int, buffer: float) -> None:
        """Say where we are, and ask for the next segment if the last one is there."""
        there, live = self._there(), self.shell.world.media.live
        first, last = self.keys[head].sequence, self.keys[there - 1].sequence
        self.shell.give(ports.Playing(self.rendition, first, last, buffer, live))
        while self._asked < min(head + self.ahead, there):
            if not all(map(self._has, self.keys[: self._asked])):
                return
            self._asked += 1
            self.shell.give(ports.Demand(self.keys[self._asked - 1], buffer))


class LiveViewer(Viewer):
    """Begins three segments behind the newest one, and plays what comes out."""

    def _first(self) -> int:
        return max(self._published() - 3, 0)

    def _there(self) -> int:
        return self._published() - self.keys[0].sequence

    def _published(self) -> int:
        world = self.shell.world
        return len(world.media.published(self.rendition, world.now))
