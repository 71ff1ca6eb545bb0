"""Segment indexes of MP4 files (ISO/IEC 14496-12, 8.16.3): which bytes are which subsegment."""

from __future__ import annotations

import struct
from typing import NamedTuple

from p2pcdn.presentations import PresentationError

_HEADER = struct.Struct(">I4s")
_MOST_BOXES = 16
"""That may stand before the index in the bytes that are said to hold it."""


class Reference(NamedTuple):
    """A part of the file."""

    offset: int
    length: int
    duration: int
    """In milliseconds."""
    is_index: bool
    """Whether it begins with an index of its own, and is no subsegment."""


def read(data: bytes, start: int) -> list[Reference]:
    """What the first index in these bytes refers to; they begin at byte ``start`` of the file."""
    try:
        return _references(data, *_find(data), start)
    except struct.error as error:
        raise PresentationError("A segment index (sidx) is cut off.") from error


def _find(data: bytes) -> tuple[int, int]:
    """Where the box begins behind its header, and where it ends."""
    at = 0
    for _ in range(_MOST_BOXES):
        if at + _HEADER.size > len(data):
            break
        size, kind = _HEADER.unpack_from(data, at)
        begin = at + _HEADER.size
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        if size < begin - at:
            break
        if kind == b"sidx":
            return begin, at + size
        at += size
    raise PresentationError("There is no segment index (sidx) where the manifest says so.")


def _references(data: bytes, at: int, end: int, start: int) -> list[Reference]:
    version, timescale = struct.unpack_from(">B7xI", data, at)
    wide = version > 0
    _, first = struct.unpack_from(">QQ" if wide else ">II", data, at + 12)
    at += 12 + (16 if wide else 8)
    (count,) = struct.unpack_from(">2xH", data, at)
    if not timescale:
        raise PresentationError("A segment index (sidx) has a timescale above 0.")
    # "anchor point: the first byte after the SegmentIndexBox" (8.16.3.1).
    offset = start + end + first
    found = []
    for n in range(count):
        size, duration = struct.unpack_from(">II4x", data, at + 4 + 12 * n)
        length = size & 0x7FFF_FFFF
        milliseconds = round(duration * 1000 / timescale)
        found.append(Reference(offset, length, milliseconds, is_index=size >> 31 == 1))
        offset += length
    return found
