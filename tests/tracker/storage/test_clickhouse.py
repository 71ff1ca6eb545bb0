"""What several nodes write to ClickHouse adds up, whatever is written twice, late or not at all."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from p2pcdn.config import Config, LedgerConfig
from p2pcdn.core.amounts import AMOUNTS, Amounts
from p2pcdn.core.ledger import Ledger
from p2pcdn.core.rollup import Batch
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server
from tests import clickhouse
from tests.clickhouse import Gate
from tests.docs.blocks import block
from tests.docs.here import Here, typed
from tests.tracker.storage.batches import NOW, batch, of_groups, span
from tracker import bookkeeper
from tracker.app import Tracker
from tracker.storage import Opening, StorageError, storage_of
from tracker.storage.clickhouse import ClickHouse
from tracker.storage.clickhouse_tables import TABLES
from tracker.storage.spool import Kept, Spool


@pytest.fixture
async def gate(engine: clickhouse.Server) -> AsyncIterator[Gate]:
    async with Gate(engine.port) as made:
        yield made


def node(engine: clickhouse.Server, database: str, gate: Gate | None = None) -> ClickHouse:
    return ClickHouse(LedgerConfig(clickhouse=engine.url(database, gate.port if gate else None)))


async def total(engine: clickhouse.Server, database: str) -> int:
    """Bytes of the origin, of all runs."""
    storage = node(engine, database)
    opening = await storage.open(NOW)
    await storage.close()
    return opening.total.origin_bytes


def all_kinds(*sizes: int) -> Batch:
    """Rows for each table."""
    groups = of_groups(NOW, DE=1)
    return batch(*sizes)._replace(groups=groups.groups, failures=groups.failures)


def files(directory: Path) -> int:
    return len(list(directory.iterdir()))


def read(engine: clickhouse.Server, database: str) -> int:
    """The same, of the rows of 10 s."""
    ((found,),) = engine.ask(
        f"SELECT sum(origin_bytes) FROM {database}.everything FINAL WHERE width = 10"
    )
    return int(found)


async def test_nodes_that_come_at_once_make_the_tables_once_and_add_up(
    engine: clickhouse.Server, database: str
) -> None:
    nodes = [node(engine, database) for _ in range(3)]
    await asyncio.gather(*(storage.open(NOW + number) for number, storage in enumerate(nodes)))
    for sizes in ((1, 2), (1, 2, 3)):
        await asyncio.gather(*(storage.write(batch(*sizes)) for storage in nodes))
    for storage in nodes:
        (point,) = await storage.points(span(60), 60)
        assert point.figures.amounts.origin_bytes == 18
        assert await storage.others() == Opening(Amounts(origin_bytes=12), NOW)
        await storage.close()
    assert await total(engine, database) == 18


async def test_it_is_set_up_and_asked_as_the_how_to_says(
    engine: clickhouse.Server, database: str, tmp_path: Path
) -> None:
    names = {
        "https://p2pcdn:PASSWORD@clickhouse.example.com:8443/p2pcdn": engine.url(database),
        "--content videos": f"--content {tmp_path}",
        "p2pcdn.everything": f"{database}.everything",
        "width = 3600": "width = 10",  # which is there at once
    }
    here = Here(tmp_path, names)
    async with here.served(typed(block("how-to/clickhouse.md:1"))):
        storage = node(engine, database)
        await storage.open(NOW)
        await storage.write(batch(1, 2, 3))
        await storage.close()
    days = engine.ask(here.local(block("how-to/clickhouse.md:3").text))
    assert sum(int(origin) for _, _, origin in days) == read(engine, database) > 0


async def test_viewers_of_several_nodes_are_there_at_once(
    engine: clickhouse.Server, database: str
) -> None:
    first, other, restarted = (node(engine, database) for _ in range(3))
    for storage in (first, other, restarted):
        await storage.open(NOW)
    # All the while 40 here, and 30 there.
    await first.write(batch(*[40] * 61))
    await other.write(batch(*[30] * 61))
    (point,) = await first.points(span(60, after=60), 60)
    assert point.figures.viewers_max == 68  # 60 s less the first, in which nobody had looked yet
    (share,) = await first.shares([span(60)], 10)
    assert share.figures.viewers_max == 68
    # Ten minutes later 40, first at one node and then at another: never 80.
    later = NOW + 600
    await first.write(batch(*[40] * 30, at=later))
    await restarted.write(batch(*[40] * 30, at=later + 30))
    (point,) = await first.points(span(60, before=-600), 60)
    assert point.figures.viewers_max == 40
    for storage in (first, other, restarted):
        await storage.close()


async def test_a_batch_that_arrives_late_replaces_nothing(
    engine: clickhouse.Server, database: str
) -> None:
    storage = node(engine, database)
    await storage.open(NOW)
    await storage.write(batch(1))
    await storage.write(batch(1, 2, 3))
    storage._writer._versions = count(1)  # the first again, which was on its way all the time
    await storage.write(batch(1))
    (point,) = await storage.points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 6
    await storage.close()
    assert await total(engine, database) == 6


async def test_a_batch_as_large_as_after_an_outage_is_written_whole(
    engine: clickhouse.Server, database: str
) -> None:
    large = batch(1)
    (key, figures) = next((key, row) for key, row in large.rows.items() if key.content == "a")
    rows = {key._replace(content=f"{number:032x}"): figures for number in range(30_000)}
    storage = node(engine, database)
    await storage.open(NOW)
    await storage.write(large._replace(rows=rows))
    assert engine.ask(f"SELECT count(), uniqExact(content) FROM {database}.contents") == [
        ["30000", "30000"]
    ]
    await storage.close()


async def test_what_was_written_though_nobody_heard_so_counts_once(
    engine: clickhouse.Server, database: str, gate: Gate
) -> None:
    storage = node(engine, database, gate)
    await storage.open(NOW)
    await storage.write(batch(1))
    gate.is_deaf = True
    with pytest.raises(StorageError, match=r"The ledger in ClickHouse at 127\.0\.0\.1:\d+ fails: "):
        await storage.write(batch(1, 2))
    assert read(engine, database) == 3
    with pytest.raises(StorageError):
        await storage.points(span(60), 60)
    gate.is_deaf = False
    for sizes in ((1, 2), (1, 2, 3)):
        await storage.write(batch(*sizes))
    (point,) = await storage.points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 6
    await storage.close()
    assert await total(engine, database) == 6


async def test_a_server_that_is_away_when_it_is_opened_is_found_later(
    engine: clickhouse.Server, database: str, gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    old = node(engine, database)
    await old.open(NOW - 50)
    await old.write(batch(5))
    await old.close()
    gate.shut()
    storage = node(engine, database, gate)
    assert await storage.open(NOW) == Opening(Amounts(), NOW)
    said = capsys.readouterr().out
    assert "ledger_away" in said
    assert clickhouse.PASSWORD not in said
    with pytest.raises(StorageError):
        await storage.write(batch(1))
    with pytest.raises(StorageError):
        await storage.others()
    gate.open()
    await storage.write(batch(1, 2))
    assert await storage.others() == Opening(Amounts(origin_bytes=5), NOW - 50)
    await storage.close()
    assert await total(engine, database) == 8


async def test_what_a_run_could_not_write_before_it_ended_the_next_one_writes_once(
    engine: clickhouse.Server, database: str, gate: Gate, tmp_path: Path
) -> None:
    config = LedgerConfig(clickhouse=engine.url(database, gate.port))
    first = ClickHouse(config, tmp_path)
    await first.open(NOW)
    await first.write(batch(1))
    gate.shut()
    with pytest.raises(StorageError):
        await first.write(batch(1, 2))
    with pytest.raises(StorageError):
        await first.write(batch(1, 2, 3))
    gate.open()
    # Two at once come in its place, and it has not ended at all.
    nodes = [ClickHouse(config, tmp_path) for _ in range(2)]
    for storage in nodes:
        assert (await storage.open(NOW)).total.origin_bytes == 6
    assert files(tmp_path) == 0
    await first.write(batch(1, 2, 3, 4))
    (point,) = await first.points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 10
    for storage in (first, *nodes):
        await storage.close()
    assert await total(engine, database) == 10


async def test_what_is_wrong_with_what_another_run_has_left_stops_no_writing(
    engine: clickhouse.Server,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tracker.storage.clickhouse.TAKE_OVER_EVERY", 0.0)
    good = batch(1)
    bad = good._replace(rows={key._replace(part=-1): row for key, row in good.rows.items()})
    spool = Spool(tmp_path)
    spool.put(Kept(UUID(int=1), 1, "a", NOW, bad))
    spool.put(Kept(UUID(int=2), 1, "a", NOW, good))
    storage = ClickHouse(LedgerConfig(clickhouse=engine.url(database)), tmp_path)
    assert (await storage.open(NOW)).total.origin_bytes == 1
    for sizes in ((2,), (2, 4)):
        await storage.write(batch(*sizes))
    assert read(engine, database) == 7
    assert capsys.readouterr().out.count("ledger_not_taken_over") == 1
    spool.put(Kept(UUID(int=1), 1, "a", NOW, good))
    await storage.write(batch(2, 4, 8))
    assert read(engine, database) == 16
    assert files(tmp_path) == 0
    await storage.close()


async def test_what_is_kept_goes_when_it_is_written(
    engine: clickhouse.Server, database: str, gate: Gate, tmp_path: Path
) -> None:
    gate.shut()
    storage = ClickHouse(LedgerConfig(clickhouse=engine.url(database, gate.port)), tmp_path)
    await storage.open(NOW)
    with pytest.raises(StorageError):
        await storage.write(batch(1))
    assert files(tmp_path) == 1
    gate.open()
    await storage.write(batch(1, 2))
    assert files(tmp_path) == 0
    await storage.close()
    assert await total(engine, database) == 3


async def test_a_server_that_is_killed_has_what_it_has_said_to_have(
    engine: clickhouse.Server, database: str
) -> None:
    storage = node(engine, database)
    await storage.open(NOW)
    await storage.write(all_kinds(1, 2))
    engine.kill()
    try:
        with pytest.raises(StorageError):
            await storage.write(batch(1, 2, 3))
    finally:
        engine.start()
    (point,) = await storage.points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 3
    assert len(await storage.groups([span(60)], "country", 10)) == 1
    await storage.write(batch(1, 2, 3))
    await storage.close()
    assert await total(engine, database) == 6


async def test_tables_of_an_earlier_version_get_what_they_lack_from_whoever_comes(
    engine: clickhouse.Server, database: str
) -> None:
    first = node(engine, database)
    await first.open(NOW)
    await first.write(batch(5))
    await first.close()
    for table in ("everything", "runs"):
        engine.ask(f"ALTER TABLE {database}.{table} DROP COLUMN {AMOUNTS[-1]}")
    engine.ask(f"DROP TABLE {database}.failures")
    engine.ask(f"ALTER TABLE {database}.contents ADD COLUMN of_a_later_version Int64")
    nodes = [node(engine, database) for _ in range(3)]
    for opening in await asyncio.gather(*(storage.open(NOW) for storage in nodes)):
        assert opening.total.origin_bytes == 5
    for storage in nodes:
        await storage.write(all_kinds(1))
    (point,) = await nodes[0].points(span(60), 60)
    assert point.figures.amounts.origin_bytes == 5 + 3
    (count, _) = await nodes[0].failures([span(60)], 10)
    assert count.count == 3 * 6
    for storage in nodes:
        await storage.close()


async def test_what_is_too_old_goes_and_the_totals_stay(
    engine: clickhouse.Server, database: str
) -> None:
    now = time.time() // 60 * 60
    url = engine.url(database)
    kept = {"keep_10s": 900.0, "keep_1min": 7200.0, "keep_1h": 259_200.0}
    for config in (LedgerConfig(clickhouse=url), LedgerConfig(clickhouse=url, **kept)):
        storage = ClickHouse(config)  # the second time with shorter times
        await storage.open(now)
        old = batch(1, at=now - 300_000)
        for age in (100_000, 5000, 500):
            old = old.then(batch(1, at=now - age))
        await storage.write(old._replace(total=Amounts(origin_bytes=5)))
        await storage.close()
    statement = engine.ask(f"SHOW CREATE TABLE {database}.groups FORMAT TSVRaw")
    assert "toIntervalSecond(910) WHERE width = 10" in " ".join(part for (part,) in statement)
    for table in ("everything", "contents"):
        engine.ask(f"OPTIMIZE TABLE {database}.{table} FINAL")
        for width, left in ((10, 1), (60, 2), (3600, 3)):
            counted = f"SELECT count() FROM {database}.{table} WHERE width = {width}"
            assert engine.ask(counted) == [[str(2 * left)]], (table, width)
    assert await total(engine, database) == 10


async def test_what_somebody_has_to_mend_is_a_sentence_without_the_password(
    engine: clickhouse.Server, database: str
) -> None:
    right = engine.url(database)
    wrong = LedgerConfig(clickhouse=right.replace("s3cret", "wrong"))
    with pytest.raises(ConfigError, match="Authentication failed") as raised:
        await ClickHouse(wrong).open(NOW)
    assert "wrong" not in str(raised.value)
    engine.ask(f"CREATE DATABASE {database}")
    engine.ask(f"CREATE TABLE {database}.groups (id UInt64) ENGINE = MergeTree ORDER BY id")
    with pytest.raises(
        ConfigError, match=r"table groups of the database \w+ is not one of p2pcdn's"
    ):
        await ClickHouse(LedgerConfig(clickhouse=right)).open(NOW)


def test_without_a_client_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "clickhouse_connect", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[clickhouse\]'"):
        storage_of(Config(ledger=LedgerConfig(clickhouse="http://localhost/p2pcdn")))


async def test_a_tracker_whose_server_is_away_says_so_and_serves(
    engine: clickhouse.Server, database: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookkeeper, "MOST_PAUSE", 0.1)
    gate.shut()
    url = engine.url(database, gate.port)
    config = Config(ledger=LedgerConfig(clickhouse=url, write_every=0.1))
    ledger = Ledger()
    tracker = Tracker(config, ledger, storage=storage_of(config))
    async with (
        Server([tracker], host="127.0.0.1", port=0) as server,
        aiohttp.ClientSession(server.url) as session,
    ):

        async def status(path: str) -> tuple[int, str]:
            async with session.get(path) as answer:
                return answer.status, await answer.text()

        async def becomes(start: str, end: str) -> None:
            async with asyncio.timeout(50):
                while True:
                    code, text = await status("/readyz?verbose")
                    assert code == 200
                    if text.startswith(start) and text.endswith(end):
                        return
                    await asyncio.sleep(0.05)

        ledger.origin_sent(7)
        await becomes("ok\nThe ledger cannot be written: ", "wait in memory.\n")
        assert (await status("/api/v1/summary"))[0] == 200
        assert (await status("/api/v1/series"))[0] == 503
        waiting = re.search(
            r"^p2pcdn_ledger_unwritten_rows (\d+)", (await status("/metrics"))[1], re.MULTILINE
        )
        assert waiting is not None
        assert int(waiting[1]) >= 3
        gate.open()
        await becomes("ok\n", "ok\n")
        code, series = await status("/api/v1/series")
        assert code == 200
        assert json.loads(series)["total"]["origin_bytes"] == 7
    assert await total(engine, database) == 7


def test_all_figures_have_columns() -> None:
    for table in TABLES[:3]:
        assert {"seconds", "viewer_seconds", "viewers_max", *AMOUNTS} <= table.columns.keys()
    assert TABLES[-1].columns.keys() >= set(AMOUNTS)
