"""The chunks that came or were read last, in memory: a segment that has just come is handed over
from here, and what many ask for at once is read and verified once."""

from __future__ import annotations

from collections import OrderedDict

LIMIT = 64 * 1024 * 1024
"""Bytes, of all contents of a store together."""

Name = tuple[str, int]
"""The root of a segment, and the number of a chunk: whatever has this name is the same."""


class Recent:
    """Holds at most ``limit`` bytes; the one used longest ago goes first."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._size = 0
        self._chunks: OrderedDict[Name, bytes] = OrderedDict()

    def put(self, name: Name, data: bytes) -> None:
        """Remember a chunk."""
        self.drop(name)
        self._chunks[name] = data
        self._size += len(data)
        while self._size > self._limit:
            _, oldest = self._chunks.popitem(last=False)
            self._size -= len(oldest)

    def get(self, name: Name) -> bytes | None:
        """A chunk, if it is remembered; it has been used by that."""
        data = self._chunks.get(name)
        if data is not None:
            self._chunks.move_to_end(name)
        return data

    def drop(self, name: Name) -> None:
        """Forget a chunk."""
        self._size -= len(self._chunks.pop(name, b""))

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._size = 0
