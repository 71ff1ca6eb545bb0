"""Reading playlists: which bytes of which files the segments are."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.catalog import playlist
from origin.catalog.playlist import (
    MediaPlaylist,
    MultivariantPlaylist,
    PlaylistError,
    PlaylistSegment,
    RenditionEntry,
    is_live,
    load,
    parse,
)
from origin.sources.directory import Directory
from p2pcdn.errors import SourceError
from tests.origin.media_files import identity_of, media_playlist, multivariant_playlist, write


def media(text: str) -> MediaPlaylist:
    parsed = parse("show/480p.m3u8", f"#EXTM3U\n{text}".encode())
    assert isinstance(parsed, MediaPlaylist)
    return parsed


def test_whole_files() -> None:
    text = media_playlist(["a.ts", "sub/b.ts?token=1"], first=7, target=3)
    assert parse("show/480p.m3u8", text.encode()) == MediaPlaylist(
        live=False,
        first=7,
        target=3,
        segments=(
            PlaylistSegment(7, "a.ts", "show/a.ts", 0, None, 2000),
            PlaylistSegment(8, "sub/b.ts?token=1", "show/sub/b.ts", 0, None, 2000),
        ),
    )


def test_byte_ranges_with_and_without_a_beginning() -> None:
    parsed = media(
        '#EXT-X-MAP:URI="all.mp4",BYTERANGE="500@0"\n'
        "#EXT-X-BYTERANGE:1000@500\n#EXTINF:1.5,\nall.mp4\n"
        "#EXT-X-BYTERANGE:200\n#EXTINF:1.5,\nall.mp4\n"
        "#EXT-X-BYTERANGE:30@9000\n#EXTINF:1.5,\nall.mp4\n"
        "#EXT-X-BYTERANGE:4\n#EXTINF:1.5,\nall.mp4\n"
        "#EXT-X-BYTERANGE:5\n#EXTINF:1.5,\nother.mp4\n"
    )
    ranges = [(s.path, s.offset, s.length) for s in parsed.segments]
    assert ranges == [
        ("show/all.mp4", 500, 1000),
        ("show/all.mp4", 1500, 200),
        ("show/all.mp4", 9000, 30),
        ("show/all.mp4", 9030, 4),
        ("show/other.mp4", 0, 5),
    ]


def test_what_is_not_ours_keeps_its_number() -> None:
    parsed = media(
        "#EXTINF:2,\na.ts\n"
        "#EXTINF:2,\nhttps://ads.example/ad.ts\n"
        "#EXT-X-GAP\n#EXTINF:2,\nmissing.ts\n"
        "#EXTINF:2,\n../../../etc/passwd\n"
        "#EXT-X-DISCONTINUITY\n#EXTINF:2,\nb.ts\n"
    )
    assert [(s.sequence, s.uri) for s in parsed.segments] == [(0, "a.ts"), (4, "b.ts")]


def test_a_segment_of_which_there_are_only_parts_is_none() -> None:
    parsed = media('#EXTINF:2,\na.ts\n#EXT-X-PART:DURATION=0.3,URI="b.0.ts"\n')
    assert [s.uri for s in parsed.segments] == ["a.ts"]


@pytest.mark.parametrize("duration", ["nan", "inf", "-3", "0"])
def test_odd_durations_count_as_none(duration: str) -> None:
    assert media(f"#EXTINF:{duration},\na.ts\n").segments[0].duration == 0


def test_renditions_of_a_presentation() -> None:
    text = (
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="audio/en.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="en",INSTREAM-ID="CC1"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n480p.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"\n720p.m3u8\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=3\n./480p.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=4\nhttps://cdn.example/1080p.m3u8\n"
    )
    assert parse("show/all.m3u8", text.encode()) == MultivariantPlaylist(
        (
            RenditionEntry("show/480p.m3u8", "480p.m3u8"),
            RenditionEntry("show/720p.m3u8", "720p.m3u8"),
            RenditionEntry("show/audio/en.m3u8", "audio/en.m3u8"),
        )
    )


@pytest.mark.parametrize(
    ("text", "live"),
    [
        (media_playlist(["a.ts"], live=True), True),
        (media_playlist(["a.ts"]), False),
        ("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:2,\na.ts\n", False),
        ("#EXTM3U\n#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:2,\na.ts\n", True),
        (multivariant_playlist(["a.m3u8"]), False),
        ("#EXTM3U\n", True),
    ],
)
def test_live(text: str, live: bool) -> None:
    assert is_live(text.encode()) is live


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "<html>#EXTM3U",
        "#EXTM3U\n#EXTINF:abc,\na.ts\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n",
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-5\n#EXTINF:2,\na.ts\n",
        "#EXTM3U\n#EXT-X-BYTERANGE:abc\n#EXTINF:2,\na.ts\n",
        "#EXTM3U\n#EXT-X-BYTERANGE:-5@0\n#EXTINF:2,\na.ts\n",
        "#EXTM3U\n#EXT-X-STREAM-INF:\na.m3u8\n",
        "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\na.ts\n",
        b"#EXTM3U\n#EXTINF:2,\n\xff.ts\n",
    ],
)
def test_what_is_no_playlist(text: str | bytes) -> None:
    with pytest.raises(PlaylistError):
        parse("a.m3u8", text.encode() if isinstance(text, str) else text)


def test_a_byte_order_mark_is_forgiven() -> None:
    parsed = parse("a.m3u8", b"\xef\xbb\xbf" + media_playlist(["a.ts"]).encode())
    assert isinstance(parsed, MediaPlaylist)


LINES = st.sampled_from(
    [
        "#EXTINF:2,",
        "#EXTINF:",
        "a.ts",
        "../..",
        "#EXT-X-BYTERANGE:5",
        "#EXT-X-BYTERANGE:5@x",
        "#EXT-X-STREAM-INF:BANDWIDTH=1",
        '#EXT-X-MEDIA:TYPE=AUDIO,URI="b"',
        "#EXT-X-MEDIA-SEQUENCE:9",
        "#EXT-X-ENDLIST",
        "#EXT-X-MAP:URI=",
        "#EXT-X-KEY:METHOD=AES-128",
        "#EXT-X-PART:URI=x",
        "#EXT-X-DATERANGE:",
        "#EXT-X-PROGRAM-DATE-TIME:x",
        "\u2028",
    ]
)


@given(st.lists(LINES | st.text(max_size=10), max_size=12))
def test_anything_is_a_playlist_or_a_playlist_error(lines: list[str]) -> None:
    with contextlib.suppress(PlaylistError):
        parse("a.m3u8", "\n".join(["#EXTM3U", *lines]).encode())


def test_loading(tmp_path: Path) -> None:
    data = write(tmp_path / "a.m3u8", media_playlist(["a.ts"]))
    source = Directory(tmp_path)
    assert load(source, "a.m3u8") == (data, identity_of(tmp_path / "a.m3u8"))
    with pytest.raises(SourceError):
        load(source, "b.m3u8")


def test_loading_what_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlist, "MOST_BYTES", 10)
    write(tmp_path / "a.m3u8", "0123456789")
    write(tmp_path / "b.m3u8", "0123456789a")
    source = Directory(tmp_path)
    assert load(source, "a.m3u8").data == b"0123456789"
    with pytest.raises(PlaylistError, match="at most 10 bytes"):
        load(source, "b.m3u8")
