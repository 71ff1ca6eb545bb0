"""Playlists, by what they say."""

from __future__ import annotations

from fractions import Fraction

import m3u8

from origin.preparing.playlists import Segment, Variant, media, multivariant

SEGMENTS = [Segment("a.m4s", Fraction(4), 1000), Segment("b.m4s", Fraction(1, 2), 250)]
PICTURE = Variant("720p", SEGMENTS, ("avc1.64001F",), (1280, 720), Fraction(30000, 1001))
SOUND = Variant("audio-1", SEGMENTS[:1], ("mp4a.40.2",), language="eng", title='The "original"')


def test_a_media_playlist() -> None:
    assert media(PICTURE, "init.mp4") == (
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:0\n"
        '#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI="init.mp4"\n'
        "#EXTINF:4.000000,\na.m4s\n#EXTINF:0.500000,\nb.m4s\n#EXT-X-ENDLIST\n"
    )


def test_the_bandwidth_is_that_of_the_worst_segment() -> None:
    assert PICTURE.bandwidth == (4000, 2223)
    assert Variant("a", [], ()).bandwidth == (1, 1)


def test_a_multivariant_playlist() -> None:
    text = multivariant([PICTURE], [])
    assert text.splitlines()[2:] == [
        '#EXT-X-STREAM-INF:BANDWIDTH=4000,AVERAGE-BANDWIDTH=2223,CODECS="avc1.64001F",'
        "RESOLUTION=1280x720,FRAME-RATE=29.970",
        "720p.m3u8",
    ]


def test_sound_of_its_own_is_counted_with_the_picture() -> None:
    parsed = m3u8.loads(multivariant([PICTURE], [SOUND]))
    (entry,) = parsed.media
    assert (entry.uri, entry.name, entry.language, entry.default) == (
        "audio-1.m3u8",
        "The 'original'",
        "eng",
        "YES",
    )
    stream = parsed.playlists[0].stream_info
    assert stream.codecs == "avc1.64001F,mp4a.40.2"
    assert (stream.bandwidth, stream.average_bandwidth) == (6000, 4223)
    assert stream.audio == entry.group_id


def test_sound_alone() -> None:
    parsed = m3u8.loads(multivariant([], [SOUND]))
    assert parsed.media == []
    assert [each.uri for each in parsed.playlists] == ["audio-1.m3u8"]
