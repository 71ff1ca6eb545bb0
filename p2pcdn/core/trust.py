"""How far peers are trusted to deliver in time: earned slowly, and lost at once.

While the buffer is above a floor peers are waited for, and below it they are not. The floor begins
at nothing, so that a short visit costs the origin one segment; each *rescue* (the origin had to
bring at the last moment what peers had been trusted with) raises it, and a clean minute halves it::

    floor:     0 --rescue--> 4 s or two segments --rescue--> twice that ... up to the player's own
               ^------------- clean minutes --------------'  target: then all is as without peers

Of a live stream there is never much to buffer. There it is *patience* that is earned: for how much
of the time between a segment's publication and its latest start the origin may go unasked::

    patience:  most --segments from peers--> all of it    less by each rescue, nothing after a
               ^-- clean minute ----- less ---------------- stall
"""

from __future__ import annotations

from math import inf

FIRST_FLOOR = 4.0
CLEAN = 60.0
"""Seconds without a rescue that halve the floor, and for which a stall is remembered."""
LEAST_FLOOR = 2.0
"""A lower floor than this is none."""
FIRST_PATIENCE = 0.75
EARNED = 0.1
"""Patience for a segment that peers brought whole; for a part of one as much of it."""
LOST = 0.25
"""The share of it that is lost if the origin has to bring all of a segment at the last moment."""


class Trust:
    """What one viewer thinks of peers."""

    def __init__(self) -> None:
        self._patience = FIRST_PATIENCE
        self._floor = 0.0
        self._clean_since = 0.0
        """Since when there was no rescue, or when the floor was last lowered."""
        self._lost_at = -inf
        """When patience was last lost."""
        self._stalled_at = -inf

    def rescued(self, share: float, duration: float, target: float, now: float) -> None:
        """The origin had to bring a share of a segment of ``duration`` seconds that peers had been
        trusted with."""
        floor = self._floor_at(now)
        raised = floor * 2 if floor else max(2 * duration, FIRST_FLOOR)
        self._floor = min(raised, target)
        self._patience *= 1 - LOST * share
        self._clean_since = self._lost_at = now

    def stalled(self, now: float) -> None:
        """Playback has stopped for want of media."""
        self._stalled_at = self._clean_since = self._lost_at = now
        self._patience = 0.0

    def delivered(self, share: float) -> None:
        """Peers have brought a share of a segment."""
        self._patience = min(self._patience + EARNED * share, 1.0)

    def patience(self, now: float) -> float:
        """The share of a live segment's time in which peers are waited for."""
        if self._patience < FIRST_PATIENCE and now - self._lost_at >= CLEAN:
            self._patience = FIRST_PATIENCE
        return self._patience

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
