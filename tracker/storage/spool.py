"""What a database that is away has not been told, on disk: a file for each run.

A process that ends while the database is away leaves its file. Whoever uses the directory next
writes what is in it in the name of that run, which counts once however often it is done.

::

    a write fails --put--> ledger-unwritten-RUN --left, at the next start--> written --drop
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import msgspec
import structlog

from p2pcdn.core.rollup import Batch, Figures, GroupKey, Key
from tracker.storage.columns import FIGURE_COLUMNS, figures_of, values

PREFIX = "ledger-unwritten-"

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
    """Files in a directory; without one nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._is_failing = False

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
            if not self._is_failing:
                log.warning("ledger_not_kept", path=str(path), error=str(error))
            self._is_failing = True
        else:
            self._is_failing = False

    def left(self, run: UUID) -> Iterator[Kept]:
        """What runs other than this one have left. A file that cannot be read is put aside."""
        if self._directory is None:
            return
        for path in sorted(self._directory.glob(f"{PREFIX}*.msgpack")):
            if path == _path(self._directory, run):
                continue
            try:
                yield _decoded(path.read_bytes())
            except FileNotFoundError:
                continue  # another process was faster
            except (OSError, msgspec.MsgspecError) as error:
                aside = path.with_suffix(".damaged")
                path.rename(aside)
                log.error(
                    "ledger_damaged", path=str(path), put_aside_as=str(aside), error=str(error)
                )

    def drop(self, run: UUID) -> None:
        """All of this run is written."""
        if self._directory is not None:
            _path(self._directory, run).unlink(missing_ok=True)


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
