"""The store of one content in memory: what its keeper wants least goes first, and it is told."""

from __future__ import annotations

from collections.abc import Callable, Collection

from p2pcdn.core.store import Store
from p2pcdn.core.store import worth as usual_worth
from p2pcdn.model import SegmentKey


class MemoryStore(Store):
    """Beyond its bound it drops what is worth least."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.worth: Callable[[SegmentKey, int], tuple[bool, int, str]] = usual_worth
        """Sorts what goes first, by where the play head is."""
        self.evicted: Callable[[SegmentKey], None] = lambda _: None
        """Told of what went because of the bound."""

    def evict(self, head: int, pinned: Collection[SegmentKey]) -> dict[SegmentKey, list[int]]:
        dropped: dict[SegmentKey, list[int]] = {}
        if self.size <= self.limit:
            return dropped
        for segment in sorted(self._segments, key=lambda held: self.worth(held, head)):
            if self.size <= self.limit:
                break
            if segment not in pinned:
                dropped[segment] = self.drop(segment)
        for segment in dropped:
            self.evicted(segment)
        return dropped
