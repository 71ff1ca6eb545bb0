"""Passing descriptions and candidates on: from one end of a pairing to the other, and cleaned.

Nothing is relayed but on a pairing of the very socket that speaks, by the end whose turn it is, and
only what `p2pcdn.wire.sdp` and the end's `Sieve` let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from p2pcdn.core.member import KeptOffer, Member
from p2pcdn.core.pairing import Pairing, Step
from p2pcdn.core.swarm_ports import Outbox, Rules
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import Sieve
from p2pcdn.wire.sdp import clean_description
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    CandidatedTogether,
    Offered,
    PreparedCandidate,
    Refused,
    SendAnswer,
    SendCandidate,
    SendCandidates,
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
        """A candidate of a prepared offer: put into it, or passed on if it was just taken."""
        kept = member.offers.get(message.offer)
        if kept is not None:
            self._put_in(member, kept, (message.candidate,))
        elif (pairing := self._made_of(member, message.offer)) is not None:
            self._pass_on(pairing, member, message.candidate, message.mid)

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
        pairing = self._described(member, message.pairing, "a candidate before its description")
        if pairing is not None:
            self._pass_on(pairing, member, message.candidate, message.mid)

    def candidates(self, member: Member, message: SendCandidates, now: float) -> None:
        """Candidates that come together, of several pairings and prepared offers. Each counts as a
        message does; `RemoteError` if they are too many."""
        many = sum(len(at.candidates) for at in message.pairings)
        self._count(member, many + sum(len(of.candidates) for of in message.offers), now)
        for of in message.offers:
            kept = member.offers.get(of.offer)
            if kept is not None:
                self._put_in(member, kept, of.candidates)
            elif (pairing := self._made_of(member, of.offer)) is not None:
                self._pass_all_on(pairing, member, of.candidates, of.mid)
        for at in message.pairings:
            pairing = self._described(member, at.pairing, "candidates before their description")
            if pairing is not None:
                self._pass_all_on(pairing, member, at.candidates, at.mid)

    def _count(self, member: Member, candidates: int, now: float) -> None:
        """Of messages a burst is read at once, and as much again later: so many may be in one."""
        rate, most = self._rules.messages_per_second, 2 * self._rules.burst
        member.candidates_due = max(member.candidates_due, now - most / rate) + candidates / rate
        if member.candidates_due > now:
            raise RemoteError(ErrorCode.TOO_FAST, f"more than {rate:g} candidates/s")

    def _put_in(self, member: Member, kept: KeptOffer, texts: Sequence[str]) -> None:
        """Whoever gets the offer gets them with it: its only section is its last."""
        for candidate in self._sifted(member, kept.sieve, texts):
            kept.sdp += f"a={candidate}\r\n"

    def _made_of(self, member: Member, offer: int) -> Pairing | None:
        """The pairing that a prepared offer of the member's has become."""
        for pairing in member.pairings.values():
            if pairing.offerer is member and pairing.offer == offer:
                return pairing
        return None

    def _described(self, member: Member, pairing: str, complaint: str) -> Pairing | None:
        """The member's pairing of this id, of which it has described its end, or hears that it has
        not."""
        found = self._pairing(member, pairing)
        if found is None or found.has_described(member):
            return found
        self._complain(member, ErrorCode.UNEXPECTED, complaint)
        return None

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

    def _pass_all_on(
        self, pairing: Pairing, member: Member, texts: Sequence[str], mid: str
    ) -> None:
        passed = tuple(self._sifted(member, pairing.sieves[pairing.role_of(member)], texts))
        if passed:
            other = pairing.other(member)
            self._outbox.tell(other.socket, CandidatedTogether(pairing.id, passed, mid))

    def _sifted(self, member: Member, sieve: Sieve, texts: Sequence[str]) -> Iterator[str]:
        for text in texts:
            candidate = self._sift(member, sieve, text)
            if candidate is not None:
                yield candidate

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
