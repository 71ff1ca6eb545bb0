"""Reading HLS playlists (RFC 8216), as far as a manifest needs them.

What counts is which bytes of which of our files each segment is. Initialisation sections, partial
segments and keys come by HTTP alone and are not looked at; segments of other hosts, and those that
the playlist says are missing (EXT-X-GAP), have no place in a manifest either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import m3u8

from origin.paths import resolve
from origin.sources import Identity, Source
from p2pcdn.errors import P2pcdnError

MOST_BYTES = 16 * 1024 * 1024
"""A day of 2 s segments takes 3 MB."""

_TRIES = 3


class PlaylistError(P2pcdnError):
    """Not a playlist, or one that no player could read. Its text says what is wrong."""


class Document(NamedTuple):
    """A file that was read as a whole."""

    data: bytes
    identity: Identity


class PlaylistSegment(NamedTuple):
    """One media segment as its playlist has it."""

    sequence: int
    uri: str
    path: str
    """Where the file is, among ours."""
    offset: int
    length: int | None
    """None: all of the file."""
    duration: int
    """In milliseconds."""


class RenditionEntry(NamedTuple):
    """A rendition as its multivariant playlist has it."""

    path: str
    uri: str


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """A rendition: its segments."""

    live: bool
    first: int
    """Its media sequence number, whether or not there is a segment."""
    target: float
    """The longest segment, in seconds."""
    segments: tuple[PlaylistSegment, ...]


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """A presentation: its renditions, without repetition."""

    renditions: tuple[RenditionEntry, ...]


Playlist = MediaPlaylist | MultivariantPlaylist


def load(source: Source, path: str) -> Document:
    """Read a playlist file (this may block)."""
    for _ in range(_TRIES):
        file = source.open(path)
        try:
            data = file.read(0, MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise PlaylistError(f"A playlist has at most {MOST_BYTES} bytes here.")
            if file.current() == file.identity:
                break
        finally:
            file.close()
        # Somebody is writing it at this moment.
    return Document(data, file.identity)


def is_live(data: bytes) -> bool:
    """Whether more segments may come, told without parsing."""
    if b"#EXT-X-STREAM-INF" in data or b"#EXT-X-ENDLIST" in data:
        return False
    return b"#EXT-X-PLAYLIST-TYPE:VOD" not in data


def parse(path: str, data: bytes) -> Playlist:
    """The playlist at ``path``; `PlaylistError` if that is not what it is."""
    if not data.lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U"):
        raise PlaylistError("A playlist begins with #EXTM3U.")
    try:
        if b"#EXT-X-SKIP" in data:
            raise PlaylistError("A delta update is not a playlist of its own.")
        parsed = m3u8.loads(data.decode("utf-8-sig"))
        if parsed.is_variant:
            return _multivariant(path, parsed)
        return MediaPlaylist(
            live=is_live(data),
            first=_not_negative(parsed.media_sequence or 0),
            target=_seconds(parsed.target_duration),
            segments=_segments(path, parsed),
        )
    except PlaylistError:
        raise
    except Exception as error:  # the parser says in many ways that it cannot go on
        raise PlaylistError(f"This playlist cannot be read: {error}.") from error


def _multivariant(path: str, parsed: m3u8.M3U8) -> MultivariantPlaylist:
    uris = [variant.uri for variant in parsed.playlists if variant.uri]
    uris += [media.uri for media in parsed.media if media.uri]
    entries: dict[str, RenditionEntry] = {}
    for uri in uris:
        rendition = resolve(path, uri)
        if rendition is not None:
            entries.setdefault(rendition, RenditionEntry(rendition, uri))
    return MultivariantPlaylist(tuple(entries.values()))


def _segments(path: str, parsed: m3u8.M3U8) -> tuple[PlaylistSegment, ...]:
    segments = []
    sequence = _not_negative(parsed.media_sequence or 0)
    end_of_range: dict[str, int] = {}
    for segment in parsed.segments:
        if not segment.uri:
            continue  # the partial segments of one that is not complete
        offset, length = 0, None
        if segment.byterange:
            # "If o is not present, the sub-range begins at the next byte following the sub-range
            # of the previous Media Segment" (4.3.2.2).
            offset, length = _byte_range(segment.byterange, end_of_range.get(segment.uri, 0))
            end_of_range[segment.uri] = offset + length
        file = resolve(path, segment.uri)
        if file is not None and not segment.gap_tag:
            duration = round(_seconds(segment.duration) * 1000)
            segments.append(PlaylistSegment(sequence, segment.uri, file, offset, length, duration))
        sequence += 1
    return tuple(segments)


def _byte_range(text: str, following: int) -> tuple[int, int]:
    length, _, offset = text.partition("@")
    return _not_negative(int(offset) if offset else following), _not_negative(int(length))


def _seconds(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) and value > 0 else 0.0


def _not_negative(number: int) -> int:
    if number < 0:
        raise PlaylistError(f"A playlist has no negative numbers such as {number}.")
    return number
