"""Renditions: decoded again by libav, segment by segment."""

from __future__ import annotations

from pathlib import Path

import av
import m3u8
import pytest

from origin.synth import SEGMENT_SECONDS, TINY, Rendition, synthesise
from tests.origin.synth.conftest import SECONDS, SMALL

NAMES = [rendition.name for rendition in SMALL]
FRAMES = 25 * SEGMENT_SECONDS


def segments(presentation: Path, name: str) -> list[Path]:
    playlist = m3u8.loads((presentation.parent / f"{name}.m3u8").read_text())
    return [presentation.parent / str(each.uri) for each in playlist.segments]


def picture_times(path: Path) -> list[float]:
    """When each picture of a segment is shown; decoding it proves that it can be."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", NAMES)
def test_the_playlist_names_whole_segments_and_ends(presentation: Path, name: str) -> None:
    playlist = m3u8.loads((presentation.parent / f"{name}.m3u8").read_text())
    assert playlist.is_endlist
    assert playlist.target_duration == SEGMENT_SECONDS
    assert [each.duration for each in playlist.segments] == [2.0] * (SECONDS // 2)


@pytest.mark.parametrize("name", NAMES)
def test_each_segment_decodes_on_its_own(presentation: Path, name: str) -> None:
    for path in segments(presentation, name):
        with av.open(str(path)) as container:
            keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
        assert keys == [True] + [False] * (FRAMES - 1)
        assert len(picture_times(path)) == FRAMES
        with av.open(str(path)) as container:
            sound = sum(frame.samples for frame in container.decode(audio=0))
        assert sound / 48_000 == pytest.approx(SEGMENT_SECONDS, abs=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_follow_each_other_without_a_gap_across_segments(
    presentation: Path, name: str
) -> None:
    times = [time for path in segments(presentation, name) for time in picture_times(path)]
    assert times == pytest.approx([times[0] + n / 25 for n in range(25 * SECONDS)], abs=0.001)


def test_all_renditions_are_cut_at_the_same_instants(presentation: Path) -> None:
    starts = [[picture_times(path)[0] for path in segments(presentation, name)] for name in NAMES]
    assert starts[0] == starts[1]


@pytest.mark.parametrize("rendition", SMALL)
def test_the_size_is_that_of_the_bit_rate(presentation: Path, rendition: Rendition) -> None:
    size = sum(path.stat().st_size for path in segments(presentation, rendition.name))
    assert size * 8 / SECONDS == pytest.approx(rendition.bitrate, rel=0.15)


def test_small_pictures_can_be_padded_to_realistic_sizes(tmp_path: Path) -> None:
    playlist = synthesise(tmp_path / "tiny", seconds=4, renditions=TINY)
    paths = segments(playlist, TINY[0].name)
    assert [path.stat().st_size for path in paths] == pytest.approx([500_000] * 2, abs=188)
    assert all(path.stat().st_size % 188 == 0 for path in paths)
    assert [len(picture_times(path)) for path in paths] == [FRAMES] * 2
    paddings = [path.read_bytes().partition(b"\x47\x1f\xff\x10")[2][:184] for path in paths]
    assert paddings[0] != paddings[1]
