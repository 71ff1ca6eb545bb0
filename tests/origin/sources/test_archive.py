"""What is in an archive; and archives that are refused, each with a sentence."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from origin.sources import archive as archives
from origin.sources.archive import BadArchiveError, Entry, read_entries
from tests.origin.zips import LARGE, Part, archive, deflated, ending, ending64

HELLO = zlib.crc32(b"hello")
STREAMED = {"crc": 0, "packed": 0, "size": 0}
GOOD = Part()
DIRECTORY = 46 + len(GOOD.name)
HEADER = 30 + len(GOOD.name)


def entries(tmp_path: Path, data: bytes) -> list[Entry]:
    file = tmp_path / "a.zip"
    file.write_bytes(data)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        return read_entries(descriptor)
    finally:
        os.close(descriptor)


def written(write: Callable[[zipfile.ZipFile], None]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        write(file)
    return out.getvalue()


def local(**other: int | bytes) -> bytes:
    return archive(Part(local=other))


def sizes64(size: int, packed: int) -> bytes:
    return struct.pack("<2H2Q", 1, 16, size, packed)


def ended(end: bytes) -> bytes:
    """A good archive with another end."""
    return archive(GOOD, end=end)


HOSTILE = {
    # what it is as a whole
    "empty": (b"", "cut off, or no zip archive"),
    "something else": (b"\x47" * 1000, "cut off, or no zip archive"),
    "cut off in a member": (archive(GOOD)[:20], "cut off, or no zip archive"),
    "cut off in the directory": (archive(GOOD)[:-30], "cut off, or no zip archive"),
    "cut off in its end": (archive(GOOD)[:-5], "cut off, or no zip archive"),
    "cut out of the middle": (archive(GOOD)[:32] + archive(GOOD)[35:], "directory is not where"),
    "something before it": (archive(GOOD, before=b"#!/bin/sh\n"), "something was put before it"),
    "something behind it": (archive(GOOD) + b"more", "something was appended"),
    "a comment that is cut off": (
        ended(ending(1, DIRECTORY, HEADER + 5, comment=b"x", comment_length=9)),
        "does not end where it says",
    ),
    "an archive in its comment": (
        ended(ending(1, DIRECTORY, HEADER + 5, comment=archive(Part(b"b.ts")))),
        "directory is not where",
    ),
    "one of several parts": (
        ended(ending(2, DIRECTORY, HEADER + 5, here=1)),
        "one of several parts",
    ),
    "on another disk": (ended(ending(1, DIRECTORY, HEADER + 5, disk=3)), "one of several parts"),
    "more members than it has": (
        ended(ending(5, DIRECTORY, HEADER + 5)),
        "is not one of 5 members",
    ),
    "fewer members than it has": (
        ended(ending(0, DIRECTORY, HEADER + 5)),
        "is not one of 0 members",
    ),
    "a directory elsewhere": (ended(ending(1, DIRECTORY, 7)), "directory is not where"),
    "a directory of another size": (
        ended(ending(1, DIRECTORY + 1, HEADER + 5)),
        "directory is not where",
    ),
    "a directory of something else": (
        archive(GOOD).replace(b"PK\1\2", b"PK\1\1"),
        "directory cannot be read",
    ),
    "a name that is cut off": (
        archive(GOOD).replace(
            struct.pack("<5H", len(GOOD.name), 0, 0, 0, 0), struct.pack("<5H", 900, 0, 0, 0, 0)
        ),
        "is not one of 1 members",
    ),
    "fields that are cut off": (
        archive(Part(extra=b"\1\0\x20\0")),
        "directory cannot be read",
    ),
    "ZIP64 without what makes it one": (ended(ending(0xFFFF, LARGE, LARGE)), "lacks what makes it"),
    "ZIP64 with a record elsewhere": (
        ended(ending64(1, DIRECTORY, HEADER + 5, where=0) + ending(1, DIRECTORY, HEADER + 5)),
        "contradict each other",
    ),
    "two ends that contradict each other": (
        ended(ending64(1, DIRECTORY, HEADER + 5) + ending(1, DIRECTORY, 0)),
        "contradict each other",
    ),
    "millions of members": (
        ended(ending64(10**7, DIRECTORY, HEADER + 5) + ending(0xFFFF, LARGE, LARGE)),
        "It has 10000000 members",
    ),
    # names
    "an absolute path": (archive(Part(b"/etc/passwd")), "'/etc/passwd' has an absolute path"),
    "a path that leads out": (archive(Part(b"a/../../b.ts")), "leads out of its folder by `..`"),
    "`..` alone": (archive(Part(b"..")), "leads out of its folder by `..`"),
    "a backslash": (archive(Part(rb"..\b.ts")), "has a backslash in its name"),
    "a drive": (archive(Part(b"C:b.ts")), "begins with the letter of a drive"),
    "a NUL in a name": (archive(Part(b"a.ts\0.txt")), "control characters"),
    "a line feed in a name": (archive(Part(b"a\n.ts")), "control characters"),
    "a folder without a name": (archive(Part(b"a//b.ts")), "has an empty name or `.`"),
    "`.` in a path": (archive(Part(b"./b.ts")), "has an empty name or `.`"),
    "no name": (archive(Part(b"")), "has an empty name"),
    "no UTF-8 where it says so": (archive(Part(b"\xff.ts", flags=0x800)), "cannot be read"),
    "a name that another field hides": (
        archive(
            Part(extra=struct.pack("<2HBL", 0x7075, 9, 1, zlib.crc32(b"a.ts")) + b"../b"),
        ),
        "leads out of its folder by `..`",
    ),
    "two of a name": (archive(GOOD, GOOD), "two members 'a.ts'"),
    "two of a name, written in two ways": (
        archive(Part(b"\xc3\xa9.ts"), Part(b"\xc3\xa9.ts", flags=0x800)),
        "two members '\\xe9.ts'",
    ),
    "a file and a folder of a name": (
        archive(Part(b"a"), Part(b"a/b.ts")),
        "both a file and a folder 'a'",
    ),
    # kinds
    "encrypted": (archive(Part(flags=1)), "is encrypted"),
    "strongly encrypted": (archive(Part(flags=0x41)), "is encrypted"),
    "a symbolic link": (archive(Part(data=b"/etc/passwd", mode=0o120777)), "is a symbolic link"),
    "a device": (archive(Part(mode=0o020666)), "is neither a file nor a folder"),
    "a folder without its slash": (archive(Part(mode=0o040755)), "neither a file nor a folder"),
    "a folder with bytes": (archive(Part(b"a/")), "a folder with bytes of its own"),
    "bzip2": (archive(Part(method=12)), "is packed by method 12; store it"),
    "deflate64": (archive(Part(method=9)), "is packed by method 9; store it"),
    "a patch": (archive(Part(flags=0x20)), "is packed by method 0"),
    # sizes
    "stored, and smaller": (archive(Part(size=9)), "is stored, yet of 9 bytes in 5"),
    "empty, with a CRC": (archive(Part(data=b"", crc=7)), "is empty, yet has the CRC 00000007"),
    "longer than there is": (archive(Part(packed=2000)), "would end behind the last"),
    "into the directory": (archive(Part(packed=6)), "would end behind the last"),
    "a bomb": (archive(deflated(bytes(2_000_000))), "would be 2000000 bytes from"),
    "many small bombs": (
        archive(*(deflated(bytes(1_000_000), b"%d" % n) for n in range(300))),
        "deflated members would be 300000000 bytes",
    ),
    "a very large deflated one": (
        archive(Part(method=8, size=2**31, packed=2**30 - 9)),
        "is deflated and has 2147483648 bytes; store what is larger",
    ),
    # members that share bytes
    "the same bytes twice": (
        archive(GOOD, Part(b"b.ts", at=0)),
        "'a.ts' and 'b.ts' overlap",
    ),
    "one in another": (
        archive(Part(b"a.ts", archive(Part(b"b.ts"))), Part(b"b.ts", at=HEADER)),
        "'a.ts' and 'b.ts' overlap",
    ),
    "one that ends in the next": (
        archive(Part(packed=40, local={"packed": 40, "size": 40}), Part(b"b.ts")),
        "'a.ts' and 'b.ts' overlap",
    ),
    # headers that say something else
    "no header": (local(magic=b"PK\3\5"), "there is no header"),
    "no header there": (archive(Part(at=3)), "there is no header"),
    "another name": (local(name=b"b.ts"), "its header has another name"),
    "a longer name": (local(name=b"a.ts.txt"), "its header has another name"),
    "another method": (local(method=8), "its header has another method"),
    "encrypted by its header alone": (local(flags=1), "another method or other flags"),
    "another size": (local(size=6, packed=6), "other sizes or another CRC"),
    "another CRC": (local(crc=1), "other sizes or another CRC"),
    "sizes of zero that none follow": (local(**STREAMED), "other sizes or another CRC"),
    "other sizes follow": (
        archive(Part(flags=8, local=STREAMED, after=struct.pack("<3L", HELLO, 5, 6))),
        "other sizes or another CRC follow",
    ),
    "no sizes follow": (archive(Part(flags=8, local=STREAMED)), "CRC follow its bytes"),
    "large sizes that are nowhere": (local(size=LARGE, packed=LARGE), "its header lacks the sizes"),
    "other large sizes": (
        local(size=LARGE, packed=LARGE, extra=sizes64(6, 6)),
        "other sizes or another CRC",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_as_it_should_be_is_refused(tmp_path: Path, name: str) -> None:
    data, sentence = HOSTILE[name]
    with pytest.raises(BadArchiveError) as caught:
        entries(tmp_path, data)
    assert sentence in str(caught.value)
    assert str(caught.value)[-1] == ".", "a sentence"


def test_there_are_forty_of_them() -> None:
    assert len({data for data, _ in HOSTILE.values()}) >= 40


def test_none_is_refused_for_how_it_is_made(tmp_path: Path) -> None:
    assert entries(tmp_path, archive(GOOD)) == [Entry("a.ts", 5, 5, HELLO, False, HEADER)]


DESCRIPTORS = {
    "with a signature": b"PK\7\10" + struct.pack("<3L", HELLO, 5, 5),
    "without": struct.pack("<3L", HELLO, 5, 5),
    "large, with a signature": b"PK\7\10" + struct.pack("<L2Q", HELLO, 5, 5),
    "large, without": struct.pack("<L2Q", HELLO, 5, 5),
}


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_sizes_that_follow(tmp_path: Path, name: str) -> None:
    part = Part(flags=8, local=STREAMED, after=DESCRIPTORS[name])
    found = entries(tmp_path, archive(part, Part(b"b.ts", b"world")))
    assert [(entry.path, entry.size) for entry in found] == [("a.ts", 5), ("b.ts", 5)]


GOOD_ONES = {
    "with a comment": ended(ending(1, DIRECTORY, HEADER + 5, comment=b"made by hand")),
    "with bytes that are no member's": archive(GOOD, gap=b"removed from it"),
    "ZIP64": ended(ending64(1, DIRECTORY, HEADER + 5) + ending(0xFFFF, LARGE, LARGE)),
    "ZIP64 though nothing is large": ended(
        ending64(1, DIRECTORY, HEADER + 5) + ending(1, DIRECTORY, HEADER + 5)
    ),
    "a member of ZIP64": local(size=LARGE, packed=LARGE, extra=sizes64(5, 5)),
    "more fields than are read at first": local(extra=struct.pack("<2H", 0x9999, 500) + bytes(500)),
    "a file by its mode": archive(Part(mode=0o100644)),
    "with folders": archive(GOOD, Part(b"b/", b"", mode=0o040755)),
}


@pytest.mark.parametrize("name", GOOD_ONES)
def test_what_is_unusual_and_right(tmp_path: Path, name: str) -> None:
    (entry,) = entries(tmp_path, GOOD_ONES[name])
    assert (entry.path, entry.size, entry.crc) == ("a.ts", 5, HELLO)


def test_an_empty_archive(tmp_path: Path) -> None:
    assert entries(tmp_path, archive()) == []


def unicode_path(crc: int) -> bytes:
    return struct.pack("<2HBL", 0x7075, 10, 1, crc) + "é.ts".encode()


@pytest.mark.parametrize(
    ("raw", "flags", "extra", "path"),
    [
        (b"\xc3\xa9.ts", 0x800, b"", "é.ts"),
        (b"\xc3\xa9.ts", 0, b"", "é.ts"),
        (b"\x82.ts", 0, b"", "é.ts"),  # code page 437
        (b"?.ts", 0, unicode_path(zlib.crc32(b"?.ts")), "é.ts"),
        (b"?.ts", 0, unicode_path(7), "?.ts"),  # that of another name
    ],
)
def test_names(tmp_path: Path, raw: bytes, flags: int, extra: bytes, path: str) -> None:
    (entry,) = entries(tmp_path, archive(Part(raw, flags=flags, extra=extra)))
    assert entry.path == path


def test_what_the_standard_library_writes(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        """It cannot go back to write sizes before bytes."""

        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("é/a.txt", "hello " * 100)
        with file.open("b.ts", "w", force_zip64=True) as member:
            member.write(b"world")
    found = entries(tmp_path, pipe.data)
    assert [(entry.path, entry.size, entry.deflated) for entry in found] == [
        ("é/a.txt", 600, True),
        ("b.ts", 5, True),
    ]


def test_members_beyond_four_gigabytes(tmp_path: Path) -> None:
    """In a file with holes, so that it takes no room."""
    size = 5 * 2**30
    extra = struct.pack("<2H2Q", 1, 16, size, size)
    header = archive(
        Part(
            data=b"", crc=7, size=LARGE, packed=LARGE, local={"extra": sizes64(size, size)},
            extra=extra,
        )
    )  # fmt: skip
    begin = HEADER + len(extra)
    directory = header[begin:-22]
    file = tmp_path / "large.zip"
    with file.open("wb") as out:
        out.write(header[:begin])
        out.seek(begin + size)
        out.write(directory)
        out.write(ending64(1, len(directory), begin + size) + ending(0xFFFF, LARGE, LARGE))
    descriptor = os.open(file, os.O_RDONLY)
    try:
        assert read_entries(descriptor) == [Entry("a.ts", size, size, 7, False, begin)]
    finally:
        os.close(descriptor)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive(GOOD, Part(b"b.ts"))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    assert len(entries(tmp_path, data)) == 2
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with pytest.raises(BadArchiveError, match="there are at most 1"):
        entries(tmp_path, data)
