"""Files of earlier versions are brought up to date, whole or not at all."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger_ports import Group, Reading
from p2pcdn.core.rollup import Batch, Rollup
from tracker.storage import Opening, Range
from tracker.storage.sqlite import FILE, Sqlite
from tracker.storage.sqlite_schema import VERSION

NOW = 1_700_000_000

_KEYS = "width INTEGER, at INTEGER, run INTEGER, part INTEGER"
_SEEN = "seconds REAL NOT NULL, viewer_seconds REAL NOT NULL, viewers_max INTEGER NOT NULL"
_IN_V1 = (
    *("origin_bytes", "peer_bytes_confirmed", "peer_bytes_claimed", "relayed_bytes"),
    *("waste_bytes", "origin_mismatches", "overhead_bytes", "joins", "links_attempted"),
    "links_failed",
)
_IN_V2 = (
    *("origin_bytes", "peer_bytes_confirmed", "peer_bytes_claimed", "peer_bytes_disputed"),
    *("edge_bytes", "relayed_bytes", "waste_bytes", "rejected_chunks", "origin_mismatches"),
    *("overhead_bytes", "joins", "links_attempted", "links_made", "links_failed", "link_ms"),
    *("played_ms", "played_bytes", "stalls", "stalled_ms", "startup_ms", "startups_250"),
    *("startups_500", "startups_750", "startups_1000", "startups_1500", "startups_2000"),
    *("startups_3000", "startups_4000", "startups_6000", "startups_8000", "startups_12000"),
    "startups_later",
)


def schema(version: int) -> str:
    """The tables as that version made them."""
    names = _IN_V1 if version == 1 else _IN_V2
    figures = ", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in names)
    made = f"""
        CREATE TABLE runs (
            run INTEGER PRIMARY KEY, started REAL NOT NULL, written REAL NOT NULL, {figures}
        );
        CREATE TABLE everything (
            {_KEYS}, {_SEEN}, {figures}, PRIMARY KEY (width, at, run, part)
        ) WITHOUT ROWID;
        CREATE TABLE contents (
            {_KEYS}, content TEXT, {_SEEN}, {figures},
            PRIMARY KEY (width, at, content, run, part)
        ) WITHOUT ROWID;
    """
    if version == 2:
        made += f"""
            CREATE TABLE groups (
                {_KEYS}, kind TEXT, name TEXT, {_SEEN}, {figures},
                PRIMARY KEY (width, at, kind, name, run, part)
            ) WITHOUT ROWID;
            CREATE TABLE failures (
                {_KEYS}, kind TEXT, name TEXT, count INTEGER NOT NULL,
                PRIMARY KEY (width, at, kind, name, run, part)
            ) WITHOUT ROWID;
        """
    return f"{made} PRAGMA user_version = {version};"


_ROWS = "origin_bytes, peer_bytes_confirmed, joins, links_attempted, links_failed"
WRITTEN = f"""
    INSERT INTO runs (started, written, {_ROWS}) VALUES ({NOW}, {NOW}, 1000, 2000, 4, 9, 2);
    INSERT INTO everything (width, at, run, part, seconds, viewer_seconds, viewers_max, {_ROWS})
        VALUES (10, {NOW}, 1, 0, 10, 30, 3, 1000, 2000, 4, 5, 2),
            (3600, {NOW // 3600 * 3600}, 1, 0, 10, 30, 3, 1000, 2000, 4, 5, 2);
    INSERT INTO contents (
        content, width, at, run, part, seconds, viewer_seconds, viewers_max, {_ROWS}
    )
        VALUES ('a', 10, {NOW}, 1, 0, 10, 40, 4, 500, 1900, 4, 0, 1),
            ('b', 10, {NOW}, 1, 0, 0, 0, 0, 400, 100, 0, 0, 0),
            ('a', 3600, {NOW // 3600 * 3600}, 1, 0, 10, 40, 4, 500, 1900, 4, 0, 1),
            ('b', 3600, {NOW // 3600 * 3600}, 1, 0, 0, 0, 0, 400, 100, 0, 0, 0);
"""
"""What one of four would have had to fetch of ``a`` is 600 bytes, and the origin sent 500; nobody
was there for ``b``; and 100 bytes belonged to no content."""


def made(directory: Path, version: int, more: str = "") -> Path:
    directory.mkdir(exist_ok=True)
    with closing(sqlite3.connect(directory / FILE)) as database:
        database.executescript(schema(version) + WRITTEN + more)
    return directory


def of_a_group() -> Batch:
    rollup = Rollup()
    rollup.receive(Reading({}, {}, {Group("country", "DE"): Amounts(joins=1)}), NOW)
    batch = rollup.take_batch()
    assert batch is not None
    return batch


def span(width: int) -> Range:
    return Range((NOW - 3600) // width * width, (NOW + 3600) // width * width, width)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_file_of_an_earlier_version_is_brought_up_to_date(
    tmp_path: Path, version: int
) -> None:
    made(tmp_path, version)
    links = 7 if version == 1 else 0
    for _ in range(2):
        storage = Sqlite(tmp_path)
        run = Amounts(
            origin_bytes=1000,
            peer_bytes_confirmed=2000,
            least_bytes=1000,
            joins=4,
            links_attempted=9,
            links_failed=2,
            links_made=links,
        )
        assert await storage.open(NOW) == Opening(run, NOW)
        (point,) = await storage.points(span(10), 10)
        assert (point.figures.seconds, point.figures.viewer_seconds) == (10, 30)
        assert point.figures.amounts.links_made == (3 if version == 1 else 0)
        assert point.figures.amounts.joins == 4
        assert [share.content for share in await storage.shares([span(10)], 10)] == ["a", "b"]
        assert await storage.groups([span(60)], "country", 10) == []
        await storage.close()
    storage = Sqlite(tmp_path)
    await storage.open(NOW)
    await storage.write(of_a_group())
    (group,) = await storage.groups([span(60)], "country", 10)
    assert (group.name, group.figures.amounts) == ("DE", Amounts(joins=1))
    await storage.close()


@pytest.mark.parametrize("version", [1, 2])
async def test_the_least_follows_from_who_was_there(tmp_path: Path, version: int) -> None:
    made(
        tmp_path,
        version,
        """
        UPDATE contents SET peer_bytes_confirmed = 1100 WHERE content = 'a';
        UPDATE runs SET peer_bytes_confirmed = 1200;
        UPDATE everything SET peer_bytes_confirmed = 1200;
        """,
    )
    storage = Sqlite(tmp_path)
    opening = await storage.open(NOW)
    for width in (10, 3600):
        shares = await storage.shares([span(width)], 10)
        # A quarter of 1,600 bytes, and all of those that had nobody to come from.
        assert {share.content: share.figures.amounts.least_bytes for share in shares} == {
            "a": 400,
            "b": 400,
        }
        (point,) = await storage.points(span(width), width)
        assert point.figures.amounts.least_bytes == 900  # and those of no content
    assert opening.total.least_bytes == 900
    await storage.close()


async def test_what_version_3_has_of_the_least_stays(tmp_path: Path) -> None:
    storage = Sqlite(tmp_path)
    await storage.open(NOW)
    await storage.close()
    tables = ("runs", "everything", "contents", "groups")
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        for table in tables:
            database.execute(f"ALTER TABLE {table} DROP COLUMN elsewhere_bytes")
        database.executescript(
            f"{WRITTEN} UPDATE runs SET least_bytes = 7 WHERE origin_bytes > 0;"
            "PRAGMA user_version = 3"
        )
    storage = Sqlite(tmp_path)
    opening = await storage.open(NOW)
    assert (opening.total.least_bytes, opening.total.elsewhere_bytes) == (7, 0)
    await storage.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.parametrize("table", ["contents", "everything", "runs"])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_file_without_a_table_is_damaged(tmp_path: Path, version: int, table: str) -> None:
    made(tmp_path, version, f"DROP TABLE {table};")
    storage = Sqlite(tmp_path)
    opening = await storage.open(NOW)
    assert opening.total == Amounts()
    assert (tmp_path / f"{FILE}.damaged-1").exists()
    await storage.close()


async def test_a_file_brought_up_to_date_has_the_columns_of_a_new_one(tmp_path: Path) -> None:
    columns = []
    for version in (0, 1, 2):
        directory = tmp_path / str(version)
        if version:
            made(directory, version)
        storage = Sqlite(directory)
        await storage.open(NOW)
        await storage.close()
        with closing(sqlite3.connect(directory / FILE)) as database:
            columns.append(
                {
                    table: sorted(database.execute(f"PRAGMA table_info({table})").fetchall())
                    for table in ("runs", "everything", "contents", "groups", "failures")
                }
            )
            assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)
    for table, of_new in columns[0].items():
        for of_old in columns[1:]:
            assert {column[1:3] for column in of_old[table]} == {
                column[1:3] for column in of_new
            }, table


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from tracker.storage import sqlite

opened = sqlite._opened

def watched(path):
    database = opened(path)
    def look(statement):
        if statement.strip().startswith(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    database.set_trace_callback(look)
    return database

sqlite._opened = watched
sqlite.connect(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("at", ["ALTER TABLE contents", "UPDATE runs SET least", "COMMIT"])
async def test_a_process_that_is_killed_meanwhile_leaves_a_file_that_can_be_used(
    tmp_path: Path, at: str
) -> None:
    made(tmp_path, 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(tmp_path / FILE), at
    )
    assert await process.wait() == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    storage = Sqlite(tmp_path)
    opening = await storage.open(NOW)
    assert (opening.total.origin_bytes, opening.total.links_made) == (1000, 7)
    assert not (tmp_path / f"{FILE}.damaged-1").exists()
    await storage.close()
