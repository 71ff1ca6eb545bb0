"""Tracks that are copied."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from origin.preparing.facts import opened
from origin.preparing.reading import packets
from origin.preparing.timing import UncopyableError
from origin.preparing.tracks import Copied
from tests.origin.preparing.films import film


def test_a_packet_with_an_adts_header_loses_it(tmp_path: Path) -> None:
    source = film(tmp_path / "a.ts", video=None, seconds=1)
    with source.open("rb") as file, opened(file) as container:
        stream = container.streams.audio[0]
        copied = Copied(stream)
        found = [
            timed
            for packet in packets(container, {stream.index}, {stream.index}, lead=0)  # type: ignore[arg-type]
            for timed in copied.take(packet)
        ]
    assert copied.template.extradata is not None
    assert copied.template.extradata[:2] == b"\x11\x90"  # AAC-LC, 48 kHz, stereo
    assert all(bytes(timed.packet)[:2] != b"\xff\xf1" for timed in found)
    assert all(timed.key and timed.end > timed.begin for timed in found)


def packet(**fields: Any) -> Any:
    return SimpleNamespace(pts=None, dts=100, time_base=1, duration=1, is_keyframe=True, **fields)


def stream(**context: Any) -> Any:
    fields = {"name": "h264", "extradata": b"?", "has_b_frames": False} | context
    return SimpleNamespace(type="video", time_base=1, codec_context=SimpleNamespace(**fields))


def test_a_packet_that_says_only_when_it_is_decoded() -> None:
    (timed,) = Copied(stream()).take(packet())
    assert timed.begin == 100
    with pytest.raises(UncopyableError, match="nothing says when"):
        list(Copied(stream(has_b_frames=True)).take(packet()))


def test_nothing_is_shown_before_it_is_decoded() -> None:
    early = packet()
    early.pts = 40
    (timed,) = Copied(stream()).take(early)
    assert timed.packet.pts == timed.packet.dts == 100
