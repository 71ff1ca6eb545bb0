"""What others may be told of a live rendition: each segment once, when it has become known.

What came over a link is passed on as it came. What the origin answered is passed on if just these
records were asked for, as the first to hear of a segment do: whole pages are too large, and are
what somebody needs who has only just come.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from p2pcdn.core.segments import Segments
from p2pcdn.wire.fields import BASE64_LENGTH
from p2pcdn.wire.manifest import Records, RenditionManifest, to_base64

FEW = 3
"""Records that are asked for, and passed on, by themselves."""
MOST_WAITING = 8
"""Short pages whose segments are not all known yet."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Records of a live rendition, proved, that others may not have yet.

    ``link`` is who brought them; None if the origin or the tracker's socket did.
    """

    records: Records
    link: int | None


class News:
    """What has been told, and what waits to be."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self._told: set[int] = set()
        self._waiting: list[RenditionManifest] = []

    def page(self, page: RenditionManifest) -> None:
        """The origin has answered a short page."""
        if page.live and page.signatures and 0 < len(page.segments) <= FEW:
            self._waiting = [*self._waiting, replace(page, keys=())][-MOST_WAITING:]

    def renewed(self) -> None:
        """The rendition has begun anew: whatever it has now is news."""
        self._told.clear()
        self._waiting.clear()

    def ripe(self) -> list[Learned]:
        """The short pages whose segments have all become known, if they are news."""
        waiting, self._waiting = self._waiting, []
        ripe = []
        for page in waiting:
            if not all(map(self._segments.has, page.segments)):
                continue  # it has changed, or it has gone
            if self._segments.lacks(page):
                self._waiting.append(page)
            else:
                ripe += self.proved(self._records(page), None)
        return ripe

    def proved(self, records: Records, link: int | None) -> list[Learned]:
        """These records are known now; returns them if they are news that fit a message."""
        self._told = {sequence for sequence in self._told if sequence >= self._segments.first}
        sequences = {record.sequence for record in records.page.segments}
        if sequences <= self._told or len(records.hashes) > BASE64_LENGTH:
            return []
        self._told |= sequences
        return [Learned(records, link)]

    def _records(self, page: RenditionManifest) -> Records:
        hashes = (h for r in page.segments for h in self._segments.hashes(r.sequence))
        return Records(page, to_base64(b"".join(hashes)))
