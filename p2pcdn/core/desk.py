"""The leases of one rendition of a swarm: which stripe is whose, until it is of no more use.

::

    sequence --> Parts --> Stripe, Stripe ...    each with its holders, the first to fetch in front

A lease is never taken back. When a holder goes, those behind it move up; what they are told then is
a lease of the same stripe with a shorter delay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

from msgspec.structs import replace

from p2pcdn.core.audience import MOST_AHEAD, Audience
from p2pcdn.core.member import Member
from p2pcdn.wire.tracker import Lease

HOLDERS = 8
"""Of a stripe: if all of them fail, the peers see to it themselves."""
DELAY = 0.4
"""Seconds by which each holder waits longer than the one before it: two round trips and a half."""
FRONT = 2
"""Holders that matter from the start: they get the records, and are replaced when they leave."""

KEPT = 60.0
"""Seconds after which a lease is forgotten, once its segment is out."""
MOST_KEPT = 512
"""Segments whose leases are kept, whatever peers claim."""

Given = dict[Member, list[Lease]]
"""Leases by who is to be told of them."""


@dataclass(slots=True)
class Stripe:
    """A part of a segment, and who is to fetch it."""

    holders: list[Member] = field(default_factory=list)
    """By rank."""
    fetching: set[Member] = field(default_factory=set)
    """Those who say that they do."""
    importers: dict[str, Member] = field(default_factory=dict)
    """Those who bring it into their networks, by network."""
    relays: list[Member] = field(default_factory=list)
    """Those from whom these are to have it, beside each other and the first holder."""
    missed: bool = False
    """Somebody else had to do it for the first."""

    @property
    def room(self) -> int:
        """How many more holders would be of use."""
        return 0 if self.fetching else HOLDERS - len(self.holders)

    def all(self) -> Iterator[Member]:
        """Those who hold a lease of it, some of them twice."""
        yield from self.holders
        yield from self.relays
        yield from self.importers.values()

    def lacks(self, members: Iterable[Member]) -> bool:
        """Whether one of these would be of use, and is no holder yet."""
        return self.room > 0 and any(member not in self.holders for member in members)


@dataclass(slots=True)
class Parts:
    """A leased segment."""

    since: float
    stripes: list[Stripe]


@dataclass(slots=True, eq=False)
class Desk:
    """Where one rendition's leases are kept."""

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

    def stripes(self, sequence: int) -> Sequence[Stripe]:
        """The segment's stripes; none if it is not leased."""
        parts = self.parts.get(sequence)
        return () if parts is None else parts.stripes

    def is_full(self, sequence: int) -> bool:
        """Whether nobody more is of use for the segment."""
        parts = self.parts.get(sequence)
        return parts is not None and not any(stripe.room for stripe in parts.stripes)

    def cut(self, sequence: int, stripes: int, now: float) -> None:
        """From now on the segment has so many stripes."""
        self.parts[sequence] = Parts(now, [Stripe() for _ in range(stripes)])

    def add(self, sequence: int, number: int, member: Member) -> Lease:
        """One more holder of a stripe, behind those that there are."""
        holders = self.parts[sequence].stripes[number].holders
        holders.append(member)
        self.held.setdefault(member, set()).add(sequence)
        return self._lease(sequence, number, len(holders) - 1)

    def add_importer(
        self, sequence: int, number: int, member: Member, delay: float, *, enters: bool
    ) -> Lease:
        """Somebody who is to bring a stripe into its network, from peers elsewhere, or to pass it
        on to such a one, and who is not to ask for it before ``delay``."""
        stripe = self.parts[sequence].stripes[number]
        if enters:
            stripe.importers[member.vantage.operator] = member
        else:
            stripe.relays.append(member)
        self.held.setdefault(member, set()).add(sequence)
        lease = self._lease(sequence, number, 0)
        return replace(lease, delay=round(delay, 1), imports=True)

    def release(self, member: Member) -> Given:
        """The member fetches nothing any more. Gives the leases of those who are in front now."""
        given: Given = {}
        for sequence in sorted(self.held.pop(member, ())):
            for number, stripe in enumerate(self.stripes(sequence)):
                if member in stripe.holders:
                    rank = _take_out(stripe, member)
                    if not stripe.fetching and not self._is_out(sequence):
                        self._move_up(sequence, number, rank, given)
                if member in stripe.relays:
                    stripe.relays.remove(member)
                if stripe.importers.get(member.vantage.operator) is member:
                    del stripe.importers[member.vantage.operator]
        return given

    def forget(self, now: float) -> None:
        """Drop what is of no use any more."""
        for sequence, parts in list(self.parts.items()):
            if len(self.parts) > MOST_KEPT or self._is_past(sequence, parts, now):
                del self.parts[sequence]
                for member in {member for stripe in parts.stripes for member in stripe.all()}:
                    self._note_end(member, sequence)

    def _move_up(self, sequence: int, number: int, rank: int, given: Given) -> None:
        holders = self.parts[sequence].stripes[number].holders
        for place in range(rank, min(FRONT, len(holders))):
            lease = self._lease(sequence, number, place)
            given.setdefault(holders[place], []).append(lease)

    def _lease(self, sequence: int, number: int, rank: int) -> Lease:
        stripes = len(self.parts[sequence].stripes)
        return Lease(self.audience.rendition, sequence, number, stripes, _delay(rank))

    def _note_end(self, member: Member, sequence: int) -> None:
        self.held[member].discard(sequence)
        if not self.held[member]:
            del self.held[member]

    def _is_out(self, sequence: int) -> bool:
        return self.edge is not None and sequence <= self.edge

    def _is_past(self, sequence: int, parts: Parts, now: float) -> bool:
        # Where a stream pauses the edge only seems to move on until somebody says where it is. What
        # comes out after the pause must not be leased to others once more.
        is_near = self.edge is not None and -MOST_AHEAD < sequence - self.edge <= 2 * MOST_AHEAD
        return now - parts.since > KEPT and not is_near


def _delay(rank: int) -> float:
    return round(rank * DELAY, 1)


def _take_out(stripe: Stripe, member: Member) -> int:
    """Take a holder out; the rank that it had."""
    rank = stripe.holders.index(member)
    del stripe.holders[rank]
    stripe.fetching.discard(member)
    return rank
