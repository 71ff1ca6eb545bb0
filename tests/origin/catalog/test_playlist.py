"""Reading playlists: which bytes of which files the segments are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from origin.catalog import playlist
from origin.catalog.playlist import (
    Document,
    MediaPlaylist,
    MultivariantPlaylist,
    PlaylistError,
    PlaylistSegment,
    RenditionEntry,
    Surroundings,
    document_of,
    is_live,
    is_presentation,
    load,
    parse,
)
from origin.sources.directory import Directory
from p2pcdn.errors import SourceError
from tests.origin.media_files import identity_of, media_playlist, multivariant_playlist, write
from tests.p2pcdn.presentations.test_sidx import sidx


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


def test_renditions_of_a_presentation() -> None:
    text = (
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="audio/en.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="c",NAME="en",INSTREAM-ID="CC1"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n480p.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"\n720p.m3u8\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="keys.m3u8"\n'
        "#EXT-X-STREAM-INF:BANDWIDTH=3\n./480p.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=4\nhttps://cdn.example/1080p.m3u8\n"
    )
    assert parse("show/all.m3u8", text.encode()) == MultivariantPlaylist(
        (
            RenditionEntry("show/480p.m3u8", "480p.m3u8"),
            RenditionEntry("show/720p.m3u8", "720p.m3u8"),
            RenditionEntry("show/audio/en.m3u8", "audio/en.m3u8"),
        ),
        ("show/keys.m3u8",),
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


CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "playlists.json").read_text(encoding="utf-8")
)
OWN = "http://origin.example"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_is_ours_of_what_players_find(case: dict[str, Any]) -> None:
    text = "\n".join([*case["lines"], ""])
    around = Surroundings(urls=(OWN,), variables=case.get("variables"))
    found = parse("show/video.m3u8", text.encode(), around)
    assert isinstance(found, MediaPlaylist)
    wanted = [
        (
            segment["sequence"],
            unquote(urlsplit(segment["url"]).path.removeprefix("/media/")),
            segment.get("offset", 0),
            segment.get("length"),
        )
        for segment in case["segments"]
        if segment["url"].startswith(f"{OWN}/media/") and set(segment).isdisjoint(ABSENT)
    ]
    assert [(s.sequence, s.path, s.offset, s.length) for s in found.segments] == wanted
    assert (found.first, found.live) == (case["first"], case["live"])


ABSENT = {"gap", "unknown"}


def test_loading(tmp_path: Path) -> None:
    data = write(tmp_path / "a.m3u8", media_playlist(["a.ts"]))
    source = Directory(tmp_path)
    assert load(source, "a.m3u8") == Document(data, identity_of(tmp_path / "a.m3u8"))
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


MPD = (
    b'<MPD type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet>'
    b'<SegmentTemplate duration="2" media="$RepresentationID$/$Number$.m4s?t=$Number$"/>'
    b'<Representation id="360p"/><Representation id="a b"/>'
    b"<Representation id='away'><BaseURL>https://cdn.example/</BaseURL></Representation>"
    b"</AdaptationSet></Period></MPD>"
)


def test_a_dash_manifest_is_a_presentation() -> None:
    path = "my films/show.mpd"
    assert is_presentation(path, MPD)
    assert parse(path, MPD) == MultivariantPlaylist(
        tuple(
            RenditionEntry(f"{path}/{name}", f"show.mpd/{name}")
            for name in ("1/360p", "1/~2", "1/away")
        )
    )


def test_a_representation_is_a_rendition_below_it() -> None:
    assert parse("my films/show.mpd/1/360p", MPD) == MediaPlaylist(
        live=False,
        first=1,
        target=2,
        segments=tuple(
            PlaylistSegment(n, f"../../360p/{n}.m4s?t={n}", f"my films/360p/{n}.m4s", 0, None, 2000)
            for n in (1, 2)
        ),
    )
    away = parse("my films/show.mpd/1/away", MPD)
    assert isinstance(away, MediaPlaylist)
    assert away.segments == ()
    with pytest.raises(PlaylistError, match="no representation '1/x'"):
        parse("my films/show.mpd/1/x", MPD)


@pytest.mark.parametrize(
    ("rendition", "document"),
    [
        ("a/show.mpd/1/v", "a/show.mpd"),
        ("show.MPD/12/~3", "show.MPD"),
        ("a/show.mpd", "a/show.mpd"),
        ("a/show.mpd/v", "a/show.mpd/v"),
        ("a/show.mpd/1/v/w", "a/show.mpd/1/v/w"),
        ("a/show.m3u8", "a/show.m3u8"),
    ],
)
def test_the_document_of_a_rendition(rendition: str, document: str) -> None:
    assert document_of(rendition) == document


INDEXED = (
    b'<MPD type="static"><Period><AdaptationSet><Representation id="v"><BaseURL>v.mp4</BaseURL>'
    b'<SegmentBase indexRange="4-59"/></Representation></AdaptationSet></Period></MPD>'
)


def test_the_index_is_read_from_the_file(tmp_path: Path) -> None:
    around = Surroundings(Directory(tmp_path))
    with pytest.raises(PlaylistError, match=r"'film/v.mp4' with its segments is not there"):
        parse("film/show.mpd/1/v", INDEXED, around)
    write(tmp_path / "film" / "v.mp4", b"head" + sidx([(100, 2000, False), (9, 500, False)]))
    found = parse("film/show.mpd/1/v", INDEXED, around)
    assert isinstance(found, MediaPlaylist)
    assert [(s.path, s.offset, s.length) for s in found.segments] == [
        ("film/v.mp4", 60, 100),
        ("film/v.mp4", 160, 9),
    ]
    elsewhere = INDEXED.replace(b"v.mp4", b"https://cdn.example/v.mp4")
    with pytest.raises(PlaylistError, match="not in a file of this origin"):
        parse("film/show.mpd/1/v", elsewhere, around)
