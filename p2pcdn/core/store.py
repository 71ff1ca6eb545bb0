"""The chunks that a peer holds: verified ones only, within a bound of bytes.

When the bound is passed, whole segments go: first those that the play head has left furthest
behind, then those furthest ahead. A segment that is on its way in, or about to be handed to the
player, is pinned by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from p2pcdn.model import ChunkKey, SegmentKey


class Store:
    """Holds at most ``limit`` bytes of chunks, once `evict` has been called."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._segments: dict[SegmentKey, dict[int, bytes]] = {}
        self._masks: dict[SegmentKey, int] = {}

    def put(self, key: ChunkKey, data: bytes) -> None:
        """Keep a verified chunk; one that is held already stays as it is."""
        chunks = self._segments.setdefault(key.segment, {})
        if key.chunk not in chunks:
            chunks[key.chunk] = data
            self._masks[key.segment] = self._masks.get(key.segment, 0) | 1 << key.chunk
            self.size += len(data)

    def get(self, key: ChunkKey) -> bytes | None:
        return self._segments.get(key.segment, {}).get(key.chunk)

    def chunks(self, segment: SegmentKey) -> Collection[int]:
        """The numbers of the chunks held of a segment."""
        return self._segments.get(segment, {}).keys()

    def mask(self, segment: SegmentKey) -> int:
        """The same as a mask (see `bits`)."""
        return self._masks.get(segment, 0)

    def size_of(self, segment: SegmentKey) -> int:
        """The bytes held of a segment."""
        return sum(map(len, self._segments.get(segment, {}).values()))

    def segments(self) -> Iterator[SegmentKey]:
        """Every segment of which something is held."""
        return iter(self._segments)

    def assemble(self, segment: SegmentKey) -> bytes | None:
        """The bytes of a segment whose chunks are all held; None if it turns out that one is not
        what it was, which only a disk can do."""
        chunks = self._segments[segment]
        return b"".join(chunks[number] for number in range(len(chunks)))

    def drop(self, segment: SegmentKey) -> list[int]:
        """Forget a segment; returns the chunks that were held of it."""
        self.size -= self.size_of(segment)
        self._masks.pop(segment, None)
        return sorted(self._segments.pop(segment, {}))

    def evict(self, head: int, pinned: Collection[SegmentKey]) -> dict[SegmentKey, list[int]]:
        """Drop segments until the bound holds; returns what was dropped.

        ``head`` is the sequence at the play head. What is pinned stays, even over the bound.
        """
        dropped: dict[SegmentKey, list[int]] = {}
        if self.size <= self.limit:
            return dropped
        for segment in sorted(self._segments, key=lambda s: worth(s, head)):
            if segment in pinned:
                continue
            dropped[segment] = self.drop(segment)
            if self.size <= self.limit:
                break
        return dropped


def worth(segment: SegmentKey, head: int) -> tuple[bool, int, str]:
    """What may go first sorts first: what is behind the play head, then what is ahead, the furthest
    of both first."""
    ahead = segment.sequence >= head
    distance = abs(segment.sequence - head)
    return (ahead, -distance, segment.rendition)
