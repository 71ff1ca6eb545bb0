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
from typing import Any, NamedTuple

from msgspec import Struct

from p2pcdn.core.amounts import MOST_BYTES, SHOWN, Amounts, bounded
from p2pcdn.wire.tracker import Report

MOST_PAIRS = 256
"""Pairings of one session that can still earn credit. A peer has at most 16 links at once; those
that ended longest ago are closed in the book first."""


_NONE: Mapping[Any, Any] = {}


class Summary(Struct, frozen=True, kw_only=True):
    """The headline figures, in bytes; the fields of ``/api/v1/summary``."""

    origin_bytes: int
    """Media that the origin sent."""
    peer_bytes_confirmed: int
    """Media that peers sent each other, as both ends say."""
    peer_bytes_claimed: int
    """Media that only one end speaks of (yet)."""
    peer_bytes_disputed: int
    """Media that one end speaks of, and the other, which has reported since, does not."""
    edge_bytes: int
    """Media that went from or to peers which the site runs itself, as both ends say; neither
    confirmed nor saved, since somebody pays for them."""
    relayed_bytes: int
    """Media that peers sent each other through a relay, as both ends say; neither confirmed nor
    saved."""
    waste_bytes: int
    """Media that peers got in vain: twice, cancelled, or with a wrong hash."""
    rejected_chunks: int
    """Chunks with a wrong hash, whoever sent them."""
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
    links_made: int
    """Of these, those that became links."""
    links_failed: int
    """Of these, those that came to nothing."""
    link_success: float | None
    """Made of all those of which it is known; None if there were none."""
    link_time: float | None
    """Seconds from an introduction to a link, on average; None if there were none."""
    startups: int
    """Viewers who have seen a first picture."""
    startup_p50: float | None
    """Seconds in which half of them did; None if there were none."""
    startup_p95: float | None
    """Seconds in which 95 % of them did."""
    played_seconds: float
    """Time played, of all viewers together."""
    stalls: int
    """How often playback ran dry."""
    stalled_seconds: float
    """For how long, in all."""
    rebuffer_ratio: float | None
    """Time stalled, of time played and stalled; None if there was none."""
    bitrate: float | None
    """Bits a second of what was played, on average; None if nothing was."""
    since: float
    """When the ledger began, in seconds since 1970; the figures are of all runs from then on."""


class Group(NamedTuple):
    """Viewers that have something in common."""

    kind: str
    """What: their ``browser``, or the ``country``, ``operator`` or ``connection`` that their
    addresses belong to."""
    name: str


class Failure(NamedTuple):
    """Something that came to nothing."""

    kind: str
    """What: a ``link``, a ``report``, or a ``socket``."""
    reason: str


class Reading(NamedTuple):
    """What is new since the last one."""

    changes: Mapping[str, Amounts]
    """By content; under the empty name what belongs to none."""
    viewers: Mapping[str, int]
    """Browsers that are there now, by content; those without any are left out."""
    groups: Mapping[Group, Amounts] = _NONE
    """What is new of each group of viewers."""
    members: Mapping[Group, int] = _NONE
    """Browsers that are there now, by group."""
    failures: Mapping[Failure, int] = _NONE
    """What has come to nothing."""


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
    groups: tuple[Group, ...] = ()
    """Of either end."""
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
    groups: tuple[Group, ...] = ()
    edge: bool = False
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
        self._group_changes: dict[Group, Amounts] = {}
        """And to each group."""
        self._members: Counter[Group] = Counter()
        self._failures: Counter[Failure] = Counter()
        """What has come to nothing since the last reading."""

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

    def joined(
        self,
        session: str,
        content: str,
        now: float,
        *,
        viewer: bool = True,
        groups: Iterable[Group] = (),
        edge: bool = False,
    ) -> None:
        """A peer has joined a swarm: ``viewer`` if it is a person's browser, ``edge`` if the site
        runs it. Of the ``groups`` that it belongs to only sums are ever told."""
        known = _Session(content, viewer, now, tuple(groups), edge)
        self._sessions[session] = known
        self._contents[content] += 1
        if viewer:
            self._viewers[content] += 1
            self._members.update(known.groups)
            for amounts in self._books(content, known.groups):
                amounts.joins += 1

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
        for group in gone.groups if gone.viewer else ():
            self._members[group] -= 1
            if not self._members[group]:
                del self._members[group]
        for pairing, pair in gone.pairs.items():
            if pair.other(session) not in self._sessions:
                del self._pairs[pairing]  # nobody is left to report on it

    def paired(self, pairing: str, a: str, b: str, *, relayed: bool = False) -> None:
        """The tracker introduced two sessions, who may have no way to each other but a relay."""
        known = self._sessions.get(a) or self._sessions.get(b)
        content = known.content if known else ""
        ends = [self._sessions[end] for end in (a, b) if end in self._sessions]
        groups = tuple(dict.fromkeys(group for end in ends for group in end.groups))
        pair = _Pair(content, a, b, {a: _End(), b: _End()}, groups, relayed)
        self._pairs[pairing] = pair
        for amounts in self._books(content, groups):
            amounts.links_attempted += 1
        for session in (a, b):
            if session in self._sessions:
                self._sessions[session].pairs[pairing] = pair
                self._bound(session)

    def linked(self, pairing: str, took: float) -> None:
        """An introduction has become a link, so many milliseconds later."""
        pair = self._pairs.get(pairing)
        for amounts in self._books(*_place(pair)):
            amounts.links_made += 1
            amounts.link_ms += int(took)

    def failed(self, pairing: str, reason: str = "") -> None:
        """An introduction came to nothing."""
        pair = self._pairs.get(pairing)
        for amounts in self._books(*_place(pair)):
            amounts.links_failed += 1
        self._failures[Failure("link", reason or "unknown")] += 1

    def turned_away(self, code: str) -> None:
        """The tracker has sent a socket away, for this reason."""
        self._failures[Failure("socket", code)] += 1

    # What peers say

    def report(self, session: str, report: Report, now: float) -> bool:
        """Take a session's figures; whether they made sense and were taken."""
        known = self._sessions.get(session)
        if known is None or not self._makes_sense(session, known, report):
            self._refused += 1
            self._failures[Failure("report", "senseless" if known else "stranger")] += 1
            return False
        for amounts in self._books(known.content, known.groups):
            amounts.waste_bytes += report.waste_bytes - known.last.waste_bytes
            amounts.rejected_chunks += report.rejected_chunks - known.last.rejected_chunks
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
        shown = {name: bounded(getattr(total, name)) for name in SHOWN}
        return Summary(
            **shown,
            saved_bytes=total.saved_bytes,
            offload=total.offload,
            viewers=self._viewers.total(),
            swarms=len(self._contents),
            refused_reports=self._refused,
            link_success=total.link_success,
            link_time=total.link_time,
            startups=total.startups,
            startup_p50=total.startup(0.5),
            startup_p95=total.startup(0.95),
            played_seconds=total.played_ms / 1000,
            stalled_seconds=total.stalled_ms / 1000,
            rebuffer_ratio=total.rebuffer_ratio,
            bitrate=total.bitrate,
            since=self._since,
        )

    def take_reading(self) -> Reading:
        """What is new since the last reading, to be written down."""
        changes, self._changes = self._changes, {}
        groups, self._group_changes = self._group_changes, {}
        failures, self._failures = self._failures, Counter()
        return Reading(changes, dict(self._viewers), groups, dict(self._members), failures)

    def _books(self, content: str, groups: Iterable[Group] = ()) -> list[Amounts]:
        """Where something is entered that concerns these."""
        books = [self._total, self._changed(content)]
        for group in groups:
            found = self._group_changes.get(group)
            if found is None:
                found = self._group_changes[group] = Amounts()
            books.append(found)
        return books

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


def _place(pair: _Pair | None) -> tuple[str, tuple[Group, ...]]:
    """Which content and which groups a pairing belongs to."""
    return ("", ()) if pair is None else (pair.content, pair.groups)


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
