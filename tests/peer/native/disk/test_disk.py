"""The directory of a store: one process, one version, one bound, and a disk that may be full."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from p2pcdn.errors import ConfigError
from peer.native.disk import disk as module
from peer.native.disk.disk import SETTLED, Disk, StoreError
from peer.native.disk.segment_file import HEAD, SegmentFile

CONTENT = "0123456789abcdef" * 2
DATA = bytes(1000)
SIZE = len(DATA) + HEAD.size


def root(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def written(disk: Disk, number: int) -> bool:
    """Whether a chunk of a segment of this number gets written."""
    done: list[bool] = []
    disk.write(disk.file(CONTENT, root(number)), 0, DATA, lambda: done.append(True))
    disk.flush()
    return bool(done)


def test_what_is_written_is_there_after_a_restart(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "store", 10_000)
    assert written(disk, 1)
    assert disk.used == SIZE
    disk.close()
    again = Disk(tmp_path / "store", 10_000)
    assert again.used == SIZE
    assert again.has(CONTENT, root(1))
    assert not again.has(CONTENT, root(2))
    file = again.file(CONTENT, root(1))
    assert file.read(0) is None, "nobody has looked yet"
    assert file.chunks() == [0]
    assert file.read(0) == DATA
    again.close()


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10_000)
    with pytest.raises(StoreError, match="in use by another process"):
        Disk(tmp_path, 10_000)
    code = (
        "import sys; from pathlib import Path; from peer.native.disk.disk import *\n"
        "try: Disk(Path(sys.argv[1]), 10_000)\n"
        "except StoreError: sys.exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 7
    disk.close()
    Disk(tmp_path, 10_000).close()


def test_a_store_of_an_older_version_is_discarded(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10_000)
    written(disk, 1)
    disk.close()
    (tmp_path / "format").write_text("p2pcdn store 0\n")
    with capture_logs() as logs:
        again = Disk(tmp_path, 10_000)
    assert [entry["event"] for entry in logs] == ["store_discarded"]
    assert "older format (p2pcdn store 0)" in logs[0]["meaning"]
    assert again.used == 0
    assert not (tmp_path / CONTENT).exists()
    again.close()
    with capture_logs() as logs:
        Disk(tmp_path, 10_000).close()
    assert logs == []


def test_a_store_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10_000)
    written(disk, 1)
    disk.close()
    (tmp_path / "format").write_text("p2pcdn store 2\n")
    with pytest.raises(StoreError, match="later p2pcdn"):
        Disk(tmp_path, 10_000)
    assert (tmp_path / CONTENT).exists()


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(ConfigError, match="is no store of p2pcdn"):
        Disk(tmp_path, 10_000)
    assert [path.name for path in tmp_path.iterdir() if path.name != "lock"] == ["holiday.jpg"]


def test_stores_of_several_processes_may_be_in_it(tmp_path: Path) -> None:
    ours, others = tmp_path / "format", {"1-of-4", "2-of-4", "lost+found"}
    for name in others:
        (tmp_path / name).mkdir()
    Disk(tmp_path, 10_000).close()
    ours.write_text("p2pcdn store 0\n")
    Disk(tmp_path, 10_000).close()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == others


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="has to be a directory that can be written to"):
        Disk(tmp_path / "file", 10_000)


def test_another_store_of_this_process_has_what_one_has_written(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 10_000)
    disk.file(CONTENT, root(1))
    assert not disk.has(CONTENT, root(1)), "nothing has been written"
    assert written(disk, 1)
    assert disk.has(CONTENT, root(1))
    disk.close()


def test_nothing_goes_after_a_start_while_contents_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest take longer than the smallest, and may be what is wanted most."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    disk = Disk(tmp_path, 4 * SIZE)
    for number in (1, 2, 3, 4):
        written(disk, number)
    disk.close()
    disk = Disk(tmp_path, 4 * SIZE)
    now = SETTLED - 1.0
    assert not written(disk, 5)
    disk.file(CONTENT, root(1))
    now = 2 * SETTLED - 2.0
    assert not written(disk, 6)
    assert all(disk.has(CONTENT, root(number)) for number in (1, 2, 3, 4))
    now = 2 * SETTLED
    assert written(disk, 7)
    held = [number for number in range(8) if disk.has(CONTENT, root(number))]
    assert held[0] == 1
    assert held[-3:] == [5, 6, 7], "what had waited for room is written, too"
    disk.close()


def test_what_is_released_makes_room_at_once(tmp_path: Path) -> None:
    disk = Disk(tmp_path, 2 * SIZE)
    assert written(disk, 1)
    disk.close()
    disk = Disk(tmp_path, 2 * SIZE)
    file = disk.file(CONTENT, root(2))
    disk.write(file, 0, DATA, lambda: None)
    disk.release([file])
    assert written(disk, 3)
    assert disk.has(CONTENT, root(1))
    assert not disk.has(CONTENT, root(2))
    disk.close()


def test_what_nobody_has_asked_for_makes_room_the_oldest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLED", 0.0)
    disk = Disk(tmp_path, 3 * SIZE)
    assert all(written(disk, number) for number in (1, 2, 3))
    assert not written(disk, 4), "all three are in use"
    disk.close()
    for number in (1, 2, 3):
        os.utime(tmp_path / CONTENT / root(number)[:2] / root(number), (10 - number, 10 - number))
    again = Disk(tmp_path, 3 * SIZE)
    again.file(CONTENT, root(3))
    assert written(again, 4)
    assert [again.has(CONTENT, root(number)) for number in (1, 2)] == [True, False]
    assert written(again, 5)
    assert not written(again, 6)
    assert SegmentFile(tmp_path / CONTENT / root(3)[:2] / root(3)).chunks() == [0]
    assert again.used == 3 * SIZE
    again.close()


def test_what_nobody_uses_any_more_may_go_and_is_there_until_then(tmp_path: Path) -> None:
    disk = Disk(tmp_path, SIZE)
    file = disk.file(CONTENT, root(1))
    disk.write(file, 0, DATA, lambda: None)
    disk.release([file])
    disk.flush()
    assert disk.has(CONTENT, root(1))
    assert written(disk, 2)
    assert not disk.has(CONTENT, root(1))
    assert disk.used == SIZE
    disk.close()


def test_what_is_removed_is_room_again(tmp_path: Path) -> None:
    disk = Disk(tmp_path, SIZE)
    files = [disk.file(CONTENT, root(number)) for number in (1, 2, 3)]
    for file in files:
        disk.write(file, 0, DATA, lambda: None)
    disk.remove(files[1])  # it is wanted no more
    disk.remove(files[0])
    disk.flush()
    assert SegmentFile(files[2].path).chunks() == [0], "it had waited for room"
    assert not files[1].path.exists()
    assert not written(disk, 4)
    assert disk.used == SIZE
    disk.close()


def test_a_full_disk_is_said_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    write = SegmentFile.append

    def append(file: SegmentFile, chunk: int, data: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, chunk, data)

    monkeypatch.setattr(SegmentFile, "append", append)
    disk = Disk(tmp_path, 10_000)
    with capture_logs() as logs:
        assert not written(disk, 1)
        assert not written(disk, 2)
        monkeypatch.setattr(module, "RETRY", 0.0)
        disk._retry_at = 0.0
        assert not written(disk, 3)
        full = False
        disk._retry_at = 0.0
        assert written(disk, 4)
    assert [entry["event"] for entry in logs] == ["store_not_written", "store_written_again"]
    assert logs[0]["error"] == "No space left on device"
    assert disk.used == 4 * SIZE, "what had waited for it is written, too"
    assert SegmentFile(disk.file(CONTENT, root(1)).path).chunks() == [0]
    disk.close()
