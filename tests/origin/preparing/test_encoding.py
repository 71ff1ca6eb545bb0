"""Decoding and encoding, frame by frame."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from origin.preparing import encoding
from origin.preparing.encoding import Decoder, PictureEncoder, SoundEncoder, require_encoders
from origin.preparing.facts import MediaError, Video, opened
from origin.preparing.plan import Picture
from origin.preparing.reading import packets
from origin.preparing.timing import Cuts

SOURCE = Video(0, "h264", "yuv420p", 64, 36, Fraction(25))
PICTURE = Picture("18p", 32, 18, "for a test", 100_000)


def decoded(path: Path, kind: str, begin: Fraction = Fraction(0)) -> list[Fraction]:
    """When the frames of a track are shown."""
    with path.open("rb") as file, opened(file) as container:
        stream = next(each for each in container.streams if each.type == kind)
        decoder = Decoder(stream, begin)
        frames = []
        for packet in packets(container, {stream.index}, set(), Fraction(0)):
            frames += list(decoder.take(packet))
        frames += list(decoder.flush())
        return [frame.pts * frame.time_base for frame in frames]


def test_frames_from_an_instant_on(plain: Path) -> None:
    everything = decoded(plain, "video")
    assert len(everything) == 300
    for begin in (everything[1], everything[99], everything[100], everything[-1]):
        assert decoded(plain, "video", begin) == [t for t in everything if t >= begin]
    assert decoded(plain, "video", everything[-1] + 1) == []


class Broken:
    """A decoder of which some packets, or all, cannot be decoded."""

    type = "video"
    time_base = Fraction(1, 25)
    average_rate = Fraction(25)

    def __init__(self) -> None:
        self.codec_context: Any = av.CodecContext.create("h264", "r")

    def decode(self, packet: Any) -> list[Any]:
        raise av.error.InvalidDataError(1, "Invalid data found")


def test_damaged_packets_are_left_out_until_there_are_too_many() -> None:
    decoder = Decoder(Broken())
    packet: Any = av.Packet(b"?")
    packet.dts, packet.time_base = 50, Fraction(1, 25)
    for _ in range(100):
        assert list(decoder.take(packet)) == []
    assert decoder.skipped == 100
    with pytest.raises(MediaError, match="cannot be decoded from 2 s on"):
        list(decoder.take(packet))


def test_key_frames_are_where_it_is_cut_and_nowhere_else(plain: Path) -> None:
    with plain.open("rb") as file, opened(file) as container:
        stream = container.streams.video[0]
        cuts = Cuts(4.0)
        encoder = PictureEncoder(PICTURE, SOURCE, stream, cuts, Fraction(0))
        decoder, timed = Decoder(stream), []
        for packet in packets(container, {stream.index}, set(), Fraction(1, 5)):
            for frame in decoder.take(packet):
                cuts.offer(frame.pts * frame.time_base)
                timed += list(encoder.take(frame))
        for frame in decoder.flush():
            timed += list(encoder.take(frame))
        timed += list(encoder.flush())
    assert [each.begin for each in timed if each.key] == cuts.times
    assert len(timed) == 300
    assert len(cuts.times) == 3
    assert timed[0].packet.dts >= 0


def test_sound_keeps_its_time_across_gaps() -> None:
    """A second of sound, a second of none, and another one: nothing is moved together."""
    with av.open("out", "w", format="null") as container:
        source: Any = container.add_stream("pcm_s16le", rate=48_000)
        source.layout = "mono"
        encoder, timed = SoundEncoder(source), []
        for begin in (0, 96_000):
            for at in range(begin, begin + 48_000, 4800):
                frame = av.AudioFrame("s16", "mono", 4800)
                frame.planes[0].update(bytes(9600))
                frame.sample_rate, frame.pts, frame.time_base = 48_000, at, Fraction(1, 48_000)
                timed += list(encoder.take(frame))
        timed += list(encoder.flush())
    assert float(timed[-1].end) == pytest.approx(3, abs=0.05)
    steps = {round(float(b.begin - a.begin), 4) for a, b in pairwise(timed)}
    assert steps == {round(1024 / 48_000, 4)}  # what is missing is silence
    assert encoder.rate == 48_000


def test_a_build_without_encoders_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    require_encoders()
    monkeypatch.setattr(av, "codecs_available", {"aac"})
    with pytest.raises(MediaError, match="no libx264 encoder"):
        encoding.require_encoders()
