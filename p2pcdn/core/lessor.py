"""Leases: the tracker names who fetches what from the origin, so that the origin sends it once.

::

    a segment that will be needed --cut--> stripes, each with holders by rank (`lots`)

        first holder     0.0 s after the segment is out      fetching --> told to the other holders
        second           0.4 s                               only if nobody said so
        third            0.8 s ...

What is needed is looked for every second or so (`audience`), and sooner after many came or went.
Messages go to holders alone: at most eight a stripe, however large the swarm is. A lease is never
taken back; if a first or second holder leaves, those behind it are told their new, shorter delay.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from math import inf
from random import Random

from p2pcdn.core.audience import MOST_AHEAD, Audience, Outlook
from p2pcdn.core.lots import Lots, eligible, stripes_of
from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.swarm_ports import LeaseMissed, LeasesGiven, Outbox, Rules
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import BeingFetched, Fetching, Lease, Leases, Refused

EVERY = 1.5
"""Seconds between two looks at what an audience needs."""
SOON = 0.25
"""Seconds between two at least, when many come and go."""
MANY = 0.05
"""What share of an audience that is."""

HOLDERS = 8
"""Of a stripe: if all of them fail, the peers see to it themselves."""
DELAY = 0.4
"""Seconds by which each holder waits longer than the one before it: two round trips and a half."""
FRONT = 2
"""Holders that matter from the start: they get the records, and are replaced when they leave."""

KEPT = 60.0
"""Seconds after which a lease is forgotten, once its segment is out."""
MOST_KEPT = 512
"""Segments of one rendition whose leases are kept, whatever its peers claim."""
MOST_TOLD = 256
"""Leases in a message (`Leases`)."""


@dataclass(slots=True)
class Stripe:
    """A part of a segment, and who is to fetch it."""

    holders: list[Member] = field(default_factory=list)
    """By rank."""
    fetching: set[Member] = field(default_factory=set)
    """Those who say that they do."""
    missed: bool = False
    """Somebody else had to do it for the first."""


@dataclass(slots=True)
class Parts:
    """A leased segment."""

    since: float
    stripes: list[Stripe]


@dataclass(slots=True, eq=False)
class Desk:
    """The leases of one rendition of a swarm."""

    audience: Audience
    parts: dict[int, Parts] = field(default_factory=dict)
    """By sequence, the oldest first."""
    held: dict[Member, set[int]] = field(default_factory=dict)
    """In which segments a member holds something."""
    edge: int | None = None
    """The newest segment that was out at the last look; None for what is not live."""
    looked: float = -inf
    due: float = inf
    """When the next look is."""
    changes: int = 0
    """Comings and goings since the last look."""

    def is_out(self, sequence: int) -> bool:
        return self.edge is not None and sequence <= self.edge

    def forget(self, now: float) -> None:
        """Drop what is of no use any more."""
        for sequence, parts in list(self.parts.items()):
            if len(self.parts) > MOST_KEPT or self._is_past(sequence, parts, now):
                del self.parts[sequence]
                for member in {member for stripe in parts.stripes for member in stripe.holders}:
                    self._note_end(member, sequence)

    def _note_end(self, member: Member, sequence: int) -> None:
        self.held[member].discard(sequence)
        if not self.held[member]:
            del self.held[member]

    def _is_past(self, sequence: int, parts: Parts, now: float) -> bool:
        # Where a stream pauses the edge only seems to move on, until somebody says where it is; what
        # comes out after the pause must not be leased to others once more.
        is_near = self.edge is not None and -MOST_AHEAD < sequence - self.edge <= 2 * MOST_AHEAD
        return now - parts.since > KEPT and not is_near


class Lessor:
    """Gives leases to the members of all swarms."""

    def __init__(self, rules: Rules, rng: Random, outbox: Outbox) -> None:
        self._rules = rules
        self._rng = rng
        self._outbox = outbox
        self._desks: dict[tuple[tuple[str, str], str], Desk] = {}
        self._desk_of: dict[Member, Desk] = {}
        self._timers: list[tuple[float, int, Desk]] = []
        self._serials = count()

    # Who is where

    def place(self, member: Member, now: float) -> None:
        """The member has joined or moved."""
        desk = self._desk_of.get(member)
        rendition = member.position.rendition if member.position is not None else None
        if desk is not None and desk.audience.rendition != rendition:
            self.remove(member, now)
            desk = None
        if desk is None and rendition is not None and self._rules.lease_ahead:
            self._enter(member, rendition, now)
        elif desk is not None and not member.upload:
            self._release(desk, member)

    def remove(self, member: Member, now: float) -> None:
        """The member has left, its rendition or the swarm."""
        desk = self._desk_of.pop(member, None)
        if desk is None:
            return
        audience = desk.audience
        audience.members.discard(member)
        self._release(desk, member)
        if not audience.members:
            del self._desks[audience.swarm.key, audience.rendition]
        self._stir(desk, now)

    def linked(self, member: Member, now: float) -> None:
        """The member has one more link."""
        desk = self._desk_of.get(member)
        if desk is not None:
            self._stir(desk, now)

    def _enter(self, member: Member, rendition: str, now: float) -> None:
        key = (member.swarm.key, rendition)
        desk = self._desks.get(key)
        if desk is None:
            desk = self._desks[key] = Desk(Audience(member.swarm, rendition))
        desk.audience.members.add(member)
        self._desk_of[member] = desk
        self._stir(desk, now)

    # Giving

    def _look(self, desk: Desk, now: float) -> None:
        """See what is needed, and lease it."""
        desk.looked, desk.changes = now, 0
        outlook = desk.audience.outlook(self._rules.lease_ahead, now, self._rng)
        desk.edge = outlook.edge
        desk.forget(now)
        round_ = _Round(desk, outlook, now)
        for sequence in outlook.takers:
            round_.fill(sequence)
        self._tell(round_.given)

    def _tell(self, given: dict[Member, list[Lease]]) -> None:
        for member, leases in given.items():
            for at in range(0, len(leases), MOST_TOLD):
                self._outbox.tell(member.socket, Leases(tuple(leases[at : at + MOST_TOLD])))
        if given:
            self._outbox.happened(LeasesGiven(sum(map(len, given.values()))))

    def _release(self, desk: Desk, member: Member) -> None:
        """The member fetches nothing here any more: those behind it move up."""
        moved: dict[Member, list[Lease]] = {}
        for sequence in sorted(desk.held.pop(member, ())):
            stripes = desk.parts[sequence].stripes
            for number, stripe in enumerate(stripes):
                if member not in stripe.holders:
                    continue
                rank = stripe.holders.index(member)
                stripe.holders.remove(member)
                stripe.fetching.discard(member)
                if not desk.is_out(sequence):
                    for place in range(rank, min(FRONT, len(stripe.holders))):
                        lease = _lease(desk, sequence, number, place)
                        moved.setdefault(stripe.holders[place], []).append(lease)
        self._tell(moved)

    # Taking up

    def fetching(self, member: Member, message: Fetching, now: float) -> None:
        """A holder acts on its lease: the others need not."""
        stripe = self._stripe(member, message)
        if stripe is None:
            refusal = Refused(ErrorCode.UNEXPECTED, "no lease of that stripe here", fatal=False)
            self._outbox.tell(member.socket, refusal)
            return
        if member in stripe.fetching:
            return
        stripe.fetching.add(member)
        told = BeingFetched(message.rendition, message.sequence, message.stripe)
        for other in stripe.holders:
            if other is not member:
                self._outbox.tell(other.socket, told)
        self._note_miss(stripe, message.sequence, now)

    def _stripe(self, member: Member, message: Fetching) -> Stripe | None:
        """The stripe, if the member holds a lease of it."""
        desk = self._desk_of.get(member)
        if desk is None or desk.audience.rendition != message.rendition:
            return None
        parts = desk.parts.get(message.sequence)
        if parts is None or message.stripe >= len(parts.stripes):
            return None
        stripe = parts.stripes[message.stripe]
        return stripe if member in stripe.holders else None

    def _note_miss(self, stripe: Stripe, sequence: int, now: float) -> None:
        first = stripe.holders[0]
        position = first.position
        has_it = position is not None and position.first <= sequence <= position.last
        if first not in stripe.fetching and not has_it and not stripe.missed:
            stripe.missed = True
            first.missed.append(now)
            self._outbox.happened(LeaseMissed(first.id))

    # Publication

    def published(self, swarm: Swarm, records: Records) -> None:
        """Records of segments that have just come out, for those who are to fetch them."""
        desk = self._desks.get((swarm.key, records.page.rendition))
        if desk is None:
            return
        holders: dict[Member, None] = {}  # a set in the order of ranks
        for record in records.page.segments:
            for stripe in _stripes(desk, record.sequence):
                holders |= dict.fromkeys(stripe.holders[:FRONT])
        for member in holders:
            self._outbox.tell(member.socket, records)

    # Timers

    def timer_at(self) -> float | None:
        while self._timers and self._timers[0][0] != self._timers[0][2].due:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def on_timer(self, now: float) -> None:
        while (at := self.timer_at()) is not None and at <= now:
            desk = heapq.heappop(self._timers)[2]
            desk.due = inf
            self._look(desk, now)
            self._look_at(desk, now + EVERY)

    def _stir(self, desk: Desk, now: float) -> None:
        """Somebody came, went, or got a link."""
        audience = len(desk.audience.members)
        if audience < 2:  # whoever is alone fetches everything anyway
            desk.due = inf
            return
        desk.changes += 1
        wait = SOON if desk.changes > MANY * audience else EVERY
        self._look_at(desk, max(now, desk.looked + wait))

    def _look_at(self, desk: Desk, at: float) -> None:
        if at < desk.due:
            desk.due = at
            heapq.heappush(self._timers, (at, next(self._serials), desk))


class _Round:
    """One look's leases, by who is to hear of them."""

    def __init__(self, desk: Desk, outlook: Outlook, now: float) -> None:
        self._desk = desk
        self._outlook = outlook
        self._now = now
        self._new = 0
        self.given: dict[Member, list[Lease]] = {}

    def fill(self, sequence: int) -> None:
        """Find the segment the holders that it lacks."""
        parts = self._desk.parts.get(sequence)
        if parts is not None and not any(map(_has_room, parts.stripes)):
            return
        others = len(self._desk.audience.swarm.members) - 1
        fit = eligible(self._outlook.takers[sequence], others, self._now)
        if parts is None and fit and self._new < MOST_AHEAD:
            parts = self._cut(sequence, fit)
        if parts is not None:
            lots = Lots(fit, self._now)
            for number, stripe in enumerate(parts.stripes):
                if _has_room(stripe):
                    self._draw(lots, sequence, number, stripe)

    def _cut(self, sequence: int, fit: list[Member]) -> Parts:
        self._new += 1
        stripes = [Stripe() for _ in range(stripes_of(self._outlook.size, fit))]
        parts = self._desk.parts[sequence] = Parts(self._now, stripes)
        return parts

    def _draw(self, lots: Lots, sequence: int, number: int, stripe: Stripe) -> None:
        name = f"{self._desk.audience.rendition}\n{sequence}\n{number}"
        for member in lots.draw(name, HOLDERS - len(stripe.holders), stripe.holders):
            rank = len(stripe.holders)
            if rank == 0:
                member.given.add(self._now)
            stripe.holders.append(member)
            self._desk.held.setdefault(member, set()).add(sequence)
            lease = _lease(self._desk, sequence, number, rank)
            self.given.setdefault(member, []).append(lease)


def _has_room(stripe: Stripe) -> bool:
    return len(stripe.holders) < HOLDERS and not stripe.fetching


def _stripes(desk: Desk, sequence: int) -> Iterator[Stripe]:
    parts = desk.parts.get(sequence)
    yield from () if parts is None else parts.stripes


def _lease(desk: Desk, sequence: int, number: int, rank: int) -> Lease:
    stripes = len(desk.parts[sequence].stripes)
    delay = round(rank * DELAY, 1)
    return Lease(desk.audience.rendition, sequence, number, stripes, delay)
