"""What has moved is told once, as far as there is room."""

from __future__ import annotations

from p2pcdn.core.account import (
    MOST_NUMBERS,
    MOST_RENDITIONS,
    MOST_RUNS,
    Account,
    Moved,
    Room,
)
from p2pcdn.model import CHUNK_SIZE, ChunkKey, SegmentKey


def test_chunks_are_told_as_runs_and_then_forgotten() -> None:
    moved, room = Moved(), Room()
    for chunk in (3, 0, 1, 5):
        moved.add(ChunkKey("v", 7, chunk), CHUNK_SIZE)
    moved.add(ChunkKey("w", 2, 0), 99)
    moved.add(ChunkKey("v", 3, 0), CHUNK_SIZE)
    assert moved
    assert moved.take(room) == ((0, 3, 0, 0, 0), (0, 7, 0, 0, 1, 3, 3, 5, 5), (1, 2, 99, 0, 0))
    assert room.renditions == ["v", "w"]
    assert not moved
    assert moved.take(room) == ()


def test_a_run_is_added_at_once() -> None:
    moved = Moved()
    moved.add_run(SegmentKey("v", 0), 0, 3, 500)
    moved.add_run(SegmentKey("v", 0), 2, 1, 500)  # nothing
    assert moved.take(Room()) == ((0, 0, 500, 0, 3),)


def test_a_short_chunk_is_only_told_where_it_is_the_last() -> None:
    moved = Moved()
    moved.add(ChunkKey("v", 0, 2), 500)
    moved.add(ChunkKey("v", 0, 1), CHUNK_SIZE)
    assert moved.take(Room()) == ((0, 0, 500, 1, 2),)
    moved.add(ChunkKey("v", 0, 1), CHUNK_SIZE)
    assert moved.take(Room()) == ((0, 0, 0, 1, 1),)


def test_what_there_is_no_room_for_waits() -> None:
    moved = Moved()
    segments = MOST_NUMBERS // 5
    for sequence in range(segments + 3):
        moved.add(ChunkKey("v", sequence, 0), CHUNK_SIZE)
    assert len(moved.take(Room())) == segments
    assert len(moved.take(Room())) == 3
    assert not moved


def test_so_do_renditions() -> None:
    moved, room = Moved(), Room()
    for number in range(MOST_RENDITIONS + 1):
        moved.add(ChunkKey(f"v{number}", 0, 0), CHUNK_SIZE)
    assert len(moved.take(room)) == MOST_RENDITIONS
    assert moved.take(Room()) == ((0, 0, 0, 0, 0),)


def test_and_the_rest_of_a_ragged_segment() -> None:
    moved = Moved()
    for chunk in range(0, 2 * MOST_RUNS + 10, 2):
        moved.add(ChunkKey("v", 0, chunk), 9 if chunk == 2 * MOST_RUNS + 8 else CHUNK_SIZE)
    ((*_, last),) = moved.take(Room())
    assert last == 2 * MOST_RUNS - 2
    ((_, _, size, *bounds),) = moved.take(Room())
    assert (size, bounds[0], bounds[-1]) == (9, 2 * MOST_RUNS, 2 * MOST_RUNS + 8)
    assert not moved


def test_an_account_is_empty_until_something_happens() -> None:
    assert not Account()
    assert not Account(route="relay")
    assert Account(waste=1)
    assert Account(rejected=1)
    account = Account()
    account.sent.add(ChunkKey("v", 0, 0), 1)
    assert account
