"""Those of a swarm who watch one rendition, and what they will need that nobody has.

::

    live    ... out already | edge | to be leased ------------------------> 30 s ahead
    VOD     ... held by somebody   | wanted by many, held by nobody ------> 30 s ahead, and a bit

Positions are told every ten seconds or so and move on by themselves in between. One peer's word
counts little: a median decides where the edge is, and of a recording only what many will need is
leased. A large audience is judged by a random sample, so that a look costs the same at any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from p2pcdn.core.matching import Crowd
from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.swarm_ports import Rules
from p2pcdn.wire.tracker import Position

SAMPLE = 64
"""Peers looked at: enough for eight stripes of eight holders each."""

MOST_AHEAD = 32
"""Segments looked ahead: with eight stripes each, as many leases as one message carries."""

LIVE_AHEAD = 10.0
"""Seconds of a live stream that are looked ahead at most: whoever comes in later shall have his
share of what comes out next, too."""

EARLY = 2
"""Segments of a recording that are leased beyond the seconds looked ahead: those are what players
buffer, and leases have to be there before the first of them asks for a segment."""

MANY = 16
"""What a share of one in so many wants is worth a lease. Of fewer, a sample could not tell whether
somebody holds it."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an audience will need."""

    size: int = 0
    """Of a segment, in bytes; 0 if nobody knows."""
    edge: int | None = None
    """The newest segment there is; None for what is not live."""
    takers: Mapping[int, list[Member]] = field(default_factory=dict)
    """For each segment to be leased, by ascending number, those who will need it."""


class Place(NamedTuple):
    """A member and where it said that it was."""

    member: Member
    position: Position


class Audience:
    """Those who watch one rendition of a swarm."""

    def __init__(self, swarm: Swarm, rendition: str) -> None:
        self.swarm = swarm
        self.rendition = rendition
        self.members: Crowd[Member] = Crowd()

    def outlook(self, rules: Rules, now: float, rng: Random) -> Outlook:
        """What is needed in the next seconds, as far as can be told now."""
        sample = [
            Place(member, member.position)
            for member in self.members.sample(SAMPLE, rng)
            if member.position is not None
        ]
        fresh = [place for place in sample if now - place.member.told <= rules.position_lasts]
        duration = _median([place.position.duration for place in fresh]) / 1000
        if not duration:
            return Outlook()
        size = _median([place.position.size for place in fresh])
        reach = max(1, min(MOST_AHEAD, int(rules.lease_ahead / duration)))
        live = [place for place in fresh if place.position.live]
        if 2 * len(live) > len(fresh):
            reach = min(reach, max(1, int(LIVE_AHEAD / duration)))
            return _live(live, duration, size, reach, now)
        return Outlook(size, None, _uncovered(sample, fresh, duration, reach, now))


def _live(live: list[Place], duration: float, size: int, reach: int, now: float) -> Outlook:
    """What comes out next is needed by all."""
    edges = [
        max(position.newest, position.last) + int((now - member.told) / duration)
        for member, position in live
    ]
    edge = _median(edges)
    takers = [place.member for place in live]
    return Outlook(size, edge, {edge + step: takers for step in range(1, reach + 1)})


def _uncovered(
    sample: list[Place], fresh: list[Place], duration: float, reach: int, now: float
) -> dict[int, list[Member]]:
    """What many will play soon and nobody shares, as where a crowd has just come in."""
    takers: dict[int, list[Member]] = {}
    for member, position in fresh:
        head = position.head + int((now - member.told) / duration)
        for sequence in range(head + 1, min(head + reach + EARLY, position.newest) + 1):
            takers.setdefault(sequence, []).append(member)
    many = max(1, len(sample) // MANY)
    shared = [place.position for place in sample if place.member.upload]
    return {
        sequence: wanting
        for sequence, wanting in sorted(takers.items())
        if len(wanting) >= many
        and not any(place.first <= sequence <= place.last for place in shared)
    }


def _median(values: list[int]) -> int:
    """The middle one, or the upper of two; those who don't know say 0, and don't count."""
    known = sorted(value for value in values if value)
    return known[len(known) // 2] if known else 0
