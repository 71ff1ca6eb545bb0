"""Playlists and manifests of players, as far as ours need them: which bytes of which of our files
each segment is.

HLS playlists (`p2pcdn.presentations.hls`) are files, and each rendition is one. A DASH manifest
(`p2pcdn.presentations.dash`) is one file for all of them, so that its renditions have names that
lie below it: of ``film/show.mpd`` they are ``film/show.mpd/1/720p`` and so on.

Initialisation sections, partial segments and keys come by HTTP alone; segments of other hosts, and
those that the playlist says are missing (EXT-X-GAP), have no place in a manifest either.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from origin.content_types import is_mpd
from origin.paths import media_url, resolve
from origin.sources import Identity, Source, since_of
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.model import Span
from p2pcdn.presentations import PresentationError, Segment, dash, hls

MOST_BYTES = 16 * 1024 * 1024
"""A day of 2 s segments takes 3 MB."""

PlaylistError = PresentationError
"""Not a playlist, or one that no player could read. Its text says what is wrong."""

_TRIES = 3

_REPRESENTATION = re.compile(r"(.+\.mpd)/(\d+/[^/]+)", re.IGNORECASE | re.DOTALL)


class Document(NamedTuple):
    """A file that was read as a whole."""

    data: bytes
    identity: Identity
    since: float | None = None
    """When another server said that it is so, in seconds since 1970; None of what is here."""


class PlaylistSegment(NamedTuple):
    """One media segment as its playlist has it."""

    sequence: int
    uri: str
    """Relative to where the rendition is, or would be."""
    path: str
    """Where the file is, among ours."""
    offset: int
    length: int | None
    """None: all of the file."""
    duration: int
    """In milliseconds."""


class RenditionEntry(NamedTuple):
    """A rendition as its presentation has it."""

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
    inits: frozenset[str] = frozenset()
    """The files of initialisation sections, which are part of it as well."""

    @property
    def extent(self) -> Span | None:
        """Its oldest and its newest segment."""
        if not self.segments:
            return None
        return Span(self.segments[0].sequence, self.segments[-1].sequence)


@dataclass(frozen=True, slots=True)
class MultivariantPlaylist:
    """A presentation: its renditions, without repetition."""

    renditions: tuple[RenditionEntry, ...]
    asides: tuple[str, ...] = ()
    """The paths of playlists that belong to it and are no renditions: of key frames, which repeat
    what those have."""
    variables: hls.Variables = field(default_factory=dict)
    """For its media playlists to import."""

    def renditions_in(self, document: str) -> list[str]:
        """Those that the presentation's own file describes, as a DASH manifest does."""
        return [entry.path for entry in self.renditions if document_of(entry.path) == document]


Playlist = MediaPlaylist | MultivariantPlaylist


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a playlist may need that is not in it."""

    source: Source | None = None
    """For the segment indexes in media files."""
    urls: tuple[str, ...] = ()
    """By which viewers reach the origin, for absolute URIs."""
    variables: hls.Variables | None = None
    """Those of the multivariant playlist that names it; None if none is known."""


NOWHERE = Surroundings()


def document_of(rendition: str) -> str:
    """The path of the file that a rendition is described by: its own, but for one of DASH."""
    match = _REPRESENTATION.fullmatch(rendition)
    return match[1] if match else rendition


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
    return Document(data, file.identity, since_of(file))


def is_live(data: bytes) -> bool:
    """Whether more segments may come to an HLS playlist, told without parsing."""
    return hls.is_live(data)


def is_presentation(path: str, data: bytes) -> bool:
    """Whether it has renditions rather than segments, told without parsing."""
    return is_mpd(path) or hls.is_multivariant(data)


def parse(path: str, data: bytes, around: Surroundings = NOWHERE) -> Playlist:
    """The playlist, presentation or rendition at ``path``; `PlaylistError` if that is not what it
    is (this may block for the segment index of a DASH representation)."""
    document = document_of(path)
    if is_mpd(document):
        return _dash(path, document, data, around)
    found = hls.read(data, around.variables)
    if isinstance(found, hls.Multivariant):
        return _multivariant(path, found, around.urls)
    segments = _segments(path, found.segments, around.urls)
    inits = _files(path, found.inits, around.urls)
    return MediaPlaylist(is_live(data), found.first, found.target, tuple(segments), inits)


def _multivariant(
    path: str, found: hls.Multivariant, urls: tuple[str, ...]
) -> MultivariantPlaylist:
    entries: dict[str, RenditionEntry] = {}
    for uri in found.renditions:
        rendition = resolve(path, uri, urls)
        if rendition is not None:
            entries.setdefault(rendition, RenditionEntry(rendition, uri))
    asides = dict.fromkeys(aside for uri in found.asides if (aside := resolve(path, uri, urls)))
    return MultivariantPlaylist(
        tuple(entries.values()),
        tuple(aside for aside in asides if aside not in entries),
        found.variables,
    )


def _segments(
    path: str, segments: Iterable[Segment], urls: tuple[str, ...]
) -> Iterator[PlaylistSegment]:
    for segment in segments:
        file = resolve(path, segment.uri, urls) if segment.is_there else None
        if file is not None:
            yield PlaylistSegment(
                segment.sequence,
                segment.uri,
                file,
                segment.offset,
                segment.length,
                segment.duration,
            )


def _files(path: str, uris: Iterable[str], urls: tuple[str, ...]) -> frozenset[str]:
    """Those of ours that are named."""
    return frozenset(file for uri in uris if (file := resolve(path, uri, urls)) is not None)


def _dash(path: str, document: str, data: bytes, around: Surroundings) -> Playlist:
    presentation = dash.read(data)
    folder = posixpath.dirname(document)
    if path == document:
        names = ((f"{document}/{name}", name) for name in presentation.representations)
        base = quote(document[len(folder) :].lstrip("/"))
        return MultivariantPlaylist(
            tuple(RenditionEntry(rendition, f"{base}/{quote(name)}") for rendition, name in names)
        )

    def fetch(uri: str, offset: int, size: int) -> bytes:
        file = resolve(document, uri, around.urls)
        if file is None or around.source is None:
            raise PlaylistError("The index of its segments is not in a file of this origin.")
        try:
            opened = around.source.open(file)
        except SourceError as error:
            if error.reason is not SourceReason.MISSING:
                raise
            raise PlaylistError(f"The file {file!a} with its segments is not there.") from error
        try:
            return opened.read(offset, size)
        finally:
            opened.close()

    name = path[len(document) + 1 :]
    found = presentation.segments(name, media_url(document), fetch)
    segments = tuple(
        # A player resolves URIs against the manifest; ours stand in a manifest of a rendition,
        # which lies two levels below it.
        segment._replace(uri=_below(path, segment))
        for segment in _segments(document, found, around.urls)
    )
    first = segments[0].sequence if segments else 0
    target = max((segment.duration for segment in segments), default=0) / 1000
    init = presentation.init(name, media_url(document))
    inits = _files(document, [init] if init else [], around.urls)
    return MediaPlaylist(False, first, target, segments, inits)


def _below(rendition: str, segment: PlaylistSegment) -> str:
    """The URI of a segment, relative to where its rendition would be."""
    query = urlsplit(segment.uri).query
    relative = quote(posixpath.relpath(segment.path, posixpath.dirname(rendition)))
    return f"{relative}?{query}" if query else relative
