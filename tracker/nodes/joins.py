"""How many came from an address, at all nodes together: roughly, and nobody waits for it.

Each node adds what came to it to a sum of the minute, which tells it what came to all. Addresses of
which there is little are not worth the words: one that spreads over many nodes gets a share of its
bound more for each. What is told of an address is a hash of it, by a secret of the nodes': nobody
who looks into the store learns who was here.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable
from functools import partial

from tracker.nodes.store import PREFIX, Batch

TELLING = 10
"""An address of which a node saw a tenth of what it may have in a minute is spoken of."""

KEPT = 180
"""Seconds that the store keeps a minute's sums."""

MOST = 1000
"""Addresses that are spoken of in one batch."""

_HASH = 12


class Joins:
    """Counts them."""

    def __init__(self, node: str, a_minute: float, heard: Callable[[bytes, int], None]) -> None:
        """``node`` is our URL, ``a_minute`` what an address may have; ``heard`` is told of joins
        elsewhere, as there are more."""
        self._node = node
        self._told_from = max(1, int(a_minute / TELLING))
        self._heard = heard
        self._minute = 0
        self._here: Counter[bytes] = Counter()
        """Of this minute."""
        self._told: Counter[bytes] = Counter()
        """How many of them the store knows of."""
        self._elsewhere: Counter[bytes] = Counter()

    def joined(self, address: bytes, unix: float) -> None:
        """Somebody came from there, at this many seconds since 1970."""
        self._begin(int(unix // 60))
        self._here[address] += 1

    def ask(self, batch: Batch, secret: bytes, unix: float) -> None:
        """Tell how many came here, and hear how many everywhere; ``secret`` is the nodes'."""
        self._begin(int(unix // 60))
        minute = self._minute
        key = f"{PREFIX}joins:{minute}"
        many = [address for address, joins in self._here.items() if joins >= self._told_from]
        for address in many[:MOST]:
            new = self._here[address] - self._told[address]
            name = hmac.digest(secret, address, "sha256")[:_HASH]
            ours = name + self._node.encode()
            answers = _Answers(partial(self._learn, minute, address))
            batch.ask("HINCRBY", key, name, new, then=answers.all)
            batch.ask("HINCRBY", key, ours, new, then=answers.of_node)
            self._told[address] += new  # if it is lost, fewer are known of: twice would be worse
        if many:
            batch.ask("EXPIRE", key, KEPT)

    def _begin(self, minute: int) -> None:
        """Forget what was of another minute, told or not."""
        if minute != self._minute:
            self._minute = minute
            for counter in (self._here, self._told, self._elsewhere):
                counter.clear()

    def _learn(self, minute: int, address: bytes, elsewhere: int) -> None:
        if minute != self._minute:
            return
        more = elsewhere - self._elsewhere[address]
        if more > 0:
            self._elsewhere[address] = elsewhere
            self._heard(address, more)


class _Answers:
    """Two of them, of which what counts is the difference."""

    __slots__ = ("_all", "_then")

    def __init__(self, then: Callable[[int], None]) -> None:
        self._all = 0
        self._then = then

    def all(self, answer: int) -> None:
        """Of all nodes."""
        self._all = answer

    def of_node(self, answer: int) -> None:
        """Of ours."""
        self._then(self._all - answer)
