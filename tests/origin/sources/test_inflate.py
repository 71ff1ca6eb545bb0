"""Deflated bytes from any point, with bounded memory and time."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

import pytest

from origin.sources.archive import Entry
from origin.sources.inflate import Inflater, Points
from p2pcdn.errors import SourceError, SourceReason

MIB = 1024 * 1024
PLAIN = bytes(random.Random(1).choices(b"abcdefgh", k=5 * MIB + 123))


def packed(plain: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


PACKED = packed(PLAIN)
GOOD = Entry("a.txt", len(PLAIN), len(PACKED), zlib.crc32(PLAIN), True, 0)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, size: data[offset : offset + size]


def inflater(points: Points | None = None) -> Inflater:
    return Inflater(GOOD, reader(PACKED), points or Points())


def test_from_beginning_to_end() -> None:
    found = inflater()
    blocks = iter(lambda: found.read(found._position, 100_000), b"")
    assert b"".join(blocks) == PLAIN
    assert found.inflated == len(PLAIN)


def test_at_once_and_at_any_place() -> None:
    found = inflater()
    assert found.read(0, 10 * MIB) == PLAIN
    chance = random.Random(2)
    for _ in range(100):
        offset, size = chance.randrange(len(PLAIN) + 9), chance.randrange(20_000)
        assert found.read(offset, size) == PLAIN[offset : offset + size]


def test_once_somebody_was_there_it_takes_little() -> None:
    points = Points()
    inflater(points).read(len(PLAIN) - 1, 1)
    for offset in (len(PLAIN) - 10, 3 * MIB, 2 * MIB - 1):
        another = inflater(points)
        assert another.read(offset, 10) == PLAIN[offset : offset + 10]
        assert another.inflated <= MIB + 131_072


def test_memory_is_bounded() -> None:
    points = Points(most=2)
    inflater(points).read(0, len(PLAIN))
    assert len(points._points) == 2
    another = inflater(points)
    assert another.read(100, 10) == PLAIN[100:110]
    assert another.read(5 * MIB, 10) == PLAIN[5 * MIB : 5 * MIB + 10]


def test_a_large_member_has_no_more_points_than_a_small_one() -> None:
    large = Inflater(GOOD._replace(size=1024 * MIB), reader(PACKED), Points())
    assert large._spacing == 8 * MIB


SMALL = b"hello " * 1000
LIES: dict[str, tuple[bytes, dict[str, int], str]] = {
    "another CRC": (packed(SMALL), {"crc": 1}, "its CRC is"),
    "fewer bytes": (packed(SMALL), {"size": 7000}, "its bytes end after 6000 of 7000"),
    "more bytes": (packed(SMALL), {"size": 5000}, "more than 5000 bytes come out of it"),
    "no deflated bytes": (b"\xff" * 100, {}, "its bytes are not deflated ones"),
    "cut off": (packed(SMALL)[:-5], {}, "its bytes end after"),
    "bytes behind its end": (packed(SMALL) + b"more", {}, "packed bytes are used"),
    "bytes far behind its end": (packed(SMALL) + bytes(100_000), {}, "packed bytes are used"),
    "a flipped bit": (packed(SMALL)[:20] + b"\x55" + packed(SMALL)[21:], {}, "is damaged"),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_come_out_before_the_last_byte(name: str) -> None:
    data, wrong, sentence = LIES[name]
    true = Entry("a.txt", len(SMALL), len(data), zlib.crc32(SMALL), True, 0)
    found = Inflater(true._replace(**wrong), reader(data), Points())  # type: ignore[arg-type]
    blocks = (found.read(offset, 500) for offset in range(0, 8000, 500))
    with pytest.raises(SourceError) as caught:
        all(block is not None for block in blocks)
    assert caught.value.reason is SourceReason.INTEGRITY
    assert sentence in caught.value.detail
    assert caught.value.detail.startswith("The member 'a.txt' is damaged: ")
    assert found._position <= true._replace(**wrong).size  # type: ignore[arg-type]
