"""HTTP that comes and goes: when the way to the origin is good, slow, or not there at all.

A viewer's weather follows from the seed alone. So the same viewer has the same with and without
peers, whatever he asks for and when.
"""

from __future__ import annotations

from bisect import bisect_right
from random import Random


class Weather:
    """A share of the usual rate for each moment; it is made as far as somebody looks."""

    def __init__(self, good: float, bad: float, dip: float, outages: float, dice: Random) -> None:
        """``good`` and ``bad`` are how long each lasts on average. In bad weather the rate falls
        to the share ``dip``, or with the chance ``outages`` to nothing."""
        self._good = good
        self._bad = bad
        self._dip = dip
        self._outages = outages
        self._dice = dice
        self._starts = [0.0]
        self._factors = [1.0]
        self._until = dice.expovariate(1 / good) if self.changes else 0.0

    @property
    def changes(self) -> bool:
        return self._bad > 0

    def factor(self, now: float) -> float:
        """The share of the usual rate that there is now."""
        if not self.changes:
            return 1.0
        self._look(now)
        return self._factors[bisect_right(self._starts, now) - 1]

    def clears_at(self, now: float) -> float:
        """When there is a way to the origin: now, or when this outage ends."""
        if self.factor(now) > 0:
            return now
        place = bisect_right(self._starts, now)
        self._look(self._until)
        return self._starts[place]

    def _look(self, until: float) -> None:
        while self._until <= until:
            good = self._factors[-1] == 1.0
            self._starts.append(self._until)
            if good:
                outage = self._dice.random() < self._outages
                self._factors.append(0.0 if outage else self._dip)
                self._until += self._dice.expovariate(1 / self._bad)
            else:
                self._factors.append(1.0)
                self._until += self._dice.expovariate(1 / self._good)
