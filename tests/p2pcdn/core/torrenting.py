"""The mind for WebTorrent's clients, and clients that write down what they are told."""

from __future__ import annotations

import json
from ipaddress import ip_address
from random import Random
from typing import Any

from p2pcdn.core.locality import where_of
from p2pcdn.core.torrent_ports import Closed, Dismissed, Opened, Said, TorrentRules
from p2pcdn.core.torrents import Torrents
from p2pcdn.model import home_of

HASH = "Hash of a swarm, 20b"
OTHER = '\x00\x01\xff\xe9\n"\\another hash '[:20].ljust(20, "x")
"""With everything that JSON writes in several ways."""


def offer(text: str = "v=0") -> dict[str, str]:
    return {"type": "offer", "sdp": f"{text}\r\n"}


def ids(name: str) -> str:
    """An id that begins like this."""
    return name.ljust(20, "\xe9")


class World:
    """Sockets, and the mind that they speak to."""

    def __init__(self, rules: TorrentRules | None = None, seed: int = 1) -> None:
        self.rules = rules or TorrentRules()
        self.torrents = Torrents(self.rules, Random(seed))
        self.now = 1000.0
        self.heard: dict[int, list[dict[str, Any]]] = {}
        self.open: set[int] = set()
        self.dismissed: list[Dismissed] = []
        self._sockets = 0
        self._offers = 0

    def connect(self, source: str = "", operator: str = "", region: str = "") -> int:
        """A new socket, from a home and a network of its own unless said."""
        self._sockets += 1
        number = self._sockets
        address = source or f"20.{number // 250}.{number % 250}.1"
        self.heard[number] = []
        self.open.add(number)
        ip = ip_address(address)
        where = where_of(ip, operator, region)
        self.torrents.receive(Opened(number, home_of(ip), where), self.now)
        self._drain()
        return number

    def say(self, socket: int, said: object) -> list[dict[str, Any]]:
        """The socket says something (bytes, or what becomes JSON); what it is told at once."""
        before = len(self.heard[socket])
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.torrents.receive(Said(socket, text), self.now)
        self._drain()
        return self.heard[socket][before:]

    def announce(
        self, socket: int, peer: str, *, offers: int = 0, info_hash: str = HASH, **fields: Any
    ) -> list[dict[str, Any]]:
        """An announce with so many fresh offers."""
        made = []
        for _ in range(offers):
            self._offers += 1
            made.append({"offer": offer(f"{peer} {self._offers}"), "offer_id": self.offer_id})
        message = {"action": "announce", "info_hash": info_hash, "peer_id": ids(peer)}
        return self.say(socket, {"numwant": 50, **message, "offers": made, **fields})

    @property
    def offer_id(self) -> str:
        """Of the last offer."""
        return f"offer {self._offers:014}"

    def join(self, peer: str, offers: int = 0, source: str = "", **fields: Any) -> int:
        """A new socket with a peer that has started."""
        socket = self.connect(source)
        self.announce(socket, peer, offers=offers, event="started", **fields)
        return socket

    def answer(self, socket: int, peer: str, offered: dict[str, Any], **fields: Any) -> None:
        """A client's answer to an offer."""
        said = {
            "action": "announce",
            "info_hash": offered["info_hash"],
            "peer_id": ids(peer),
            "to_peer_id": offered["peer_id"],
            "offer_id": offered["offer_id"],
            "answer": {"type": "answer", "sdp": f"to {offered['offer']['sdp']}"},
        }
        self.say(socket, said | fields)

    def close(self, socket: int) -> None:
        self.open.discard(socket)
        self.torrents.receive(Closed(socket), self.now)
        self._drain()

    def wait(self, seconds: float) -> None:
        """Time passes; every timer on the way fires at its time."""
        until = self.now + seconds
        while (due := self.torrents.timer_at()) is not None and due <= until:
            self.now = max(self.now, due)
            self.torrents.on_timer(self.now)
            self._drain()
        self.now = until

    def _drain(self) -> None:
        for tell in self.torrents.take_messages():
            assert tell.socket in self.open, f"{tell.text!r} for a socket that is gone"
            self.heard[tell.socket].append(json.loads(tell.text))
        self.dismissed += self.torrents.take_events()

    # Looking

    def offers(self, socket: int) -> list[dict[str, Any]]:
        """The offers that it was passed."""
        return [said for said in self.heard[socket] if "offer" in said]

    def answers(self, socket: int) -> list[dict[str, Any]]:
        """The answers that it was passed."""
        return [said for said in self.heard[socket] if "answer" in said]

    def counts(self, info_hash: str = HASH) -> tuple[int, int]:
        """Complete and incomplete ones, as a scrape tells."""
        socket = self.connect()
        (told,) = self.say(socket, {"action": "scrape", "info_hash": info_hash})
        self.close(socket)
        file = told["files"][info_hash]
        return file["complete"], file["incomplete"]
