"""A peer in its swarm, as the tracker keeps it: all of it bounded, whatever the peer does."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from p2pcdn.core.acquaintances import ACQUAINTANCE_LASTS
from p2pcdn.core.blame import Place
from p2pcdn.core.fading import Fading
from p2pcdn.core.locality import Where, where_is
from p2pcdn.core.matching import Crowd
from p2pcdn.core.nearby import LocalCrowd, Nearby
from p2pcdn.core.pairing import Pairing, Phase
from p2pcdn.model import home_of

if TYPE_CHECKING:
    from p2pcdn.model import Mode
    from p2pcdn.wire.candidate import Nat, Sieve, Vantage
    from p2pcdn.wire.tracker import Move, Position

UNKNOWN_UPLINK = 625_000
"""Bytes a second that are assumed of a peer that has not sent enough to tell: 5 Mbit/s."""
MOST_UPLINK = 20 * UNKNOWN_UPLINK
"""Whoever claims more gains nothing by it: a boaster would be named first for everything."""
MOST_KEPT = 2
"""Prepared offers of one peer."""
OFFER_LASTS = 60.0
"""A NAT forgets an address that nobody uses, some after no longer than this."""
SHUN = 60.0
"""How long two peers whose link failed are not paired again: it would most likely fail again."""
MOST_SHUNNED = 1024
MOST_AVOIDED = 64
"""Homes from which wrong bytes have come."""
MOST_PARTED = 16
"""Links that are over, and may still be complained about."""
LOAD_HALVES = 30.0
"""What a peer was given to fetch counts half after so many seconds."""
MOST_MISSED = 4
"""Misses that are remembered."""


@dataclass(slots=True)
class KeptOffer:
    """An offer that is for nobody in particular yet."""

    number: int
    sdp: str
    """With the candidates that followed it."""
    sieve: Sieve
    since: float


@dataclass(slots=True)
class Swarm:
    """The peers of one content that may meet."""

    key: tuple[str, str, str]
    """Site, content, and the network that its members are kept to, if they are."""
    members: LocalCrowd[Member] = field(default_factory=LocalCrowd)
    open: Crowd[Member] = field(default_factory=Crowd)
    """Those that may well be given one more neighbour."""
    near_open: Nearby[Member] = field(default_factory=Nearby)
    """Those that may well be given one more neighbour who is near."""
    usual: int = 0
    """Bytes a second that half of them send at least, when it was last looked; 0 before that."""
    usual_until: float = -inf
    """When to look again."""

    def take_out(self, member: Member) -> None:
        """The member is to meet nobody any more."""
        self.members.discard(member)
        self.open.discard(member)
        self.near_open.discard(member)


@dataclass(slots=True, eq=False)
class Member:
    """A peer: one socket, one swarm."""

    socket: int
    id: str
    swarm: Swarm
    vantage: Vantage
    upload: bool
    position: Position | None
    mode: Mode = "any"
    """Whom it may be paired with."""
    offers: dict[int, KeptOffer] = field(default_factory=dict)
    pairings: dict[str, Pairing] = field(default_factory=dict)
    partners: dict[str, Pairing] = field(default_factory=dict)
    """The same pairings by the id of the other end."""
    present: bool = True
    since: float = 0.0
    """When it joined."""
    uplink: int = 0
    """Bytes a second that it says it can send; 0 if it does not know yet."""
    told: float = 0.0
    """When it told its position."""
    nat: Nat | None = None
    """What stands between it and the net, as its newest candidates have it."""
    gathers: bool = False
    """Whether it has told of an address of its own; it asks the STUN server from there."""
    asked: float = inf
    """When that was first seen."""
    nat_told: str = ""
    """What was last said of that."""
    given: Fading = field(default_factory=lambda: Fading(LOAD_HALVES))
    """How many stripes it has been named first for lately."""
    missed: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_MISSED))
    """When it did not fetch what it had been named first for."""
    near: int = 0
    """How many of its neighbours are near it."""
    inbound: int = 0
    """How many offers wait for this peer's answer, or will in a moment."""
    candidates_due: float = -inf
    """When it might send its next candidate if it had always sent them as slowly as it may."""
    sought: float = -inf
    """When neighbours were last looked for."""
    seeks_at: float = inf
    """When the next search for neighbours is due, if nothing happens before."""
    home: bytes = field(init=False)
    """Where it is, as far as others count it."""
    where: Where = field(init=False)
    """Where it is, as far as the tracker can tell how near others are."""
    parted: dict[str, tuple[str, Place]] = field(default_factory=dict)
    """Who was at the other end of links that are over, by pairing: a wrong chunk is found out a
    moment after it came, and its sender may have closed the link by then."""
    _met: dict[str | bytes, float] = field(default_factory=dict)
    """Other homes, and peers of its own home, with when it met them."""
    _shunned: dict[str, float] = field(default_factory=dict)
    _avoided: dict[bytes, None] = field(default_factory=dict)
    _alike: Counter[bytes] = field(default_factory=Counter)
    """The networks of partners beyond its local network."""

    sends: int = field(init=False)
    """Bytes a second that it is taken to send."""

    def __post_init__(self) -> None:
        self._learn_uplink(self.uplink)
        self.home = home_of(self.vantage.source)
        self.where = where_is(self.vantage)

    @property
    def network(self) -> bytes:
        """Where it is, as far as it may be the same person as others."""
        return self.where.prefix

    @property
    def place(self) -> Place:
        """For whom it speaks, and who answers for it."""
        return Place(self.network, self.home)

    def move(self, message: Move, now: float) -> None:
        """It is elsewhere, or sends more or less than before."""
        self.upload = message.upload
        self._learn_uplink(message.uplink)
        self.position, self.told = message.position, now

    def _learn_uplink(self, uplink: int) -> None:
        self.uplink, self.sends = uplink, min(uplink or UNKNOWN_UPLINK, MOST_UPLINK)

    def see(self, sieve: Sieve) -> None:
        """Note what its candidates have told."""
        self.nat = sieve.nat or self.nat
        self.gathers = self.gathers or sieve.gathers

    def keep(self, offer: KeptOffer) -> None:
        """Keep a prepared offer; it takes the place of the oldest if there are too many."""
        self.offers.pop(offer.number, None)
        self.offers[offer.number] = offer
        while len(self.offers) > MOST_KEPT:
            del self.offers[next(iter(self.offers))]

    def fresh_offer(self, now: float) -> KeptOffer | None:
        """The oldest prepared offer that is still good."""
        for number, offer in list(self.offers.items()):
            if now - offer.since < OFFER_LASTS:
                return offer
            del self.offers[number]
        return None

    @property
    def spare(self) -> float:
        """Bytes a second that one more neighbour could have of it."""
        return self.sends / (len(self.pairings) + 1)

    @property
    def links(self) -> int:
        """How many links it has."""
        return sum(pairing.phase is Phase.LINKED for pairing in self.pairings.values())

    def may_meet(self, other: Member, now: float, most_an_hour: int) -> bool:
        """Whether the two may be paired, as far as this one is concerned."""
        if other is self or other.id in self.partners or self._shunned.get(other.id, 0.0) > now:
            return False
        if other.home in self._avoided:
            return False
        if self._known_as(other) in self._met or len(self._met) < most_an_hour:
            return True
        while self._met and next(iter(self._met.values())) <= now - ACQUAINTANCE_LASTS:
            del self._met[next(iter(self._met))]
        return len(self._met) < most_an_hour

    def meet(self, other: Member, pairing: Pairing, now: float) -> None:
        """They are paired."""
        self._met.setdefault(self._known_as(other), now)
        self.pairings[pairing.id] = pairing
        self.partners[other.id] = pairing
        self.near += pairing.near
        self.inbound += pairing.is_owed_by(self)
        if not self._is_at_home(other):
            self._alike[other.network] += 1

    def _known_as(self, other: Member) -> str | bytes:
        """By their homes: or whoever comes back again and again, each time with another id, would
        use up everybody's hour."""
        return other.id if other.home == self.home else other.home

    def part(self, pairing: Pairing) -> None:
        """The pairing is over."""
        other = pairing.other(self)
        del self.pairings[pairing.id]
        del self.partners[other.id]
        self.near -= pairing.near
        self.inbound -= pairing.is_owed_by(self)
        if not self._is_at_home(other):
            self._alike[other.network] -= 1
            if not self._alike[other.network]:
                del self._alike[other.network]
        if pairing.phase is Phase.LINKED:
            self.parted[pairing.id] = (other.id, other.place)
            if len(self.parted) > MOST_PARTED:
                del self.parted[next(iter(self.parted))]

    def crowded(self, other: Member, most: int) -> bool:
        """Whether so many of its partners are of the other's network already. Those of its own
        local network may be more: they are the nearest that there are."""
        return not self._is_at_home(other) and self._alike[other.network] >= most

    def _is_at_home(self, other: Member) -> bool:
        return other.where.lan == self.where.lan

    def avoid(self, home: bytes) -> None:
        """Not to be paired with anybody of that home, whatever he calls himself. Of our own we
        can't say who is who."""
        if home != self.home:
            self._avoided[home] = None
            if len(self._avoided) > MOST_AVOIDED:
                del self._avoided[next(iter(self._avoided))]

    def shun(self, peer: str, until: float) -> None:
        """Not to be paired with that peer before then."""
        self._shunned.pop(peer, None)
        self._shunned[peer] = until
        if len(self._shunned) > MOST_SHUNNED:
            del self._shunned[next(iter(self._shunned))]

    def pardons_at(self, now: float) -> float:
        """When somebody who is shunned may be met again; infinity if there is nobody."""
        return min((until for until in self._shunned.values() if until > now), default=inf)
