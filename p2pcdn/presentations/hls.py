"""HLS playlists (RFC 8216, and for variables and gaps draft-pantos-hls-rfc8216bis).

What counts is which bytes of which file each segment is, and which number it has. So numbers are
counted as hls.js counts them, and a tag that says nothing of either (dates, keys, bit rates) is not
looked at: a mistake in one is the player's to judge. Partial segments are none.

::

    lines --> are there variants? --> Multivariant: the URIs of media playlists
                                 `--> Media: URI lines, each by the tags above it
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from p2pcdn.presentations import MOST_SEGMENTS, PresentationError, Segment

LONGEST_LINE = 65_536
"""Characters of a line that is looked at. A signed URI takes 2,000."""

_MOST_PLAYLISTS = 10_000
"""Of a multivariant playlist."""
_MOST_INITS = 10_000
_MOST_VARIABLES = 1000
_LONGEST_VALUE = 8192
"""Characters of a URI once its variables are replaced: they may be long, and many."""
_MOST_REPLACED = 4_194_304
"""Characters that variables may add to a playlist in all: else a short one takes any memory."""
_MOST = 2**53 - 1
"""What JavaScript can count."""

_LINE_END = re.compile(r"[\r\n]+")
_ATTRIBUTE = re.compile(r'([^=,"]+)=(?:[ \t]*"([^"]*)"[ \t]*|([^,]*))(?:,|$)')
_VARIABLE = re.compile(r"\{\$([A-Za-z0-9_-]+)\}")
_DURATION = re.compile(r"\s*(\d{1,15}(?:\.\d*)?|\.\d+)(?:,|$)", re.ASCII)
_NUMBER = re.compile(r"\s*(\d{1,16})\s*", re.ASCII)
_BYTE_RANGE = re.compile(r"\s*(\d{1,16})\s*(?:@\s*(\d{1,16})\s*)?", re.ASCII)
_FINISHED = re.compile(rb"(?:^|[\r\n])[ \t]*#EXT-X-(?:ENDLIST|STREAM-INF:|PLAYLIST-TYPE:[ \t]*VOD)")

Variables = Mapping[str, str | None]
"""By name (EXT-X-DEFINE). None for one whose value only the viewer's player knows."""


@dataclass(frozen=True, slots=True)
class Media:
    """A media playlist."""

    first: int
    """Its media sequence number, whether or not there is a segment."""
    target: float
    """The longest segment, in seconds."""
    segments: tuple[Segment, ...]
    inits: tuple[str, ...] = ()
    """The URIs of initialisation sections (EXT-X-MAP), each once."""


@dataclass(frozen=True, slots=True)
class Multivariant:
    """A multivariant playlist."""

    renditions: tuple[str, ...]
    """The URIs of media playlists that are played, in the order of the text: of variants, then of
    audio, subtitles and other pictures."""
    asides: tuple[str, ...] = ()
    """Of those that only show where one is: key frames and thumbnails."""
    variables: Variables = field(default_factory=dict)
    """For media playlists to import."""


def is_live(data: bytes) -> bool:
    """Whether more segments may come, told without parsing."""
    return _FINISHED.search(data) is None


def is_multivariant(data: bytes) -> bool:
    """Whether it has variants, told without parsing."""
    return b"#EXT-X-STREAM-INF:" in data


def read(data: bytes, imported: Variables | None = None) -> Media | Multivariant:
    """What a playlist says; `PresentationError` if it is none.

    ``imported`` are the variables of the multivariant playlist that names it, None if that is not
    known.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PresentationError(f"A playlist is UTF-8, which byte {error.start} is not.") from error
    lines = [line.strip() for line in _LINE_END.split(text)]
    if not lines[0].startswith("#EXTM3U"):
        raise PresentationError("A playlist begins with #EXTM3U.")
    scan = _Scan(imported)
    multivariant = any(line.startswith("#EXT-X-STREAM-INF:") for line in lines)
    return scan.multivariant(lines) if multivariant else scan.media(lines)


class _Scan:
    """One playlist, line by line."""

    def __init__(self, imported: Variables | None) -> None:
        self._imported = imported
        self._variables: dict[str, str | None] = {}
        self._added = 0
        """Characters that came of them."""

    def multivariant(self, lines: list[str]) -> Multivariant:
        variants: list[str] = []
        media: list[str] = []
        asides: list[str] = []
        expected = False
        for line in lines:
            tag, _, value = line.partition(":")
            if line and not line.startswith("#"):
                if expected:
                    self._add(variants, line)
                expected = False
            elif tag == "#EXT-X-STREAM-INF":
                expected = value != ""
            elif tag == "#EXT-X-MEDIA":
                self._add(media, _attributes(value).get("URI"))
            elif tag in ("#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-IMAGE-STREAM-INF"):
                self._add(asides, _attributes(value).get("URI"))
            elif tag == "#EXT-X-DEFINE":
                self._define(_attributes(value))
            elif tag in ("#EXTINF", "#EXT-X-TARGETDURATION"):
                raise PresentationError(
                    f"A playlist names either variants or segments; this one has {tag} too."
                )
        if not variants:
            raise PresentationError("A multivariant playlist has variants; this one has none.")
        return Multivariant((*variants, *media), tuple(asides), self._variables)

    def media(self, lines: list[str]) -> Media:
        first, target = 0, 0.0
        segments: list[Segment] = []
        inits: dict[str, None] = {}
        for line in self._own(lines, segments):
            tag, _, value = line.partition(":")
            if tag == "#EXT-X-MEDIA-SEQUENCE":
                if segments:
                    raise PresentationError(f"{tag} comes before the first segment.")
                first = _number(tag, value)
            elif tag == "#EXT-X-TARGETDURATION":
                target = float(match[1]) if (match := _DURATION.match(value)) else 0.0
            elif tag == "#EXT-X-MAP":
                self._note(inits, _attributes(value).get("URI"))
            elif tag == "#EXT-X-DEFINE":
                self._define(_attributes(value))
            elif tag == "#EXT-X-SKIP":
                raise PresentationError("A delta update is not a playlist of its own.")
        if first + len(segments) > _MOST:
            raise PresentationError(f"Segments are numbered up to {_MOST}.")
        numbered = (s._replace(sequence=first + n) for n, s in enumerate(segments))
        return Media(first, target, tuple(numbered), tuple(inits))

    def _own(self, lines: list[str], segments: list[Segment]) -> Iterator[str]:
        """Adds segments as their lines come; gives what is about the playlist as a whole."""
        duration, gap, span = 0.0, False, ""
        before: Segment | None = None
        for line in lines:
            if not line:
                continue
            if not line.startswith("#"):
                # hls.js counts those without a duration as well.
                before = self._segment(line, duration, gap, span, before)
                segments.append(before)
                if len(segments) > MOST_SEGMENTS:
                    raise PresentationError(
                        f"A playlist names at most {MOST_SEGMENTS} segments here."
                    )
                duration, gap, span = 0.0, False, ""
            elif line.startswith("#EXTINF:"):
                match = _DURATION.match(line, 8)
                if match is None:  # hls.js takes the rest of the line for a URI
                    raise PresentationError(f"A segment has a duration, not {line[8:48]!a}.")
                duration = float(match[1])
            elif line.startswith("#EXT-X-BYTERANGE:"):
                span = line[17:]
            elif line == "#EXT-X-GAP":
                gap = True
            elif line.startswith("#EXT-X-"):
                yield line

    def _segment(
        self, line: str, duration: float, gap: bool, span: str, before: Segment | None
    ) -> Segment:
        uri = self._replaced(line)
        offset, length, is_there = 0, None, uri is not None and not gap
        if span:
            match = _BYTE_RANGE.fullmatch(span)
            if match is None:
                raise PresentationError(f"A byte range is LENGTH@OFFSET, not {span[:40]!a}.")
            length = int(match[1])
            if match[2]:
                offset = int(match[2])
            elif before is not None:
                # "If o is not present, a previous Media Segment MUST appear in the Playlist file
                # and MUST be a sub-range of the same media resource" (4.3.2.2). Where that is not
                # so, players guess, and not all the same.
                is_there = is_there and before.uri == (uri or line) and before.length is not None
                offset = before.offset + (before.length or 0)
        return Segment(0, uri or line, offset, length, round(duration * 1000), is_there)

    def _add(self, uris: list[str], uri: str | None) -> None:
        replaced = self._replaced(uri) if uri else None
        if replaced is not None:
            uris.append(replaced)
        if len(uris) > _MOST_PLAYLISTS:
            raise PresentationError(f"A playlist names at most {_MOST_PLAYLISTS} others here.")

    def _note(self, uris: dict[str, None], uri: str | None) -> None:
        """Take note of a file beside the segments, as far as there is room."""
        replaced = self._replaced(uri) if uri else None
        if replaced is not None and len(uris) < _MOST_INITS:
            uris[replaced] = None

    def _define(self, attributes: dict[str, str]) -> None:
        name = attributes.get("NAME")
        value: str | None = attributes.get("VALUE", "")
        if name is not None and value is not None:
            value = self._replaced(value)
        elif (name := attributes.get("QUERYPARAM")) is not None:
            value = None
        elif (name := attributes.get("IMPORT")) is not None:
            if self._imported is not None and name not in self._imported:
                raise PresentationError(
                    f"This playlist imports {name[:80]!a}, which its multivariant one has not."
                )
            value = None if self._imported is None else self._imported[name]
        else:
            raise PresentationError("#EXT-X-DEFINE has a NAME, an IMPORT or a QUERYPARAM.")
        if name in self._variables:
            raise PresentationError(f"The variable {name[:80]!a} is defined twice.")
        if len(self._variables) == _MOST_VARIABLES:
            raise PresentationError(f"A playlist has at most {_MOST_VARIABLES} variables here.")
        self._variables[name] = value

    def _replaced(self, text: str) -> str | None:
        """A URI with its variables replaced; None if it has one in its path whose value is not
        known. What follows the path is no part of a file's name."""
        if len(text) > LONGEST_LINE:
            raise PresentationError(f"A line of a playlist has at most {LONGEST_LINE} characters.")
        if "{$" not in text:
            return text
        parts, at, size = [], 0, 0
        for match in _VARIABLE.finditer(text):
            if match[1] not in self._variables:
                raise PresentationError(
                    f"There is no #EXT-X-DEFINE before {match[0][:80]!a}, which refers to one."
                )
            value = self._variables[match[1]]
            parts.append(text[at : match.start()])
            if value is None:
                path, has_query, _ = "".join(parts).partition("?")
                return path if has_query else None
            parts.append(value)
            at = match.end()
            size += len(value)
            self._added += len(value)
            if size > _LONGEST_VALUE:
                raise PresentationError(
                    f"With its variables, a URI has at most {_LONGEST_VALUE} characters here."
                )
            if self._added > _MOST_REPLACED:
                raise PresentationError(
                    f"Variables add at most {_MOST_REPLACED} characters to a playlist here."
                )
        return "".join([*parts, text[at:]])


def _attributes(text: str) -> dict[str, str]:
    """An attribute list (4.2), as far as it is one; the last of a name counts."""
    if len(text) > LONGEST_LINE:
        raise PresentationError(f"A line of a playlist has at most {LONGEST_LINE} characters.")
    found, at = {}, 0
    while (match := _ATTRIBUTE.match(text, at)) and match.end() > at:
        found[match[1].strip()] = match[3].strip() if match[2] is None else match[2]
        at = match.end()
    return found


def _number(tag: str, value: str) -> int:
    match = _NUMBER.fullmatch(value)
    if match is None or int(match[1]) > _MOST:
        raise PresentationError(f"{tag} has a whole number, not {value[:40]!a}.")
    return int(match[1])
