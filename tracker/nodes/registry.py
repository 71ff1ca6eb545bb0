"""Who is there: each node says so, over and over, and is gone when it does not.

::

    absent --its record is in the store--> there --no record (it lasts `LASTS`)--> absent
                                             |  ^
                            its line broke   v  |  a later word, or a new line
                                           doubted

Where a content is at home follows from who is there (`p2pcdn.core.homes`). A store that was away
may have lost all records, and whose come back first is a matter of chance: until they had time to,
those who were there before are taken to be there still.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from p2pcdn.config import split_address
from p2pcdn.core.homes import home_of
from p2pcdn.errors import ConfigError
from tracker.nodes.store import PREFIX, Batch

BEAT = 0.5
"""Seconds between two words from a node."""

LASTS = 2.0
"""Seconds for which a word is good."""

FORGET = 60.0
"""Seconds after which an absent node's name is taken off the list."""

TRUST = 3.0
"""Seconds that records have to come back after the store was away."""

_NAMES = f"{PREFIX}nodes"

log = structlog.get_logger("p2pcdn.tracker")


class Node(msgspec.Struct, frozen=True):
    """What a node says of itself."""

    url: str
    """Where viewers reach its socket: what it is known by."""
    exchange: str | None = None
    """HOST:PORT by which other nodes reach it, if they may."""
    ledger: str = ""
    """The id of its ledger."""
    beats: int = 0
    """How often it has said so."""


class Registry:
    """Says that we are there, and knows who else is."""

    def __init__(self, node: Node) -> None:
        self._me = node
        self._nodes: dict[str, Node] = {}
        """Of whom there was a record at the last look."""
        self._names: set[str] = {node.url}
        """Whose record is looked for."""
        self._found: dict[str, Node] = {}
        self._missed: dict[str, float] = {}
        """Since when there is none of somebody whose name is there."""
        self._doubted: dict[str, int | None] = {}
        """Whose line broke, and how many beats there were at the first look after that."""
        self._looks_at: frozenset[str] = frozenset()
        """Who was doubted when this look began."""
        self._there: dict[str, Node] = {node.url: node}
        self._sorted: Sequence[str] = (node.url,)
        self._trusts_until = 0.0
        self._rival = False

    @property
    def there(self) -> Mapping[str, Node]:
        """Those who are there, by their URLs; we always are."""
        return self._there

    @property
    def known(self) -> Mapping[str, Node]:
        """Those, and others whose line broke."""
        return self._nodes

    @property
    def rivals(self) -> Sequence[str]:
        """By what others say that they are we: our URL, or that of a node with our ledger."""
        found = [url for url, node in self._nodes.items() if node.ledger == self._me.ledger]
        return [*([self._me.url] if self._rival else []), *found]

    def home(self, key: bytes) -> str:
        """Who thinks for what this is the key of."""
        return home_of(key, self._sorted) if len(self._sorted) > 1 else self._sorted[0]

    def next_home(self, key: bytes) -> str | None:
        """Who will once we are gone; None if there is nobody else."""
        others = [url for url in self._sorted if url != self._me.url]
        return home_of(key, others) if others else None

    # A look

    def ask(self, batch: Batch) -> None:
        """Say that we are there, and look who else is."""
        me = self._me = msgspec.structs.replace(self._me, beats=self._me.beats + 1)
        self._found = {}
        self._looks_at = frozenset(self._doubted)
        batch.ask("GET", _record(me.url), then=self._ours)
        batch.ask("SET", _record(me.url), msgspec.json.encode(me), "PX", int(LASTS * 1000))
        batch.ask("SADD", _NAMES, me.url)
        for url in self._names - {me.url}:
            batch.ask("GET", _record(url), then=partial(self._theirs, url))
        batch.ask("SMEMBERS", _NAMES, then=self._named)

    def looked(self, now: float) -> bool:
        """All answers have come; whether others are there than before."""
        nodes = self._found
        self._missed = {
            url: self._missed.get(url, now)
            for url in self._names
            if url not in nodes and url != self._me.url
        }
        if now < self._trusts_until:
            nodes = self._nodes | nodes
        self._nodes = nodes
        for url in self._looks_at & self._doubted.keys():
            node, beats = nodes.get(url), self._doubted[url]
            if node is None or beats not in (None, node.beats):
                del self._doubted[url]
            else:
                self._doubted[url] = node.beats
        return self._settle()

    def away(self, now: float) -> None:
        """The store did not answer: whom we know is believed until records had time to be back."""
        self._trusts_until = now + TRUST

    def doubt(self, url: str) -> bool:
        """Our line to a node broke; whether others are there than before."""
        if url in self._nodes:
            self._doubted[url] = None
        return self._settle()

    def trust(self, url: str) -> bool:
        """We have a line to a node; whether others are there than before."""
        self._doubted.pop(url, None)
        return self._settle()

    def leave(self, batch: Batch) -> None:
        """Say that we are gone."""
        batch.ask("DEL", _record(self._me.url))
        batch.ask("SREM", _NAMES, self._me.url)

    def forget(self, batch: Batch, now: float) -> None:
        """Take off the list who has not been seen for long."""
        for url, since in self._missed.items():
            if now - since > FORGET:
                batch.ask("SREM", _NAMES, url)

    def _settle(self) -> bool:
        there = {url: node for url, node in self._nodes.items() if url not in self._doubted}
        there[self._me.url] = self._me
        before, self._there = set(self._there), there
        if before == set(there):
            return False
        self._sorted = tuple(sorted(there))
        came, went = sorted(set(there) - before), sorted(before - set(there))
        log.info("nodes", came=came, went=went, there=len(there))
        return True

    # Answers

    def _ours(self, answer: bytes | None) -> None:
        node = _node(answer)
        self._rival = node is not None and node.ledger != self._me.ledger

    def _theirs(self, url: str, answer: bytes | None) -> None:
        node = _node(answer)
        if node is not None:
            self._found[url] = node

    def _named(self, answer: Any) -> None:
        self._names = {self._me.url}
        for name in answer:
            with contextlib.suppress(UnicodeDecodeError):  # that is nobody's
                self._names.add(name.decode())


def _record(url: str) -> str:
    return f"{PREFIX}node:{url}"


def _node(answer: bytes | None) -> Node | None:
    """A record; None if there is none, or none that we understand."""
    try:
        node = None if answer is None else msgspec.json.decode(answer, type=Node)
    except msgspec.DecodeError:
        return None
    if node is not None and node.exchange is not None:
        try:
            split_address(node.exchange)
        except ConfigError:
            return msgspec.structs.replace(node, exchange=None)
    return node
