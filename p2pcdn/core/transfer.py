"""One segment on its way in, chunk by chunk, from whichever sources.

::

              asked of a link              arrived            hash right
    MISSING ------------------> PEER -------------> CHECKING ------------> HAVE
       |  ^----- lost ----------'  '--- deadline --.   |  |
       |  '------ hash wrong ----------------------|---'  |
       '---- asked of the origin ---> ORIGIN <-----' -----'

A chunk in PEER that is asked of the origin as well becomes ORIGIN, and whichever copy arrives first
is checked; the other one is waste. Bytes count for nothing before they have been verified.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from math import inf

from p2pcdn.core.bits import run
from p2pcdn.core.ports import Check
from p2pcdn.model import CHUNK_SIZE, SegmentKey, Span, bytes_of, chunk_length
from p2pcdn.wire.manifest import SegmentRecord

FIRST_PAUSE = 0.25
"""Seconds before the origin is asked again for what it did not deliver."""
SILENCE = 1.0
"""Seconds without a byte after which an answer of the origin is late."""
CHECK_TIMEOUT = 5.0
"""A verifier that does not answer by then has said no."""


@dataclass(slots=True)
class Fetch:
    """A byte range on its way from the origin, cut into the chunks of one segment."""

    number: int
    key: SegmentKey
    length: int
    """Of the whole segment."""
    chunks: Span
    received: int = 0
    kept: int = 0
    """Bytes that were verified while the fetch was under way, not in the figures yet."""
    cached: bool | None = None
    """Whether it came from an HTTP cache; None while that is not known."""
    fresh: bool = False
    """Whether it went past every cache."""
    beside: int = 0
    """What links had brought in all when it was asked for."""
    heard: float = 0.0
    """When the last of it came, or else when it was asked for."""
    expected: float = inf
    """When all of it should be there."""
    blamed: bool = False
    """Whether something that it brought was wrong: however much, it is one failure."""
    _next: int = 0
    _rest: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._next = self.chunks.first

    def take(self, data: bytes) -> list[tuple[int, bytes]] | None:
        """The chunks that ``data`` completes; None if it is more than was asked for."""
        self.received += len(data)
        self._rest += data
        first, last = bytes_of(self.length, self.chunks)
        if self.received > last - first + 1:
            return None
        whole: list[tuple[int, bytes]] = []
        while self._next <= self.chunks.last:
            size = chunk_length(self.length, self._next)
            if len(self._rest) < size:
                break
            whole.append((self._next, bytes(self._rest[:size])))
            del self._rest[:size]
            self._next += 1
        return whole

    def rest(self) -> int:
        """Bytes that arrived and make no whole chunk."""
        return len(self._rest)

    def left(self) -> range:
        """The chunks that have not arrived."""
        return range(self._next, self.chunks.last + 1)

    @property
    def due(self) -> int:
        """Bytes that have not arrived."""
        first, last = bytes_of(self.length, self.chunks)
        return last + 1 - first - self.received

    @property
    def late_at(self) -> float:
        """When it is late, unless more of it comes: links are asked for the rest then, too."""
        return min(self.heard + SILENCE, self.expected)


@dataclass(frozen=True, slots=True)
class Copy:
    """A chunk's bytes and where they came from: a link, a fetch, or (neither) the shell."""

    chunk: int
    data: bytes
    link: int | None = None
    fetch: Fetch | None = None


@dataclass(slots=True)
class Transfer:
    """The chunks of ``record`` that are not held yet: each is in exactly one of the five masks."""

    key: SegmentKey
    record: SegmentRecord
    hashes: list[bytes]
    """One a chunk. The manifest may forget the segment while it is on its way."""
    since: float
    """When the player asked for it, or else when it came to lie ahead."""
    missing: int
    have: int
    peer: int = 0
    origin: int = 0
    checking: int = 0
    known_at: float = 0.0
    """When its hashes became known: of a live segment, its publication as far as we are
    concerned."""
    demanded: float | None = None
    """When the play head gets there, if the player asked for the segment."""
    rescued: bool = False
    """Whether the origin had to bring what peers had been trusted with."""
    origin_bytes: int = 0
    peer_bytes: int = 0
    origin_failures: int = 0
    """How often the origin failed to deliver, or delivered something wrong."""
    origin_after: float = 0.0
    """Before this the origin is not asked again."""
    stale: bool = False
    """Whether what the origin's cache gave was wrong, so that the next fetch goes past it."""
    _checks: dict[int, tuple[Copy, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        key: SegmentKey,
        record: SegmentRecord,
        hashes: list[bytes],
        held: int,
        now: float,
    ) -> Transfer:
        """A transfer of what the mask ``held`` leaves to be had."""
        missing = run(0, record.chunks - 1) & ~held
        return cls(key, record, hashes, now, missing, held)

    @property
    def complete(self) -> bool:
        return not (self.missing | self.peer | self.origin | self.checking)

    @property
    def busy(self) -> bool:
        """Whether anything is on its way."""
        return bool(self.peer | self.origin | self.checking)

    def length_of(self, chunk: int) -> int:
        return chunk_length(self.record.length, chunk)

    def bytes_missing(self) -> int:
        """What has not arrived yet, asked for or not."""
        return self._bytes_of(self.missing | self.peer | self.origin)

    def bytes_checking(self) -> int:
        """What has arrived and may be held in a moment."""
        return self._bytes_of(self.checking)

    def _bytes_of(self, left: int) -> int:
        last = self.record.chunks - 1
        short = CHUNK_SIZE - self.length_of(last) if left >> last else 0
        return left.bit_count() * CHUNK_SIZE - short

    # What is asked

    def asked_peer(self, chunk: int) -> None:
        bit = 1 << chunk
        self.missing &= ~bit
        self.origin &= ~bit
        self.peer |= bit

    def asked_origin(self, chunks: Span) -> None:
        asked = run(*chunks) & (self.missing | self.peer)
        self.missing &= ~asked
        self.peer &= ~asked
        self.origin |= asked

    # What comes of it

    def lost(self, chunk: int, *, origin: bool) -> None:
        """A source will not deliver the chunk; the other kind of source may still."""
        bit = 1 << chunk
        if (self.origin if origin else self.peer) & bit:
            self.peer &= ~bit
            self.origin &= ~bit
            self.missing |= bit

    def arrived(self, copy: Copy, numbers: count[int], now: float) -> Check | None:
        """A whole chunk; the check that decides about it, or None if it is not needed."""
        bit = 1 << copy.chunk
        if (self.checking | self.have) & bit:
            return None
        self.missing &= ~bit
        self.peer &= ~bit
        self.origin &= ~bit
        self.checking |= bit
        check = next(numbers)
        self._checks[check] = (copy, now)
        return Check(check, copy.data, self.hashes[copy.chunk])

    def recalled(self, chunk: int) -> bool:
        """A chunk that needs no check is there; whether it is one more."""
        bit = 1 << chunk
        if (self.checking | self.have) & bit or chunk >= self.record.chunks:
            return False
        self.missing &= ~bit
        self.peer &= ~bit
        self.origin &= ~bit
        self.have |= bit
        return True

    def origin_failed(self, now: float) -> None:
        """The origin did not deliver, or not the right thing: give it a pause that doubles."""
        self.origin_after = now + FIRST_PAUSE * 2 ** min(self.origin_failures, 4)
        self.origin_failures += 1

    def checked(self, check: int, ok: bool) -> Copy:
        """The answer to one of our checks: the copy, which is now held or was thrown away."""
        copy, _ = self._checks.pop(check)
        bit = 1 << copy.chunk
        self.checking &= ~bit
        if not ok:
            self.missing |= bit
            return copy
        self.have |= bit
        if copy.link is not None:
            self.peer_bytes += len(copy.data)
        else:
            self.origin_bytes += len(copy.data)
        return copy

    def checks_before(self, now: float) -> list[int]:
        """The checks that have been waiting for too long."""
        return [check for check, (_, since) in self._checks.items() if since + CHECK_TIMEOUT <= now]

    def overslept(self, late: float, now: float) -> None:
        """Nobody heard for so many seconds how checks came out."""
        for check, (copy, since) in self._checks.items():
            self._checks[check] = (copy, min(since + late, now))

    def timer_at(self) -> float | None:
        """The checks are in the order in which they were asked for."""
        for _, since in self._checks.values():
            return since + CHECK_TIMEOUT
        return None
