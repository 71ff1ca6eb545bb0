"""How a `Sqlite` lays its tables out, and how a file of an earlier version is brought up to date.

::

    table        a row is known by                     and says
    everything   width, at, run, part                  figures
    contents     width, at, content, run, part         figures
    groups       width, at, kind, name, run, part      figures
    failures     width, at, kind, name, run, part      count
    runs         run                                   started, written, amounts

All of a file is brought up to date in one transaction: a process that is killed meanwhile leaves it
as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from p2pcdn.errors import ConfigError
from tracker.storage.columns import AMOUNT_COLUMNS, FIGURE_COLUMNS, Column

VERSION = 4
"""Of the schema: 2 has more figures, groups of viewers, and failures; 3 has ``least_bytes``, and
how long viewers took to get connected; 4 has ``elsewhere_bytes``."""


def listed(columns: Iterable[Column]) -> str:
    """Their names."""
    return ", ".join(column.name for column in columns)


def added_up(columns: Iterable[Column]) -> str:
    """What several rows come to."""
    # TOTAL is a float and cannot overflow, which SUM answers with an error: figures of liars are
    # large.
    return ", ".join(f"{'MAX' if column.most else 'TOTAL'}({column.name})" for column in columns)


def _declared(columns: Iterable[Column]) -> str:
    return ", ".join(
        f"{column.name} {'INTEGER' if column.whole else 'REAL'} NOT NULL DEFAULT 0"
        for column in columns
    )


_FIGURES = _declared(FIGURE_COLUMNS)
_GROUPS = (
    f"""
    CREATE TABLE groups (
        width INTEGER, at INTEGER, kind TEXT, name TEXT, run INTEGER, part INTEGER,
        {_FIGURES}, PRIMARY KEY (width, at, kind, name, run, part)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE failures (
        width INTEGER, at INTEGER, kind TEXT, name TEXT, run INTEGER, part INTEGER,
        count INTEGER NOT NULL, PRIMARY KEY (width, at, kind, name, run, part)
    ) WITHOUT ROWID
    """,
)
_SCHEMA = (
    f"""
    CREATE TABLE runs (
        run INTEGER PRIMARY KEY, started REAL NOT NULL, written REAL NOT NULL,
        {_declared(AMOUNT_COLUMNS)}
    )
    """,
    f"""
    CREATE TABLE everything (
        width INTEGER, at INTEGER, run INTEGER, part INTEGER, {_FIGURES},
        PRIMARY KEY (width, at, run, part)
    ) WITHOUT ROWID
    """,
    f"""
    CREATE TABLE contents (
        width INTEGER, at INTEGER, content TEXT, run INTEGER, part INTEGER, {_FIGURES},
        PRIMARY KEY (width, at, content, run, part)
    ) WITHOUT ROWID
    """,
    *_GROUPS,
)
_LEAST = (
    # What one of those who were there would have had to fetch; all of it where nobody was.
    """
    UPDATE contents SET least_bytes = max(0, min(origin_bytes, coalesce(CAST(
        (origin_bytes + peer_bytes_confirmed) * min(1.0, seconds / nullif(viewer_seconds, 0))
    AS INTEGER), origin_bytes)))
    """,
    """
    UPDATE everything SET least_bytes = max(0, min(origin_bytes, origin_bytes - (
        SELECT coalesce(sum(c.origin_bytes - c.least_bytes), 0) FROM contents AS c
        WHERE c.width = everything.width AND c.at = everything.at
        AND c.run = everything.run AND c.part = everything.part
    )))
    """,
    """
    UPDATE runs SET least_bytes = max(0, min(origin_bytes, origin_bytes - (
        SELECT coalesce(sum(e.origin_bytes - e.least_bytes), 0) FROM everything AS e
        WHERE e.width = 3600 AND e.run = runs.run
    )))
    """,
)
"""What the origin had to send at least, as far as a file of before version 3 tells."""


def prepared(database: sqlite3.Connection, path: Path | str) -> sqlite3.Connection:
    """The database as this version has it; `ConfigError` if a later one made it, and
    `sqlite3.DatabaseError` if it is damaged."""
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    with transaction(database):
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise ConfigError(
                f"The ledger {path} has format {version}, and this version of p2pcdn knows none "
                f"beyond {VERSION}: run the version that made it, or set data to another directory."
            )
        if version == 0:
            _do(database, *_SCHEMA)
        elif version < VERSION:
            _renew(database, version)
        # It is what it says: a table that is not there is damage, too.
        try:
            database.execute(f"SELECT {listed(FIGURE_COLUMNS)} FROM everything LIMIT 0")
            database.execute(f"SELECT {listed(FIGURE_COLUMNS)} FROM contents LIMIT 0")
            database.execute(f"SELECT kind, name, {listed(FIGURE_COLUMNS)} FROM groups LIMIT 0")
            database.execute("SELECT kind, name, count FROM failures LIMIT 0")
            database.execute(f"SELECT started, {listed(AMOUNT_COLUMNS)} FROM runs LIMIT 0")
        except sqlite3.OperationalError as error:
            raise sqlite3.DatabaseError(str(error)) from error
    return database


def _do(database: sqlite3.Connection, *statements: str) -> None:
    for statement in statements:
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")


def _renew(database: sqlite3.Connection, version: int) -> None:
    """What the file has stays; what it lacks is 0 unless it follows from what it has."""
    tables = ("runs", "everything", "contents", *(("groups",) if version > 1 else ()))
    try:
        for table in tables:
            known = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            for column in AMOUNT_COLUMNS:
                if column.name not in known:
                    database.execute(f"ALTER TABLE {table} ADD COLUMN {_declared([column])}")
            if version < 2:
                # Links were those attempted that had not failed; a bucket may end between the two.
                database.execute(
                    f"UPDATE {table} SET links_made = max(0, links_attempted - links_failed)"
                )
        _do(database, *(_GROUPS if version < 2 else ()), *(_LEAST if version < 3 else ()))
    except sqlite3.OperationalError as error:  # a table is not there
        raise sqlite3.DatabaseError(str(error)) from error


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # SQLite ends it by itself when the disk is full
            database.execute("ROLLBACK")
        raise
