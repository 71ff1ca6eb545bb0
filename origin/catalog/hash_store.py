"""Chunk hashes that outlive a restart, in SQLite.

What is kept can always be computed again: a file that is damaged is put aside, and when the disk is
full the origin goes on without. Methods block, may be called from any thread, and never raise
because of the database.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import structlog

from origin.catalog.edition import Edition, Stretch
from p2pcdn.errors import UnavailableError

FILE = "origin.sqlite3"

AGAIN = 60.0
"""Seconds for which it counts that something could not be kept, if nothing was to be kept since."""

_VERSION = 2
_SAME_HASHES = 1
"""A version before this one that has the same hashes."""
_SCHEMA = f"""
    CREATE TABLE IF NOT EXISTS hashes (
        path TEXT, offset INTEGER, length INTEGER,
        version TEXT NOT NULL,  -- of the file
        list BLOB NOT NULL,     -- 32 bytes a chunk
        PRIMARY KEY (path, offset, length)
    ) WITHOUT ROWID;
    CREATE TABLE editions (     -- the latest of each rendition
        rendition TEXT PRIMARY KEY,
        fingerprint BLOB NOT NULL,
        time INTEGER NOT NULL,
        era INTEGER NOT NULL,
        marks BLOB NOT NULL     -- what its segments are, in MessagePack
    ) WITHOUT ROWID;
    PRAGMA user_version = {_VERSION};
"""

T = TypeVar("T")

log = structlog.get_logger("p2pcdn.origin")


class Kept(NamedTuple):
    """A hash list that is kept: of which bytes of which version of a file."""

    path: str
    offset: int
    length: int
    version: str
    """Its identity's entity tag."""


class HashStore:
    """The database in the data directory."""

    def __init__(
        self, directory: Path, file: str = FILE, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = directory / file
        self._clock = clock
        self._lock = threading.Lock()
        self._unread: str | None = None
        """Why the last question had no answer."""
        self._unkept: str | None = None
        """Why the last thing to keep was not kept: that others can be read says nothing of it."""
        self._tried = 0.0
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"data has to be a directory that can be written to; {directory} is not: "
                f"{error.strerror}."
            ) from error
        self._database = self._open()

    @property
    def problem(self) -> str | None:
        """What is wrong with it, for an operator."""
        if self._unkept is not None and self._clock() < self._tried + AGAIN:
            return self._unkept
        return self._unread

    def find(self, stretches: Iterable[Stretch]) -> dict[Stretch, bytes]:
        """The hash lists that are known, of those asked for."""

        def select() -> dict[Stretch, bytes]:
            found = {}
            for stretch in stretches:
                row = self._database.execute(
                    "SELECT list FROM hashes"
                    " WHERE path = ? AND offset = ? AND length = ? AND version = ?",
                    (stretch.path, stretch.offset, stretch.length, stretch.identity.etag),
                ).fetchone()
                if row is not None:
                    found[stretch] = row[0]
            return found

        return self._attempt(select, {})

    def keep(self, stretch: Stretch, hashes: bytes) -> None:
        """Remember a hash list; that of an earlier version of the file is forgotten."""
        row = (stretch.path, stretch.offset, stretch.length, stretch.identity.etag, hashes)
        self._attempt(
            lambda: self._database.execute("REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", row),
            None,
            keeps=True,
        )

    def date(self, draft: Edition, before: Edition | None, now: int) -> Edition:
        """The edition with its time and its era, in milliseconds since 1970.

        The time is ``now`` when it is seen for the first time, but always later than that of the
        edition before it, whatever the clock says. Origins that share the file agree: who is a step
        behind another does not date anything anew.
        """
        if before is None:
            # Origins that share nothing still agree about a file that never changed.
            undated = replace(draft, time=now, era=now if draft.live else 0)
        else:
            now = max(now, before.time + 1)
            goes_on = draft.continues(before.marks())
            undated = replace(draft, time=now, era=before.era if goes_on else now)

        def update() -> Edition:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                return self._date(draft, undated, 0 if before is None else before.era)

        return self._attempt(update, undated, keeps=True)

    def _date(self, draft: Edition, undated: Edition, least_era: int) -> Edition:
        latest = self._database.execute(
            "SELECT fingerprint, time, era, marks FROM editions WHERE rendition = ?",
            (draft.rendition,),
        ).fetchone()
        dated = undated
        if latest is not None:
            fingerprint, time, era, packed = latest
            marks = msgspec.msgpack.decode(packed, type=dict[int, bytes])
            if era >= least_era and fingerprint == draft.fingerprint():
                return replace(draft, time=time, era=era)
            if era >= least_era and draft.precedes(marks):
                return replace(draft, time=time - 1, era=era)
            now = max(undated.time, time + 1)
            goes_on = era >= least_era and draft.continues(marks)
            dated = replace(draft, time=now, era=era if goes_on else now)
        packed = msgspec.msgpack.encode(dated.marks())
        row = (dated.rendition, dated.fingerprint(), dated.time, dated.era, packed)
        self._database.execute("REPLACE INTO editions VALUES (?, ?, ?, ?, ?)", row)
        return dated

    def prune(self, exists: Callable[[list[str]], Iterable[str]]) -> None:
        """Forget the hashes of files that are gone."""
        rows: list[tuple[str]] = self._attempt(
            lambda: self._database.execute("SELECT DISTINCT path FROM hashes").fetchall(), []
        )
        paths = [path for (path,) in rows]
        gone = set(paths).difference(exists(paths))
        self._attempt(
            lambda: self._database.executemany(
                "DELETE FROM hashes WHERE path = ?", [(path,) for path in gone]
            ),
            None,
        )

    def forget(self, name: str) -> None:
        """Forget the hashes of a file, or of all that is in a folder: somebody has taken it out."""
        begin, end = f"{name}/", f"{name}0"  # the character that comes after the slash
        self._attempt(
            lambda: self._database.execute(
                "DELETE FROM hashes WHERE path = ? OR (path >= ? AND path < ?)", (name, begin, end)
            ),
            None,
        )

    def kept(self) -> list[Kept]:
        """What hash lists there are, by path and offset."""
        rows: list[tuple[str, int, int, str]] = self._attempt(
            lambda: self._database.execute(
                "SELECT path, offset, length, version FROM hashes ORDER BY path, offset"
            ).fetchall(),
            [],
        )
        return [Kept(*row) for row in rows]

    def list_of(self, kept: Kept) -> bytes:
        """One of these lists; empty if it is gone meanwhile."""

        def select() -> bytes:
            row = self._database.execute(
                "SELECT list FROM hashes"
                " WHERE path = ? AND offset = ? AND length = ? AND version = ?",
                kept,
            ).fetchone()
            return row[0] if row is not None else b""

        return self._attempt(select, b"")

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _attempt(self, action: Callable[[], T], otherwise: T, *, keeps: bool = False) -> T:
        with self._lock:
            try:
                before = self._database.total_changes
                result = action()
            except sqlite3.Error as error:
                trouble = f"Hashes cannot be kept in {self._path}: {error}."
                log.warning("hashes_not_kept", error=str(error))
                if keeps:
                    self._unkept, self._tried = trouble, self._clock()
                else:
                    self._unread = trouble
                return otherwise
            self._unread = None
            if self._database.total_changes > before:
                self._unkept = None
            return result

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise UnavailableError(f"The file {self._path} cannot be used: {error}.") from error
            log.warning("hashes_damaged", path=str(self._path), error=str(error))
            self._path.replace(self._path.with_suffix(".damaged"))
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, timeout=5
        )
        try:
            # Several processes may share the file. A crash of the machine costs the last hashes.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version != _VERSION:
                hashes = "" if version == _SAME_HASHES else "DROP TABLE IF EXISTS hashes;"
                database.executescript(
                    f"BEGIN IMMEDIATE; {hashes} DROP TABLE IF EXISTS editions; {_SCHEMA} COMMIT;"
                )
        except BaseException:
            database.close()
            raise
        return database
