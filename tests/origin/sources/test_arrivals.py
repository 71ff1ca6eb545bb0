"""Bytes that are just coming."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from origin.sources.arrivals import Arrival
from origin.sources.cache import DiskCache
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.media_files import noise


def test_what_is_there_is_read_at_once() -> None:
    arrival = Arrival(10)
    assert arrival.read_cached(0, 4) is None
    arrival.give(b"0123")
    arrival.give(b"45")
    assert arrival.read(1, 4) == b"1234"
    assert bytes(arrival.read_cached(4, 2) or b"") == b"45"
    assert arrival.read_cached(4, 3) is None
    arrival.give(b"6789")
    assert arrival.read(8, 100) == b"89"
    assert bytes(arrival.read_cached(8, 100) or b"") == b"89"
    assert arrival.read(10, 1) == b""
    assert arrival.data == b"0123456789"


def test_what_is_not_there_is_waited_for() -> None:
    arrival = Arrival(10)
    read: list[bytes] = []
    readers = [threading.Thread(target=lambda: read.append(arrival.read(0, 10))) for _ in range(3)]
    for reader in readers:
        reader.start()
    arrival.give(b"01234")
    assert read == []
    arrival.give(b"56789")
    for reader in readers:
        reader.join(10)
    assert read == [b"0123456789"] * 3


def test_what_will_not_come_is_an_error_for_all() -> None:
    arrival = Arrival(10)
    arrival.give(b"01234")
    arrival.fail(SourceError(SourceReason.CLOSED, "why"))
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            arrival.read(0, 2)  # not even what came: it may be wrong as well
        assert (caught.value.reason, caught.value.detail) == (SourceReason.CLOSED, "why")
    assert arrival.read_cached(0, 2) is None


def test_what_is_on_the_disk_is_read_from_there(tmp_path: Path) -> None:
    arrival, data = Arrival(100_000), noise(100_000)
    arrival.give(data)
    assert arrival.is_whole
    cache = DiskCache(tmp_path, 10**6)
    assert cache.keep("0" * 64, data)
    piece = cache.find("0" * 64, len(data))
    assert piece is not None
    arrival.settle(piece)
    assert arrival.is_whole
    assert arrival.data == b""
    assert arrival.read(10, 70_000) == data[10:70_010]
    assert arrival.read(99_990, 100) == data[-10:]
    cached = arrival.read_cached(5, 5)
    assert cached is None or bytes(cached) == data[5:10]


def test_what_will_not_come_takes_no_memory() -> None:
    arrival = Arrival(10)
    arrival.give(b"01234")
    arrival.fail(SourceError(SourceReason.CLOSED, "why"))
    assert arrival.data == b""
