"""The tracker's WebSocket: JSON text, one closed union per direction.

::

    tracker                         newcomer                          somebody in the swarm
       | -- welcome ----------------> |                                         |
       | <-- join (with an offer) --- |                                         |
       | -- joined -----------------> |                                         |
       | -- taken ------------------> |            -- offer ------------------> |
       | <-- candidates ------------> |            <-> candidates <-----------> |
       | <------------------------------------------------ answer ------------- |
       | -- answer -----------------> |                                         |
       |                              | <============ link ===================> |
       | <-- linked ----------------- |

The tracker speaks first. Whatever follows `joined` names a *pairing* that the tracker issued to
this socket: a peer can only signal to whom it was paired with.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from p2pcdn.errors import ErrorCode
from p2pcdn.model import Mode, Route
from p2pcdn.wire.fields import (
    Candidate,
    Candidates,
    ContentId,
    Coordinate,
    Count,
    Detail,
    Id,
    JoinToken,
    Mac,
    Message,
    Mid,
    Milliseconds,
    Offer,
    Part,
    RawSignature,
    RenditionId,
    Runs,
    Sdp,
    Seconds,
    SiteId,
    SocketUrl,
    Stretches,
    StripeNumber,
    whole,
)
from p2pcdn.wire.manifest import Records


class PreparedOffer(Part, frozen=True):
    """An offer made in advance, for whomever the tracker pairs with next."""

    offer: Offer
    sdp: Sdp


class PublicKey(Part, frozen=True):
    """A point of P-256."""

    x: Coordinate
    y: Coordinate


class Proof(Part, frozen=True):
    """That the key which a join token names is the peer's own."""

    key: PublicKey
    signature: RawSignature
    """By ES256 (RFC 7518, 3.4), of "p2pcdn join v1", the nonce of `welcome`, the site, the content
    and base64url(SHA-256(token)), each followed by a line feed."""


class Credentials(Part, frozen=True):
    """By which a peer may come in, where the site wants to know."""

    token: JoinToken
    """From the site's back end."""
    proof: Proof | None = None
    """For a token that is bound to a key."""
    url: Annotated[str, Meta(max_length=1024)] | None = None
    """Of which the content id is the hash, for a token that is good for more than one content."""


class Position(Part, frozen=True):
    """Where a peer is in the content, as segment sequence numbers of one rendition."""

    rendition: RenditionId
    first: Count
    """The oldest segment in its store that it still shares."""
    head: Count
    """The segment being played; for a seeder its first."""
    last: Count
    """The newest segment in its store."""
    newest: Count = 0
    """The newest segment that the playlist names."""
    duration: Count = 0
    """Of a segment, on average, in milliseconds; 0 if it is not known."""
    size: Count = 0
    """Of a segment, on average, in bytes; 0 if it is not known."""
    live: bool = False
    """Whether segments may still be added."""


# To the tracker


class Join(Message, frozen=True, tag="join"):
    """Enter the swarm of a content. The first message of a peer, within 5 s of `welcome`."""

    protocol: Count
    site: SiteId
    content: ContentId
    client: Literal["browser", "native"]
    upload: bool
    offers: Annotated[tuple[PreparedOffer, ...], Meta(max_length=2)] = ()
    position: Position | None = None
    uplink: Count = 0
    """Bytes a second that the peer has been seen to send; 0 if it has not sent enough to tell."""
    credentials: Credentials | None = None
    mode: Mode = "any"
    """Whom the viewer agrees to be paired with. Who changes that leaves and joins anew: every
    address told so far was told under the old one."""
    access: Annotated[str, Meta(max_length=64)] | None = None
    """What its machine is connected by, such as ``wifi``, ``ethernet`` or ``cellular``, as far as
    its browser tells (Network Information API). For figures alone."""
    follows: bool = False
    """Whether it goes where `moved` sends it; who does not is never told."""


class Renew(Message, frozen=True, tag="renew"):
    """A new join token, before the last one expires."""

    credentials: Credentials


class Prepared(Message, frozen=True, tag="prepared"):
    """One more prepared offer, since the last one was taken or has expired."""

    offer: Offer
    sdp: Sdp


class PreparedCandidate(Message, frozen=True, tag="prepared_candidate"):
    """One candidate by itself, found after its prepared offer was sent; see `candidates`."""

    offer: Offer
    candidate: Candidate
    mid: Mid = "0"


class SendOffer(Message, frozen=True, tag="offer"):
    """The offer that `invite` asked for."""

    pairing: Id
    sdp: Sdp


class SendAnswer(Message, frozen=True, tag="answer"):
    """The answer to an offer."""

    pairing: Id
    sdp: Sdp


class SendCandidate(Message, frozen=True, tag="candidate"):
    """One candidate by itself, of this end of a pairing; see `candidates`."""

    pairing: Id
    candidate: Candidate
    mid: Mid = "0"


class PairingCandidates(Part, frozen=True):
    """Candidates of this end of a pairing."""

    pairing: Id
    candidates: Candidates
    mid: Mid = "0"


class OfferCandidates(Part, frozen=True):
    """Candidates of a prepared offer that were found after it was sent."""

    offer: Offer
    candidates: Candidates
    mid: Mid = "0"


class SendCandidates(Message, frozen=True, tag="candidates"):
    """Candidates that were found within a moment, of whatever connections: what a message costs
    does not depend on how many are in it. Those found first are in the descriptions."""

    pairings: Annotated[tuple[PairingCandidates, ...], Meta(max_length=64)] = ()
    offers: Annotated[tuple[OfferCandidates, ...], Meta(max_length=4)] = ()


class Linked(Message, frozen=True, tag="linked"):
    """The pairing has become a link."""

    pairing: Id
    took: Milliseconds
    """From hearing of the pairing to an open channel."""


class Unlinked(Message, frozen=True, tag="unlinked"):
    """The pairing never became a link, or the link is over; a replacement is welcome."""

    pairing: Id
    reason: Literal["failed", "timeout", "closed", "integrity", "protocol"]


class Move(Message, frozen=True, tag="move"):
    """The peer is elsewhere in the content now, or uploads from now on, or no longer."""

    upload: bool
    position: Position | None = None
    uplink: Count = 0
    """As in `join`."""


class Fetching(Message, frozen=True, tag="fetching"):
    """The peer acts on its lease: the other holders of that stripe need not."""

    rendition: RenditionId
    sequence: Count
    stripe: StripeNumber


class PairReport(Part, frozen=True):
    """What has gone over one pairing since the report before."""

    pairing: Id
    received: tuple[Runs, ...] = ()
    """Chunks that this peer has verified and kept."""
    sent: tuple[Runs, ...] = ()
    """Chunks that it has sent to their last byte."""
    waste: Count = 0
    """Bytes that came in vain: twice, cancelled, or with a wrong hash."""
    rejected: Count = 0
    """Chunks with a wrong hash."""
    route: Route | None = None
    """What its way begins and ends with, by the kinds of candidates (RFC 8445, 5.1.1): ``host`` at
    both ends, else ``srflx`` or ``prflx`` at one of them. ``relay`` if any of it went through a
    TURN relay: then somebody pays for it, and it saves nothing. None if that is not known."""


class Quality(Part, frozen=True):
    """How well it has played since the report before."""

    startup: Milliseconds | None = None
    """From the player's first request to the first picture, in the first report after that."""
    played: Count = 0
    """Milliseconds in which it played."""
    stalls: Count = 0
    """How often it ran dry."""
    stalled: Count = 0
    """Milliseconds until it went on."""
    rate: Count = 0
    """Bytes a second of the rendition that plays, on average; 0 if that is not known."""
    announce: Milliseconds | None = None
    """From when the player was given what to play until the tracker let it in; each of these in the
    first report after that, a day at the most."""
    answer: Milliseconds | None = None
    """Until the first answer to an offer, its own or another's."""
    ice: Milliseconds | None = None
    """Until the first connection."""
    open: Milliseconds | None = None
    """Until the first link with open channels."""
    first_chunk: Milliseconds | None = None
    """Until the first verified chunk from a peer."""


class Report(Message, frozen=True, tag="report"):
    """What has come, gone and played since the report before. It counts once, whichever way it
    comes, and not if it comes after a later one."""

    number: Count
    """One more than that of the report before; the first of a socket is 1."""
    origin_bytes: Count = 0
    peer_bytes: Count = 0
    cache_bytes: Count = 0
    waste_bytes: Count = 0
    rejected_chunks: Count = 0
    origin_mismatches: Count = 0
    """Rejected chunks that came by HTTP: from the origin, or from a cache before it."""
    renditions: Annotated[tuple[RenditionId, ...], Meta(max_length=16)] = ()
    """Those that the chunks below are of."""
    origin: tuple[Runs, ...] = ()
    """Chunks of which anything came from the origin, of whatever use."""
    pairs: Annotated[tuple[PairReport, ...], Meta(max_length=64)] = ()
    quality: Quality | None = None
    ahead: Annotated[tuple[Stretches, ...], Meta(max_length=16)] = ()
    """Segments of which peers, or the origin before the viewer's player had asked for it, have
    brought something, now or before, and that the player has not been given. What came of all
    others was of use."""


class Beacon(Message, frozen=True, tag="beacon"):
    """A report that does not come over the socket: what a page says as it goes."""

    peer: Id
    """As in `joined`."""
    mac: Mac
    """As in `joined`: it shows that the report is this peer's."""
    report: Report


class Leave(Message, frozen=True, tag="leave"):
    """The peer goes, on purpose."""


ToTracker = (
    Join
    | Renew
    | Prepared
    | PreparedCandidate
    | SendOffer
    | SendAnswer
    | SendCandidate
    | SendCandidates
    | Linked
    | Unlinked
    | Move
    | Fetching
    | Report
    | Leave
)


# From the tracker


class Limits(Part, frozen=True):
    """What the tracker will accept; a peer that keeps to it is never turned away."""

    message_bytes: Count
    messages_per_second: Count
    links: Count
    """How many pairings the tracker will let a peer have at once."""


class Welcome(Message, frozen=True, tag="welcome"):
    """The tracker's first words."""

    protocol: Count
    nonce: Annotated[str, Meta(pattern=whole("[0-9a-f]{32}"))]
    limits: Limits
    report_every: Seconds
    stun: Annotated[str, Meta(max_length=256)] | None = None
    """A ``stun:`` URL (RFC 7064) of the tracker's own, or none: no third party is ever named.

    An empty host, as in ``stun::8080``, stands for the host that the peer reached the tracker
    by."""


class Relays(Part, frozen=True):
    """The site's own TURN servers (RFC 8656), and what they let this peer in by, for a while."""

    urls: Annotated[tuple[Annotated[str, Meta(max_length=256)], ...], Meta(max_length=8)]
    """As RFC 7065 has them."""
    username: Annotated[str, Meta(max_length=128)]
    credential: Annotated[str, Meta(max_length=128)]


class Joined(Message, frozen=True, tag="joined"):
    """The peer is in the swarm."""

    peer: Id
    peers: Count
    """How many others there are."""
    expires: Seconds | None = None
    """In how many seconds the join token does: renew it before. None if there was none."""
    mode: Mode = "any"
    """What the viewer's choice and the site's leave together."""
    relays: Relays | None = None
    """Given in mode ``relay``."""
    mac: Mac | None = None
    """What a `beacon` of this peer has to carry; a secret between it and the tracker."""


class Renewed(Message, frozen=True, tag="renewed"):
    """The peer may stay."""

    expires: Seconds | None = None
    """As in `joined`."""


class Invite(Message, frozen=True, tag="invite"):
    """Make an offer for this pairing."""

    pairing: Id
    peer: Id


class Taken(Message, frozen=True, tag="taken"):
    """A prepared offer of yours is now this pairing's offer."""

    pairing: Id
    peer: Id
    offer: Offer


class Offered(Message, frozen=True, tag="offer"):
    """Somebody's offer: answer it."""

    pairing: Id
    peer: Id
    sdp: Sdp


class Answered(Message, frozen=True, tag="answer"):
    """The answer to your offer."""

    pairing: Id
    sdp: Sdp


class Candidated(Message, frozen=True, tag="candidate"):
    """A candidate of the other end."""

    pairing: Id
    candidate: Candidate
    mid: Mid = "0"


class CandidatedTogether(Message, frozen=True, tag="candidates"):
    """Candidates of the other end that came together."""

    pairing: Id
    candidates: Candidates
    mid: Mid = "0"


class Unpaired(Message, frozen=True, tag="unpaired"):
    """The other end went before there was a link, or said that it failed."""

    pairing: Id


class Lease(Part, frozen=True):
    """A stripe of a segment that this peer is to fetch from the origin, for everybody.

    Stripe ``i`` of ``n`` are the chunks from ``i * chunks // n`` to before ``(i+1) * chunks // n``.
    """

    rendition: RenditionId
    sequence: Count
    stripe: StripeNumber
    stripes: Annotated[int, Meta(ge=1, le=8)]
    delay: Seconds
    """From when the peer first knows the segment's record; whoever is named first waits for nobody,
    and each further peer a little longer, in case that those before it fail. With `imports`, those
    before it are whom the stripe's giver sends it to before."""
    imports: bool = False
    """Whether the peer is not to fetch the stripe, but to bring it into its network from peers
    elsewhere, or to pass it on to such a one. Who is to do both holds two leases."""


class Leases(Message, frozen=True, tag="leases"):
    """Stripes that the peer is to fetch; they come before their segments do."""

    leases: Annotated[tuple[Lease, ...], Meta(max_length=256)]


class Importers(Message, frozen=True, tag="importers"):
    """Whether peers are named to bring what comes out into this peer's network: those with leases
    that say `imports`. All others can then wait for what is near."""

    named: bool


class BeingFetched(Message, frozen=True, tag="fetching"):
    """Another holder of this lease has begun to fetch the stripe."""

    rendition: RenditionId
    sequence: Count
    stripe: StripeNumber


class Moved(Message, frozen=True, tag="moved"):
    """The content is at home at another node: close this socket, and join there. Links stay."""

    url: SocketUrl
    """Where that is; a peer goes only where it is as well protected as here."""
    retry_after: Seconds | None = None
    """Not before so many seconds have passed."""


class Refused(Message, frozen=True, tag="error"):
    """What was wrong with the last message. Unless ``fatal``, the socket stays open."""

    code: ErrorCode
    detail: Detail = ""
    fatal: bool = True
    retry_after: Seconds | None = None


FromTracker = (
    Welcome
    | Joined
    | Renewed
    | Invite
    | Taken
    | Offered
    | Answered
    | Candidated
    | CandidatedTogether
    | Unpaired
    | Leases
    | Importers
    | BeingFetched
    | Records
    | Moved
    | Refused
)
