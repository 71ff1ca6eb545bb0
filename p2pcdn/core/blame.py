"""Who is banned for sending wrong bytes: a jury of those who say that he did.

A wrong chunk proves to its receiver who sent it, and to nobody else: it carries no signature of its
sender. So the tracker hears only claims, and whoever lies makes as many as he likes. What counts::

    report --on a pairing that was linked--> voice of the accuser's network against the home
    at least ENOUGH voices, and at least SHARE of the networks that the home had links with
        --still so after DELIBERATION--> the home is banned for a time

- *Voices are networks* (IPv4 /24, IPv6 /48): one person easily has many addresses of one network,
  and seldom of many networks. Who answers is a *home* (an IPv4 address, an IPv6 /64).
- *A share of the witnesses.* Whoever sends wrong bytes to all is accused by all. The tracker picks
  neighbours at random, so somebody honest among liars meets as many who have nothing to say: with
  liars up to one half of a swarm, far less than three quarters of those he meets lie about him.
- *Deliberation.* By chance the first six that he meets may all be liars. But each accusation costs
  its accuser the link, and both are given others: the liars are soon used up, the honest stay. A
  poisoner's next neighbours accuse him, too. So a verdict waits until both have filled up.
- *Who accuses everybody is not believed*: a network's voice counts while it accuses no more than
  two thirds of those it was linked with (or `FEW`). Then it counts as a witness who saw nothing.

Where more than about a quarter of a swarm sends wrong bytes and keeps silent about each other, the
share is not reached, and nobody is banned: two halves that accuse each other look the same from
outside. Then, as always, each victim avoids whoever has sent it a wrong byte. Everything fades
after `MEMORY` seconds, and is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from p2pcdn.core.fading import Fading

T = TypeVar("T")

ENOUGH = 6
"""Voices without which nobody is banned."""
SHARE = 3 / 4
"""Of the networks that were linked with the accused, how many have to accuse it."""
DELIBERATION = 5.0
"""Seconds in which those who lost a link to an accusation have others: a search takes up to one, a
link up to four."""
FEW = 3
"""So many a network may accuse whatever else it saw."""
MANY = 2 / 3
"""The share of those it was linked with that a network may accuse."""
MEMORY = 3600.0
"""Seconds after which a link or an accusation is forgotten."""
MOST_NETWORKS = 128
"""That are remembered about one home."""
MOST_HOMES = 65_536
"""That are remembered; those go first that were linked longest ago."""


class Place(NamedTuple):
    """Where somebody is (`p2pcdn.wire.candidate`)."""

    network: bytes
    home: bytes


@dataclass(slots=True)
class _Record:
    """What is known of a home."""

    witnesses: dict[bytes, float] = field(default_factory=dict)
    """Networks that were linked with it, and when."""
    voices: dict[bytes, float] = field(default_factory=dict)
    """Those that accuse it, and since when."""
    peers: set[str] = field(default_factory=set)
    """Who was accused."""


@dataclass(slots=True)
class _Accuser:
    """What is known of a network as a witness."""

    links: Fading = field(default_factory=lambda: Fading(MEMORY / 2))
    accused: dict[bytes, float] = field(default_factory=dict)
    """Homes, and when."""

    def is_believed(self, now: float) -> bool:
        _fade(self.accused, now - MEMORY)
        return len(self.accused) <= max(FEW, MANY * self.links.at(now))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A home is banned; these of its peers were accused."""

    home: bytes
    peers: frozenset[str]


class Jury:
    """Hears accusations, and bans. ``enough`` voices are needed (0: nobody is ever banned), and a
    ban lasts ``ban`` seconds."""

    def __init__(self, enough: int = ENOUGH, ban: float = MEMORY) -> None:
        self._enough = enough
        self._ban = ban
        self._records: dict[bytes, _Record] = {}
        self._accusers: dict[bytes, _Accuser] = {}
        self._trials: dict[bytes, float] = {}
        """Homes that may be banned, and when that is decided."""
        self._banned: dict[bytes, float] = {}
        """Until when."""

    # What happens

    def linked(self, a: Place, b: Place, now: float) -> None:
        """Two peers have a link."""
        for one, other in ((a, b), (b, a)):
            _note(self._record(one.home).witnesses, other.network, now, MOST_NETWORKS)
            self._accuser(one.network).links.add(now)

    def accuse(self, accuser: Place, accused: Place, peer: str, now: float) -> None:
        """``accuser`` says that ``peer`` of ``accused`` has sent it a wrong chunk over a link that
        they had; of anybody else it is not heard."""
        record = self._records.get(accused.home)
        if record is None or accuser.network not in record.witnesses:
            return
        _note(record.voices, accuser.network, now, MOST_NETWORKS)
        _note(self._accuser(accuser.network).accused, accused.home, now, MOST_NETWORKS)
        if len(record.peers) < MOST_NETWORKS:
            record.peers.add(peer)
        if accused.home not in self._trials and self._is_guilty(record, now):
            self._trials[accused.home] = now + DELIBERATION

    def ban(self, home: bytes, now: float) -> None:
        """It has been decided about a home, here or elsewhere."""
        _note(self._banned, home, now + self._ban, MOST_HOMES)

    # What comes of it

    def is_banned(self, home: bytes, now: float) -> bool:
        """Whether nobody is let in from there."""
        return self._banned.get(home, 0.0) > now

    def timer_at(self) -> float | None:
        return min(self._trials.values()) if self._trials else None

    def verdicts(self, now: float) -> list[Verdict]:
        """Decide what is due."""
        due = [home for home, at in self._trials.items() if at <= now]
        found = []
        for home in due:
            del self._trials[home]
            record = self._records.get(home)
            if record is not None and self._is_guilty(record, now):
                self.ban(home, now)
                found.append(Verdict(home, frozenset(record.peers)))
        return found

    def _is_guilty(self, record: _Record, now: float) -> bool:
        _fade(record.witnesses, now - MEMORY)
        _fade(record.voices, now - MEMORY)
        voices = sum(self._accuser(network).is_believed(now) for network in record.voices)
        return 0 < self._enough <= voices and voices >= SHARE * len(record.witnesses)

    # Memory

    def _record(self, home: bytes) -> _Record:
        return _recent(self._records, home, _Record)

    def _accuser(self, network: bytes) -> _Accuser:
        return _recent(self._accusers, network, _Accuser)


def _note(times: dict[bytes, float], key: bytes, at: float, most: int) -> None:
    """Enter a time, the latest last, and no more of them than so many."""
    times.pop(key, None)
    times[key] = at
    if len(times) > most:
        del times[next(iter(times))]


def _fade(times: dict[bytes, float], until: float) -> None:
    """Drop what is no younger than that."""
    while times and next(iter(times.values())) <= until:
        del times[next(iter(times))]


def _recent(known: dict[bytes, T], key: bytes, new: Callable[[], T]) -> T:
    """Look something up, or begin it; what was looked up longest ago may be dropped for it."""
    found = known.pop(key, None) or new()
    known[key] = found
    if len(known) > MOST_HOMES:
        del known[next(iter(known))]
    return found
