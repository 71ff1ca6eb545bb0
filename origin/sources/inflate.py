"""Deflated bytes from any point, with bounded memory and time.

Deflate can only be read from its beginning. So on the way, every few MiB, the state of the
decompressor is kept (some 60 KB, most of it the last 32 KiB that came out), and reading goes on
from the nearest one before::

    packed    |------------x-----------x-------------------|
    inflated  |-----------------o------------------o----------------[wanted]---|
                                                   `--- inflated, thrown away ---'

A member has `_MOST_POINTS` such points at the most, so what a read throws away is less than that
share of it, or `_LEAST_SPACING`, once somebody has been there. All members of an archive together
keep `MOST_POINTS_TOGETHER`; those used longest ago go first. Nothing is written to a disk.
"""

from __future__ import annotations

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from origin.sources.archive import Entry
from p2pcdn.errors import SourceError, SourceReason

if TYPE_CHECKING:
    from zlib import _Decompress as Decompress  # it has a name for type checkers alone

MOST_POINTS_TOGETHER = 512
"""About 30 MB."""

_MOST_POINTS = 128

_LEAST_SPACING = 1024 * 1024

_READ = 16_384
"""Packed bytes read at once. A point holds on to those that it has not used."""

_BLOCK = 131_072
"""Bytes inflated at once."""


class Point(NamedTuple):
    """How far somebody got."""

    position: int
    """Bytes that came out."""
    taken: int
    """Bytes that went in."""
    crc: int
    """Of what came out."""
    state: Decompress
    """Never used itself, only copies of it."""


class Points:
    """Where inflating can begin, for all members of an archive. Any thread may use it."""

    def __init__(self, most: int = MOST_POINTS_TOGETHER) -> None:
        self._most = most
        self._points: OrderedDict[tuple[int, int], Point] = OrderedDict()
        """By member (where it begins) and number."""
        self._lock = threading.Lock()

    def has(self, entry: Entry, number: int) -> bool:
        """Whether there is a point of this number."""
        return (entry.begin, number) in self._points

    def keep(self, entry: Entry, number: int, point: Point) -> None:
        """Remember a point."""
        with self._lock:
            self._points[entry.begin, number] = point
            while len(self._points) > self._most:
                self._points.popitem(last=False)

    def nearest(self, entry: Entry, number: int, offset: int) -> Point | None:
        """The last point at or before ``offset``, of this number or lower."""
        with self._lock:
            for n in range(number, 0, -1):
                point = self._points.get((entry.begin, n))
                if point is not None and point.position <= offset:
                    self._points.move_to_end((entry.begin, n))
                    return point
        return None


class Inflater:
    """Reads one deflated member."""

    def __init__(self, entry: Entry, read: Callable[[int, int], bytes], points: Points) -> None:
        """``read`` gives packed bytes: so many at most, from this place in the archive."""
        self._entry = entry
        self._read_packed = read
        self._points = points
        self._spacing = max(_LEAST_SPACING, -(-entry.size // _MOST_POINTS))
        self._begin(Point(0, 0, 0, zlib.decompressobj(-zlib.MAX_WBITS)))
        self.inflated = 0
        """Bytes in all: what it took."""

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``offset``; `SourceError` if they are not what the archive
        says. That all of it is, is known before its last byte is given."""
        size = min(size, self._entry.size - offset)
        if size <= 0:
            return b""
        self._approach(offset)
        while self._position < offset:
            self._inflate(min(_BLOCK, offset - self._position))
        parts = []
        while size:
            part = self._inflate(min(_BLOCK, size))
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def _begin(self, point: Point) -> None:
        self._state = point.state.copy()
        self._position = point.position
        self._taken = point.taken
        """What was read of the packed bytes, those that wait included."""
        self._waiting = b""
        self._crc = point.crc

    def _approach(self, offset: int) -> None:
        point = self._points.nearest(self._entry, offset // self._spacing, offset)
        if self._position > offset:
            self._begin(point or Point(0, 0, 0, zlib.decompressobj(-zlib.MAX_WBITS)))
        elif point is not None and point.position > self._position:
            self._begin(point)

    def _inflate(self, most: int) -> bytes:
        """Some bytes, ``most`` at the most, and one at least."""
        data = self._step(most)
        if not data:
            raise self._damaged(f"its bytes end after {self._position} of {self._entry.size}")
        self._position += len(data)
        self._crc = zlib.crc32(data, self._crc)
        self.inflated += len(data)
        if self._position == self._entry.size:
            self._check_end()
        else:
            self._keep_point()
        return data

    def _step(self, most: int) -> bytes:
        """The same, or none where there is no more."""
        while not self._state.eof:
            if not self._waiting:
                rest = self._entry.packed - self._taken
                self._waiting = self._read_packed(self._entry.begin + self._taken, min(_READ, rest))
                self._taken += len(self._waiting)
            had = len(self._waiting)
            try:
                data = self._state.decompress(self._waiting, most)
            except zlib.error as error:
                raise self._damaged("its bytes are not deflated ones") from error
            self._waiting = self._state.unconsumed_tail
            if data or not had:
                return data
        return b""

    def _check_end(self) -> None:
        if self._step(1):
            raise self._damaged(f"more than {self._entry.size} bytes come out of it")
        if not self._state.eof or self._state.unused_data or self._taken < self._entry.packed:
            raise self._damaged(f"not all of its {self._entry.packed} packed bytes are used")
        if self._crc != self._entry.crc:
            raise self._damaged(f"its CRC is {self._crc:08x}, not {self._entry.crc:08x}")

    def _keep_point(self) -> None:
        number = self._position // self._spacing
        if number and not self._points.has(self._entry, number):
            taken = self._taken - len(self._waiting)
            point = Point(self._position, taken, self._crc, self._state.copy())
            self._points.keep(self._entry, number, point)

    def _damaged(self, what: str) -> SourceError:
        return damaged(self._entry, what)


def damaged(entry: Entry, what: str) -> SourceError:
    """The error for a member that is not what its archive says."""
    return SourceError(
        SourceReason.INTEGRITY,
        f"The member {entry.path!a} is damaged: {what}. Make the archive anew.",
    )
