"""A segment's file: what was written is there, and what is torn is not."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from peer.native.disk.segment_file import HEAD, NOTE_EVERY, SegmentFile

DATA = bytes(range(256)) * 256


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ab" / "abcd"


def reopened(path: Path) -> SegmentFile:
    """The file as a later process finds it."""
    file = SegmentFile(path)
    file.chunks()
    return file


def test_what_was_written_is_there_for_whoever_comes_later(path: Path) -> None:
    file = SegmentFile(path)
    assert file.chunks() == []
    assert file.read(0) is None
    assert file.append(3, DATA) == len(DATA) + HEAD.size
    file.append(0, b"short")
    for reader in (file, reopened(path)):
        assert reader.chunks() == [0, 3]
        assert (reader.read(0), reader.read(3), reader.read(1)) == (b"short", DATA, None)


@pytest.mark.parametrize("missing", [1, len(DATA), len(DATA) + 3])
def test_what_is_torn_is_cut_off_and_written_anew(path: Path, missing: int) -> None:
    file = SegmentFile(path)
    file.append(0, DATA)
    file.append(1, DATA)
    os.truncate(path, path.stat().st_size - missing)
    again = SegmentFile(path)
    assert again.chunks() == [0]
    assert path.stat().st_size == len(DATA) + HEAD.size
    again.append(1, DATA)
    assert reopened(path).read(1) == DATA


@pytest.mark.parametrize(
    "head", [HEAD.pack(0, 0), HEAD.pack(0, 65_537), HEAD.pack(65_536, 1), bytes(8)]
)
def test_nothing_is_read_behind_what_is_no_chunk(path: Path, head: bytes) -> None:
    SegmentFile(path).append(0, DATA)
    with path.open("ab") as file:
        file.write(head + DATA)
    assert SegmentFile(path).chunks() == [0]


def test_the_later_copy_of_a_chunk_counts(path: Path) -> None:
    file = SegmentFile(path)
    file.append(0, b"wrong")
    file.forget(0)
    assert file.read(0) is None
    file.append(0, b"right")
    assert file.read(0) == reopened(path).read(0) == b"right"


def test_what_is_removed_takes_nothing_any_more(path: Path) -> None:
    file = SegmentFile(path)
    file.append(0, DATA)
    file.remove()
    assert file.append(1, DATA) == 0
    assert not path.exists()
    assert file.read(0) is None


def test_a_write_that_fails_leaves_no_trace(path: Path) -> None:
    """The system takes a part of a chunk, and no more."""
    file = SegmentFile(path)
    file.append(0, DATA)
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))
    try:
        with pytest.raises(OSError) as failure:  # noqa: PT011 - its number is looked at
            file.append(1, DATA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert failure.value.errno == errno.EFBIG
    assert path.stat().st_size == size
    assert file.chunks() == [0]
    file.append(1, DATA)
    assert reopened(path).read(1) == DATA


KILLED = """
import sys
import time
from pathlib import Path
from peer.native.disk.segment_file import SegmentFile

file = SegmentFile(Path(sys.argv[1]))
for number in range(60_000):
    file.append(number, number.to_bytes(4, "big") * 16_384)
    print(number, flush=True)
"""


def test_who_is_killed_while_writing_loses_one_chunk_at_most(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 50:
            pass
        writer.kill()
        told = [50, *map(int, writer.stdout.read().split())]
    file = SegmentFile(path)
    chunks = file.chunks()
    assert chunks == list(range(len(chunks)))
    assert len(chunks) > told[-1]
    for number in chunks:
        assert file.read(number) == number.to_bytes(4, "big") * 16_384
    file.append(60_001, DATA)
    assert reopened(path).read(60_001) == DATA


def test_that_it_is_used_is_noted_now_and_then(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    file = SegmentFile(path)
    file.note()
    assert not path.exists()
    file = SegmentFile(path)
    file.append(0, DATA)
    for at, noted in ((0.0, True), (NOTE_EVERY - 1.0, False), (NOTE_EVERY, True)):
        now = at
        os.utime(path, (1.0, 1.0))
        file.note()
        assert (path.stat().st_mtime > 1.0) is noted
