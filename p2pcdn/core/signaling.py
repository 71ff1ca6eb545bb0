"""How links come about: the talk with the tracker, and every connection until its channels open.

::

    OUT --welcome--> WELCOMED --join--> JOINING --joined--> IN (renews its token)
     ^------------------- socket closed -----------------------'
     '-------- moved: to another node, MOST_HOPS times in a row at the most

    a link:  OFFERING --described--> SPARE --taken--> CONNECTING --opened--> OPEN
             (invited: OFFERING goes straight to CONNECTING; offered: ANSWERING --described-->
             CONNECTING)

The join carries an offer that is for nobody in particular, so that the first link costs no round
trip more than the tracker needs to name it. Such a spare offer is used once, or thrown away when
its addresses may have gone stale. Where the site wants a token, the join waits for that, too. Who
hides behind a relay has to be let in by it before there is an address to offer: so there the join
goes first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from typing import Literal

from p2pcdn.core.ports import (
    AddCandidate,
    CandidateFound,
    CloseLink,
    Described,
    Entered,
    Event,
    LinkClosed,
    LinkOpened,
    LinkReason,
    MakeAnswer,
    MakeOffer,
    Outgoing,
    Prove,
    Proved,
    TakeAnswer,
    TellTracker,
    TrackerDown,
    TrackerMoved,
    TrackerRefused,
    TrackerSays,
)
from p2pcdn.model import PROTOCOL, Mode
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    CandidatedTogether,
    Credentials,
    FromTracker,
    Invite,
    Join,
    Joined,
    Leave,
    Linked,
    Moved,
    OfferCandidates,
    Offered,
    PairingCandidates,
    Position,
    Prepared,
    PreparedOffer,
    Refused,
    Renew,
    Renewed,
    SendAnswer,
    SendCandidates,
    SendOffer,
    Taken,
    ToTracker,
    Unlinked,
    Unpaired,
    Welcome,
)

CONNECT_TIMEOUT = 4.0
"""From hearing of a pairing to an open channel; most links need under one second."""
TOGETHER = 0.02
"""Candidates that are found within so many seconds, of whatever links, are told in one message. The
first ones are in the description."""
MOST_CANDIDATES = 16
"""Of one link in one message; a tracker passes ten on."""
OFFER_PATIENCE = 0.5
"""How long the join waits for the offer that it should carry."""
SPARE_LASTS = 55.0
"""A spare offer's addresses may go stale when a NAT forgets them; the tracker keeps it for 60 s."""

MOST_HOPS = 3
"""How often it goes to another node before one lets it in; then it stays where it is."""

MOST_OVER = 16
"""Links that are over, of which a chunk may still prove wrong."""
MOST_LIARS = 64
"""Peers that are not met again."""
RENEW_BEFORE = 30.0
"""So long before it expires a token is renewed; a short one when a third of its time is left."""
RENEW_AGAIN = 10.0
"""So long a renewal may take before it is tried again."""


class State(Enum):
    OUT = "out"
    WELCOMED = "welcomed"
    JOINING = "joining"
    IN = "in"


class Stage(Enum):
    """Where a link that is coming about stands."""

    OFFERING = "offering"
    SPARE = "spare"
    ANSWERING = "answering"
    CONNECTING = "connecting"
    OPEN = "open"


@dataclass(slots=True)
class _Pending:
    """A link, from the moment it has a number."""

    number: int
    stage: Stage
    since: float
    pairing: str | None = None
    peer: str = ""
    """Who is at the other end, by the tracker's word."""
    candidates: list[CandidateFound] = field(default_factory=list)
    """Found, and not told yet."""

    @property
    def is_described(self) -> bool:
        """Whether its candidates mean something to the other end."""
        return self.stage in (Stage.SPARE, Stage.CONNECTING)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a join says about us."""

    site: str
    content: str
    client: Literal["browser", "native"]
    access: str | None = None
    """What our machine is connected by, as far as that is known."""


class Signaling:
    """The tracker's socket as the core sees it."""

    def __init__(self, identity: Identity, numbers: count[int]) -> None:
        self.state = State.OUT
        self.peer = ""
        """Our id, once the tracker has let us in."""
        self.welcome: Welcome | None = None
        self.upload = True
        self.token = False
        """Whether a join carries one."""
        self.mode: Mode = "any"
        """Whom the next join will say that we may be paired with."""
        self.position: Position | None = None
        """What the next join will say of where we are."""
        self.joined_at: Position | None = None
        """What the last one said."""
        self.uplink = 0
        """Bytes a second that we have been seen to send; 0 if that is not known."""
        self.alone = False
        """Whether there was nobody else when we joined, and nobody has come since."""
        self.attempts = 0
        """Links to somebody that were begun; an offer is none that is for nobody in particular."""
        self._identity = identity
        self._numbers = numbers
        self._links: dict[int, _Pending] = {}
        self._over: dict[int, _Pending] = {}
        self._liars: dict[str, None] = {}
        """Who has sent us wrong bytes."""
        self._hops = 0
        """How often we were sent to another node since one let us in."""
        self._join_at: float | None = None
        self._candidates_at: float | None = None
        self._renew_at: float | None = None
        self._credentials: Credentials | None = None
        self._timer: float | None = None
        self._connecting = False
        self._is_looked_at = False
        """Whether ``_timer`` and ``_connecting`` follow from the links as they are."""
        self._messages: list[Outgoing] = []
        self._events: list[Event] = []

    def connecting(self) -> bool:
        """Whether a link may come up at any moment."""
        self._look()
        return self._connecting

    def pairing_of(self, number: int) -> str | None:
        link = self._links.get(number)
        return link.pairing if link else None

    def tell(self, message: ToTracker) -> None:
        """Tell the tracker something, if we are in."""
        if self.state is State.IN:
            self._send(message)

    def leave(self) -> None:
        """Leave the swarm, and close what was coming about."""
        self._is_looked_at = False
        self.tell(Leave())
        self._out()

    # The five verbs

    def receive(
        self,
        message: TrackerSays
        | TrackerDown
        | Proved
        | Described
        | CandidateFound
        | LinkOpened
        | LinkClosed,
        now: float,
    ) -> None:
        self._is_looked_at = False
        match message:
            case TrackerSays(message=said):
                self._hear(said, now)
            case TrackerDown():
                self._out()
            case Proved():
                self._proved(message, now)
            case Described(link=number, sdp=sdp):
                self._described(number, sdp, now)
            case CandidateFound():
                self._found(message, now)
            case LinkOpened(link=number):
                self._opened(number, now)
            case LinkClosed(link=number, reason=reason):
                self.over(number, reason)

    def over(self, number: int, reason: LinkReason) -> None:
        """The link failed or ended: the tracker may have a replacement."""
        self._is_looked_at = False
        link = self._links.pop(number, None)
        if link is None:
            return
        if reason == "integrity":
            self._note_liar(link)
        elif link.stage is Stage.OPEN:
            self._over[number] = link
            if len(self._over) > MOST_OVER:
                del self._over[next(iter(self._over))]
        if link.pairing is not None:
            self.tell(Unlinked(link.pairing, reason))

    def lied(self, number: int) -> None:
        """What the link brought was wrong, even if it is over by now: the tracker is told so."""
        if number in self._links:
            self.over(number, "integrity")
            return
        link = self._over.pop(number, None)
        if link is not None:
            self._note_liar(link)
            if link.pairing is not None:
                self.tell(Unlinked(link.pairing, "integrity"))

    def _note_liar(self, link: _Pending) -> None:
        self._liars[link.peer] = None
        if len(self._liars) > MOST_LIARS:
            del self._liars[next(iter(self._liars))]

    def timer_at(self) -> float | None:
        self._look()
        return self._timer

    def _look(self) -> None:
        if self._is_looked_at:
            return
        self._is_looked_at = True
        waiting = (Stage.OFFERING, Stage.ANSWERING, Stage.CONNECTING)
        links = self._links.values()
        self._connecting = any(link.stage in waiting and link.pairing for link in links)
        times = [at for at in map(self._deadline, links) if at is not None]
        own = (self._join_at, self._candidates_at, self._renew_at)
        times += [at for at in own if at is not None]
        self._timer = min(times, default=None)

    def on_timer(self, now: float) -> None:
        at = self.timer_at()
        if at is None or at > now:
            return
        self._is_looked_at = False
        if self._join_at is not None and self._join_at <= now:
            self._join(())
        if self._candidates_at is not None and self._candidates_at <= now:
            self._tell_candidates()
        if self._renew_at is not None and self._renew_at <= now:
            self._prove(fresh=True)
            self._renew_at = now + RENEW_AGAIN
        for link in list(self._links.values()):
            deadline = self._deadline(link)
            if deadline is not None and deadline <= now:
                self._events.append(CloseLink(link.number))
                self.over(link.number, "timeout")

    @property
    def has_messages(self) -> bool:
        """Whether `take_messages` would bring any."""
        return bool(self._messages)

    @property
    def has_events(self) -> bool:
        """Whether `take_events` would bring any."""
        return bool(self._events)

    def take_messages(self) -> list[Outgoing]:
        messages, self._messages = self._messages, []
        return messages

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # The tracker's messages

    def _hear(self, message: FromTracker, now: float) -> None:
        match message:
            case Welcome():
                self.welcome = message
                self.state = State.WELCOMED
                if self.token:
                    self._prove(fresh=False)
                else:
                    self._prepare(now)
            case Joined():
                self._entered(message, now)
            case Renewed(expires=expires):
                self._expires(expires, now)
            case Refused(code=code, fatal=fatal, retry_after=retry_after):
                if fatal:
                    self._events.append(TrackerRefused(code, retry_after))
            case Moved(url=url, retry_after=retry_after):
                if self._hops < MOST_HOPS:
                    self._hops += 1
                    self._events.append(TrackerMoved(url, retry_after))
            case Taken(pairing=pairing, peer=peer, offer=number):
                self._taken(number, pairing, peer, now)
            case Invite(pairing=pairing, peer=peer) | Offered(pairing=pairing, peer=peer) if (
                peer in self._liars
            ):
                self._send(Unlinked(pairing, "integrity"))
            case Invite(pairing=pairing, peer=peer):
                self._offer(pairing, now, peer)
            case Offered(pairing=pairing, peer=peer, sdp=sdp):
                link = self._new(Stage.ANSWERING, pairing, now, peer)
                self._events.append(MakeAnswer(link.number, sdp))
            case Answered(pairing=pairing, sdp=sdp):
                if (paired := self._paired(pairing)) is not None:
                    self._events.append(TakeAnswer(paired.number, sdp))
            case Candidated(pairing=pairing, candidate=candidate, mid=mid):
                if (paired := self._paired(pairing)) is not None:
                    self._events.append(AddCandidate(paired.number, candidate, mid))
            case CandidatedTogether(pairing=pairing, candidates=candidates, mid=mid):
                if (paired := self._paired(pairing)) is not None:
                    self._events += [AddCandidate(paired.number, each, mid) for each in candidates]
            case Unpaired(pairing=pairing):
                paired = self._paired(pairing)
                if paired is not None and paired.stage is not Stage.OPEN:
                    self._events.append(CloseLink(paired.number))
                    del self._links[paired.number]

    # Tokens

    def _prove(self, *, fresh: bool) -> None:
        if self.welcome is not None:
            self._events.append(Prove(self.welcome.nonce, fresh))

    def _proved(self, proved: Proved, now: float) -> None:
        if self.welcome is None or proved.nonce != self.welcome.nonce:
            return  # it is for a socket that is gone
        if self.state is State.IN:
            self._send(Renew(proved.credentials))
        elif self.state is State.WELCOMED and self._join_at is None:
            self._credentials = proved.credentials
            self._prepare(now)

    def _expires(self, seconds: float | None, now: float) -> None:
        """The token will expire, and has to be renewed before."""
        before = min(RENEW_BEFORE, (seconds or 0.0) / 3)
        self._renew_at = None if seconds is None else now + seconds - before

    def _entered(self, joined: Joined, now: float) -> None:
        self.state = State.IN
        self._hops = 0
        self.peer = joined.peer
        self.alone = joined.peers == 0
        self._expires(joined.expires, now)
        self._events.append(Entered(joined.peer, joined.mode, joined.relays, joined.mac))
        if joined.mode == "relay":
            self._drop_unopened()  # what was made without a relay
            self._offer(None, now)

    def _prepare(self, now: float) -> None:
        """Make the offer that the join should carry, if it can be made before."""
        if self.mode == "relay":
            self._join(())
            return
        self._join_at = now + OFFER_PATIENCE
        self._offer(None, now)

    def _taken(self, number: int, pairing: str, peer: str, now: float) -> None:
        link = self._links.get(number)
        if link is None or link.stage is not Stage.SPARE:
            self._send(Unlinked(pairing, "failed"))  # it went stale as the tracker gave it away
            return
        if peer in self._liars:
            self._send(Unlinked(pairing, "integrity"))
            self._events.append(CloseLink(number))
            del self._links[number]
        else:
            link.stage, link.pairing, link.peer, link.since = Stage.CONNECTING, pairing, peer, now
            self._meets()
        self._offer(None, now)

    # Our own ends

    def _described(self, number: int, sdp: str, now: float) -> None:
        link = self._links.get(number)
        if link is None:
            return
        if link.stage is Stage.ANSWERING and link.pairing:
            self._send(SendAnswer(link.pairing, sdp))
            link.stage = Stage.CONNECTING
        elif link.stage is Stage.OFFERING and link.pairing:
            self._send(SendOffer(link.pairing, sdp))
            link.stage = Stage.CONNECTING
        elif link.stage is Stage.OFFERING:
            link.stage, link.since = Stage.SPARE, now
            if self._join_at is not None:
                self._join((PreparedOffer(number, sdp),))
            else:
                self._send(Prepared(number, sdp))
        if link.candidates:
            self._tell_candidates()

    def _found(self, found: CandidateFound, now: float) -> None:
        link = self._links.get(found.link)
        if link is None or link.stage is Stage.OPEN or len(link.candidates) >= MOST_CANDIDATES:
            return
        if " tcp " in found.candidate.lower():
            return  # no tracker passes it on
        link.candidates.append(found)
        if self._candidates_at is None and link.is_described:
            self._candidates_at = now + TOGETHER

    def _tell_candidates(self) -> None:
        """Tell what was found of all links that have been described."""
        self._candidates_at = None
        pairings: list[PairingCandidates] = []
        offers: list[OfferCandidates] = []
        for link in self._links.values():
            if not link.candidates or not link.is_described:
                continue
            mid = link.candidates[0].mid  # a link has one section
            candidates = tuple(found.candidate for found in link.candidates)
            link.candidates = []
            if link.pairing is not None:
                pairings.append(PairingCandidates(link.pairing, candidates, mid))
            else:
                offers.append(OfferCandidates(link.number, candidates, mid))
        if pairings or offers:
            self._send(SendCandidates(tuple(pairings), tuple(offers)))

    def _opened(self, number: int, now: float) -> None:
        link = self._links.get(number)
        if link is not None and link.pairing is not None:
            link.stage = Stage.OPEN
            link.candidates = []  # it has found its way
            self.tell(Linked(link.pairing, int((now - link.since) * 10_000 + 0.5) / 10))

    def _join(self, offers: tuple[PreparedOffer, ...]) -> None:
        self._join_at = None
        self.state = State.JOINING
        self.joined_at = self.position
        who = self._identity
        self._send(
            Join(
                PROTOCOL,
                who.site,
                who.content,
                who.client,
                self.upload,
                offers,
                self.position,
                self.uplink,
                self._credentials,
                self.mode,
                who.access,
                follows=self._hops < MOST_HOPS,
            )
        )
        self._credentials = None

    # Book-keeping

    def _send(self, message: ToTracker) -> None:
        self._messages.append(TellTracker(message))

    def _new(self, stage: Stage, pairing: str | None, now: float, peer: str = "") -> _Pending:
        link = _Pending(next(self._numbers), stage, now, pairing, peer)
        if pairing is not None:
            self._meets()
        self._links[link.number] = link
        return link

    def _meets(self) -> None:
        """Somebody has been named to us."""
        self.alone = False
        self.attempts += 1

    def _offer(self, pairing: str | None, now: float, peer: str = "") -> None:
        self._events.append(MakeOffer(self._new(Stage.OFFERING, pairing, now, peer).number))

    def _paired(self, pairing: str) -> _Pending | None:
        return next((link for link in self._links.values() if link.pairing == pairing), None)

    def _deadline(self, link: _Pending) -> float | None:
        if link.stage is Stage.OPEN:
            return None
        if link.pairing is None:
            return link.since + SPARE_LASTS
        return link.since + CONNECT_TIMEOUT

    def _out(self) -> None:
        """What was said on this socket is void; links stay."""
        self.state = State.OUT
        self._join_at = self._candidates_at = self._renew_at = self._credentials = None
        self._drop_unopened()

    def _drop_unopened(self) -> None:
        for link in [link for link in self._links.values() if link.stage is not Stage.OPEN]:
            self._events.append(CloseLink(link.number))
            del self._links[link.number]
        for link in (*self._links.values(), *self._over.values()):
            link.pairing = None  # the next socket knows nothing of it
