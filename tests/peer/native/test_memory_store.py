"""A store in memory whose keeper says what goes first."""

from __future__ import annotations

from p2pcdn.model import ChunkKey, SegmentKey
from peer.native.memory_store import MemoryStore


def test_what_is_worth_least_goes_and_is_told() -> None:
    store = MemoryStore(300)
    told: list[int] = []
    store.evicted = lambda key: told.append(key.sequence)
    for sequence in range(5):
        store.put(ChunkKey("v", sequence, 0), bytes(100))
    # By itself the furthest from the play head would go.
    store.worth = lambda key, head: (True, abs(key.sequence - 3), "v")
    pinned = {SegmentKey("v", 3)}
    assert store.evict(0, pinned) == {SegmentKey("v", 2): [0], SegmentKey("v", 4): [0]}
    assert told == [2, 4]
    assert store.evict(0, pinned) == {}
    store.limit = 0
    store.evict(0, pinned)
    assert (store.size, told) == (100, [2, 4, 1, 0])
