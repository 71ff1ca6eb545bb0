"""The ledger in SQLite: one file in the data directory.

One thread writes, another reads (WAL lets it do so meanwhile), the event loop waits for neither. A
batch is one transaction of rows that replace what they said before, so a batch that is written
twice counts once. A killed process loses what it has not written, a killed machine perhaps the last
batches; what is there is whole. Several processes may use one file: each is a run of its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TypeVar

import structlog
from msgspec.structs import astuple

from p2pcdn.config import LedgerConfig
from p2pcdn.core.amounts import MOST_BYTES
from p2pcdn.core.rollup import ALL, WIDTHS, Batch, Key
from p2pcdn.errors import UnavailableError
from tracker.storage import Count, GroupShare, Opening, Point, Range, Share, StorageError
from tracker.storage.columns import (
    AMOUNT_COLUMNS,
    FIGURE_COLUMNS,
    amounts_of,
    figures_of,
    values,
)
from tracker.storage.sqlite_schema import added_up, listed, prepared, transaction

FILE = "ledger.sqlite3"

PRUNE_EVERY = 60.0
"""Seconds between two looks at what is too old."""

PRUNED = 64
"""Buckets of a width that go at a time: nobody waits long, and a clock that jumps ahead for a
moment costs little."""

CHECKED = 256 * 1024 * 1024
"""A file up to this size is read through when it is opened, at some 500 MB a second."""

_AMOUNTS = listed(AMOUNT_COLUMNS)
_FIGURES = listed(FIGURE_COLUMNS)
_TOTALS = added_up(AMOUNT_COLUMNS)
_SUMS = added_up(FIGURE_COLUMNS)
_MARKS = ", ".join("?" * len(FIGURE_COLUMNS))
_TABLES = ("everything", "contents", "groups", "failures")

T = TypeVar("T")

log = structlog.get_logger("p2pcdn.tracker")


class Sqlite:
    """A `Storage` in a directory, or in memory if there is none."""

    def __init__(self, directory: Path | None, config: LedgerConfig | None = None) -> None:
        self._path = None if directory is None else directory / FILE
        self._config = config or LedgerConfig()
        self._writing = ThreadPoolExecutor(1, "ledger-write")
        # What is in memory belongs to one connection.
        self._reading = ThreadPoolExecutor(1, "ledger-read") if self._path else self._writing
        self._writer: Writer | None = None
        self._reader: Reader | None = None

    async def open(self, now: float) -> Opening:
        def begin() -> tuple[Writer, Opening]:
            writer = Writer(connect(self._path), self._config)
            return writer, writer.begin(now)

        writer, opening = await self._in(self._writing, begin)
        self._writer = writer
        if self._path is None:
            self._reader = Reader(writer.database)
        else:
            path = self._path
            self._reader = await self._in(self._reading, lambda: Reader(_reading(path)))
        return opening

    async def write(self, batch: Batch) -> None:
        writer = self._writer
        assert writer is not None, "open it first"
        await self._in(self._writing, lambda: writer.write(batch), for_good=True)

    async def others(self) -> Opening:
        writer = self._writer
        assert writer is not None, "open it first"
        return await self._in(self._writing, writer.others)

    async def points(self, span: Range, step: int) -> list[Point]:
        reader = self._reader
        assert reader is not None, "open it first"
        return await self._in(self._reading, lambda: reader.points(span, step))

    async def shares(self, spans: Sequence[Range], most: int) -> list[Share]:
        reader = self._reader
        assert reader is not None, "open it first"
        return await self._in(self._reading, lambda: reader.shares(spans, most))

    async def groups(self, spans: Sequence[Range], kind: str, most: int) -> list[GroupShare]:
        reader = self._reader
        assert reader is not None, "open it first"
        return await self._in(self._reading, lambda: reader.groups(spans, kind, most))

    async def failures(self, spans: Sequence[Range], most: int) -> list[Count]:
        reader = self._reader
        assert reader is not None, "open it first"
        return await self._in(self._reading, lambda: reader.failures(spans, most))

    async def close(self) -> None:
        reader, writer = self._reader, self._writer
        self._reader = self._writer = None
        if reader is not None:
            await self._in(self._reading, reader.database.close)
        if writer is not None:  # last, so that it leaves one tidy file
            await self._in(self._writing, writer.database.close)
        for threads in (self._reading, self._writing):
            threads.shutdown(wait=False)

    async def _in(
        self, threads: ThreadPoolExecutor, action: Callable[[], T], *, for_good: bool = False
    ) -> T:
        """What is ``for_good`` is done even if nobody waits for it: a process ends after that."""
        doing = asyncio.get_running_loop().run_in_executor(threads, action)
        try:
            return await (asyncio.shield(doing) if for_good else doing)
        except sqlite3.Error as error:
            where = self._path or "memory"
            raise StorageError(f"The ledger in {where} fails: {error}.") from error


class Writer:
    """The connection that writes; all of its methods block."""

    def __init__(self, database: sqlite3.Connection, config: LedgerConfig) -> None:
        self.database = database
        self._kept = dict(
            zip(WIDTHS, (config.keep_10s, config.keep_1min, config.keep_1h), strict=True)
        )
        self._run = 0
        self._pruned_at = 0.0

    def begin(self, now: float) -> Opening:
        """Start a run."""
        with transaction(self.database):
            self._run = (
                self.database.execute(
                    "INSERT INTO runs (started, written) VALUES (?, ?)", (now, now)
                ).lastrowid
                or 0
            )
        return self.others()

    def others(self) -> Opening:
        """See `Storage.others`."""
        since, *totals = self.database.execute(
            f"SELECT (SELECT MIN(started) FROM runs), {_TOTALS} FROM runs WHERE run != ?",
            (self._run,),
        ).fetchone()
        return Opening(amounts_of(totals), since)

    def write(self, batch: Batch) -> None:
        """Write a batch, and take away what is too old."""
        with transaction(self.database):
            self.database.execute(
                f"UPDATE runs SET written = ?, ({_AMOUNTS}) ="
                f" ({', '.join('?' * len(AMOUNT_COLUMNS))})"
                " WHERE run = ?",
                (batch.at, *astuple(batch.total), self._run),
            )
            self.database.executemany(
                f"REPLACE INTO everything (width, at, run, part, {_FIGURES})"
                f" VALUES (?, ?, ?, ?, {_MARKS})",
                self._rows(batch, of_contents=False),
            )
            self.database.executemany(
                f"REPLACE INTO contents (width, at, content, run, part, {_FIGURES})"
                f" VALUES (?, ?, ?, ?, ?, {_MARKS})",
                self._rows(batch, of_contents=True),
            )
            self.database.executemany(
                f"REPLACE INTO groups (width, at, part, kind, name, run, {_FIGURES})"
                f" VALUES (?, ?, ?, ?, ?, ?, {_MARKS})",
                ((*key, self._run, *values(figures)) for key, figures in batch.groups.items()),
            )
            self.database.executemany(
                "REPLACE INTO failures (width, at, part, kind, name, run, count)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (*key, self._run, min(count, MOST_BYTES))
                    for key, count in batch.failures.items()
                ),
            )
            due = abs(batch.at - self._pruned_at) >= PRUNE_EVERY
            if due:
                self._prune(batch.at)
        if due:  # and it is done: had the transaction come to nothing, it would still be due
            self._pruned_at = batch.at

    def _rows(self, batch: Batch, *, of_contents: bool) -> Iterator[tuple[object, ...]]:
        for key, figures in batch.rows.items():
            if (key.content != ALL) is of_contents:
                yield (*self._key(key), *values(figures))

    def _key(self, key: Key) -> tuple[object, ...]:
        content = () if key.content == ALL else (key.content,)
        return (key.width, key.at, *content, self._run, key.part)

    def _prune(self, now: float) -> None:
        for table in _TABLES:
            for width, kept in self._kept.items():
                self.database.execute(
                    f"DELETE FROM {table} WHERE width = :width AND at < :end AND at <"
                    f" (SELECT MIN(at) FROM {table} WHERE width = :width) + :most",
                    {"width": width, "end": now - kept - width, "most": PRUNED * width},
                )


class Reader:
    """The connection that reads; all of its methods block."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database

    def points(self, span: Range, step: int) -> list[Point]:
        """See `Storage.points`."""
        rows = self.database.execute(
            f"SELECT at - at % :step AS begin, {_SUMS} FROM everything"
            " WHERE width = :width AND at >= :start AND at < :end GROUP BY begin ORDER BY begin",
            {**span._asdict(), "step": step},
        )
        return [Point(at, figures_of(sums)) for at, *sums in rows]

    def shares(self, spans: Sequence[Range], most: int) -> list[Share]:
        """See `Storage.shares`."""
        parts, bounds = _parts("contents", spans)
        rows = self.database.execute(
            f"SELECT content, {_SUMS} FROM ({parts}) GROUP BY content"
            " ORDER BY TOTAL(origin_bytes) + TOTAL(peer_bytes_confirmed) DESC, content LIMIT ?",
            (*bounds, most),
        )
        return [Share(content, figures_of(sums)) for content, *sums in rows]

    def groups(self, spans: Sequence[Range], kind: str, most: int) -> list[GroupShare]:
        """See `Storage.groups`."""
        rows, bounds = _parts("groups", spans)
        found = self.database.execute(
            f"SELECT name, {_SUMS} FROM ({rows}) WHERE kind = ? GROUP BY name"
            " ORDER BY TOTAL(viewer_seconds) DESC, name LIMIT ?",
            (*bounds, kind, most),
        )
        return [GroupShare(kind, name, figures_of(sums)) for name, *sums in found]

    def failures(self, spans: Sequence[Range], most: int) -> list[Count]:
        """See `Storage.failures`."""
        rows, bounds = _parts("failures", spans)
        found = self.database.execute(
            f"SELECT kind, name, TOTAL(count) FROM ({rows}) GROUP BY kind, name"
            " ORDER BY TOTAL(count) DESC, kind, name LIMIT ?",
            (*bounds, most),
        )
        return [Count(kind, name, int(min(count, MOST_BYTES))) for kind, name, count in found]


def _parts(table: str, spans: Sequence[Range]) -> tuple[str, list[int]]:
    """The rows of a table in these ranges, and what stands for its question marks."""
    parts = [f"SELECT * FROM {table} WHERE width = ? AND at >= ? AND at < ?"] * len(spans)
    bounds = [bound for span in spans for bound in (span.width, span.start, span.end)]
    return " UNION ALL ".join(parts), bounds


def connect(path: Path | None) -> sqlite3.Connection:
    """The database, made if there is none; a damaged one is put aside.

    `ConfigError` if it cannot be used, or if a later version made it.
    """
    if path is None:
        return prepared(_opened(":memory:"), "memory")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"data has to be a directory that can be written to; {path.parent} is not: "
            f"{error.strerror}."
        ) from error
    try:
        return _sound(path)
    except sqlite3.OperationalError as error:
        raise UnavailableError(f"The ledger {path} cannot be used: {error}.") from error
    except sqlite3.DatabaseError as error:
        aside = put_aside(path)
        log.error("ledger_damaged", path=str(path), put_aside_as=str(aside), error=str(error))
        return _sound(path)


def put_aside(path: Path) -> Path:
    """Rename a database with all that belongs to it; nothing that was put aside is replaced."""
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    aside = next(name for name in names if not name.exists())
    for suffix in ("-wal", "-shm", ""):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(aside.with_name(aside.name + suffix))
    return aside


def _sound(path: Path) -> sqlite3.Connection:
    database = _opened(path)
    try:
        if path.stat().st_size <= CHECKED:
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        return prepared(database, path)
    except BaseException:
        database.close()
        raise


def _opened(path: Path | str) -> sqlite3.Connection:
    # Threads take turns, but the one that opens a database is not the one that closes it.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)


def _reading(path: Path) -> sqlite3.Connection:
    database = _opened(path)
    database.execute("PRAGMA query_only = ON")
    return database
