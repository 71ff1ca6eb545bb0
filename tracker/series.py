"""The last minutes, second by second: what came from where."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from msgspec import Struct

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger_ports import Summary

EVERY = 1.0
"""Seconds between two samples."""
LASTS = 900
"""Samples that are kept: a quarter of an hour."""


class Sample(Struct, frozen=True, kw_only=True):
    """One second. Peers report every few seconds, so their bytes come in steps."""

    at: float
    """Seconds since 1970."""
    origin_bytes: int
    least_bytes: int
    """Of these, what it had to send."""
    elsewhere_bytes: int
    """As viewers report it."""
    peer_bytes: int
    """Confirmed."""
    claimed_bytes: int
    disputed_bytes: int
    edge_bytes: int
    waste_bytes: int
    overhead_bytes: int
    links_attempted: int
    links_made: int
    links_failed: int
    viewers: int
    offload: float | None
    """Of everything so far, as in the summary."""


class Series:
    """A ring of samples, each known by its number."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=LASTS)
        self._last: Amounts | None = None
        self.count = 0
        """How many samples there have ever been."""

    def add(self, summary: Summary, total: Amounts, at: float) -> None:
        """Note how far things are: in all, and what this run has seen, whose steps are the samples.
        The first call only sets the mark to count from."""
        before, self._last = self._last, total
        if before is None:
            return
        self.count += 1
        self._samples.append(
            Sample(
                at=at,
                origin_bytes=total.origin_bytes - before.origin_bytes,
                least_bytes=total.least_bytes - before.least_bytes,
                elsewhere_bytes=total.elsewhere_bytes - before.elsewhere_bytes,
                peer_bytes=total.peer_bytes_confirmed - before.peer_bytes_confirmed,
                claimed_bytes=total.peer_bytes_claimed - before.peer_bytes_claimed,
                disputed_bytes=total.peer_bytes_disputed - before.peer_bytes_disputed,
                edge_bytes=total.edge_bytes - before.edge_bytes,
                waste_bytes=total.waste_bytes - before.waste_bytes,
                overhead_bytes=total.overhead_bytes - before.overhead_bytes,
                links_attempted=total.links_attempted - before.links_attempted,
                links_made=total.links_made - before.links_made,
                links_failed=total.links_failed - before.links_failed,
                viewers=summary.viewers,
                offload=summary.offload,
            )
        )

    def since(self, number: int) -> Sequence[Sample]:
        """The samples after the first ``number`` ones, as far as they are kept."""
        new = min(self.count - number, len(self._samples))
        return list(self._samples)[len(self._samples) - new :]
