"""Presentations: whole or not there, the same for the same arguments."""

from __future__ import annotations

import hashlib
import sys
import threading
from pathlib import Path

import av
import m3u8
import pytest

from origin.synth import Rendition, SynthesisError, synthesise
from origin.synth.presentation import RECIPE
from tests.origin.synth.conftest import SECONDS, SMALL

MINI = (Rendition("90p", 160, 90, 200_000),)


def digests(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.iterdir())
    }


def test_the_multivariant_playlist_describes_the_renditions(presentation: Path) -> None:
    variants = m3u8.loads(presentation.read_text()).playlists
    assert [variant.uri for variant in variants] == ["180p.m3u8", "270p.m3u8"]
    for variant, rendition in zip(variants, SMALL, strict=True):
        info = variant.stream_info
        assert info.resolution == (rendition.width, rendition.height)
        assert info.average_bandwidth == pytest.approx(rendition.bitrate, rel=0.15)
        assert (info.average_bandwidth or 0) <= (info.bandwidth or 0)
        assert info.frame_rate == 25


def test_codecs_are_those_of_the_streams(presentation: Path) -> None:
    for variant in m3u8.loads(presentation.read_text()).playlists:
        picture, sound = str(variant.stream_info.codecs).split(",")
        assert sound == "mp4a.40.2"
        with av.open(str(presentation.parent / str(variant.uri))) as container:
            video = container.streams.video[0]
            assert video.codec.name == "h264"
            assert container.streams.audio[0].codec.name == "aac"
            assert (video.width, video.height) == variant.stream_info.resolution
        # avc1, then profile, constraints and level: a baseline stream of level 2.1 at the most.
        assert picture.startswith("avc1.42C0")
        assert int(picture[-2:], 16) <= 0x15


def test_the_same_arguments_give_the_same_bytes(presentation: Path, tmp_path: Path) -> None:
    again = synthesise(tmp_path / "film", seconds=SECONDS, renditions=SMALL)
    assert digests(again.parent) == digests(presentation.parent)


def test_what_is_there_is_kept(presentation: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in presentation.parent.iterdir()}
    synthesise(presentation.parent, seconds=SECONDS - 0.5, renditions=SMALL)
    assert {path: path.stat().st_mtime_ns for path in presentation.parent.iterdir()} == before


def test_other_arguments_replace_it(tmp_path: Path) -> None:
    synthesise(tmp_path / "film", seconds=4, renditions=MINI)
    synthesise(tmp_path / "film", seconds=2, renditions=MINI)
    assert len(list((tmp_path / "film").glob("*.ts"))) == 1


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    seen: list[float] = []
    synthesise(tmp_path / "film", seconds=4, renditions=MINI, progress=seen.append)
    assert seen == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_failure_stops_all_and_leaves_nothing(tmp_path: Path, error: type[Exception]) -> None:
    seen: list[float] = []

    def fail_once(share: float) -> None:
        seen.append(share)
        if len(seen) == 3:
            raise error

    with pytest.raises(error):
        synthesise(tmp_path / "film", seconds=60, renditions=SMALL, progress=fail_once)
    assert len(seen) < 60
    assert [path.name for path in tmp_path.iterdir()] == [".film.lock"]


def test_the_leftovers_of_a_killed_run_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".film.draft").mkdir()
    (tmp_path / ".film.draft" / "90p-00099.ts").write_bytes(b"half")
    playlist = synthesise(tmp_path / "film", seconds=2, renditions=MINI)
    assert [path.name for path in playlist.parent.glob("*.ts")] == ["90p-00000.ts"]
    assert not (tmp_path / ".film.draft").exists()


def test_two_at_once_make_it_once(tmp_path: Path) -> None:
    ticks: list[float] = []
    threads = [
        threading.Thread(
            target=lambda: synthesise(
                tmp_path / "film", seconds=2, renditions=MINI, progress=ticks.append
            )
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ticks.count(1.0) == 1
    assert (tmp_path / "film" / RECIPE).exists()


def test_a_directory_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("42")
    with pytest.raises(SynthesisError, match="not empty"):
        synthesise(tmp_path, seconds=2, renditions=MINI)
    assert (tmp_path / "thesis.txt").read_text() == "42"


def test_without_pyav_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SynthesisError, match=r"takes PyAV.*the full one has it"):
        synthesise(tmp_path / "film", seconds=2, renditions=MINI)
