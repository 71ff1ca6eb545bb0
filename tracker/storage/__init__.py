"""Where the ledger's figures outlive a restart: what the tracker asks of a storage.

`sqlite.py` is a file in the data directory, or nothing but memory; `clickhouse.py` is a database
for several trackers. What a row of figures has is said in `columns.py`, for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from p2pcdn.config import Config
from p2pcdn.core.amounts import Amounts
from p2pcdn.core.rollup import Batch, Figures


class Opening(NamedTuple):
    """What is there beside a run's own figures."""

    total: Amounts
    """All that other runs have written down."""
    since: float
    """When the first run began, in seconds since 1970."""


class Range(NamedTuple):
    """A stretch of time, in whole buckets; ``end`` is not in it. Seconds since 1970."""

    start: int
    end: int
    width: int
    """Of the rows that are looked at."""


class Point(Struct):
    """Everything together, from ``at`` until the next point."""

    at: int
    figures: Figures


class Share(Struct):
    """What is known of one content."""

    content: str
    figures: Figures


class GroupShare(Struct):
    """What is known of a group of viewers."""

    kind: str
    name: str
    figures: Figures


class Count(Struct):
    """How often something came to nothing for this reason."""

    kind: str
    reason: str
    count: int


class Storage(Protocol):
    """Keeps what a ledger's run writes, and answers what was written.

    Each process that opens a storage is a run of its own. Failures raise `StorageError`.
    """

    async def open(self, now: float) -> Opening:
        """Begin a run; `p2pcdn.errors.ConfigError` if somebody has to mend something first. A
        storage that is elsewhere may be away for now: nothing is known of others then."""

    async def write(self, batch: Batch) -> None:
        """Write a batch. What it says replaces what the run wrote before, so one of which it is not
        known how much was written is written again. What is given here is written in its turn,
        whether or not somebody still waits for it; if that fails, a storage that is elsewhere keeps
        it so that it outlives the process."""

    async def others(self) -> Opening:
        """What there is by now beside the run's own figures."""

    async def points(self, span: Range, step: int) -> list[Point]:
        """The rows of everything together, added up by ``step`` seconds, in order. There is no
        point where there are no rows."""

    async def shares(self, spans: Sequence[Range], most: int) -> list[Share]:
        """What each content has had in these ranges together; at most so many, those with most
        bytes first."""

    async def groups(self, spans: Sequence[Range], kind: str, most: int) -> list[GroupShare]:
        """The same of the groups of a kind, those first whose viewers stayed longest."""

    async def failures(self, spans: Sequence[Range], most: int) -> list[Count]:
        """What came to nothing in these ranges together, what did most often first."""

    async def close(self) -> None:
        """What was written stays."""


class StorageError(Exception):
    """The storage did not do what it was asked for; its text says why."""


def storage_of(config: Config) -> Storage:
    """The storage that the settings ask for."""
    if config.ledger.clickhouse is not None:
        from tracker.storage.clickhouse import ClickHouse

        return ClickHouse(config.ledger, config.data)
    from tracker.storage.sqlite import Sqlite

    return Sqlite(config.data, config.ledger)
