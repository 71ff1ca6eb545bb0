"""What the origin and the tracker have sent, and to which end."""

from __future__ import annotations

from collections import Counter
from enum import Enum

HEADERS = 500
"""A request and the head of its answer."""
RECORD = 170
"""A record in the JSON of a manifest's page."""
PAGE = 400
"""What a page has beside its records, a signature included."""
PLAYLIST_SEGMENT = 60


class Kind(Enum):
    """What bytes are for. All but media is overhead."""

    MEDIA = "media"
    HEADERS = "headers"
    PAGES = "pages"
    HASHES = "hashes"
    PLAYLISTS = "playlists"
    SIGNALLING = "signalling"


class Tally:
    """Bytes by what they are for; media by segment as well."""

    def __init__(self, since: float, until: float) -> None:
        self.media: Counter[int] = Counter()
        """By the sequence of its segment, from the beginning."""
        self.measured: dict[Kind, int] = dict.fromkeys(Kind, 0)
        """While the scene was measured."""
        self.routes: Counter[tuple[int, int]] = Counter()
        """The same of media by the networks that they came from and went to."""
        self._since = since
        self._until = until

    def count(self, kind: Kind, size: int, now: float) -> None:
        if self._since <= now <= self._until:
            self.measured[kind] += size

    def segment(self, sequence: int, size: int, now: float) -> None:
        """Bytes of a segment."""
        self.media[sequence] += size
        self.count(Kind.MEDIA, size, now)

    def route(self, giver: int, taker: int, size: int, now: float) -> None:
        """Bytes of media have come from one network into another, or within one."""
        if self._since <= now <= self._until:
            self.routes[giver, taker] += size

    def overhead(self) -> int:
        """Bytes that are no media, while the scene was measured."""
        return sum(size for kind, size in self.measured.items() if kind is not Kind.MEDIA)
