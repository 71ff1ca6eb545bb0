"""The account of bytes: what the origin sent, what peers sent each other, what that saved.

The origin counts at its own socket. What goes over a link is counted by both of its ends, each of
which may lie; so only what both say is **confirmed**, per pairing and direction::

    a reports: sent 900 --------> b reports: received 800        confirmed 800, claimed 100

What went through a relay is counted apart: somebody paid for carrying it, so it saved nothing.

Reports are totals since a session began: a lost one does no harm, and one that goes backwards is
refused. Totals over everybody are kept up to date as reports come, so that reading them costs the
same whether ten viewers or ten thousand are there, and nothing is lost when a viewer leaves.

What has changed since the last reading is kept by content as well, for whoever writes it down
(`p2pcdn.core.rollup`); and what earlier runs wrote down is carried on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec import Struct

from p2pcdn.wire.tracker import Report

MOST_BYTES = 2**53 - 1
"""What JavaScript can hold exactly; no figure beyond it is believed, or shown."""

MOST_PAIRS = 256
"""Pairings of one session that can still earn credit. A peer has at most 16 links at once; those
that ended longest ago are closed in the book first."""


class Summary(Struct, frozen=True, kw_only=True):
    """The headline figures, in bytes; the fields of ``/api/v1/summary``."""

    origin_bytes: int
    """Media that the origin sent."""
    peer_bytes_confirmed: int
    """Media that peers sent each other, as both ends say."""
    peer_bytes_claimed: int
    """Media that only one end speaks of (yet)."""
    relayed_bytes: int
    """Media that peers sent each other through a relay, as both ends say; neither confirmed nor
    saved."""
    waste_bytes: int
    """Media that peers got in vain: twice, cancelled, or with a wrong hash."""
    origin_mismatches: int
    """Chunks that viewers got by HTTP with a wrong hash: the origin, or a cache before it, gives
    out something else than what it signed."""
    overhead_bytes: int
    """Manifests, hash lists, playlists and signalling."""
    saved_bytes: int
    """Confirmed less overhead, never below 0: a lower bound of what the origin was spared."""
    offload: float
    """Confirmed of all media bytes, 0 to 1."""
    viewers: int
    """Browsers in swarms now."""
    swarms: int
    """Contents that somebody watches or seeds now."""
    refused_reports: int
    """Reports that made no sense, since the process started."""
    joins: int
    """Browsers that entered a swarm."""
    links_attempted: int
    """Introductions of two peers."""
    links_failed: int
    """Of these, those that came to nothing."""
    since: float
    """When the ledger began, in seconds since 1970; the figures are of all runs from then on."""


class Amounts(Struct):
    """What is added up. All but what is claimed, or turns out to have been relayed, only grows."""

    origin_bytes: int = 0
    peer_bytes_confirmed: int = 0
    peer_bytes_claimed: int = 0
    relayed_bytes: int = 0
    waste_bytes: int = 0
    origin_mismatches: int = 0
    overhead_bytes: int = 0
    joins: int = 0
    links_attempted: int = 0
    links_failed: int = 0

    def add(self, other: Amounts) -> None:
        """Add each to its like; no sum goes beyond what can be shown."""
        for name in _AMOUNTS:
            more = getattr(other, name)
            if more:  # mostly there is nothing, and this is done for each content each second
                setattr(self, name, _bounded(getattr(self, name) + more))


_AMOUNTS = Amounts.__struct_fields__


class Reading(NamedTuple):
    """What is new since the last one."""

    changes: Mapping[str, Amounts]
    """By content; under the empty name what belongs to none."""
    viewers: Mapping[str, int]
    """Browsers that are there now, by content; those without any are left out."""


@dataclass(slots=True)
class _End:
    """One end's figures of a pairing."""

    sent: int = 0
    received: int = 0


@dataclass(slots=True, eq=False)
class _Pair:
    """What the two ends of a pairing say."""

    content: str
    a: str
    b: str
    ends: dict[str, _End]
    relayed: bool = False
    """Some of it went through a relay: so none of it counts."""

    def other(self, session: str) -> str:
        return self.b if session == self.a else self.a

    @property
    def agreed(self) -> int:
        """What both ends say."""
        a, b = self.ends[self.a], self.ends[self.b]
        return min(a.sent, b.received) + min(b.sent, a.received)

    @property
    def claimed(self) -> int:
        """What only one of them says."""
        a, b = self.ends[self.a], self.ends[self.b]
        return abs(a.sent - b.received) + abs(b.sent - a.received)


@dataclass(slots=True)
class _Session:
    """One viewer's stay."""

    content: str
    viewer: bool
    since: float
    last: Report = field(default_factory=lambda: Report(0, 0, 0, 0))
    pairs: dict[str, _Pair] = field(default_factory=dict)


class Ledger:
    """Adds up what the origin, and both ends of every pairing, say."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._contents: Counter[str] = Counter()
        self._viewers: Counter[str] = Counter()
        self._pairs: dict[str, _Pair] = {}
        self._refused = 0
        self._since = 0.0
        self._total = Amounts()
        self._changes: dict[str, Amounts] = {}
        """What came to each content since the last reading."""

    def carry(self, amounts: Amounts, since: float) -> None:
        """Go on from what earlier runs have written down; the ledger began at ``since``."""
        self._total.add(amounts)
        self._since = since

    @property
    def origin_mismatches(self) -> int:
        """As in the summary."""
        return self._total.origin_mismatches

    # What the servers know for themselves

    def origin_sent(self, media: int, overhead: int = 0, content: str = "") -> None:
        """The origin handed these bytes to a socket, for this content if it knows for which."""
        for amounts in (self._total, self._changed(content)):
            amounts.origin_bytes += media
            amounts.overhead_bytes += overhead

    def signalled(self, size: int) -> None:
        """The tracker sent or received these bytes."""
        self._total.overhead_bytes += size
        self._changed("").overhead_bytes += size

    def joined(self, session: str, content: str, now: float, *, viewer: bool = True) -> None:
        """A peer has joined a swarm; ``viewer`` if it is a person's browser."""
        self._sessions[session] = _Session(content, viewer, now)
        self._contents[content] += 1
        if viewer:
            self._viewers[content] += 1
            self._total.joins += 1
            self._changed(content).joins += 1

    def left(self, session: str, now: float) -> None:
        """It has left. What it moved still counts."""
        gone = self._sessions.pop(session, None)
        if gone is None:
            return
        self._contents[gone.content] -= 1
        self._viewers[gone.content] -= gone.viewer
        for counter in (self._contents, self._viewers):
            if not counter[gone.content]:
                del counter[gone.content]
        for pairing, pair in gone.pairs.items():
            if pair.other(session) not in self._sessions:
                del self._pairs[pairing]  # nobody is left to report on it

    def paired(self, pairing: str, a: str, b: str, *, relayed: bool = False) -> None:
        """The tracker introduced two sessions, who may have no way to each other but a relay."""
        known = self._sessions.get(a) or self._sessions.get(b)
        content = known.content if known else ""
        pair = _Pair(content, a, b, {a: _End(), b: _End()}, relayed)
        self._pairs[pairing] = pair
        self._total.links_attempted += 1
        self._changed(content).links_attempted += 1
        for session in (a, b):
            if session in self._sessions:
                self._sessions[session].pairs[pairing] = pair
                self._bound(session)

    def failed(self, pairing: str) -> None:
        """An introduction came to nothing."""
        pair = self._pairs.get(pairing)
        self._total.links_failed += 1
        self._changed(pair.content if pair else "").links_failed += 1

    # What peers say

    def report(self, session: str, report: Report, now: float) -> bool:
        """Take a session's figures; whether they made sense and were taken."""
        known = self._sessions.get(session)
        if known is None or not self._makes_sense(session, known, report):
            self._refused += 1
            return False
        for amounts in (self._total, self._changed(known.content)):
            amounts.waste_bytes += report.waste_bytes - known.last.waste_bytes
            amounts.origin_mismatches += report.origin_mismatches - known.last.origin_mismatches
        known.last = report
        for entry in report.pairs:
            pair = known.pairs.get(entry.pairing)
            if pair is None:
                continue  # closed in the book, or never issued to it
            self._count(pair, -1)
            pair.ends[session] = _End(entry.sent, entry.received)
            pair.relayed = pair.relayed or entry.relayed
            self._count(pair, 1)
        return True

    def _count(self, pair: _Pair, sign: int) -> None:
        """Add a pairing's figures to the totals, or take them out."""
        for amounts in (self._total, self._changed(pair.content)):
            amounts.peer_bytes_claimed += sign * pair.claimed
            if pair.relayed:
                amounts.relayed_bytes += sign * pair.agreed
            else:
                amounts.peer_bytes_confirmed += sign * pair.agreed

    # What comes of it

    def summary(self) -> Summary:
        """The figures as of now."""
        total = self._total
        confirmed = total.peer_bytes_confirmed
        watched = confirmed + total.origin_bytes
        return Summary(
            origin_bytes=_bounded(total.origin_bytes),
            peer_bytes_confirmed=_bounded(confirmed),
            peer_bytes_claimed=_bounded(total.peer_bytes_claimed),
            relayed_bytes=_bounded(total.relayed_bytes),
            waste_bytes=_bounded(total.waste_bytes),
            origin_mismatches=_bounded(total.origin_mismatches),
            overhead_bytes=_bounded(total.overhead_bytes),
            saved_bytes=_bounded(max(0, confirmed - total.overhead_bytes)),
            offload=confirmed / watched if watched else 0.0,
            viewers=self._viewers.total(),
            swarms=len(self._contents),
            refused_reports=self._refused,
            joins=total.joins,
            links_attempted=total.links_attempted,
            links_failed=total.links_failed,
            since=self._since,
        )

    def take_reading(self) -> Reading:
        """What is new since the last reading, to be written down."""
        changes, self._changes = self._changes, {}
        return Reading(changes, dict(self._viewers))

    def _changed(self, content: str) -> Amounts:
        found = self._changes.get(content)
        if found is None:
            found = self._changes[content] = Amounts()
        return found

    def _makes_sense(self, session: str, known: _Session, report: Report) -> bool:
        if not all(map(_is_count, _figures(report))):
            return False
        if any(now < before for now, before in zip(_own(report), _own(known.last), strict=True)):
            return False
        if len({entry.pairing for entry in report.pairs}) < len(report.pairs):
            return False
        for entry in report.pairs:
            pair = known.pairs.get(entry.pairing)
            before = pair.ends[session] if pair is not None else _End()
            if entry.sent < before.sent or entry.received < before.received:
                return False
        return True

    def _bound(self, session: str) -> None:
        """Close the book on the oldest pairing, if there are too many; one that is over if any."""
        pairs = self._sessions[session].pairs
        if len(pairs) <= MOST_PAIRS:
            return
        over = (id_ for id_, pair in pairs.items() if pair.other(session) not in self._sessions)
        oldest = next(over, next(iter(pairs)))
        pair = self._pairs.pop(oldest)
        for end in (pair.a, pair.b):
            if end in self._sessions:
                self._sessions[end].pairs.pop(oldest, None)


def _own(report: Report) -> tuple[int, ...]:
    """The figures about the session as a whole."""
    return (
        report.origin_bytes,
        report.peer_bytes,
        report.cache_bytes,
        report.waste_bytes,
        report.rejected_chunks,
        report.origin_mismatches,
    )


def _figures(report: Report) -> Iterable[object]:
    yield from _own(report)
    for entry in report.pairs:
        yield entry.received
        yield entry.sent


def _is_count(figure: object) -> bool:
    """Whether it is a number of bytes: no fraction, infinity, NaN, nothing below 0, not too much.

    The wire's decoder has seen to it; the account does not rely on that.
    """
    return type(figure) is int and 0 <= figure <= MOST_BYTES


def _bounded(figure: int) -> int:
    """Liars together may claim more than a number can say."""
    if -MOST_BYTES <= figure <= MOST_BYTES:
        return figure
    return MOST_BYTES if figure > 0 else -MOST_BYTES
