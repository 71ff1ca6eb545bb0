"""Frames: to bytes and back, and nothing else for a frame."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import CHUNK_SIZE, FRAME_PAYLOAD
from p2pcdn.wire.chunk import FRAME_BYTES, Frame, decode_frame, encode_frame, frames_of
from tests.p2pcdn.wire.vectors import Case, cases, expand, note_of


def data_of(text: str) -> bytes:
    return bytes.fromhex(expand(text))


@pytest.mark.parametrize("case", cases("frames", "valid"), ids=note_of)
def test_a_frame_and_its_bytes(case: Case) -> None:
    frame = Frame(case["want"], case["offset"], data_of(case["payload"]))
    assert encode_frame(frame) == data_of(case["data"])
    assert decode_frame(data_of(case["data"])) == frame


@pytest.mark.parametrize("case", cases("frames", "invalid"), ids=note_of)
def test_what_is_no_frame_is_refused(case: Case) -> None:
    with pytest.raises(RemoteError) as caught:
        decode_frame(data_of(case["data"]))
    assert caught.value.code is ErrorCode(case["code"])


@pytest.mark.parametrize("case", cases("frames", "chunks"), ids=note_of)
def test_how_a_chunk_is_cut(case: Case) -> None:
    frames = frames_of(9, bytes(case["length"]))
    assert [[frame.offset, len(frame.payload)] for frame in frames] == case["frames"]


@given(st.binary(max_size=CHUNK_SIZE), st.integers(0, 2**32 - 1))
def test_a_chunk_survives_its_frames_in_any_order(chunk: bytes, want: int) -> None:
    arrived = bytearray(len(chunk))
    for frame in reversed([decode_frame(encode_frame(f)) for f in frames_of(want, chunk)]):
        assert frame.want == want
        assert len(frame.payload) <= FRAME_PAYLOAD
        arrived[frame.offset : frame.offset + len(frame.payload)] = frame.payload
    assert bytes(arrived) == chunk


@given(st.binary(max_size=FRAME_BYTES + 2))
def test_any_bytes_are_a_frame_or_refused(data: bytes) -> None:
    try:
        frame = decode_frame(data)
    except RemoteError:
        return
    assert encode_frame(frame) == data
    assert frame.offset + len(frame.payload) <= CHUNK_SIZE
