"""One segment on disk: its chunks in the order in which they came.

::

    u32 chunk, u32 length, data   u32 chunk, u32 length, data   ...   (big-endian)

Nothing is ever written over. So whoever is killed while writing leaves a torn chunk at the end, and
nowhere else; it is cut off when the file is looked at again. What the power took with it, or a disk
got wrong, does not pass the check of its hash.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import time
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from p2pcdn.model import CHUNK_SIZE

HEAD = struct.Struct(">II")
MOST_CHUNKS = 65_536
NOTE_EVERY = 600.0
"""Seconds between two notes that a file is used."""


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
        self._noted_at = -NOTE_EVERY

    def chunks(self) -> list[int]:
        """The numbers of the chunks that seem to be there; nobody has verified them."""
        with self._lock:
            self._look()
            return sorted(self._places)

    def has(self, chunk: int) -> bool:
        """Whether a chunk seems to be there."""
        with self._lock:
            self._look()
            return chunk in self._places

    def read(self, chunk: int) -> bytes | None:
        """The bytes of a chunk, as they are on disk; None if they are not."""
        place = self._places.get(chunk)
        if place is None:
            return None
        try:
            with self.path.open("rb", buffering=0) as opened:
                opened.seek(place.offset)
                data = opened.read(place.length)
        except FileNotFoundError:
            return None
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
            with self.path.open("r+b" if self.path.exists() else "xb", buffering=0) as opened:
                opened.seek(self._end)
                try:
                    _write(opened, written)
                except OSError:
                    opened.truncate(self._end)
                    raise
            self._places[chunk] = Place(self._end + HEAD.size, len(data))
            self._end += len(written)
            return len(written)

    def note(self) -> None:
        """Somebody was given some of it: its time of change is when it was last of use, for whoever
        starts from this store later."""
        now = time.monotonic()
        if now >= self._noted_at + NOTE_EVERY:
            self._noted_at = now
            with contextlib.suppress(OSError):
                os.utime(self.path)

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
            opened = self.path.open("r+b")
        except FileNotFoundError:
            return
        with opened:
            size = opened.seek(0, os.SEEK_END)
            while True:
                opened.seek(self._end)
                head = opened.read(HEAD.size)
                if len(head) < HEAD.size:
                    break
                chunk, length = HEAD.unpack(head)
                after = self._end + HEAD.size + length
                if not (chunk < MOST_CHUNKS and 0 < length <= CHUNK_SIZE and after <= size):
                    break
                self._places[chunk] = Place(self._end + HEAD.size, length)
                self._end = after
            if self._end < size:
                opened.truncate(self._end)


def _write(opened: FileIO, data: bytes) -> None:
    """Write all of it, however little the system takes at once."""
    view = memoryview(data)
    while view:
        view = view[opened.write(view) or 0 :]
