"""Two peers that the tracker has introduced to each other.

::

               offer                answer                linked
    INVITED ---------> OFFERED ----------------> ANSWERED -------> LINKED
     (starts here, or, with a prepared offer, in OFFERED)

The offerer makes the offer, the answerer answers it; nobody else may, and each only once. A
pairing ends when one end says so or leaves, or when it is not linked in time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from p2pcdn.errors import ErrorCode, RemoteError

if TYPE_CHECKING:
    from p2pcdn.core.member import Member
    from p2pcdn.wire.candidate import Sieve

LINK_TIMEOUT = 15.0
"""Peers give up after 4 s; this is for those that vanish, or say nothing."""


class Phase(Enum):
    """How far a pairing has come."""

    INVITED = "invited"
    OFFERED = "offered"
    ANSWERED = "answered"
    LINKED = "linked"


class Role(Enum):
    """Which end of a pairing a peer is."""

    OFFERER = "offerer"
    ANSWERER = "answerer"


class Step(Enum):
    """What moves a pairing on."""

    OFFER = "offer"
    ANSWER = "answer"
    LINK = "linked"


_NEXT: dict[tuple[Phase, Role, Step], Phase] = {
    (Phase.INVITED, Role.OFFERER, Step.OFFER): Phase.OFFERED,
    (Phase.OFFERED, Role.ANSWERER, Step.ANSWER): Phase.ANSWERED,
    (Phase.ANSWERED, Role.OFFERER, Step.LINK): Phase.LINKED,
    (Phase.ANSWERED, Role.ANSWERER, Step.LINK): Phase.LINKED,
    (Phase.LINKED, Role.OFFERER, Step.LINK): Phase.LINKED,
    (Phase.LINKED, Role.ANSWERER, Step.LINK): Phase.LINKED,
}


@dataclass(slots=True, eq=False)
class Pairing:
    """One introduction, as the tracker keeps it."""

    id: str
    offerer: Member
    answerer: Member
    phase: Phase
    deadline: float
    """When it is over unless linked."""
    offer: int | None = None
    """The number of the prepared offer that it was made from."""
    near: bool = False
    """Whether one end is near the other."""
    sieves: dict[Role, Sieve] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[Member, Member]:
        return self.offerer, self.answerer

    @property
    def is_on(self) -> bool:
        """Whether it has not ended."""
        return self.offerer.pairings.get(self.id) is self

    def role_of(self, member: Member) -> Role:
        return Role.OFFERER if member is self.offerer else Role.ANSWERER

    def other(self, member: Member) -> Member:
        """The other end."""
        return self.answerer if member is self.offerer else self.offerer

    def is_owed_by(self, member: Member) -> bool:
        """Whether this end has an offer to answer, or is about to get one."""
        return member is self.answerer and self.phase in (Phase.INVITED, Phase.OFFERED)

    def advance(self, member: Member, step: Step) -> None:
        """``member`` makes this step; `RemoteError` if it is not its to make now."""
        phase = _NEXT.get((self.phase, self.role_of(member), step))
        if phase is None:
            raise RemoteError(
                ErrorCode.UNEXPECTED,
                f"{step.value} of the {self.role_of(member).value} when {self.phase.value}",
            )
        self.phase = phase
        if step is Step.ANSWER:
            self.answerer.inbound -= 1

    def has_described(self, member: Member) -> bool:
        """Whether this end's offer or answer has been passed on, so that its candidates mean
        something to the other end."""
        if member is self.offerer:
            return self.phase is not Phase.INVITED
        return self.phase in (Phase.ANSWERED, Phase.LINKED)
