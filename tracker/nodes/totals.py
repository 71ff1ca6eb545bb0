"""What each node has counted, so that any of them can tell the sum.

Each tells what its ledger has, of all its runs, under the ledger's own id: who tells it twice, or
begins anew, changes nothing, and what a node that is gone has told still counts: a store that has
forgotten it is told again by those who heard it. Viewers and swarms are of now, and count while
their node is there. A ledger that several nodes keep together (`ledger.clickhouse`) has the sum
already: of these only what is of now is added up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from p2pcdn.core.amounts import Amounts
from tracker.nodes.store import PREFIX, Batch

EVERY = 2.0
"""Seconds between two tellings."""

_TOTALS = f"{PREFIX}totals"


class Total(msgspec.Struct, frozen=True):
    """What a node has counted."""

    amounts: Amounts
    viewers: int = 0
    swarms: int = 0
    refused: int = 0
    since: float = 0.0
    """When its ledger began, in seconds since 1970."""


class Totals:
    """Tells ours, and knows the others'."""

    def __init__(self, ledger: str, own: Callable[[], Total], *, shared: bool = False) -> None:
        """``ledger`` is the id of ours; ``shared`` says that all nodes keep one together."""
        self._ledger = ledger
        self._own = own
        self._shared = shared
        self._others: dict[str, Total] = {}
        self._forgotten: set[str] = set()
        """Those of which the store does not know any more."""
        self._due = 0.0

    def ask(self, batch: Batch, now: float) -> None:
        """Tell ours and hear the others', every few seconds."""
        if now < self._due:
            return
        self._due = now + EVERY
        batch.ask("HSET", _TOTALS, self._ledger, msgspec.json.encode(self._own()))
        for ledger in self._forgotten:
            batch.ask("HSETNX", _TOTALS, ledger, _last(self._others[ledger]))
        batch.ask("HGETALL", _TOTALS, then=self._heard)

    def leave(self, batch: Batch) -> None:
        """Tell ours for the last time."""
        batch.ask("HSET", _TOTALS, self._ledger, _last(self._own()))

    def sum(self, there: Collection[str]) -> Total:
        """Of all nodes; ``there`` are the ledgers of those that are there now."""
        own = self._own()
        amounts = Amounts()
        amounts.add(own.amounts)
        viewers, swarms, refused, since = own.viewers, own.swarms, own.refused, own.since
        for ledger, total in self._others.items():
            if not self._shared:
                amounts.add(total.amounts)
                since = min(since, total.since)
            refused += total.refused
            if ledger in there:
                viewers += total.viewers
                swarms += total.swarms
        return Total(amounts, viewers, swarms, refused, since)

    def _heard(self, answer: Any) -> None:
        found = {}
        for name, text in answer.items():
            try:
                found[name.decode()] = msgspec.json.decode(text, type=Total)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # of another version; it is heard of again when it is like ours
        found.pop(self._ledger, None)
        self._forgotten = self._others.keys() - found.keys()
        self._others |= found


def _last(total: Total) -> bytes:
    """What stays of it once its node is gone."""
    return msgspec.json.encode(msgspec.structs.replace(total, viewers=0, swarms=0))
