"""One segment on disk: its chunks in the order in which they came.

::

    u32 chunk, u32 length, data   u32 chunk, u32 length, data   ...   (big-endian)

Nothing is ever written over. So whoever is killed while writing leaves a torn chunk at the end, and
nowhere else; it is cut off when the file is looked at again. What the power took with it, or a disk
got wrong, does not pass the check of its hash.
"""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path
from typing import NamedTuple

from p2pcdn.model import CHUNK_SIZE

HEAD = struct.Struct(">II")
MOST_CHUNKS = 65_536


class Place(NamedTuple):
    """Where the bytes of a chunk are in the file."""

    offset: int
    length: int


class SegmentFile:
    """Methods block; any thread may call them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._places: dict[int, Place] = {}
        self._end: int | None = None
        """Where the last whole chunk ends; None: nobody has looked yet."""
        self._removed = False

    def chunks(self) -> list[int]:
        """The numbers of the chunks that seem to be there; nobody has verified them."""
        with self._lock:
            self._look()
            return sorted(self._places)

    def read(self, chunk: int) -> bytes | None:
        """The bytes of a chunk, as they are on disk; None if they are not."""
        place = self._places.get(chunk)
        if place is None:
            return None
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            data = os.pread(descriptor, place.length, place.offset)
        finally:
            os.close(descriptor)
        return data if len(data) == place.length else None

    def append(self, chunk: int, data: bytes) -> int:
        """Write a chunk; the bytes by which the file has grown. `OSError` if that fails, and then
        it is as it was."""
        with self._lock:
            self._look()
            if self._removed:
                return 0
            assert self._end is not None
            written = HEAD.pack(chunk, len(data)) + data
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                _write(descriptor, written, self._end)
            except OSError:
                os.ftruncate(descriptor, self._end)
                raise
            finally:
                os.close(descriptor)
            self._places[chunk] = Place(self._end + HEAD.size, len(data))
            self._end += len(written)
            return len(written)

    def forget(self, chunk: int) -> None:
        """What is there of a chunk is wrong; it may be written once more."""
        self._places.pop(chunk, None)

    def remove(self) -> None:
        """Delete it; nothing is written to it any more."""
        with self._lock:
            self._removed = True
            self._places.clear()
            self.path.unlink(missing_ok=True)

    def _look(self) -> None:
        """See what is there, and cut off what is torn."""
        if self._end is not None:
            return
        self._end = 0
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(descriptor).st_size
            while True:
                head = os.pread(descriptor, HEAD.size, self._end)
                if len(head) < HEAD.size:
                    break
                chunk, length = HEAD.unpack(head)
                after = self._end + HEAD.size + length
                if not (chunk < MOST_CHUNKS and 0 < length <= CHUNK_SIZE and after <= size):
                    break
                self._places[chunk] = Place(self._end + HEAD.size, length)
                self._end = after
            if self._end < size:
                os.ftruncate(descriptor, self._end)
        finally:
            os.close(descriptor)


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it, however little the system takes at once."""
    view = memoryview(data)
    while view:
        count = os.pwrite(descriptor, view, offset)
        view, offset = view[count:], offset + count
