"""Content types by ending."""

from __future__ import annotations

import pytest

from origin.content_types import content_type, is_hls, is_media, is_mpd, is_playlist


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/480p.m3u8", "application/vnd.apple.mpegurl"),
        ("a/s0.ts", "video/mp2t"),
        ("a/S0.TS", "video/mp2t"),
        ("a/s0.m4s", "video/iso.segment"),
        ("a/init.mp4", "video/mp4"),
        ("a/a.aac", "audio/aac"),
        ("a/en.vtt", "text/vtt; charset=utf-8"),
        ("a/x.mpd", "application/dash+xml"),
        ("a/x.unknown", "application/octet-stream"),
        ("a.ts/x", "application/octet-stream"),
        ("x.", "application/octet-stream"),
    ],
)
def test_content_type(path: str, expected: str) -> None:
    assert content_type(path) == expected


def test_playlists() -> None:
    assert is_playlist("a/x.m3u8")
    assert is_playlist("X.M3U8")
    assert not is_playlist("a.m3u8/s.ts")
    assert is_playlist("a/show.mpd")
    assert is_mpd("a/show.MPD")
    assert not is_mpd("a.m3u8")
    assert is_hls("a.m3u8")
    assert not is_hls("a.mpd")


def test_media() -> None:
    assert is_media("movie.mp4")
    assert is_media("song.mp3")
    assert not is_media("page.html")
    assert not is_media("a.m3u8")


def test_the_name_of_a_playlist_elsewhere_may_have_a_part_of_its_query() -> None:
    assert is_playlist("https://cdn.example/a.m3u8;q=1.5")
    assert not is_playlist("https://cdn.example/a.ts;q=x.m3u8")
    assert not is_playlist("a.m3u8;q=1")
