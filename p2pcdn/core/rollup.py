"""From readings of the ledger to rows that can be written down: 10 s, a minute, an hour each.

::

    Ledger --Reading, once a second--> Rollup --Batch, every few seconds--> storage
                                         |
                 10 s   |..|..|..|..|..|..|    one bucket of each width is open,
                 1 min  |.................|    each with a row for everything together
                 1 h    |........               and one for each content that had any part in it

A row holds the sums of its bucket so far, never a difference, and a batch has each row that has
changed since the last. So a batch may be written twice, or not at all if the next one is: what a
row said before is replaced. A row is known by its width, its time, its content, the run of the
process and the *part* of the run. A new part begins where the clock goes back to a bucket that was
over already; so no row is ever replaced by one that knows of less.

Where nothing runs there are no rows, and a row says how many seconds it has seen.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from p2pcdn.core.ledger import Amounts, Reading

WIDTHS = (10, 60, 3600)
"""Seconds of a bucket; each is a multiple of those before it."""

MOST_SEEN = 10.0
"""A process that was asleep for longer than so many seconds has seen no more of them."""

MOST_CONTENTS = 1000
"""Contents with rows of their own in an hour: whoever joins made-up ones fills no disk."""

OTHERS = "others"
"""The contents that were too many, together."""

ALL = ""
"""Everything together; what belongs to no content is in here alone."""


class Figures(msgspec.Struct):
    """What a row says of its bucket."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    seconds: float = 0.0
    """For how long anybody has looked."""
    viewer_seconds: float = 0.0
    """Time that viewers spent, all of them together."""
    viewers_max: int = 0

    def see(self, amounts: Amounts, viewers: int, seconds: float) -> None:
        """Add what has come since the last reading, so many seconds ago."""
        self.amounts.add(amounts)
        self.seconds += seconds
        self.viewer_seconds += viewers * seconds
        self.viewers_max = max(self.viewers_max, viewers)

    def copy(self) -> Figures:
        """As they are now."""
        return Figures(
            msgspec.structs.replace(self.amounts),
            self.seconds,
            self.viewer_seconds,
            self.viewers_max,
        )


class Key(NamedTuple):
    """What a row is known by, within its run."""

    width: int
    at: int
    """Seconds since 1970 at which the bucket begins."""
    part: int
    content: str


class Batch(NamedTuple):
    """What is to be written, all of it or nothing."""

    at: float
    """The time of the last reading that is in it, in seconds since 1970."""
    total: Amounts
    """All that the run has seen."""
    rows: dict[Key, Figures]

    def then(self, later: Batch) -> Batch:
        """Both together, if this one could not be written."""
        return Batch(later.at, later.total, self.rows | later.rows)


class Rollup:
    """Adds readings up."""

    def __init__(self) -> None:
        self._total = Amounts()
        self._open: dict[int, dict[str, Figures]] = {width: {} for width in WIDTHS}
        self._begun = dict.fromkeys(WIDTHS, 0)
        """When the open bucket of each width begins."""
        self._part = 0
        self._last: float | None = None
        self._changed: dict[Key, Figures] = {}

    def receive(self, reading: Reading, now: float) -> None:
        """Add what is new; ``now`` is the time in seconds since 1970."""
        self._turn(now)
        seconds = 0.0 if self._last is None else min(max(0.0, now - self._last), MOST_SEEN)
        self._last = now
        everything, others = _Share(), _Share()
        for content in sorted(reading.changes.keys() | reading.viewers.keys()):
            amounts = reading.changes.get(content, _NOTHING)
            viewers = reading.viewers.get(content, 0)
            everything.add(amounts, viewers)
            if self._is_named(content):
                self._see(content, _Share(amounts, viewers), seconds)
            elif content != ALL:
                others.add(amounts, viewers)
        self._total.add(everything.amounts)
        self._see(ALL, everything, seconds)
        if others != _Share():
            self._see(OTHERS, others, seconds)

    def take_batch(self) -> Batch | None:
        """What has changed since the last batch; None if there was no reading."""
        if self._last is None or not self._changed:
            return None
        changed, self._changed = self._changed, {}
        rows = {key: figures.copy() for key, figures in changed.items()}
        return Batch(self._last, msgspec.structs.replace(self._total), rows)

    def _turn(self, now: float) -> None:
        """Open the buckets that ``now`` is in."""
        begins = {width: int(now // width) * width for width in WIDTHS}
        back = any(begins[width] < self._begun[width] for width in WIDTHS)
        self._part += back
        for width in WIDTHS:
            if back or begins[width] > self._begun[width]:
                self._open[width] = {}
                self._begun[width] = begins[width]

    def _is_named(self, content: str) -> bool:
        """Whether a content has rows of its own."""
        named = self._open[WIDTHS[-1]]
        return content != ALL and (content in named or len(named) < MOST_CONTENTS)

    def _see(self, content: str, share: _Share, seconds: float) -> None:
        for width in WIDTHS:
            figures = self._open[width].setdefault(content, Figures())
            figures.see(share.amounts, share.viewers, seconds)
            self._changed[Key(width, self._begun[width], self._part, content)] = figures


class _Share(msgspec.Struct):
    """Part of a reading."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    viewers: int = 0

    def add(self, amounts: Amounts, viewers: int) -> None:
        self.amounts.add(amounts)
        self.viewers += viewers


_NOTHING = Amounts()
