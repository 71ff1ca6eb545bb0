"""Playlists as a manifest needs them: without tokens, and with names instead of URLs.

What a CDN gives to one viewer is for that viewer: in queries, in comments, in the names of keys
there may be what lets its bearer in. So a playlist is copied line by line, and only those lines
are that say which bytes the segments are. What comes out is the same for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import urljoin

from origin.catalog.playlist import PlaylistError
from origin.elsewhere.places import NotAllowedError, Place

_KEPT = (
    "#EXTM3U",
    "#EXT-X-VERSION",
    "#EXT-X-TARGETDURATION",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-PLAYLIST-TYPE",
    "#EXT-X-BYTERANGE",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-GAP",
    "#EXT-X-ENDLIST",
    "#EXT-X-STREAM-INF",
    "#EXT-X-SKIP",
)
_DURATION = re.compile(r"#EXTINF:\s*([0-9.]*).*")
_URI = re.compile(r'([:,]URI=)"([^"]*)"')

NOWHERE = "nowhere:"
"""Stands for what is not allowed: a URI without a place."""


class Cleaned(NamedTuple):
    """A playlist for everybody, and where its bearer finds what it names."""

    data: bytes
    places: Mapping[str, Place]
    """By their names."""


def clean(data: bytes, place: Place, find: Callable[[str], Place]) -> Cleaned:
    """The playlist that is at ``place``, with the names that ``find`` gives; `PlaylistError` if it
    is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PlaylistError("A playlist is UTF-8.") from None
    if not text.startswith("#EXTM3U"):
        raise PlaylistError("A playlist begins with #EXTM3U.")
    places: dict[str, Place] = {}

    def name(uri: str) -> str:
        if "{$" in uri:  # a variable, which may be anybody's token
            return NOWHERE
        try:
            found = find(urljoin(place.bare, uri.strip()))
        except (NotAllowedError, ValueError):
            return NOWHERE
        places.setdefault(found.name, found)
        return _relative(found.name, place.name)

    lines = "\n".join(_lines(text, name))
    return Cleaned(f"{lines}\n".encode(), places)


def _lines(text: str, name: Callable[[str], str]) -> Iterator[str]:
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            yield name(line)
        elif match := _DURATION.fullmatch(line):
            yield f"#EXTINF:{match[1] or 0},"
        elif line.startswith("#EXT-X-MEDIA:"):
            yield _URI.sub(lambda uri: f'{uri[1]}"{name(uri[2])}"', line)
        elif line.partition(":")[0] in _KEPT:
            yield line


def _relative(name: str, base: str) -> str:
    """A reference that leads from ``base`` to ``name``."""
    folder = base.rpartition("/")[0] + "/"
    rest = name.removeprefix(folder)
    return rest if rest != name and "/" not in rest and ":" not in rest else name
