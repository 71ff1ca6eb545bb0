"""Two hours of clients that come, go, vanish and come back, on a virtual clock.

What the mind says of its swarms is held against what the clients have said: whoever is there, or
left without a word less than two intervals ago.
"""

from __future__ import annotations

import gc
import heapq
import sys
from collections.abc import Callable
from functools import partial
from itertools import count
from random import Random
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from p2pcdn.core.torrent_ports import TorrentRules
from p2pcdn.core.torrents import TICK
from tests.p2pcdn.core.torrenting import World, ids

HASHES = ("one swarm of a page ", "another one it has  ")
VIEWERS = 60
INTERVAL = 120
LASTS = 2.0 * INTERVAL
STAY = 400.0


class Viewer:
    """A page: one socket, a peer in a swarm or two."""

    def __init__(self, socket: int, peers: dict[str, str], seed: bool) -> None:
        self.socket = socket
        self.peers = peers
        """Their ids by info hash."""
        self.seed = seed
        self.here = True


class Word(NamedTuple):
    """What a peer has said last."""

    at: float
    socket: int
    seed: bool


class Churn:
    """The pages, and what the mind should know of them."""

    def __init__(self) -> None:
        self.world = World(TorrentRules(interval=INTERVAL), seed=7)
        self.rng = Random(11)
        self.words: dict[tuple[str, str], Word] = {}
        """By info hash and id, of all who have not said goodbye and whose socket has not closed."""
        self.by_socket: dict[int, Viewer] = {}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._serials = count()
        for _ in range(VIEWERS):
            self.come()

    def at(self, delay: float, do: Callable[..., None], *arguments: object) -> None:
        act: Callable[[], None] = partial(do, *arguments)
        heapq.heappush(self._agenda, (self.world.now + delay, next(self._serials), act))

    def run(self, seconds: float) -> None:
        until = self.world.now + seconds
        while self._agenda and self._agenda[0][0] <= until:
            at, _, do = heapq.heappop(self._agenda)
            self.world.wait(at - self.world.now)
            do()
        self.world.wait(until - self.world.now)

    # What pages do

    def come(self) -> None:
        number = next(self._serials)
        hashes = self.rng.sample(HASHES, self.rng.choice((1, 2)))
        socket = self.world.connect(f"10.0.{number % 40}.1")
        peers = dict.fromkeys(hashes, f"{number}")
        viewer = self.by_socket[socket] = Viewer(socket, peers, self.rng.random() < 0.2)
        for info_hash in hashes:
            self.announce(viewer, info_hash, "started")
        self.at(self.rng.expovariate(1 / STAY), self.go, viewer)
        if self.rng.random() < 0.3:
            self.at(self.rng.uniform(1, STAY), self.change_rendition, viewer)
        if self.rng.random() < 0.2:
            self.at(self.rng.uniform(1, STAY), self.come_back, viewer)

    def announce(self, viewer: Viewer, info_hash: str, event: str | None = None) -> None:
        if viewer.here and info_hash in viewer.peers:
            self.say(viewer, info_hash, event, 3)
            self.at(INTERVAL, self.announce, viewer, info_hash)

    def say(self, viewer: Viewer, info_hash: str, event: str | None, offers: int) -> None:
        peer, left = viewer.peers[info_hash], 0 if viewer.seed else None
        self.world.announce(
            viewer.socket, peer, offers=offers, info_hash=info_hash, event=event, left=left
        )
        self.words[info_hash, peer] = Word(self.world.now, viewer.socket, viewer.seed)
        self.read()

    def read(self) -> None:
        """Whoever was passed an offer answers it in a moment; some never do."""
        for socket, told in self.world.heard.items():
            for said in told:
                if "offer" in said and self.rng.random() < 0.9:
                    self.at(self.rng.uniform(0.1, 2), self.answer, socket, said)
            told.clear()

    def answer(self, socket: int, offer: dict[str, Any]) -> None:
        viewer = self.by_socket.get(socket)
        peer = "" if viewer is None else viewer.peers.get(offer["info_hash"], "")
        word = self.words.get((offer["info_hash"], peer))
        if word is not None and word.socket == socket and word.at > self.world.now - LASTS + TICK:
            self.world.answer(socket, peer, offer)
            self.words[offer["info_hash"], peer] = word._replace(at=self.world.now)

    def change_rendition(self, viewer: Viewer) -> None:
        """It leaves one swarm without a word, and its socket lives on."""
        if len(viewer.peers) > 1:
            viewer.peers.popitem()

    def come_back(self, viewer: Viewer) -> None:
        """By a new socket, before the old one closes."""
        if viewer.here:
            old, viewer.socket = viewer.socket, self.world.connect("10.9.9.9")
            self.by_socket[viewer.socket] = self.by_socket.pop(old)
            for info_hash in viewer.peers:
                self.say(viewer, info_hash, None, 0)
            self.at(self.rng.uniform(0, 300), self.close, old)

    def go(self, viewer: Viewer) -> None:
        """Half of them say so; of others the socket closes at once, or in a while."""
        viewer.here = False
        manner = self.rng.random()
        if manner < 0.5:
            for info_hash, peer in viewer.peers.items():
                self.world.announce(viewer.socket, peer, info_hash=info_hash, event="stopped")
                del self.words[info_hash, peer]
            viewer.peers.clear()
        self.at(0 if manner < 0.8 else self.rng.uniform(0, 600), self.close, viewer.socket)
        self.come()

    def close(self, socket: int) -> None:
        self.by_socket.pop(socket, None)
        self.words = {key: word for key, word in self.words.items() if word.socket != socket}
        self.world.close(socket)
        del self.world.heard[socket]

    # What the mind says

    def check(self) -> int:
        """How many ghosts it counts: all of them younger than two intervals."""
        now = self.world.now
        counted = {
            (peer.torrent.info_hash, peer.id): peer
            for torrent in self.world.torrents._torrents.values()
            for peer in torrent.peers.values()
        }
        certain = {
            (info_hash, ids(peer)): word
            for (info_hash, peer), word in self.words.items()
            if word.at > now - LASTS + TICK
        }
        assert certain.keys() <= counted.keys()
        assert all(counted[key].complete is word.seed for key, word in certain.items())
        uncertain = counted.keys() - certain.keys()
        assert all(counted[key].heard > now - LASTS for key in uncertain)
        for info_hash in HASHES:
            there = [peer for (of, _), peer in counted.items() if of == info_hash]
            complete = sum(peer.complete for peer in there)
            assert self.world.counts(info_hash) == (complete, len(there) - complete)
        here = {
            (info_hash, ids(peer))
            for viewer in self.by_socket.values()
            if viewer.here
            for info_hash, peer in viewer.peers.items()
        }
        assert here <= counted.keys()
        return len(counted.keys() - here)


def weight(root: object) -> int:
    """Bytes of all that an object holds on to."""
    seen: set[int] = set()
    left, size = [root], 0
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        size += sys.getsizeof(thing)
        left += gc.get_referents(thing)
    return size


def test_two_hours_of_churn() -> None:
    churn = Churn()
    ghosts, weights = [], []
    for minute in range(120):
        churn.run(60)
        ghosts.append(churn.check())
        if minute % 5 == 0:
            weights.append(weight(churn.world.torrents))
    tally = churn.world.torrents.tally
    assert tally.announces > 5000
    assert tally.answers > 5000
    assert tally.refused == 0
    assert tally.expired > 100
    assert 0 < sum(ghosts) / len(ghosts) < VIEWERS / 2
    # Of whom a home has met it is known for an hour.
    assert max(weights[15:]) < 1.25 * max(weights[3:15])
    for socket in list(churn.world.open):
        churn.close(socket)
    assert churn.world.torrents._torrents == {}
    assert len(churn.world.torrents._wheel) == 0
