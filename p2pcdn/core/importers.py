"""Importers: who brings what comes out into each operator's network, so that it comes in once.

::

    first holder --ways (`ways`)--> importer of A --> importer of B --> ...
    a network's members --a few, every ten seconds--> its rota --by turns--> where there is no way

Of each stripe one of a network imports it, or nobody if the stripe's first holder is there. It is
whoever can have it the soonest over the links that there are; who passes it on before that within
another network, as a relay, hears of it, too. Where there is no way those on a rota take turns: so
what they say of their uplinks, and how many links abroad they have, gets them no more than that.
Members hear that importers are named when some are, in the same look: never at the moment at which
somebody comes or goes.

A look does no more work than its bounds say, however many networks there are: the largest have
importers, and what one look has no room for the next one does.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from random import Random

from p2pcdn.core.desk import Desk, Given, Stripe
from p2pcdn.core.lots import eligible
from p2pcdn.core.matching import Crowd
from p2pcdn.core.member import Member
from p2pcdn.core.ways import Links, Step, Ways

MOST_NETWORKS = 64
"""Networks of an audience that have importers, the largest."""
MOST_GIVEN = 1024
"""Leases that import after which one look goes on to no more segments."""
MOST_ROTAS = 16
"""Rotas that are drawn up in one look."""

ROTA_LASTS = 10.0
"""Seconds for which a rota is kept."""
RETRY = 3.0
"""Seconds after which somebody is looked for again where nobody was fit."""
SAMPLE = 16
"""Members looked at to draw one up."""
LEAST_ON_ROTA = 4
"""Half of those who are fit are on it, but so many anyway."""
PUNCTUAL = 0.7
"""How much of the time until its turn each waits: some are faster than they say."""
ENOUGH_ABROAD = 3
"""Neighbours in other networks that are enough: who has more of them is not preferred."""

News = list[tuple[Member, bool]]
"""Who is to be told whether importers are named for its network."""


@dataclass(slots=True, eq=False)
class Network:
    """Those of one operator's network who watch a rendition."""

    name: str
    members: Crowd[Member] = field(default_factory=Crowd)
    told: dict[Member, None] = field(default_factory=dict)
    """Those who know that importers are named."""
    untold: dict[Member, None] = field(default_factory=dict)
    """The others."""
    rota: list[Member] = field(default_factory=list)
    rota_until: float = -inf
    covered: set[int] = field(default_factory=set)
    """Segments of which each stripe has somebody who brings it here."""

    @property
    def weight(self) -> int:
        """How much there is to be spared; one that has importers keeps them against equals."""
        return len(self.members) * (2 if self.told else 1)

    def turn(self) -> Member | None:
        """Whose turn it is, of those on the rota who still may."""
        for _ in range(len(self.rota)):
            member = self.rota.pop(0)
            self.rota.append(member)
            if member.upload and member in self.members:
                return member
        return None


class Networks:
    """The networks of those who watch one rendition, and who imports what."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._networks: dict[str, Network] = {}

    def enter(self, member: Member) -> None:
        """The member watches now. Those in mode `relay` stay out: nobody is to learn from this in
        whose network they are, and their round trips say nothing of that."""
        name = member.vantage.operator
        if not name or member.mode == "relay":
            return
        network = self._networks.setdefault(name, Network(name))
        network.members.add(member)
        network.untold[member] = None

    def leave(self, member: Member) -> bool:
        """The member watches no more; whether it had been told that importers are named."""
        network = self._networks.get(member.vantage.operator)
        if network is None or member not in network.members:
            return False
        self.release(member)
        was_told = member in network.told
        network.members.discard(member)
        network.told.pop(member, None)
        network.untold.pop(member, None)
        if not network.members:
            del self._networks[network.name]
        return was_told

    def release(self, member: Member) -> None:
        """The member is about to hand back all its leases: others are needed for these."""
        network = self._networks.get(member.vantage.operator)
        if network is not None:
            network.covered -= self._desk.held.get(member, set())

    def look(self, sequences: Iterable[int], rng: Random, now: float) -> tuple[Given, News]:
        """Name importers of these segments, the first of which come out first."""
        some = (network for network in self._networks.values() if len(network.members) > 1)
        named = heapq.nlargest(MOST_NETWORKS, some, key=lambda network: network.weight)
        self._draw_up(named, rng, now)
        for network in named:
            network.covered &= self._desk.parts.keys()
        given = self._name([network for network in named if network.rota], sequences)
        return given, list(self._news(named))

    def _draw_up(self, named: Iterable[Network], rng: Random, now: float) -> None:
        """Draw up the rotas that are the longest overdue."""
        due = (network for network in named if network.rota_until <= now)
        others = len(self._desk.audience.swarm.members) - 1
        for network in heapq.nsmallest(MOST_ROTAS, due, key=lambda network: network.rota_until):
            fit = eligible(network.members.sample(SAMPLE, rng), others, now)
            fit.sort(key=_abroad, reverse=True)
            network.rota = fit[: max(LEAST_ON_ROTA, len(fit) // 2)]
            network.rota_until = now + (ROTA_LASTS if fit else RETRY)

    def _name(self, networks: Collection[Network], sequences: Iterable[int]) -> Given:
        given: Given = {}
        count = 0
        links = Links(self._desk.audience.swarm.usual)
        for sequence in sequences:
            lacking = [network for network in networks if sequence not in network.covered]
            if count >= MOST_GIVEN or not lacking:
                continue
            ways = Ways(links)
            stripes = self._desk.stripes(sequence)
            for stripe in stripes:
                ways.note(_those_who_have(stripe))
            for number, stripe in enumerate(stripes):
                for member, enters, at in self._bring(stripe, lacking, ways):
                    delay = PUNCTUAL * at
                    lease = self._desk.add_importer(sequence, number, member, delay, enters=enters)
                    given.setdefault(member, []).append(lease)
                    count += 1
            for network in lacking:
                network.covered.add(sequence)
        return given

    def _bring(self, stripe: Stripe, networks: Iterable[Network], ways: Ways) -> Iterator[Step]:
        """Who is to bring a stripe into these networks, and who passes it on before, each to be
        noted before the next is asked for."""
        first = stripe.holders[0] if stripe.holders else None
        left = [n for n in networks if n.name not in stripe.importers and first not in n.members]
        yield from ways.spread(_those_who_have(stripe), {n.name: n.members for n in left})
        for network in left:
            if network.name not in stripe.importers and (turn := network.turn()) is not None:
                ways.note([turn])
                yield Step(turn, enters=True)

    def _news(self, named: Collection[Network]) -> Iterator[tuple[Member, bool]]:
        for network in self._networks.values():
            if network.told and not (network.covered and network.rota and network in named):
                yield from ((member, False) for member in network.told)
                network.untold |= network.told
                network.told.clear()
        for network in named:
            if network.covered and network.rota:
                yield from ((member, True) for member in network.untold)
                network.told |= network.untold
                network.untold.clear()


def _those_who_have(stripe: Stripe) -> list[Member]:
    """Those who get a stripe by what was decided before: its first holder and importers."""
    return [*stripe.holders[:1], *stripe.importers.values()]


def _abroad(member: Member) -> int:
    """How many of its neighbours are in other networks than it is, as far as that matters."""
    home = member.vantage.operator
    partners = (pairing.other(member) for pairing in member.pairings.values())
    return min(sum(other.vantage.operator != home for other in partners), ENOUGH_ABROAD)
