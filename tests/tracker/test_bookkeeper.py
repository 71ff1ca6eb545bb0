"""What is read is written: in time, once, and also after the storage has failed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from prometheus_client import REGISTRY

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.rollup import WIDTHS, Batch
from tracker import bookkeeper
from tracker.bookkeeper import Bookkeeper
from tracker.storage import Opening, StorageError
from tracker.storage.sqlite import Sqlite


class Disk(Sqlite):
    """A storage in memory that can fail, or take its time."""

    def __init__(self) -> None:
        super().__init__(None)
        self.full = False
        self.is_broken = False
        self.batches: list[Batch] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def write(self, batch: Batch) -> None:
        self.batches.append(batch)
        await self.gate.wait()
        if self.full:
            raise StorageError("no space left")
        if self.is_broken:
            raise OverflowError("nobody has thought of this")
        await super().write(batch)

    def written(self) -> int:
        assert self._writer is not None
        found: Any = self._writer.database.execute("SELECT origin_bytes FROM runs").fetchone()
        return int(found[0])


class Desk:
    """A ledger, its bookkeeper and its storage."""

    def __init__(self, write_every: float = 1000.0) -> None:
        self.ledger, self.disk = Ledger(), Disk()
        self.books = Bookkeeper(self.ledger, self.disk, write_every)
        self.now = 1_700_000_000.0

    async def read(self, size: int) -> None:
        """A second passes in which the origin sends so many bytes."""
        self.now += 1
        self.ledger.origin_sent(size)
        self.books.read(self.now)
        await asyncio.sleep(0)
        if self.books._task is not None and self.disk.gate.is_set():
            await asyncio.wait([self.books._task])


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.books.open()
    return made


async def test_the_first_reading_is_written_and_then_some_time_passes(desk: Desk) -> None:
    for size in (1, 2, 3):
        await desk.read(size)
    assert [batch.total.origin_bytes for batch in desk.disk.batches] == [1]
    assert desk.books.written_at == desk.now - 2
    await desk.books.write()
    assert desk.disk.written() == 6
    assert desk.books.written_at == desk.now
    desk.now += 3600
    await desk.read(4)
    await desk.books.write()
    assert {key.at for key in desk.disk.batches[-1].rows} == {  # and nothing that is written
        int(desk.now // width * width) for width in WIDTHS
    }


async def test_it_is_written_again_when_that_time_is_over() -> None:
    desk = Desk(write_every=0.05)
    await desk.books.open()
    deadline = time.monotonic() + 10
    while len(desk.disk.batches) < 3:
        await desk.read(1)
        assert time.monotonic() < deadline
    assert desk.disk.batches[-1].total.origin_bytes > 3


async def test_closing_writes_what_has_come_since_the_last_reading(desk: Desk) -> None:
    await desk.read(1)
    desk.ledger.origin_sent(10)
    closed: list[int] = []
    close = desk.disk.close

    async def note() -> None:
        closed.append(desk.disk.written())
        await close()

    desk.disk.close = note  # type: ignore[method-assign]
    await desk.books.close()
    assert closed == [11]


async def test_what_could_not_be_written_is_written_later(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.read(1)
    desk.disk.full = True
    for size in (2, 4):
        await desk.read(size)
        await desk.books.write()
    assert desk.disk.written() == 1
    desk.disk.full = False
    await desk.read(8)
    await desk.books.write()
    assert desk.disk.written() == 15
    said = capsys.readouterr().out
    assert said.count("ledger_not_written") == 1
    assert said.count("ledger_written_again") == 1
    last = desk.disk.batches[-1]
    assert sum(row.amounts.origin_bytes for key, row in last.rows.items() if key.width == 10) >= 14


async def test_what_waits_takes_only_so_much_memory(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookkeeper, "MOST_UNWRITTEN", 40)
    desk.disk.full = True
    for _ in range(300):
        desk.now += 59
        desk.ledger.origin_sent(1)
        desk.books.read(desk.now)
        await desk.books.write()
    last = desk.disk.batches[-1]
    # Once there are too many a tenth goes, so that they need not be sorted each time.
    sizes = [len(batch.rows) for batch in desk.disk.batches[-20:]]
    assert (min(sizes), max(sizes)) == (36, 40)
    assert sizes.count(36) < 10
    # Hours are worth most, and then what is new.
    assert {key.at for key in last.rows if key.width == 3600} >= {desk.now // 3600 * 3600}
    cut = next(batch for batch in reversed(desk.disk.batches) if len(batch.rows) == 36)
    assert {key.width for key in cut.rows} == {3600, 60}
    desk.disk.full = False
    await desk.books.write()
    assert desk.disk.written() == 300


async def test_a_storage_that_fails_is_tried_ever_less_often_and_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    desk = Desk(write_every=4.0)
    await desk.books.open()
    desk.disk.full = True
    tries = []
    for second in range(150):
        before = len(desk.disk.batches)
        await desk.read(1)
        tries += [second] * (len(desk.disk.batches) - before)
        now += 1
    assert tries == [0, 8, 24, 56, 88, 120]
    # Each time with all that has come in between, and in between nothing is done.
    assert [batch.total.origin_bytes - 1 for batch in desk.disk.batches] == tries
    assert desk.books.notes() == ["The ledger cannot be written: its figures wait in memory."]
    rows = len(desk.disk.batches[-1].rows)
    assert rows == 13 + 3 + 1
    assert REGISTRY.get_sample_value("p2pcdn_ledger_unwritten_rows") == rows
    await desk.books.catch_up()  # whoever asks for figures has no storage tried
    assert len(desk.disk.batches) == len(tries)
    desk.disk.full = False
    for _ in range(30):
        await desk.read(1)
        now += 1
    assert desk.books.notes() == []
    assert desk.disk.written() > 150
    assert REGISTRY.get_sample_value("p2pcdn_ledger_unwritten_rows") == 0
    written_at = REGISTRY.get_sample_value("p2pcdn_ledger_written_timestamp_seconds")
    assert written_at == desk.books.written_at
    desk.disk.full = True
    await desk.books.write()
    (note,) = desk.books.notes()
    assert time.strftime("since %Y-%m-%dT%H:%M:%SZ", time.gmtime(desk.books.written_at)) in note


async def test_what_nobody_has_thought_of_is_a_try_that_has_failed(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.disk.is_broken = True
    for _ in range(2):
        await desk.read(1)
        await desk.books.write()
    assert desk.books.notes() == ["The ledger cannot be written: its figures wait in memory."]
    said = capsys.readouterr().out
    assert said.count("ledger_not_written") == 1
    assert "nobody has thought of this" in said
    desk.disk.is_broken = False
    await desk.books.write()
    assert desk.books.notes() == []
    assert desk.disk.written() == 2


async def test_what_others_write_meanwhile_is_in_the_summary(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = Opening(Amounts(origin_bytes=1000), 5.0)

    async def others() -> Opening:
        if heard.since < 0:
            raise StorageError("away")
        return heard

    desk.disk.others = others  # type: ignore[method-assign]
    await desk.read(1)
    assert desk.ledger.summary().origin_bytes == 1001
    heard = Opening(Amounts(origin_bytes=3000), 5.0)
    await desk.books.write()
    await desk.read(1)
    await desk.books.write()
    assert (desk.ledger.summary().origin_bytes, desk.ledger.summary().since) == (3002, 5.0)
    known, heard = heard, Opening(Amounts(), -1.0)  # what was known stays
    for _ in range(2):
        await desk.read(1)
        await desk.books.write()
    assert desk.ledger.summary().origin_bytes == 3004
    assert desk.disk.written() == 4
    assert capsys.readouterr().out.count("ledger_not_read") == 1
    heard = known
    await desk.read(1)
    await desk.books.write()
    assert "ledger_read_again" in capsys.readouterr().out


async def test_who_waits_for_an_answer_may_go_without_harm(desk: Desk) -> None:
    await desk.read(1)
    await desk.books.write()
    desk.disk.gate.clear()
    await desk.read(2)
    waiting = asyncio.create_task(desk.books.write())
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    desk.disk.gate.set()
    await desk.read(4)
    await desk.books.write()
    assert desk.disk.written() == 7


async def test_a_slow_disk_gets_one_batch_at_a_time() -> None:
    desk = Desk(write_every=0.001)
    await desk.books.open()
    desk.disk.gate.clear()
    for _ in range(5):
        await desk.read(1)
    assert len(desk.disk.batches) == 1
    desk.disk.gate.set()
    await desk.books.write()
    assert desk.disk.written() == 5


async def test_it_goes_on_from_what_was_written() -> None:
    class Old(Disk):
        async def open(self, now: float) -> Opening:
            return Opening(Amounts(origin_bytes=1000, joins=3), 12345.0)

    ledger = Ledger()
    await Bookkeeper(ledger, Old(), 1.0).open()
    ledger.origin_sent(1)
    summary = ledger.summary()
    assert (summary.origin_bytes, summary.joins, summary.since) == (1001, 3, 12345.0)
    assert ledger.take_reading().changes[""].origin_bytes == 1  # what is old is not written again
