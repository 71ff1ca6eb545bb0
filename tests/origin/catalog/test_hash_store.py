"""What outlives a restart, and what does not stop the origin."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from origin.catalog.edition import Edition, Piece, Stretch
from origin.catalog.hash_store import AGAIN, FILE, HashStore, Kept
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


def test_says_what_it_keeps(data: Path) -> None:
    store = HashStore(data)
    store.keep(TWO, b"2" * 32)
    store.keep(ONE, b"1" * 32)
    kept = [Kept("a.ts", at, 10, ONE.identity.etag) for at in (0, 10)]
    assert store.kept() == kept
    assert [store.list_of(each) for each in kept] == [b"1" * 32, b"2" * 32]
    assert store.list_of(kept[0]._replace(version="another")) == b""
    store.close()


def edition(first: int, last: int, *, version: int = 0, rendition: str = "r") -> Edition:
    """Of a live rendition; another version has the same names for other segments."""
    identity = Identity(10, version, 1)
    pieces = {
        n: Piece(n, f"{n}.ts", 2000, Stretch(f"{n}.ts", identity, 0, 10))
        for n in range(first, last + 1)
    }
    return Edition(rendition, "c", live=True, pieces=pieces)


def dated(store: HashStore, draft: Edition, now: int, before: Edition | None = None) -> Dates:
    found = store.date(draft, before, now)
    return found.time, found.era


Dates = tuple[int, int]


def test_dates_strictly_grow_whatever_the_clock_says(data: Path) -> None:
    store = HashStore(data)
    assert dated(store, edition(0, 2), 1000) == (1000, 1000)
    assert dated(store, edition(0, 2), 2000) == (1000, 1000)
    assert dated(store, edition(0, 3), 3000) == (3000, 1000)
    assert dated(store, edition(1, 4), 500) == (3001, 1000)
    assert dated(store, edition(1, 5), 500) == (3002, 1000)
    assert dated(store, edition(0, 2, rendition="other"), 500) == (500, 500)
    store.close()
    store = HashStore(data)
    assert dated(store, edition(1, 5), 9000) == (3002, 1000)
    assert dated(store, edition(4, 9), 9000) == (9000, 1000)
    store.close()


@pytest.mark.parametrize(
    "anew",
    [
        edition(10, 13, version=1),
        edition(13, 14, version=1),
        edition(0, 3),
        edition(0, 3, version=1),
        edition(11, 12, version=1),
    ],
)
def test_an_era_begins_where_a_segment_became_another_or_the_newest_an_older_one(
    data: Path, anew: Edition
) -> None:
    store = HashStore(data)
    assert dated(store, edition(10, 13), 1000) == (1000, 1000)
    assert dated(store, anew, 2000) == (2000, 2000)
    store.close()


def test_a_file_has_no_era_until_it_changes(data: Path) -> None:
    store = HashStore(data)
    film = replace(edition(0, 3), live=False)
    assert dated(store, film, 1000) == (1000, 0)
    assert dated(store, replace(edition(0, 4), live=False), 2000) == (2000, 0)
    assert dated(store, replace(edition(0, 4, version=1), live=False), 3000) == (3000, 3000)
    store.close()


@pytest.mark.parametrize("next_", [edition(10, 14), edition(13, 14), edition(14, 20)])
def test_an_era_goes_on_where_segments_are_added_and_dropped(data: Path, next_: Edition) -> None:
    store = HashStore(data)
    assert dated(store, edition(10, 13), 1000) == (1000, 1000)
    assert dated(store, next_, 2000) == (2000, 1000)
    store.close()


def test_an_origin_that_is_a_step_behind_another_dates_nothing_anew(data: Path) -> None:
    one, other = HashStore(data), HashStore(data)
    first = one.date(edition(10, 13), None, 1000)
    assert one.date(edition(10, 15), first, 2000).time == 2000
    assert dated(other, edition(10, 14), 3000, first) == (1999, 1000)
    assert dated(other, edition(9, 15), 3000, first) == (3000, 1000), "it remembers more"
    finished = replace(edition(10, 14), live=False)
    assert dated(other, finished, 4000) == (4000, 4000), "this is no live stream that lags"
    one.close()
    other.close()


def test_an_era_never_goes_back(data: Path) -> None:
    """As when the file was lost, or could not be written for a while."""
    store = HashStore(data)
    dated(store, edition(10, 13), 1000)
    before = replace(edition(10, 13), time=1500, era=1500)
    assert dated(store, edition(10, 13), 1400, before) == (1501, 1501)
    assert dated(store, edition(10, 14), 1600, before) == (1600, 1501)
    store.close()


def test_forgets_what_was_taken_out(data: Path) -> None:
    store = HashStore(data)
    for path in ("tv", "tv/a.ts", "tv/b/c.ts", "tv.ts", "tv0", "other/tv/a.ts"):
        store.keep(ONE._replace(path=path), b"1" * 32)
    store.forget("tv")
    assert [each.path for each in store.kept()] == ["other/tv/a.ts", "tv.ts", "tv0"]
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


def test_hashes_survive_a_version_that_only_changed_the_rest(data: Path) -> None:
    store = HashStore(data)
    store.keep(ONE, b"1" * 32)
    store._database.executescript(
        "DROP TABLE editions; CREATE TABLE editions (x); PRAGMA user_version = 1;"
    )
    store.close()
    store = HashStore(data)
    assert store.find([ONE]) == {ONE: b"1" * 32}
    assert dated(store, edition(0, 2), 7) == (7, 7)
    store.close()


def test_goes_on_without_a_database_and_says_so(data: Path) -> None:
    store = HashStore(data)
    store.close()  # as good as a disk that fails
    store.keep(ONE, b"1" * 32)
    assert store.find([ONE]) == {}
    assert dated(store, edition(0, 2), 7) == (7, 7)
    before = replace(edition(0, 2), time=7, era=7)
    assert dated(store, edition(0, 3), 6, before) == (8, 7)
    assert dated(store, edition(0, 3, version=1), 9, before) == (9, 9)
    store.prune(lambda paths: [])
    assert store.problem is not None
    assert str(data / FILE) in store.problem


def test_a_failed_date_leaves_no_transaction_open(data: Path) -> None:
    store = HashStore(data)
    rival = sqlite3.connect(data / FILE, isolation_level=None)
    store._database.execute("PRAGMA busy_timeout = 1")
    rival.execute("BEGIN IMMEDIATE")
    assert dated(store, edition(0, 2), 7) == (7, 7)
    assert "locked" in str(store.problem)
    rival.execute("COMMIT")
    rival.close()
    assert dated(store, edition(0, 2), 8) == (8, 8)
    assert str(store.problem) == "None"
    store.close()


def test_that_others_can_be_read_does_not_mean_that_all_is_well(data: Path) -> None:
    now = 100.0
    store = HashStore(data, clock=lambda: now)
    store.keep(ONE, b"1" * 32)
    pages = store._database.execute("PRAGMA page_count").fetchone()[0]
    store._database.execute(f"PRAGMA max_page_count = {pages}")
    store.keep(TWO, bytes(100_000))
    assert store.find([ONE, TWO]) == {ONE: b"1" * 32}
    assert "full" in str(store.problem)
    now += AGAIN - 1  # nobody wants to keep anything
    assert "full" in str(store.problem)
    now += 1
    assert store.problem is None
    store.keep(TWO, bytes(100_000))
    assert "full" in str(store.problem)
    store._database.execute("PRAGMA max_page_count = 1000000")
    assert dated(store, edition(0, 2), 7) == (7, 7)
    assert store.problem is None
    store.close()


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="has to be a directory that can be written to"):
        HashStore(tmp_path / "file" / "data")
    (tmp_path / "data" / FILE).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be used"):
        HashStore(tmp_path / "data")


def test_there_may_be_another_beside_it(data: Path) -> None:
    one, other = HashStore(data), HashStore(data, "other.sqlite3")
    one.keep(ONE, b"x" * 32)
    assert other.find([ONE]) == {}
    one.close()
    other.close()
