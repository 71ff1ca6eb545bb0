"""The tracker's mind: who is in which swarm, who is paired with whom, what is passed on.

::

    a socket:  opened --join--> in its swarm --leave, closed, refused--> gone
                                   |   ^
                                   v   |  pairings, each a machine of its own (`pairing`)

A newcomer is paired at once with up to `Rules.aim` others, those first that hold what it will need
(`matching`); whoever loses a neighbour gets another (`introducer`). What they have to say to each
other until there is a link is passed on and cleaned (`relay`). Of what they will all need soon, a
few of them are named to fetch it from the origin (`lessor`). Who sends wrong bytes is dismissed
once enough others say so (`blame`).

Who may come in, and for how long, is decided by what the operator says of the site (`access`,
`passes`). Identity is the socket, and the key that it proved to have: nothing in a message says who
speaks, so nobody can answer, leave or report for another. A message that no honest peer would send
is answered with its code, and the socket dismissed; one that comes too late (its pairing is over)
is only answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from random import Random

from p2pcdn.core.blame import Jury, Verdict
from p2pcdn.core.introducer import Introducer, new_id
from p2pcdn.core.lessor import Lessor
from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.modes import both, neighbourhood
from p2pcdn.core.pairing import Pairing, Phase, Step
from p2pcdn.core.passes import Passes
from p2pcdn.core.relay import Relay
from p2pcdn.core.swarm_ports import (
    SILENT,
    Arrived,
    Banned,
    Closed,
    Convicted,
    CostsChanged,
    Dismissed,
    Input,
    Left,
    NatSeen,
    Opened,
    Outbox,
    PairingLinked,
    Published,
    Reported,
    Rules,
    Said,
    SitesChanged,
    SwarmEvent,
    Tell,
)
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import PROTOCOL, Mode, home_of
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.tracker import (
    Fetching,
    Join,
    Joined,
    Leave,
    Linked,
    Move,
    Prepared,
    PreparedCandidate,
    Refused,
    Renew,
    Renewed,
    Report,
    SendAnswer,
    SendCandidate,
    SendCandidates,
    SendOffer,
    ToTracker,
    Unlinked,
)

STUN_PATIENCE = 2.0
"""Seconds in which a STUN server answers, or does not, once a peer has found its own addresses: on
a slow device that alone may take as long."""

OFF = (15.0, 45.0)
"""Seconds between which peers of a site that is switched off are told to come back and look, so
that not all of them do at the same time."""


class Swarms:
    """All swarms of a tracker. ``rng`` gives ids, and picks among equals."""

    def __init__(self, rules: Rules, rng: Random) -> None:
        self._rules = rules
        self._rng = rng
        self._outbox = Outbox()
        self._introducer = Introducer(rules, rng, self._outbox)
        self._relay = Relay(rules, self._outbox)
        self._lessor = Lessor(rules, rng, self._outbox)
        self._jury = Jury(rules.jury, rules.ban_time)
        self._passes = Passes(rules.sites)
        self._others = (self._lessor, self._passes, self._jury)
        """Machines that have timers, but for the introducer."""
        self._vantages: dict[int, Vantage] = {}
        """Of every open socket."""
        self._members: dict[int, Member] = {}
        self._swarms: dict[tuple[str, str], dict[str, Swarm]] = {}
        """By site and content, and then by the network that their members are kept to."""

    # The five verbs

    def receive(self, message: Input, now: float) -> None:
        match message:
            case Said(socket=socket, message=said, unix=unix):  # nearly all are
                if socket not in self._vantages:
                    return  # dismissed, and it has not heard of it yet
                try:
                    self._hear(socket, said, now, unix)
                except RemoteError as error:
                    self._refuse(socket, error, now)
            case Opened(socket=socket, vantage=vantage, visitor=visitor):
                self._vantages[socket] = vantage
                self._passes.opened(socket, visitor)
            case Closed(socket=socket):
                self._remove(socket, now)
            case Published(site=site, content=content, records=records):
                for swarm in self._swarms.get((site, content), {}).values():
                    self._lessor.published(swarm, records)
            case SitesChanged(sites=sites):
                self._rules.sites.put(sites)
                self._turn_out(dict([*self._too_free(), *self._passes.unwelcome()]), now)
            case CostsChanged(costs=costs):
                self._introducer.costs = costs
            case Convicted(home=home):
                self._jury.ban(home, now)

    def timer_at(self) -> float | None:
        soonest = self._introducer.timer_at()
        for machine in self._others:
            at = machine.timer_at()
            if at is not None and (soonest is None or at < soonest):
                soonest = at
        return soonest

    def on_timer(self, now: float) -> None:
        expired = RemoteError(ErrorCode.EXPIRED, "the join token has expired")
        self._turn_out(dict.fromkeys(self._passes.expired(now), expired), now)
        self._introducer.on_timer(now)
        self._lessor.on_timer(now)
        for verdict in self._jury.verdicts(now):
            self._sentence(verdict, now)

    def take_messages(self) -> list[Tell]:
        return self._outbox.take_messages()

    def take_events(self) -> list[SwarmEvent]:
        return self._outbox.take_events()

    # What a peer says

    def _hear(self, socket: int, message: ToTracker, now: float, unix: float) -> None:
        if isinstance(message, Join):
            self._join(socket, message, now, unix)
            return
        member = self._members.get(socket)
        if member is None:
            raise RemoteError(ErrorCode.UNEXPECTED, "the first message is a join")
        self._tell_nat(member, now)
        match message:
            case SendCandidates():  # of all messages most are
                self._relay.candidates(member, message, now)
            case SendCandidate():
                self._relay.candidate(member, message)
            case Prepared(offer=number, sdp=sdp):
                self._relay.keep(member, number, sdp, now)
            case PreparedCandidate():
                self._relay.prepared_candidate(member, message)
            case SendOffer():
                self._relay.offer(member, message)
            case SendAnswer():
                self._answer(member, message, now)
            case Linked():
                self._linked(member, message, now)
            case Unlinked():
                self._unlinked(member, message, now)
            case Move():
                member.move(message, now)
                self._lessor.place(member, now)
                self._introducer.seek_soon(member, now)
            case Fetching():
                self._lessor.fetching(member, message, now)
            case Report():
                self._outbox.happened(Reported(member.id, message))
            case Renew():
                lasts = self._passes.renew(socket, message, now, unix)
                self._outbox.tell(socket, Renewed(lasts))
            case Leave():
                self._dismiss(socket, None, now)
        self._tell_nat(member, now)

    def _tell_nat(self, member: Member, now: float) -> None:
        """Say what is known by now of the NAT that a member is behind."""
        nat: str = member.nat or ""
        if nat and nat == member.nat_told:
            return
        asks = self._rules.stun and member.mode in {"network", "any"} and member.gathers
        if asks:
            member.asked = min(member.asked, now)
        if not nat and now - member.asked >= STUN_PATIENCE:
            nat = SILENT
        if nat and nat != member.nat_told and member.present:
            member.nat_told = nat
            self._outbox.happened(NatSeen(member.id, nat))

    def _answer(self, member: Member, message: SendAnswer, now: float) -> None:
        if self._relay.answer(member, message):
            self._introducer.seek(member, now)  # it has room for another offer

    def _linked(self, member: Member, message: Linked, now: float) -> None:
        pairing = member.pairings.get(message.pairing)
        if pairing is None:
            return  # it took too long, and the other end was told so
        first = pairing.phase is not Phase.LINKED
        pairing.advance(member, Step.LINK)
        if first:
            self._outbox.happened(PairingLinked(pairing.id, message.took))
            self._jury.linked(pairing.offerer.place, pairing.answerer.place, now)
            for end in pairing.ends:
                self._lessor.linked(end, now)

    def _unlinked(self, member: Member, message: Unlinked, now: float) -> None:
        wrong = message.reason == "integrity"
        pairing = member.pairings.get(message.pairing)
        if wrong:
            self._complain(member, message.pairing, pairing, now)
        if pairing is not None:
            # Somebody who was sent a wrong byte is not to meet the sender again.
            self._introducer.fail(pairing, member, message.reason, wrong, now)

    def _complain(self, member: Member, id_: str, pairing: Pairing | None, now: float) -> None:
        """A member was sent a wrong chunk over a link; the other end may have been first to say
        that the link is over."""
        parted = member.parted.pop(id_, None)
        if pairing is not None and pairing.phase is Phase.LINKED:
            other = pairing.other(member)
            parted = other.id, other.place
        if parted is not None:
            peer, place = parted
            member.shun(peer, inf)
            member.avoid(place.home)
            self._jury.accuse(member.place, place, peer, now)

    # Coming and going

    def _join(self, socket: int, join: Join, now: float, unix: float) -> None:
        self._check(socket, join, now)
        lasts = self._passes.admit(socket, join, now, unix)
        mode = self._mode(join)
        vantage = self._vantages[socket]
        network = neighbourhood(mode, vantage)
        swarms = self._swarms.get((join.site, join.content), {})
        swarm = swarms.get(network) or Swarm((join.site, join.content, network))
        member = Member(
            socket=socket,
            id=new_id(self._rng),
            swarm=swarm,
            vantage=vantage,
            upload=join.upload,
            position=join.position,
            mode=mode,
            since=now,
            uplink=join.uplink,
            told=now,
        )
        # Who did not know that it has to take a relay will make another offer, for that.
        for offer in join.offers if mode != "relay" or join.mode == mode else ():
            self._relay.keep(member, offer.offer, offer.sdp, now)
        self._outbox.tell(socket, Joined(member.id, len(swarm.members), lasts, mode))
        is_viewer = join.client == "browser"
        self._outbox.happened(Arrived(member.id, join.content, is_viewer, socket, join.access))
        self._swarms.setdefault((join.site, join.content), swarms)[network] = swarm
        self._members[socket] = member
        swarm.members.add(member)
        self._lessor.place(member, now)
        self._introducer.take_in(member, now)
        self._tell_nat(member, now)

    def _mode(self, join: Join) -> Mode:
        """Whom the peer may meet, as the operator, the site and the viewer have it."""
        site = both(self._rules.mode, self._rules.sites.mode(join.site))
        mode = both(site, join.mode)
        if mode == "off" or (mode == "relay" and not self._rules.relays):
            raise RemoteError(
                ErrorCode.NO_PEERS, f"the site's mode is {site}, the viewer's {join.mode}"
            )
        return mode

    def _too_free(self) -> Iterator[tuple[int, RemoteError]]:
        """Members who may meet peers that their site does not let them meet any more."""
        for socket, member in self._members.items():
            mode = self._rules.sites.mode(member.swarm.key[0])
            if both(mode, member.mode) != member.mode:
                yield socket, RemoteError(ErrorCode.SITE_OFF, f"the site's mode is {mode} now")

    def _sentence(self, verdict: Verdict, now: float) -> None:
        """Dismiss those who were accused; others of that home stay, but nobody new comes in."""
        found = [member for member in self._members.values() if member.id in verdict.peers]
        self._outbox.happened(Banned(tuple(member.id for member in found), verdict.home))
        for member in found:
            self._refuse(member.socket, _banned(), now)

    def _check(self, socket: int, join: Join, now: float) -> None:
        if socket in self._members:
            raise RemoteError(ErrorCode.UNEXPECTED, "this socket has joined already")
        if join.protocol != PROTOCOL:
            raise RemoteError(
                ErrorCode.UNSUPPORTED_PROTOCOL,
                f"this tracker speaks version {PROTOCOL}, not {join.protocol}",
            )
        if self._jury.is_banned(home_of(self._vantages[socket].source), now):
            raise _banned()

    def _refuse(self, socket: int, error: RemoteError, now: float) -> None:
        retry = round(self._rng.uniform(*OFF), 1) if error.code is ErrorCode.SITE_OFF else None
        self._outbox.tell(socket, Refused(error.code, error.detail, retry_after=retry))
        self._dismiss(socket, error.code, now)

    def _dismiss(self, socket: int, code: ErrorCode | None, now: float) -> None:
        self._remove(socket, now)
        self._outbox.happened(Dismissed(socket, code))

    def _turn_out(self, unwelcome: dict[int, RemoteError], now: float) -> None:
        """Send all of them away; none is introduced to another meanwhile."""
        for socket in unwelcome:
            member = self._members[socket]
            member.present = False
            member.swarm.take_out(member)
        for socket, error in unwelcome.items():
            self._refuse(socket, error, now)

    def _remove(self, socket: int, now: float) -> None:
        self._vantages.pop(socket, None)
        self._passes.closed(socket)
        member = self._members.pop(socket, None)
        if member is None:
            return
        member.present = False
        swarm = member.swarm
        swarm.take_out(member)
        if not swarm.members:
            site, content, network = swarm.key
            swarms = self._swarms.get((site, content), {})
            swarms.pop(network, None)
            if not swarms:
                self._swarms.pop((site, content), None)
        self._lessor.remove(member, now)
        self._introducer.take_out(member, now)
        self._outbox.happened(Left(member.id))


def _banned() -> RemoteError:
    return RemoteError(ErrorCode.BANNED, "independent peers were sent wrong bytes from there")
