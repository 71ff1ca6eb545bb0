"""What outlives a restart, and what does not stop the origin."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from origin.catalog.edition import Stretch
from origin.catalog.hash_store import FILE, HashStore
from origin.sources import Identity
from p2pcdn.errors import ConfigError

ONE = Stretch("a.ts", Identity(10, 5, 2**64 - 1), 0, 10)
TWO = Stretch("a.ts", ONE.identity, 10, 10)
CHANGED = ONE._replace(identity=Identity(10, 6, 2**64 - 1))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "data"


def test_keeps_over_a_restart(data: Path) -> None:
    store = HashStore(data)
    store.keep(ONE, b"1" * 32)
    store.close()
    store = HashStore(data)
    assert store.find([ONE, TWO]) == {ONE: b"1" * 32}
    assert store.problem is None
    store.close()


def test_a_changed_file_is_unknown_and_takes_the_place(data: Path) -> None:
    store = HashStore(data)
    store.keep(ONE, b"1" * 32)
    assert store.find([CHANGED]) == {}
    store.keep(CHANGED, b"2" * 32)
    assert store.find([ONE, CHANGED]) == {CHANGED: b"2" * 32}
    store.close()


def test_dates_strictly_grow_whatever_the_clock_says(data: Path) -> None:
    store = HashStore(data)
    assert store.date("r", b"first", 1000) == 1000
    assert store.date("r", b"first", 2000) == 1000
    assert store.date("r", b"second", 3000) == 3000
    assert store.date("r", b"third", 500) == 3001
    assert store.date("r", b"first", 500) == 3002
    assert store.date("other", b"first", 500) == 500
    store.close()
    store = HashStore(data)
    assert store.date("r", b"first", 9000) == 3002
    store.close()


def test_prunes_what_is_gone(data: Path) -> None:
    store = HashStore(data)
    other = ONE._replace(path="b.ts")
    for stretch in (ONE, TWO, other):
        store.keep(stretch, b"1" * 32)
    store.prune(lambda paths: {"b.ts", "c.ts"}.intersection(paths))
    assert set(store.find([ONE, TWO, other])) == {other}
    store.close()


def test_a_damaged_file_is_put_aside(data: Path) -> None:
    data.mkdir(parents=True)
    (data / FILE).write_bytes(b"not a database at all" * 100)
    store = HashStore(data)
    store.keep(ONE, b"1" * 32)
    assert store.find([ONE]) == {ONE: b"1" * 32}
    store.close()
    assert (data / FILE).with_suffix(".damaged").exists()


def test_a_file_of_another_version_begins_anew(data: Path) -> None:
    data.mkdir(parents=True)
    database = sqlite3.connect(data / FILE)
    database.executescript("CREATE TABLE hashes (x); PRAGMA user_version = 99;")
    database.close()
    store = HashStore(data)
    store.keep(ONE, b"1" * 32)
    assert store.find([ONE]) == {ONE: b"1" * 32}
    store.close()


def test_goes_on_without_a_database_and_says_so(data: Path) -> None:
    store = HashStore(data)
    store.close()  # as good as a disk that fails
    store.keep(ONE, b"1" * 32)
    assert store.find([ONE]) == {}
    assert store.date("r", b"first", 7) == 7
    store.prune(lambda paths: [])
    assert store.problem is not None
    assert str(data / FILE) in store.problem


def test_a_failed_date_leaves_no_transaction_open(data: Path) -> None:
    store = HashStore(data)
    rival = sqlite3.connect(data / FILE, isolation_level=None)
    store._database.execute("PRAGMA busy_timeout = 1")
    rival.execute("BEGIN IMMEDIATE")
    assert store.date("r", b"first", 7) == 7
    assert "locked" in str(store.problem)
    rival.execute("COMMIT")
    rival.close()
    assert store.date("r", b"first", 8) == 8
    assert str(store.problem) == "None"
    store.close()


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="has to be a directory that can be written to"):
        HashStore(tmp_path / "file" / "data")
    (tmp_path / "data" / FILE).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be used"):
        HashStore(tmp_path / "data")
