"""Who reads a content at this moment, and what each of them will want next.

Readers stand where a browser has its player. One that *plays* takes a segment as its player's
buffer needs it, and nobody tells us how much is in there; so it is taken to have begun to play when
it was given its first segment, and to have gone on since::

    given given given [asked for] ahead ahead ahead
      ^ head             ^ within = how long what was given still lasts

So a player that has just begun, or sought, is served at once, by the origin if need be; one that
has taken more than it can have played leaves peers their time. Another reader, which only wants
the bytes, is never in a hurry.

A segment that cannot be verified yet is looked up first; what lies ahead the node looks up by
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf

from p2pcdn.core.ports import Demand, Playing, Release
from p2pcdn.errors import SourceReason
from p2pcdn.model import SegmentKey
from peer.native.keeper import Keeper

AHEAD = 3
"""Segments that are demanded beyond the one that a player asks for."""
BULK = 6
"""The same for who only wants the bytes."""
IDLE = 15.0
"""Seconds without a question after which a reader counts as gone. Players with a full buffer ask
once a segment."""
TELL_EVERY = 1.0
"""Seconds between two words on where a player is, if nothing else happens."""
USUAL_DURATION = 4.0
"""Seconds a segment, where no record says so; a slice of a file has none."""

Answer = Callable[[bytes | SourceReason], None]
"""Told the segment, or why there is none."""


@dataclass(slots=True, eq=False)
class Reader:
    """One who reads."""

    plays: bool = True
    last: int | None = None
    """The last segment that it will ask for, if it knows that."""
    key: SegmentKey | None = None
    """What it asked for last."""
    given: SegmentKey | None = None
    """What it was given last."""
    until: float = 0.0
    """When it has played what it was given."""
    at: float = 0.0
    """When it asked last."""

    def continues(self, key: SegmentKey) -> bool:
        """Whether it would ask for this one next, or once more."""
        mine = self.key
        return (
            mine is not None
            and mine.rendition == key.rendition
            and key.sequence - mine.sequence in (0, 1)
        )


class Readers:
    """The readers of one content; ``keeper`` knows what there is of it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._readers: list[Reader] = []
        """The one that asked last comes last."""
        self._waits: dict[SegmentKey, list[Answer]] = {}
        self._asked: set[SegmentKey] = set()
        """Asked for since the node was told."""
        self._demanded: dict[SegmentKey, bool] = {}
        """Of the node; and whether it could verify it by then."""
        self._done: set[SegmentKey] = set()
        """Brought, or given up, before anybody asked for it."""
        self._told: tuple[object, ...] | None = None
        self._told_at = 0.0

    # What readers do

    def ask(
        self,
        reader: Reader,
        key: SegmentKey,
        answer: Answer,
        now: float,
        within: float | None = None,
    ) -> None:
        """A reader wants a segment now, and needs it ``within`` seconds, if it says so."""
        if within is not None:
            reader.until = now + within
        elif not reader.continues(key):
            reader.until = now
        reader.key, reader.at = key, now
        if reader in self._readers:
            self._readers.remove(reader)
        self._readers.append(reader)
        self._waits.setdefault(key, []).append(answer)
        self._asked.add(key)

    def forgo(self, key: SegmentKey, answer: Answer) -> None:
        """Who asked no longer waits."""
        answers = self._waits.get(key, [])
        if answer in answers:
            answers.remove(answer)
        if not answers:
            self._waits.pop(key, None)

    def leave(self, reader: Reader) -> None:
        """A reader has what it wanted."""
        if reader in self._readers:
            self._readers.remove(reader)

    def follow(self, key: SegmentKey) -> Reader | None:
        """The player who would ask for this segment next; of another rendition, if it has just
        changed over."""
        players = [reader for reader in reversed(self._readers) if reader.plays and reader.key]
        for reader in players:
            if reader.continues(key):
                return reader
        for reader in players:
            if reader.key is not None and key.sequence == reader.key.sequence + 1:
                return Reader(
                    key=SegmentKey(key.rendition, reader.key.sequence), until=reader.until
                )
        return None

    # What happened

    def ready(self, key: SegmentKey, data: bytes, now: float) -> None:
        """A segment is whole."""
        self._demanded.pop(key, None)
        answers = self._waits.pop(key, None)
        if answers is None:
            self._done.add(key)
            return
        for reader in self._readers:
            if reader.key == key and reader.given != key:
                reader.given = key
                reader.until = max(reader.until, now) + self.duration(key)
        for answer in answers:
            answer(data)

    def failed(self, key: SegmentKey, reason: SourceReason) -> None:
        """A segment could not be had from anybody."""
        self._demanded.pop(key, None)
        self._done.add(key)
        for answer in self._waits.pop(key, ()):
            answer(reason)

    def end(self) -> None:
        """Nothing more will come."""
        for key in list(self._waits):
            self.failed(key, SourceReason.ABORTED)

    # What follows

    def active(self, now: float) -> bool:
        """Whether anybody reads."""
        self._readers = [
            reader
            for reader in self._readers
            if reader.key in self._waits or now - reader.at < IDLE
        ]
        return bool(self._readers or self._demanded)

    def wishes(
        self, knows: Callable[[SegmentKey], bool], now: float
    ) -> Iterator[Playing | Demand | Release]:
        """What to tell the node. ``knows`` is whether it can verify a segment already."""
        wanted = self._wanted(now)
        for key in [key for key in self._demanded if key not in wanted]:
            del self._demanded[key]
            self._keeper.released(key)
            yield Release(key)
        self._done.intersection_update(wanted)
        self._asked.intersection_update(wanted)
        if self._readers:
            yield from self._whereabouts(self._readers[-1], now)
        for key, within in wanted.items():
            known = knows(key)
            if self._is_to_be_demanded(key, known):
                self._asked.discard(key)
                self._done.discard(key)
                self._demanded[key] = known
                yield Demand(key, within if known else inf)

    def timer_at(self) -> float | None:
        """When to look again, though nothing has happened."""
        if not self._readers:
            return None
        # Who waits is not idle, however long ago it asked.
        asked = (reader.at for reader in self._readers if reader.key not in self._waits)
        idle = min(asked, default=inf) + IDLE
        return min(max(idle, self._told_at), self._told_at + TELL_EVERY)

    def duration(self, key: SegmentKey) -> float:
        """Seconds of a segment."""
        record = self._keeper.record(key)
        return (record.duration / 1000 if record else 0) or USUAL_DURATION

    def _is_to_be_demanded(self, key: SegmentKey, known: bool) -> bool:
        if key in self._waits:
            return key in self._asked or (self._demanded.get(key) is not True and known)
        return known and key not in self._demanded and key not in self._done

    def _wanted(self, now: float) -> dict[SegmentKey, float]:
        """What is wanted and in how many seconds it is needed, the first thing first."""
        wanted: dict[SegmentKey, float] = {}
        for reader in reversed(self._readers):
            if reader.key is None:
                continue
            within = max(reader.until - now, 0.0) if reader.plays else inf
            if reader.key in self._waits:
                wanted[reader.key] = min(within, wanted.get(reader.key, inf))
                within += self.duration(reader.key)
            first, last, _ = self._keeper.extent(reader.key.rendition)
            begin = max(reader.key.sequence + 1, first)
            end = min(reader.key.sequence + (AHEAD if reader.plays else BULK), last)
            end = end if reader.last is None else min(end, reader.last)
            for sequence in range(begin, end + 1):
                key = SegmentKey(reader.key.rendition, sequence)
                wanted.setdefault(key, within)
                within += self.duration(key)
        return wanted

    def _whereabouts(self, reader: Reader, now: float) -> Iterator[Playing]:
        key = reader.key
        assert key is not None
        _, last, live = self._keeper.extent(key.rendition)
        state = (reader, key, reader.given, last, live)
        if state == self._told and now < self._told_at + TELL_EVERY:
            return
        self._told, self._told_at = state, now
        buffer = max(reader.until - now, 0.0) if reader.plays else inf
        played = int(buffer / self.duration(key)) if reader.plays else 0
        head = max(key.sequence - played, 0)
        yield Playing(key.rendition, head, max(last, key.sequence), buffer, live)
