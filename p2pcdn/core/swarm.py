"""The tracker's mind: who is in which swarm, who is paired with whom, what is passed on.

::

    a socket:  opened --join--> in its swarm --leave, closed, refused--> gone
                                   |   ^
                                   v   |  pairings, each a machine of its own (`pairing`)

A newcomer is paired at once with up to `Rules.neighbours` others, those first that hold what it
will need (`matching`); whoever loses a neighbour gets another. Who offers is decided by what lies
ready: the other's prepared offer, else the newcomer's, else one of them is invited to make one.

Identity is the socket: nothing in a message says who speaks, so nobody can answer, leave or
report for another. A message that no honest peer would send is answered with its code, and the
socket dismissed; one that comes too late (its pairing is over) is only answered.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from math import inf
from random import Random

from p2pcdn.core.matching import SAMPLE, ranked
from p2pcdn.core.member import SHUN, KeptOffer, Member, Swarm
from p2pcdn.core.pairing import LINK_TIMEOUT, Pairing, Phase, Role, Step
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.candidate import Sieve, Vantage
from p2pcdn.wire.sdp import clean_description
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    FromTracker,
    Invite,
    Join,
    Joined,
    Leave,
    Linked,
    Move,
    Offered,
    Prepared,
    PreparedCandidate,
    Refused,
    Report,
    SendAnswer,
    SendCandidate,
    SendOffer,
    Taken,
    ToTracker,
    Unlinked,
    Unpaired,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a peer may have and do; the settings of the tracker explain each."""

    sites: frozenset[str] = frozenset()
    """Sites that are served; empty: all."""
    neighbours: int = 8
    links: int = 16
    pending_offers: int = 2
    peers_per_hour: int = 60
    candidates: int = 10
    sdp_bytes: int = 8192

    @property
    def few(self) -> int:
        """With fewer neighbours than this, even a well-connected peer is asked for one more."""
        return max(1, min(self.links, self.neighbours * 3 // 4))

    @property
    def many(self) -> int:
        """With this many neighbours a peer is left alone while there are others."""
        return max(1, min(self.links, self.neighbours * 3 // 2))


# Inputs


@dataclass(frozen=True, slots=True)
class Opened:
    """A socket is open; its number is the shell's to choose, and never used again."""

    socket: int
    vantage: Vantage


@dataclass(frozen=True, slots=True)
class Said:
    """A peer's message."""

    socket: int
    message: ToTracker


@dataclass(frozen=True, slots=True)
class Closed:
    """The socket is gone."""

    socket: int


Input = Opened | Said | Closed


# Messages and events


@dataclass(frozen=True, slots=True)
class Tell:
    """Send this over the socket."""

    socket: int
    message: FromTracker


@dataclass(frozen=True, slots=True)
class Entered:
    """A peer is in a swarm."""

    peer: str
    content: str
    viewer: bool
    """It is a person's browser, not a native peer."""


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


Event = Entered | Left | Paired | Reported | Dismissed


class Swarms:
    """All swarms of a tracker. The five verbs; ``rng`` gives ids and picks among equals."""

    def __init__(self, rules: Rules, rng: Random) -> None:
        self._rules = rules
        self._rng = rng
        self._vantages: dict[int, Vantage] = {}
        """Of every open socket."""
        self._members: dict[int, Member] = {}
        self._swarms: dict[tuple[str, str], Swarm] = {}
        self._timers: list[tuple[float, int, Pairing | Member]] = []
        self._serials = count()
        self._messages: list[Tell] = []
        self._events: list[Event] = []

    # The five verbs

    def receive(self, message: Input, now: float) -> None:
        match message:
            case Opened(socket=socket, vantage=vantage):
                self._vantages[socket] = vantage
            case Closed(socket=socket):
                self._remove(socket, now)
            case Said(socket=socket, message=said):
                if socket not in self._vantages:
                    return  # dismissed, and it has not heard of it yet
                try:
                    self._hear(socket, said, now)
                except RemoteError as error:
                    self._refuse(socket, error, now)

    def timer_at(self) -> float | None:
        while self._timers and not self._is_due_at(*self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def on_timer(self, now: float) -> None:
        while (at := self.timer_at()) is not None and at <= now:
            _, _, subject = heapq.heappop(self._timers)
            if isinstance(subject, Pairing):
                self._expire(subject, now)
            else:
                subject.seeks_at = inf
                self._seek(subject, now)

    def take_messages(self) -> list[Tell]:
        messages, self._messages = self._messages, []
        return messages

    def take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # Coming and going

    def _hear(self, socket: int, message: ToTracker, now: float) -> None:
        if isinstance(message, Join):
            self._join(socket, message, now)
            return
        member = self._members.get(socket)
        if member is None:
            raise RemoteError(ErrorCode.UNEXPECTED, "the first message is a join")
        match message:
            case Prepared(offer=number, sdp=sdp):
                self._keep(member, number, sdp, now)
            case PreparedCandidate():
                self._prepared_candidate(member, message)
            case SendOffer():
                self._offer(member, message)
            case SendAnswer():
                self._answer(member, message, now)
            case SendCandidate():
                self._candidate(member, message)
            case Linked(pairing=pairing):
                if pairing in member.pairings:
                    member.pairings[pairing].advance(member, Step.LINK)
            case Unlinked():
                self._unlinked(member, message, now)
            case Move(upload=upload, position=position):
                member.upload, member.position = upload, position
                self._seek(member, now)
            case Report():
                self._events.append(Reported(member.id, message))
            case Leave():
                self._dismiss(socket, None, now)

    def _join(self, socket: int, join: Join, now: float) -> None:
        if socket in self._members:
            raise RemoteError(ErrorCode.UNEXPECTED, "this socket has joined already")
        if join.protocol != PROTOCOL:
            raise RemoteError(
                ErrorCode.UNSUPPORTED_PROTOCOL,
                f"this tracker speaks version {PROTOCOL}, not {join.protocol}",
            )
        if self._rules.sites and join.site not in self._rules.sites:
            raise RemoteError(ErrorCode.UNKNOWN_SITE, f"no site {join.site} here")
        key = (join.site, join.content)
        swarm = self._swarms.get(key) or Swarm(key)
        member = Member(
            socket=socket,
            id=self._new_id(),
            swarm=swarm,
            vantage=self._vantages[socket],
            client=join.client,
            upload=join.upload,
            position=join.position,
        )
        for offer in join.offers:
            self._keep(member, offer.offer, offer.sdp, now)
        self._tell(member, Joined(member.id, len(swarm.members)))
        self._swarms[key] = swarm
        self._members[socket] = member
        swarm.members.add(member)
        swarm.open.add(member)
        self._events.append(Entered(member.id, join.content, join.client == "browser"))
        self._seek(member, now)

    def _remove(self, socket: int, now: float) -> None:
        self._vantages.pop(socket, None)
        member = self._members.pop(socket, None)
        if member is None:
            return
        swarm = member.swarm
        swarm.members.discard(member)
        swarm.open.discard(member)
        if not swarm.members:
            del self._swarms[swarm.key]
        bereft = [pairing.other(member) for pairing in member.pairings.values()]
        for pairing in list(member.pairings.values()):
            if pairing.phase is not Phase.LINKED:
                self._tell(pairing.other(member), Unpaired(pairing.id))
            self._part(pairing)
        swarm.open.discard(member)  # parting made room for it, but it is gone
        self._events.append(Left(member.id))
        for other in bereft:
            self._seek(other, now)

    def _dismiss(self, socket: int, code: ErrorCode | None, now: float) -> None:
        self._remove(socket, now)
        self._events.append(Dismissed(socket, code))

    def _refuse(self, socket: int, error: RemoteError, now: float) -> None:
        self._messages.append(Tell(socket, Refused(error.code, error.detail)))
        self._dismiss(socket, error.code, now)

    def _complain(self, member: Member, code: ErrorCode, detail: str) -> None:
        """Say what was wrong; an honest peer may come too late, or know a newer candidate form."""
        self._tell(member, Refused(code, detail, fatal=False))

    # Passing on

    def _keep(self, member: Member, number: int, sdp: str, now: float) -> None:
        sieve = Sieve(member.vantage, self._rules.candidates)
        clean = clean_description(sdp, sieve, self._rules.sdp_bytes)
        member.keep(KeptOffer(number, clean, sieve, now))

    def _prepared_candidate(self, member: Member, message: PreparedCandidate) -> None:
        kept = member.offers.get(message.offer)
        if kept is not None:
            candidate = self._sift(member, kept.sieve, message.candidate)
            if candidate is not None:
                kept.candidates.append((candidate, message.mid))
            return
        # The offer was taken while this candidate was on its way; or it is long stale.
        for pairing in member.pairings.values():
            if pairing.offerer is member and pairing.offer == message.offer:
                self._pass_on(pairing, member, message.candidate, message.mid)
                return

    def _offer(self, member: Member, message: SendOffer) -> None:
        pairing = self._pairing(member, message.pairing)
        if pairing is None:
            return
        pairing.advance(member, Step.OFFER)
        sdp = self._clean(pairing, member, message.sdp)
        self._tell(pairing.answerer, Offered(pairing.id, member.id, sdp))

    def _answer(self, member: Member, message: SendAnswer, now: float) -> None:
        pairing = self._pairing(member, message.pairing)
        if pairing is None:
            return
        pairing.advance(member, Step.ANSWER)
        sdp = self._clean(pairing, member, message.sdp)
        self._tell(pairing.offerer, Answered(pairing.id, sdp))
        # It has room for another offer now.
        self._seek(member, now)
        self._seek(pairing.offerer, now)

    def _candidate(self, member: Member, message: SendCandidate) -> None:
        pairing = self._pairing(member, message.pairing)
        if pairing is None:
            return
        if pairing.has_described(member):
            self._pass_on(pairing, member, message.candidate, message.mid)
        else:
            self._complain(member, ErrorCode.UNEXPECTED, "a candidate before its description")

    def _pairing(self, member: Member, pairing: str) -> Pairing | None:
        """The member's pairing of this id; if there is none, it is told so."""
        if pairing not in member.pairings:
            self._complain(member, ErrorCode.UNKNOWN_PAIRING, f"no pairing {pairing} here")
        return member.pairings.get(pairing)

    def _clean(self, pairing: Pairing, member: Member, sdp: str) -> str:
        sieve = Sieve(member.vantage, self._rules.candidates)
        pairing.sieves[pairing.role_of(member)] = sieve
        return clean_description(sdp, sieve, self._rules.sdp_bytes)

    def _pass_on(self, pairing: Pairing, member: Member, text: str, mid: str) -> None:
        candidate = self._sift(member, pairing.sieves[pairing.role_of(member)], text)
        if candidate is not None:
            self._tell(pairing.other(member), Candidated(pairing.id, candidate, mid))

    def _sift(self, member: Member, sieve: Sieve, text: str) -> str | None:
        try:
            return sieve.sift(text)
        except RemoteError as error:
            self._complain(member, error.code, error.detail)
            return None

    # Pairings

    def _seek(self, member: Member, now: float) -> None:
        """Find it the neighbours that it lacks."""
        if member.socket not in self._members:
            return
        rules, swarm = self._rules, member.swarm
        if len(member.pairings) < rules.neighbours:
            sample = swarm.open.sample(SAMPLE, self._rng)
            self._pair_with_best(member, sample, rules.neighbours, rules.many, now)
        if len(member.pairings) < rules.few:
            sample = swarm.members.sample(SAMPLE, self._rng)
            self._pair_with_best(member, sample, rules.few, rules.links, now)

    def _pair_with_best(
        self, member: Member, others: Iterable[Member], aim: int, most: int, now: float
    ) -> None:
        limit = self._rules.peers_per_hour
        free = [
            other
            for other in others
            if len(other.pairings) < most
            and member.may_meet(other, now, limit)
            and other.may_meet(member, now, limit)
        ]
        for other in ranked(member, free, self._rng):
            if len(member.pairings) >= aim or not member.may_meet(other, now, limit):
                return
            self._pair(member, other, now)

    def _pair(self, seeker: Member, other: Member, now: float) -> None:
        """Introduce them, unless each has all the offers to answer that it may have."""
        for offerer, answerer in ((other, seeker), (seeker, other)):
            offer = offerer.fresh_offer(now)
            if offer is not None and self._may_be_asked(answerer):
                self._hand_over(self._introduce(offerer, answerer, offer, now), offer)
                return
        for offerer, answerer in ((seeker, other), (other, seeker)):
            if self._may_be_asked(answerer):
                pairing = self._introduce(offerer, answerer, None, now)
                self._tell(offerer, Invite(pairing.id, answerer.id))
                return

    def _may_be_asked(self, answerer: Member) -> bool:
        return answerer.inbound < self._rules.pending_offers

    def _introduce(
        self, offerer: Member, answerer: Member, offer: KeptOffer | None, now: float
    ) -> Pairing:
        pairing = Pairing(
            id=self._new_id(),
            offerer=offerer,
            answerer=answerer,
            phase=Phase.INVITED if offer is None else Phase.OFFERED,
            deadline=now + LINK_TIMEOUT,
            offer=None if offer is None else offer.number,
        )
        for end in (offerer, answerer):
            end.meet(pairing.other(end), pairing, now)
            self._note_room(end)
        self._set_timer(pairing.deadline, pairing)
        self._events.append(Paired(pairing.id, offerer.id, answerer.id))
        return pairing

    def _hand_over(self, pairing: Pairing, offer: KeptOffer) -> None:
        offerer, answerer = pairing.offerer, pairing.answerer
        del offerer.offers[offer.number]
        pairing.sieves[Role.OFFERER] = offer.sieve
        self._tell(offerer, Taken(pairing.id, answerer.id, offer.number))
        self._tell(answerer, Offered(pairing.id, offerer.id, offer.sdp))
        for candidate, mid in offer.candidates:
            self._tell(answerer, Candidated(pairing.id, candidate, mid))

    def _unlinked(self, member: Member, message: Unlinked, now: float) -> None:
        pairing = member.pairings.get(message.pairing)
        if pairing is None:
            return  # the other end was first to say so
        other = pairing.other(member)
        if pairing.phase is not Phase.LINKED:
            self._tell(other, Unpaired(pairing.id))
        # Somebody who was sent a wrong byte is not to meet the sender again.
        until = inf if message.reason == "integrity" else now + SHUN
        self._separate(pairing, until, now)

    def _expire(self, pairing: Pairing, now: float) -> None:
        for end in (pairing.offerer, pairing.answerer):
            self._tell(end, Unpaired(pairing.id))
        self._separate(pairing, now + SHUN, now)

    def _separate(self, pairing: Pairing, until: float, now: float) -> None:
        """End it, keep the two apart until then, and find each somebody else."""
        self._part(pairing)
        ends = (pairing.offerer, pairing.answerer)
        for end in ends:
            end.shun(pairing.other(end), until)
            if until < end.seeks_at:
                end.seeks_at = until
                self._set_timer(until, end)
        for end in ends:
            self._seek(end, now)

    def _part(self, pairing: Pairing) -> None:
        for end in (pairing.offerer, pairing.answerer):
            end.part(pairing)
            self._note_room(end)

    def _note_room(self, member: Member) -> None:
        if len(member.pairings) < self._rules.many:
            member.swarm.open.add(member)
        else:
            member.swarm.open.discard(member)

    # Book-keeping

    def _tell(self, member: Member, message: FromTracker) -> None:
        self._messages.append(Tell(member.socket, message))

    def _new_id(self) -> str:
        return f"{self._rng.getrandbits(64):016x}"

    def _set_timer(self, at: float, subject: Pairing | Member) -> None:
        heapq.heappush(self._timers, (at, next(self._serials), subject))

    def _is_due_at(self, at: float, _: int, subject: Pairing | Member) -> bool:
        """Whether the timer still means something."""
        if isinstance(subject, Pairing):
            held = subject.offerer.pairings.get(subject.id) is subject
            return held and subject.phase is not Phase.LINKED
        return subject.socket in self._members and subject.seeks_at == at
