"""Which versions of far files are known, also after a restart, in SQLite.

It is what another server said once, so it can be asked for again: whatever is wrong with the
database, the origin goes on without. Methods may be called from any thread.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from origin.sources.versions import Version

FILE = "upstream.sqlite3"

MOST = 200_000
"""Files of one place; those of which nothing was heard for longest are forgotten."""

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS files (
        place TEXT, path TEXT, since REAL NOT NULL,
        size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (place, path)
    ) WITHOUT ROWID
"""

T = TypeVar("T")

log = structlog.get_logger("p2pcdn.origin")


class KnownFiles:
    """The database in the data directory, as far as it is of one place."""

    def __init__(self, directory: Path, place: str) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                directory / FILE, isolation_level=None, check_same_thread=False, timeout=5
            )
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            log.warning("versions_not_kept", error=str(error))

    def all(self) -> dict[str, tuple[Version, float]]:
        """Each file's version, and when the server said so, in seconds since 1970."""

        def select(database: sqlite3.Connection) -> dict[str, tuple[Version, float]]:
            database.execute(
                "DELETE FROM files WHERE place = ? AND path NOT IN"
                " (SELECT path FROM files WHERE place = ? ORDER BY since DESC LIMIT ?)",
                (self._place, self._place, MOST),
            )
            rows = database.execute(
                "SELECT path, since, size, etag, modified, digest FROM files WHERE place = ?",
                (self._place,),
            )
            return {path: (Version(*version), since) for path, since, *version in rows}

        return self._attempt(select, {})

    def keep(self, path: str, version: Version | None, since: float) -> None:
        """Remember a file's version, or that there is no such file."""
        if version is None:
            words, values = "DELETE FROM files WHERE place = ? AND path = ?", (self._place, path)
            self._attempt(lambda database: database.execute(words, values), None)
            return
        row = (self._place, path, since, *version)
        self._attempt(
            lambda database: database.execute(
                "REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", row
            ),
            None,
        )

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _attempt(self, action: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._lock:
            if self._database is None:
                return otherwise
            try:
                return action(self._database)
            except sqlite3.Error as error:
                log.warning("versions_not_kept", error=str(error))
                return otherwise
