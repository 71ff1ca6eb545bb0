"""HLS playlists: which segments there are, by which numbers; what is none has a sentence."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.presentations import MOST_SEGMENTS, PresentationError, Segment, hls
from p2pcdn.presentations.hls import LONGEST_LINE, Media, Multivariant, is_live, read

VECTORS = Path(__file__).parents[2] / "vectors" / "playlists.json"
"""What hls.js finds in playlists: `peer/browser/test/players/playlists.test.ts`."""
CASES: list[dict[str, Any]] = json.loads(VECTORS.read_text(encoding="utf-8"))
URL = "http://origin.example/media/show/video.m3u8"


def media(text: str, imported: hls.Variables | None = None) -> Media:
    found = read(f"#EXTM3U\n{text}".encode(), imported)
    assert isinstance(found, Media)
    return found


def multivariant(text: str) -> Multivariant:
    found = read(f"#EXTM3U\n{text}".encode())
    assert isinstance(found, Multivariant)
    return found


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_segments_are_those_that_hls_js_finds(case: dict[str, Any], end: str) -> None:
    data = end.join([*case["lines"], ""]).encode("utf-8-sig")
    found = read(data, case.get("variables"))
    assert isinstance(found, Media)
    assert (found.first, is_live(data)) == (case["first"], case["live"])
    for segment, wanted in zip(found.segments, case["segments"], strict=True):
        assert segment.sequence == wanted["sequence"]
        assert segment.length == wanted.get("length")
        assert segment.offset == wanted.get("offset", 0)
        assert segment.is_there == (not wanted.get("gap") and not wanted.get("unknown"))
        if segment.is_there:
            url = urljoin(URL, segment.uri).replace(" ", "%20")
            # What depends on the viewer's own query is left out.
            assert url == wanted["url"].replace("?t=secret", "")


def test_durations_are_in_milliseconds() -> None:
    found = media("#EXT-X-TARGETDURATION:4\n#EXTINF:3.0036,x\na\n#EXTINF:4\nb\nc\n")
    assert [segment.duration for segment in found.segments] == [3004, 4000, 0]
    assert found.target == 4


def test_a_range_that_follows_nothing_is_nowhere() -> None:
    """Players guess, and guess differently: such a segment comes from where they say alone."""
    found = media(
        "#EXTINF:2,\n#EXT-X-BYTERANGE:5\na.mp4\n"
        "#EXTINF:2,\n#EXT-X-BYTERANGE:5\nb.mp4\n"
        "#EXTINF:2,\nc.mp4\n"
        "#EXTINF:2,\n#EXT-X-BYTERANGE:5\nc.mp4\n"
    )
    assert [segment.is_there for segment in found.segments] == [True, False, True, False]


def test_initialisation_sections_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        '#EXT-X-DEFINE:NAME="d",VALUE="v1"\n'
        '#EXT-X-MAP:URI="{$d}/init.mp4",BYTERANGE="800@0"\n#EXTINF:2,\na.m4s\n'
        '#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="ad.mp4"\n#EXTINF:2,\nb.m4s\n'
        '#EXT-X-MAP:URI="v1/init.mp4"\n#EXT-X-MAP:BYTERANGE="1"\n#EXTINF:2,\nc.m4s\n'
    )
    assert media(text).inits == ("v1/init.mp4", "ad.mp4")
    monkeypatch.setattr(hls, "_MOST_INITS", 1)
    assert media(text).inits == ("v1/init.mp4",)


MULTIVARIANT = """\
#EXT-X-VERSION:11
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-DEFINE:NAME="base",VALUE="v1"
#EXT-X-DEFINE:NAME="both",VALUE="{$base}/en"
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",URI="title.json"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="key"
#EXT-X-CONTENT-STEERING:SERVER-URI="/steering",PATHWAY-ID="A"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="lo", NAME="English, plain",LANGUAGE="en",URI="{$both}/lo.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="English",LANGUAGE="en",URI="{$both}/hi.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="hi",NAME="in the variant"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",URI="text/en.m3u8"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="lo",SUBTITLES="text"

# the small one
{$base}/360p.m3u8
stray.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2000000,RESOLUTION=1280x720,AUDIO="hi"
https://cdn.example/720p.m3u8?token={$base}
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=80000,URI="{$base}/keys.m3u8"
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=8000,RESOLUTION=160x90,URI="thumbs.m3u8"
"""


def test_a_multivariant_playlist() -> None:
    assert multivariant(MULTIVARIANT) == Multivariant(
        (
            "v1/360p.m3u8",
            "https://cdn.example/720p.m3u8?token=v1",
            "v1/en/lo.m3u8",
            "v1/en/hi.m3u8",
            "text/en.m3u8",
        ),
        ("v1/keys.m3u8", "thumbs.m3u8"),
        {"base": "v1", "both": "v1/en"},
    )


@pytest.mark.parametrize(
    ("text", "live"),
    [
        ("#EXTINF:2,\na.ts\n", True),
        ("#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n", False),
        ("#EXTINF:2,\na.ts\r\n\t#EXT-X-ENDLIST", False),
        ("#EXT-X-PLAYLIST-TYPE: VOD\n#EXTINF:2,\na.ts\n", False),
        ("#EXT-X-PLAYLIST-TYPE:EVENT\n#EXTINF:2,\na.ts\n", True),
        ("#EXTINF:2,how #EXT-X-ENDLIST works\na.ts\n", True),
        ("#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n", False),
    ],
)
def test_live(text: str, live: bool) -> None:
    assert is_live(f"#EXTM3U\n{text}".encode()) is live


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "begins with #EXTM3U"),
        ("<html>\n#EXTM3U\n", "begins with #EXTM3U"),
        ("#EXTM3U\n#EXTINF:2,\n\xff.ts\n", "is UTF-8, which byte 19 is not"),
        ("#EXTM3U\n#EXTINF:abc,\na.ts\n", "has a duration, not 'abc,'"),
        ("#EXTM3U\n#EXTINF:-1,\na.ts\n", "has a duration, not '-1,'"),
        ("#EXTM3U\n#EXTINF:2 ,\na.ts\n", "has a duration, not '2 ,'"),
        ("#EXTM3U\n#EXTINF:\n2.ts\n", "has a duration, not ''"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n", "a whole number, not 'x'"),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-5\n#EXTINF:2,\na.ts\n", "a whole number, not '-5'"),
        (f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{2**53}\n", "a whole number, not"),
        (f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{2**53 - 1}\na.ts\n", "numbered up to"),
        ("#EXTM3U\na.ts\n#EXT-X-MEDIA-SEQUENCE:5\n", "comes before the first segment"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:abc\na.ts\n", "LENGTH@OFFSET, not 'abc'"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:-5@0\na.ts\n", "LENGTH@OFFSET, not '-5@0'"),
        ("#EXTM3U\n#EXT-X-BYTERANGE:\u0665@0\na.ts\n", "LENGTH@OFFSET"),
        ("#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\na.ts\n", "delta update"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:\na.m3u8\n", "has none"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", "has none"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXTINF:2,\nb.ts\n", "variants or segments"),
        ("#EXTM3U\n#EXTINF:2,\n{$x}.ts\n", "no #EXT-X-DEFINE before '{$x}'"),
        ('#EXTM3U\n{$x}.ts\n#EXT-X-DEFINE:NAME="x",VALUE="a"\n', "no #EXT-X-DEFINE before"),
        ('#EXTM3U\n#EXT-X-DEFINE:VALUE="a"\n', "a NAME, an IMPORT or a QUERYPARAM"),
        ('#EXTM3U\n#EXT-X-DEFINE:NAME="x"\n#EXT-X-DEFINE:NAME="x"\n', "'x' is defined twice"),
        ('#EXTM3U\n#EXT-X-DEFINE:IMPORT="y"\n', "imports 'y', which its multivariant one"),
    ],
)
def test_what_is_no_playlist(text: str, sentence: str) -> None:
    with pytest.raises(PresentationError) as caught:
        read(text.encode("latin-1") if "\xff" in text else text.encode(), {"x": "1"})
    assert sentence in str(caught.value)
    assert str(caught.value).endswith(".")


def test_what_is_imported_from_an_unknown_playlist_is_not_known() -> None:
    text = '#EXT-X-DEFINE:IMPORT="y"\n#EXTINF:2,\n{$y}.ts\n#EXTINF:2,\na.ts?{$y}\n'
    assert [(s.uri, s.is_there) for s in media(text).segments] == [
        ("{$y}.ts", False),
        ("a.ts", True),
    ]


HOSTILE = {
    "a line without end": "#EXTINF:2,\n" + "a" * 4_000_000,
    "attributes without end": "#EXT-X-DEFINE:" + "A" * 4_000_000,
    "more segments than anybody watches": "a\n" * (MOST_SEGMENTS + 1),
    "more playlists than anybody makes": "#EXT-X-STREAM-INF:X=1\na\n" * 20_000,
    "more variables than anybody defines": "".join(
        f'#EXT-X-DEFINE:NAME="{n}",VALUE="x"\n' for n in range(2000)
    ),
    "variables that grow": '#EXT-X-DEFINE:NAME="0",VALUE="aaaaaaaaaa"\n'
    + "".join(f'#EXT-X-DEFINE:NAME="{n + 1}",VALUE="{f"{{${n}}}" * 10}"\n' for n in range(20)),
    "a long variable in many lines": f'#EXT-X-DEFINE:NAME="a",VALUE="{"a/" * 4000}"\n'
    + "".join(f"{{$a}}{n}.ts\n" for n in range(1000)),
    "digits without end": "#EXT-X-MEDIA-SEQUENCE:" + "9" * 1_000_000,
    "a range without end": "#EXT-X-BYTERANGE:" + "9" * 1_000_000 + "\na",
    "spaces without end": "#EXT-X-BYTERANGE:1" + " " * 1_000_000 + "x\na",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_playlists_are_refused(text: str) -> None:
    with pytest.raises(PresentationError, match=r"\.$"):
        read(f"#EXTM3U\n{text}".encode())  # what goes by the square is for the time-out


@pytest.mark.parametrize("filling", ["A", " ", '"', 'A="', "A=,", "A,", "=", "\t", 'A=" '])
def test_attributes_of_any_kind_take_no_time(filling: str) -> None:
    line = (filling * LONGEST_LINE)[:LONGEST_LINE]
    text = f"#EXT-X-MEDIA:{line}\n" * 4 + "#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n"
    assert multivariant(text).renditions == ("a.m3u8",)


# A generator that knows what it has written

NAMES = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "./", "sub/", "../", "/media/", "https://cdn.example/"]),
    st.sampled_from(["a.ts", "b c.m4s", "100%.ts", "\u00fc,#.ts", "="]),
    st.sampled_from(["", "?token=1", "#t=3", "?a=#EXT-X-GAP"]),
)
NOISE = st.sampled_from(
    [
        "", "# a comment", "#EXT-X-DISCONTINUITY", "#EXT-X-BITRATE:800", "#EXT-X-KEY:METHOD=NONE",
        '#EXT-X-KEY:METHOD=AES-128,URI="a, b"', '#EXT-X-MAP:URI="init.mp4",BYTERANGE="800@0"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000+01:00", "#EXT-X-START:TIME-OFFSET=-3",
        '#EXT-X-PART:DURATION=0.3,URI="part.mp4"', '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="next.mp4"',
        '#EXT-X-DATERANGE:ID="x",START-DATE="2026-01-01"', "#EXT-X-FUTURE", "#EXTINFO:1",
    ]
)  # fmt: skip


@st.composite
def playlists(draw: st.DrawFn) -> tuple[str, list[Segment]]:
    """A playlist, and its segments."""
    first = draw(st.integers(0, 2**40))
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:9", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    segments: list[Segment] = []
    for number in range(draw(st.integers(0, 8))):
        duration = draw(st.integers(0, 9000))
        before = segments[-1] if segments else None
        kind = draw(st.sampled_from(["whole", "whole", "gap", "range", "next"]))
        uri, offset, length = draw(NAMES), 0, None
        tags = [f"#EXTINF:{duration / 1000},{draw(st.sampled_from(['', 'a title', 'a, b']))}"]
        if kind == "gap":
            tags.append("#EXT-X-GAP")
        elif kind == "range":
            offset, length = draw(st.integers(0, 2**40)), draw(st.integers(0, 2**30))
            tags.append(f"#EXT-X-BYTERANGE:{length}@{offset}")
        elif kind == "next" and before is not None and before.length is not None:
            uri, length = before.uri, draw(st.integers(0, 2**30))
            offset = before.offset + before.length
            tags.append(f"#EXT-X-BYTERANGE:{length}")
        tags += draw(st.lists(NOISE, max_size=2))
        lines += [*draw(st.permutations(tags)), uri]
        segments.append(Segment(first + number, uri, offset, length, duration, kind != "gap"))
    end = draw(st.sampled_from(["\n", "\r\n", " \n", "\n\n"]))
    return end.join([*lines, ""]), segments


@given(playlists())
def test_what_was_written_is_read(written: tuple[str, list[Segment]]) -> None:
    text, segments = written
    found = read(text.encode())
    assert isinstance(found, Media)
    assert list(found.segments) == segments


LINES = st.sampled_from(
    [
        "#EXTINF:2,", "#EXTINF:", "a.ts", "../..", "#EXT-X-BYTERANGE:5", "#EXT-X-BYTERANGE:5@x",
        "#EXT-X-STREAM-INF:BANDWIDTH=1", '#EXT-X-MEDIA:TYPE=AUDIO,URI="b"', "#EXT-X-ENDLIST",
        "#EXT-X-MEDIA-SEQUENCE:9", "#EXT-X-MAP:URI=", '#EXT-X-DEFINE:NAME="a",VALUE="{$a}"',
        '#EXT-X-DEFINE:QUERYPARAM="q"', "{$q}", "{$a}?{$q}", "\u2028", "#EXT-X-GAP", "\x00",
    ]
)  # fmt: skip


@given(st.lists(LINES | st.text(max_size=10), max_size=12))
def test_anything_is_a_playlist_or_has_a_sentence(lines: list[str]) -> None:
    with contextlib.suppress(PresentationError):
        read("\n".join(["#EXTM3U", *lines]).encode())
