"""What is copied and what is encoded: a table of cases."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from origin.preparing.facts import Audio, Facts, MediaError, Video
from origin.preparing.plan import Anew, Options, Plan, estimate, make

HD: dict[str, Any] = {"codec": "h264", "format": "yuv420p", "width": 1920, "height": 1080}


def facts(audios: tuple[Audio, ...] = (), **changes: Any) -> Facts:
    video = Video(index=0, rate=Fraction(25), bits=5_000_000, **(HD | changes))
    return Facts("mov", 100.0, 65_000_000, video, audios or (Audio(1, "aac", 48_000, 2),))


def pictures(plan: Plan) -> list[tuple[str, int, int, bool]]:
    return [(p.name, p.width, p.height, p.copied) for p in plan.pictures]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"format": "yuvj420p"}, ""),
        ({"codec": "hevc"}, ""),
        ({"codec": "hevc", "format": "yuv420p10le"}, ""),
        ({"codec": "vp9"}, ""),
        ({"codec": "av1", "format": "yuv420p10le"}, ""),
        ({"format": "yuv420p10le"}, "browsers do not play h264 with pixels as yuv420p10le"),
        ({"format": "yuv422p"}, "browsers do not play h264 with pixels as yuv422p"),
        ({"codec": "hevc", "format": "yuv444p"}, "browsers do not play hevc with pixels as"),
        ({"codec": "mpeg2video"}, "browsers do not play mpeg2video"),
        ({"codec": "vp8"}, "browsers do not play vp8"),
        ({"codec": "prores", "format": "yuv422p10le"}, "browsers do not play prores"),
        ({"rotation": 270}, "it is stored turned by 270"),
    ],
)
def test_the_picture_is_copied_where_browsers_play_it(changes: dict[str, Any], reason: str) -> None:
    (picture,) = make(facts(**changes), Options()).pictures
    assert picture.copied == (not reason)
    assert picture.reason.startswith(reason)


@pytest.mark.parametrize(
    ("codec", "copied"),
    [("aac", True), ("opus", True), ("flac", True), ("mp3", False), ("ac3", False),
     ("vorbis", False), ("dts", False), ("pcm_s16le", False)],
)  # fmt: skip
def test_the_sound_is_copied_where_browsers_play_it(codec: str, copied: bool) -> None:
    (sound,) = make(facts((Audio(1, codec, 48_000, 6),)), Options()).sounds
    assert sound.copied == copied


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        ((), [("1080p", 1920, 1080, True)]),
        ((1080, 720), [("1080p", 1920, 1080, True), ("720p", 1280, 720, False)]),
        ((720, 480), [("720p", 1280, 720, False), ("480p", 853 // 2 * 2, 480, False)]),
        ((2160, 720), [("1080p", 1920, 1080, True), ("720p", 1280, 720, False)]),
        ((2160,), [("1080p", 1920, 1080, True)]),
    ],
)
def test_the_ladder_never_goes_above_the_picture(
    ladder: tuple[int, ...], expected: list[object]
) -> None:
    plan = make(facts(), Options(ladder=ladder))
    assert pictures(plan) == expected
    assert any("2160p" in note for note in plan.notes) == (2160 in ladder)


def test_a_picture_on_its_side_counts_by_its_width() -> None:
    plan = make(facts(rotation=90), Options(ladder=(1080, 720)))
    assert pictures(plan) == [("1080p", 1080, 1920, False), ("720p", 720, 1280, False)]


def test_pixels_that_are_not_square_become_so_where_it_is_encoded() -> None:
    dvd: dict[str, Any] = {"width": 720, "height": 576, "aspect": Fraction(64, 45)}
    plan = make(facts(codec="mpeg2video", **dvd), Options())
    assert pictures(plan) == [("576p", 1024, 576, False)]


def test_what_could_not_be_copied_is_encoded_anew() -> None:
    plan = make(facts(), Options(), Anew("its times go back", "of that"))
    assert [picture.reason for picture in plan.pictures] == ["its times go back"]
    assert [sound.reason for sound in plan.sounds] == ["of that"]
    assert plan.notes == ("Its picture is encoded: its times go back.",
                          "Its sound is encoded: of that.")  # fmt: skip


def test_of_several_sound_tracks_the_default_one_is_taken() -> None:
    tracks = (Audio(1, "aac", 48_000, 2, "eng"), Audio(2, "aac", 48_000, 2, "deu", default=True))
    plan = make(facts(tracks), Options())
    assert [sound.track.index for sound in plan.sounds] == [2]
    assert not plan.separate
    plan = make(facts(tracks), Options(separate_audio=True))
    assert [sound.name for sound in plan.sounds] == ["audio-1-eng", "audio-2-deu"]
    assert plan.separate


def test_sound_alone_has_no_ladder() -> None:
    song = Facts("mp3", 100.0, 1_000_000, None, (Audio(0, "mp3", 44_100, 2),))
    assert make(song, Options()).pictures == ()
    with pytest.raises(MediaError, match="no picture"):
        make(song, Options(ladder=(720,)))


def test_the_estimate_is_of_the_order_of_what_comes() -> None:
    copied = estimate(facts(), make(facts(), Options()))
    assert 62_000_000 < copied < 70_000_000
    options = Options(ladder=(1080, 720, 480))
    ladder = estimate(facts(), make(facts(), options))
    assert copied + 30_000_000 < ladder < 3 * copied
    nobody_knows = Facts("h264", 0.0, 1000, facts().video, ())
    assert estimate(nobody_knows, make(nobody_knows, Options())) == 1000
