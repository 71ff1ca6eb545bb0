"""Playlists without tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.catalog.playlist import MediaPlaylist, MultivariantPlaylist, PlaylistError, parse
from origin.elsewhere.cleaning import clean
from origin.elsewhere.places import Places
from p2pcdn.config import ElsewhereConfig

FILM = "https://cdn.example/films/a/"
places = Places(
    [ElsewhereConfig(prefix="https://cdn.example/films/", query=("q",), token="/t=[^/]*")]
)


def cleaned(text: str, url: str = f"{FILM}index.m3u8?token=secret") -> tuple[str, dict[str, str]]:
    found = clean(text.encode(), places.find(url), places.find)
    return found.data.decode(), {name: place.url for name, place in found.places.items()}


def test_segments_have_names_and_places() -> None:
    text, where = cleaned(
        "\ufeff#EXTM3U\r\n"
        "# a comment with secret\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-MEDIA-SEQUENCE:7\n"
        '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.example/k?token=secret"\n'
        '#EXT-X-MAP:URI="init.mp4?token=secret"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n"
        "#EXTINF:2.0,secret\n"
        "s7.ts?token=secret\n"
        "#EXTINF:2.0\n"
        "  https://CDN.example:443/films/a/s8.ts?token=secret&q=1\n"
        "#EXT-X-BYTERANGE:10@0\n"
        "#EXTINF:2.0,\n"
        "/t=secret/films/b/s9.ts\n"
        "#EXTINF:2.0,\n"
        "https://evil.example/s10.ts?token=secret\n"
        "#EXT-X-ENDLIST"
    )
    assert "secret" not in text
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXTINF:2.0,",
        "s7.ts",
        "#EXTINF:2.0,",
        "s8.ts;q=1",
        "#EXT-X-BYTERANGE:10@0",
        "#EXTINF:2.0,",
        "https://cdn.example/films/b/s9.ts",
        "#EXTINF:2.0,",
        "nowhere:",
        "#EXT-X-ENDLIST",
    ]
    assert where == {
        f"{FILM}s7.ts": f"{FILM}s7.ts?token=secret",
        f"{FILM}s8.ts;q=1": f"{FILM}s8.ts?token=secret&q=1",
        "https://cdn.example/films/b/s9.ts": "https://cdn.example/t=secret/films/b/s9.ts",
    }
    playlist = parse(f"{FILM}index.m3u8", text.encode())
    assert isinstance(playlist, MediaPlaylist)
    assert [(s.sequence, s.path) for s in playlist.segments] == [
        (7, f"{FILM}s7.ts"),
        (8, f"{FILM}s8.ts;q=1"),
        (9, "https://cdn.example/films/b/s9.ts"),
    ]


def test_renditions_have_names() -> None:
    text, _ = cleaned(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="audio/x.m3u8?token=secret"\n'
        '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8?token=secret"\n'
        '#EXT-X-SESSION-DATA:DATA-ID="a",VALUE="secret"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\n'
        "480p.m3u8?token=secret\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO="a"\n'
        "//other.example/720p.m3u8?token=secret\n"
    )
    assert "secret" not in text
    playlist = parse(f"{FILM}index.m3u8", text.encode())
    assert isinstance(playlist, MultivariantPlaylist)
    assert [(entry.path, entry.uri) for entry in playlist.renditions] == [
        (f"{FILM}480p.m3u8", "480p.m3u8"),
        (f"{FILM}audio/x.m3u8", f"{FILM}audio/x.m3u8"),
    ]


def test_two_viewers_playlists_are_one() -> None:
    def given_to(token: str) -> str:
        lines = [f"#EXTINF:2,\ns{n}.ts?token={token}&n={n}" for n in range(3)]
        return "\n".join(["#EXTM3U", f"# for {token}", *lines])

    one, two = (cleaned(given_to(token), f"{FILM}x.m3u8?t={token}")[0] for token in ("1", "2"))
    assert one == two


def test_a_path_borne_token_is_in_no_name() -> None:
    url = "https://cdn.example/t=secret/films/a/index.m3u8"
    text, where = cleaned("#EXTM3U\n#EXTINF:2,\ns0.ts\n", url)
    assert text.splitlines()[2] == "s0.ts"
    assert where == {f"{FILM}s0.ts": "https://cdn.example/t=secret/films/a/s0.ts"}


@pytest.mark.parametrize("data", [b"", b"x", b"<html>", b"\xff#EXTM3U", b"#EXTM3U\n\xff"])
def test_what_is_no_playlist_is_refused(data: bytes) -> None:
    with pytest.raises(PlaylistError, match=r"A playlist "):
        clean(data, places.find(f"{FILM}x.m3u8"), places.find)


@given(
    st.lists(
        st.sampled_from(
            [
                "#EXTINF:2,secret",
                '#EXT-X-MEDIA:URI="x?secret"',
                "#EXT-X-X:secret",
                "#secret",
                "# ",
                "s.ts?secret",
                "//secret@x/",
                "https://cdn.example/films/a/s.ts#secret",
                "{$x}?secret",
                "?secret",
                '#EXT-X-MAP:URI="secret"',
                "#EXTINF:secret",
                "../films/a/%2e%2e/?secret",
            ]
        ),
        max_size=8,
    )
)
def test_whatever_a_playlist_says_a_query_is_not_in_it(lines: list[str]) -> None:
    text, _ = cleaned("\n".join(["#EXTM3U", *lines]))
    assert "?" not in text
    assert "secret" not in text
