"""What a peer without a screen wants: all that exists, as far as its store goes.

The keeper stands where a browser has its player. It has no play head that could run dry, so nothing
that it demands is ever urgent: peers serve it with what they have to spare, and the origin is asked
only for what nobody holds. Renditions are walked one after the other, each from its oldest missing
segment on, since a node knows of one play head only::

    kept kept kept [demanded demanded demanded] known known unknown ...
                    ^ cursor                          ^ no hashes yet

A live rendition has no end, and the store drops what the cursor has left furthest behind. A
finished one is kept from its beginning up to where the store is full. A keeper that is not to keep
everything leaves it to readers what there will be to share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from p2pcdn.core.ports import Demand, Playing, Release
from p2pcdn.core.store import worth
from p2pcdn.model import SegmentKey
from p2pcdn.wire.manifest import RenditionManifest, SegmentRecord

WINDOW = 6
"""Segments demanded at once."""
WITHIN = BUFFER = inf
"""Seconds until a segment is needed, and in the buffer of a player that there is not."""
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 30.0
"""Seconds until a segment that nobody could deliver is demanded again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the keeper has got, in segments of what it means to keep."""

    kept: int
    wanted: int


@dataclass(slots=True)
class _Pause:
    """Why a segment is not demanded now: nobody could deliver it."""

    until: float
    length: float
    over: bool = False


@dataclass(slots=True)
class _Rendition:
    """One rendition, as far as its pages have come."""

    name: str
    first: int = 0
    last: int = -1
    live: bool = False
    time: int = -1
    era: int = 0
    cursor: int = 0
    """The oldest segment that is missing."""
    beyond: int | None = None
    """The oldest segment for which there is no room."""
    reserved: int = 0
    """Bytes of the room that it has taken."""
    records: dict[int, SegmentRecord] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)

    @property
    def end(self) -> int:
        """The newest segment that is wanted."""
        return self.last if self.beyond is None else min(self.last, self.beyond - 1)

    @property
    def complete(self) -> bool:
        return self.time >= 0 and self.cursor > self.end

    def size_to(self, last: int) -> int:
        """The bytes of all segments up to one, as far as one can tell."""
        lengths = [r.length for sequence, r in self.records.items() if sequence <= last]
        count = max(last - self.first + 1, 0)
        return sum(lengths) * count // len(lengths) if lengths else 0

    def advance(self) -> None:
        self.cursor = max(self.cursor, self.first)
        while self.cursor in self.kept:
            self.cursor += 1

    def playing(self, all_: bool = True) -> Playing:
        """Where a player would be; one that wants nothing has all that there is behind it."""
        if not all_:
            return Playing(self.name, max(self.last, 0), max(self.last, 0), BUFFER, self.live)
        idle = self.end if self.live else self.first
        head = idle if self.complete else self.cursor
        return Playing(self.name, max(head, 0), max(self.end, 0), BUFFER, self.live)


class Keeper:
    """Decides what to demand. ``limit`` is the store's, in bytes; without ``all_`` that is
    nothing."""

    def __init__(self, renditions: Iterable[str], limit: int, all_: bool = True) -> None:
        self._all = all_
        self.waits = False
        """Whether it demands nothing more for now: others are to have their turn."""
        self._renditions = {name: _Rendition(name) for name in renditions}
        self._room = limit
        self._demanded: set[SegmentKey] = set()
        self._released: list[SegmentKey] = []
        self._pauses: dict[SegmentKey, _Pause] = {}
        self._told: Playing | None = None
        """Where the node was told that we are."""
        self._others = False
        """Whether readers have told it where they are."""

    def is_complete(self) -> bool:
        """Whether everything that exists now, and fits, is kept."""
        return all(rendition.complete for rendition in self._renditions.values())

    @property
    def progress(self) -> Progress:
        renditions = self._renditions.values()
        return Progress(
            kept=sum(len(r.kept) for r in renditions),
            wanted=sum(max(r.end - r.first + 1, 0) for r in renditions),
        )

    @property
    def expected_size(self) -> int:
        """The bytes of what is wanted: of segments whose record has not come, those of their
        like."""
        return sum(rendition.size_to(rendition.end) for rendition in self._renditions.values())

    @property
    def whole_size(self) -> int:
        """The bytes of all that there is, whether there is room for it or not."""
        return sum(rendition.size_to(rendition.last) for rendition in self._renditions.values())

    def kept_segments(self) -> Iterator[SegmentKey]:
        """All that is kept."""
        for rendition in self._renditions.values():
            yield from (SegmentKey(rendition.name, sequence) for sequence in rendition.kept)

    def record(self, key: SegmentKey) -> SegmentRecord | None:
        """What the manifest says of a segment."""
        rendition = self._renditions.get(key.rendition)
        return rendition.records.get(key.sequence) if rendition else None

    def extent(self, rendition: str) -> tuple[int, int, bool]:
        """The oldest and the newest segment of a rendition, as far as is known, and whether there
        will be more."""
        known = self._renditions.get(rendition)
        return (0, -1, False) if known is None else (known.first, known.last, known.live)

    def worth(self, key: SegmentKey, head: int) -> tuple[bool, int, str]:
        """Sorts what may go first: of a finished rendition that is to be kept, what is not wanted,
        then its end."""
        rendition = self._renditions.get(key.rendition)
        if rendition is None or rendition.live or not self._all:
            return worth(key, head)
        return (key.sequence <= rendition.end, -key.sequence, key.rendition)

    # What happened

    def released(self, key: SegmentKey) -> None:
        """Somebody else who wanted it, too, wants it no longer."""
        self._demanded.discard(key)

    def interrupted(self) -> None:
        """Somebody else has told the node where he is."""
        self._told = None
        self._others = True

    def page(self, page: RenditionManifest) -> None:
        """A page of a manifest has come."""
        rendition = self._renditions.get(page.rendition)
        if rendition is None or page.time < rendition.time or page.era < rendition.era:
            return
        if page.era > rendition.era:
            self._renew(rendition, page)
        rendition.time, rendition.live = page.time, page.live
        rendition.first, rendition.last = page.first, page.last
        for record in page.segments:
            self._enter(rendition, record)
        self._forget_before(rendition)
        rendition.advance()

    def kept(self, key: SegmentKey) -> None:
        """A segment is whole, and in the store."""
        self._demanded.discard(key)
        self._pauses.pop(key, None)
        rendition = self._renditions[key.rendition]
        if key.sequence >= rendition.first:
            rendition.kept.add(key.sequence)
        rendition.advance()

    def failed(self, key: SegmentKey, now: float) -> None:
        """A segment could not be had from anybody, for now."""
        self._demanded.discard(key)
        before = self._pauses.get(key)
        length = FIRST_PAUSE if before is None else min(before.length * 2, LONGEST_PAUSE)
        self._pauses[key] = _Pause(now + length, length)

    def evicted(self, key: SegmentKey) -> None:
        """There was no room for a segment that was kept: of a finished rendition, nothing is wanted
        from there on."""
        rendition = self._renditions[key.rendition]
        rendition.kept.discard(key.sequence)
        if self._all and not rendition.live:
            rendition.beyond = min(key.sequence, rendition.end + 1)
            rendition.cursor = min(rendition.cursor, key.sequence)

    def lost(self, key: SegmentKey) -> None:
        """A segment that was kept is no longer whole: it is wanted again."""
        rendition = self._renditions[key.rendition]
        if key.sequence in rendition.kept:
            rendition.kept.discard(key.sequence)
            rendition.cursor = min(rendition.cursor, key.sequence)

    def resize(self, limit: int) -> None:
        """The room is another one: of finished renditions, more or less is wanted."""
        self._room = limit
        for rendition in self._renditions.values():
            rendition.reserved, rendition.beyond = 0, None
            for sequence in sorted(rendition.records):
                self._reserve(rendition, rendition.records[sequence])
            rendition.cursor = min(rendition.cursor, rendition.end + 1)
            rendition.advance()

    # What follows

    def wishes(
        self, knows: Callable[[SegmentKey], bool], now: float
    ) -> Iterator[Playing | Demand | Release]:
        """What to tell the node. ``knows`` is whether it can verify a segment already."""
        for pause in self._pauses.values():
            pause.over = pause.until <= now
        while self._released:
            yield Release(self._released.pop())
        here = self._here()
        if here is not None and (self._all or self._others):
            playing = here.playing(self._all)
            if playing != self._told:
                self._told = playing
                yield playing
        for key in self._next(knows) if self._all and not self.waits else ():
            self._demanded.add(key)
            yield Demand(key, WITHIN)

    def timer_at(self) -> float | None:
        """When something that failed is to be demanded again."""
        return min((p.until for p in self._pauses.values() if not p.over), default=None)

    def _here(self) -> _Rendition | None:
        """The rendition that is walked now: one that lacks something which is not pausing, if there
        is one."""
        known = [r for r in self._renditions.values() if r.time >= 0]
        missing = [r for r in known if not r.complete]
        going = [r for r in missing if not self._pausing(SegmentKey(r.name, r.cursor))]
        return next(iter(going or missing or known), None)

    def _pausing(self, key: SegmentKey) -> bool:
        return key in self._pauses and not self._pauses[key].over

    def _next(self, knows: Callable[[SegmentKey], bool]) -> Iterator[SegmentKey]:
        for rendition in self._renditions.values():
            for sequence in range(rendition.cursor, rendition.end + 1):
                if len(self._demanded) >= WINDOW:
                    return
                key = SegmentKey(rendition.name, sequence)
                if sequence in rendition.kept or key in self._demanded:
                    continue
                if self._pausing(key):
                    continue
                if not knows(key):
                    break
                yield key

    def _renew(self, rendition: _Rendition, page: RenditionManifest) -> None:
        """The rendition has begun anew: what is kept of it is worth nothing, and has been dropped
        or is about to be."""
        self._room += rendition.reserved
        rendition.reserved = 0
        rendition.era, rendition.cursor, rendition.beyond = page.era, page.first, None
        rendition.records.clear()
        rendition.kept.clear()
        for key in [key for key in self._pauses if key.rendition == rendition.name]:
            del self._pauses[key]

    def _enter(self, rendition: _Rendition, record: SegmentRecord) -> None:
        known = rendition.records.get(record.sequence)
        rendition.records[record.sequence] = record
        if known is not None:
            if known != record:  # the file was replaced: what is kept of it is worth nothing
                rendition.kept.discard(record.sequence)
                rendition.cursor = min(rendition.cursor, record.sequence)
            return
        self._reserve(rendition, record)

    def _reserve(self, rendition: _Rendition, record: SegmentRecord) -> None:
        if rendition.live or record.sequence > rendition.end:
            return
        if record.length <= self._room:
            self._room -= record.length
            rendition.reserved += record.length
        else:
            rendition.beyond = record.sequence

    def _forget_before(self, rendition: _Rendition) -> None:
        """Let go of what has left a live rendition's window."""
        for sequence in [s for s in rendition.records if s < rendition.first]:
            del rendition.records[sequence]
            rendition.kept.discard(sequence)
        for key in [*self._demanded, *self._pauses]:
            if key.rendition == rendition.name and key.sequence < rendition.first:
                if key in self._demanded:
                    self._demanded.remove(key)
                    self._released.append(key)
                self._pauses.pop(key, None)
