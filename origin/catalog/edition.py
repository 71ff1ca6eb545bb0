"""One version of a rendition: which bytes of which files its segments are.

An edition names bytes by the identity of their file and says nothing about hashes, so it is cheap
to make, and two editions with the same fingerprint have the same manifest.

An *era* is a run of editions in which no segment ever becomes something else: segments are added
after the newest, and the oldest are dropped. An encoder that begins anew, or a file that is
replaced, begins another era.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from origin.catalog.playlist import Document, MediaPlaylist, PlaylistSegment
from origin.sources import Identity, Source
from p2pcdn.model import CHUNK_SIZE, FILE_SLICE, Span

_LONGEST_SEGMENT = CHUNK_SIZE * 65_536
_LONGEST_URI = 2048

_LONGEST_AWAIT = 10.0
"""Seconds to wait for a segment that is named but not there: about one target duration."""

_SETTLING = 0.5
"""Seconds for which a live playlist has to stay as it is if it ends in the middle of a line, or
names less than before: its encoder may write it in place, or may have begun anew."""


class Stretch(NamedTuple):
    """A run of bytes in one version of a file: what is hashed."""

    path: str
    identity: Identity
    offset: int
    length: int


class Piece(NamedTuple):
    """A segment, but for its hash."""

    sequence: int
    uri: str
    duration: int
    """In milliseconds; 0 for a slice of a file."""
    stretch: Stretch


Marks = Mapping[int, bytes]
"""What tells the segments of two editions apart, by their sequences."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Edition:
    """A version of a rendition."""

    rendition: str
    content: str
    live: bool
    pieces: dict[int, Piece]
    """By ascending sequence."""
    document: Document | None = None
    """The playlist that it was made from; a plain file has none."""
    begin: int = 0
    """Where the playlist starts to count."""
    awaited: float = 0.0
    """Seconds that are worth waiting for a better one: something seems to be half written."""
    time: int = 0
    """When it came to be, in milliseconds since 1970."""
    era: int = 0
    """The time of the first edition of those, up to this one, that each continue the one before; 0
    for what is no live stream and never changed."""
    extent: Span | None = None
    """The oldest and the newest segment of all, where some pieces are not known yet."""
    inits: frozenset[str] = frozenset()
    """The files of initialisation sections, which no manifest speaks of."""

    @property
    def files(self) -> frozenset[str]:
        """All that it is made of."""
        return self.inits.union(piece.stretch.path for piece in self.pieces.values())

    @property
    def first(self) -> int:
        if self.extent is not None:
            return self.extent.first
        return next(iter(self.pieces), self.begin + 1)

    @property
    def last(self) -> int:
        if self.extent is not None:
            return self.extent.last
        return next(reversed(self.pieces), self.first - 1)

    def within(self, sequences: Span) -> list[Piece]:
        """The pieces that there are of these, by ascending sequence."""
        return [self.pieces[n] for n in sequences.numbers() if n in self.pieces]

    def after(self, sequence: int) -> int | None:
        """The oldest segment that is newer than ``sequence``."""
        if sequence + 1 in self.pieces:
            return sequence + 1
        return next((n for n in self.pieces if n > sequence), None)

    def known_by(self, knows: Callable[[Stretch], bool]) -> Edition:
        """The edition with those pieces of which the hashes are known by now."""
        pieces = {n: piece for n, piece in self.pieces.items() if knows(piece.stretch)}
        return replace(self, pieces=pieces)

    def says_the_same(self, other: Edition) -> bool:
        """Whether the manifests of both are the same, but for their time."""
        return self._told() == other._told()

    def marks(self) -> Marks:
        """What each segment is, in 16 bytes."""
        return {
            n: hashlib.sha256(msgspec.msgpack.encode(piece)).digest()[:16]
            for n, piece in self.pieces.items()
        }

    def continues(self, marks: Marks) -> bool:
        """Whether no segment of another edition, by its marks, has become something else, and the
        newest is not an older one."""
        return self.last >= max(marks, default=-1) and self._agrees(marks)

    def precedes(self, marks: Marks) -> bool:
        """Whether another edition, by its marks, continues this one, which is live."""
        overlaps = any(n in marks for n in self.pieces)
        return self.live and overlaps and self.last < max(marks) and self._agrees(marks)

    def _agrees(self, marks: Marks) -> bool:
        return all(marks.get(n, mark) == mark for n, mark in self.marks().items())

    def fingerprint(self) -> bytes:
        """The same for two editions that say the same, also after a restart."""
        return hashlib.sha256(msgspec.msgpack.encode(self._told())).digest()

    def _told(self) -> tuple[object, ...]:
        return (self.content, self.live, self.begin, list(self.pieces.values()))


def edition_of_file(path: str, content: str, identity: Identity) -> Edition:
    """A plain file, cut into slices."""
    uri = path.rpartition("/")[2]
    pieces = {
        number: Piece(number, uri, 0, Stretch(path, identity, offset, length))
        for number, (offset, length) in enumerate(_slices(identity.size))
    }
    return Edition(path, content, live=False, pieces=pieces)


def edition_of_playlist(
    source: Source,
    path: str,
    content: str,
    document: Document,
    playlist: MediaPlaylist,
    previous: Edition | None,
    window: int,
) -> Edition:
    """A rendition as its playlist has it now (this may block).

    A live one also keeps what the playlist no longer names, up to ``window`` segments in all and
    as long as the files exist: viewers are behind its edge.
    """
    kept = _kept(playlist, previous, content, window)
    files = source.identify_all(
        {
            *(segment.path for segment in playlist.segments),
            *(piece.stretch.path for piece in kept),
        }
    )
    pieces = {p.sequence: p for p in kept if files.get(p.stretch.path) == p.stretch.identity}
    lacking = -1
    for segment in playlist.segments:
        piece = _piece(segment, files.get(segment.path))
        if piece is not None:
            pieces[segment.sequence] = piece
        else:
            lacking = segment.sequence
    return Edition(
        path,
        content,
        playlist.live,
        pieces,
        document,
        begin=playlist.first,
        awaited=_awaited(document, playlist, previous, lacking > max(pieces, default=-1)),
        inits=playlist.inits,
    )


def _awaited(
    document: Document, playlist: MediaPlaylist, previous: Edition | None, newest_lacks: bool
) -> float:
    if not playlist.live:
        return 0.0
    if newest_lacks:  # what lacks before the newest was deleted, or will never come
        return min(playlist.target or 1.0, _LONGEST_AWAIT)
    goes_back = previous is not None and _last(playlist) < previous.last
    return _SETTLING if goes_back or not document.data.endswith(b"\n") else 0.0


def _last(playlist: MediaPlaylist) -> int:
    return playlist.segments[-1].sequence if playlist.segments else playlist.first - 1


def _kept(
    playlist: MediaPlaylist, previous: Edition | None, content: str, window: int
) -> Iterable[Piece]:
    if previous is None or previous.content != content or not playlist.live:
        return []
    if not playlist.segments or _last(playlist) < previous.last:
        return []  # the encoder began anew
    oldest = playlist.segments[0].sequence
    dropped = [piece for piece in previous.pieces.values() if piece.sequence < oldest]
    room = max(0, window - len(playlist.segments))
    return dropped[-room:] if room else []


def _piece(segment: PlaylistSegment, identity: Identity | None) -> Piece | None:
    if identity is None or len(segment.uri) > _LONGEST_URI:
        return None
    length = identity.size - segment.offset if segment.length is None else segment.length
    if not 0 < length <= _LONGEST_SEGMENT or segment.offset + length > identity.size:
        return None
    stretch = Stretch(segment.path, identity, segment.offset, length)
    return Piece(segment.sequence, segment.uri, segment.duration, stretch)


def _slices(size: int) -> Iterable[tuple[int, int]]:
    return ((offset, min(FILE_SLICE, size - offset)) for offset in range(0, size, FILE_SLICE))
