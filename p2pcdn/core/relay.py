"""Passing descriptions and candidates on: from one end of a pairing to the other, and cleaned.

Nothing is relayed but on a pairing of the very socket that speaks, by the end whose turn it is, and
only what `p2pcdn.wire.sdp` and the end's `Sieve` let through.
"""

from __future__ import annotations

from p2pcdn.core.member import KeptOffer, Member
from p2pcdn.core.pairing import Pairing, Step
from p2pcdn.core.swarm_ports import Outbox, Rules
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import Sieve
from p2pcdn.wire.sdp import clean_description
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    Offered,
    PreparedCandidate,
    Refused,
    SendAnswer,
    SendCandidate,
    SendOffer,
)


class Relay:
    """Hands on what the ends of pairings have to say to each other."""

    def __init__(self, rules: Rules, outbox: Outbox) -> None:
        self._rules = rules
        self._outbox = outbox

    def keep(self, member: Member, number: int, sdp: str, now: float) -> None:
        """Keep an offer for whomever the member is paired with next."""
        sieve = Sieve(member.vantage, self._rules.candidates, member.mode)
        clean = clean_description(sdp, sieve, self._rules.sdp_bytes)
        member.see(sieve)
        member.keep(KeptOffer(number, clean, sieve, now))

    def prepared_candidate(self, member: Member, message: PreparedCandidate) -> None:
        """A candidate of a prepared offer: kept with it, or passed on if it was just taken."""
        kept = member.offers.get(message.offer)
        if kept is not None:
            candidate = self._sift(member, kept.sieve, message.candidate)
            if candidate is not None:
                kept.candidates.append((candidate, message.mid))
            return
        for pairing in member.pairings.values():
            if pairing.offerer is member and pairing.offer == message.offer:
                self._pass_on(pairing, member, message.candidate, message.mid)
                return

    def offer(self, member: Member, message: SendOffer) -> None:
        """The offer that an invitation asked for."""
        pairing = self._pairing(member, message.pairing)
        if pairing is not None:
            pairing.advance(member, Step.OFFER)
            sdp = self._clean(pairing, member, message.sdp)
            self._outbox.tell(pairing.answerer.socket, Offered(pairing.id, member.id, sdp))

    def answer(self, member: Member, message: SendAnswer) -> bool:
        """The answer to an offer; whether there was such an offer."""
        pairing = self._pairing(member, message.pairing)
        if pairing is None:
            return False
        pairing.advance(member, Step.ANSWER)
        sdp = self._clean(pairing, member, message.sdp)
        self._outbox.tell(pairing.offerer.socket, Answered(pairing.id, sdp))
        return True

    def candidate(self, member: Member, message: SendCandidate) -> None:
        """A candidate of one end, which has described itself before."""
        pairing = self._pairing(member, message.pairing)
        if pairing is None:
            return
        if pairing.has_described(member):
            self._pass_on(pairing, member, message.candidate, message.mid)
        else:
            self._complain(member, ErrorCode.UNEXPECTED, "a candidate before its description")

    def _pairing(self, member: Member, pairing: str) -> Pairing | None:
        """The member's pairing of this id. An honest peer may come too late: it is told so."""
        if pairing not in member.pairings:
            self._complain(member, ErrorCode.UNKNOWN_PAIRING, f"no pairing {pairing} here")
        return member.pairings.get(pairing)

    def _clean(self, pairing: Pairing, member: Member, sdp: str) -> str:
        sieve = Sieve(member.vantage, self._rules.candidates, member.mode)
        pairing.sieves[pairing.role_of(member)] = sieve
        clean = clean_description(sdp, sieve, self._rules.sdp_bytes)
        member.see(sieve)
        return clean

    def _pass_on(self, pairing: Pairing, member: Member, text: str, mid: str) -> None:
        candidate = self._sift(member, pairing.sieves[pairing.role_of(member)], text)
        if candidate is not None:
            other = pairing.other(member)
            self._outbox.tell(other.socket, Candidated(pairing.id, candidate, mid))

    def _sift(self, member: Member, sieve: Sieve, text: str) -> str | None:
        try:
            candidate = sieve.sift(text)
            member.see(sieve)
            return candidate
        except RemoteError as error:  # perhaps a form of tomorrow's: no reason to part
            self._complain(member, error.code, error.detail)
            return None

    def _complain(self, member: Member, code: ErrorCode, detail: str) -> None:
        self._outbox.tell(member.socket, Refused(code, detail, fatal=False))
