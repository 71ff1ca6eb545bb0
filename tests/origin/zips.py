"""Zip archives written byte by byte, good ones and others.

What the standard library would never write has to be made by hand: a header that says one thing
and a directory that says another.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.origin.media_files import write

LARGE = 0xFFFF_FFFF


@dataclass(frozen=True)
class Part:
    """A member: what stands in the directory, and what of it stands otherwise in its header."""

    name: bytes = b"a.ts"
    data: bytes = b"hello"
    """As it is in the archive."""
    method: int = 0
    flags: int = 0
    size: int | None = None
    packed: int | None = None
    crc: int | None = None
    mode: int = 0
    at: int | None = None
    """Where the directory says that its header is."""
    extra: bytes = b""
    local: Mapping[str, int | bytes] = field(default_factory=dict)
    """What its header has of `magic`, `name`, `flags`, `method`, `crc`, `packed`, `size`, `extra`
    otherwise than the directory."""
    after: bytes = b""


def deflated(plain: bytes, name: bytes = b"a.txt", **other: int) -> Part:
    """A deflated member."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(plain) + packer.flush()
    return Part(
        name,
        packed,
        8,
        size=other.get("size", len(plain)),
        packed=other.get("packed"),
        crc=other.get("crc", zlib.crc32(plain)),
    )


def archive(*parts: Part, before: bytes = b"", gap: bytes = b"", end: bytes | None = None) -> bytes:
    """The bytes of an archive; its ``end`` is its own unless given."""
    out, directory = bytearray(before), bytearray()
    for part in parts:
        crc = zlib.crc32(part.data) if part.crc is None else part.crc
        packed = len(part.data) if part.packed is None else part.packed
        size = packed if part.size is None else part.size
        at = len(out) - len(before) if part.at is None else part.at
        said: dict[str, Any] = {"name": part.name, "flags": part.flags, "method": part.method}
        said |= {"crc": crc, "packed": packed, "size": size, "magic": b"PK\3\4", "extra": b""}
        said |= part.local
        name, extra = said["name"], said["extra"]
        numbers = (said[key] for key in ("crc", "packed", "size"))
        out += struct.pack("<4s5H", said["magic"], 20, said["flags"], said["method"], 0, 33)
        out += struct.pack("<3L2H", *numbers, len(name), len(extra))
        out += name + extra + part.data + part.after
        directory += struct.pack("<4s6H", b"PK\1\2", 20, 20, part.flags, part.method, 0, 33)
        directory += struct.pack("<3L", crc, packed, size)
        directory += struct.pack("<5H", len(part.name), len(part.extra), 0, 0, 0)
        directory += struct.pack("<2L", part.mode << 16, at) + part.name + part.extra
    out += gap
    if end is None:
        end = ending(len(parts), len(directory), len(out) - len(before))
    return bytes(out + directory + end)


def ending(
    count: int = 1,
    length: int = 0,
    offset: int = 0,
    *,
    here: int | None = None,
    disk: int = 0,
    comment: bytes = b"",
    comment_length: int | None = None,
) -> bytes:
    """The end of an archive."""
    said = len(comment) if comment_length is None else comment_length
    here = count if here is None else here
    return struct.pack("<4s4H2LH", b"PK\5\6", disk, 0, here, count, length, offset, said) + comment


def ending64(count: int, length: int, offset: int, *, where: int | None = None) -> bytes:
    """The record of a ZIP64 archive, and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    return record + struct.pack(
        "<4sLQL", b"PK\6\7", 0, offset + length if where is None else where, 1
    )


def zipped(path: Path, files: Mapping[str, bytes], *, deflate: bool = False) -> Path:
    """A good archive of these files, put there at once."""
    draft = path.with_name(f".{path.name}.draft")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as to:
        for name, data in files.items():
            to.writestr(name, data)
    draft.replace(path)
    return path


def unzipped(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The same files in a directory."""
    folder.mkdir()
    for name, data in files.items():
        write(folder / name, data)
    return folder
