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

Groups of viewers (by country, say), and counts of what failed, have rows of a minute and an hour.

Where nothing runs there are no rows, and a row says how many seconds it has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger_ports import Failure, Group, Reading

WIDTHS = (10, 60, 3600)
"""Seconds of a bucket; each is a multiple of those before it."""

MOST_SEEN = 10.0
"""A process that was asleep for longer than so many seconds has seen no more of them."""

MOST_CONTENTS = 1000
"""Contents with rows of their own in an hour: whoever joins made-up ones fills no disk."""

OTHERS = "others"
"""The contents that were too many, together."""

MOST_GROUPS = 1000
"""Groups of a kind with rows of their own in an hour; as many reasons of failures."""

COARSE = WIDTHS[1:]
"""Seconds of a bucket of groups and failures."""

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


class GroupKey(NamedTuple):
    """What a row of a group, or of a reason of failures, is known by."""

    width: int
    at: int
    part: int
    kind: str
    name: str


_NONE: Mapping[Any, Any] = {}


class Batch(NamedTuple):
    """What is to be written, all of it or nothing."""

    at: float
    """The time of the last reading that is in it, in seconds since 1970."""
    total: Amounts
    """All that the run has seen."""
    rows: Mapping[Key, Figures]
    groups: Mapping[GroupKey, Figures] = _NONE
    failures: Mapping[GroupKey, int] = _NONE

    def then(self, later: Batch) -> Batch:
        """Both together, if this one could not be written."""
        return Batch(
            later.at,
            later.total,
            {**self.rows, **later.rows},
            {**self.groups, **later.groups},
            {**self.failures, **later.failures},
        )


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
        self._open_groups: dict[int, dict[str, dict[str, Figures]]] = {
            width: {} for width in COARSE
        }
        self._changed_groups: dict[GroupKey, Figures] = {}
        self._open_failures: dict[int, Counter[Failure]] = {width: Counter() for width in COARSE}
        self._changed_failures: dict[GroupKey, int] = {}

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
        self._see_groups(reading, seconds)
        self._see_failures(reading)

    def take_batch(self) -> Batch | None:
        """What has changed since the last batch; None if there was no reading."""
        if self._last is None or not self._changed:
            return None
        changed, self._changed = self._changed, {}
        rows = {key: figures.copy() for key, figures in changed.items()}
        groups = {key: figures.copy() for key, figures in self._changed_groups.items()}
        failures = self._changed_failures
        self._changed_groups, self._changed_failures = {}, {}
        return Batch(self._last, msgspec.structs.replace(self._total), rows, groups, failures)

    def _turn(self, now: float) -> None:
        """Open the buckets that ``now`` is in."""
        begins = {width: int(now // width) * width for width in WIDTHS}
        back = any(begins[width] < self._begun[width] for width in WIDTHS)
        self._part += back
        for width in WIDTHS:
            if back or begins[width] > self._begun[width]:
                self._open[width] = {}
                self._begun[width] = begins[width]
                if width in COARSE:
                    self._open_groups[width] = {}
                    self._open_failures[width] = Counter()

    def _is_named(self, content: str) -> bool:
        """Whether a content has rows of its own."""
        named = self._open[WIDTHS[-1]]
        return content != ALL and (content in named or len(named) < MOST_CONTENTS)

    def _see(self, content: str, share: _Share, seconds: float) -> None:
        for width in WIDTHS:
            figures = self._open[width].setdefault(content, Figures())
            figures.see(share.amounts, share.viewers, seconds)
            self._changed[Key(width, self._begun[width], self._part, content)] = figures

    def _see_groups(self, reading: Reading, seconds: float) -> None:
        for width in COARSE:
            open_, shares = self._open_groups[width], dict[Group, _Share]()
            for group in sorted(reading.groups.keys() | reading.members.keys()):
                named = open_.setdefault(group.kind, {})
                is_named = group.name in named or len(named) < MOST_GROUPS
                if is_named:
                    named.setdefault(group.name, Figures())
                share = shares.setdefault(
                    group if is_named else Group(group.kind, OTHERS), _Share()
                )
                share.add(reading.groups.get(group, _NOTHING), reading.members.get(group, 0))
            for group, share in shares.items():
                figures = open_[group.kind].setdefault(group.name, Figures())
                figures.see(share.amounts, share.viewers, seconds)
                key = GroupKey(width, self._begun[width], self._part, *group)
                self._changed_groups[key] = figures

    def _see_failures(self, reading: Reading) -> None:
        for failure, times in sorted(reading.failures.items()):
            for width in COARSE:
                counts = self._open_failures[width]
                counts[failure] += times
                key = GroupKey(width, self._begun[width], self._part, *failure)
                self._changed_failures[key] = counts[failure]


class _Share(msgspec.Struct):
    """Part of a reading."""

    amounts: Amounts = msgspec.field(default_factory=Amounts)
    viewers: int = 0

    def add(self, amounts: Amounts, viewers: int) -> None:
        self.amounts.add(amounts)
        self.viewers += viewers


_NOTHING = Amounts()
