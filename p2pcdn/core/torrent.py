"""A swarm of WebTorrent's clients, its peers and their sockets: all of it bounded.

::

    socket --*-- peer --*-- torrent       a page has one socket, and a peer in each of its swarms
                  '--*-- offers that it was passed, and has not answered
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from msgspec import Struct

from p2pcdn.core.locality import Where
from p2pcdn.core.nearby import LocalCrowd
from p2pcdn.wire.webtorrent import Counts, head_of, quoted

OFFER_LASTS = 60.0
"""Seconds that an answer may take. Clients give an offer up after 50."""
SILENT_AFTER = 10.0
"""Seconds after which a peer that was passed an offer, and has said nothing since, has most likely
gone without a word: a client has found its addresses after five."""
MOST_MET = 64
"""Peers that one remembers to have met; beyond it those met first are forgotten."""


class Pending(Struct, frozen=True, eq=False):
    """An offer that waits for an answer."""

    offerer: Peer
    offer_id: str
    name: bytes
    """The id as JSON."""
    since: float


@dataclass(slots=True, eq=False)
class Socket:
    """An open socket. It may serve many swarms, by a peer id of its own in each."""

    number: int
    home: bytes
    where: Where
    peers: set[Peer] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Peer:
    """Somebody in a swarm."""

    id: str
    socket: Socket
    torrent: Torrent
    heard: float
    """When it last said anything."""
    complete: bool = False
    present: bool = True
    head: bytes = field(init=False)
    """The beginning of what it has to say to others there."""
    where: Where = field(init=False)
    asked: float = inf
    """When it was first passed an offer since then."""
    offers: dict[str, Pending] = field(default_factory=dict)
    """To be answered, by the ids of those who made them, the oldest first."""
    met: dict[str, None] = field(default_factory=dict)
    """With whom it has exchanged an offer and an answer."""

    def __post_init__(self) -> None:
        self.head = head_of(self.torrent.info_hash, self.id)
        self.where = self.socket.where

    def is_silent(self, now: float) -> bool:
        """Whether it looks as if it had gone."""
        return self.asked < now - SILENT_AFTER

    def hear(self, now: float) -> None:
        """It says something."""
        self.heard, self.asked = now, inf

    def may_be_offered(self, offerer: Peer, now: float, most: int) -> bool:
        """Whether it may be passed an offer of somebody who is not waiting for its answer."""
        last = self.offers.get(offerer.id)
        if last is not None:
            return last.since <= now - OFFER_LASTS
        if len(self.offers) >= most:
            self._forget(now - OFFER_LASTS)
        return len(self.offers) < most

    def ask(self, offer: Pending) -> None:
        """It is passed an offer."""
        offers, offerer = self.offers, offer.offerer.id
        if offerer in offers:
            del offers[offerer]  # the new one is the youngest
        offers[offerer] = offer
        if offer.since < self.asked:
            self.asked = offer.since

    def answer(self, offerer: str, offer_id: str | None, now: float) -> Pending | None:
        """It answers an offer: which that is, if it was passed one and may still answer it."""
        offer = self.offers.get(offerer)
        if offer is None or offer.offer_id != offer_id:
            return None
        del self.offers[offerer]
        fresh = offer.since > now - OFFER_LASTS
        return offer if fresh and offer.offerer.present else None

    def meet(self, other: Peer) -> None:
        """The two have been brought together."""
        met, others = self.met, other.met
        met[other.id] = others[self.id] = None
        if len(met) > MOST_MET:
            del met[next(iter(met))]
        if len(others) > MOST_MET:
            del others[next(iter(others))]

    def leave(self) -> None:
        """It has gone; whoever still holds it holds nothing else by it."""
        self.present = False
        self.offers = {}
        self.met = {}

    def _forget(self, before: float) -> None:
        self.offers = {id_: offer for id_, offer in self.offers.items() if offer.since > before}


class Torrent:
    """The peers of one info hash."""

    __slots__ = ("complete", "crowd", "info_hash", "name", "peers")

    def __init__(self, info_hash: str) -> None:
        self.info_hash = info_hash
        self.name = quoted(info_hash)
        """The info hash as JSON."""
        self.peers: dict[str, Peer] = {}
        self.crowd: LocalCrowd[Peer] = LocalCrowd()
        self.complete = 0

    @property
    def counts(self) -> Counts:
        """How many have all, and how many do not."""
        return Counts(self.complete, len(self.peers) - self.complete)

    def add(self, peer: Peer) -> None:
        """Somebody comes, whose id nobody else has there."""
        self.peers[peer.id] = peer
        self.crowd.add(peer)
        self.complete += peer.complete

    def remove(self, peer: Peer) -> None:
        """Somebody who is there goes."""
        del self.peers[peer.id]
        self.crowd.discard(peer)
        self.complete -= peer.complete
        peer.leave()

    def mark(self, peer: Peer, complete: bool) -> None:
        """Whether somebody has all now."""
        self.complete += complete - peer.complete
        peer.complete = complete
