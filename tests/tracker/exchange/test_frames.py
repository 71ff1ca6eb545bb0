"""What goes over a stream between two places."""

from __future__ import annotations

import pytest

from tracker.exchange.frames import Frame, FrameError, Kind, Reader, encode

FRAMES = [Frame(Kind.SAID, 7, b"{}"), Frame(Kind.CLOSED, 2**32 - 1, b""), Frame(Kind.NOTE, 0, b"x")]
STREAM = b"".join(encode(*frame) for frame in FRAMES)


@pytest.mark.parametrize("size", [1, 3, 9, 10, len(STREAM)])
def test_frames_come_whole_however_the_stream_is_cut(size: int) -> None:
    reader = Reader()
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == FRAMES


def test_whoever_stops_reading_in_between_goes_on_there() -> None:
    reader = Reader()
    for frame in reader.feed(STREAM):
        assert frame == FRAMES[0]
        break
    assert list(reader.feed(b"")) == FRAMES[1:]


def test_a_kind_that_nobody_knows_is_no_frame() -> None:
    with pytest.raises(FrameError, match="kind 99"):
        list(Reader().feed(b"\0\0\0\0\x63\0\0\0\0"))


def test_a_body_has_its_limit() -> None:
    reader = Reader(4)
    assert list(reader.feed(encode(Kind.TELL, 1, b"1234")))
    with pytest.raises(FrameError, match="5 bytes; 4 is the limit"):
        list(reader.feed(encode(Kind.TELL, 1, b"12345")))
    reader = Reader(4)
    reader.most = 5
    assert list(reader.feed(encode(Kind.TELL, 1, b"12345")))


def test_a_large_body_is_joined_once() -> None:
    reader = Reader()
    pieces = [bytes(1000)] * 100
    assert list(reader.feed(encode(Kind.NOTE, 0, bytes(100_001))[:9])) == []
    for piece in pieces:
        assert list(reader.feed(piece)) == []
    assert len(reader._pieces) == 101, "or each piece would copy all before it"
    assert list(reader.feed(b"\0" + STREAM)) == [Frame(Kind.NOTE, 0, bytes(100_001)), *FRAMES]
