"""Bytes that are just coming, for all who wait for them."""

from __future__ import annotations

import threading

from p2pcdn.errors import SourceError


class Arrival:
    """A slice on its way: one thread gives, any number read what is there already."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._data = bytearray()
        self._error: SourceError | None = None
        self._changed = threading.Condition()

    @property
    def data(self) -> bytearray:
        """What has come."""
        return self._data

    def give(self, block: bytes) -> None:
        """Some more has come."""
        with self._changed:
            self._data += block
            self._changed.notify_all()

    def fail(self, error: SourceError) -> None:
        """No more will come: whoever needs it hears why."""
        with self._changed:
            self._error = error
            self._changed.notify_all()

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset`` once they are there; fewer only at the end."""
        end = min(offset + size, self._length)
        with self._changed:
            self._changed.wait_for(lambda: self._error or len(self._data) >= end)
            if self._error is not None:
                raise SourceError(self._error.reason, self._error.detail)
            return bytes(memoryview(self._data)[offset:end])

    def read_cached(self, offset: int, size: int) -> memoryview | None:
        """The same if it is there."""
        end = min(offset + size, self._length)
        with self._changed:
            if self._error is not None or not offset < end <= len(self._data):
                return None
            return memoryview(bytes(memoryview(self._data)[offset:end]))
