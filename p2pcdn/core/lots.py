"""Drawing lots: who fetches a stripe from the origin, and who stands in if he does not.

Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005):
each member's lot is -weight / ln(u), where u is a hash of the stripe and the member, so that each
comes first as often as its weight has it, and one that leaves changes nobody else's order.

The weight is the uplink that a member has to spare: what it says it can send, less for a while
after it did not fetch what it should have, and less if it was given more than its share lately.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Sequence
from math import ceil, exp, log
from operator import itemgetter

from p2pcdn.core.member import Member
from p2pcdn.core.rank import hash32
from p2pcdn.model import chunk_count

MOST_STRIPES = 8
UNKNOWN_STRIPES = 4
"""Of a segment whose size nobody knows."""
STRIPE_TIME = 0.15
"""Seconds that a stripe may take to be passed on once, so that the next peer has it soon."""

SLOW = 0.75
"""Who sends less than so much of what is usual would keep everybody waiting for its stripe."""
ENOUGH_LINKS = 3
SETTLED = 5.0
"""Seconds in the swarm: many leave in the first ones."""

MISSED_LASTS = 60.0
MISSED_COSTS = 8.0
"""A member that did not fetch is named first so many times less often for a minute."""

LEAD_COSTS = 1.5
"""How steeply the weight falls for each stripe beyond a member's share: to less than a quarter."""
MOST_BEHIND = 0.5
"""A newcomer is not to make up all at once for what others were given before it came."""


def stripes_of(size: int, members: Collection[Member]) -> int:
    """Into how many stripes to cut a segment of ``size`` bytes that these might fetch."""
    if not size:
        return UNKNOWN_STRIPES
    uplinks = sorted(member.sends for member in members)
    each = STRIPE_TIME * uplinks[len(uplinks) // 2]
    return min(MOST_STRIPES, chunk_count(size), ceil(size / each))


def eligible(members: Iterable[Member], others: int, now: float) -> list[Member]:
    """Those who may hold a lease in a swarm of ``others`` beside each.

    They upload, not much slower than others, and have links to do it by. Of these the settled and
    well connected are taken if there are any; a swarm that has just begun has nobody else than
    newcomers, and one in which most pairs cannot connect nobody with many links.
    """
    able = [(member, links) for member in members if member.upload and (links := member.links)]
    told = [(member, links) for member, links in able if member.uplink]
    if 2 * len(told) >= len(able):
        able = told  # of the others some are slow
    if able:
        sends = sorted(member.sends for member, _ in able)
        least = SLOW * sends[len(sends) // 2]
        able = [(member, links) for member, links in able if member.sends >= least]
    well = [member for member, links in able if links >= min(ENOUGH_LINKS, others)]
    settled = [member for member, _ in able if now - member.since >= SETTLED]
    both = [member for member in well if now - member.since >= SETTLED]
    return both or well or settled


def drawn(members: Sequence[Member], name: str, most: int, now: float) -> list[Member]:
    """The first ``most`` of these for the stripe of this name."""
    spare = [_spare(member, now) for member in members]
    given = [member.given.at(now) for member in members]
    share = sum(given) / (sum(spare) or 1.0)
    seed = hash32(name)
    lots = [
        (
            _weight(has, had, share) / -log(_fraction(seed ^ int(member.id[:8], 16))),
            member.id,
            member,
        )
        for member, has, had in zip(members, spare, given, strict=True)
    ]
    return [member for *_, member in heapq.nlargest(most, lots, key=itemgetter(0, 1))]


def _spare(member: Member, now: float) -> float:
    misses = sum(now - at < MISSED_LASTS for at in member.missed)
    return member.sends / MISSED_COSTS**misses


def _weight(spare: float, given: float, share: float) -> float:
    """The weight of a member that was ``given`` so much, where each byte a second had ``share``."""
    lead = max(-MOST_BEHIND, given - share * spare)
    return spare * exp(-LEAD_COSTS * lead)


def _fraction(number: int) -> float:
    """Between 0 and 1, by MurmurHash3's finaliser: much cheaper than to hash a text again."""
    number ^= number >> 16
    number = number * 0x85EB_CA6B & 0xFFFF_FFFF
    number ^= number >> 13
    number = number * 0xC2B2_AE35 & 0xFFFF_FFFF
    return ((number ^ number >> 16) + 0.5) / 2**32
