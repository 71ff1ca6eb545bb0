"""A bucket as a source: on an S3 server, by HTTP."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from origin.catalog.edition import Stretch
from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import ChangedError, Hasher
from origin.sources import Identity, Listing
from origin.sources import bucket as bucket_module
from origin.sources.blocks import BLOCK
from origin.sources.bucket import AGAIN, ASKED, LEAST, PAUSE, Bucket
from origin.sources.cache import DiskCache
from origin.sources.object_store import AWAY, NO_BUCKET, ObjectReader, connect, place_of
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.buckets import Store, make_impatient
from tests.origin.media_files import noise
from tests.origin.waiting import until

FILM = noise(BLOCK + 300_000, "film")

FILES = {"films/a.mp4": FILM, "films/tv/1.ts": b"one", "films/tv/2.ts": b"two", "x": b"not ours"}

OLD = 100_000.0
"""Seconds: so old are all objects here, unless a test says otherwise."""


class Clock:
    """A time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Place:
    """A bucket with something in it."""

    def __init__(self, store: Store, disk: DiskCache) -> None:
        self.store = store
        self.disk = disk
        self.clock = Clock()
        self.age = OLD
        store.put_all(FILES)
        self.bucket = self.open()

    def be_impatient(self, patch: pytest.MonkeyPatch) -> None:
        make_impatient(patch)
        self.bucket._reader = self.open()._reader

    def open(self) -> Bucket:
        place = place_of(self.store.url("films"), "content")
        reader = ObjectReader(connect(place, "content"), self.clock)
        return Bucket(
            place, reader, self.disk, clock=self.clock, wall=lambda: time.time() + self.age
        )

    def read(self, path: str, offset: int = 0, size: int = 10 * BLOCK) -> bytes:
        return self.bucket.open(path).read(offset, size)

    def failure(self, path: str) -> SourceError:
        with pytest.raises(SourceError) as caught:
            self.read(path)
        return caught.value


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Place]:
    made = Place(store, DiskCache(tmp_path / "cache", 0))
    yield made
    made.bucket.close()


async def settled(place: Place, paths: Iterable[str]) -> dict[str, Identity]:
    """What is known once what is looked at for later has been."""
    place.bucket.identify_all(paths)
    await until(lambda: not place.bucket._looking and not place.bucket._lookers._work_queue.qsize())
    return place.bucket.identify_all(paths)


# Bytes


@pytest.mark.parametrize(
    ("offset", "size"),
    [
        (0, len(FILM)),
        (0, 1),
        (BLOCK - 1, 2),
        (BLOCK - 100_000, 200_000),
        (BLOCK, 10),
        (len(FILM) - 1, 100),
        (len(FILM), 10),
        (0, 0),
    ],
)
def test_ranges(place: Place, offset: int, size: int) -> None:
    assert place.read("a.mp4", offset, size) == FILM[offset : offset + size]


def test_each_block_is_asked_for_once(place: Place) -> None:
    file = place.bucket.open("a.mp4")
    assert file.read_cached(0, 10) is None
    for offset in (5, 100_000, BLOCK - 5):
        file.read(offset, 10)
    assert place.store.take() == ["HEAD films/a.mp4", "GET films/a.mp4", "GET films/a.mp4"]
    other = place.bucket.open("a.mp4")
    assert bytes(other.read_cached(7, 100) or b"") == FILM[7:107]
    assert bytes(other.read_cached(BLOCK + 299_990, 100) or b"") == FILM[-10:]
    assert other.read_cached(BLOCK - 1, 2) is None
    assert other.read_cached(len(FILM), 2) is None
    assert place.store.take() == []


def test_blocks_outlive_a_restart_on_disk(store: Store, tmp_path: Path) -> None:
    place = Place(store, DiskCache(tmp_path / "cache", 10 * BLOCK))
    assert place.read("a.mp4") == FILM
    place.bucket = place.open()
    store.take()
    assert place.read("a.mp4") == FILM
    assert store.take() == ["HEAD films/a.mp4"]
    store.put("films/a.mp4", FILM[::-1])
    place.bucket = place.open()
    assert place.read("a.mp4") == FILM[::-1]


def test_an_empty_object(place: Place) -> None:
    place.store.put("films/none.ts", b"")
    file = place.bucket.open("none.ts")
    assert (file.identity.size, file.read(0, 100), file.read_cached(0, 100)) == (0, b"", None)


def test_names_with_odd_characters(place: Place) -> None:
    place.store.put("films/tv/caf%C3%A9%20%25%2B.ts", b"coffee")
    assert place.read("tv/café %+.ts") == b"coffee"
    assert "café %+.ts" in place.bucket.list("tv").files


def test_what_is_not_there(place: Place) -> None:
    for path in ("no", "tv", "tv/", "../x", "a.mp4/b", ""):
        assert place.failure(path).reason is SourceReason.MISSING, path


def test_one_that_is_replaced_while_it_is_read(place: Place) -> None:
    file = place.bucket.open("a.mp4")
    assert file.read(0, 10) == FILM[:10]
    place.store.put("films/a.mp4", FILM[::-1])
    with pytest.raises(SourceError) as caught:
        file.read(BLOCK - 5, 10)
    assert caught.value.reason is SourceReason.MISSING
    assert place.read("a.mp4") == FILM[::-1]  # whoever comes next has the new one at once


def test_one_that_is_deleted_while_it_is_read(place: Place) -> None:
    file = place.bucket.open("a.mp4")
    file.read(0, 10)
    place.store.delete("films/a.mp4")
    with pytest.raises(SourceError) as caught:
        file.read(BLOCK, 10)
    assert caught.value.reason is SourceReason.MISSING
    assert place.failure("a.mp4").reason is SourceReason.MISSING


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("denied", SourceReason.STATUS),
        ("no bucket", SourceReason.STATUS),
        ("broken", SourceReason.STATUS),
        ("busy", SourceReason.BUSY),
        ("reset", SourceReason.CLOSED),
        ("truncated", SourceReason.CLOSED),
        ("short", SourceReason.LENGTH),
        ("silent", SourceReason.TIMEOUT),
    ],
)
def test_what_fails_is_not_kept(
    place: Place, fault: str, reason: SourceReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place.bucket.open("a.mp4")
    place.store.fault = fault
    patient = place.bucket._reader
    if fault == "silent":
        place.be_impatient(monkeypatch)
    with pytest.raises(SourceError) as caught:
        file.read(0, 10)
    assert caught.value.reason is reason
    (problem,) = place.bucket.problems()
    assert problem.startswith(f"The bucket s3://{place.store.bucket}/films cannot be read: ")
    place.store.fault = ""
    place.bucket._reader = patient
    assert file.read(0, 10) == FILM[:10]
    assert place.bucket.problems() == ()


async def test_what_is_hashed_is_one_version(place: Place, tmp_path: Path) -> None:
    hashes = HashStore(tmp_path)
    hasher = Hasher(place.bucket, hashes)
    identity = place.bucket.identify_all(["a.mp4"])["a.mp4"]
    whole = Stretch("a.mp4", identity, 0, len(FILM))
    place.store.fault = "truncated"
    with pytest.raises(SourceError):
        await hasher.lists([whole])
    place.store.fault = ""
    place.store.put("films/a.mp4", FILM[::-1])
    with pytest.raises(ChangedError):
        await hasher.lists([whole])
    assert hashes.find([whole]) == {}
    now = place.bucket.open("a.mp4").identity
    (hashed,) = await hasher.lists([whole._replace(identity=now)])
    assert len(hashed) == 32 * -(-len(FILM) // 65_536)
    hasher.close()
    hashes.close()


# What is there


def test_folders(place: Place) -> None:
    assert place.bucket.list("") == Listing(("tv",), ("a.mp4",))
    assert place.bucket.list("tv") == Listing((), ("1.ts", "2.ts"))
    with pytest.raises(SourceError) as caught:
        place.bucket.list("no")
    assert caught.value.reason is SourceReason.MISSING
    assert place.store.take() == ["LIST"]


def test_a_listing_tells_all_versions(place: Place) -> None:
    place.bucket.list("")
    place.store.take()
    found = place.bucket.identify_all(["a.mp4", "tv/1.ts"])
    assert found == {path: place.bucket.open(path).identity for path in found}
    assert place.store.take() == []


def test_it_is_not_listed_again_for_a_while(place: Place) -> None:
    time_before = place.bucket.folder_time("tv")
    place.store.put("films/tv/3.ts", b"three")
    for _ in range(100):
        place.bucket.list("tv")
    place.clock.now += PAUSE - 0.1
    assert place.bucket.list("tv").files == ("1.ts", "2.ts")
    assert place.store.take() == ["LIST"]
    place.clock.now += 0.1
    assert place.bucket.list("tv").files == ("1.ts", "2.ts", "3.ts")
    assert place.bucket.folder_time("tv") > time_before
    assert place.bucket.folder_time("") == time_before


def test_the_larger_it_is_the_less_often(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "_PAGE", 0.03)  # as if there were a hundred requests
    place.bucket.list("")
    place.clock.now += 19 * PAUSE
    place.bucket.list("")
    assert place.store.take() == ["LIST"]
    place.clock.now += PAUSE
    place.bucket.list("")
    assert place.store.take() == ["LIST"]


def test_what_somebody_asks_for_is_there_before_it_is_listed(place: Place) -> None:
    place.bucket.list("")
    place.store.put("films/new/3.ts", b"three")
    assert place.read("new/3.ts") == b"three"
    assert place.bucket.list("") == Listing(("new", "tv"), ("a.mp4",))
    place.store.delete("films/tv/1.ts")
    place.clock.now += ASKED
    assert place.failure("tv/1.ts").reason is SourceReason.MISSING
    assert place.bucket.list("tv").files == ("2.ts",)


def test_one_that_is_too_large_is_served_all_the_same(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "MOST_LISTED", 2)
    with capture_logs() as logs:
        assert place.bucket.list("") == Listing((), ())
    assert [entry["event"] for entry in logs] == ["bucket_too_large_to_list"]
    assert place.read("tv/1.ts") == b"one"
    assert place.bucket.list("tv") == Listing((), ("1.ts",))
    assert place.bucket.problems() == ()
    assert place.store.take() == ["LIST", "HEAD films/tv/1.ts", "GET films/tv/1.ts"]


def test_many_at_once_are_listed(place: Place) -> None:
    paths = [f"tv/{number}.ts" for number in range(20)]
    assert set(place.bucket.identify_all(paths)) == {"tv/1.ts", "tv/2.ts"}
    asked = place.store.take()
    assert asked[0] == "LIST"
    assert sorted(asked[1:]) == sorted(
        f"HEAD films/{p}" for p in paths if p[3:] not in ("1.ts", "2.ts")
    )


# What is believed


def test_a_version_is_believed_for_a_tenth_of_its_age(place: Place) -> None:
    place.age = 50.0
    place.read("tv/1.ts")
    place.store.put("films/tv/1.ts", b"ONE")
    place.store.take()
    place.clock.now += 4.0
    assert place.read("tv/1.ts") == b"one"
    place.clock.now += 2.0
    assert place.read("tv/1.ts") == b"ONE"


async def test_nobody_waits_for_what_is_known(place: Place) -> None:
    before = place.bucket.identify_all(["tv/1.ts"])
    place.store.put("films/tv/1.ts", b"ONE")
    place.clock.now += PAUSE
    place.store.fault = "silent"
    assert place.bucket.identify_all(["tv/1.ts"]) == before
    place.store.fault = ""
    place.store.released.set()
    place.clock.now += AWAY
    assert (await settled(place, ["tv/1.ts"])) != before


def test_a_live_playlist_is_looked_at_once_a_second(place: Place) -> None:
    place.age = 0.0
    for _ in range(20):
        place.bucket.open("tv/1.ts")
        place.bucket.identify_all(["tv/1.ts", "tv/3.ts"])
        place.clock.now += 0.1
    assert (
        sorted(place.store.take())
        == ["HEAD films/tv/1.ts", "HEAD films/tv/1.ts"] + ["HEAD films/tv/3.ts"] * 2
    )


def test_what_lacked_is_there_as_soon_as_it_is(place: Place) -> None:
    assert place.bucket.identify_all(["tv/3.ts"]) == {}
    place.store.put("films/tv/3.ts", b"three")
    place.clock.now += LEAST
    assert place.bucket.identify_all(["tv/3.ts"]).keys() == {"tv/3.ts"}


def test_who_tries_names_fills_no_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "_MOST_ABSENT", 10)
    place.bucket.list("")
    for number in range(50):
        with contextlib.suppress(SourceError):
            place.bucket.open(f"{number}.ts")
    assert len(place.bucket._known) <= 3 + 11
    assert place.bucket.list("tv").files == ("1.ts", "2.ts")


# When it is away


async def test_what_was_known_of_it_stays(place: Place) -> None:
    before = place.bucket.identify_all(["a.mp4", "tv/1.ts"])
    listing = place.bucket.list("")
    place.clock.now += PAUSE
    place.store.fault = "denied"
    assert place.bucket.list("") == listing
    assert await settled(place, before) == before
    with pytest.raises(SourceError) as caught:
        place.bucket.identify_all([*before, "never-seen.ts"])  # which nobody may take for gone
    assert caught.value.reason is SourceReason.STATUS


def test_nothing_is_known_of_one_that_was_never_there(place: Place) -> None:
    place.store.fault = "denied"
    for ask in (place.bucket.list, place.bucket.folder_time):
        with pytest.raises(SourceError) as caught:
            ask("")
        assert caught.value.reason is SourceReason.STATUS
    assert place.store.take() == ["LIST"]
    assert place.bucket.problems() == (
        f"The bucket s3://{place.store.bucket}/films cannot be read: "
        "the store answered 403 AccessDenied.",
    )
    place.store.fault = ""
    place.clock.now += AGAIN
    assert place.bucket.list("").files == ("a.mp4",)
    assert place.bucket.problems() == ()


def test_one_that_nobody_asks_is_looked_after(place: Place) -> None:
    place.bucket.list("")
    file = place.bucket.open("a.mp4")
    place.store.fault = "broken"
    with pytest.raises(SourceError):
        file.read(0, 10)
    place.store.fault = ""
    place.bucket.list("")
    assert place.bucket.problems() != ()
    place.clock.now += AGAIN
    place.bucket.list("")
    assert place.bucket.problems() == ()


def test_a_bucket_that_is_not_there_is_no_missing_file(place: Place) -> None:
    place.store.fault = "no bucket"
    with contextlib.suppress(SourceError):
        place.bucket.list("")
    failure = place.failure("a.mp4")  # though S3 answers a HEAD like that of a missing object
    assert (failure.reason, failure.detail) == (SourceReason.STATUS, NO_BUCKET)


def test_it_says_whether_it_can_be_reached(place: Place) -> None:
    place.bucket.reach()
    for fault, reason in (
        ("no bucket", SourceReason.MISSING),
        ("denied", SourceReason.STATUS),
        ("broken", SourceReason.STATUS),
    ):
        place.store.fault = fault
        place.clock.now += 2 * PAUSE
        with pytest.raises(SourceError) as caught:
            place.bucket.reach()
        assert caught.value.reason is reason


def test_its_files_are_far(place: Place) -> None:
    assert place.bucket.is_far("a.mp4")
