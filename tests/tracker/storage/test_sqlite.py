"""What the ledger's file keeps, whatever becomes of the process, the disk and the file."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from p2pcdn.config import LedgerConfig
from p2pcdn.core.amounts import MOST_BYTES, Amounts
from p2pcdn.core.ledger_ports import Failure, Group, Reading
from p2pcdn.core.rollup import Batch, Rollup
from p2pcdn.errors import ConfigError
from tracker.storage import Opening, Range, StorageError
from tracker.storage.sqlite import FILE, PRUNE_EVERY, PRUNED, Sqlite
from tracker.storage.sqlite_schema import VERSION

NOW = 1_700_000_000


def batch(*sizes: int, at: float = NOW, content: str = "a", part: int = 0) -> Batch:
    """What a run says that has read so many bytes, second by second."""
    rollup = Rollup()
    rollup._part = part
    for second, size in enumerate(sizes):
        reading = Reading({content: Amounts(origin_bytes=size)}, {content: size})
        rollup.receive(reading, at + second)
    made = rollup.take_batch()
    assert made is not None
    return made


async def opened(directory: Path | None, **config: float) -> tuple[Sqlite, Opening]:
    storage = Sqlite(directory, LedgerConfig(**config))
    return storage, await storage.open(NOW)


async def totals(directory: Path) -> int:
    storage, opening = await opened(directory)
    await storage.close()
    return opening.total.origin_bytes


def span(width: int, *, before: int = 3600, after: int = 3600) -> Range:
    return Range((NOW - before) // width * width, (NOW + after) // width * width, width)


@pytest.fixture(params=["file", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "data" if request.param == "file" else None


async def test_what_is_written_can_be_read_at_once(place: Path | None) -> None:
    storage, opening = await opened(place)
    assert opening == Opening(Amounts(), NOW)
    await storage.write(batch(1, 2, 3, *[0] * 17, 4))
    points = await storage.points(span(10), 10)
    assert [(point.at - NOW, point.figures.amounts.origin_bytes) for point in points] == [
        (0, 6),
        (10, 0),
        (20, 4),
    ]
    assert points[0].figures.seconds == 9
    assert points[0].figures.viewer_seconds == 5
    assert points[0].figures.viewers_max == 3
    (share,) = await storage.shares([span(60)], 10)
    assert (share.content, share.figures.amounts.origin_bytes) == ("a", 10)
    await storage.close()


async def test_points_are_added_up_by_step(place: Path | None) -> None:
    storage, _ = await opened(place)
    await storage.write(batch(*range(50)))
    for width, step in ((10, 10), (10, 30), (10, 60), (60, 60), (60, 600), (3600, 3600)):
        points = await storage.points(span(width), step)
        assert sum(point.figures.amounts.origin_bytes for point in points) == sum(range(50))
        assert sum(point.figures.seconds for point in points) == 49
        assert all(point.at % step == 0 for point in points)
        assert [point.at for point in points] == sorted({point.at for point in points})
        assert max(point.figures.viewers_max for point in points) == 49
    await storage.close()


async def test_a_batch_that_is_written_twice_counts_once(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path)
    for _ in range(3):
        await storage.write(batch(5, 6))
    await storage.write(batch(5, 6, 7))
    await storage.write(batch(5, 6, 7))
    (point,) = await storage.points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 18
    await storage.close()
    assert await totals(tmp_path) == 18


async def test_runs_and_parts_of_them_add_up(tmp_path: Path) -> None:
    for run in range(3):
        storage, opening = await opened(tmp_path)
        assert opening.total.origin_bytes == run * 10
        assert opening.since == NOW
        await storage.write(batch(10))
        await storage.write(batch(10, part=1)._replace(total=Amounts(origin_bytes=10)))
        await storage.close()
    storage, opening = await opened(tmp_path)
    assert opening.total.origin_bytes == 30
    (point,) = await storage.points(span(3600), 3600 * 24)
    assert point.figures.amounts.origin_bytes == 60
    await storage.close()


async def test_two_processes_may_share_the_file(tmp_path: Path) -> None:
    (one, _), (other, _) = await opened(tmp_path), await opened(tmp_path)
    for size in range(1, 6):
        await one.write(batch(size))
        await other.write(batch(10 * size))
    assert len(await one.points(span(10), 10)) == 1
    assert await one.others() == Opening(Amounts(origin_bytes=50), NOW)
    assert await other.others() == Opening(Amounts(origin_bytes=5), NOW)
    await one.close()
    await other.close()
    assert await totals(tmp_path) == 5 + 50


async def test_the_contents_with_most_bytes_come_first_and_not_all_do(tmp_path: Path) -> None:
    storage, _ = await opened(tmp_path)
    written = batch(1, content="few")
    for content, size in (("most", 3), ("many", 2)):
        written = written.then(batch(size, content=content))
    await storage.write(written)
    shares = await storage.shares([span(10)], 2)
    assert [share.content for share in shares] == ["most", "many"]
    await storage.close()


async def test_figures_of_liars_overflow_nothing(tmp_path: Path) -> None:
    lie = Amounts(peer_bytes_claimed=MOST_BYTES)
    for _ in range(2):
        storage, opening = await opened(tmp_path)
        rollup = Rollup()
        for second in range(1100):
            # Each is an hour of its own, so no row of ours bounds the sum.
            rollup.receive(Reading({"a": lie}, {}), NOW + 3600.0 * second)
        made = rollup.take_batch()
        assert made is not None
        await storage.write(made)
        after = 3600 * 1101
        (point,) = await storage.points(Range(0, NOW + after, 3600), 10**10)
        assert point.figures.amounts.peer_bytes_claimed == MOST_BYTES
        (share,) = await storage.shares([Range(0, NOW + after, 3600)], 10)
        assert share.figures.amounts.peer_bytes_claimed == MOST_BYTES
        await storage.close()
    assert opening.total.peer_bytes_claimed == MOST_BYTES


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


def of_groups(at: float, **joins: int) -> Batch:
    rollup = Rollup()
    groups = {Group("country", name): Amounts(joins=count) for name, count in joins.items()}
    members = {group: amounts.joins for group, amounts in groups.items()}
    failures = {Failure("link", "timeout"): 3, Failure("socket", "banned"): 1}
    for second in range(2):
        rollup.receive(Reading({}, {}, groups, members, failures), at + second)
    made = rollup.take_batch()
    assert made is not None
    return made


async def test_groups_and_failures_add_up(place: Path | None) -> None:
    storage, _ = await opened(place)
    for _ in range(2):  # once more does no harm
        await storage.write(of_groups(NOW, DE=1, FR=2))
    await storage.write(of_groups(NOW + 60, FR=1, AT=1))
    shares = await storage.groups([span(60)], "country", 10)
    assert [(share.name, share.figures.amounts.joins) for share in shares] == [
        ("FR", 6),
        ("AT", 2),
        ("DE", 2),
    ]
    assert [share.name for share in await storage.groups([span(60)], "country", 1)] == ["FR"]
    assert await storage.groups([span(60)], "browser", 10) == []
    counts = await storage.failures([span(60)], 10)
    assert [(c.kind, c.reason, c.count) for c in counts] == [
        ("link", "timeout", 12),
        ("socket", "banned", 4),
    ]
    assert len(await storage.failures([span(60)], 1)) == 1
    await storage.close()


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
