"""Segment indexes, made by hand as the standard draws them."""

from __future__ import annotations

import struct

import pytest

from p2pcdn.presentations import PresentationError
from p2pcdn.presentations.sidx import Reference, read


def box(kind: bytes, payload: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I4sQ", 1, kind, len(payload) + 16) + payload
    return struct.pack(">I4s", len(payload) + 8, kind) + payload


def sidx(
    references: list[tuple[int, int, bool]],
    *,
    timescale: int = 1000,
    first: int = 0,
    version: int = 0,
    wide: bool = False,
) -> bytes:
    """An index; references are lengths, durations, and whether they are to an index."""
    numbers = ">QQ" if version else ">II"
    head = struct.pack(">B3xII", version, 1, timescale) + struct.pack(numbers, 0, first)
    body = b"".join(
        struct.pack(">III", length | index << 31, duration, 0x9000_0000)
        for length, duration, index in references
    )
    return box(b"sidx", head + struct.pack(">HH", 0, len(references)) + body, wide=wide)


TWO = [(1000, 2000, False), (500, 1500, False)]


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("wide", [False, True])
def test_references_follow_the_index(version: int, wide: bool) -> None:
    data = sidx(TWO, version=version, first=16, wide=wide)
    end = 700 + len(data) + 16
    assert read(data + b"behind", 700) == [
        Reference(end, 1000, 2000, is_index=False),
        Reference(end + 1000, 500, 1500, is_index=False),
    ]


def test_other_boxes_may_come_first_and_the_timescale_counts() -> None:
    data = box(b"styp", b"msdh") + sidx([(9, 90_000, True)], timescale=90_000)
    assert read(data, 0) == [Reference(len(data), 9, 1000, is_index=True)]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "no segment index"),
        (b"\0\0\0", "no segment index"),
        (box(b"moof", b"x" * 40), "no segment index"),
        (struct.pack(">I4s", 0, b"free") + b"x" * 40, "no segment index"),
        (box(b"free", b"") * 100 + sidx(TWO), "no segment index"),
        (sidx(TWO)[:12], "cut off"),
        (sidx(TWO)[:-1], "cut off"),
        (struct.pack(">I4s", 1, b"sidx"), "cut off"),
        (box(b"sidx", b""), "cut off"),
        (sidx(TWO, timescale=0), "a timescale above 0"),
    ],
)
def test_what_is_no_index(data: bytes, sentence: str) -> None:
    with pytest.raises(PresentationError, match=sentence):
        read(data, 0)
