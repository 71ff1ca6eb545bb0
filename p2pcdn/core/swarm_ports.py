"""What goes into the tracker's mind and what comes out of it.

`Input` is the closed union that `Swarms.receive` takes; `Tell` is what `Swarms.take_messages`
gives, `SwarmEvent` the closed union of `Swarms.take_events`. A *socket* is a number that the shell
gives out, once each; ids of peers and pairings are the mind's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from p2pcdn.core.access import Site, Sites, Visitor
from p2pcdn.core.blame import ENOUGH
from p2pcdn.core.locality import Costs
from p2pcdn.errors import ErrorCode
from p2pcdn.model import Mode
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import FromTracker, Report, ToTracker

SILENT = "no STUN answer"
"""What is said of peers who were told of a STUN server, and tell of no address that it saw."""

LEAST_ALIKE = 2
"""Neighbours of one network that nobody minds: a household."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a peer may have and do; the settings of the tracker explain each."""

    sites: Sites = field(default_factory=Sites)
    """Who may come in, and with whom each site lets its viewers link."""
    mode: Mode = "any"
    """The most that any site may let its viewers do."""
    relays: bool = False
    """Whether there are any, for those who agree to nothing else."""
    neighbours: int = 8
    links: int = 16
    pending_offers: int = 2
    peers_per_hour: int = 60
    candidates: int = 10
    messages_per_second: float = 20.0
    """Of one peer, on average."""
    burst: int = 40
    """Messages of one peer at once."""
    sdp_bytes: int = 8192
    stun: bool = False
    """Whether peers are told of a STUN server."""
    lease_ahead: float = 30.0
    """So many seconds ahead it is named who fetches what; 0: not at all."""
    importers: bool = False
    """Whether it is also named who brings what comes out into each operator's network."""
    position_lasts: float = 30.0
    """A position that was told longer ago says nothing about now: its tab may be asleep."""

    local_share: float = 0.75
    """Of a peer's neighbours, how many are to be near it, if there are such; the rest come by
    chance, so that a swarm hangs together."""
    prefix_share: float = 0.25
    """Of a peer's neighbours, how many may be of one network beyond its local one, if there are
    others."""
    jury: int = ENOUGH
    """So many networks have to say that somebody sends wrong bytes; 0: nobody is ever banned."""
    ban_time: float = 3600.0
    """Seconds for which whoever was found to send wrong bytes is not let in again."""

    @property
    def alike(self) -> int:
        """So many neighbours may be of one network anyway."""
        return max(LEAST_ALIKE, int(self.aim * self.prefix_share))

    @property
    def few(self) -> int:
        """With fewer neighbours than this, even a well-connected peer is asked for one more."""
        return max(1, min(self.links, self.neighbours * 3 // 4))

    @property
    def aim(self) -> int:
        """So many neighbours are looked for."""
        return min(self.links, self.neighbours)

    @property
    def many(self) -> int:
        """With this many neighbours a peer is left alone while there are others."""
        return max(1, min(self.links, self.neighbours * 3 // 2))


# Inputs


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket is open."""

    socket: int
    vantage: Vantage
    visitor: Visitor = field(default_factory=Visitor)


@dataclass(frozen=True, slots=True)
class Said:
    """A peer's message."""

    socket: int
    message: ToTracker
    unix: float = 0.0
    """The Unix time, by which tokens expire."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The socket is gone."""

    socket: int


@dataclass(frozen=True, slots=True)
class Published:
    """The origin has something new, and says what it must hash to."""

    site: str
    content: str
    records: Records


@dataclass(frozen=True, slots=True)
class SitesChanged:
    """The operator has said something else: whoever may not be here any more has to go."""

    sites: Mapping[str, Site]


@dataclass(frozen=True, slots=True)
class CostsChanged:
    """The operator's map says something else of what it costs to go between regions."""

    costs: Costs


@dataclass(frozen=True, slots=True)
class Convicted:
    """Another tracker that shares our contents has found that wrong bytes come from there."""

    home: bytes


Input = Opened | Said | Closed | Published | SitesChanged | CostsChanged | Convicted


# Messages


@dataclass(frozen=True, slots=True)
class Tell:
    """Send this over the socket."""

    socket: int
    message: FromTracker


# Events


@dataclass(frozen=True, slots=True)
class Arrived:
    """A peer is in a swarm."""

    peer: str
    content: str
    viewer: bool
    """It is a person's browser, not a native peer."""
    socket: int = -1
    access: str | None = None
    """What its machine is connected by, as it says."""


@dataclass(frozen=True, slots=True)
class NatSeen:
    """What stands between a peer and the net: a `p2pcdn.wire.candidate.Nat`, or `SILENT`."""

    peer: str
    nat: str


@dataclass(frozen=True, slots=True)
class Left:
    """A peer is in its swarm no more."""

    peer: str


@dataclass(frozen=True, slots=True)
class Paired:
    """Two peers have been introduced."""

    pairing: str
    a: str
    b: str
    relayed: bool = False
    """Whether they can only link through a relay."""


@dataclass(frozen=True, slots=True)
class PairingLinked:
    """An introduction has become a link, so many milliseconds after one end heard of it."""

    pairing: str
    took: float


@dataclass(frozen=True, slots=True)
class PairingFailed:
    """An introduction that came to nothing."""

    pairing: str
    reason: str = "left"
    """An end ``left``, both said nothing in time (``expired``), or what one end said."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A peer says what it moved."""

    peer: str
    report: Report


@dataclass(frozen=True, slots=True)
class Dismissed:
    """Close this socket, once it has been told what it was told."""

    socket: int
    code: ErrorCode | None
    """Why, or None if the peer is leaving."""


@dataclass(frozen=True, slots=True)
class LeasesGiven:
    """Peers have been named to fetch something, should those before them fail."""

    leases: int


@dataclass(frozen=True, slots=True)
class LeaseMissed:
    """This peer was the first for a stripe, and another had to fetch it."""

    peer: str


@dataclass(frozen=True, slots=True)
class Banned:
    """These peers were found to send wrong bytes; where they come from nobody is let in for a
    while."""

    peers: tuple[str, ...]
    home: bytes = b""
    """Where that is, as in `p2pcdn.model.home_of`."""


SwarmEvent = (
    Arrived
    | NatSeen
    | Left
    | Paired
    | PairingLinked
    | PairingFailed
    | Reported
    | LeasesGiven
    | LeaseMissed
    | Banned
    | Dismissed
)


class Outbox:
    """What the parts of the tracker's mind have to say, in its order."""

    def __init__(self) -> None:
        self._messages: list[Tell] = []
        self._events: list[SwarmEvent] = []

    def tell(self, socket: int, message: FromTracker) -> None:
        """Queue a message."""
        self._messages.append(Tell(socket, message))

    def happened(self, event: SwarmEvent) -> None:
        """Queue an event."""
        self._events.append(event)

    def take_messages(self) -> list[Tell]:
        messages, self._messages = self._messages, []
        return messages

    def take_events(self) -> list[SwarmEvent]:
        events, self._events = self._events, []
        return events
