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
from p2pcdn.model import Route, SegmentKey

PATIENCE = 60.0
"""Seconds that one end's word waits for the other's: six reports."""
MOST_SEGMENTS = 1024
"""Segments that wait for a word; the one that has waited longest goes first."""
MOST_BITS = 2**18
"""Of their masks: 32 KiB. A segment of 4 GiB has room."""


@dataclass(slots=True)
class _Word:
    """What one end says of a segment and the other does not, or not yet."""

    mask: int = 0
    tail: Tail = None

    @property
    def size(self) -> int:
        return size_of(self.mask, self.tail)


@dataclass(slots=True)
class _Said:
    """What the two ends say of one segment."""

    since: float
    sender: _Word = field(default_factory=_Word)
    receiver: _Word = field(default_factory=_Word)
    bits: int = 0
    """Of its masks, as counted in its way's."""

    @property
    def size(self) -> int:
        return self.sender.size + self.receiver.size


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
    open: int = 0
    """Bytes that only one end has spoken of, and that wait for the other's word."""
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
        said = self._of(segment, now)
        return self._hear(segment, said, (said.sender, said.receiver), mask, tail)

    def received(self, segment: SegmentKey, mask: int, tail: Tail, now: float) -> Outcome:
        """The receiver says that it has these chunks."""
        said = self._of(segment, now)
        return self._hear(segment, said, (said.receiver, said.sender), mask, tail)

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
        self.open -= said.size
        sender_heard, receiver_heard = heard
        sent, received = said.sender.size, said.receiver.size
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

    def _of(self, segment: SegmentKey, now: float) -> _Said:
        said = self._said.get(segment)
        if said is None:
            said = self._said[segment] = _Said(now)
        return said

    def _hear(
        self, segment: SegmentKey, said: _Said, ends: tuple[_Word, _Word], mask: int, tail: Tail
    ) -> Outcome:
        """The first of two ends says something, which the other has said, or says later."""
        one, other = ends
        before = said.size
        fresh = _without_another(one.tail, mask, tail) & ~one.mask
        agreed = fresh & other.mask
        one.tail = _tail(one.tail, one.mask, tail)
        one.mask |= fresh & ~agreed
        other.mask &= ~agreed
        bits = one.mask.bit_length() + other.mask.bit_length()
        self._bits += bits - said.bits
        said.bits = bits
        self.open += said.size - before
        if not one.mask and not other.mask:
            del self._said[segment]
        tails = [tail for tail in (said.sender.tail, said.receiver.tail) if tail is not None]
        fitting = [tail for tail in tails if agreed >> tail[0] & 1]
        modest = min(fitting, key=lambda tail: tail[1], default=None)
        return Outcome(agreed, modest, said.size - before)


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
    route: Route | None = None
    """By what it goes, as the first end says that knows."""

    def other(self, session: str) -> str:
        """Who is at the other end."""
        return self.b if session == self.a else self.a

    def to(self, receiver: str) -> Way:
        """The way to this end."""
        way = self.ways.get(receiver)
        if way is None:
            way = self.ways[receiver] = Way()
        return way
