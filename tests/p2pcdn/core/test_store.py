"""The store: verified chunks, a bound, and who goes first when it is passed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.bits import mask_of
from p2pcdn.core.store import Store
from p2pcdn.model import ChunkKey, SegmentKey

KEYS = st.builds(
    ChunkKey, st.sampled_from(["v", "w"]), st.integers(0, 20), st.integers(0, 3)
)  # few enough to meet again


def store_of(limit: int, *sequences: int, size: int = 10) -> Store:
    """One chunk of ``size`` bytes of each of these segments."""
    store = Store(limit)
    for sequence in sequences:
        store.put(ChunkKey("v", sequence, 0), bytes(size))
    return store


def dropped(store: Store, head: int, *pinned: int) -> list[int]:
    gone = store.evict(head, {SegmentKey("v", sequence) for sequence in pinned})
    return [segment.sequence for segment in gone]


def test_what_is_put_can_be_had() -> None:
    store, key = Store(100), ChunkKey("v", 1, 2)
    assert store.get(key) is None
    store.put(key, b"abc")
    store.put(key, b"something else")
    assert store.get(key) == b"abc"
    assert store.size == store.size_of(key.segment) == 3
    assert list(store.segments()) == [key.segment]
    assert list(store.chunks(key.segment)) == [2]
    assert (store.mask(key.segment), store.mask(SegmentKey("v", 2))) == (0b100, 0)
    assert list(store.chunks(SegmentKey("v", 2))) == []


def test_a_segment_is_put_together_by_the_numbers_of_its_chunks() -> None:
    store = Store(100)
    for chunk, data in ((2, b"c"), (0, b"a"), (1, b"b")):
        store.put(ChunkKey("v", 1, chunk), data)
    assert store.assemble(SegmentKey("v", 1)) == b"abc"


def test_what_is_dropped_is_told() -> None:
    store = store_of(100, 1, 2)
    store.put(ChunkKey("v", 1, 7), b"1234")
    assert store.drop(SegmentKey("v", 1)) == [0, 7]
    assert store.drop(SegmentKey("v", 1)) == []
    assert store.mask(SegmentKey("v", 1)) == 0
    assert store.size == 10


def test_nothing_goes_within_the_bound() -> None:
    assert dropped(store_of(30, 1, 2, 3), 2) == []


def test_first_goes_what_lies_furthest_behind_then_what_is_furthest_ahead() -> None:
    everything = store_of(0, 1, 2, 5, 8, 9)
    assert dropped(everything, 5) == [1, 2, 9, 8, 5]
    assert everything.size == 0


def test_no_more_goes_than_has_to() -> None:
    assert dropped(store_of(30, 1, 2, 3, 4, 5), 4) == [1, 2]


def test_what_is_pinned_stays_even_over_the_bound() -> None:
    store = store_of(10, 1, 2, 3)
    assert dropped(store, 3, 1, 3) == [2]
    assert store.size == 20


@given(
    st.lists(st.tuples(KEYS, st.integers(1, 50))),
    st.integers(0, 200),
    st.integers(0, 20),
    st.sets(st.builds(SegmentKey, st.sampled_from(["v", "w"]), st.integers(0, 20))),
)
def test_the_bound_holds_but_for_what_is_pinned(
    puts: list[tuple[ChunkKey, int]], limit: int, head: int, pinned: set[SegmentKey]
) -> None:
    store = Store(limit)
    held: dict[ChunkKey, int] = {}
    for key, size in puts:
        store.put(key, bytes(size))
        held.setdefault(key, size)
    assert store.size == sum(held.values())
    gone = store.evict(head, pinned)
    assert not pinned.intersection(gone)
    left = {key: size for key, size in held.items() if key.segment not in gone}
    assert store.size == sum(left.values())
    assert store.size <= limit or {key.segment for key in left} <= pinned
    assert all(store.get(key) == bytes(size) for key, size in left.items())
    for segment in {key.segment for key in held}:
        assert store.mask(segment) == mask_of(store.chunks(segment))
