"""Both ways over one pairing: what either end says, until the other says so, too.

::

    sender:    chunks 0-9 ----.
                               >---- both: 0-7, credited or not      the rest waits
    receiver:  chunks 0-7 ----'                                         |
                                                                        v after a while
                       the other end has reported since: disputed,    or has not: claimed for good
                       but for what it says came in vain

Whatever waits has been counted as claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from p2pcdn.core.runs import Tail, size_of
from p2pcdn.model import SegmentKey

PATIENCE = 60.0
"""Seconds that one end's word waits for the other's: six reports."""
MOST_SEGMENTS = 1024
"""Segments that wait for a word; the one that has waited longest goes first."""
MOST_BITS = 2**18
"""Of their masks: 32 KiB. A segment of 4 GiB has room."""


@dataclass(slots=True)
class _Said:
    """What the two ends say of one segment."""

    since: float
    by_sender: int = 0
    by_receiver: int = 0
    sender_tail: Tail = None
    receiver_tail: Tail = None
    bits: int = 0
    """Of its masks, as counted in its way's."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of what one end says of a segment."""

    agreed: int = 0
    """The chunks that both ends speak of."""
    tail: Tail = None
    """Its short chunk, as the more modest end has it."""
    claimed: int = 0
    """By how much more is claimed, in bytes; below 0 if it is less."""


@dataclass(slots=True)
class Way:
    """From a sender to a receiver."""

    earned: int = 0
    """Bytes that were credited."""
    apart: int = 0
    """Those of them that count as the site's own."""
    vain: int = 0
    """Bytes that came in vain, as the receiver says, and that no claim has been held against."""
    _said: dict[SegmentKey, _Said] = field(default_factory=dict)
    _bits: int = 0

    @property
    def waits(self) -> bool:
        """Whether anything waits for a word."""
        return bool(self._said)

    @property
    def is_full(self) -> bool:
        """Whether more waits than may."""
        return len(self._said) > MOST_SEGMENTS or self._bits > MOST_BITS

    def sent(self, segment: SegmentKey, mask: int, tail: Tail, now: float) -> Outcome:
        """The sender says that it sent these chunks."""
        said = self._said.setdefault(segment, _Said(now))
        mask = _without_another(said.sender_tail, mask, tail)
        fresh = mask & ~said.by_sender
        agreed = fresh & said.by_receiver
        before = self._waiting(said)
        said.sender_tail = _tail(said.sender_tail, said.by_sender, tail)
        said.by_sender |= fresh & ~agreed
        said.by_receiver &= ~agreed
        return self._outcome(segment, said, agreed, before)

    def received(self, segment: SegmentKey, mask: int, tail: Tail, now: float) -> Outcome:
        """The receiver says that it has these chunks."""
        said = self._said.setdefault(segment, _Said(now))
        mask = _without_another(said.receiver_tail, mask, tail)
        fresh = mask & ~said.by_receiver
        agreed = fresh & said.by_sender
        before = self._waiting(said)
        said.receiver_tail = _tail(said.receiver_tail, said.by_receiver, tail)
        said.by_receiver |= fresh & ~agreed
        said.by_sender &= ~agreed
        return self._outcome(segment, said, agreed, before)

    def settle(self, until: float, heard: tuple[float, float]) -> tuple[int, int]:
        """Give up on what was said before ``until``. ``heard`` is when sender and receiver have
        reported last. The bytes that are claimed no more, and of these the disputed ones."""
        gone = [segment for segment, said in self._said.items() if said.since <= until]
        unclaimed = disputed = 0
        for segment in gone:
            one, other = self._give_up(segment, heard)
            unclaimed, disputed = unclaimed + one, disputed + other
        return unclaimed, disputed

    def settle_oldest(self, heard: tuple[float, float]) -> tuple[int, int]:
        """The same of what has waited longest."""
        return self._give_up(next(iter(self._said)), heard)

    def _give_up(self, segment: SegmentKey, heard: tuple[float, float]) -> tuple[int, int]:
        said = self._said.pop(segment)
        self._bits -= said.bits
        sender_heard, receiver_heard = heard
        sent = size_of(said.by_sender, said.sender_tail)
        received = size_of(said.by_receiver, said.receiver_tail)
        unclaimed = disputed = 0
        if sent and receiver_heard > said.since:
            wasted = min(sent, self.vain)
            self.vain -= wasted
            unclaimed += sent
            disputed += sent - wasted
        if received and sender_heard > said.since:
            unclaimed += received
            disputed += received
        return unclaimed, disputed

    def _outcome(self, segment: SegmentKey, said: _Said, agreed: int, before: int) -> Outcome:
        claimed = self._waiting(said) - before
        bits = said.by_sender.bit_length() + said.by_receiver.bit_length()
        self._bits += bits - said.bits
        said.bits = bits
        if not said.by_sender and not said.by_receiver:
            del self._said[segment]
        tails = [tail for tail in (said.sender_tail, said.receiver_tail) if tail is not None]
        fitting = [tail for tail in tails if agreed >> tail[0] & 1]
        return Outcome(agreed, min(fitting, key=lambda tail: tail[1], default=None), claimed)

    def _waiting(self, said: _Said) -> int:
        return size_of(said.by_sender, said.sender_tail) + size_of(
            said.by_receiver, said.receiver_tail
        )


def _tail(known: Tail, counted: int, tail: Tail) -> Tail:
    """A segment has one short chunk; what has been counted as a whole one stays so."""
    if known is not None or tail is None or counted >> tail[0] & 1:
        return known
    return tail


def _without_another(known: Tail, mask: int, tail: Tail) -> int:
    """Of a second short chunk nothing is believed: it has been held to the ceilings as a short one,
    and would be credited as a whole one."""
    if known is None or tail is None or tail[0] == known[0]:
        return mask
    return mask & ~(1 << tail[0])


@dataclass(slots=True, eq=False)
class Pair:
    """Two sessions that were introduced to each other."""

    id: str
    content: str
    a: str
    b: str
    relayed: bool = False
    """Some of it went through a relay: so none of it counts."""
    edge: bool = False
    """The site runs one of the ends."""
    due: float = inf
    """When it is to be looked at what waits."""
    ways: dict[str, Way] = field(default_factory=dict)
    """By receiver."""

    def other(self, session: str) -> str:
        """Who is at the other end."""
        return self.b if session == self.a else self.a

    def to(self, receiver: str) -> Way:
        """The way to this end."""
        return self.ways.setdefault(receiver, Way())
