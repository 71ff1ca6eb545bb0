"""Finding each peer its neighbours: whom to introduce, who offers, when an introduction is over.

Who offers is decided by what lies ready::

    the other's prepared offer     -> the other is told `taken`, the seeker gets the `offer`
    else the seeker's own          -> the other way round
    else an invitation             -> the seeker (or the other) is asked to make an offer

and by how many offers the answerer has to answer already: nobody can be flooded with offers.

Of a peer's neighbours `Rules.local_share` are to be near it (`nearby`), so that bytes stay within
networks, and the others come by chance, so that what is new gets into every network.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from math import inf
from random import Random

from p2pcdn.core.acquaintances import Acquaintances
from p2pcdn.core.locality import NO_COSTS, Distance, distance, is_near
from p2pcdn.core.matching import SAMPLE, ranked, ranked_near
from p2pcdn.core.member import SHUN, KeptOffer, Member, Swarm
from p2pcdn.core.nearby import Nearby
from p2pcdn.core.pairing import LINK_TIMEOUT, Pairing, Phase, Role
from p2pcdn.core.swarm_ports import Outbox, Paired, PairingFailed, Rules
from p2pcdn.wire.tracker import Invite, Offered, Taken, Unpaired

USUAL_LASTS = 5.0
"""Seconds after which it is looked again what the swarm can send."""
SEARCH_EVERY = 1.0
"""A peer that moves about, or finds all others busy, is looked after no more often than this: a
search has its price."""
FEW = 32
"""Peers looked at that are near a seeker, and of others where there are such."""

AT_ONCE = 64
"""Pairings and searches whose time has come that are seen to in one go: of a crowd that comes
together, and of which few can link, thousands give up together, and others are not to wait."""


def new_id(rng: Random) -> str:
    """An id of a peer or a pairing, as `p2pcdn.wire.fields.Id` has it."""
    return f"{rng.getrandbits(64):016x}"


class Introducer:
    """Introduces members of a swarm to each other, and separates them again."""

    def __init__(self, rules: Rules, rng: Random, outbox: Outbox) -> None:
        self.costs = NO_COSTS
        """What it costs to go between regions."""
        self._rules = rules
        self._few, self._links = rules.few, rules.links
        self._usual_aim, self._usual_many = rules.aim, rules.many
        self._alike = rules.alike
        self._pending = rules.pending_offers
        self._few_local = self._local(self._few)
        self._rng = rng
        self._outbox = outbox
        self._acquaintances = Acquaintances(rules.peers_per_hour)
        self._timers: list[tuple[float, int, Pairing | Member]] = []
        self._serials = count()

    # Coming and going

    def take_in(self, member: Member, now: float) -> None:
        """The member has joined: it gets neighbours."""
        self._acquaintances.came(member.home, now)
        self._note_room(member)
        self.seek(member, now)

    def take_out(self, member: Member, now: float) -> None:
        """The member has left: its neighbours get others."""
        bereft = [pairing.other(member) for pairing in member.pairings.values()]
        for pairing in list(member.pairings.values()):
            if pairing.phase is not Phase.LINKED:
                self._outbox.tell(pairing.other(member).socket, Unpaired(pairing.id))
            self._part(pairing, "left")
        self._acquaintances.went(member.home, now)
        for other in bereft:
            self.seek(other, now)

    # Searching

    def seek(self, member: Member, now: float) -> None:
        """Find a member the neighbours that it lacks."""
        rules, swarm = self._rules, member.swarm
        if not member.present:
            return
        self._learn_usual(swarm, now)
        aim = self._aim(member)
        if len(member.pairings) >= aim:
            return
        member.sought = now
        until, busy = self._seek_near(member, aim, now) if rules.local_share else (aim, False)
        if len(member.pairings) < until:
            sample = swarm.open.sample(SAMPLE if until == aim else FEW, self._rng)
            busy |= self._pair_with_best(member, sample, until, self._most, now)
        if len(member.pairings) < self._few and len(swarm.members) > len(swarm.open):
            sample = swarm.members.sample(SAMPLE, self._rng)
            busy |= self._pair_with_best(member, sample, self._few, self._most_at_all, now)
        if len(member.pairings) < aim:
            self._seek_at(member, now + SEARCH_EVERY if busy else member.pardons_at(now))

    def seek_soon(self, member: Member, now: float) -> None:
        """The same, but not too often."""
        at = member.sought + SEARCH_EVERY
        if at <= now:
            self.seek(member, now)
        else:
            self._seek_at(member, at)

    def _learn_usual(self, swarm: Swarm, now: float) -> None:
        """What an uplink of the swarm is like."""
        if now >= swarm.usual_until:
            sends = sorted(other.sends for other in swarm.members.sample(SAMPLE, self._rng))
            swarm.usual, swarm.usual_until = sends[len(sends) // 2], now + USUAL_LASTS

    def _aim(self, member: Member) -> int:
        """So many neighbours are looked for: the more, the more it can send."""
        return self._scaled(self._usual_aim, member)

    def _many(self, member: Member) -> int:
        """With so many it is left alone while there are others."""
        return self._scaled(self._usual_many, member)

    def _scaled(self, usually: int, member: Member) -> int:
        usual, few, links = member.swarm.usual, self._few, self._links
        if not usual or member.sends == usual:  # of most it is not known
            return usually
        scaled = round(usually * member.sends / usual)
        return few if scaled < few else min(scaled, links)

    def _local(self, neighbours: int) -> int:
        """Of so many neighbours, so many are to be near: all but one at the most, since those who
        are near may hold nothing of what is played now."""
        return min(round(neighbours * self._rules.local_share), neighbours - 1)

    def _seek_near(self, member: Member, aim: int, now: float) -> tuple[int, bool]:
        """Find as many of those who are near as are lacking. How many neighbours are to be had in
        all then, and whether somebody had too many offers to answer just now."""
        swarm, local, few = member.swarm, self._local(aim), self._few_local
        if member.near >= local:
            return aim, False
        waits, busy = self._pair_with_near(member, swarm.near_open, local, now)
        if not busy and member.near < few:
            waits, busy = self._pair_with_near(member, swarm.members.nearby, few, now)
        lacking = local - member.near
        if waits and lacking > 0:
            # They will have time in a moment, or whoever comes in next will be near.
            return max(aim - lacking, self._few), busy
        return aim, busy

    def _pair_with_near(
        self, member: Member, nearby: Nearby[Member], local: int, now: float
    ) -> tuple[bool, bool]:
        """Until so many are near, whoever else is a neighbour. Whether there are others who would
        be fit, and whether some of them had too many offers to answer."""
        here, costs, links = member.where, self.costs, self._links
        aim = min(len(member.pairings) + local - member.near, links)
        waits = busy = False
        around = nearby.around(here, FEW, self._rng, costs)
        others = (other for other in around if other is not member)

        def away(other: Member) -> Distance:
            return distance(here, other.where, costs)

        for other in ranked_near(member, others, away, self._rng):
            if busy and self._are_busy(member, other):
                continue
            if not is_near(here, other.where, costs):
                continue
            if not self._may_meet(member, other, now) or self._is_crowd(member, other):
                continue
            if len(member.pairings) >= aim:
                return True, busy
            if len(other.pairings) >= links:
                waits = True
            elif not self._pair(member, other, now):
                waits = busy = True
        return waits, busy

    def _most(self, member: Member) -> int:
        """With so many neighbours it gets no more by chance: with less than otherwise if enough of
        them are near, since what comes over others comes from elsewhere."""
        many, near = min(self._many(member), self._most_at_all(member)), member.near
        if near < self._few_local:
            return many
        aim = self._aim(member)
        return min(many, near + 2 * (aim - self._local(aim)))

    def _most_at_all(self, member: Member) -> int:
        """With so many neighbours it gets no more by chance, even where only those are left who
        have enough: of a small network, the next one to come has no other near ones than these."""
        members = member.swarm.members
        if not members.nearby.awaits(member.where.operator, len(members)):
            return self._links
        most = max(self._links - self._local(self._usual_aim), self._usual_aim)
        return min(member.near + most, self._links)

    def _most_near(self, member: Member) -> int:
        """With so many neighbours it gets no more who are near while there are others."""
        aim = self._aim(member)
        return self._links if member.near < self._local(aim) else self._many(member)

    def _pair_with_best(
        self,
        member: Member,
        others: Iterable[Member],
        aim: int,
        most: Callable[[Member], int],
        now: float,
    ) -> bool:
        """Whether somebody fit had too many offers to answer just now. ``most`` is with how many
        neighbours another gets no more."""
        busy = False
        free = [other for other in others if len(other.pairings) < most(other)]
        crowd: list[Member] = []
        for other in ranked(member, free, self._rng):
            if len(member.pairings) >= aim:
                break
            if (busy and self._are_busy(member, other)) or not self._may_meet(member, other, now):
                continue
            if self._is_crowd(member, other):
                crowd.append(other)
            else:
                busy |= not self._pair(member, other, now)
        if busy:
            return True  # somebody else will have time in a moment
        for other in crowd:
            if len(member.pairings) >= aim:
                break
            if self._may_meet(member, other, now):
                busy |= not self._pair(member, other, now)
        return busy

    def _is_crowd(self, member: Member, other: Member) -> bool:
        """Whether one of them has enough neighbours of the other's network: nobody is to be
        surrounded by one person's many sockets, as long as there is anybody else."""
        most = self._alike
        return member.crowded(other, most) or other.crowded(member, most)

    def _may_meet(self, a: Member, b: Member, now: float) -> bool:
        limit = self._rules.peers_per_hour
        return (
            a.may_meet(b, now, limit)
            and b.may_meet(a, now, limit)
            and self._acquaintances.may_meet(a.home, b.home, now)
        )

    # Introducing

    def _pair(self, seeker: Member, other: Member, now: float) -> bool:
        """Introduce them, unless each has all the offers to answer that it may have."""
        for offerer, answerer in ((other, seeker), (seeker, other)):
            offer = offerer.fresh_offer(now)
            if offer is not None and self._may_be_asked(answerer):
                self._hand_over(self._introduce(offerer, answerer, offer, now), offer)
                return True
        for offerer, answerer in ((seeker, other), (other, seeker)):
            if self._may_be_asked(answerer):
                pairing = self._introduce(offerer, answerer, None, now)
                self._outbox.tell(offerer.socket, Invite(pairing.id, answerer.id))
                return True
        return False

    def _may_be_asked(self, answerer: Member) -> bool:
        return answerer.inbound < self._pending

    def _are_busy(self, a: Member, b: Member) -> bool:
        """Whether each has all the offers to answer that it may have: in a crowd that comes
        together nearly all do."""
        return a.inbound >= self._pending and b.inbound >= self._pending

    def _introduce(
        self, offerer: Member, answerer: Member, offer: KeptOffer | None, now: float
    ) -> Pairing:
        pairing = Pairing(
            id=new_id(self._rng),
            offerer=offerer,
            answerer=answerer,
            phase=Phase.INVITED if offer is None else Phase.OFFERED,
            deadline=now + LINK_TIMEOUT,
            offer=None if offer is None else offer.number,
            near=self._rules.local_share > 0 and is_near(offerer.where, answerer.where, self.costs),
        )
        self._acquaintances.meet(offerer.home, answerer.home, now)
        for end in pairing.ends:
            end.meet(pairing.other(end), pairing, now)
            self._note_room(end)
        self._set_timer(pairing.deadline, pairing)
        relayed = "relay" in (offerer.mode, answerer.mode)
        self._outbox.happened(Paired(pairing.id, offerer.id, answerer.id, relayed))
        return pairing

    def _hand_over(self, pairing: Pairing, offer: KeptOffer) -> None:
        """A prepared offer becomes the pairing's."""
        offerer, answerer = pairing.offerer, pairing.answerer
        del offerer.offers[offer.number]
        pairing.sieves[Role.OFFERER] = offer.sieve
        self._outbox.tell(offerer.socket, Taken(pairing.id, answerer.id, offer.number))
        self._outbox.tell(answerer.socket, Offered(pairing.id, offerer.id, offer.sdp))

    # Separating

    def fail(
        self, pairing: Pairing, teller: Member, reason: str, forever: bool, now: float
    ) -> None:
        """One end says that there is no link (any more), and why: both get somebody else."""
        if pairing.phase is not Phase.LINKED:
            self._outbox.tell(pairing.other(teller).socket, Unpaired(pairing.id))
        self._separate(pairing, reason, inf if forever else now + SHUN, now)

    def _expire(self, pairing: Pairing, now: float) -> None:
        for end in pairing.ends:
            self._outbox.tell(end.socket, Unpaired(pairing.id))
        self._separate(pairing, "expired", now + SHUN, now)

    def _separate(self, pairing: Pairing, reason: str, until: float, now: float) -> None:
        self._part(pairing, reason)
        for end in pairing.ends:
            end.shun(pairing.other(end).id, until)
        for end in pairing.ends:
            self.seek(end, now)

    def _part(self, pairing: Pairing, reason: str) -> None:
        if pairing.phase is not Phase.LINKED:
            self._outbox.happened(PairingFailed(pairing.id, reason))
        for end in pairing.ends:
            end.part(pairing)
            self._note_room(end)

    def _note_room(self, member: Member) -> None:
        swarm, neighbours = member.swarm, len(member.pairings)
        if member.present and neighbours < self._most(member):
            swarm.open.add(member)
        else:
            swarm.open.discard(member)
        if not self._rules.local_share:
            return
        if member.present and neighbours < self._most_near(member):
            swarm.near_open.add(member)
        else:
            swarm.near_open.discard(member)

    # Timers

    def timer_at(self) -> float | None:
        while self._timers and not self._is_due_at(*self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def on_timer(self, now: float) -> None:
        for _ in range(AT_ONCE):
            if (at := self.timer_at()) is None or at > now:
                return
            _, _, subject = heapq.heappop(self._timers)
            if isinstance(subject, Pairing):
                self._expire(subject, now)
            else:
                subject.seeks_at = inf
                self.seek(subject, now)

    def _seek_at(self, member: Member, at: float) -> None:
        if at < member.seeks_at:
            member.seeks_at = at
            self._set_timer(at, member)

    def _set_timer(self, at: float, subject: Pairing | Member) -> None:
        heapq.heappush(self._timers, (at, next(self._serials), subject))

    def _is_due_at(self, at: float, _: int, subject: Pairing | Member) -> bool:
        """Whether the timer still means something."""
        if isinstance(subject, Pairing):
            return subject.is_on and subject.phase is not Phase.LINKED
        return subject.present and subject.seeks_at == at
