"""What players are told of a presentation, read for its segments: HLS playlists, DASH manifests.

Nothing here opens a file or follows a URI: what a text says is told by values, and whoever asked
finds out what is behind them.
"""

from __future__ import annotations

from typing import NamedTuple

from p2pcdn.errors import P2pcdnError

MOST_SEGMENTS = 200_000
"""Of a rendition. A day of 2 s segments has 43,200; a line of a few bytes may ask for a billion."""


class PresentationError(P2pcdnError):
    """Nothing that a player could play by. Its text says what is wrong, in a sentence."""


class Segment(NamedTuple):
    """A media segment, by what its presentation says of it."""

    sequence: int
    uri: str
    offset: int
    length: int | None
    """None: all of what the URI names."""
    duration: int
    """In milliseconds."""
    is_there: bool = True
    """Whether it can be had: a gap has a number, and no bytes."""
