"""What is in a zip archive, or why it is refused.

The standard library reads the directory at the archive's end, once its place, size and count are
known to be sane. All that it says is then checked here, and against the header before each member's
bytes: programs that believe one and others that believe the other would see different files.
Nothing is unpacked for it.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from p2pcdn.errors import P2pcdnError

MOST_MEMBERS = 100_000
"""A day of two renditions in segments of 2 s; with so many a directory is read in some seconds."""

MOST_DIRECTORY = 64 * 1024 * 1024
"""Bytes of the directory, which is read at once."""

MOST_DEFLATED = 1024 * 1024 * 1024
"""Bytes of a deflated member: what it may take to get to its end. Media do not get smaller."""

MOST_RATIO = 200
"""How many times larger a deflated member may be than it is packed, beyond `SMALL`. Subtitles and
playlists get to 30; what deflate can do at most, with zeroes alone, is 1032."""

SMALL = 1024 * 1024

MOST_RATIO_TOGETHER = 50
"""The same of all deflated members together, beyond `SMALL_TOGETHER`."""

SMALL_TOGETHER = 256 * 1024 * 1024

_ENCRYPTED = 0x1 | 0x40 | 0x2000
_SIZES_FOLLOW = 0x8
_PATCH = 0x20
_UTF8 = 0x800

_ZIP64 = 0x1
_UNICODE_PATH = 0x7075

_LARGE = 0xFFFF_FFFF
"""Stands for a number that does not fit, and is elsewhere."""

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_CENTRAL = 46
"""Bytes of a member in the directory, before its name."""
_LENGTHS = struct.Struct("<3H")
"""Of the name, the extra fields and the comment."""
_LENGTHS_AT = 28
_LOCAL = struct.Struct("<4s5H3L2H")

_LONGEST_COMMENT = 0xFFFF
_EXTRA = 128
"""Bytes of a member's extra fields that are read along with its header: seldom there are more."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")


class BadArchiveError(P2pcdnError):
    """Why an archive is refused: sentences that say what is wrong, and what would be right."""


class Entry(NamedTuple):
    """A file in an archive."""

    path: str
    size: int
    packed: int
    """Bytes that it takes in the archive."""
    crc: int
    deflated: bool
    begin: int
    """Where these bytes are."""


class _Directory(NamedTuple):
    offset: int
    size: int
    members: int


def read_entries(descriptor: int) -> list[Entry]:
    """The files of an archive, by their place in it; `BadArchiveError` if anything is not as it
    should be (this may block)."""
    directory = _find_directory(descriptor)
    infos = sorted(_read_directory(descriptor, directory), key=lambda info: info.header_offset)
    entries, names = [], set[str]()
    last, end = "", 0
    for info in infos:
        name = _name(info)
        _check_name(name)
        if name in names:
            raise BadArchiveError(f"There are two members {name!a}; leave one of them out.")
        names.add(name)
        _check_kind(info, name)
        if info.header_offset < end:
            raise BadArchiveError(
                f"The members {last!a} and {name!a} overlap, as in no archive that was made in "
                "good faith; make it anew."
            )
        begin = _check_header(descriptor, info, name)
        last, end = name, _end_of(descriptor, info, name, begin, directory.offset)
        if not name.endswith("/"):
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            size, packed = info.file_size, info.compress_size
            entries.append(Entry(name, size, packed, info.CRC, deflated, begin))
    _check_folders(entries, names)
    _check_amount(entries)
    return entries


# The directory


def _find_directory(descriptor: int) -> _Directory:
    size = os.fstat(descriptor).st_size
    tail = os.pread(
        descriptor, _END.size + _LONGEST_COMMENT, max(0, size - _END.size - _LONGEST_COMMENT)
    )
    at = len(tail) - _END.size
    if at < 0 or tail[at : at + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":  # unless it has a comment
        at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise BadArchiveError(
            "There is no directory at its end: it is cut off, or no zip archive; copy it anew."
        )
    _, disk, first, here, count, length, offset, comment = _END.unpack_from(tail, at)
    position = size - len(tail) + at
    if position + _END.size + comment != size:
        raise BadArchiveError(
            "It does not end where it says: it is cut off, or something was appended; copy it anew."
        )
    if (disk, first) not in ((0, 0), (0xFFFF, 0xFFFF)) or here != count:
        raise BadArchiveError("It is one of several parts; put them together (`zip -s 0`).")
    directory = _Directory(offset, length, count)
    locator = os.pread(descriptor, _LOCATOR64.size, max(0, position - _LOCATOR64.size))
    if locator[:4] == b"PK\6\7":
        position -= _LOCATOR64.size + _END64.size
        directory = _find_directory64(descriptor, locator, position, directory)
    elif _LARGE in directory[:2] or count == 0xFFFF:
        raise BadArchiveError(
            "It says that it is a ZIP64 archive, and lacks what makes it one; make it anew."
        )
    if directory.offset + directory.size != position:
        raise BadArchiveError(
            "Its directory is not where it says: something was put before it, or is cut out; "
            "make it anew (`zip -F` mends some)."
        )
    if directory.members > MOST_MEMBERS or directory.size > MOST_DIRECTORY:
        raise BadArchiveError(
            f"It has {directory.members} members, in a directory of {directory.size} bytes; there "
            f"are at most {MOST_MEMBERS} in {MOST_DIRECTORY} bytes. Make several archives of it, "
            "and mount each."
        )
    return directory


def _find_directory64(
    descriptor: int, locator: bytes, position: int, short: _Directory
) -> _Directory:
    """The directory of an archive with a ZIP64 record, which has to be at ``position``."""
    record = os.pread(descriptor, _END64.size, max(0, position))
    _, disk, where, disks = _LOCATOR64.unpack(locator)
    found = _Directory(0, 0, 0)
    good = where == position and disk == 0 and disks == 1 and len(record) == _END64.size
    if good:
        magic, length, _, _, disk, first, here, count, size, offset = _END64.unpack(record)
        good = (magic, length, disk, first) == (b"PK\6\6", 44, 0, 0) and here == count
        found = _Directory(offset, size, count)
    limits = _Directory(_LARGE, _LARGE, 0xFFFF)
    agree = all(
        said in (number, limit) for said, number, limit in zip(short, found, limits, strict=True)
    )
    if not good or not agree:
        raise BadArchiveError("Its two ends (ZIP and ZIP64) contradict each other; make it anew.")
    return found


def _read_directory(descriptor: int, directory: _Directory) -> list[zipfile.ZipInfo]:
    _check_lengths(os.pread(descriptor, directory.size, directory.offset), directory.members)
    try:
        with (
            os.fdopen(os.dup(descriptor), "rb") as file,
            zipfile.ZipFile(file) as archive,
        ):
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, struct.error) as error:
        raise BadArchiveError(
            f"Its directory cannot be read ({error}); make the archive anew."
        ) from error
    return infos


def _check_lengths(data: bytes, count: int) -> None:
    """Whether a directory has room for what it has, which the standard library takes on trust."""
    at = 0
    for _ in range(count):
        if at + _CENTRAL > len(data):
            break
        at += _CENTRAL + sum(_LENGTHS.unpack_from(data, at + _LENGTHS_AT))
    else:
        if at == len(data):
            return
    raise BadArchiveError(
        f"Its directory of {len(data)} bytes is not one of {count} members; make it anew."
    )


# A member, by what the directory says


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")


def _name(info: zipfile.ZipInfo) -> str:
    """A member's name. Some archivers write UTF-8 and do not say so: what can be read as such is
    meant so."""
    raw = _raw_name(info)
    if not info.flag_bits & _UTF8:
        for tag, value in _extra_fields(info.extra):
            if tag == _UNICODE_PATH and value[:5] == b"\1" + struct.pack("<L", zlib.crc32(raw)):
                raw = value[5:]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp437")


def _extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        tag, length = struct.unpack_from("<2H", extra)
        yield tag, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _check_name(name: str) -> None:
    segments = name.removesuffix("/").split("/")
    if _CONTROL.search(name):
        wrong = "has control characters in its name"
    elif "\\" in name:
        wrong = "has a backslash in its name; what separates folders is a slash"
    elif name.startswith("/"):
        wrong = "has an absolute path; those in an archive are relative"
    elif _DRIVE.match(name):
        wrong = "begins with the letter of a drive; paths in an archive are relative"
    elif ".." in segments:
        wrong = "leads out of its folder by `..`; paths in an archive only go down"
    elif "" in segments or "." in segments:
        wrong = "has an empty name or `.` in its path; each folder in it needs a name"
    else:
        return
    raise BadArchiveError(f"The member {name!a} {wrong}.")


def _check_kind(info: zipfile.ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    stored = info.compress_type == zipfile.ZIP_STORED
    size, packed = info.file_size, info.compress_size
    folder = name.endswith("/")
    if info.flag_bits & _ENCRYPTED:
        wrong = "is encrypted; make the archive without a password"
    elif kind == stat.S_IFLNK:
        wrong = "is a symbolic link; put in what it leads to (`zip` without `-y`)"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR and not folder):
        wrong = "is neither a file nor a folder; leave it out"
    elif info.flag_bits & _PATCH or info.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        wrong = f"is packed by method {info.compress_type}; store it (`zip -0`), or deflate it"
    elif folder and (size or (stored and packed)):
        wrong = "is a folder with bytes of its own; make the archive anew"
    elif stored and size != packed:
        wrong = f"is stored, yet of {size} bytes in {packed}; make the archive anew"
    elif not size and info.CRC:
        wrong = f"is empty, yet has the CRC {info.CRC:08x}; make the archive anew"
    elif size > MOST_DEFLATED and not stored:
        wrong = (
            f"is deflated and has {size} bytes; store what is larger than {MOST_DEFLATED} "
            "(`zip -0`): media do not get smaller, and stored ones are served from any point"
        )
    elif size > max(SMALL, packed * MOST_RATIO):
        wrong = (
            f"would be {size} bytes from {packed}; where a member shrinks to less than 1/"
            f"{MOST_RATIO}, store it (`zip -0`)"
        )
    else:
        return
    raise BadArchiveError(f"The member {name!a} {wrong}.")


# A member, by what is before and after its bytes


def _check_header(descriptor: int, info: zipfile.ZipInfo, name: str) -> int:
    """Where the member's bytes begin, once its header says the same as the directory."""
    raw = _raw_name(info)
    header = os.pread(descriptor, _LOCAL.size + len(raw) + _EXTRA, info.header_offset)
    if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
        raise _contradiction(name, "there is no header where its bytes should begin")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(
        header
    )
    length = _LOCAL.size + name_length + extra_length
    if length > len(header):
        header = os.pread(descriptor, length, info.header_offset)
    if header[_LOCAL.size : _LOCAL.size + name_length] != raw:
        raise _contradiction(name, "its header has another name")
    same = _ENCRYPTED | _SIZES_FOLLOW | _PATCH | _UTF8
    if method != info.compress_type or (flags ^ info.flag_bits) & same:
        raise _contradiction(name, "its header has another method or other flags")
    if _LARGE in (packed, size):
        fields = dict(_extra_fields(header[_LOCAL.size + name_length : length]))
        if len(fields.get(_ZIP64, b"")) < 16:
            raise _contradiction(name, "its header lacks the sizes")
        size, packed = struct.unpack_from("<2Q", fields[_ZIP64])
    said, true = (crc, packed, size), (info.CRC, info.compress_size, info.file_size)
    if said != true and not (flags & _SIZES_FOLLOW and said in ((0, 0, 0), (info.CRC, 0, 0))):
        raise _contradiction(name, "its header has other sizes or another CRC")
    begin: int = info.header_offset + length
    return begin


def _end_of(descriptor: int, info: zipfile.ZipInfo, name: str, begin: int, directory: int) -> int:
    """Where a member ends, with the sizes that may follow its bytes."""
    end = begin + info.compress_size
    if end > directory:
        raise BadArchiveError(
            f"The member {name!a} would end behind the last of all members: it is cut off, or its "
            "size is wrong; make the archive anew."
        )
    if not info.flag_bits & _SIZES_FOLLOW:
        return end
    found = os.pread(descriptor, 24, end)
    for sizes in ("<3L", "<L2Q"):
        try:
            said = struct.pack(sizes, info.CRC, info.compress_size, info.file_size)
        except struct.error:
            continue  # too large for 32 bits
        for following in (b"PK\7\10" + said, said):
            if found.startswith(following) and end + len(following) <= directory:
                return end + len(following)
    raise _contradiction(name, "other sizes or another CRC follow its bytes")


def _contradiction(name: str, what: str) -> BadArchiveError:
    return BadArchiveError(
        f"The member {name!a} is not what the archive's directory says: {what}. Make it anew."
    )


# All members together


def _check_folders(entries: Sequence[Entry], names: set[str]) -> None:
    folders = {name.removesuffix("/") for name in names if name.endswith("/")}
    for entry in entries:
        folders.update(folders_above(entry.path))
    for entry in entries:
        if entry.path in folders:
            raise BadArchiveError(
                f"There are both a file and a folder {entry.path!a}; rename one of them."
            )


def _check_amount(entries: Sequence[Entry]) -> None:
    size = sum(entry.size for entry in entries if entry.deflated)
    packed = sum(entry.packed for entry in entries if entry.deflated)
    if size > max(SMALL_TOGETHER, packed * MOST_RATIO_TOGETHER):
        raise BadArchiveError(
            f"Its deflated members would be {size} bytes from {packed}, as in a bomb; where they "
            f"shrink to less than 1/{MOST_RATIO_TOGETHER}, store them (`zip -0`)."
        )


def folders_above(path: str) -> Iterator[str]:
    """The folders that a path lies in, but for the top, from below."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path
