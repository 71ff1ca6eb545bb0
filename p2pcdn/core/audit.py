"""Whether a report can be true: of what no honest peer would say, nothing counts.

::

    length    no more numbers than a report has room for, and masks of no more bits than honest ones
    number    once, whichever way it comes, and never after a later one
    figures   whole numbers from 0 to 2**53 - 1; chunks in the canonical form, none twice
    content   no chunk that does not exist, as far as the origin tells us what does
    ceilings  no more than can have been played, or loaded ahead, since the session began

A report that fails is refused as a whole, and counted by its reason. Who is refused has not to be a
liar, so nobody is sent away for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from p2pcdn.core.account import MOST_NUMBERS
from p2pcdn.core.amounts import MOST_BYTES, STEPS
from p2pcdn.core.claims import Pair
from p2pcdn.core.credits import Credits
from p2pcdn.core.ledger_ports import Group
from p2pcdn.core.runs import MOST_CHUNK, RunsError, Stretches, Told, read, size_of
from p2pcdn.wire.tracker import PairReport, Report

LINKS = 16
"""So many times what it may get a peer may send."""
NATIVE = 10
"""So many times what a viewer may get a native peer may: it loads as fast as it can."""
UNHEARD = 64
"""Segments of a live stream that may be out before the ledger has been told."""
STALLS_A_SECOND = 10
MOST_BITS = 2**20
"""Of all masks of a report together: 128 KiB. That is its 1,200 shortest runs, of segments of
54 MiB; or a run from each of 16 neighbours, of a segment of 4 GiB."""
TWINS = 8
"""Reports that a page may make as it goes, each of which may come both ways."""
BURST = 20
"""Reports that may come at once."""

Channel = Literal["socket", "beacon"]
"""How a report has come: over the peer's socket, or without one as its page goes."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What can be true at most."""

    rate: float = 12_500_000.0
    """Bytes a second of what is played."""
    ahead: float = 60.0
    """Seconds of that which may be loaded ahead."""
    store: float = 134_217_728.0
    """Bytes that a viewer loads ahead, beside."""
    peaks: float = 2.0
    """So many times its mean rate what is played may have for long."""
    every: float = 10.0
    """Seconds between two reports."""


class Extent(NamedTuple):
    """What there is of a rendition, by the word of the origin."""

    rate: float
    """Bytes a second, on average; 0 if it has no duration."""
    chunks: int
    """Of its longest segment."""
    first: int
    last: int
    """The segments that there are, both included."""
    live: bool = False
    """Whether there will be more, and there have been others before."""

    def has(self, told: Told) -> bool:
        """Whether there are such chunks."""
        (_, sequence), mask, _ = told
        if self.live:
            is_there = sequence <= self.last + UNHEARD
        else:
            is_there = self.first <= sequence <= self.last
        return is_there and mask.bit_length() <= self.chunks


Extents = Mapping[str, Extent]
"""By rendition."""


class ReportError(Exception):
    """The report does not count; ``reason`` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, eq=False)
class Session:
    """One viewer's stay, as far as its reports are concerned."""

    content: str
    viewer: bool
    since: float
    groups: tuple[Group, ...] = ()
    edge: bool = False
    pairs: dict[str, Pair] = field(default_factory=dict)
    credits: Credits = field(default_factory=Credits)
    number: int = 0
    """Of the last report."""
    channels: dict[int, Channel | None] = field(default_factory=dict)
    """How the last few came, by number; None if it has come both ways."""
    heard: float = -1.0
    """When that was; before all times if there was none."""
    reached: set[str] = field(default_factory=set)
    """Of what is told once, what has been counted: its first picture, and steps before that."""
    sums: Sums = field(default_factory=lambda: Sums())
    ahead: Stretches = field(default_factory=Stretches)
    """What its player has not been given, of what peers have brought."""
    spared: int = 0
    """Bytes that were ever credited to it as not taken from the origin."""
    left: float = BURST
    """Reports that it may make at once."""
    left_at: float = 0.0


@dataclass(slots=True)
class Sums:
    """All that a session has reported."""

    received: int = 0
    sent: int = 0
    origin: int = 0
    waste: int = 0
    watched: int = 0
    """Milliseconds played and stalled."""
    stalls: int = 0


class Link(NamedTuple):
    """What a report says of a pairing of the session's."""

    pair: Pair
    entry: PairReport
    received: list[Told]
    sent: list[Told]


class Heard(NamedTuple):
    """What a report that may be true says."""

    origin: list[Told]
    links: list[Link]
    ahead: Stretches
    sums: Sums


def audit(
    session: Session,
    report: Report,
    channel: Channel,
    extents: Extents | None,
    ceilings: Ceilings,
    now: float,
) -> Heard | None:
    """What the report says, or None if it has come the other way, too; `ReportError` if that cannot
    be. ``extents`` are what the origin has said of the content, None if no origin says anything
    here."""
    if not all(map(_is_count, _figures(report))):
        raise ReportError("senseless")
    if _is_too_long(report):
        raise ReportError("too_long")
    if session.channels.get(report.number, channel) not in (None, channel):
        session.channels[report.number] = None
        return None
    if report.number <= session.number:
        raise ReportError("replayed")
    if not _has_leave(session, ceilings, now):
        raise ReportError("too_often")
    heard = _read(session, report, extents)
    if _is_too_much(session, heard.sums, extents or {}, ceilings, now):
        raise ReportError("too_much")
    session.number, session.heard = report.number, now
    session.channels[report.number] = channel
    if len(session.channels) > TWINS:
        del session.channels[next(iter(session.channels))]
    session.sums = heard.sums
    return heard


def _is_too_long(report: Report) -> bool:
    """Whether it would cost more than a report may. A run's mask has as many bits as its last chunk
    says, however few numbers tell it; so this is asked before any mask is made."""
    numbers = bits = 0
    for runs in (
        report.origin,
        *(way for pair in report.pairs for way in (pair.received, pair.sent)),
    ):
        for run in runs:
            numbers += len(run)
            last = run[-1] if run else 0
            if type(last) is int and 0 <= last <= MOST_CHUNK:  # else it is refused when it is read
                bits += last + 1
    return numbers > MOST_NUMBERS or bits > MOST_BITS


def _has_leave(session: Session, ceilings: Ceilings, now: float) -> bool:
    """Twice as often as it is asked to, it may report."""
    fresh = max(0.0, now - session.left_at) * 2 / ceilings.every
    session.left, session.left_at = min(BURST, session.left + fresh), now
    if session.left < 1:
        return False
    session.left -= 1
    return True


def _read(session: Session, report: Report, extents: Extents | None) -> Heard:
    if len({entry.pairing for entry in report.pairs}) < len(report.pairs):
        raise ReportError("overlapping")
    if len(set(report.renditions)) < len(report.renditions):
        raise ReportError("overlapping")
    before, quality = session.sums, report.quality
    sums = Sums(
        before.received,
        before.sent,
        before.origin + report.origin_bytes,
        before.waste + report.waste_bytes,
        before.watched,
        before.stalls,
    )
    if quality is not None:
        sums.watched += quality.played + quality.stalled
        sums.stalls += quality.stalls
    links = []
    try:
        ahead = Stretches(report.ahead, report.renditions)
        origin = _existing(read(report.origin, report.renditions), extents)
        for entry in report.pairs:
            received = _existing(read(entry.received, report.renditions), extents)
            sent = _existing(read(entry.sent, report.renditions), extents)
            sums.received += _size(received)
            sums.sent += _size(sent)
            sums.waste += entry.waste
            pair = session.pairs.get(entry.pairing)
            if pair is not None:  # else it is closed in the book, or was never the session's
                links.append(Link(pair, entry, received, sent))
    except RunsError as error:
        raise ReportError("overlapping") from error
    return Heard(origin, links, ahead, sums)


def _existing(told: list[Told], extents: Extents | None) -> list[Told]:
    """Without those of renditions that the origin has not spoken of (since a restart, say): they
    earn nothing."""
    if extents is None:
        return told
    known = [one for one in told if one[0].rendition in extents]
    if not all(extents[one[0].rendition].has(one) for one in known):
        raise ReportError("nonexistent")
    return known


def _is_too_much(
    session: Session, sums: Sums, extents: Extents, ceilings: Ceilings, now: float
) -> bool:
    time = _time(session, ceilings, now)
    if session.viewer:
        most = may_have_played(session, extents, ceilings, now)
    else:  # who does not play loads as fast as can be
        most = time * ceilings.rate * NATIVE
    return (
        max(sums.received, sums.origin) > most
        or max(sums.sent, sums.waste) > LINKS * most
        or sums.watched > 1000 * time
        or sums.stalls > STALLS_A_SECOND * time
    )


def may_have_played(session: Session, extents: Extents, ceilings: Ceilings, now: float) -> float:
    """How many bytes a viewer can have got since the session began."""
    time = _time(session, ceilings, now)
    rate = max((extent.rate for extent in extents.values()), default=0.0)
    most = time * ceilings.rate
    return min(most, time * rate * ceilings.peaks + ceilings.store) if rate > 0 else most


def _time(session: Session, ceilings: Ceilings, now: float) -> float:
    """Seconds of what may have been loaded."""
    return max(0.0, now - session.since) + ceilings.ahead


def _size(told: Iterable[Told]) -> int:
    return sum(size_of(mask, tail) for _, mask, tail in told)


def _figures(report: Report) -> Iterable[object]:
    yield from (
        report.number,
        report.origin_bytes,
        report.peer_bytes,
        report.cache_bytes,
        report.waste_bytes,
        report.rejected_chunks,
        report.origin_mismatches,
    )
    for entry in report.pairs:
        yield entry.waste
        yield entry.rejected
    if report.quality is not None:
        quality = report.quality
        yield from (quality.played, quality.stalls, quality.stalled, quality.rate)
        for name in ("startup", *STEPS):
            took = getattr(quality, name)
            if took is not None:
                yield int(took) if 0 <= took <= 86_400_000 else None


def _is_count(figure: object) -> bool:
    """Whether it is a number of something: no fraction, infinity, NaN, nothing below 0, not too
    much. The wire's decoder has seen to it; the account does not rely on that."""
    return type(figure) is int and 0 <= figure <= MOST_BYTES
