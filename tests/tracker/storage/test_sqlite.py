"""What the ledger's file keeps, whatever becomes of the process, the disk and the file."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from p2pcdn.config import LedgerConfig
from p2pcdn.core.amounts import Amounts
from p2pcdn.core.rollup import Batch
from p2pcdn.errors import ConfigError
from tests.tracker.storage.batches import NOW, batch, of_groups, span
from tracker.storage import Opening, StorageError
from tracker.storage.sqlite import FILE, PRUNE_EVERY, PRUNED, Sqlite
from tracker.storage.sqlite_schema import VERSION


async def opened(directory: Path | None, **config: Any) -> tuple[Sqlite, Opening]:
    storage = Sqlite(directory, LedgerConfig(**config))
    return storage, await storage.open(NOW)


async def totals(directory: Path) -> int:
    storage, opening = await opened(directory)
    await storage.close()
    return opening.total.origin_bytes


async def test_what_is_too_old_goes_and_the_totals_stay(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path, keep_10s=900, keep_1min=7200, keep_1h=259_200)
    old = batch(1, at=NOW - 300_000)
    await storage.write(old)
    for age in (100_000, 5000, 500):
        old = old.then(batch(1, at=NOW - age))
    await storage.write(old._replace(total=Amounts(origin_bytes=5)))
    for look in range(1, 4):  # not all that is too old goes at once
        at = NOW + look * PRUNE_EVERY
        await storage.write(Batch(at, Amounts(origin_bytes=5), {}))
    for width, kept in ((10, 1), (60, 2), (3600, 3)):
        points = await storage.points(span(width, before=400_000), width)
        assert len(points) == kept, width
        ((_, figures),) = [
            (s.content, s.figures) for s in await storage.shares([span(width, before=400_000)], 10)
        ]
        assert figures.amounts.origin_bytes == kept
    await storage.close()
    assert await totals(tmp_path) == 5


async def test_a_clock_that_jumps_ahead_for_a_moment_costs_little(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path)
    for hour in range(3 * PRUNED):
        await storage.write(batch(1, at=NOW + 3600 * hour))
    await storage.write(batch(1, at=NOW + 10**9))
    points = await storage.points(span(3600, after=10**7), 3600)
    assert len(points) == 2 * PRUNED
    await storage.close()


async def test_what_a_killed_process_has_written_is_there(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path / "killed")
    await storage.write(batch(7))
    # What stands on the disk while it still runs is what is left when it is killed.
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (tmp_path / "killed").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    await storage.close()
    assert await totals(copy) == 7


@pytest.mark.parametrize("damage", ["garbage", "torn", "empty table", "cut"])
async def test_a_damaged_file_is_put_aside_and_said_so(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    storage, _ = await opened(tmp_path)
    for second in range(0, 1200, 10):
        await storage.write(batch(7, at=NOW + second, content=f"{second:032}"))
    await storage.close()
    file = tmp_path / FILE
    data = file.read_bytes()
    if damage == "garbage":
        file.write_bytes(b"not a database, but long enough to look like one" * 100)
    elif damage == "torn":
        file.write_bytes(data[:8192] + b"\xff" * 20_000 + data[28_192:])
    elif damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    else:
        with closing(sqlite3.connect(file)) as database:
            database.execute("DROP TABLE runs")
    data = file.read_bytes()
    assert await totals(tmp_path) == 0
    assert (tmp_path / f"{FILE}.damaged-1").read_bytes() == data
    assert "ledger_damaged" in capsys.readouterr().out
    # And once more: what was put aside first is still there.
    file.write_bytes(b"garbage" * 1000)
    assert await totals(tmp_path) == 0
    assert (tmp_path / f"{FILE}.damaged-1").read_bytes() == data
    assert (tmp_path / f"{FILE}.damaged-2").exists()


async def test_an_empty_file_is_an_empty_ledger(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert await totals(tmp_path) == 0
    assert not (tmp_path / f"{FILE}.damaged-1").exists()


async def test_the_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path)
    await storage.close()
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(ConfigError, match=f"has format {VERSION + 1}, .* beyond {VERSION}: "):
        await opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


async def test_a_place_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="data has to be a directory that can be written to"):
        await opened(tmp_path / "file")
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConfigError, match=re.escape(f"The ledger {tmp_path / FILE} cannot be")):
        await opened(tmp_path)


async def test_what_fails_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path)
    writer = storage._writer
    assert writer is not None
    writer.database.execute("PRAGMA max_page_count = 1")  # the disk is full
    writer.database.execute("PRAGMA max_page_count")
    many = batch(1)
    for number in range(1000):
        many = many.then(batch(1, content=f"{number:032}"))
    with pytest.raises(StorageError, match="full"):
        await storage.write(many)
    assert await storage.points(span(10), 10) == []
    writer.database.execute("PRAGMA max_page_count = 100000")
    await storage.write(many)
    assert len(await storage.points(span(10), 10)) == 1
    await storage.close()


# Groups and failures


async def test_groups_that_are_too_old_go(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path, keep_10s=900, keep_1min=7200, keep_1h=259_200)
    await storage.write(of_groups(NOW - 10_000, DE=1))
    await storage.write(of_groups(NOW, DE=1))
    await storage.write(batch(1, at=NOW + PRUNE_EVERY))
    (share,) = await storage.groups([span(60, before=20_000)], "country", 10)
    assert share.figures.amounts.joins == 2
    (count, _) = await storage.failures([span(60, before=20_000)], 10)
    assert count.count == 6
    await storage.close()
