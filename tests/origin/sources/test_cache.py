"""Bytes of far files on a disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from origin.sources import cache as module
from origin.sources.cache import DiskCache, Piece
from tests.origin.media_files import noise

SIZE = 10_000
KEPT = SIZE + 16
"""What a piece takes, with its hash."""


def key(number: int) -> str:
    return hashlib.sha256(bytes([number])).hexdigest()


def put(cache: DiskCache, *numbers: int) -> None:
    for number in numbers:
        assert cache.keep(key(number), noise(SIZE, number))


def has(cache: DiskCache, *numbers: int) -> list[int]:
    return [n for n in numbers if cache.find(key(n), SIZE) is not None]


def problem(cache: DiskCache) -> str | None:
    return cache.problem


def all_of(piece: Piece | None) -> bytes:
    assert piece is not None
    return piece.read(0, 2 * SIZE)


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", 10 * KEPT)
    assert cache.find(key(1), SIZE) is None
    put(cache, 1)
    piece = cache.find(key(1), SIZE)
    assert all_of(piece) == noise(SIZE, 1)
    assert piece is not None
    assert piece.read(SIZE - 3, 10) == noise(SIZE, 1)[-3:]
    assert piece.read(SIZE, 10) == b""
    cached = piece.read_cached(5, 10)
    assert cached is None or bytes(cached) == noise(SIZE, 1)[5:15]
    assert piece.read_cached(SIZE, 10) is None
    assert cache.total == KEPT


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    put(DiskCache(tmp_path, 10 * KEPT), 1, 2)
    assert has(DiskCache(tmp_path, 10 * KEPT), 1, 2, 3) == [1, 2]


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 3 * KEPT)
    put(cache, 1, 2, 3)
    assert has(cache, 1) == [1]
    put(cache, 4)
    assert has(cache, 1, 2, 3, 4) == [1, 3, 4]
    assert cache.total == 3 * KEPT
    assert sum(path.stat().st_size for path in files(tmp_path)) == 3 * KEPT
    put(cache, 4)
    assert has(cache, 4) == [4]
    assert cache.total <= 3 * KEPT


def test_so_it_is_after_a_restart(tmp_path: Path) -> None:
    put(DiskCache(tmp_path, 3 * KEPT), 1, 2, 3)
    for number, path in ((n, tmp_path / key(n)[:2] / key(n)) for n in (1, 2, 3)):
        os.utime(path, (number % 3, number % 3))  # the third was used longest ago
    cache = DiskCache(tmp_path, 3 * KEPT)
    put(cache, 4)
    assert has(cache, 1, 2, 3, 4) == [1, 2, 4]


def test_a_piece_that_is_open_stays(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, KEPT)
    put(cache, 1)
    piece = cache.find(key(1), SIZE)
    put(cache, 2)
    assert has(cache, 1, 2) == [2]
    assert all_of(piece) == noise(SIZE, 1)


def test_nothing_larger_than_all_of_it_is_kept(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", KEPT - 1)
    assert not cache.keep(key(1), noise(SIZE))
    nothing = DiskCache(tmp_path / "cache", 0)
    assert not nothing.keep(key(1), b"")
    assert nothing.find(key(1), 0) is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "longer", "flipped", "hash"])
def test_what_a_crash_or_a_disk_has_damaged_is_not_believed(tmp_path: Path, damage: str) -> None:
    put(DiskCache(tmp_path, 10 * KEPT), 1)
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[SIZE // 2] ^= 1
    elif damage == "hash":
        data[-1] ^= 1
    else:
        data = {"cut": data[:-1], "empty": data[:0], "longer": data + b"x"}[damage]
    path.write_bytes(data)
    cache = DiskCache(tmp_path, 10 * KEPT)
    assert has(cache, 1) == []
    assert files(tmp_path) == []
    put(cache, 1)
    assert has(cache, 1) == [1]


def test_another_length_is_another_piece(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, 10 * KEPT)
    put(cache, 1)
    assert cache.find(key(1), SIZE - 1) is None


def test_several_processes_share_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = DiskCache(tmp_path, 3 * KEPT), DiskCache(tmp_path, 3 * KEPT)
    put(one, 1, 2)
    put(other, 3)
    assert has(one, 1, 2, 3) == [1, 2, 3]
    monkeypatch.setattr(module, "SCAN", 0.0)
    other._scan_at = 0.0
    put(other, 4)
    assert len(files(tmp_path)) == 3
    assert has(one, 4) == [4]


def test_what_was_left_behind_is_swept(tmp_path: Path) -> None:
    for name, age in ((".1-1", 2 * module.OLD), (".2-2", 0)):
        (tmp_path / name).write_bytes(b"x")
        now = (tmp_path / name).stat().st_mtime
        os.utime(tmp_path / name, (now - age, now - age))
    put(DiskCache(tmp_path, 10 * KEPT), 1)
    assert [path.name for path in files(tmp_path)] == [".2-2", key(1)]


def test_a_disk_that_fails_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = DiskCache(tmp_path, 10 * KEPT)

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        assert not cache.keep(key(1), noise(SIZE))
    assert cache.problem == f"Nothing can be kept in {tmp_path}: No space left on device."
    assert files(tmp_path) == []
    put(cache, 1)
    assert not problem(cache)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", full)
        cache._good.clear()
        assert cache.find(key(1), SIZE) is None
    assert problem(cache)
