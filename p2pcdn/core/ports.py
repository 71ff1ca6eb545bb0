"""What goes into a node and what comes out of it.

`Input` is the closed union that `Node.receive` takes; `Event` the one that `Node.take_events`
gives. A *link* is known by a small number that the node gives out, from the moment somebody should
make an offer for it until it is closed; shells and the rest of the core never see pairings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from p2pcdn.errors import SourceReason
from p2pcdn.model import Mode, Route, SegmentKey, Span
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.link import LinkMessage
from p2pcdn.wire.manifest import Algorithm, RenditionManifest
from p2pcdn.wire.tracker import Credentials, FromTracker, Relays, ToTracker

LinkReason = Literal["failed", "timeout", "closed", "integrity", "protocol"]

Rule = Literal["start", "floor", "latest", "patience", "lease", "turn", "joins"]
"""By which rule the origin is asked: nothing has been played yet; the buffer is below the floor;
the latest start has come; patience with peers is over; a lease; it is our turn to fetch what nobody
has; peers are too slow."""


# Inputs: from the player


@dataclass(frozen=True, slots=True)
class Demand:
    """The player asks for a segment, which it will play in ``within`` seconds."""

    key: SegmentKey
    within: float


@dataclass(frozen=True, slots=True)
class Release:
    """The player no longer wants the segment (it seeks, or switches the rendition)."""

    key: SegmentKey


@dataclass(frozen=True, slots=True)
class Watched:
    """How well it has played since the player was given this content."""

    startup: float | None = None
    """Milliseconds from the player's first request to the first picture, if that is there."""
    played: int = 0
    """Milliseconds in which it played."""
    stalls: int = 0
    """How often it ran dry after the first picture."""
    stalled: int = 0
    """Milliseconds until it went on."""
    announce: float | None = None
    """Milliseconds from when it was given what to play until the tracker let us in; None until
    then, as the following."""
    answer: float | None = None
    """Until the first answer to an offer."""
    ice: float | None = None
    """Until the first connection."""
    open: float | None = None
    """Until the first link."""
    first_chunk: float | None = None
    """Until the first verified chunk from a peer."""


@dataclass(frozen=True, slots=True)
class Playing:
    """Where the player is. Sent when something changed, and every second or so."""

    rendition: str
    head: int
    """Sequence of the segment at the play head."""
    last: int
    """Sequence of the newest segment that the playlist names."""
    buffer: float
    """Seconds of media ahead of the play head, in the player's own buffer."""
    live: bool
    target: float = 30.0
    """Seconds of media that the player wants to have there."""
    watched: Watched | None = None
    """If somebody looks on."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A whole segment that the shell got past the node, by plain HTTP, offered for sharing."""

    key: SegmentKey
    data: bytes
    cached: bool = False
    """Whether it came from the HTTP cache of this machine rather than from the origin."""
    ttfb: float = 0.0
    took: float = 0.0
    """Seconds since the request was made; 0 if they were not measured."""
    at: float | None = None
    """When it was there, if that was not just now."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """A chunk that the shell holds from an earlier session, and has verified by the hashes of a
    segment that is known. It was counted when it first came."""

    key: SegmentKey
    chunk: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Caps:
    """How much may be given; None: as much as there is."""

    rate: float | None = None
    """Bytes a second."""
    budget: int | None = None
    """Bytes in all."""
    ratio: float | None = None
    """Of the media that came in, whether from peers or by HTTP."""


@dataclass(frozen=True, slots=True)
class Device:
    """What keeps this machine from giving, as far as it says."""

    cellular: bool = False
    """It is on a mobile network."""
    saving: bool = False
    """Its owner wants data to be saved (``Save-Data``)."""
    hidden: bool = False
    """Nobody looks at the player."""
    on_battery: bool = False


@dataclass(frozen=True, slots=True)
class Allow:
    """What the site and the viewer agree to."""

    p2p: bool
    upload: bool
    token: bool = False
    """Whether there is somebody to ask for join tokens; see `Prove`."""
    mode: Mode = "any"
    """What the next join says: who changes it leaves first."""
    caps: Caps = Caps()


# Inputs: from the origin


@dataclass(frozen=True, slots=True)
class ManifestArrived:
    """A page of a rendition's manifest, from the origin."""

    page: RenditionManifest


@dataclass(frozen=True, slots=True)
class ManifestFailed:
    """A `FetchManifest` or `FetchRecords` that brought nothing."""

    rendition: str


@dataclass(frozen=True, slots=True)
class HashesArrived:
    """The binary answer to a `FetchHashes`, for the same span; None if it failed."""

    rendition: str
    sequences: Span
    data: bytes | None


@dataclass(frozen=True, slots=True)
class RangeData:
    """Some bytes of a `FetchRange`, in their order."""

    fetch: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RangeDone:
    """A `FetchRange` has brought all it will. ``ttfb`` and ``took`` are seconds since its start."""

    fetch: int
    ttfb: float
    took: float
    cached: bool = False
    """Whether it came from the HTTP cache of this machine rather than from the origin."""


@dataclass(frozen=True, slots=True)
class RangeFailed:
    """A `FetchRange` that failed, however much it brought before."""

    fetch: int
    reason: SourceReason


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer to a `Check` or a `Verify`. Anything but a clear yes is a no."""

    check: int
    ok: bool


# Inputs: from the tracker's socket and from links


@dataclass(frozen=True, slots=True)
class TrackerDown:
    """The tracker's socket closed, or could not be opened."""


@dataclass(frozen=True, slots=True)
class TrackerSays:
    """A message from the tracker (the first one is `Welcome`)."""

    message: FromTracker


@dataclass(frozen=True, slots=True)
class Proved:
    """The answer to a `Prove`. A shell that has no token says nothing, and gives the socket up."""

    nonce: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Described:
    """The offer or answer that `MakeOffer` or `MakeAnswer` asked for."""

    link: int
    sdp: str


@dataclass(frozen=True, slots=True)
class CandidateFound:
    """A local ICE candidate found after the description was handed over."""

    link: int
    candidate: str
    mid: str


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """Both channels are open."""

    link: int


@dataclass(frozen=True, slots=True)
class LinkRouted:
    """By what a link goes, as far as that is known: what a relay carries saves nothing, even if it
    does so for a while alone."""

    link: int
    route: Route
    rtt: float = 0.0
    """Seconds to the other end and back; 0 if that is not known."""


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """The connection failed or ended; nothing more will come."""

    link: int
    reason: LinkReason


@dataclass(frozen=True, slots=True)
class LinkSays:
    """A control message from the other end."""

    link: int
    message: LinkMessage


@dataclass(frozen=True, slots=True)
class LinkSends:
    """A frame from the other end."""

    link: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class LinkDrained:
    """So many bytes are still buffered in the data channel.

    Said when half of what was in the buffer after sending has gone, and right after sending if it
    is empty: so the core learns how fast bytes go, and that there is room for more.
    """

    link: int
    buffered: int


@dataclass(frozen=True, slots=True)
class LinkBroke:
    """The other end sent something that no decoder accepts: close it, and say so."""

    link: int
    code: str


Input = (
    Demand
    | Release
    | Playing
    | Loaded
    | Recalled
    | Allow
    | Device
    | ManifestArrived
    | ManifestFailed
    | HashesArrived
    | RangeData
    | RangeDone
    | RangeFailed
    | Checked
    | TrackerDown
    | TrackerSays
    | Proved
    | Described
    | CandidateFound
    | LinkOpened
    | LinkRouted
    | LinkClosed
    | LinkSays
    | LinkSends
    | LinkDrained
    | LinkBroke
)


# Messages out


@dataclass(frozen=True, slots=True)
class TellTracker:
    """Send this over the tracker's socket."""

    message: ToTracker


@dataclass(frozen=True, slots=True)
class TellLink:
    """Send this over the link's control channel."""

    link: int
    message: LinkMessage


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send this over the link's data channel."""

    link: int
    frame: Frame


Outgoing = TellTracker | TellLink | SendFrame


# Events: to the player


@dataclass(frozen=True, slots=True)
class SegmentReady:
    """A demanded segment, whole and verified, and how many of its bytes came from where.

    What neither the origin nor peers brought just now had been in the store.
    """

    key: SegmentKey
    data: bytes
    origin_bytes: int
    peer_bytes: int


@dataclass(frozen=True, slots=True)
class SegmentFailed:
    """A demanded segment that could not be had in a verified form: load it by plain HTTP."""

    key: SegmentKey
    reason: SourceReason


# Events: what the shell is to fetch or compute


@dataclass(frozen=True, slots=True)
class FetchManifest:
    """Fetch the page of the rendition's manifest that holds this sequence."""

    rendition: str
    sequence: int


@dataclass(frozen=True, slots=True)
class FetchRecords:
    """Fetch the records of just these segments, which is answered like a `FetchManifest`."""

    rendition: str
    sequences: Span


@dataclass(frozen=True, slots=True)
class FetchHashes:
    """Fetch the chunk hashes of these segments."""

    rendition: str
    sequences: Span


@dataclass(frozen=True, slots=True)
class FetchRange:
    """Fetch these bytes of a segment from the origin; ``whole`` if that is all of it.

    ``fresh`` asks to go past any cache, since what a cache gave failed its hash.
    """

    fetch: int
    key: SegmentKey
    span: Span
    whole: bool
    fresh: bool
    rule: Rule
    """By which the scheduler asked for it."""


@dataclass(frozen=True, slots=True)
class AbortRange:
    """This fetch is no longer wanted."""

    fetch: int


@dataclass(frozen=True, slots=True)
class Check:
    """Say (by `Checked`) whether the SHA-256 of ``data`` is ``digest``."""

    check: int
    data: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Verify:
    """Say (by `Checked`) whether ``signature`` is that of ``data`` by the raw ``key``.

    A no means that it is wrong: whoever sent it is cut off. A shell that cannot tell stays silent.
    """

    check: int
    algorithm: Algorithm
    data: bytes
    key: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Prove:
    """Get a join token, and say (by `Proved`) that its key is ours, to the tracker that gave this
    nonce. ``fresh`` asks for another token than the last one."""

    nonce: str
    fresh: bool


# Events: what the shell is to do about links


@dataclass(frozen=True, slots=True)
class MakeOffer:
    """Open a connection for this link, with both channels, and describe it as an offer."""

    link: int


@dataclass(frozen=True, slots=True)
class MakeAnswer:
    """Open a connection for this link, with both channels, and answer this offer."""

    link: int
    sdp: str


@dataclass(frozen=True, slots=True)
class TakeAnswer:
    """The other end's answer to this link's offer."""

    link: int
    sdp: str


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """A candidate of the other end."""

    link: int
    candidate: str
    mid: str


@dataclass(frozen=True, slots=True)
class CloseLink:
    """Close the connection; what was already sent should still leave."""

    link: int


# Events: what a person may want to see


@dataclass(frozen=True, slots=True)
class Entered:
    """The tracker has let us in. Links that are asked for after this are to be made as it says."""

    peer: str
    mode: Mode = "any"
    relays: Relays | None = None
    mac: str | None = None
    """What a report that does not go over the socket has to carry."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """A link is open and both ends have greeted each other."""

    link: int
    peer: str


@dataclass(frozen=True, slots=True)
class LinkDown:
    """A link that was up is over."""

    link: int
    reason: LinkReason


@dataclass(frozen=True, slots=True)
class ChunkRejected:
    """A chunk failed its hash. ``link`` is None if the origin (or a cache before it) sent it."""

    key: SegmentKey
    chunk: int
    link: int | None
    proved: bool = True
    """Whether the check said so; else it has not answered, and nobody is to blame."""


@dataclass(frozen=True, slots=True)
class TrackerRefused:
    """The tracker will not have us; the socket is to be closed."""

    code: str
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class TrackerMoved:
    """The socket is to be closed, and opened at another node of the tracker, for as long as that is
    there: then again where the page says."""

    url: str
    retry_after: float | None


Event = (
    SegmentReady
    | SegmentFailed
    | FetchManifest
    | FetchRecords
    | FetchHashes
    | FetchRange
    | AbortRange
    | Check
    | Verify
    | Prove
    | MakeOffer
    | MakeAnswer
    | TakeAnswer
    | AddCandidate
    | CloseLink
    | Entered
    | LinkUp
    | LinkDown
    | ChunkRejected
    | TrackerRefused
    | TrackerMoved
)
