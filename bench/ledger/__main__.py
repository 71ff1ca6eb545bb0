"""The ledger's storage: how fast, how large, and what a kill leaves: ``python -m bench.ledger``.

- rows a second into the storage, as the tracker writes them;
- the growth of the file with 10,000 viewers, on paper: bytes of a row as measured, times rows;
- a query for 24 hours by the minute, and for their contents, over 200,000 rows;
- what the reports of 10,000 viewers cost, from their text to the storage, and what that makes of a
  million;
- trackers that are killed under load, each at another moment, and opened again;
- the same of a ledger in ClickHouse, but for its size: of chDB, its engine, as the tests use it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Protocol

from bench.ledger.kills import Database, File, Outcome, Place, trial
from bench.ledger.viewers import EVERY, measure
from p2pcdn.config import LedgerConfig
from p2pcdn.core.amounts import AMOUNTS, Amounts
from p2pcdn.core.ledger_ports import Reading
from p2pcdn.core.rollup import WIDTHS, Batch, Rollup
from tests import clickhouse
from tracker import ranges
from tracker.storage import Point, Range, Share
from tracker.storage.clickhouse import Connection
from tracker.storage.clickhouse import Reader as ClickHouseReader
from tracker.storage.clickhouse import Writer as ClickHouseWriter
from tracker.storage.sqlite import FILE, Reader, Writer, connect

NOW = int(time.time()) // 3600 * 3600
"""A full hour, of today: a database that looks at its own clock finds nothing too old."""
FOREVER: dict[str, Any] = {"keep_10s": 604_800, "keep_1min": 31_536_000, "keep_1h": 315_360_000}
DAY = 86_400
QUERIED = 140
"""Contents of the database that is queried: with 1,440 minutes, some 200,000 rows."""
CONTENTS = 100
"""Contents that 10,000 viewers watch."""
MOST_LOST = 5.0


class Writes(Protocol):
    """What writes a batch."""

    def write(self, batch: Batch) -> None:
        """And comes back when it is written."""


class Counted:
    """Knows how many rows were written."""

    def __init__(self, writer: Writes) -> None:
        self._writer = writer
        self.rows = 0

    def write(self, batch: Batch) -> None:
        """Write it, and count."""
        self._writer.write(batch)
        self.rows += len(batch.rows)


class Reads(Protocol):
    """What answers from what is written."""

    def points(self, span: Range, step: int) -> list[Point]:
        """See `tracker.storage.Storage`."""

    def shares(self, spans: Sequence[Range], most: int) -> list[Share]:
        """See `tracker.storage.Storage`."""


def minutes(writer: Writes, contents: int, count: int, at_once: int = 1) -> float:
    """Write so many minutes, in which all contents have something, as a tracker does, or some at
    once, as after an outage; the seconds that the storage took."""
    took = 0.0
    waiting: Batch | None = None
    random = Random(1)
    rollup = Rollup()
    for minute in range(count):
        changes = {
            f"{content:032x}": Amounts(
                **{name: random.randrange(10 ** _digits(name)) for name in AMOUNTS}
            )
            for content in range(contents)
        }
        viewers = dict.fromkeys(changes, random.randrange(1, 200))
        rollup.receive(Reading(changes, viewers), NOW - DAY + 60.0 * minute)
        batch = rollup.take_batch()
        assert batch is not None
        waiting = batch if waiting is None else waiting.then(batch)
        if (minute + 1) % at_once:
            continue
        batch, waiting = waiting, None
        began = time.perf_counter()
        writer.write(batch)
        took += time.perf_counter() - began
    return took


def _digits(name: str) -> int:
    """How long the numbers of a column are, roughly, in a minute of a hundred viewers."""
    if name in {"origin_bytes", "peer_bytes_confirmed", "least_bytes", "played_bytes"}:
        return 9
    return 6 if name.endswith(("_bytes", "_claimed", "_disputed", "_ms")) else 2


def contents(end: float, start: float) -> list[Range]:
    """The rows that such a query adds up."""
    return ranges.contents({"from": str(start), "to": str(end)}, LedgerConfig(), NOW)


def speed(writer: Writes) -> None:
    """Rows a second, in batches as large as 1,000 contents make them, and in larger ones."""
    minutes(writer, 1, 1)  # with what is imported and made once
    for at_once in (1, 10):
        counter = Counted(writer)
        took = minutes(counter, 1000, 20, at_once)
        print(
            f"write: {counter.rows / took:,.0f} rows a second, {took * at_once / 20:.3f} s for a "
            f"batch of {counter.rows * at_once // 20:,} rows"
        )


def sqlite_speed(directory: Path) -> None:
    """Of a file."""
    writer = Writer(connect(directory / FILE), LedgerConfig())
    writer.begin(NOW)
    speed(writer)
    writer.database.close()


def clickhouse_speed(server: clickhouse.Server) -> None:
    """Of a database, and what it answers from as many rows as the file."""
    ((version,),) = server.ask("SELECT version()")
    print(f"ClickHouse's engine {version}, which tests use in place of a server:")
    config = LedgerConfig(**FOREVER)
    writer = ClickHouseWriter(Connection(server.url("speed")), config)
    writer.begin()
    speed(writer)
    writer = ClickHouseWriter(Connection(server.url("queries")), config)
    writer.begin()
    minutes(writer, QUERIED, DAY // 60, 60)
    ((rows,),) = server.ask("SELECT count() FROM queries.contents FINAL WHERE width = 60")
    queries(ClickHouseReader(Connection(server.url("queries"))), int(rows))


def queries(reader: Reads, rows: int) -> None:
    """Questions of a day."""
    span = Range(NOW - DAY, NOW, 60)
    now = NOW + 0.0
    ask: dict[str, Callable[[], int]] = {
        "everything in 24 h, by the minute": lambda: len(reader.points(span, 60)),
        "everything in 24 h, by 5 minutes": lambda: len(reader.points(span, 300)),
        "contents in 24 h": lambda: len(reader.shares(contents(now - 90, now - DAY), 1000)),
        "contents in 59 min": lambda: len(reader.shares(contents(now - 30, now - 3570), 1000)),
    }
    for what, query in ask.items():
        times = []
        for _ in range(5):
            began = time.perf_counter()
            found = query()
            times.append(time.perf_counter() - began)
        print(f"query over {rows:,} rows: {what}: {found} answers in {median(times) * 1000:.0f} ms")


def size_and_queries(directory: Path) -> None:
    """Bytes of a row, what they come to, and queries of a day."""
    writer = Writer(connect(directory / FILE), LedgerConfig(**FOREVER))
    writer.begin(NOW - DAY)
    minutes(writer, QUERIED, DAY // 60)
    database = writer.database
    (rows,) = database.execute("SELECT COUNT(*) FROM contents WHERE width = 60").fetchone()
    (every,) = database.execute("SELECT COUNT(*) FROM contents").fetchone()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    per_row = (directory / FILE).stat().st_size / every
    print(f"size: {per_row:.0f} bytes a row, of {every:,} rows")
    config = LedgerConfig()
    kept = (config.keep_10s, config.keep_1min, config.keep_1h)
    a_day = sum(DAY / width for width in WIDTHS) * CONTENTS * per_row
    at_last = sum(time / width for width, time in zip(WIDTHS, kept, strict=True))
    after_day = sum(min(time, DAY) / width for width, time in zip(WIDTHS, kept, strict=True))
    hours = DAY / 3600 * CONTENTS * per_row
    print(
        f"growth: 10,000 viewers of {CONTENTS} contents: {a_day / 1e6:.0f} MB a day are written, "
        f"{after_day * CONTENTS * per_row / 1e6:.0f} MB are there after the first, "
        f"{hours / 1e6:.2f} MB come with each after the third, "
        f"{at_last * CONTENTS * per_row / 1e6:.0f} MB are there after 400"
    )
    queries(Reader(database), rows)
    database.close()


def viewers(directory: Path, count: int, lasts: int) -> None:
    """What reports cost."""
    cost = measure(directory, count, CONTENTS, lasts)
    best = 0.0 if cost.best is None else cost.best
    print(
        f"reports: {cost.reports:,} of {count:,} viewers in {cost.lasted} s of theirs: "
        f"{1e6 * cost.decoding / cost.reports:.0f} µs to decode one of "
        f"{cost.report_bytes // cost.reports} bytes, {1e6 * cost.adding / cost.reports:.0f} µs to "
        f"add it up; {cost.session_bytes:,} bytes of memory a viewer; "
        f"offload {cost.offload or 0:.3f} of {best:.3f}"
    )
    second = cost.readings / cost.lasted, cost.writing / cost.lasted
    print(
        f"readings: {1000 * second[0]:.0f} ms of CPU a second, and {1000 * second[1]:.0f} ms on "
        f"another thread to write {cost.rows / cost.lasted:,.0f} rows a second"
    )
    each = (cost.decoding + cost.adding) / cost.reports
    for many in (count, 1_000_000):
        print(
            f"on paper: {many:,} viewers make {many / EVERY:,.0f} reports a second, "
            f"{many / EVERY * cost.report_bytes / cost.reports / 1e6:.1f} MB/s, which take "
            f"{each * many / EVERY:.2f} cores, and {cost.session_bytes * many / 1e9:.2f} GB"
        )


async def kills(place: Callable[[int], Place], count: int, at_once: int) -> bool:
    """Kill so many trackers; whether each has kept what it has to."""
    random = Random(count)
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> Outcome:
        async with places:
            lasts = random.uniform(0.0, 12.0)
            return await trial(place(number), lasts, LedgerConfig().write_every, number)

    outcomes = await asyncio.gather(*(one(number) for number in range(count)))
    over = sum(outcome.is_over_counted for outcome in outcomes)
    broken = sum(
        outcome.put_aside or outcome.unequal or outcome.found < outcome.seen for outcome in outcomes
    )
    late = sum(outcome.lost > MOST_LOST + outcome.lateness for outcome in outcomes)
    lost = sorted(outcome.lost for outcome in outcomes)
    print(
        f"kill -9: {count} trials, lost {lost[len(lost) // 2]:.1f} s in the median and "
        f"{lost[-1]:.1f} s at most, more than {MOST_LOST:.0f} s {late} times; counted too much "
        f"{over} times; damaged {broken} times"
    )
    return not (over or broken or late)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="trackers that are killed")
    parser.add_argument("--at-once", type=int, default=16, help="of which so many run at a time")
    parser.add_argument("--viewers", type=int, default=10_000, help="whose reports are added up")
    parser.add_argument("--lasts", type=int, default=120, help="seconds for which they report")
    parser.add_argument("--only-kills", action="store_true", help="nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if not options.only_kills:
            for part in ("speed", "size", "viewers"):
                (directory / part).mkdir()
            sqlite_speed(directory / "speed")
            size_and_queries(directory / "size")
            viewers(directory / "viewers", options.viewers, options.lasts)
        sound = True

        def kill(place: Callable[[int], Place], count: int) -> bool:
            return asyncio.run(kills(place, count, options.at_once)) if count else True

        sound &= kill(lambda number: File(directory / str(number)), options.kills)
        if clickhouse.is_installed():
            with clickhouse.running(directory / "clickhouse") as server:
                if not options.only_kills:
                    clickhouse_speed(server)
                sound &= kill(lambda number: Database(server, f"k{number}"), options.kills // 4)
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
