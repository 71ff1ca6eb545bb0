"""The mind for WebTorrent's clients: who is in which swarm, whose offer goes to whom.

::

    a socket:  opened --announce--> a peer in that swarm --stopped, silent for two intervals,-->
                  |                                        its id comes back elsewhere
                  '--closed, or nobody there for two intervals--> gone, and its peers

Each offer of an announce goes to another peer of the swarm, and an answer back to whoever made the
offer, and to nobody else: an answer to anything but an offer that was passed on is dropped.

Clients say so little that much has to be seen: a page that changes the rendition says nothing to
the swarm that it leaves, while its socket lives on; one that comes back uses its old id before its
old socket has closed. And since many swarms share a socket, nothing that a client does wrong closes
it: it is told what would be right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from p2pcdn.core.acquaintances import Acquaintances
from p2pcdn.core.partners import Partners
from p2pcdn.core.torrent import Peer, Pending, Socket, Torrent
from p2pcdn.core.torrent_ports import (
    Closed,
    Dismissed,
    Input,
    Opened,
    Said,
    Tally,
    Tell,
    TorrentRules,
)
from p2pcdn.core.wheel import Wheel
from p2pcdn.errors import ErrorCode
from p2pcdn.wire.webtorrent import (
    Action,
    Announce,
    Counts,
    Offer,
    RequestError,
    Scrape,
    answered,
    counted,
    decode,
    offered,
    quoted,
    scraped,
)

TICK = 1.0
"""Peers go up to so many seconds before their time is over, and never after it."""


class Torrents:
    """All swarms of WebTorrent's clients. ``rng`` picks among equals."""

    def __init__(self, rules: TorrentRules, rng: Random) -> None:
        self._rules = rules
        self._sockets: dict[int, Socket] = {}
        self._torrents: dict[str, Torrent] = {}
        self._acquaintances = Acquaintances(rules.peers_per_hour)
        self._partners = Partners(rules, rng, self._acquaintances)
        self._at_home: Counter[bytes] = Counter()
        """Peers of each home."""
        self._wheel: Wheel[Peer | Socket] = Wheel(TICK)
        self._messages: list[Tell] = []
        self._events: list[Dismissed] = []
        self.tally = Tally()

    @property
    def swarms(self) -> int:
        """How many there are now."""
        return len(self._torrents)

    @property
    def peers(self) -> int:
        """How many there are now, in all swarms together."""
        return self._at_home.total()

    # The five verbs

    def receive(self, message: Input, now: float) -> None:
        if isinstance(message, Said):
            socket = self._sockets.get(message.socket)
            if socket is not None:  # else it was dismissed, and has not heard of it yet
                self._hear(socket, message.text, now)
        elif isinstance(message, Opened):
            socket = Socket(*message)
            self._sockets[socket.number] = socket
            self._wheel.put(socket, now + self._rules.lasts)
        elif isinstance(message, Closed):
            self._close(message, now)
        else:
            self._partners.costs = message.costs

    def timer_at(self) -> float | None:
        return self._wheel.next_at()

    def on_timer(self, now: float) -> None:
        for subject in self._wheel.due(now):
            if isinstance(subject, Socket):
                self._events.append(Dismissed(subject.number, ErrorCode.TIMEOUT))
                del self._sockets[subject.number]
                continue
            until = subject.heard + self._rules.lasts
            if until >= now + TICK:
                self._wheel.put(subject, until)
            else:
                self.tally.expired += 1
                self._remove(subject, now)

    def take_messages(self) -> list[Tell]:
        messages, self._messages = self._messages, []
        return messages

    def take_events(self) -> list[Dismissed]:
        events, self._events = self._events, []
        return events

    # What a client says

    def _hear(self, socket: Socket, text: bytes, now: float) -> None:
        try:
            said = decode(text)
            if isinstance(said, Scrape):
                self._scrape(socket, said)
            elif said.to_peer_id is not None and said.answers:
                self._answer(socket, said, said.to_peer_id, now)
            else:
                self._announce(socket, said, now)
        except RequestError as error:
            self.tally.refused += 1
            self._messages.append(Tell(socket.number, error.answer))

    def _announce(self, socket: Socket, said: Announce, now: float) -> None:
        self.tally.announces += 1
        torrent = self._torrents.get(said.info_hash)
        peer = None if torrent is None else torrent.peers.get(said.peer_id)
        if said.event == "stopped":
            if peer is not None and peer.socket is socket:
                self._remove(peer, now)
            counts = Counts(0, 0) if torrent is None else torrent.counts
            text = counted(quoted(said.info_hash), self._rules.interval, counts)
            self._messages.append(Tell(socket.number, text))
            return
        if torrent is None or peer is None or peer.socket is not socket:
            peer = self._join(socket, said, peer, now)
            torrent = peer.torrent
        else:
            peer.hear(now)
            if said.has_all is not None:
                torrent.mark(peer, said.has_all)
        offers, most = said.wanted, self._rules.offers
        warning = ""
        if len(offers) > most:
            warning = f"of {len(offers)} offers {most} are passed on: more only cost time"
        self._messages.append(
            Tell(
                socket.number, counted(torrent.name, self._rules.interval, torrent.counts, warning)
            )
        )
        if offers:
            self._pass_on(peer, offers[:most], now)

    def _answer(self, socket: Socket, said: Announce, offerer: str, now: float) -> None:
        torrent = self._torrents.get(said.info_hash)
        peer = None if torrent is None else torrent.peers.get(said.peer_id)
        if torrent is None or peer is None or peer.socket is not socket:
            self.tally.strays += 1
            return
        peer.hear(now)
        offer = peer.answer(offerer, said.offer_id, now)
        if offer is None:
            self.tally.strays += 1
            return
        self.tally.answers += 1
        to = offer.offerer
        peer.meet(to)
        text = answered(peer.head, offer.name, said.answer)
        self._messages.append(Tell(to.socket.number, text))

    def _scrape(self, socket: Socket, said: Scrape) -> None:
        self.tally.scrapes += 1
        for info_hash in said.info_hashes:
            self._check_allowed(info_hash, "scrape")
        nobody = Counts(0, 0)
        found = [
            (info_hash, nobody if torrent is None else torrent.counts)
            for info_hash in said.info_hashes
            for torrent in (self._torrents.get(info_hash),)
        ]
        self._messages.append(Tell(socket.number, scraped(found, self._rules.interval)))

    def _check_allowed(self, info_hash: str, action: Action) -> None:
        allowed = self._rules.info_hashes
        if allowed and info_hash not in allowed:
            raise RequestError(
                action,
                info_hash,
                "this tracker serves certain swarms alone, and this is none of them: its operator "
                "names them in tracker.webtorrent.info_hashes",
            )

    # Coming and going

    def _join(self, socket: Socket, said: Announce, former: Peer | None, now: float) -> Peer:
        """Somebody comes, or comes back by another socket: then the former one is he, and gone."""
        info_hash, rules = said.info_hash, self._rules
        self._check_allowed(info_hash, "announce")
        if len(socket.peers) >= rules.swarms_per_socket:
            raise RequestError(
                "announce",
                info_hash,
                f"this socket is in {len(socket.peers)} swarms, which is the limit: leave some "
                "first (`stopped`), or open another",
            )
        moves = former is not None and former.socket.home == socket.home
        if self._at_home[socket.home] - moves >= rules.peers_per_address:
            raise RequestError(
                "announce",
                info_hash,
                f"{rules.peers_per_address} peers are in swarms from this address, which is the "
                "limit: some have to leave first",
            )
        if former is not None:
            self._remove(former, now)
        torrent = self._torrents.get(info_hash)
        if torrent is None:
            torrent = self._torrents[info_hash] = Torrent(info_hash)
        peer = Peer(said.peer_id, socket, torrent, now, bool(said.has_all))
        torrent.add(peer)
        if not socket.peers:
            self._wheel.drop(socket)
            self._acquaintances.came(socket.home, now)
        socket.peers.add(peer)
        self._at_home[socket.home] += 1
        self._wheel.put(peer, now + rules.lasts)
        return peer

    def _remove(self, peer: Peer, now: float) -> None:
        torrent, socket = peer.torrent, peer.socket
        torrent.remove(peer)
        if not torrent.peers:
            del self._torrents[torrent.info_hash]
        self._wheel.drop(peer)
        self._at_home[socket.home] -= 1
        if not self._at_home[socket.home]:
            del self._at_home[socket.home]
        socket.peers.discard(peer)
        if not socket.peers:
            self._acquaintances.went(socket.home, now)
            if socket.number in self._sockets:
                self._wheel.put(socket, now + self._rules.lasts)

    def _close(self, message: Closed, now: float) -> None:
        socket = self._sockets.pop(message.socket, None)
        if socket is not None:  # else it was dismissed
            self._wheel.drop(socket)
            for peer in list(socket.peers):
                self._remove(peer, now)

    def _pass_on(self, peer: Peer, offers: Sequence[Offer], now: float) -> None:
        """Each offer goes to another peer, as long as there are any."""
        others = self._partners.choose(peer, len(offers), now)
        head, messages = peer.head, self._messages
        for other, made in zip(others, offers, strict=False):
            id_ = made.offer_id
            name = quoted(id_)
            other.ask(Pending(peer, id_, name, now))
            messages.append(Tell(other.socket.number, offered(head, name, made.offer)))
        self.tally.offers += len(others)
