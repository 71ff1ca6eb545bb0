"""The account of bytes: what the origin sent, what peers sent each other, what that saved.

The origin counts at its own socket. What goes over a link is told by both of its ends, chunk by
chunk, and each may lie; so only what both say is **confirmed**, once for the session that got it::

    a reports: sent 0-9 ---------> b reports: received 0-7       confirmed 0-7, claimed 8-9
                                   b reports later, without 8-9                 disputed 8-9

A chunk that the session also took from the origin saved nothing; nor does one that its player has
not been given, until it is: a viewer who goes would not have loaded it. What went through a relay,
or from or to a peer that the site itself runs, is counted apart: somebody paid for it. What no
honest peer would say is refused (`audit`), so that even two who agree to lie are held to what one
viewer can have played.

A session is remembered for a while after it has left: its page may have sent the last report past
the socket. Totals over everybody are kept up to date as reports come, so that reading them costs
the same whether ten viewers or ten thousand are there. What has changed since the last reading is
kept by content and by group as well, for whoever writes it down (`rollup`); and what earlier runs
wrote down is carried on.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf

from p2pcdn.core.amounts import STEPS, Amounts
from p2pcdn.core.audit import (
    Ceilings,
    Channel,
    Extent,
    Heard,
    Link,
    ReportError,
    Session,
    audit,
    may_have_played,
)
from p2pcdn.core.books import Books
from p2pcdn.core.claims import PATIENCE, Outcome, Pair
from p2pcdn.core.firsts import Firsts, Place
from p2pcdn.core.ladder import rung_of
from p2pcdn.core.ledger_ports import Group, Reading, Summary
from p2pcdn.core.pairing import LINK_TIMEOUT
from p2pcdn.core.runs import Told, size_of
from p2pcdn.model import Route, is_elsewhere
from p2pcdn.wire.tracker import Quality, Report

MOST_PAIRS = 256
"""Pairings of one session that can still earn credit. A peer has at most 16 links at once; those
that ended longest ago are closed in the book first."""

MOST_CONTENTS = 10_000
"""Contents of which it is known what there is."""

MOST_STARTUP = 300_000.0
"""Milliseconds to a first picture; who says more (and may have waited to press play) counts so."""

MOST_TIME = 60_000.0
"""Milliseconds to a step of getting connected; the same."""

LINGERS = 60.0
"""Seconds after its socket closed in which a last report of a session may come."""


_ONCE = ("startup", *STEPS)
"""What counts once for each session."""


class Ledger:
    """Adds up what the origin, and both ends of every pairing, say."""

    def __init__(self) -> None:
        self.ceilings = Ceilings()
        self._sessions: dict[str, Session] = {}
        self._gone: dict[str, tuple[float, Session]] = {}
        """Who has left, and until when that is remembered; in this order."""
        self._extents: dict[str, dict[str, Extent]] = {}
        """What the origin says that there is, by content and rendition."""
        self._contents: Counter[str] = Counter()
        self._viewers: Counter[str] = Counter()
        self._pairs: dict[str, Pair] = {}
        self._due: deque[tuple[float, Pair]] = deque()
        """Pairings in which something waits for the other end's word, and until when."""
        self._firsts = Firsts()
        self._books = Books()
        self._others: dict[str, Reading] = {}
        """The last reading of each other ledger that is added up here."""

    def carry(self, amounts: Amounts, since: float) -> None:
        """What all other runs have written down, instead of what was known of them before; the
        ledger began at ``since``."""
        self._books.carry(amounts, since)

    @property
    def total(self) -> Amounts:
        """What this run has seen."""
        return self._books.total

    @property
    def sums(self) -> Amounts:
        """What all runs have seen."""
        return self._books.sums

    @property
    def knows_origin(self) -> bool:
        """Whether what an origin sends is counted, by this or another run: else it is elsewhere."""
        return self._books.knows_origin

    @property
    def origin_mismatches(self) -> int:
        """As in the summary."""
        return self._books.origin_mismatches

    # What other ledgers have counted

    def take_in(self, name: str, reading: Reading) -> None:
        """What another ledger has counted, of contents that are not ours, since it told the last
        time; ``name`` is whose it is."""
        self._books.take_in(reading)
        self._others[name] = reading

    def forget(self, name: str) -> None:
        """That ledger is no more. What it counted stays; who was there is not."""
        self._others.pop(name, None)

    # What the servers know for themselves

    def origin_sent(
        self, media: int, overhead: int = 0, content: str = "", place: Place | None = None
    ) -> None:
        """The origin handed these bytes to a socket, for this content and from this place if it
        knows so."""
        least = media
        if place is not None and content:
            watched = content in self._contents
            least = self._firsts.sent(content, place, media, watched=watched)
        for amounts in self._books.of(content):
            amounts.origin_bytes += media
            amounts.least_bytes += least
            amounts.overhead_bytes += overhead

    def measured(self, content: str, rendition: str, extent: Extent) -> None:
        """The origin says what there is of a rendition: chunks beyond it earn nothing."""
        self._extents[content] = {**self._extents.pop(content, {}), rendition: extent}
        if len(self._extents) > MOST_CONTENTS:
            del self._extents[next(iter(self._extents))]

    def signalled(self, size: int) -> None:
        """The tracker sent or received these bytes."""
        self._books.signalled(size)

    def extents(self) -> Iterator[tuple[str, str, Extent]]:
        """All that origins have said of what there is: content, rendition, and its extent."""
        for content, renditions in self._extents.items():
            for rendition, extent in renditions.items():
                yield content, rendition, extent

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
        known = Session(content, viewer, now, tuple(groups), edge, left_at=now)
        self._sessions[session] = known
        self._contents[content] += 1
        if viewer:
            self._viewers[content] += 1
            self._books.count(known.groups, +1)
            for amounts in self._books.of(content, known.groups):
                amounts.joins += 1

    def belongs(self, session: str, group: Group) -> None:
        """It has been found out that a viewer belongs to a group, instead of another of the kind.
        What was counted before stays where it is, but for what may still become something else."""
        known = self._sessions.get(session)
        if known is None or not known.viewer or group in known.groups:
            return
        others = tuple(other for other in known.groups if other.kind != group.kind)
        waiting = known.credits.waiting + sum(p.to(session).open for p in known.pairs.values())
        if waiting:  # it will be taken off where it is then
            for left in set(known.groups) - set(others):
                self._books.of_group(left).peer_bytes_claimed -= waiting
            self._books.of_group(group).peer_bytes_claimed += waiting
        self._books.count(known.groups, -1)
        known.groups = (*others, group)
        self._books.count(known.groups, +1)

    def left(self, session: str, now: float) -> None:
        """It has left. What it moved still counts, and what it may still say."""
        gone = self._sessions.pop(session, None)
        if gone is None:
            return
        self._gone[session] = (now + LINGERS, gone)
        self._contents[gone.content] -= 1
        self._viewers[gone.content] -= gone.viewer
        for counter in (self._contents, self._viewers):
            if not counter[gone.content]:
                del counter[gone.content]
        if gone.content not in self._contents:
            self._firsts.forget(gone.content)
        if gone.viewer:
            self._books.count(gone.groups, -1)

    def paired(self, pairing: str, a: str, b: str, *, relayed: bool = False) -> None:
        """The tracker introduced two sessions, who may have no way to each other but a relay."""
        ends = [known for known in map(self._known, (a, b)) if known is not None]
        edge = any(known.edge for known in ends)
        pair = Pair(pairing, ends[0].content if ends else "", a, b, relayed, edge)
        for amounts in self._books.of(*self._place(pair)):
            amounts.links_attempted += 1
        for session in ends:
            self._pairs[pairing] = pair
            session.pairs[pairing] = pair
            if len(session.pairs) > MOST_PAIRS:
                self._close(self._oldest(session))

    def linked(self, pairing: str, took: float) -> None:
        """An introduction has become a link, so many milliseconds later."""
        milliseconds = int(min(max(0.0, took), 1000 * LINK_TIMEOUT))  # no later one would be a link
        for amounts in self._books.of(*self._place(self._pairs.get(pairing))):
            amounts.links_made += 1
            amounts.link_ms += milliseconds

    def failed(self, pairing: str, reason: str = "unknown") -> None:
        """An introduction came to nothing."""
        for amounts in self._books.of(*self._place(self._pairs.get(pairing))):
            amounts.links_failed += 1
        self._books.failed("link", reason)

    def turned_away(self, code: str) -> None:
        """The tracker has sent a socket away, for this reason."""
        self._books.failed("socket", code)

    # What peers say

    def report(self, session: str, report: Report, now: float, channel: Channel = "socket") -> bool:
        """Take what a session says; whether it is believed as far as such things are."""
        self.on_timer(now)
        known = self._known(session)
        if known is None:
            self.refused("stranger")
            return False
        try:
            # Once the origin speaks here, of what it has not spoken of nothing is credited.
            extents = self._extents.get(known.content, {}) if self._extents else None
            heard = audit(known, report, channel, extents, self.ceilings, now)
        except ReportError as refused:
            self.refused(refused.reason)
            return False
        if heard is not None:
            if report.quality is not None and report.quality.rate:
                rung = rung_of(self._rate(report.quality))
                self.belongs(session, Group("rendition", rung))
            self._note(known, report)
            self._enter(session, known, heard, now)
        return heard is not None

    def refused(self, reason: str) -> None:
        """Count a report that is not believed."""
        self._books.failed("report", reason)

    def _note(self, known: Session, report: Report) -> None:
        """What a session says of itself alone."""
        books = self._books.of(known.content, known.groups)
        for amounts in books:
            amounts.waste_bytes += report.waste_bytes
            amounts.rejected_chunks += report.rejected_chunks
            amounts.origin_mismatches += report.origin_mismatches
        # Those who know what is elsewhere say so; a tracker on its own has just the report.
        renditions = self._extents.get(known.content) or report.renditions
        if any(map(is_elsewhere, renditions)):
            for amounts in books:
                amounts.elsewhere_bytes += report.origin_bytes
        else:
            for amounts in books[2:]:  # the origin itself counts by content, not by group
                amounts.origin_bytes += report.origin_bytes
        if report.quality is not None and known.viewer:
            self._watch(known, report.quality, books)

    def _watch(self, known: Session, quality: Quality, books: list[Amounts]) -> None:
        for amounts in books:
            amounts.played_ms += quality.played
            amounts.played_bytes += quality.played * self._rate(quality) // 1000
            amounts.stalls += quality.stalls
            amounts.stalled_ms += quality.stalled
            if quality.startup is not None and "startup" not in known.reached:
                amounts.started(min(quality.startup, MOST_STARTUP))
            for step in STEPS:
                took: float | None = getattr(quality, step)
                if took is not None and step not in known.reached:
                    amounts.took(step, min(took, MOST_TIME))
        known.reached |= {step for step in _ONCE if getattr(quality, step) is not None}

    def _rate(self, quality: Quality) -> int:
        return min(quality.rate, int(self.ceilings.rate))

    def _enter(self, session: str, known: Session, heard: Heard, now: float) -> None:
        """What a session says of chunks."""
        back = waited = 0
        for segment, mask, tail in heard.origin:
            waits = segment in heard.ahead
            undone = known.credits.took_from_origin(segment, mask, tail, waits=waits)
            # What is fetched for all, and not given to its own player, a plain viewer would not
            # have asked for.
            back, waited = back + undone.counted + undone.spent, waited + undone.waiting
        known.ahead = heard.ahead
        given, of_use = known.credits.given(heard.ahead)
        back -= of_use
        if back or waited or given:
            for amounts in self._books.of(known.content, known.groups):
                amounts.peer_bytes_confirmed += given - back
                amounts.peer_bytes_claimed -= given + waited
        for link in heard.links:
            self._link(session, link, now)

    def _link(self, session: str, link: Link, now: float) -> None:
        pair = link.pair
        self._route(pair, link.entry.route)
        inward, outward = pair.to(session), pair.to(pair.other(session))
        inward.vain += link.entry.waste
        for receiver, hear, all_told in (
            (session, inward.received, link.received),
            (pair.other(session), outward.sent, link.sent),
        ):
            gain = _Gain()
            for told in all_told:
                self._outcome(pair, receiver, told, hear(*told, now), gain, now)
            self._gained(pair, receiver, gain)
        for receiver in (session, pair.other(session)):
            while pair.to(receiver).is_full:
                heard = self._heard(pair, receiver)
                self._settled(pair, receiver, *pair.to(receiver).settle_oldest(heard))
        if pair.due == inf and (inward.waits or outward.waits):
            pair.due = now + PATIENCE
            self._due.append((pair.due, pair))

    def _outcome(
        self, pair: Pair, receiver: str, told: Told, outcome: Outcome, gain: _Gain, now: float
    ) -> None:
        """One end has said something of a segment that goes to ``receiver``."""
        agreed = earned = 0
        apart, waits = pair.edge, False
        known = self._known(receiver)
        if outcome.agreed:
            agreed = size_of(outcome.agreed, outcome.tail)
        if outcome.agreed and known is not None:
            apart = pair.edge or self._is_ahead(known, agreed, now)
            counts = not (pair.relayed or apart)
            waits = counts and told[0] in known.ahead
            new = known.credits.credit(
                told[0],
                outcome.agreed,
                outcome.tail,
                counts=counts,
                waits=waits,
                pairing=pair.id,
            )
            earned = size_of(new, outcome.tail)
            way = pair.to(receiver)
            way.earned += earned
            way.apart += earned if apart else 0
            known.spared += earned if counts else 0
        gain.claimed += outcome.claimed
        gain.wasted += agreed - earned
        if pair.relayed:
            gain.relayed += earned
        elif apart:
            gain.apart += earned
        elif waits:
            gain.waiting += earned
        else:
            gain.confirmed += earned

    def _gained(self, pair: Pair, receiver: str, gain: _Gain) -> None:
        """Enter what one report said of one way: once, as there are many books."""
        if gain == _Gain():
            return
        books, route = self._books_of(pair, receiver)
        for amounts in books:
            amounts.peer_bytes_claimed += gain.claimed + gain.waiting
            amounts.peer_bytes_confirmed += gain.confirmed
        for amounts in route:  # whatever becomes of it, it has gone there
            amounts.peer_bytes_confirmed += gain.confirmed + gain.waiting
        for amounts in (*books, *route):
            amounts.waste_bytes += gain.wasted
            amounts.relayed_bytes += gain.relayed
            amounts.edge_bytes += gain.apart

    def _route(self, pair: Pair, route: Route | None) -> None:
        """An end has said by what its way to the other goes."""
        if route == "relay" and not pair.relayed:
            self._take_back(pair)
        if route is not None and pair.route is None:
            pair.route = route
            self._books.of_group(Group("route", route)).links_made += 1

    def _is_ahead(self, known: Session, size: int, now: float) -> bool:
        """Whether so much more would be beyond what a viewer in its place can have played. Viewers'
        reports of that are refused; a native peer may load all that there is, but nobody has
        watched it yet, so it is counted as the site's own."""
        if known.viewer:
            return False
        extents = self._extents.get(known.content, {})
        return known.spared + size > may_have_played(known, extents, self.ceilings, now)

    def _take_back(self, pair: Pair) -> None:
        """It turns out to go through a relay: what was credited saved nothing. (Should a chunk of
        it also have come from the origin, that is taken back twice: a bound from below.)"""
        pair.relayed = True
        for receiver, way in pair.ways.items():
            known = self._known(receiver)
            waited = known.credits.forgo(pair.id) if known is not None else 0
            books, route = self._books_of(pair, receiver)
            for amounts in books:
                amounts.peer_bytes_claimed -= waited
                amounts.peer_bytes_confirmed -= way.earned - way.apart - waited
            for amounts in route:
                amounts.peer_bytes_confirmed -= way.earned - way.apart
            for amounts in (*books, *route):
                amounts.edge_bytes -= way.apart
                amounts.relayed_bytes += way.earned

    # What nobody answers

    def timer_at(self) -> float | None:
        """When to look at what waits, or to forget somebody."""
        times = [self._due[0][0]] if self._due else []
        times += [at for at, _ in list(self._gone.values())[:1]]
        return min((*times, *filter(None, [self._firsts.timer_at()])), default=None)

    def on_timer(self, now: float) -> None:
        self._firsts.on_timer(now, self._contents)
        while self._due and self._due[0][0] <= now:
            _, pair = self._due.popleft()
            pair.due = inf
            if pair.id in self._pairs:
                self._settle(pair, now - PATIENCE)
                if any(way.waits for way in pair.ways.values()):
                    pair.due = now + PATIENCE
                    self._due.append((pair.due, pair))
        while self._gone:
            session, (until, known) = next(iter(self._gone.items()))
            if until > now:
                break
            for pair in list(known.pairs.values()):
                if self._known(pair.other(session)) is None:
                    self._close(pair)
                else:
                    self._settle(pair, inf)  # it will say no more
                    pair.to(session).earned -= known.credits.forgo(pair.id)  # claimed for good
            del self._gone[session]

    def _settle(self, pair: Pair, until: float) -> None:
        """Give up on what was said before then."""
        for receiver in (pair.a, pair.b):
            self._settled(
                pair, receiver, *pair.to(receiver).settle(until, self._heard(pair, receiver))
            )

    def _settled(self, pair: Pair, receiver: str, unclaimed: int, disputed: int) -> None:
        if unclaimed:
            books, route = self._books_of(pair, receiver)
            for amounts in books:
                amounts.peer_bytes_claimed -= unclaimed
            for amounts in (*books, *route):
                amounts.peer_bytes_disputed += disputed

    def _close(self, pair: Pair) -> None:
        """Nothing more is taken on this pairing."""
        self._settle(pair, inf)
        self._pairs.pop(pair.id, None)
        for end in (pair.a, pair.b):
            known = self._known(end)
            if known is not None:
                known.pairs.pop(pair.id, None)

    def _oldest(self, session: Session) -> Pair:
        """Which of its pairings to close: one that is over, if any."""
        ends = self._sessions
        over = (p for p in session.pairs.values() if p.a not in ends or p.b not in ends)
        return next(over, next(iter(session.pairs.values())))

    # Who is who

    def _known(self, session: str) -> Session | None:
        """The session, if it is there or has not left for long."""
        known = self._sessions.get(session)
        if known is None and session in self._gone:
            _, known = self._gone[session]
        return known

    def _groups(self, session: str) -> tuple[Group, ...]:
        known = self._known(session)
        return known.groups if known is not None else ()

    def _books_of(self, pair: Pair, receiver: str) -> tuple[list[Amounts], list[Amounts]]:
        """Where it is entered what goes over a pairing to this end: the receiver's books, and the
        route's. What is claimed may turn out to be something else by what the receiver says, not
        by what this pairing's ends do; so a route's has none of that."""
        route = [] if pair.route is None else [self._books.of_group(Group("route", pair.route))]
        return self._books.of(pair.content, self._groups(receiver)), route

    def _heard(self, pair: Pair, receiver: str) -> tuple[float, float]:
        """When the sender and the receiver of this way have reported last."""
        ends = map(self._known, (pair.other(receiver), receiver))
        sender, own = (known.heard if known is not None else -1.0 for known in ends)
        return sender, own

    def _place(self, pair: Pair | None) -> tuple[str, tuple[Group, ...]]:
        """Which content and which groups a pairing belongs to: those of either end."""
        if pair is None:
            return "", ()
        return pair.content, tuple(dict.fromkeys((*self._groups(pair.a), *self._groups(pair.b))))

    # What comes of it

    def summary(self) -> Summary:
        """The figures as of now, of all runs together."""
        others = self._others.values()
        return self._books.summary(
            self._viewers.total() + sum(sum(other.viewers.values()) for other in others),
            len(self._contents) + sum(other.swarms for other in others),
        )

    def take_reading(self) -> Reading:
        """What is new since the last reading, to be written down."""
        viewers, members = self._viewers.copy(), self._books.members.copy()
        for other in self._others.values():
            viewers.update(other.viewers)
            members.update(other.members)
        return self._books.take_reading(viewers, members, len(self._contents))

    def sizes(self) -> Mapping[str, int]:
        """How many peers each content has here."""
        return self._contents


@dataclass(slots=True)
class _Gain:
    """What went one way, in bytes."""

    claimed: int = 0
    waiting: int = 0
    wasted: int = 0
    relayed: int = 0
    apart: int = 0
    confirmed: int = 0
