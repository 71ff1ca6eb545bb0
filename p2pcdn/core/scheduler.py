"""Who is asked for which chunk, and when: a pure function of what is known now.

The first, simple rules. The promise is that playback is never worse than plain HTTP, so the origin
comes first and peers work where there is time for them:

    START     nothing played yet: the origin, at once
    URGENT    VOD with less than `LOW_BUFFER` seconds in the buffer, or any segment whose latest
              start has come: the origin, at once
    otherwise peers that hold the chunk; what nobody holds or loads is fetched by the neighbours in
              turn, by their rank for the segment, so that one fetches and the others take it from
              him; and nobody waits when nobody is there to wait for

The *latest start* of a segment is when the origin has to be asked so that the segment still comes
in time, with the throughput that the origin has shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from p2pcdn.model import ChunkKey, SegmentKey, Span, spans_of

LOW_BUFFER = 4.0
"""Seconds. Two usual segments: enough to notice that peers fail and still ask the origin."""
GUARD = 0.8
"""Seconds kept in hand, whatever the estimates say."""
RATE_SHARE = 0.8
"""The part of the measured throughput that is counted on."""
TURN = 0.4
"""Seconds that each rank waits for the one before it."""
LATEST_TURN = 4
"""Ranks beyond this one wait no longer than it."""
PER_LINK = 4
IN_ALL = 16
"""Wants open at once."""


@dataclass(frozen=True, slots=True)
class Http:
    """What the origin has shown so far."""

    ttfb: float = 0.2
    """Seconds to the first byte."""
    rate: float = 250_000.0
    """Bytes a second."""


@dataclass(frozen=True, slots=True)
class ChunkView:
    """A chunk that has not arrived."""

    number: int
    holders: tuple[int, ...]
    """Links that announced it, and have not said since that they lack it."""
    loading_until: float | None
    """Until when a neighbour may be believed to be loading it from the origin."""
    asked: bool
    """Whether a link has been asked for it."""


@dataclass(frozen=True, slots=True)
class SegmentView:
    """A segment that is wanted and not whole."""

    key: SegmentKey
    demanded: bool
    """The player asked for it; otherwise it lies ahead, and only peers are asked."""
    deadline: float
    """When the play head gets there."""
    since: float
    """When it was first wanted."""
    rank: int
    """Our rank among ourselves and the neighbours for it."""
    origin_after: float
    """Before this the origin is not asked again: it has just failed us."""
    missing_bytes: int
    chunks: tuple[ChunkView, ...]
    """Those that neither arrived nor are asked of the origin."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link that can be asked."""

    number: int
    in_flight: int
    busy_until: float


@dataclass(frozen=True, slots=True)
class View:
    """All that the decision depends on."""

    started: bool
    """Whether the player has been given anything yet."""
    live: bool
    buffer: float
    """Seconds of media in the player's buffer, ahead of the play head."""
    hopeful_until: float
    """Until when it is worth waiting for a first link."""
    http: Http
    segments: Sequence[SegmentView]
    links: Sequence[LinkView]


@dataclass(frozen=True, slots=True)
class AskPeer:
    """Ask a link for a chunk."""

    link: int
    key: SegmentKey
    chunk: int

    @property
    def chunk_key(self) -> ChunkKey:
        return ChunkKey(self.key.rendition, self.key.sequence, self.chunk)


@dataclass(frozen=True, slots=True)
class AskOrigin:
    """Ask the origin for a run of chunks."""

    key: SegmentKey
    chunks: Span


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and when to think again if nothing happens before."""

    asks: tuple[AskPeer | AskOrigin, ...]
    wake_at: float | None


def latest_start(segment: SegmentView, http: Http) -> float:
    """When the origin has to be asked at the latest."""
    return segment.deadline - (http.ttfb + segment.missing_bytes / (RATE_SHARE * http.rate) + GUARD)


def plan(view: View, now: float) -> Plan:
    """Decide. Earlier segments of the view come first."""
    asks: list[AskPeer | AskOrigin] = []
    wakes: list[float] = []
    room = _Room(view.links, now)
    for segment in view.segments:
        all_at = everything_at(segment, view, now)
        if all_at is not None and all_at <= now:
            asks += _ask_origin(segment.key, segment.chunks)
            continue
        orphans = [c for c in segment.chunks if not c.holders and not c.asked]
        orphans_at = all_at and min(all_at, turn_at(segment, orphans, view))
        if orphans and orphans_at is not None and orphans_at <= now:
            asks += _ask_origin(segment.key, orphans)
            orphans_at = None
        wakes += [at for at in (all_at, orphans_at) if at is not None]
        asks += room.ask(segment)
    wakes += room.wakes
    return Plan(tuple(asks), min((at for at in wakes if at > now), default=None))


def everything_at(segment: SegmentView, view: View, now: float) -> float | None:
    """When the origin is to be asked for all that is missing; None: never."""
    if not segment.demanded:
        return None
    if not view.started or (not view.live and view.buffer < LOW_BUFFER):
        return max(now, segment.origin_after)
    return max(latest_start(segment, view.http), segment.origin_after)


def turn_at(segment: SegmentView, orphans: Sequence[ChunkView], view: View) -> float:
    """When it is our turn to ask the origin for chunks that no neighbour holds."""
    if not view.links:
        return max(view.hopeful_until, segment.origin_after)
    turn = segment.since + min(segment.rank, LATEST_TURN) * TURN
    return max([turn, segment.origin_after, *(chunk.loading_until or 0.0 for chunk in orphans)])


def _ask_origin(key: SegmentKey, chunks: Iterable[ChunkView]) -> list[AskPeer | AskOrigin]:
    return [AskOrigin(key, span) for span in spans_of(chunk.number for chunk in chunks)]


class _Room:
    """What may still be asked of whom."""

    def __init__(self, links: Iterable[LinkView], now: float) -> None:
        self.wakes = [link.busy_until for link in links if link.busy_until > now]
        self._open = {link.number: link.in_flight for link in links if link.busy_until <= now}
        self._left = IN_ALL - sum(link.in_flight for link in links)

    def ask(self, segment: SegmentView) -> list[AskPeer | AskOrigin]:
        """Ask the least busy holder of each chunk, as far as there is room."""
        asks: list[AskPeer | AskOrigin] = []
        for chunk in segment.chunks:
            if self._left <= 0:
                break
            if chunk.asked:
                continue
            free = [n for n in chunk.holders if self._open.get(n, PER_LINK) < PER_LINK]
            if free:
                link = min(free, key=lambda n: (self._open[n], n))
                self._open[link] += 1
                self._left -= 1
                asks.append(AskPeer(link, segment.key, chunk.number))
        return asks
