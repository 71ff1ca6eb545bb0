"""The ledger in ClickHouse: one database that several trackers write to and read from.

A thread writes, another reads, the event loop waits for neither. A batch is written as often as it
takes: its rows replace what its run said before, and nothing that arrives late replaces what is
newer (`clickhouse_tables.py`). While the server is away, `Bookkeeper` holds what is to be written,
and it is kept on disk in case the process ends (`spool.py`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from msgspec.structs import astuple

from p2pcdn.config import LedgerConfig, clickhouse_place
from p2pcdn.core.amounts import MOST_BYTES, Amounts
from p2pcdn.core.rollup import ALL, Batch
from p2pcdn.errors import ConfigError, UnavailableError
from tracker.storage import Count, GroupShare, Opening, Point, Range, Share, StorageError
from tracker.storage import clickhouse_tables as tables
from tracker.storage.columns import amounts_of, figures_of, values
from tracker.storage.spool import Kept, Spool

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

CONNECT_TIMEOUT = 3
"""Seconds to reach the server."""

TIMEOUT = 10
"""Seconds until it has answered."""

TAKE_OVER_EVERY = 60.0
"""Seconds until what an earlier run has left is tried again, if it could not be written."""

ROUNDS = 3
"""Looks at the tables until they are as they should be: other nodes may make them, too."""

MISTAKES = frozenset({81, 164, 192, 193, 194, 195, 291, 497, 516})
"""What ClickHouse answers to a wrong name or password, to one who may not, and where there is no
such database: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp"""

_SETTINGS = {
    # The server puts together what many nodes write in little pieces, and answers when it has it.
    "async_insert": 1,
    "wait_for_async_insert": 1,
}

T = TypeVar("T")

log = structlog.get_logger("p2pcdn.tracker")


class MistakeError(StorageError):
    """It will not do before somebody has mended something."""


class ClickHouse:
    """A `Storage` in a database that other processes may use, too."""

    def __init__(self, config: LedgerConfig, directory: Path | None = None) -> None:
        """The directory is for what could not be written. `ConfigError` if there is no client."""
        self._writing = ThreadPoolExecutor(1, "ledger-write")
        self._reading = ThreadPoolExecutor(1, "ledger-read")
        self._writer = Writer(Connection(config.clickhouse or ""), config, Spool(directory))
        self._reader = Reader(Connection(config.clickhouse or ""))

    async def open(self, now: float) -> Opening:
        self._writer.started = now
        try:
            return await self._in(self._writing, self._writer.begin)
        except MistakeError as error:
            raise ConfigError(str(error)) from error
        except StorageError as error:
            log.warning("ledger_away", error=str(error))
            return Opening(Amounts(), now)

    async def write(self, batch: Batch) -> None:
        await self._in(self._writing, lambda: self._writer.write(batch), for_good=True)

    async def others(self) -> Opening:
        return await self._in(self._writing, self._writer.others)

    async def points(self, span: Range, step: int) -> list[Point]:
        return await self._in(self._reading, lambda: self._reader.points(span, step))

    async def shares(self, spans: Sequence[Range], most: int) -> list[Share]:
        return await self._in(self._reading, lambda: self._reader.shares(spans, most))

    async def groups(self, spans: Sequence[Range], kind: str, most: int) -> list[GroupShare]:
        return await self._in(self._reading, lambda: self._reader.groups(spans, kind, most))

    async def failures(self, spans: Sequence[Range], most: int) -> list[Count]:
        return await self._in(self._reading, lambda: self._reader.failures(spans, most))

    async def close(self) -> None:
        await self._in(self._reading, self._reader.connection.close)
        await self._in(self._writing, self._writer.connection.close)
        for threads in (self._reading, self._writing):
            threads.shutdown(wait=False)

    async def _in(
        self, threads: ThreadPoolExecutor, action: Callable[[], T], *, for_good: bool = False
    ) -> T:
        """What is ``for_good`` is done even if nobody waits for it: a process ends after that."""
        doing = asyncio.get_running_loop().run_in_executor(threads, action)
        return await (asyncio.shield(doing) if for_good else doing)


class Connection:
    """A way to the server, made when it is needed first; all of its methods block, and all failures
    are `StorageError`."""

    def __init__(self, url: str) -> None:
        self.place = clickhouse_place(url)
        self._connect = _library()
        self._client: Client | None = None

    @property
    def database(self) -> str:
        """Its name as SQL has it."""
        return f"`{self.place.database}`"

    def run(self, sql: str) -> None:
        """Do something that answers nothing."""
        self._do(lambda client: client.command(sql))

    def rows(self, sql: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """What a query answers."""
        return self._do(lambda client: client.query(sql, parameters=parameters).result_rows)

    def insert(self, table: tables.Table, rows: Iterable[Sequence[object]]) -> None:
        """Add rows, all of the table's columns in order."""
        columns = list(zip(*rows, strict=True))
        if not columns:
            return
        self._do(
            lambda client: client.insert(
                table.name,
                columns,
                list(table.columns),
                database=self.place.database,
                column_type_names=list(table.columns.values()),
                column_oriented=True,
                settings=_SETTINGS,
            )
        )

    def close(self) -> None:
        """Nothing more is asked."""
        if self._client is not None:
            self._client.close()

    def _do(self, action: Callable[[Client], T]) -> T:
        from clickhouse_connect.driver.exceptions import ClickHouseError
        from urllib3.exceptions import HTTPError

        place = self.place
        try:
            if self._client is None:
                self._client = self._connect(
                    host=place.host,
                    port=place.port,
                    secure=place.secure,
                    username=place.user,
                    password=place.password,
                    connect_timeout=CONNECT_TIMEOUT,
                    send_receive_timeout=TIMEOUT,
                    query_retries=0,  # the bookkeeper tries again
                    autogenerate_session_id=False,
                    client_name="p2pcdn",
                )
            return action(self._client)
        except (ClickHouseError, HTTPError, OSError) as error:
            kind = MistakeError if getattr(error, "code", None) in MISTAKES else StorageError
            raise kind(
                f"The ledger in ClickHouse at {place.host}:{place.port} fails: {_reason(error)}"
            ) from error


class Writer:
    """Writes as one run; all of its methods block."""

    def __init__(
        self, connection: Connection, config: LedgerConfig, spool: Spool | None = None
    ) -> None:
        self.connection = connection
        self.started = 0.0
        self._config = config
        self._spool = spool or Spool(None)
        self._has_spared = False
        self._run = uuid.uuid4()
        self._versions = count()
        self._is_prepared = False
        self._take_over_at = 0.0
        """When it is tried next, by a clock that nobody sets."""
        self._refused: set[uuid.UUID] = set()
        """Earlier runs of which it is said that their batch cannot be written."""

    def begin(self) -> Opening:
        """Make the tables if there are none, and enter the run."""
        self._prepare()
        self._insert(self._kept(Batch(self.started, Amounts(), {})))
        self._take_over()
        return self.others()

    def write(self, batch: Batch) -> None:
        """See `Storage.write`."""
        kept = self._kept(batch)
        was_away = self._has_spared
        if was_away:
            self._spare(kept)  # first: it may take long to fail again
        try:
            self._prepare()
            self._insert(kept)
        except Exception:
            if not was_away:
                self._spare(kept)
            raise
        if was_away:
            self._spool.drop(self._run)
            self._has_spared = False
        self._take_over()

    def _kept(self, batch: Batch) -> Kept:
        return Kept(self._run, next(self._versions), socket.gethostname(), self.started, batch)

    def _spare(self, kept: Kept) -> None:
        self._spool.put(kept)
        self._has_spared = True

    def _insert(self, kept: Kept) -> None:
        """Write a batch of this run, or of one that is over."""
        run, version, batch, insert = kept.run, kept.version, kept.batch, self.connection.insert
        insert(
            tables.EVERYTHING,
            (
                (width, _second(at), run, part, version, *values(figures))
                for (width, at, part, content), figures in batch.rows.items()
                if content == ALL
            ),
        )
        insert(
            tables.CONTENTS,
            (
                (width, _second(at), content, run, part, version, *values(figures))
                for (width, at, part, content), figures in batch.rows.items()
                if content != ALL
            ),
        )
        insert(
            tables.GROUPS,
            (
                (width, _second(at), kind, name, run, part, version, *values(figures))
                for (width, at, part, kind, name), figures in batch.groups.items()
            ),
        )
        insert(
            tables.FAILURES,
            (
                (width, _second(at), kind, name, run, part, version, min(times, MOST_BYTES))
                for (width, at, part, kind, name), times in batch.failures.items()
            ),
        )
        # Last: the total never has what the rows have not.
        total = (run, version, kept.node, kept.started, batch.at, *astuple(batch.total))
        insert(tables.RUNS, [total])

    def others(self) -> Opening:
        """See `Storage.others`."""
        ((since, *totals),) = self.connection.rows(
            tables.others(self.connection.database), run=str(self._run)
        )
        return Opening(amounts_of(totals), since or self.started)

    def _prepare(self) -> None:
        """Make what is missing, as other nodes may do at the same time."""
        if self._is_prepared:
            return
        for _ in range(ROUNDS):
            statements = list(self._missing())
            for statement in statements:
                self.connection.run(statement)
            if not statements:
                break
        self._is_prepared = True

    def _take_over(self) -> None:
        """Write what earlier runs of this place could not. What is wrong with it is no reason to
        keep silent about this one."""
        if time.monotonic() < self._take_over_at:
            return
        self._take_over_at = inf
        for kept in self._spool.left(self._run):
            try:
                self._insert(kept)
            except Exception as error:  # noqa: BLE001 - whatever a file has in it
                self._take_over_at = time.monotonic() + TAKE_OVER_EVERY
                if kept.run not in self._refused:
                    self._refused.add(kept.run)
                    log.error("ledger_not_taken_over", run=str(kept.run), error=str(error))
            else:
                self._spool.drop(kept.run)
                log.info("ledger_taken_over", rows=len(kept.batch.rows), started=kept.started)

    def _missing(self) -> Iterable[str]:
        """The statements that bring the database up to date."""
        name, database = self.connection.place.database, self.connection.database
        engines = {
            table: (engine, full)
            for table, engine, full in self.connection.rows(
                "SELECT name, engine, engine_full FROM system.tables"
                " WHERE database = {database:String}",
                database=name,
            )
        }
        # In this order: a table that another node has made in between counts as not there.
        found: dict[str, set[str]] = {}
        for table, column in self.connection.rows(
            "SELECT table, name FROM system.columns WHERE database = {database:String}",
            database=name,
        ):
            found.setdefault(table, set()).add(column)
        if not engines and not self.connection.rows(
            "SELECT 1 FROM system.databases WHERE name = {database:String}", database=name
        ):
            yield f"CREATE DATABASE IF NOT EXISTS {database}"
        for table in tables.TABLES:
            if table.name not in engines:
                yield tables.create(table, database, self._config)
                continue
            engine, full = engines[table.name]
            columns = found.get(table.name, set())
            if not engine.endswith("ReplacingMergeTree") or not table.key.keys() <= columns:
                raise MistakeError(
                    f"The table {table.name} of the database {name} is not one of p2pcdn's: it has "
                    f"to be a ReplacingMergeTree(version) by {', '.join(table.key)}. Let "
                    "ledger.clickhouse name a database that p2pcdn has to itself."
                )
            if missing := [column for column in table.columns if column not in columns]:
                yield tables.add(table, database, missing)
            if table is not tables.RUNS and not tables.has_ttl(full, self._config):
                yield f"ALTER TABLE {database}.{table.name} MODIFY TTL {tables.ttl(self._config)}"


class Reader:
    """Answers what was written, by whomever; all of its methods block."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def points(self, span: Range, step: int) -> list[Point]:
        """See `Storage.points`."""
        rows = self.connection.rows(tables.points(self.connection.database, span, step))
        return [Point(at, figures_of(sums)) for at, *sums in rows]

    def shares(self, spans: Sequence[Range], most: int) -> list[Share]:
        """See `Storage.shares`."""
        rows = self.connection.rows(tables.shares(self.connection.database, spans, most))
        return [Share(content, figures_of(sums)) for content, *sums in rows]

    def groups(self, spans: Sequence[Range], kind: str, most: int) -> list[GroupShare]:
        """See `Storage.groups`."""
        sql = tables.groups(self.connection.database, spans, most)
        rows = self.connection.rows(sql, kind=kind)
        return [GroupShare(kind, name, figures_of(sums)) for name, *sums in rows]

    def failures(self, spans: Sequence[Range], most: int) -> list[Count]:
        """See `Storage.failures`."""
        rows = self.connection.rows(tables.failures(self.connection.database, spans, most))
        return [Count(kind, name, int(min(times, MOST_BYTES))) for kind, name, times in rows]


def _library() -> Callable[..., Client]:
    try:
        import clickhouse_connect
    except ImportError as error:
        raise UnavailableError(
            "ledger.clickhouse needs ClickHouse's client for Python, which is not installed: "
            "`pip install '.[clickhouse]'` in a clone of the project."
        ) from error
    for name in ("clickhouse_connect", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # it is ours to say
    return clickhouse_connect.get_client


def _second(at: int) -> int:
    """A time that the table can hold; a clock may be anywhere."""
    return min(max(at, 0), tables.MOST_SECONDS)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:299]}…"
