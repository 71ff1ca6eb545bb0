"""MP4 (ISO/IEC 14496-12), as much as is needed to cut fragments and to name codecs.

A fragment as the muxer writes it is ``ftyp moov moof mdat mfra``: the first two are the
initialisation section, the next two the segment, and the last has no use.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_ENTRY_HEADER = {b"vide": 78, b"soun": 28}
"""Bytes of a sample entry before the boxes in it, by the handler of the track."""

_AAC_TAG = 0x05


class Parts(NamedTuple):
    """What the muxer has written, cut in two."""

    init: bytes
    fragment: bytes


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of a buffer: kind and content."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if size < head:
            return
        yield kind, data[at + head : at + size]
        at += size


def split(data: bytes, number: int) -> Parts:
    """The initialisation section, and the fragment as number ``number`` (from 1 on)."""
    begin = _find(data, b"moof")
    end = _find(data, b"mfra")
    fragment = bytearray(data[begin:end])
    # moof, mfhd, version and flags, sequence number: "shall increase" (8.8.5).
    assert fragment[12:16] == b"mfhd"
    struct.pack_into(">I", fragment, 20, number)
    return Parts(data[:begin], bytes(fragment))


def codecs(init: bytes) -> list[str]:
    """The codecs of an initialisation section's tracks (RFC 6381)."""
    found = []
    for track in _all(init, b"moov", b"trak"):
        handler = next(_all(track, b"mdia", b"hdlr"))[8:12]
        description = next(_all(track, b"mdia", b"minf", b"stbl", b"stsd"))
        for entry, content in boxes(description[8:]):
            inner = dict(boxes(content[_ENTRY_HEADER[handler] :]))
            found.append(_codec(entry.decode("latin-1"), inner))
            break
    return found


def _find(data: bytes, wanted: bytes) -> int:
    at = 0
    for kind, content in boxes(data):
        if kind == wanted:
            return at
        at += 8 + len(content)
    return at


def _all(data: bytes, *path: bytes) -> Iterator[bytes]:
    for kind, content in boxes(data):
        if kind == path[0]:
            if len(path) == 1:
                yield content
            else:
                yield from _all(content, *path[1:])


def _codec(entry: str, inner: dict[bytes, bytes]) -> str:
    if b"avcC" in inner:
        return f"{entry}.{inner[b'avcC'][1:4].hex().upper()}"
    if b"hvcC" in inner:
        return f"{entry}.{_hevc(inner[b'hvcC'])}"
    if b"av1C" in inner:
        return f"{entry}.{_av1(inner[b'av1C'])}"
    if b"vpcC" in inner:
        profile, level, depth = inner[b"vpcC"][4:7]
        return f"{entry}.{profile:02}.{level:02}.{depth >> 4:02}"
    if b"esds" in inner:
        return f"mp4a.{_object_type(inner[b'esds'])}"
    return {"Opus": "opus", "fLaC": "flac"}.get(entry, entry)


def _hevc(record: bytes) -> str:
    """ISO/IEC 14496-15, Annex E: profile, its flags from the back, tier and level, constraints."""
    space, tier, profile = record[1] >> 6, record[1] >> 5 & 1, record[1] & 31
    flags = int(f"{int.from_bytes(record[2:6]):032b}"[::-1], 2)
    constraints = record[6:12].rstrip(b"\0")
    parts = [
        f"{'ABC'[space - 1] if space else ''}{profile}",
        f"{flags:X}",
        f"{'LH'[tier]}{record[12]}",
        *(f"{byte:X}" for byte in constraints),
    ]
    return ".".join(parts)


def _av1(record: bytes) -> str:
    """AV1 in ISO-BMFF, 5: profile, level and tier, bits."""
    profile, level = record[1] >> 5, record[1] & 31
    tier, high, twelve = record[2] >> 7, record[2] >> 6 & 1, record[2] >> 5 & 1
    depth = 12 if twelve else 10 if high else 8
    return f"{profile}.{level:02}{'MH'[tier]}.{depth:02}"


def _object_type(esds: bytes) -> str:
    """``40.2`` for AAC-LC: the object type indication, and for MPEG-4 audio (40) its own."""
    kind, audio = "40", 2
    for tag, content in _descriptors(esds[4:]):
        if tag == 0x04:
            kind = f"{content[0]:02X}"
        if tag == _AAC_TAG and content:
            audio = content[0] >> 3
            if audio == 31:
                audio = 32 + ((content[0] & 7) << 3 | content[1] >> 5)
    return f"{kind}.{audio}" if kind == "40" else kind


def _descriptors(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Descriptors (ISO/IEC 14496-1, 7.2.2), those inside of others after them."""
    heads = {0x03: 3, 0x04: 13}
    at = 0
    while at + 2 <= len(data):
        tag, length = data[at], 0
        at += 1
        while at < len(data):
            byte = data[at]
            at += 1
            length = length << 7 | byte & 127
            if not byte & 128:
                break
        content = data[at : at + length]
        yield tag, content
        if tag in heads:
            yield from _descriptors(content[heads[tag] :])
        at += length
