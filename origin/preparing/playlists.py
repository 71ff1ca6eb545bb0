"""The playlists of a content that was prepared (RFC 8216). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

INDEX = "index.m3u8"
"""The multivariant playlist."""

_GROUP = "audio"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment of a playlist."""

    file: str
    seconds: Fraction
    size: int


@dataclass(frozen=True, slots=True)
class Variant:
    """A rendition: what a multivariant playlist says of it."""

    name: str
    segments: Sequence[Segment]
    codecs: tuple[str, ...]
    resolution: tuple[int, int] | None = None
    """None where there is no picture."""
    rate: Fraction = Fraction(0)
    language: str = ""
    title: str = ""
    default: bool = False

    @property
    def playlist(self) -> str:
        return f"{self.name}.m3u8"

    @property
    def bandwidth(self) -> tuple[int, int]:
        """The peak and the average bit rate of its segments (4.3.4.2)."""
        timed = [each for each in self.segments if each.seconds > 0]
        seconds = sum(each.seconds for each in timed)
        if not timed:
            return 1, 1
        peak = max(8 * each.size / each.seconds for each in timed)
        return math.ceil(peak), math.ceil(8 * sum(each.size for each in timed) / seconds)


def media(variant: Variant, init: str) -> str:
    """The playlist of a rendition."""
    longest = max((round(each.seconds) for each in variant.segments), default=1)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, longest)}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        f'#EXT-X-MAP:URI="{init}"',
    ]
    for segment in variant.segments:
        lines += [f"#EXTINF:{float(segment.seconds):.6f},", segment.file]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def multivariant(pictures: Sequence[Variant], sounds: Sequence[Variant]) -> str:
    """The playlist that names the others: ``sounds`` are those with a playlist of their own."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
    if not pictures:
        for sound in sounds[:1]:
            lines += [_stream(sound, sound.bandwidth, sound.codecs), sound.playlist]
        return "\n".join(lines) + "\n"
    lines += [_audio(sound, first=sound is sounds[0]) for sound in sounds]
    peak = max((sound.bandwidth[0] for sound in sounds), default=0)
    average = max((sound.bandwidth[1] for sound in sounds), default=0)
    heard = tuple(dict.fromkeys(codec for sound in sounds for codec in sound.codecs))
    for picture in pictures:
        own = picture.bandwidth
        bandwidth = own[0] + peak, own[1] + average
        stream = _stream(picture, bandwidth, (*picture.codecs, *heard))
        lines += [stream + (f',AUDIO="{_GROUP}"' if sounds else ""), picture.playlist]
    return "\n".join(lines) + "\n"


def _stream(variant: Variant, bandwidth: tuple[int, int], codecs: Sequence[str]) -> str:
    attributes = [
        f"BANDWIDTH={bandwidth[0]}",
        f"AVERAGE-BANDWIDTH={bandwidth[1]}",
        f'CODECS="{",".join(codecs)}"',
    ]
    if variant.resolution:
        attributes.append("RESOLUTION={}x{}".format(*variant.resolution))
    if variant.rate:
        attributes.append(f"FRAME-RATE={float(variant.rate):.3f}")
    return f"#EXT-X-STREAM-INF:{','.join(attributes)}"


def _audio(sound: Variant, *, first: bool) -> str:
    name = _quoted(sound.title or sound.language or sound.name)
    attributes = [f'TYPE=AUDIO,GROUP-ID="{_GROUP}",NAME="{name}"']
    if sound.language:
        attributes.append(f'LANGUAGE="{_quoted(sound.language)}"')
    attributes += [f"DEFAULT={'YES' if first else 'NO'}", "AUTOSELECT=YES"]
    return f'#EXT-X-MEDIA:{",".join(attributes)},URI="{sound.playlist}"'


def _quoted(text: str) -> str:
    """A quoted string has no quotes and no line ends (4.2)."""
    return "".join("'" if character == '"' else character for character in text if character >= " ")
