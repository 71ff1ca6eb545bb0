"""What is in a file, and what is no media file."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from origin.preparing.facts import Facts, MediaError, look
from origin.preparing.plan import Options, make
from tests.origin.preparing.films import film


def facts(path: Path) -> Facts:
    with path.open("rb") as file:
        return look(file)


def test_a_film(plain: Path) -> None:
    found = facts(plain)
    assert found.video is not None
    assert (found.video.codec, found.video.format) == ("h264", "yuv420p")
    assert (found.video.width, found.video.height) == found.video.shown == (64, 36)
    assert found.video.rate == 25
    (audio,) = found.audios
    assert (audio.codec, audio.rate, audio.channels, audio.language) == ("aac", 48_000, 2, "eng")
    assert found.seconds == pytest.approx(12, abs=0.1)
    assert found.size == plain.stat().st_size


def test_a_picture_that_is_stored_turned(tmp_path: Path) -> None:
    video = facts(film(tmp_path / "phone.mp4", rotation=-90, seconds=1)).video
    assert video is not None
    assert (video.rotation, video.shown) == (270, (36, 64))


def test_codecs_have_one_name_each(tmp_path: Path) -> None:
    found = facts(film(tmp_path / "a.avi", video="mpeg4", audio="libmp3lame", seconds=1))
    assert found.video is not None
    assert (found.video.codec, found.audios[0].codec) == ("mpeg4", "mp3")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "It is empty"),
        (b"no media file " * 100, "It is not a media file that can be read here"),
        (b"#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1/a.ts\n", "It is a playlist, and needs no"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "It is not a media file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "It is not a media file"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(400), "It is an MP4 file that is cut off"),
    ],
)
def test_what_is_no_film_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(MediaError, match=sentence):
        look(io.BytesIO(data))


def test_an_mp4_without_its_end(plain: Path) -> None:
    data = plain.read_bytes()
    with pytest.raises(MediaError, match="cut off or damaged"):
        look(io.BytesIO(data[: len(data) // 2]))


def test_codecs_that_nobody_knows(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", seconds=1)
    data = source.read_bytes()
    silent = look(io.BytesIO(data.replace(b"A_AAC", b"A_XYZ")))
    assert silent.video is not None
    assert (silent.audios, silent.unknown) == ((), 1)
    assert make(silent, Options()).notes == ("1 sound tracks are of unknown codecs, and left out.",)
    with pytest.raises(MediaError, match="codec of its picture is unknown"):
        look(io.BytesIO(data.replace(b"V_MPEG4/ISO/AVC", b"V_XXXXX/ISO/AVC")))


def test_a_picture_that_cannot_be_decoded(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", seconds=1, audio=None)
    data = bytearray(source.read_bytes())
    begin = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[begin:end] = bytes(end - begin)
    with pytest.raises(MediaError, match="whole"):
        look(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    with path.open("rb") as file, pytest.raises(MediaError, match="is it still being copied"):
        look(file)
