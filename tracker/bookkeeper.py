"""Writes down what the ledger says, every few seconds and before the process goes.

::

    Ledger --once a second--> Rollup --every few seconds--> Storage
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import TypeVar

import structlog

from p2pcdn.core.ledger import Ledger
from p2pcdn.core.rollup import Batch, GroupKey, Key, Rollup
from tracker import metrics
from tracker.storage import Storage, StorageError

MOST_UNWRITTEN = 50_000
"""Rows of each kind that wait in memory while the storage fails; beyond it the finest of the oldest
go, a tenth or so at once."""

MOST_PAUSE = 30.0
"""Seconds between two tries while the storage fails, at the most: each pause is twice the last."""

K = TypeVar("K", Key, GroupKey)
V = TypeVar("V")

log = structlog.get_logger("p2pcdn.tracker")


class Bookkeeper:
    """Between a ledger and its storage."""

    def __init__(self, ledger: Ledger, storage: Storage, write_every: float) -> None:
        self._ledger = ledger
        self._storage = storage
        self._write_every = write_every
        self._rollup = Rollup()
        self._written_at = 0.0
        self._due = 0.0
        self._again_at = 0.0
        """When it is tried again, after it has failed."""
        self._unwritten: Batch | None = None
        self._failures = 0
        """Tries that have failed since the last that did not."""
        self._hears = True
        """Whether it is known what others have written."""
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    @property
    def written_at(self) -> float:
        """The time of the last reading that is written, in seconds since 1970."""
        return self._written_at

    async def open(self) -> None:
        """Go on from what others have written; `ConfigError` if that is for somebody to mend."""
        opening = await self._storage.open(time.time())
        self._ledger.carry(opening.total, opening.since)

    def read(self, now: float) -> None:
        """Take a reading; ``now`` is in seconds since 1970. Whether it is time to write is for
        another clock to say: this one may be set."""
        reading = self._ledger.take_reading()
        metrics.LEDGER.note(reading)
        self._rollup.receive(reading, now)
        clock = asyncio.get_running_loop().time()
        if clock >= self._due and (self._task is None or self._task.done()):
            self._due = clock + self._write_every
            if not self._failures or clock >= self._again_at:
                self._task = asyncio.create_task(self.write(), name="ledger")

    def notes(self) -> list[str]:
        """What an operator should know, one sentence each."""
        if not self._failures:
            return []
        since = (
            f"since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(self._written_at))} "
            if self._written_at
            else ""
        )
        return [f"The ledger cannot be written: its figures {since}wait in memory."]

    async def write(self) -> None:
        """Write what has been read; if the storage fails, the next time."""
        async with self._turn:
            if await self._write():
                await self._hear_of_others()

    async def catch_up(self) -> None:
        """Write what has been read, unless the storage fails: then it is tried in its time."""
        if not self._failures:
            await self.write()

    async def _write(self) -> bool:
        """Whether something was written."""
        batch = self._take()
        if batch is None:
            return False
        try:
            await self._storage.write(batch)
        except Exception as error:  # noqa: BLE001 - else nothing would say that nothing is written
            self._fail(error)
            return False
        self._unwritten = None
        self._written_at = batch.at
        metrics.LEDGER_WRITES.labels("written").inc()
        metrics.LEDGER_WRITTEN_AT.set(batch.at)
        metrics.LEDGER_UNWRITTEN.set(0)
        if self._failures:
            log.info("ledger_written_again")
        self._failures = 0
        return True

    def _take(self) -> Batch | None:
        """All that is to be written. It is kept until it is known to be: twice does no harm."""
        batch = self._rollup.take_batch()
        if batch is not None:
            late = self._unwritten
            self._unwritten = _bounded(batch if late is None else late.then(batch))
        return self._unwritten

    def _fail(self, error: Exception) -> None:
        metrics.LEDGER_WRITES.labels("failed").inc()
        if self._unwritten is not None:
            metrics.LEDGER_UNWRITTEN.set(_rows(self._unwritten))
        if not self._failures:
            known = isinstance(error, StorageError)
            log.error("ledger_not_written", error=str(error), exc_info=None if known else error)
        self._failures += 1
        pause = min(self._write_every * 2.0 ** min(self._failures, 16), MOST_PAUSE)
        self._again_at = asyncio.get_running_loop().time() + pause

    async def _hear_of_others(self) -> None:
        try:
            opening = await self._storage.others()
        except StorageError as error:
            if self._hears:
                log.warning("ledger_not_read", error=str(error))
            self._hears = False
        else:
            if not self._hears:
                log.info("ledger_read_again")
            self._hears = True
            self._ledger.carry(opening.total, opening.since)

    async def close(self) -> None:
        """Read for the last time, write, and close the storage.

        The storage has the last batch before anything is waited for, even for what it is writing:
        whoever closes us may not wait for long.
        """
        self._rollup.receive(self._ledger.take_reading(), time.time())
        await self._write()
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._storage.close()


def _rows(batch: Batch) -> int:
    return len(batch.rows) + len(batch.groups) + len(batch.failures)


def _bounded(batch: Batch) -> Batch:
    return batch._replace(
        rows=_newest(batch.rows),
        groups=_newest(batch.groups),
        failures=_newest(batch.failures),
    )


def _newest(rows: Mapping[K, V]) -> Mapping[K, V]:
    """All but the finest of the oldest, by whole buckets: there are few of these to sort."""
    if len(rows) <= MOST_UNWRITTEN:
        return rows
    sizes = Counter((key.width, key.at) for key in rows)
    newest = sorted(sizes, reverse=True)
    sums = accumulate(sizes[bucket] for bucket in newest)
    kept = {
        bucket
        for bucket, sum_ in zip(newest, sums, strict=True)
        if sum_ <= MOST_UNWRITTEN * 9 // 10
    }
    return {key: figures for key, figures in rows.items() if (key.width, key.at) in kept}
