"""Who holds what: the neighbours' announcements, as far as they can be of use.

Chunks are kept as bit masks, a whole number a segment. An announcement costs its sender little, so
what a link can make us remember is bounded; what lies beyond is not believed to be held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import inf

from p2pcdn.core.bits import mask_of_spans, spans_in
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.link import Holding

MOST_SEGMENTS = 8_192
"""Segments remembered a link: four hours of 2 s segments."""

MOST_CHUNKS = 4_096
"""Chunks remembered a segment: 256 MiB."""

MOST_SPANS = 128
"""Runs of chunks a holding (the wire's own bound); what is more ragged is not told."""

LOADING_LASTS = 2.0
"""How long somebody's `loading` is believed after it, or after the last chunk that came of it."""

Held = Mapping[SegmentKey, int]
"""Masks of chunks by segment."""

NOTHING: Held = {}


def mask_of(spans: Iterable[Span]) -> int:
    """The bit mask of these chunk numbers."""
    return mask_of_spans(spans, MOST_CHUNKS)


def holding_in(segment: SegmentKey, mask: int) -> Holding:
    """The announcement of the chunks of a mask."""
    spans = spans_in(mask)[:MOST_SPANS]
    return Holding(segment.rendition, segment.sequence, tuple(spans))


class Availability:
    """What each link has announced."""

    def __init__(self) -> None:
        self._held: dict[int, dict[SegmentKey, int]] = {}
        self._loading: dict[int, dict[SegmentKey, tuple[int, float]]] = {}

    def have(self, link: int, holdings: Sequence[Holding], now: float) -> None:
        held = self._held.setdefault(link, {})
        for holding in holdings:
            segment = SegmentKey(holding.rendition, holding.sequence)
            known = held.get(segment, 0)
            if known or segment in held or len(held) < MOST_SEGMENTS:
                held[segment] = known | mask_of(holding.chunks)
        self._loaded(link, holdings, now)

    def gone(self, link: int, holdings: Sequence[Holding]) -> None:
        held = self._held.get(link, {})
        for holding in holdings:
            segment = SegmentKey(holding.rendition, holding.sequence)
            left = held.get(segment, 0) & ~mask_of(holding.chunks)
            if left:
                held[segment] = left
            else:
                held.pop(segment, None)
        self._loaded(link, holdings)

    def loads(self, link: int, holdings: Sequence[Holding], now: float) -> None:
        """The link says that it fetches these from the origin."""
        loading = self._loading.setdefault(link, {})
        for segment in [s for s, (_, until) in loading.items() if until <= now]:
            del loading[segment]
        for holding in holdings:
            segment = SegmentKey(holding.rendition, holding.sequence)
            if segment in loading or len(loading) < MOST_SEGMENTS:
                mask = loading.get(segment, (0, 0.0))[0] | mask_of(holding.chunks)
                loading[segment] = (mask, now + LOADING_LASTS)

    def _loaded(self, link: int, holdings: Sequence[Holding], now: float = -inf) -> None:
        """What the link has, or has given up, it is no longer loading."""
        loading = self._loading.get(link)
        if not loading:
            return
        for holding in holdings:
            segment = SegmentKey(holding.rendition, holding.sequence)
            theirs = loading.pop(segment, None)
            if theirs is None:
                continue
            mask, until = theirs
            mask &= ~mask_of(holding.chunks)
            if mask:
                loading[segment] = (mask, max(until, now + LOADING_LASTS))
        if not loading:
            del self._loading[link]  # those that are left are looked through often

    def lacks(self, link: int, segment: SegmentKey, chunk: int) -> None:
        """The link turned out not to hold this chunk."""
        self.gone(link, [holding_in(segment, 1 << chunk)])

    def forget(self, link: int) -> None:
        """The link is over."""
        self._held.pop(link, None)
        self._loading.pop(link, None)

    def held(self, link: int) -> Held:
        """What a link holds; it goes on to tell the truth as announcements come."""
        return self._held.setdefault(link, {})

    def offers(self, segment: SegmentKey) -> bool:
        """Whether any link holds any chunk of a segment."""
        return any(segment in held for held in self._held.values())

    def loading(self, segment: SegmentKey, now: float) -> tuple[int, float]:
        """Which chunks of a segment somebody is loading, and until when that is to be believed."""
        mask, until = 0, 0.0
        for loading in self._loading.values():
            theirs, lasts = loading.get(segment, (0, 0.0))
            if theirs and lasts > now:
                mask |= theirs
                until = max(until, lasts)
        return mask, until
