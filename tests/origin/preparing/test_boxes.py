"""Boxes, and what codecs are called."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from origin.preparing.boxes import boxes, codecs, split
from origin.preparing.facts import look
from origin.preparing.plan import Options
from origin.preparing.prepare import Wish, prepare
from tests.origin.preparing.films import film


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def test_boxes_are_read_one_after_another() -> None:
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 3) + b"abc"
    data = box(b"ftyp", b"isom") + large + box(b"free")
    assert list(boxes(data)) == [(b"ftyp", b"isom"), (b"mdat", b"abc"), (b"free", b"")]
    assert list(boxes(struct.pack(">I4s", 4, b"moov"))) == []


def test_a_fragment_is_cut_from_what_is_before_and_after_it() -> None:
    head = box(b"ftyp", b"isom") + box(b"moov", b"...")
    moof = box(b"moof", box(b"mfhd", struct.pack(">II", 0, 1)))
    parts = split(head + moof + box(b"mdat", b"media") + box(b"mfra", b"?"), 7)
    assert parts.init == head
    assert list(boxes(parts.fragment))[1] == (b"mdat", b"media")
    assert parts.fragment[20:24] == struct.pack(">I", 7)


def entry(kind: bytes, *inner: bytes, handler: bytes = b"vide") -> bytes:
    """An initialisation section with one track of this sample entry."""
    header = bytes(78 if handler == b"vide" else 28)
    table = box(b"stsd", bytes(8) + box(kind, header + b"".join(inner)))
    media = box(b"hdlr", bytes(8) + handler) + box(b"minf", box(b"stbl", table))
    return box(b"ftyp") + box(b"moov", box(b"mvhd") + box(b"trak", box(b"mdia", media)))


def esds(config: bytes, kind: int = 0x40) -> bytes:
    specific = bytes([5, len(config)]) + config
    decoder = bytes([4, 13 + len(specific), kind]) + bytes(12) + specific
    return box(b"esds", bytes(4) + bytes([3, 3 + len(decoder)]) + bytes(3) + decoder)


@pytest.mark.parametrize(
    ("init", "codec"),
    [
        (entry(b"avc1", box(b"avcC", bytes.fromhex("0164001fffe1"))), "avc1.64001F"),
        (
            # The examples of ISO/IEC 14496-15, Annex E: Main, and Main 10 of the high tier.
            entry(b"hvc1", box(b"hvcC", bytes.fromhex("0101600000009000000000005d"))),
            "hvc1.1.6.L93.90",
        ),
        (
            entry(b"hev1", box(b"hvcC", bytes.fromhex("0122200000008000000000009600"))),
            "hev1.2.4.H150.80",
        ),
        (entry(b"av01", box(b"av1C", bytes.fromhex("81084c00"))), "av01.0.08M.10"),
        (entry(b"vp09", box(b"vpcC", bytes.fromhex("01000000001f80"))), "vp09.00.31.08"),
        (entry(b"mp4a", esds(b"\x11\x90"), handler=b"soun"), "mp4a.40.2"),
        (entry(b"mp4a", esds(b"\x2b\x11\x88"), handler=b"soun"), "mp4a.40.5"),
        (entry(b"mp4a", esds(b"\xf9\x46"), handler=b"soun"), "mp4a.40.42"),
        (entry(b"mp4a", esds(b"", 0x6B), handler=b"soun"), "mp4a.6B"),
        (entry(b"Opus", box(b"dOps"), handler=b"soun"), "opus"),
        (entry(b"fLaC", box(b"dfLa"), handler=b"soun"), "flac"),
    ],
)
def test_codecs_by_their_boxes(init: bytes, codec: str) -> None:
    assert codecs(init) == [codec]


@pytest.mark.parametrize(
    ("video", "audio", "expected"),
    [
        ("libvpx-vp9", "libopus", ["vp09.00.10.08", "opus"]),
        ("libx265", "flac", ["hvc1.1.6.L30.90", "flac"]),
    ],
)
def test_codecs_of_what_the_muxer_writes(
    tmp_path: Path, content: Path, video: str, audio: str, expected: list[str]
) -> None:
    source = film(tmp_path / "a.mkv", seconds=0.4, video=video, audio=audio)
    with source.open("rb") as file:
        assert look(file).video is not None
        prepare(Wish.of(file, "a", 0, Options()), content, "x", lambda _: None, print)
    (init,) = (content / "x").glob("36p-init-*.mp4")
    assert codecs(init.read_bytes()) == expected
