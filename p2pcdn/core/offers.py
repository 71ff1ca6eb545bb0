"""Records of live segments that others offer, until signature and roots have been checked.

An offer is believed as a whole or not at all::

    offered --a Verify for each signature,------> all true:  proved
              a Check for each segment            one false: Forged, the sender is to blame
                                                  no answer: nothing, nobody knows whose fault

Nothing is used, and nothing is passed on, before it is proved. Another offer of the same segments
is looked at as well, unless it is the very same: a forgery must not keep the genuine one away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from p2pcdn.core.ports import Check, Verify
from p2pcdn.model import HASH_SIZE
from p2pcdn.wire.manifest import (
    Algorithm,
    Records,
    from_base64,
    root_input,
    signed_bytes,
    split_hashes,
)

ANSWER_TIMEOUT = 5.0
"""Anything but a clear yes by then is a no."""
MOST_PENDING = 8
"""Offers that may wait for their answers; a shell gives them within milliseconds."""


@dataclass(frozen=True, slots=True)
class Forged:
    """Records that the origin never signed, or hashes that do not give its roots.

    ``link`` is None if they came over the tracker's socket.
    """

    link: int | None


class Proof(NamedTuple):
    """What a signature of the origin's can be verified with."""

    algorithm: Algorithm
    key: bytes
    signature: bytes


@dataclass(slots=True)
class Offer:
    """Records, the hashes of each segment, and who brought them."""

    records: Records
    hashes: list[list[bytes]]
    link: int | None
    until: float
    unanswered: set[int]
    """Numbers of the checks that have not been answered."""


class Offers:
    """The offers for one rendition that are neither proved nor refused."""

    def __init__(self, numbers: count[int]) -> None:
        self._numbers = numbers
        self._pending: list[Offer] = []
        self._events: list[Verify | Check | Forged] = []

    def covers(self, sequence: int) -> bool:
        """Whether a segment may become known in a moment."""
        return any(
            sequence == record.sequence
            for offer in self._pending
            for record in offer.records.page.segments
        )

    def take(self, records: Records, proofs: Sequence[Proof], link: int | None, now: float) -> None:
        """Look at an offer, with a proof (at least one) for each signature that it has."""
        if len(self._pending) >= MOST_PENDING or any(o.records == records for o in self._pending):
            return
        lists = split_hashes(from_base64(records.hashes) or b"", records.page.segments)
        if lists is None:
            self._events.append(Forged(link))
            return
        hashes = [_split(joined) for joined in lists]
        offer = Offer(records, hashes, link, now + ANSWER_TIMEOUT, set())
        self._pending.append(offer)
        self._verify(offer, proofs)
        self._check(offer)

    # The five verbs

    def checked(self, check: int, ok: bool) -> Offer | None:
        """The answer to one of our checks; returns the offer that is proved by it."""
        offer = next((o for o in self._pending if check in o.unanswered), None)
        if offer is None:
            return None
        offer.unanswered.discard(check)
        if ok and offer.unanswered:
            return None
        self._pending.remove(offer)
        if ok:
            return offer
        self._events.append(Forged(offer.link))
        return None

    def timer_at(self) -> float | None:
        return min((offer.until for offer in self._pending), default=None)

    def on_timer(self, now: float) -> None:
        self._pending = [offer for offer in self._pending if offer.until > now]

    def take_events(self) -> list[Verify | Check | Forged]:
        events, self._events = self._events, []
        return events

    # Asking the shell

    def _number(self, offer: Offer) -> int:
        number = next(self._numbers)
        offer.unanswered.add(number)
        return number

    def _verify(self, offer: Offer, proofs: Sequence[Proof]) -> None:
        data = signed_bytes(offer.records.page)
        for algorithm, key, signature in proofs:
            self._events.append(Verify(self._number(offer), algorithm, data, key, signature))

    def _check(self, offer: Offer) -> None:
        page = offer.records.page
        for record, hashes in zip(page.segments, offer.hashes, strict=True):
            data = root_input(page.content, page.rendition, record.sequence, record.length, hashes)
            self._events.append(Check(self._number(offer), data, bytes.fromhex(record.root)))


def _split(joined: bytes) -> list[bytes]:
    return [joined[at : at + HASH_SIZE] for at in range(0, len(joined), HASH_SIZE)]
