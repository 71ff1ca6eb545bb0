"""Hashing: right, once, and what is waited for first."""

from __future__ import annotations

import asyncio
import hashlib
import random
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from origin.catalog import hashing as hashing_module
from origin.catalog.edition import Stretch
from origin.catalog.hash_store import HashStore
from origin.catalog.hashing import BUSY, ChangedError, Digests, Hasher, Load, chunk_hashes
from origin.sources.directory import Directory, DirectoryFile
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import CHUNK_SIZE
from tests.origin.media_files import identity_of, noise, write
from tests.origin.waiting import until

NEVER = threading.Event()


class GatedDirectory(Directory):
    """Opens files only while its gate is open, and remembers which."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gate = threading.Event()
        self.gate.set()
        self.opened: list[str] = []

    def open(self, path: str) -> DirectoryFile:
        self.opened.append(path)
        assert self.gate.wait(10)
        return super().open(path)


@pytest.fixture
def source(content: Path) -> GatedDirectory:
    return GatedDirectory(content)


@pytest.fixture
async def make_hasher(
    tmp_path: Path, source: GatedDirectory
) -> AsyncIterator[Callable[[], Hasher]]:
    made: list[tuple[Hasher, HashStore]] = []

    def make() -> Hasher:
        store = HashStore(tmp_path / "data")
        made.append((Hasher(source, store), store))
        return made[-1][0]

    yield make
    source.gate.set()
    for hasher, store in made:
        hasher.close()
        store.close()


@pytest.fixture
def hasher(make_hasher: Callable[[], Hasher]) -> Hasher:
    return make_hasher()


def put(content: Path, name: str, data: bytes) -> Stretch:
    write(content / name, data)
    return Stretch(name, identity_of(content / name), 0, len(data))


def expected(data: bytes) -> bytes:
    return b"".join(
        hashlib.sha256(data[at : at + CHUNK_SIZE]).digest()
        for at in range(0, len(data), CHUNK_SIZE)
    )


@pytest.mark.parametrize("size", [1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 40 * CHUNK_SIZE])
def test_each_chunk_has_its_hash(source: Directory, content: Path, size: int) -> None:
    data = noise(size)
    assert chunk_hashes(source, put(content, "a.ts", data), NEVER) == expected(data)


def test_chunks_begin_where_the_stretch_does(source: Directory, content: Path) -> None:
    data = noise(3 * CHUNK_SIZE)
    whole = put(content, "a.mp4", data)
    part = whole._replace(offset=100, length=CHUNK_SIZE + 7)
    assert chunk_hashes(source, part, NEVER) == expected(data[100 : 100 + CHUNK_SIZE + 7])


def test_another_version_is_not_hashed(source: Directory, content: Path) -> None:
    stretch = put(content, "a.ts", b"one")
    put(content, "a.ts", b"two")
    with pytest.raises(ChangedError):
        chunk_hashes(source, stretch, NEVER)
    (content / "a.ts").unlink()
    with pytest.raises(ChangedError):
        chunk_hashes(source, stretch, NEVER)


def test_a_file_that_changes_meanwhile_has_no_hashes(content: Path) -> None:
    class Written(DirectoryFile):
        def read(self, offset: int, size: int) -> bytes:
            data = super().read(offset, size)
            with (content / "a.ts").open("ab") as writer:
                writer.write(b"more")
            return data

    class Disk(Directory):
        def open(self, path: str) -> DirectoryFile:
            file = super().open(path)
            file.__class__ = Written
            return file

    stretch = put(content, "a.ts", b"one")
    with pytest.raises(ChangedError):
        chunk_hashes(Disk(content), stretch, NEVER)


def test_hashing_stops_when_it_is_told_to(source: Directory, content: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(SourceError) as caught:
        chunk_hashes(source, put(content, "a.ts", b"one"), stop)
    assert caught.value.reason is SourceReason.ABORTED


async def test_lists_in_the_order_asked_for(hasher: Hasher, content: Path) -> None:
    stretches = [put(content, f"{n}.ts", noise(1000, n)) for n in range(5)]
    lists = await hasher.lists(stretches[::-1])
    assert lists == [expected(noise(1000, n)) for n in reversed(range(5))]


async def test_once_for_all_who_ask(hasher: Hasher, source: GatedDirectory, content: Path) -> None:
    stretch = put(content, "a.ts", b"one")
    source.gate.clear()
    asking = [asyncio.create_task(hasher.lists([stretch])) for _ in range(3)]
    await until(lambda: source.opened)
    asking[0].cancel()  # whoever gives up does not take it from the others
    source.gate.set()
    assert await asking[1] == await asking[2] == [expected(b"one")]
    assert await hasher.lists([stretch]) == [expected(b"one")]
    assert source.opened == ["a.ts"]


async def test_once_for_ever(
    make_hasher: Callable[[], Hasher], source: GatedDirectory, content: Path
) -> None:
    stretch = put(content, "a.ts", b"one")
    await make_hasher().lists([stretch])
    assert await make_hasher().lists([stretch]) == [expected(b"one")]
    assert source.opened == ["a.ts"]


async def test_one_that_fails_fails_for_whoever_asked(hasher: Hasher, content: Path) -> None:
    good, bad = put(content, "a.ts", b"one"), put(content, "b.ts", b"two")
    (content / "b.ts").unlink()
    with pytest.raises(ChangedError):
        await hasher.lists([good, bad])
    assert await hasher.lists([good]) == [expected(b"one")]


async def test_nobody_waits_behind_the_backlog(
    hasher: Hasher, source: GatedDirectory, content: Path
) -> None:
    demanded, later = put(content, "a.ts", b"one"), put(content, "b.ts", b"two")
    source.gate.clear()
    demand = asyncio.create_task(hasher.lists([demanded]))
    await until(lambda: source.opened)
    backlog = asyncio.create_task(hasher.prepare(later))
    await asyncio.sleep(0)
    assert source.opened == ["a.ts"]
    source.gate.set()
    await demand
    await backlog
    assert source.opened == ["a.ts", "b.ts"]


async def test_what_was_prepared_is_there(
    hasher: Hasher, source: GatedDirectory, content: Path
) -> None:
    stretch = put(content, "a.ts", b"one")
    await hasher.prepare(stretch)
    assert await hasher.lists([stretch]) == [expected(b"one")]
    assert source.opened == ["a.ts"]


async def test_what_somebody_else_has_hashed_is_known_also_after_a_restart(
    make_hasher: Callable[[], Hasher], source: GatedDirectory, content: Path
) -> None:
    stretch = put(content, "a.ts", noise(100_000))
    await make_hasher().learn(stretch, b"its hashes")
    assert await make_hasher().lists([stretch]) == [b"its hashes"]
    assert source.opened == []


@given(sizes=st.lists(st.integers(0, 3 * CHUNK_SIZE), max_size=6))
@settings(max_examples=25, deadline=None)
def test_digests_of_what_comes_in_pieces(sizes: list[int]) -> None:
    data = random.Random(1).randbytes(sum(sizes))
    digests, at = Digests(), 0
    for size in sizes:
        digests.update(data[at : at + size])
        at += size
    assert digests.size == len(data)
    assert digests.hashes() == expected(data)


async def test_what_others_have_hashed_is_there(
    hasher: Hasher, source: GatedDirectory, content: Path
) -> None:
    stretch = put(content, "a.ts", b"one")
    assert not await hasher.knows(stretch)
    await hasher.learn(stretch, expected(b"one"))
    assert await hasher.knows(stretch)
    assert await hasher.lists([stretch]) == [expected(b"one")]
    hasher._recent.clear()
    assert await hasher.knows(stretch)
    assert source.opened == []


async def test_what_nobody_waits_for_steps_aside_while_the_loop_is_busy(
    hasher: Hasher, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    async def sleep(pause: float) -> None:
        pauses.append(pause)

    for number, busy in enumerate((False, True, True, False)):
        stretch = put(content, f"{number}.ts", b"x")
        share = BUSY + 0.01 if busy else BUSY
        monkeypatch.setattr(hasher._load, "share", lambda now, used, share=share: share)
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", sleep)
            await hasher.prepare(stretch)
            await hasher.lists([put(content, f"asked{number}.ts", b"x")])
    assert len(pauses) == 2
    assert all(0 < pause <= 1 for pause in pauses)


def test_the_share_of_a_thread() -> None:
    load = Load()
    assert load.share(100.0, 5.0) == 0.0
    assert load.share(100.05, 5.05) == 0.0, "too soon to tell"
    assert load.share(100.5, 5.4) == pytest.approx(0.8)
    assert load.share(100.55, 5.4) == pytest.approx(0.8)
    assert load.share(101.5, 5.5) == pytest.approx(0.1)


# A page of them

Many = tuple[list[Stretch], list[bytes]]


@pytest.fixture
def many(content: Path) -> Many:
    names = [f"{n}.ts" for n in range(12)]
    datas = [noise(1000, name) for name in names]
    return [put(content, n, d) for n, d in zip(names, datas, strict=True)], datas


async def test_a_page_is_there_once_the_first_is(
    hasher: Hasher, source: GatedDirectory, many: Many
) -> None:
    stretches, datas = many
    assert await hasher.some(stretches[:3], 10.0) == {
        s: expected(d) for s, d in zip(stretches[:3], datas, strict=False)
    }
    source.gate.clear()
    asking = asyncio.create_task(hasher.some(stretches, 0.0))
    found = await asking  # the first is known, and the patience is over
    assert set(found) == set(stretches[:3])
    source.gate.set()
    await until(lambda: not hasher._later)  # the others were hashed nevertheless
    assert set(await hasher.some(stretches, 0.0)) == set(stretches)
    assert sorted(source.opened) == sorted(s.path for s in stretches)


async def test_the_first_is_waited_for_whatever_it_takes(
    hasher: Hasher, source: GatedDirectory, many: Many
) -> None:
    source.gate.clear()
    asking = asyncio.create_task(hasher.some(many[0], 0.0))
    await until(lambda: source.opened)
    await asyncio.sleep(0.05)
    assert not asking.done()
    source.gate.set()
    assert many[0][0] in await asking


async def test_who_asks_for_one_waits_behind_no_page(
    hasher: Hasher, source: GatedDirectory, many: Many
) -> None:
    stretches = many[0]
    source.gate.clear()
    pages = [asyncio.create_task(hasher.some(stretches[:-1], 10.0)) for _ in range(2)]
    await until(lambda: len(hasher._later) == len(stretches) - 2 and source.opened)
    asking = asyncio.create_task(hasher.lists([stretches[-1]]))
    await until(lambda: stretches[-1] in hasher._under_way)
    source.gate.set()
    await asking
    lane = hasher._threads._max_workers
    assert source.opened.index(stretches[-1].path) <= 2 * lane, "behind what was begun, no more"
    assert [set(found) for found in await asyncio.gather(*pages)] == [set(stretches[:-1])] * 2
    assert len(source.opened) == len(stretches)


async def test_of_a_page_one_that_fails_is_left_out_and_one_that_changed_is_told(
    hasher: Hasher,
    source: GatedDirectory,
    many: Many,
    content: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stretches = many[0]
    open_ = source.open

    def fails(path: str) -> DirectoryFile:
        if path == "1.ts":
            raise SourceError(SourceReason.STATUS, path)
        return open_(path)

    monkeypatch.setattr(source, "open", fails)
    assert set(await hasher.some(stretches[:3], 10.0)) == {stretches[0], stretches[2]}
    with pytest.raises(SourceError):
        await hasher.some(stretches[1:3], 10.0)
    put(content, "4.ts", b"other")
    with pytest.raises(ChangedError):
        await hasher.some(stretches[2:6], 10.0)
    with pytest.raises(ChangedError):
        await hasher.some(stretches[4:6], 10.0)


async def test_no_more_is_hashed_unasked_than_there_is_room_for(
    hasher: Hasher, source: GatedDirectory, many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing_module, "_MOST_LATER", 2)
    assert set(await hasher.some(many[0], 10.0)) == set(many[0][:3])
