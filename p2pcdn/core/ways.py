"""Ways: over which links a stripe gets into every network the soonest.

::

    first holder --far link--> importer of A --far--> importer of B
         '------near link--> relay --far--> importer of C

Dijkstra's algorithm ("A note on two problems in connexion with graphs", 1959) over links, where an
uplink is shared by all that goes over it: next is whoever could have passed the stripe on the
earliest. What members say of their uplinks counts within bounds, and who is to bring or pass on one
stripe of a segment comes later for the next: so boasting gets nobody more than the first of them.

Nobody is told whom to ask, so each asks whoever of its neighbours is the first to hold the stripe.
Were all to ask at once, the first holder would send it to them one after the other instead of to
those who are to pass it on: so each is told when its turn is, too.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count
from typing import NamedTuple

from p2pcdn.core.lots import STRIPE_TIME
from p2pcdn.core.member import Member
from p2pcdn.core.pairing import Phase

HOP = 0.35
"""Seconds that a stripe takes over a link beside what it takes to send it: it is announced, asked
for, and checked."""
AT_HOME = 2
"""Copies that whoever brings a stripe sends within its own network before others there have it."""
SLOWEST = 0.5
"""Of the usual uplink: who sends less is on no way. Of unknown uplinks no more is believed."""
FASTEST = 2.0
"""No more than so many times the usual uplink is believed."""


class Step(NamedTuple):
    """Somebody on the way of a stripe."""

    member: Member
    enters: bool
    """Whether it is the one who brings it into its network; else it passes it on to such a one."""
    at: float = 0.0
    """When it should ask for it, in seconds from when its first holder has it."""


class _Hop(NamedTuple):
    """A link that a stripe could go over."""

    member: Member
    giver: Member
    given_at: float
    """When the giver has it."""
    far: bool


class _Around(NamedTuple):
    """Those to whom somebody has links."""

    near: list[Member]
    far: list[Member]
    abroad: set[str]
    """The networks of the latter."""


class Links:
    """The links of members whose uplinks are good enough to be on a way, looked at once."""

    def __init__(self, usual: int) -> None:
        self.usual = usual or 1
        """What half of the swarm's uplinks exceed, in bytes a second."""
        self._around: dict[Member, _Around] = {}
        self._takes: dict[Member, float] = {}

    def of(self, member: Member) -> _Around:
        """Those to whom the member has links, in its network and in others."""
        found = self._around.get(member)
        if found is None:
            found = self._around[member] = _Around([], [], set())
            home, least = member.vantage.operator, SLOWEST * self.usual
            for pairing in member.pairings.values():
                other = pairing.other(member)
                if pairing.phase is not Phase.LINKED or not other.upload or other.sends < least:
                    continue
                if other.vantage.operator == home:
                    # Who passes a stripe on learns that the giver is of his network.
                    if "relay" not in (member.mode, other.mode):
                        found.near.append(other)
                else:
                    found.far.append(other)
                    found.abroad.add(other.vantage.operator)
        return found

    def takes(self, member: Member) -> float:
        """Seconds in which the member sends a stripe once."""
        found = self._takes.get(member)
        if found is None:
            rate = min(max(member.uplink, SLOWEST * self.usual), FASTEST * self.usual)
            found = self._takes[member] = STRIPE_TIME * self.usual / rate
        return found


class Ways:
    """The ways of one segment's stripes."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._copies: Counter[Member] = Counter()
        """What each is to send."""

    def note(self, members: Iterable[Member]) -> None:
        """These bring a stripe into their networks."""
        for member in members:
            self._copies[member] += AT_HOME

    def spread(
        self, sources: Collection[Member], lacking: Mapping[str, Collection[Member]]
    ) -> Iterator[Step]:
        """Who is to bring a stripe that the sources have into these networks, and who passes it on
        in between, each after who has it before. Networks to which there is no way are left out."""
        left, serials, reached = dict(lacking), count(), set(sources)
        links, copies = self._links, self._copies
        queue: list[tuple[float, int, _Hop]] = []

        def sent_at(member: Member, at: float) -> float:
            """When the member, who has it then, has sent it once more."""
            return at + (copies[member] + 1) * links.takes(member)

        def push(hop: _Hop) -> None:
            there_at = sent_at(hop.giver, hop.given_at) + HOP
            heapq.heappush(queue, (sent_at(hop.member, there_at), next(serials), hop))

        def leave(member: Member, at: float, *, far_only: bool = False) -> None:
            around = links.of(member)
            for other in around.far:
                if other in left.get(other.vantage.operator, ()):
                    push(_Hop(other, member, at, True))
            for other in () if far_only else around.near:
                if other not in reached and not left.keys().isdisjoint(links.of(other).abroad):
                    push(_Hop(other, member, at, False))

        def sends_at(hop: _Hop) -> float:
            """When the giver has sent what others are to have before."""
            return hop.given_at + copies[hop.giver] * links.takes(hop.giver)

        relays: dict[Member, tuple[Member, float]] = {}
        for member in sources:
            leave(member, 0.0)
        while queue and left:
            at, _, hop = heapq.heappop(queue)
            member = hop.member
            if member in reached or (hop.far and member.vantage.operator not in left):
                continue
            there_at = sent_at(hop.giver, hop.given_at) + HOP
            if sent_at(member, there_at) > at:
                push(hop)  # its giver has been given more to send meanwhile
                continue
            reached.add(member)
            if not hop.far:
                relays[member] = hop.giver, sends_at(hop)
                leave(member, there_at, far_only=True)
                continue
            del left[member.vantage.operator]
            if (relay := relays.pop(hop.giver, None)) is not None:
                source, source_at = relay
                copies[source] += 1
                yield Step(hop.giver, enters=False, at=source_at)
            yield Step(member, enters=True, at=sends_at(hop))
            copies[hop.giver] += 1
            self.note([member])
            leave(member, there_at)
