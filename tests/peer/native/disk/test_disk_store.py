"""The store of a content on disk: what the core asks for, whatever the disk does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from p2pcdn.model import ChunkKey, SegmentKey
from peer.native.disk.disk import Disk
from peer.native.disk.disk_store import DiskStore
from peer.native.disk.segment_file import HEAD

CONTENT = "0123456789abcdef" * 2
LENGTH = 1000


def chunk_of(sequence: int, chunk: int) -> bytes:
    return bytes([sequence, chunk]) * (LENGTH // 2)


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Stage:
    """A store whose segments have two chunks each."""

    def __init__(self, at: Path | Disk, share: int = 100_000, memory: int = 100_000) -> None:
        self.disk = at if isinstance(at, Disk) else Disk(at, 10_000_000)
        self.store = DiskStore(self.disk, CONTENT, share, memory)
        self.edition = ""
        self.evicted: list[int] = []
        self.lost: list[int] = []
        self.store.root_of = lambda key: digest(f"{self.edition}{key}".encode()).hex()
        self.store.hashes_of = lambda key: [digest(chunk_of(key.sequence, n)) for n in (0, 1)]
        self.store.evicted = lambda key: self.evicted.append(key.sequence)
        self.store.lost = lambda key: self.lost.append(key.sequence)

    def put(self, *sequences: int, chunks: tuple[int, ...] = (0, 1)) -> None:
        for sequence in sequences:
            for chunk in chunks:
                self.store.put(ChunkKey("v", sequence, chunk), chunk_of(sequence, chunk))

    def settle(self) -> None:
        """Have everything on disk, and nothing in memory."""
        self.disk.flush()
        self.disk.recent.clear()

    def path(self, sequence: int) -> Path:
        file = self.store.file(SegmentKey("v", sequence))
        assert file is not None
        return file.path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.disk.close()


def test_what_is_put_can_be_had_before_and_after_it_is_written(stage: Stage) -> None:
    key = ChunkKey("v", 1, 1)
    assert stage.store.get(key) is None
    stage.put(1)
    assert stage.store.get(key) == chunk_of(1, 1)
    stage.settle()
    assert stage.store._unwritten == {}
    assert stage.store.get(key) == chunk_of(1, 1)
    assert stage.store.get(ChunkKey("v", 1, 2)) is None
    segment = key.segment
    assert list(stage.store.segments()) == [segment]
    assert sorted(stage.store.chunks(segment)) == [0, 1]
    assert stage.store.mask(segment) == 0b11
    assert stage.store.size == stage.store.size_of(segment) == 2 * LENGTH
    assert stage.store.assemble(segment) == chunk_of(1, 0) + chunk_of(1, 1)


def test_what_came_or_was_read_a_moment_ago_is_not_read_again(stage: Stage) -> None:
    key = ChunkKey("v", 1, 0)
    stage.put(1)
    stage.disk.flush()
    first = stage.path(1)
    whole = first.read_bytes()
    first.unlink()
    assert stage.store.get(key) == chunk_of(1, 0)
    first.write_bytes(whole)
    stage.disk.recent.clear()
    assert stage.store.get(key) == chunk_of(1, 0)
    first.unlink()
    assert stage.store.get(key) == chunk_of(1, 0)
    stage.store.drop(key.segment)
    assert stage.store.get(key) is None


def test_nothing_is_written_twice(stage: Stage) -> None:
    stage.put(1)
    stage.put(1)
    stage.settle()
    assert stage.path(1).stat().st_size == 2 * (LENGTH + HEAD.size)


def test_what_is_dropped_is_gone_from_the_disk(stage: Stage) -> None:
    stage.put(1, 2)
    assert stage.store.drop(SegmentKey("v", 1)) == [0, 1]
    assert stage.store.drop(SegmentKey("v", 1)) == []
    stage.settle()
    assert not stage.path(1).exists()
    assert stage.path(2).exists()
    assert stage.store.size == 2 * LENGTH
    assert stage.evicted == []
    stage.put(1)
    stage.settle()
    assert stage.store.get(ChunkKey("v", 1, 0)) == chunk_of(1, 0)


def test_the_bound_holds(stage: Stage) -> None:
    stage.put(1, 2, 3, 4)
    stage.store.limit = 5 * LENGTH
    gone = stage.store.evict(3, {SegmentKey("v", 1)})
    assert gone == {SegmentKey("v", 2): [0, 1], SegmentKey("v", 4): [0, 1]}
    assert stage.evicted == [2, 4]
    assert stage.store.evict(3, ()) == {}


@pytest.mark.parametrize("flip", [0, LENGTH - 1])
def test_a_flipped_bit_is_not_given_to_anybody(stage: Stage, flip: int) -> None:
    stage.put(1)
    stage.settle()
    data = bytearray(stage.path(1).read_bytes())
    data[HEAD.size + flip] ^= 1
    stage.path(1).write_bytes(data)
    key = ChunkKey("v", 1, 0)
    with capture_logs() as logs:
        assert stage.store.get(key) is None
    assert [entry["event"] for entry in logs] == ["chunk_spoilt"]
    assert logs[0]["key"] == key.segment
    assert stage.lost == [1]
    assert stage.store.mask(key.segment) == 0b10
    assert stage.store.size == LENGTH
    assert stage.store.assemble(key.segment) is None
    stage.put(1)
    stage.settle()
    assert stage.store.assemble(key.segment) == chunk_of(1, 0) + chunk_of(1, 1)


def test_the_last_chunk_may_be_the_one_that_is_spoilt(stage: Stage) -> None:
    stage.put(1)
    stage.settle()
    data = bytearray(stage.path(1).read_bytes())
    data[-1] ^= 1
    stage.path(1).write_bytes(data)
    assert stage.store.assemble(SegmentKey("v", 1)) is None
    assert stage.store.assemble(SegmentKey("v", 1)) is None


def test_a_file_that_somebody_deleted_is_not_there(stage: Stage) -> None:
    stage.put(1)
    stage.settle()
    stage.path(1).unlink()
    assert stage.store.get(ChunkKey("v", 1, 0)) is None
    assert stage.lost == [1]


def test_what_nobody_can_verify_any_more_is_not_given(stage: Stage) -> None:
    stage.put(1)
    stage.settle()
    stage.store.hashes_of = lambda _: ()
    assert stage.store.get(ChunkKey("v", 1, 0)) is None


def test_a_segment_that_became_another_one_has_another_file(stage: Stage) -> None:
    stage.put(1)
    before = stage.path(1)
    stage.edition = "later"
    assert stage.path(1) != before
    stage.settle()
    assert not before.exists()


def test_memory_is_bounded_when_the_disk_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, memory=4 * LENGTH)
    stage.put(1)
    stage.settle()
    monkeypatch.setattr(Disk, "_make_room", lambda *_: False)
    stage.put(2, 3)
    stage.settle()
    assert stage.store.size == 6 * LENGTH
    assert stage.store.size <= stage.store.limit
    stage.put(4)
    assert stage.store.size > stage.store.limit
    assert list(stage.store.evict(3, ())) == [SegmentKey("v", 2)], "what is on disk stays"
    assert stage.store.get(ChunkKey("v", 1, 0)) == chunk_of(1, 0)
    assert stage.store.get(ChunkKey("v", 4, 0)) == chunk_of(4, 0)
    stage.disk.close()


def test_what_is_found_on_disk_is_not_written_again(stage: Stage) -> None:
    stage.put(1)
    stage.settle()
    stage.store.found(ChunkKey("v", 2, 0))
    stage.put(2)
    stage.settle()
    assert stage.path(2).stat().st_size == LENGTH + HEAD.size, "of the other chunk"
    stage.store.found(ChunkKey("v", 1, 0))
    assert stage.store._found == set(), "it is held already"


# Two peers of one content on one disk


@pytest.fixture
def other(stage: Stage) -> Stage:
    """Holds the same content on the same disk."""
    return Stage(stage.disk)


def test_what_two_hold_is_written_once(stage: Stage, other: Stage) -> None:
    stage.put(1)
    other.put(1)
    stage.settle()
    assert other.path(1).stat().st_size == stage.disk.used == 2 * (LENGTH + HEAD.size)
    assert stage.store._unwritten == other.store._unwritten == {}


def test_what_one_drops_the_other_keeps_and_goes_on_writing(stage: Stage, other: Stage) -> None:
    stage.put(1)
    other.put(1, chunks=(0,))
    stage.store.drop(SegmentKey("v", 1))
    other.put(1)
    stage.settle()
    assert other.store._unwritten == {}
    assert other.store.assemble(SegmentKey("v", 1)) == chunk_of(1, 0) + chunk_of(1, 1)
    other.store.drop(SegmentKey("v", 1))
    stage.settle()
    assert list(stage.disk.directory.glob("*/??/*")) == []
    assert stage.disk.used == 0


def test_what_one_closes_is_no_strangers_until_the_other_does(stage: Stage, other: Stage) -> None:
    stage.put(1)
    other.put(1)
    path = stage.path(1)
    stage.store.close()
    third = Stage(stage.disk)
    third.put(1)
    stage.settle()
    assert path not in stage.disk._released
    assert third.store.file(SegmentKey("v", 1)) is other.store.file(SegmentKey("v", 1))
    other.store.close()
    third.store.close()
    stage.settle()
    assert path in stage.disk._released


def test_what_one_holds_is_there_for_the_other(stage: Stage, other: Stage) -> None:
    stage.put(1)
    assert not other.store.is_there(SegmentKey("v", 2))
    stage.settle()
    assert not stage.store.is_there(SegmentKey("v", 1)), "it has it in its hands"
    assert other.store.is_there(SegmentKey("v", 1))
    other.path(1)
    assert not other.store.is_there(SegmentKey("v", 1))


def test_a_write_of_what_was_dropped_is_none_of_what_came_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Callable[[], None]] = []
    monkeypatch.setattr(stage.disk, "write", lambda *given: written.append(given[-1]))
    for _ in range(2):
        stage.store.drop(SegmentKey("v", 1))
        stage.put(1, chunks=(0,))
    written[0]()
    assert list(stage.store._unwritten) == [ChunkKey("v", 1, 0)]
    written[1]()
    assert stage.store._unwritten == {}
    assert stage.store._unwritten_size == 0
