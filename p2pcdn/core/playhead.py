"""Where the player is, and when it will need what.

The player tells where it plays and what it has in its buffer; from that follows, for every segment
ahead of it, when the play head gets there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, isfinite

from p2pcdn.core.ports import Playing
from p2pcdn.model import SegmentKey

EMPTY = 0.05
"""Seconds in the buffer below which playback stands still."""


@dataclass(slots=True)
class Playhead:
    """What the player last said, and what it has asked for."""

    playing: Playing | None = None
    started: bool = False
    """Whether it has been given anything yet."""
    target: float = 30.0
    """Seconds of media that it wants to have in its buffer."""
    _until: float = 0.0
    """When its buffer runs dry, unless more comes."""
    _reached: dict[str, int] = field(default_factory=dict)
    """The newest segment of each rendition that it asked for."""

    @property
    def live(self) -> bool:
        return self.playing is not None and self.playing.live

    def moved(self, playing: Playing, now: float) -> bool:
        """The player is here now; returns whether it has just run dry."""
        before, self.playing = self.playing, playing
        self._until = now + playing.buffer
        self.target = playing.target
        was_fed = before is not None and before.buffer > EMPTY
        return self.started and was_fed and playing.buffer <= EMPTY

    def starting(self, now: float) -> bool:
        """Whether a viewer waits for the first picture."""
        return not self.started and self.buffer(now) <= EMPTY

    def asked(self, key: SegmentKey) -> None:
        """The player has asked for a segment."""
        self._reached[key.rendition] = key.sequence

    def take_stock(self, duration: float, now: float) -> None:
        """What the player has in its buffer it need not be brought, though it was asked of others;
        ``duration`` are the seconds of a segment."""
        playing, buffer = self.playing, self.buffer(now)
        if playing is not None and isfinite(buffer):  # who only keeps media never runs dry
            buffered = playing.head - 1 + ceil((buffer - EMPTY) / duration)
            asked = self._reached.get(playing.rendition, buffered)
            self._reached[playing.rendition] = max(asked, buffered)

    def forget(self, rendition: str) -> None:
        """What the player asked for of a rendition is not what it is now."""
        self._reached.pop(rendition, None)

    def forget_all(self) -> None:
        """The same of all renditions."""
        self._reached.clear()

    def buffer(self, now: float) -> float:
        """Seconds of media ahead of the play head."""
        return max(self._until - now, 0.0)

    def reached(self) -> int:
        """The newest segment of its rendition that the player has asked for."""
        playing = self.playing
        return self._reached.get(playing.rendition, playing.head - 1) if playing else -1

    def deadline(self, sequence: int, duration: float, open_: float | None) -> float:
        """When the play head gets to a segment that has not been asked for; ``open_`` is when it
        gets to the newest one that was, if that has not been delivered."""
        beyond = sequence - self.reached()
        if open_ is not None:
            return open_ + beyond * duration
        return self._until + (beyond - 1) * duration
