"""How far peers are trusted to deliver in time: earned slowly, and lost at once.

While the buffer is above a floor peers are waited for, and below it they are not. The floor begins
at nothing, so that a short visit costs the origin one segment; each *rescue* (the origin had to
bring at the last moment what peers had been trusted with) raises it, and a clean minute halves it::

    floor:     0 --rescue--> 4 s or two segments --rescue--> twice that ... up to the player's own
               ^------------- clean minutes --------------'  target: then all is as without peers

Of a live stream there is never much to buffer. There it is *patience* that is earned: how long
after a segment came out the origin may go unasked.
"""

from __future__ import annotations

from math import inf

FIRST_FLOOR = 4.0
CLEAN = 60.0
"""Seconds without a rescue that halve the floor, and for which a stall is remembered."""
LEAST_FLOOR = 2.0
"""A lower floor than this is none."""
FIRST_PATIENCE = 1.0
EARNED = 0.5
"""Seconds of patience for a segment that peers brought whole."""
MOST_PATIENCE = 30.0


class Trust:
    """What one viewer thinks of peers."""

    def __init__(self) -> None:
        self.patience = FIRST_PATIENCE
        """Seconds from a live segment's publication for which peers are waited for."""
        self._floor = 0.0
        self._clean_since = 0.0
        self._stalled_at = -inf

    def rescued(self, duration: float, target: float, now: float) -> None:
        """The origin had to bring what peers had been trusted with; ``duration`` is a segment's."""
        floor = self._floor_at(now)
        raised = floor * 2 if floor else max(2 * duration, FIRST_FLOOR)
        self._floor, self._clean_since = min(raised, target), now
        self.patience /= 2

    def stalled(self, now: float) -> None:
        """Playback has stopped for want of media."""
        self._stalled_at = now
        self.patience = 0.0

    def delivered(self) -> None:
        """Peers have brought a segment whole."""
        self.patience = min(self.patience + EARNED, MOST_PATIENCE)

    def floor(self, target: float, shaky: bool, now: float) -> float:
        """Seconds of media that have to be in the buffer for peers to be waited for.

        ``target`` is what the player wants to have there, ``shaky`` says that the origin itself may
        soon be too slow.
        """
        if shaky or now - self._stalled_at < CLEAN:
            return target
        return min(self._floor_at(now), target)

    def _floor_at(self, now: float) -> float:
        while self._floor and now - self._clean_since >= CLEAN:
            self._floor /= 2
            self._clean_since += CLEAN
            if self._floor < LEAST_FLOOR:
                self._floor = 0.0
        return self._floor
