"""What playlists name, and how they are told that it lies beside them."""

from __future__ import annotations

import pytest

from p2pcdn.model import Span
from peer.native.addresses import ContentAddress
from peer.native.playlists import Extra, extras, localised, path_of

HERE = ContentAddress("https://o.test/cdn", "show/low/index.m3u8")
BASE = HERE.path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("0.ts", "show/low/0.ts"),
        ("../init%20.mp4?sig=1#x", "show/init .mp4"),
        ("/cdn/media/other/a.ts", "other/a.ts"),
        ("https://o.test/cdn/media/a.ts", "a.ts"),
        ("https://elsewhere.test/cdn/media/a.ts", None),
        ("/media/a.ts", None),
        ("../../../a.ts", None),
        ("%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", None),
        ("..%2f..%2fa.ts", None),
        ("c:%5Cwindows", None),
        ("a%00b", None),
        ("https://[", None),
        ("data:,x", None),
    ],
)
def test_where_a_uri_leads(uri: str, path: str | None) -> None:
    assert path_of(HERE, BASE, uri) == path


def test_what_no_manifest_speaks_of() -> None:
    text = "\n".join(
        [
            "#EXTM3U",
            '#EXT-X-MAP:URI="init.mp4"',
            '#EXT-X-MAP:URI="all.mp4",BYTERANGE="500@100"',
            '#EXT-X-MAP:BYTERANGE="20",URI="all.mp4"',
            '#EXT-X-KEY:METHOD=AES-128,URI="../key",IV=0x00',
            '#EXT-X-KEY:METHOD=AES-128,URI="https://keys.test/1"',
            "#EXT-X-KEY:METHOD=NONE",
            '#EXT-X-MAP:URI="init.mp4"',
            '#EXT-X-MEDIA:TYPE=AUDIO,URI="audio.m3u8"',
            "0.ts",
        ]
    )
    assert extras(HERE, BASE, text) == [
        Extra("show/low/init.mp4", None),
        Extra("show/low/all.mp4", Span(100, 599)),
        Extra("show/low/all.mp4", Span(0, 19)),
        Extra("show/key", None),
    ]


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("#EXTINF:2.0,", "#EXTINF:2.0,"),
        ("0.ts", "0.ts"),
        ("./0.ts", "./0.ts"),
        ("0.ts?sig=1", "0.ts"),
        ("/cdn/media/show/a%20b.ts", "../a%20b.ts"),
        ("https://o.test/cdn/media/show/low/0.ts", "0.ts"),
        ("gone.ts", "https://o.test/cdn/media/show/low/gone.ts"),
        ("//ads.test/0.ts", "https://ads.test/0.ts"),
        ('#EXT-X-MAP:URI="0.ts?x",BYTERANGE="1"', '#EXT-X-MAP:URI="0.ts",BYTERANGE="1"'),
        (
            '#EXT-X-KEY:METHOD=AES-128,URI="//k.test/1"',
            '#EXT-X-KEY:METHOD=AES-128,URI="https://k.test/1"',
        ),
        ('#EXT-X-SESSION-DATA:X-URI="0.ts?x"', '#EXT-X-SESSION-DATA:X-URI="0.ts?x"'),
        ("", ""),
    ],
)
def test_a_playlist_stays_as_it_is_where_that_will_do(line: str, local: str) -> None:
    saved = {"show/low/0.ts", "show/a b.ts"}
    text = f"#EXTM3U\r\n{line}\n"
    assert localised(HERE, BASE, text, saved.__contains__) == f"#EXTM3U\r\n{local}\n"
