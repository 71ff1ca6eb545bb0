"""Leases: the tracker names who fetches what from the origin, so that the origin sends it once.

::

    a segment that will be needed --cut--> stripes, each with holders by rank (`lots`, `desk`)

        first holder     0.0 s after the segment is out      fetching --> told to the other holders
        second           0.4 s                               only if nobody said so
        third            0.8 s ...

What is needed is looked for every second or so (`audience`), and sooner after many came or went.
Messages go to holders alone: at most eight a stripe, however large the swarm is. Where importers
are named (`importers`), to two more in each of at most 64 networks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import count
from math import inf
from random import Random

from p2pcdn.core.audience import MOST_AHEAD, Audience, Outlook
from p2pcdn.core.desk import FRONT, Desk, Given, Stripe
from p2pcdn.core.importers import Networks
from p2pcdn.core.lots import drawn, eligible, stripes_of
from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.swarm_ports import LeaseMissed, LeasesGiven, Outbox, Rules
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import BeingFetched, Fetching, Importers, Leases, Refused

EVERY = 1.5
"""Seconds between two looks at what an audience needs."""
SOON = 0.25
"""Seconds between two at least, when many come and go."""
MANY = 0.05
"""What share of an audience that is."""

FEW = 4
"""Segments of a recording that one look leases: the first of a crowd who get links are not to hold
all of what is needed next, since those who get theirs a moment later can pass things on, too."""
HASTY = 2
"""The same at the first look, and at one that comes sooner because many came or went."""

MOST_TOLD = 256
"""Leases in a message (`Leases`)."""


class Lessor:
    """Gives leases to the members of all swarms."""

    def __init__(self, rules: Rules, rng: Random, outbox: Outbox) -> None:
        self._rules = rules
        self._rng = rng
        self._outbox = outbox
        self._desks: dict[tuple[tuple[str, str, str], str], Desk] = {}
        """By the swarm's key and the rendition."""
        self._networks: dict[Desk, Networks] = {}
        """Where importers are named."""
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
            if desk in self._networks:
                self._networks[desk].release(member)
            self._tell(desk.release(member))

    def remove(self, member: Member, now: float) -> None:
        """The member has left, its rendition or the swarm."""
        desk = self._desk_of.pop(member, None)
        if desk is None:
            return
        audience = desk.audience
        audience.members.discard(member)
        networks = self._networks.get(desk)
        if networks is not None and networks.leave(member) and member.present:
            self._outbox.tell(member.socket, Importers(named=False))
        self._tell(desk.release(member))
        if networks is not None and len(audience.members) < 2:
            self._import(networks, (), now)  # there is no look any more
        if not audience.members:
            del self._desks[audience.swarm.key, audience.rendition]
            self._networks.pop(desk, None)
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
        if self._rules.importers and not member.swarm.key[2]:  # else it is kept to its network
            self._networks.setdefault(desk, Networks(desk)).enter(member)
        self._desk_of[member] = desk
        self._stir(desk, now)

    # Giving

    def _look(self, desk: Desk, now: float) -> None:
        """See what is needed, and lease it."""
        is_regular = -inf < desk.looked <= now - EVERY
        desk.looked, desk.changes = now, 0
        outlook = desk.audience.outlook(self._rules, now, self._rng)
        desk.edge = outlook.edge
        desk.forget(now)
        few = FEW if is_regular else HASTY
        room = few if outlook.edge is None else MOST_AHEAD
        self._tell(_Round(desk, outlook, room, now).given)
        networks = self._networks.get(desk)
        if networks is not None:
            leased = [sequence for sequence in outlook.takers if sequence in desk.parts]
            self._import(networks, leased[:MOST_AHEAD], now)

    def _import(self, networks: Networks, sequences: Iterable[int], now: float) -> None:
        """Name who brings what into each network, and say where that is done."""
        given, news = networks.look(sequences, self._rng, now)
        self._tell(given)
        for member, named in news:
            self._outbox.tell(member.socket, Importers(named))

    def _tell(self, given: Given) -> None:
        for member, leases in given.items():
            for at in range(0, len(leases), MOST_TOLD):
                self._outbox.tell(member.socket, Leases(tuple(leases[at : at + MOST_TOLD])))
        if given:
            self._outbox.happened(LeasesGiven(sum(map(len, given.values()))))

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
        for stripe in desk.stripes(message.sequence)[message.stripe : message.stripe + 1]:
            if member in stripe.holders:
                return stripe
        return None

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
        holders: dict[Member, None] = {}  # a set, but in order
        for record in records.page.segments:
            for stripe in desk.stripes(record.sequence):
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
    """What one look gives, and to whom."""

    def __init__(self, desk: Desk, outlook: Outlook, room: int, now: float) -> None:
        self.given: Given = {}
        self._desk = desk
        self._outlook = outlook
        self._now = now
        self._room = room
        fit: list[Member] = []
        before: list[Member] = []
        for sequence, takers in outlook.takers.items():
            if desk.is_full(sequence):
                continue
            if takers is not before:  # of live, they are the same for all segments
                fit, before = self._fit(takers), takers
            self._fill(sequence, fit)

    def _fit(self, takers: list[Member]) -> list[Member]:
        return eligible(takers, len(self._desk.audience.swarm.members) - 1, self._now)

    def _fill(self, sequence: int, fit: list[Member]) -> None:
        """Find a segment the holders that it lacks."""
        new = bool(fit) and sequence not in self._desk.parts and self._room > 0
        if new:
            self._desk.cut(sequence, stripes_of(self._outlook.size, fit), self._now)
            self._room -= 1
        for number, stripe in enumerate(self._desk.stripes(sequence)):
            if stripe.lacks(fit):
                self._draw(sequence, number, stripe, fit)

    def _draw(self, sequence: int, number: int, stripe: Stripe, fit: list[Member]) -> None:
        name = f"{self._desk.audience.rendition}\n{sequence}\n{number}"
        others = [member for member in fit if member not in stripe.holders]
        for member in drawn(others, name, stripe.room, self._now):
            if not stripe.holders:
                member.given.add(self._now)
            lease = self._desk.add(sequence, number, member)
            self.given.setdefault(member, []).append(lease)
