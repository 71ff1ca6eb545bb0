"""What is remembered of a content, and what is found by it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from origin.preparing import record
from origin.preparing.record import Damage, Origin, Record
from p2pcdn.model import CHUNK_SIZE
from tests.origin.media_files import write

DATA = bytes(range(256)) * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "a.m4s", DATA)
    write(tmp_path / "b.m3u8", b"#EXTM3U")
    files = {name: record.hashes((tmp_path / name).read_bytes()) for name in ("a.m4s", "b.m3u8")}
    origin = Origin("a.mp4", 1, 2, "00", 4.0)
    record.write(tmp_path, Record(record.VERSION, origin, 1.5, ("720p",), files))
    return tmp_path


def damages(folder: Path) -> list[Damage]:
    known = record.read(folder)
    assert known is not None
    return [each for each in record.damages(folder, known) if isinstance(each, Damage)]


def test_it_is_read_as_it_was_written(folder: Path) -> None:
    known = record.read(folder)
    assert known is not None
    assert known.size == len(DATA) + 7
    assert known.origin.name == "a.mp4"
    assert damages(folder) == []


def test_a_folder_without_one_was_not_prepared(tmp_path: Path) -> None:
    assert record.read(tmp_path) is None
    write(tmp_path / record.FILE, b"\xff something else")
    assert record.read(tmp_path) is None


@pytest.mark.parametrize("at", [0, CHUNK_SIZE - 1, CHUNK_SIZE, len(DATA) - 1])
def test_a_flipped_bit_is_found_in_its_chunk(folder: Path, at: int) -> None:
    data = bytearray(DATA)
    data[at] ^= 1
    write(folder / "a.m4s", bytes(data))
    chunk = at // CHUNK_SIZE
    length = min(CHUNK_SIZE, len(DATA) - chunk * CHUNK_SIZE)
    assert damages(folder) == [Damage("a.m4s", chunk * CHUNK_SIZE, length, "its bytes are others")]


def test_what_is_gone_or_has_another_length(folder: Path) -> None:
    (folder / "b.m3u8").unlink()
    write(folder / "a.m4s", DATA[:-100])
    assert damages(folder) == [
        Damage("a.m4s", len(DATA) - 100, 100, f"it has {len(DATA) - 100} bytes instead of 256000"),
        Damage("b.m3u8", 0, 7, "it is gone"),
    ]


def test_a_sample_tells_files_apart() -> None:
    large = bytes(5 * 1024 * 1024)
    samples = {record.sample_of(io.BytesIO(large))}
    for at in (0, len(large) // 2, len(large) - 1):
        other = bytearray(large)
        other[at] = 1
        samples.add(record.sample_of(io.BytesIO(bytes(other))))
    samples.add(record.sample_of(io.BytesIO(b"")))
    assert len(samples) == 5
