"""Whole films: what comes out is what went in, however it was stored, cut where it can be."""

from __future__ import annotations

import errno
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import m3u8
import pytest

from origin.preparing import prepare as preparing
from origin.preparing import record
from origin.preparing.draft import Draft, TakenError, folder_of
from origin.preparing.encoding import PictureEncoder
from origin.preparing.facts import MediaError
from origin.preparing.plan import Options
from origin.preparing.prepare import Made, Wish, prepare
from origin.preparing.tracks import Timed
from tests.origin.preparing.films import film, frames, joined, packets, segment


def make(path: Path, content: Path, name: str = "x", **options: Any) -> Made:
    with path.open("rb") as file:
        wish = Wish.of(file, path.name, path.stat().st_mtime_ns, Options(**options))
        return prepare(wish, content, name, lambda _: None, notes.append)


notes: list[str] = []


@pytest.fixture(autouse=True)
def no_notes() -> None:
    notes.clear()


def lengths(playlist: Path) -> list[float]:
    return [round(segment.duration or 0, 2) for segment in m3u8.load(str(playlist)).segments]


def same_packets(source: Path, folder: Path, rendition: str, kind: str) -> bool:
    """Whether a track was copied, packet by packet, and nothing moved but all of it alike."""
    before, after = packets(source, kind), packets(joined(folder, rendition), kind)
    moved = {round(b.shown - a.shown, 3) for a, b in zip(before, after, strict=True)}
    return [p.data for p in before] == [p.data for p in after] and len(moved) == 1


def test_a_film_is_copied_packet_by_packet(plain: Path, content: Path) -> None:
    made = make(plain, content)
    folder = content / "x"
    assert made.is_new
    assert notes == []
    assert same_packets(plain, folder, "36p", "video")
    assert same_packets(plain, folder, "36p", "audio")
    assert lengths(folder / "36p.m3u8") == [4.0, 4.0, pytest.approx(4.0, abs=0.05)]
    shown = [frame.pts * frame.time_base for frame in frames(joined(folder, "36p"))]
    assert [b - a for a, b in pairwise(shown)] == [Fraction(1, 25)] * 299


def test_what_the_playlists_say_is_so(plain: Path, content: Path) -> None:
    made = make(plain, content)
    folder = content / "x"
    index = m3u8.load(str(folder / "index.m3u8"))
    (variant,) = index.playlists
    stream: Any = variant.stream_info
    segments = [path.stat().st_size for path in sorted(folder.glob("*.m4s"))]
    assert variant.uri == "36p.m3u8"
    assert stream.resolution == (64, 36)
    assert stream.codecs == "avc1.4D400A,mp4a.40.2"
    assert stream.frame_rate == 25
    assert stream.bandwidth >= max(segments) * 8 / 4.01
    assert stream.average_bandwidth <= stream.bandwidth
    assert stream.average_bandwidth == pytest.approx(sum(segments) * 8 / 12, rel=0.02)
    media = m3u8.load(str(folder / "36p.m3u8"))
    assert media.target_duration == 4
    assert media.is_endlist
    assert [each.uri for each in media.segments] == [segment(folder, n).name for n in range(3)]
    assert re.fullmatch("36p-init-[0-9a-f]{8}[.]mp4", str(media.segment_map[0].uri))
    assert {path.name for path in folder.iterdir()} == {*made.record.files, record.FILE}


def test_each_segment_can_be_decoded_by_itself(plain: Path, content: Path) -> None:
    make(plain, content)
    for number in range(3):
        assert len(frames(joined(content / "x", "36p", [number]))) == 100


def test_nothing_is_decoded_before_0(plain: Path, content: Path) -> None:
    make(plain, content)
    for kind in ("video", "audio"):
        decoded = [packet.decoded for packet in packets(joined(content / "x", "36p"), kind)]
        assert decoded[0] >= 0
        assert decoded == sorted(set(decoded))


@pytest.mark.parametrize("name", ["film.mkv", "film.ts", "film.mov", "film.flv"])
def test_other_containers_are_copied_as_well(tmp_path: Path, content: Path, name: str) -> None:
    source = film(tmp_path / name, reorder=2)
    make(source, content)
    folder = content / "x"
    assert notes == []
    assert len(frames(joined(folder, "36p"))) == len(frames(source)) == 100
    before, after = (packets(each, "video") for each in (source, joined(folder, "36p")))
    moved = {round(b.shown - a.shown, 2) for a, b in zip(before, after, strict=True)}
    assert len(moved) == 1
    sound = packets(joined(folder, "36p"), "audio")
    assert len(sound) == len(packets(source, "audio"))
    assert all(not packet.data.startswith(b"\xff\xf1") for packet in sound)  # ADTS is for streams


def test_what_browsers_do_not_play_is_encoded(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "old.avi", video="mpeg4", audio="libmp3lame")
    make(source, content)
    folder = content / "x"
    assert notes == [
        "Its picture is encoded: browsers do not play mpeg4.",
        "Its sound is encoded: not every browser plays mp3.",
    ]
    index = m3u8.load(str(folder / "index.m3u8"))
    assert re.fullmatch(
        "avc1[.]64[0-9A-F]{4},mp4a[.]40[.]2", str(index.playlists[0].stream_info.codecs)
    )
    assert len(frames(joined(folder, "36p"))) == 100
    decoded = [packet.decoded for packet in packets(joined(folder, "36p"), "video")]
    assert decoded[0] >= 0
    assert decoded == sorted(set(decoded))


def test_key_frames_too_far_apart_are_noticed_on_the_way(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "long.mp4", seconds=16, key_every=1000)
    make(source, content)
    assert notes == [
        "Its picture is encoded: it has no key frame for 12.5 s, where a segment could begin."
    ]
    assert lengths(content / "x" / "36p.m3u8") == [4.0, 4.0, 4.0, pytest.approx(4.0, abs=0.05)]
    assert same_packets(source, content / "x", "36p", "audio")
    assert [p.key for p in packets(joined(content / "x", "36p"), "video")].count(True) == 4


def test_a_ladder_is_cut_at_the_same_instants(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "film.mp4", seconds=6, size=(160, 90), key_every=50)
    make(source, content, ladder=(1080, 90, 64), segment=2.0)
    folder = content / "x"
    assert notes == ["The picture has 90 lines, so there is no 1080p."]
    index = m3u8.load(str(folder / "index.m3u8"))
    assert [(p.uri, p.stream_info.resolution) for p in index.playlists] == [
        ("90p.m3u8", (160, 90)),
        ("64p.m3u8", (114, 64)),
    ]
    assert same_packets(source, folder, "90p", "video")
    keys = [
        [packet.shown for packet in packets(joined(folder, name), "video") if packet.key]
        for name in ("90p", "64p")
    ]
    assert keys[0] == keys[1]
    assert [(f.width, f.height) for f in frames(joined(folder, "64p"))] == [(114, 64)] * 150
    assert lengths(folder / "90p.m3u8") == lengths(folder / "64p.m3u8")


def test_sound_tracks_get_playlists_of_their_own(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "film.mkv", tracks=2)
    make(source, content)
    assert notes == ["Of 2 sound tracks there is one; --separate-audio takes them all."]
    make(source, content, "y", separate_audio=True)
    index = m3u8.load(str(content / "y" / "index.m3u8"))
    assert [(each.uri, each.language, each.default) for each in index.media] == [
        ("audio-1-eng.m3u8", "eng", "YES"),
        ("audio-2-deu.m3u8", "deu", "NO"),
    ]
    assert index.playlists[0].stream_info.audio == "audio"
    assert index.playlists[0].stream_info.codecs == "avc1.42C00A,mp4a.40.2"
    assert len(packets(joined(content / "y", "audio-2-deu"), "audio")) == len(
        packets(source, "audio", 1)
    )
    assert {f.split("-")[0] for f in lengths_by_name(content / "y")} == {"36p", "audio"}


def lengths_by_name(folder: Path) -> dict[str, list[float]]:
    return {path.stem: lengths(path) for path in folder.glob("*.m3u8") if path.name != "index.m3u8"}


def test_a_picture_without_sound_and_sound_without_a_picture(tmp_path: Path, content: Path) -> None:
    silent = film(tmp_path / "silent.mp4", audio=None)
    make(silent, content, "silent")
    assert same_packets(silent, content / "silent", "36p", "video")
    song = film(tmp_path / "song.m4a", video=None, seconds=9)
    made = make(song, content, "song")
    assert same_packets(song, content / "song", "audio", "audio")
    assert lengths(content / "song" / "audio.m3u8") == [
        pytest.approx(each, abs=0.05) for each in (4, 4, 1)
    ]
    assert made.record.renditions == ("audio (copied)",)
    index = m3u8.load(str(content / "song" / "index.m3u8"))
    assert index.playlists[0].stream_info.resolution is None


@pytest.mark.parametrize("encode", [False, True])
def test_frames_that_do_not_come_regularly(tmp_path: Path, content: Path, encode: bool) -> None:
    """A screen is recorded when something moves on it."""
    times = [0, 40, 80, 1000, 1010, 2500, 2540, 3000, 3900, 4100, 6000, 6040, 8100, 8140]
    source = film(
        tmp_path / "screen.mkv", times=times, time_base=Fraction(1, 1000), key_every=3, audio=None
    )
    make(source, content, encode=encode, segment=2.0)
    shown = [frame.pts * frame.time_base for frame in frames(joined(content / "x", "36p"))]
    assert [round((time - shown[0]) * 1000) for time in shown] == times
    index = m3u8.load(str(content / "x" / "36p.m3u8"))
    assert sum(each.duration or 0 for each in index.segments) == pytest.approx(8.18, abs=0.1)


def test_times_that_go_back_are_straightened(tmp_path: Path, content: Path) -> None:
    """Two recordings, one behind the other in a file."""
    once = film(tmp_path / "once.ts", seconds=5, reorder=2)
    twice = tmp_path / "twice.ts"
    twice.write_bytes(once.read_bytes() * 2)
    make(twice, content)
    assert notes == [
        "Its picture is encoded: its times go back.",
        "Its sound is encoded: its times go back.",
    ]
    shown = [frame.pts * frame.time_base for frame in frames(joined(content / "x", "36p"))]
    assert [b - a for a, b in pairwise(shown)] == [Fraction(1, 25)] * 249
    heard = packets(joined(content / "x", "36p"), "audio")
    assert heard[-1].shown - shown[0] == pytest.approx(10, abs=0.2)


def test_frames_of_which_nothing_says_when_they_are_shown(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "raw.h264", seconds=2, reorder=2, audio=None)
    make(source, content)
    assert notes == ["Its picture is encoded: nothing says when its frames are shown."]
    shown = [frame.pts * frame.time_base for frame in frames(joined(content / "x", "36p"))]
    assert [b - a for a, b in pairwise(shown)] == [Fraction(1, 25)] * 49


def test_what_is_stored_turned_is_turned_for_good(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "phone.mp4", rotation=90, seconds=1)
    make(source, content)
    (frame, *_) = frames(joined(content / "x", "36p"))
    assert (frame.width, frame.height, frame.rotation) == (36, 64, 0)
    assert notes == ["Its picture is encoded: it is stored turned by 90°."]


def test_odd_sizes_and_other_pixels(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "odd.mkv", size=(65, 37), video="ffv1", seconds=1)
    make(source, content)
    assert {(f.width, f.height) for f in frames(joined(content / "x", "37p"))} == {(64, 36)}
    chroma = film(tmp_path / "444.mp4", pixels="yuv444p", seconds=1)
    make(chroma, content, "chroma")
    assert {f.format.name for f in frames(joined(content / "chroma", "36p"))} == {"yuv420p"}


def test_sound_that_goes_on_after_the_picture_is_cut_as_well(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "tail.mp4", seconds=2, audio_seconds=12)
    make(source, content)
    assert same_packets(source, content / "x", "36p", "audio")
    assert max(lengths(content / "x" / "36p.m3u8")) < 6


def test_the_same_again_is_there_already(plain: Path, content: Path, tmp_path: Path) -> None:
    first = make(plain, content)
    before = {path: path.stat().st_mtime_ns for path in (content / "x").iterdir()}
    second = make(plain, content)
    assert (second.is_new, second.record) == (False, first.record)
    assert {path: path.stat().st_mtime_ns for path in (content / "x").iterdir()} == before
    names = {path.name for path in before if path.suffix == ".m4s"}
    make(plain, content, "y", segment=2.0)
    assert names.isdisjoint(path.name for path in (content / "y").iterdir())
    other = film(tmp_path / "other.mp4", seconds=1)
    with pytest.raises(TakenError, match="--name"):
        make(plain, content, segment=2.0)
    with pytest.raises(TakenError, match="--name"):
        make(other, content)


def test_nothing_is_visible_before_it_is_whole(
    plain: Path, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def keep(self: Draft, *words: Any) -> None:
        seen.append([path.name for path in content.iterdir()])
        original(self, *words)

    original = Draft.keep
    monkeypatch.setattr(Draft, "keep", keep)
    make(plain, content)
    assert seen == [[".x.draft"]] * 3
    assert [path.name for path in content.iterdir()] == ["x"]


def interrupted(after: int) -> Callable[..., None]:
    """What keeps segments, and is interrupted before one."""
    count = 0
    original = Draft.keep

    def keep(self: Draft, *words: Any) -> None:
        nonlocal count
        count += 1
        if count > after:
            raise KeyboardInterrupt
        original(self, *words)

    return keep


@pytest.mark.parametrize(
    "options",
    [{}, {"encode": True}, {"ladder": (36, 20)}, {"ladder": (36, 20), "separate_audio": True}],
)
def test_it_goes_on_where_it_was(
    plain: Path, content: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    whole = make(plain, content, "whole", **options)
    for attempt in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(Draft, "keep", interrupted(1))
            with pytest.raises(KeyboardInterrupt):
                make(plain, content, **options)
        kept = {
            path.name: path.stat().st_mtime_ns for path in folder_of(content, "x").glob("*.m4s")
        }
        assert len(kept) == attempt
    made = make(plain, content, **options)
    for name, time_ns in kept.items():
        assert (content / "x" / name).stat().st_mtime_ns == time_ns, "it was made again"
    assert made.is_new
    assert {name[:-13] for name in made.record.files} == {n[:-13] for n in whole.record.files}
    for name in lengths_by_name(content / "whole"):
        one, other = (joined(content / folder, name) for folder in ("whole", "x"))
        kind = "audio" if name.startswith("audio") else "video"
        shown = [[p.shown for p in packets(each, kind)] for each in (one, other)]
        assert shown[0] == shown[1]
        assert lengths(content / "whole" / f"{name}.m3u8") == lengths(
            content / "x" / f"{name}.m3u8"
        )
        if kind == "video":
            assert len(frames(other)) == 300
    if not options:
        assert made.record.files == whole.record.files


def test_nothing_is_encoded_twice(
    plain: Path, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Draft, "keep", interrupted(2))
        with pytest.raises(KeyboardInterrupt):
            make(plain, content, encode=True)
    shown: list[Fraction] = []
    original = PictureEncoder._timed

    def count(self: PictureEncoder, packets: list[Any]) -> Iterator[Timed]:
        for timed in original(self, packets):
            shown.append(timed.begin)
            yield timed

    monkeypatch.setattr(PictureEncoder, "_timed", count)
    make(plain, content, encode=True)
    assert len(shown) == 100
    assert len(frames(joined(content / "x", "36p"))) == 300


KILLED = """
import os, signal, sys
from pathlib import Path
from origin.preparing.draft import Draft
from origin.preparing.plan import Options
from origin.preparing.prepare import Wish, prepare
path, content = Path(sys.argv[1]), Path(sys.argv[2])
keep = Draft.keep
def die(self, rendition, segment):
    keep(self, rendition, segment)
    if segment.number == 1:
        (content / ".x.draft" / "36p-00002.m4s").write_bytes(b"half a segm")
        os.kill(os.getpid(), signal.SIGKILL)
Draft.keep = die
with path.open("rb") as file:
    wish = Wish.of(file, path.name, path.stat().st_mtime_ns, Options())
    prepare(wish, content, "x", lambda _: None, print)
"""


def test_a_kill_leaves_what_was_finished(plain: Path, content: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(plain), str(content)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in content.iterdir()] == [".x.draft"]
    first = segment(folder_of(content, "x"), 0)
    before = first.stat().st_mtime_ns
    make(plain, content)
    assert (content / "x" / first.name).stat().st_mtime_ns == before
    assert same_packets(plain, content / "x", "36p", "video")
    assert same_packets(plain, content / "x", "36p", "audio")


def test_what_is_no_longer_what_was_written_is_made_again(
    plain: Path, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Draft, "keep", interrupted(2))
        with pytest.raises(KeyboardInterrupt):
            make(plain, content)
    second = segment(folder_of(content, "x"), 1)
    second.write_bytes(second.read_bytes()[:-1] + b"?")
    make(plain, content)
    assert same_packets(plain, content / "x", "36p", "video")


def test_a_disk_that_is_too_small_is_noticed_before(
    plain: Path, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "_RESERVE", 1 << 60)
    with pytest.raises(MediaError, match=r"^It takes about 1 MB, and there are \d+ MB left at "):
        make(plain, content)
    assert list(content.glob("x")) == []


LIMITED = """
import resource, sys
sys.dont_write_bytecode = True  # or what Python compiles here is cut off as well, for all who come
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
from p2pcdn.cli import main
main(["add", *sys.argv[1:]])
"""


def test_a_disk_that_is_full_is_said_and_what_is_done_is_kept(
    tmp_path: Path, content: Path
) -> None:
    source = film(tmp_path / "film.mp4", seconds=8)
    options = [str(source), "--content", str(content), "--data", str(tmp_path / "data")]
    options += ["--name", "x", "--segment", "2"]
    words = [sys.executable, "-c", LIMITED, *options]
    failed = subprocess.run(words, check=False, capture_output=True, text=True)
    assert failed.returncode == 1, failed
    assert "There is no room left at" in failed.stderr
    assert "the same command again" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert [path.name for path in content.iterdir()] == [".x.draft"]
    make(source, content, segment=2.0)
    assert same_packets(source, content / "x", "36p", "video")


def test_two_at_once_are_one_too_many(plain: Path, content: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, os, sys, time; os.mkdir(sys.argv[1]);"
            "d = os.open(sys.argv[1], os.O_RDONLY); fcntl.flock(d, fcntl.LOCK_EX);"
            "print('held', flush=True); time.sleep(60)",
            str(folder_of(content, "x")),
        ],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(MediaError, match="being added by another process"):
            make(plain, content)
    finally:
        holder.kill()
        holder.wait()
    assert make(plain, content).is_new


def test_a_directory_that_cannot_be_written(
    plain: Path, content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(content))

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write anywhere
    with pytest.raises(MediaError, match="cannot be written"):
        make(plain, content)


def test_a_film_that_is_cut_off_is_remarked_on(tmp_path: Path, content: Path) -> None:
    source = film(tmp_path / "film.mp4", seconds=8, options={"movflags": "faststart"})
    data = source.read_bytes()
    source.write_bytes(data[: len(data) - len(data) // 3])
    make(source, content)
    assert any("may be cut off" in note for note in notes), notes


def test_progress_is_told(plain: Path, content: Path) -> None:
    told: list[float] = []
    with plain.open("rb") as file:
        wish = Wish.of(file, "plain.mp4", 0, Options())
        prepare(wish, content, "x", told.append, notes.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) > 10
