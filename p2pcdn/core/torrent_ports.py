"""What goes into the mind for WebTorrent's clients and what comes out of it.

`Input` is the closed union that `Torrents.receive` takes, `Tell` is what `Torrents.take_messages`
gives, `Dismissed` what `Torrents.take_events` does. A *socket* is a number that the shell gives
out, once each.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from msgspec import Struct

from p2pcdn.core.locality import Costs, Where
from p2pcdn.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class TorrentRules:
    """What a client may have and do; the settings of the tracker explain each."""

    info_hashes: frozenset[str] = frozenset()
    """The swarms that there may be; empty: any."""
    interval: int = 120
    """Seconds between two announces of a peer."""
    offers: int = 10
    """Of one announce, that are passed on."""
    pending_offers: int = 16
    """That one peer may have to answer."""
    peers_per_hour: int = 60
    """Other homes that one home learns of."""
    local_share: float = 0.75
    """Of those whom one announce reaches, how many are the nearest there are."""
    prefix_share: float = 0.25
    """Of those whom one announce reaches, how many may be of one network, if there are others."""
    swarms_per_socket: int = 128
    peers_per_address: int = 10_000
    """In all swarms together."""

    @property
    def lasts(self) -> float:
        """Seconds after which a peer that says nothing is gone: it may be late once."""
        return 2.0 * self.interval


# Inputs


class Opened(NamedTuple):
    """A socket is open."""

    socket: int
    home: bytes
    """The address that it comes from, as `p2pcdn.model.home_of` has it."""
    where: Where


class Said(Struct, frozen=True, gc=False):
    """A client's message, as it came."""

    socket: int
    text: bytes


class Closed(NamedTuple):
    """The socket is gone."""

    socket: int


class Mapped(NamedTuple):
    """What it costs to go from one region to another, from now on."""

    costs: Costs


Input = Opened | Said | Closed | Mapped


# Outputs


class Tell(Struct, frozen=True, gc=False):
    """A message, text in UTF-8."""

    socket: int
    text: bytes


class Dismissed(NamedTuple):
    """Close this socket: nobody has been there for long."""

    socket: int
    code: ErrorCode


@dataclass(slots=True)
class Tally:
    """How many messages of each kind there have been."""

    announces: int = 0
    scrapes: int = 0
    refused: int = 0
    """What clients said that was wrong, or more than they may."""
    offers: int = 0
    """Passed on."""
    answers: int = 0
    """Passed on."""
    strays: int = 0
    """Answers to no offer that was passed on, or to somebody who has gone: they are dropped."""
    expired: int = 0
    """Peers that left without a word."""

    def add(self, other: Tally) -> None:
        """Add those that another has counted."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
