"""The tables are those of SQLite, and what is asked of them is plain SQL."""

from __future__ import annotations

from contextlib import closing

import pytest

from p2pcdn.config import LedgerConfig
from p2pcdn.core.amounts import AMOUNTS
from tracker.storage import clickhouse_tables as tables
from tracker.storage.sqlite import connect

CONFIG = LedgerConfig(keep_10s=900.5, keep_1min=7200, keep_1h=259_200)


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
def test_each_table_has_the_columns_that_it_has_in_sqlite(table: tables.Table) -> None:
    with closing(connect(None)) as database:
        rows: list[tuple[object, ...]] = database.execute(
            f"PRAGMA table_info({table.name})"
        ).fetchall()
    beside = {"version"} | ({"node"} if table is tables.RUNS else set())
    assert table.columns.keys() - beside == {name for _, name, *_ in rows}
    key = {name for _, name, *_, place in rows if place}
    assert table.key.keys() == key


def test_rows_with_one_key_are_one_and_are_kept_for_as_long_as_is_set() -> None:
    made = tables.create(tables.FAILURES, "`p2pcdn`", CONFIG)
    assert made == (
        "CREATE TABLE IF NOT EXISTS `p2pcdn`.failures (width UInt16, at DateTime('UTC'),"
        " kind String, name String, run UUID, part UInt32, version UInt64, count Int64)"
        " ENGINE = ReplacingMergeTree(version) PARTITION BY width"
        " ORDER BY (width, at, kind, name, run, part)"
        " TTL at + toIntervalSecond(911) DELETE WHERE width = 10,"
        " at + toIntervalSecond(7260) DELETE WHERE width = 60,"
        " at + toIntervalSecond(262800) DELETE WHERE width = 3600"
    )
    assert " TTL " not in tables.create(tables.RUNS, "`p2pcdn`", CONFIG)


def test_a_table_that_keeps_its_rows_for_another_time_is_told_apart() -> None:
    # As ClickHouse writes it.
    full = (
        "ReplacingMergeTree(version) PARTITION BY width ORDER BY (width, at, run, part)"
        " TTL at + toIntervalSecond(911) WHERE width = 10, at + toIntervalSecond(7260) WHERE"
        " width = 60, at + toIntervalSecond(262800) WHERE width = 3600"
        " SETTINGS index_granularity = 8192"
    )
    assert tables.has_ttl(full, CONFIG)
    assert not tables.has_ttl(full, LedgerConfig())
    assert not tables.has_ttl(full.partition(" TTL ")[0], CONFIG)


def test_what_is_missing_is_added() -> None:
    assert tables.add(tables.RUNS, "`p2pcdn`", [AMOUNTS[0], "node"]) == (
        f"ALTER TABLE `p2pcdn`.runs ADD COLUMN IF NOT EXISTS {AMOUNTS[0]} Int64,"
        " ADD COLUMN IF NOT EXISTS node String"
    )
