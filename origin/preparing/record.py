"""What is remembered of a content that was prepared: from what, how, what its files hash to.

It lies beside them, hidden, so that it goes where they go: `p2pcdn verify` finds a flipped bit
whatever the file's time says, and on another machine, too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from p2pcdn.model import CHUNK_SIZE, HASH_SIZE

FILE = ".added"

VERSION = 1

GONE = "it is gone"
"""The damage of a file that is not there."""

_SAMPLE = 1024 * 1024


class Origin(msgspec.Struct, frozen=True):
    """What a content was made of: one version of a file, and what was asked for."""

    name: str
    size: int
    mtime_ns: int
    sample: str
    """SHA-256 of its beginning, its middle and its end, in hexadecimal."""
    segment: float
    ladder: tuple[int, ...] = ()
    separate_audio: bool = False
    encode: bool = False


class Hashes(msgspec.Struct, frozen=True):
    """A file that was made."""

    size: int
    chunks: bytes
    """SHA-256 of each 64 KiB, one after another."""


class Record(msgspec.Struct, frozen=True):
    """All of it."""

    version: int
    origin: Origin
    seconds: float
    renditions: tuple[str, ...]
    """What is offered, as `720p (H.264 as it was)`."""
    files: dict[str, Hashes]
    """By their names."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())


class Damage(msgspec.Struct, frozen=True):
    """A run of bytes that is not what it was."""

    file: str
    offset: int
    length: int
    reason: str

    @property
    def is_gone(self) -> bool:
        """Whether the file is not there at all."""
        return self.reason == GONE


def hashes(data: bytes) -> Hashes:
    """What a file of these bytes must hash to."""
    chunks = (
        hashlib.sha256(memoryview(data)[at : at + CHUNK_SIZE]).digest()
        for at in range(0, len(data), CHUNK_SIZE)
    )
    return Hashes(len(data), b"".join(chunks))


def sample_of(file: BinaryIO) -> str:
    """What tells a file from others without reading all of it."""
    size = file.seek(0, os.SEEK_END)
    digest = hashlib.sha256()
    for at in sorted({0, max(0, size // 2 - _SAMPLE // 2), max(0, size - _SAMPLE)}):
        file.seek(at)
        digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def read(folder: Path) -> Record | None:
    """The record of a folder; None if it has none, so that nobody has prepared it."""
    try:
        return msgspec.msgpack.decode((folder / FILE).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def write(folder: Path, record: Record) -> None:
    """Put the record into a folder."""
    (folder / FILE).write_bytes(msgspec.msgpack.encode(record))


def damages(folder: Path, record: Record) -> Iterator[Damage | int]:
    """What of the files is not what it was, and between these how many bytes were looked at."""
    for name, known in record.files.items():
        yield from _damages_of(folder / name, name, known)


def _damages_of(path: Path, name: str, known: Hashes) -> Iterator[Damage | int]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield Damage(name, 0, known.size, GONE)
        return
    except OSError as error:
        yield Damage(name, 0, known.size, f"it cannot be read ({error.strerror})")
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        if size != known.size:
            yield Damage(name, min(size, known.size), abs(size - known.size), _length(size, known))
        for number in range(min(len(known.chunks) // HASH_SIZE, -(-size // CHUNK_SIZE))):
            data = file.read(CHUNK_SIZE)
            digest = known.chunks[number * HASH_SIZE : (number + 1) * HASH_SIZE]
            whole = len(data) == min(CHUNK_SIZE, known.size - number * CHUNK_SIZE)
            if whole and hashlib.sha256(data).digest() != digest:
                yield Damage(name, number * CHUNK_SIZE, len(data), "its bytes are others")
            yield len(data)


def _length(size: int, known: Hashes) -> str:
    return f"it has {size} bytes instead of {known.size}"
