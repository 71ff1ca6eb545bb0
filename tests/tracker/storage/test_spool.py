"""What a database was not told outlives the process, and says what it said."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from tests.tracker.storage.batches import NOW, batch, of_groups
from tracker.storage import spool
from tracker.storage.columns import FIGURE_COLUMNS, Column
from tracker.storage.spool import Kept, Spool

ONE, OTHER = UUID(int=1), UUID(int=2)


def kept(run: UUID = ONE, *sizes: int) -> Kept:
    groups = of_groups(NOW, DE=1)
    all_kinds = batch(*sizes or (1, 2))._replace(groups=groups.groups, failures=groups.failures)
    return Kept(run, 7, "a.example.com", NOW - 5.5, all_kinds)


def test_what_a_run_leaves_is_found_by_another(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    Spool(directory).put(kept(ONE, 1))
    Spool(directory).put(kept(ONE, 1, 2, 3))
    assert list(Spool(directory).left(OTHER)) == [kept(ONE, 1, 2, 3)]
    assert list(Spool(directory).left(ONE)) == []
    Spool(directory).drop(ONE)
    Spool(directory).drop(ONE)  # another process may have been faster
    assert list(Spool(directory).left(OTHER)) == []
    assert list(directory.iterdir()) == []


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    nowhere = Spool(None)
    nowhere.put(kept())
    nowhere.drop(ONE)
    assert list(nowhere.left(OTHER)) == []


def test_a_version_with_other_columns_reads_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = (*FIGURE_COLUMNS[:-1], Column("of_a_later_version"))
    with monkeypatch.context() as patch:
        patch.setattr(spool, "FIGURE_COLUMNS", columns)
        Spool(tmp_path).put(kept())
    assert list(Spool(tmp_path).left(OTHER)) == [kept()]


def damaged(*total: float) -> bytes:
    """A file that decodes, with a row that says something else than a row does."""
    columns = ("origin_bytes",) * len(total)
    file = [str(ONE), 7, "a.example.com", 0.0, 0.0, columns, total, [], [], []]
    return msgspec.msgpack.encode(file)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        msgspec.msgpack.encode([1, 2, 3]),
        msgspec.msgpack.encode([str(ONE), 7, "a", 0.0, 0.0, ["origin_bytes"], [1, 2], [], [], []]),
        damaged(float("nan")),
        damaged(float("inf")),
    ],
    ids=["empty", "text", "short", "row of another length", "no number", "no end"],
)
def test_a_file_that_is_none_is_put_aside(
    tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    Spool(tmp_path).put(kept())
    (file,) = tmp_path.iterdir()
    file.write_bytes(data)
    Spool(tmp_path).put(kept(OTHER))
    assert list(Spool(tmp_path).left(UUID(int=3))) == [kept(OTHER)]
    assert file.with_suffix(".damaged").read_bytes() == data
    assert capsys.readouterr().out.count("ledger_damaged") == 1


def test_a_file_that_cannot_be_put_aside_or_dropped_stops_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"{spool.PREFIX}{ONE}.msgpack"
    file.write_bytes(b"nonsense")
    (file.with_suffix(".damaged") / "full").mkdir(parents=True)  # no file can take its place
    assert list(Spool(tmp_path).left(OTHER)) == []
    assert "not_put_aside" in capsys.readouterr().out
    file.unlink()
    (file / "full").mkdir(parents=True)
    Spool(tmp_path).drop(ONE)
    assert "ledger_not_kept" in capsys.readouterr().out


def test_what_a_run_that_goes_on_has_put_since_it_was_read_stays(tmp_path: Path) -> None:
    reader = Spool(tmp_path)
    Spool(tmp_path).put(kept(ONE, 1))
    (found,) = reader.left(OTHER)
    Spool(tmp_path).put(kept(ONE, 1, 2))
    reader.drop(found.run)
    assert list(reader.left(OTHER)) == [kept(ONE, 1, 2)]
    reader.drop(ONE)
    assert list(tmp_path.iterdir()) == []


def test_what_was_being_put_when_a_process_was_killed_goes(tmp_path: Path) -> None:
    old, new = (tmp_path / f"{spool.PREFIX}{run}.new" for run in (ONE, OTHER))
    for beside in (old, new):
        beside.write_bytes(b"half")
    os.utime(old, (NOW - 2_000_000_000, NOW - 2_000_000_000))
    assert list(Spool(tmp_path).left(UUID(int=3))) == []
    assert list(tmp_path.iterdir()) == [new]


def test_a_disk_that_fails_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    failing = Spool(tmp_path / "file")
    for _ in range(2):
        failing.put(kept())
    assert capsys.readouterr().out.count("ledger_not_kept") == 1
