"""What the tracker chose us to fetch from the origin for everybody: a peer's leases.

::

    granted --record known--> due after its delay --ours to fetch--> used
                                  ^
                                  '-- another holder has begun: later, in case that it fails

A lease that `imports` is of another kind: its stripe is brought into our network from peers
elsewhere, or passed on to who does that, and never comes from the origin. Who is to do both holds
two leases of one stripe.

Leases come before their segments do. Several peers hold one for the same stripe, each with a
longer delay than the one before, so that a stripe comes out even if the first of them fail.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from p2pcdn.core.bits import run
from p2pcdn.core.scheduler import LeaseView
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.tracker import Lease

MOST_SEGMENTS = 128
"""Segments that leases are kept for; the oldest grants go first."""
STEP_IN = 4.0
"""Seconds that another holder has for bringing a stripe into the swarm once it has begun."""


@dataclass(slots=True)
class _Held:
    lease: Lease
    granted_at: float
    begun_at: float | None = None
    """When another holder was heard to begin."""
    used: bool = False

    def at(self, known_at: float) -> float:
        """When it is our turn."""
        at = max(known_at, self.granted_at) + self.lease.delay
        return at if self.begun_at is None else max(at, self.begun_at + STEP_IN + self.lease.delay)


class Leases:
    """The leases of one peer."""

    def __init__(self) -> None:
        self.importers = False
        """Whether peers are named to bring what comes out into our network."""
        self._held: dict[SegmentKey, dict[tuple[int, bool], _Held]] = {}
        """By the number of the stripe, and whether it is to be imported."""

    def granted(self, leases: Iterable[Lease], now: float) -> None:
        """The tracker has given us these."""
        for lease in leases:
            key = SegmentKey(lease.rendition, lease.sequence)
            self._held.setdefault(key, {})[lease.stripe, lease.imports] = _Held(lease, now)
        while len(self._held) > MOST_SEGMENTS:
            del self._held[next(iter(self._held))]

    def begun(self, key: SegmentKey, stripe: int, now: float) -> None:
        """Another holder has begun to fetch a stripe."""
        held = self._held.get(key, {}).get((stripe, False))
        if held is not None:
            held.begun_at = now

    def segments(self) -> Iterable[SegmentKey]:
        """The segments that we hold a lease for and have not used it."""
        return self._held

    def delay(self, key: SegmentKey) -> float | None:
        """How long after its publication we may first have to fetch some of a segment; None if no
        lease of ours has us fetch it."""
        leases = (held.lease for held in self._held.get(key, {}).values())
        return min((lease.delay for lease in leases if not lease.imports), default=None)

    def views(self, key: SegmentKey, chunks: int, known_at: float) -> list[LeaseView]:
        """What the scheduler has to know of a segment with so many chunks."""
        return [
            LeaseView(
                _stripe(held.lease, chunks),
                held.at(known_at),
                held.begun_at is not None,
                held.lease.delay,
                held.lease.imports,
            )
            for held in self._held.get(key, {}).values()
        ]

    def use(self, key: SegmentKey, chunks: int, fetched: Span) -> list[int]:
        """The chunks ``fetched`` are being fetched; returns the stripes that are so begun."""
        begun = []
        for (stripe, imports), held in self._held.get(key, {}).items():
            if imports:
                continue
            if not held.used and run(*fetched) & _stripe(held.lease, chunks):
                held.used = True
                begun.append(stripe)
        return begun

    def done(self, key: SegmentKey) -> None:
        """The segment is whole; its leases are of no more use."""
        self._held.pop(key, None)


def _stripe(lease: Lease, chunks: int) -> int:
    """The chunks of a lease's stripe."""
    first = lease.stripe * chunks // lease.stripes
    return run(first, (lease.stripe + 1) * chunks // lease.stripes - 1)
