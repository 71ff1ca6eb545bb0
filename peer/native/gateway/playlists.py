"""Which segment of which rendition a path is: what the playlists say that have gone through.

A player asks for what its playlist names; peers know sequence numbers. The playlist itself is
passed on as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

import m3u8
import structlog

from p2pcdn.model import SegmentKey, Span

LINGER = 64
"""Segments that are still known after a live playlist has dropped them."""
MOST = 64
"""Playlists that are remembered of an origin; who reads one of more reads what follows from the
origin alone, until its playlist is asked for again."""

log = structlog.get_logger("p2pcdn.peer")

_BASE = "http://origin/media/"
_RANGE = re.compile(r"(\d{1,15})(?:@(\d{1,15}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """A segment, where it lies."""

    key: SegmentKey
    span: Span | None = None
    """The bytes of the file that it is; None: all of it."""


@dataclass(slots=True)
class _Media:
    """The segments of one playlist by the paths of their files."""

    places: dict[str, list[Place]] = field(default_factory=dict)


class Playlists:
    """What the playlists of one origin say. Paths are those below ``/media/``, unquoted."""

    def __init__(self) -> None:
        self._media: dict[str, _Media] = {}

    def note(self, path: str, places: dict[str, list[Place]]) -> None:
        """A playlist has come: this is what `read` found in it."""
        if not places:
            return
        before = self._media.pop(path, None)
        media = self._media[path] = _Media()
        first = min(place.key.sequence for several in places.values() for place in several)
        for name, several in before.places.items() if before else ():
            if name not in places and several[-1].key.sequence >= first - LINGER:
                media.places[name] = several
        media.places |= places
        while len(self._media) > MOST:
            del self._media[next(iter(self._media))]

    def find(self, path: str, span: Span | None) -> Place | None:
        """The segment at a path; of several in one file, the one that is just these bytes."""
        for media in reversed(self._media.values()):
            for place in media.places.get(path, ()):
                if place.span is None or place.span == span:
                    return place
        return None


def read(path: str, data: bytes) -> dict[str, list[Place]]:
    """The segments that a playlist names, by the paths of their files; what is none, or names no
    segments, says nothing. Takes a second for a long one: for a thread."""
    try:
        parsed = m3u8.loads(data.decode("utf-8-sig", "replace"))
        return dict(_places(path, parsed)) if parsed.segments else {}
    except Exception as error:  # noqa: BLE001 - m3u8 checks nothing, and raises what follows
        log.info("playlist_not_read", path=path, error=repr(error))
        return {}


def _places(path: str, parsed: m3u8.M3U8) -> list[tuple[str, list[Place]]]:
    found: dict[str, list[Place]] = {}
    base = urljoin(_BASE, _quoted(path))
    end, before = 0, ""
    for sequence, segment in enumerate(parsed.segments, parsed.media_sequence or 0):
        place = urlsplit(urljoin(base, segment.uri or ""))
        name = unquote(place.path).removeprefix("/media/")
        span = None
        if segment.byterange:
            match = _RANGE.fullmatch(segment.byterange.strip())
            if match is None:
                continue
            start = int(match[2]) if match[2] else end if name == before else 0
            end, before = start + int(match[1]), name
            span = Span(start, end - 1)
        if place.netloc == "origin" and place.path.startswith("/media/"):
            found.setdefault(name, []).append(Place(SegmentKey(path, sequence), span))
    return list(found.items())


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
