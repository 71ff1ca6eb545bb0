"""Bytes that are just coming, for all who wait for them."""

from __future__ import annotations

import threading

from origin.sources.cache import Piece
from p2pcdn.errors import SourceError


class Arrival:
    """A slice on its way: one thread gives, any number read what is there already.

    Once it is on the disk it is read from there, and takes no memory any more, whoever still has
    it: somebody may take hours to read it.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._data = bytearray()
        self._piece: Piece | None = None
        self._error: SourceError | None = None
        self._changed = threading.Condition()

    @property
    def data(self) -> bytearray:
        """What has come, until it is on the disk."""
        return self._data

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return self._piece is not None or len(self._data) >= self.length

    def give(self, block: bytes) -> None:
        """Some more has come."""
        with self._changed:
            self._data += block
            self._changed.notify_all()

    def fail(self, error: SourceError) -> None:
        """No more will come: whoever needs it hears why."""
        with self._changed:
            self._error = error
            self._data = bytearray()
            self._changed.notify_all()

    def settle(self, piece: Piece) -> None:
        """All of it is on the disk: here."""
        with self._changed:
            self._piece = piece
            self._data = bytearray()

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` once they are there; fewer only at the end."""
        end = min(offset + size, self.length)
        with self._changed:
            self._changed.wait_for(lambda: self._error or self.is_whole or len(self._data) >= end)
            if self._error is not None:
                raise SourceError(self._error.reason, self._error.detail)
            if self._piece is None:
                return bytes(memoryview(self._data)[offset:end])
        return self._piece.read(offset, size)

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        """The same if it is there."""
        end = min(offset + size, self.length)
        with self._changed:
            if self._piece is None:
                if self._error is not None or not offset < end <= len(self._data):
                    return None
                return memoryview(bytes(memoryview(self._data)[offset:end]))
        return self._piece.read_cached(offset, size)
