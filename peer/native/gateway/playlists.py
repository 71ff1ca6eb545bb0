"""Which segment of which rendition a path is: what the playlists say that have gone through.

A player asks for what its playlist names; peers know sequence numbers. The playlist itself is
passed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote, urljoin, urlsplit

import structlog

from p2pcdn.model import SegmentKey, Span
from p2pcdn.presentations import PresentationError, Segment, hls

LINGER = 64
"""Segments that are still known after a live playlist has dropped them."""
MOST = 64
"""Playlists that are remembered of an origin; who reads one of more reads what follows from the
origin alone, until its playlist is asked for again."""

log = structlog.get_logger("p2pcdn.peer")

_BASE = "http://origin/media/"


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
        found = hls.read(data)
    except PresentationError as error:
        log.info("playlist_not_read", path=path, error=str(error))
        return {}
    return _places(path, found.segments) if isinstance(found, hls.Media) else {}


def _places(path: str, segments: Iterable[Segment]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    base = urljoin(_BASE, _quoted(path))
    for segment in segments:
        name = _name(base, segment.uri) if segment.is_there and segment.length != 0 else None
        if name is not None:
            last = None if segment.length is None else segment.offset + segment.length - 1
            span = None if last is None else Span(segment.offset, last)
            found.setdefault(name, []).append(Place(SegmentKey(path, segment.sequence), span))
    return found


def _name(base: str, uri: str) -> str | None:
    """The path below ``/media/`` of what a playlist names; None if it is somewhere else."""
    try:
        url = urlsplit(urljoin(base, uri))
    except ValueError:
        return None
    if url.netloc != "origin" or not url.path.startswith("/media/"):
        return None
    return unquote(url.path).removeprefix("/media/")


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
