"""Which segment a path is."""

from __future__ import annotations

import pytest

from p2pcdn.model import SegmentKey, Span
from peer.native.gateway.playlists import LINGER, MOST, Place, Playlists, read
from tests.peer.native.hosting import playlist

PATH = "show/low/index.m3u8"


def playlists(text: str, path: str = PATH) -> Playlists:
    made = Playlists()
    made.note(path, read(path, text.encode()))
    return made


def test_segments_are_found_beside_their_playlist() -> None:
    made = playlists(playlist(3, first=7))
    assert made.find("show/low/8.ts", None) == Place(SegmentKey(PATH, 8))
    assert made.find("show/low/10.ts", None) is None
    assert made.find("show/8.ts", None) is None


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("../x/a%20b.ts?t=1", "show/x/a b.ts"),
        ("/media/y/1.ts", "y/1.ts"),
        ("/elsewhere/1.ts", None),
        ("https://cdn.example/media/1.ts", None),
    ],
)
def test_whatever_way_they_are_named(uri: str, path: str | None) -> None:
    made = playlists(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{uri}\n#EXTINF:2,\nz.ts\n")
    for name in ("show/x/a b.ts", "y/1.ts", "elsewhere/1.ts", "1.ts"):
        found = made.find(name, None)
        assert found == (Place(SegmentKey(PATH, 0)) if name == path else None)


def test_several_in_one_file_are_told_apart_by_their_bytes() -> None:
    made = playlists(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:4\n"
        "#EXTINF:2,\n#EXT-X-BYTERANGE:100@50\nall.mp4\n"
        "#EXTINF:2,\n#EXT-X-BYTERANGE:30\nall.mp4\n"
    )
    assert made.find("show/low/all.mp4", Span(50, 149)) == Place(SegmentKey(PATH, 4), Span(50, 149))
    second = Place(SegmentKey(PATH, 5), Span(150, 179))
    assert made.find("show/low/all.mp4", Span(150, 179)) == second
    assert made.find("show/low/all.mp4", Span(0, 49)) is None
    assert made.find("show/low/all.mp4", None) is None


def test_gaps_have_a_number_and_no_file() -> None:
    made = playlists(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:4\n#EXTINF:2,\na.ts\n#EXTINF:2,\n#EXT-X-GAP\nb.ts\n"
        "#EXTINF:2,\n#EXT-X-BYTERANGE:0@7\nc.ts\n#EXTINF:2,\nhttp://[x/d.ts\n"
        '#EXT-X-DEFINE:NAME="v",VALUE="x"\n#EXTINF:2,\n{$v}/e.ts\n'
    )
    assert made.find("show/low/a.ts", None) == Place(SegmentKey(PATH, 4))
    assert made.find("show/low/b.ts", None) is None
    assert made.find("show/low/c.ts", None) is None
    assert made.find("show/low/x/e.ts", None) == Place(SegmentKey(PATH, 8))


def test_what_a_live_playlist_has_dropped_is_known_for_a_while() -> None:
    made = playlists(playlist(3, ended=False, first=10))
    made.note(PATH, read(PATH, playlist(3, ended=False, first=12).encode()))
    assert made.find("show/low/10.ts", None) == Place(SegmentKey(PATH, 10))
    made.note(PATH, read(PATH, playlist(3, ended=False, first=13 + LINGER).encode()))
    assert made.find("show/low/12.ts", None) is None
    assert made.find("show/low/14.ts", None) == Place(SegmentKey(PATH, 14))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n",
        "#EXTM3U\n#EXTINF:x\n1.ts",
        "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\n1.ts\n",
        "#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:1e13,\n1.ts\n"
        "#EXTINF:2,\n2.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n#EXT-X-BYTERANGE:x\n1.ts\n",
    ],
)
def test_what_names_no_segments_changes_nothing(text: str) -> None:
    made = playlists(playlist(1))
    made.note("other.m3u8", read("other.m3u8", text.encode()))
    assert made.find("show/low/0.ts", None) == Place(SegmentKey(PATH, 0))
    assert made.find("1.ts", None) is None


def test_there_is_room_for_so_many() -> None:
    made = Playlists()
    for number in range(MOST + 1):
        path = f"{number}/index.m3u8"
        made.note(path, read(path, playlist(1).encode()))
    assert made.find("0/0.ts", None) is None
    assert made.find("1/0.ts", None) is not None
