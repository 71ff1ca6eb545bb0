"""What a database that is away has not been told, on disk: a file for each run.

A process that ends while the database is away leaves its file. Whoever uses the directory next
writes what is in it in the name of that run, which counts once however often it is done.

::

    a write fails --put--> ledger-unwritten-RUN --left, at the next start--> written --drop
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec
import structlog

from p2pcdn.core.rollup import Batch, Figures, GroupKey, Key
from tracker.storage.columns import FIGURE_COLUMNS, figures_of, values

PREFIX = "ledger-unwritten-"

STALE = 600.0
"""Seconds after which nobody is still putting a file."""

log = structlog.get_logger("p2pcdn.tracker")


class Kept(msgspec.Struct):
    """A batch of a run."""

    run: UUID
    version: int
    """The number of the batch in its run."""
    node: str
    started: float
    batch: Batch


class _File(msgspec.Struct, array_like=True):
    """The same, with figures by columns: most are 0, and these are short."""

    run: UUID
    version: int
    node: str
    started: float
    at: float
    columns: tuple[str, ...]
    total: Sequence[float]
    rows: Sequence[tuple[Key, Sequence[float]]]
    groups: Sequence[tuple[GroupKey, Sequence[float]]]
    failures: Sequence[tuple[GroupKey, int]]


class Spool:
    """Files in a directory; without one nothing is kept. None of its methods fails."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._is_failing = False
        self._read: dict[UUID, _Edition] = {}
        """What was read of other runs."""

    def put(self, kept: Kept) -> None:
        """Keep a batch in place of what was kept of its run, if the disk lets us."""
        if self._directory is None:
            return
        path = _path(self._directory, kept.run)
        beside = path.with_suffix(".new")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(_encoded(kept))
            beside.replace(path)
        except OSError as error:
            self._fail(path, error)
        else:
            self._is_failing = False

    def left(self, run: UUID) -> Iterator[Kept]:
        """What runs other than this one have left. A file that cannot be read is put aside."""
        if self._directory is None:
            return
        self._sweep(self._directory)
        for path in sorted(self._directory.glob(f"{PREFIX}*.msgpack")):
            if path == _path(self._directory, run):
                continue
            try:
                with path.open("rb") as file:
                    edition = _edition(os.fstat(file.fileno()))
                    kept = _decoded(file.read())
            except FileNotFoundError:
                continue  # another process was faster
            except (OSError, ValueError, OverflowError, msgspec.MsgspecError) as error:
                _put_aside(path, error)
                continue
            self._read[kept.run] = edition
            yield kept

    def drop(self, run: UUID) -> None:
        """All that was put, or read, of this run is written. What its own process has put since it
        was read stays."""
        if self._directory is None:
            return
        path = _path(self._directory, run)
        read = self._read.pop(run, None)
        try:
            if read is None or read == _edition(path.stat()):
                path.unlink()
        except FileNotFoundError:
            pass  # another process was faster
        except OSError as error:
            self._fail(path, error)

    def _fail(self, path: Path, error: OSError) -> None:
        if not self._is_failing:
            log.warning("ledger_not_kept", path=str(path), error=str(error))
        self._is_failing = True

    def _sweep(self, directory: Path) -> None:
        """Remove what was being put when a process ended."""
        for beside in directory.glob(f"{PREFIX}*.new"):
            with suppress(OSError):
                if time.time() - beside.stat().st_mtime > STALE:
                    beside.unlink()


class _Edition(NamedTuple):
    """Which of the files that had a name one after the other."""

    inode: int
    modified: int


def _edition(stat: os.stat_result) -> _Edition:
    return _Edition(stat.st_ino, stat.st_mtime_ns)


def _put_aside(path: Path, error: Exception) -> None:
    aside = path.with_suffix(".damaged")
    try:
        path.rename(aside)
    except OSError as refused:
        log.error("ledger_damaged", path=str(path), error=str(error), not_put_aside=str(refused))
    else:
        log.error("ledger_damaged", path=str(path), put_aside_as=str(aside), error=str(error))


def _path(directory: Path, run: UUID) -> Path:
    return directory / f"{PREFIX}{run}.msgpack"


def _encoded(kept: Kept) -> bytes:
    batch = kept.batch
    return msgspec.msgpack.encode(
        _File(
            kept.run,
            kept.version,
            kept.node,
            kept.started,
            batch.at,
            tuple(column.name for column in FIGURE_COLUMNS),
            values(Figures(batch.total)),
            [(key, values(figures)) for key, figures in batch.rows.items()],
            [(key, values(figures)) for key, figures in batch.groups.items()],
            list(batch.failures.items()),
        )
    )


def _decoded(data: bytes) -> Kept:
    file = msgspec.msgpack.decode(data, type=_File)

    def figures(row: Sequence[float]) -> Figures:
        """Another version may have had other columns."""
        given = dict(zip(file.columns, row, strict=True))
        return figures_of([given.get(column.name, 0) for column in FIGURE_COLUMNS])

    batch = Batch(
        file.at,
        figures(file.total).amounts,
        {key: figures(row) for key, row in file.rows},
        {key: figures(row) for key, row in file.groups},
        dict(file.failures),
    )
    return Kept(file.run, file.version, file.node, file.started, batch)
