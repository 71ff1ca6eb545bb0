"""The steps of a pairing: whose they are, and when."""

from __future__ import annotations

import ipaddress

import pytest

from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.pairing import Pairing, Phase, Step
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import Vantage


def member(number: int) -> Member:
    vantage = Vantage(ipaddress.ip_address("198.51.100.7"))
    return Member(number, f"{number:016x}", Swarm(("s", "c", "")), vantage, True, None)


def pairing(phase: Phase) -> Pairing:
    return Pairing("p" * 16, member(1), member(2), phase, 15.0)


ALLOWED = {
    (Phase.INVITED, "offerer", Step.OFFER): Phase.OFFERED,
    (Phase.OFFERED, "answerer", Step.ANSWER): Phase.ANSWERED,
    (Phase.ANSWERED, "offerer", Step.LINK): Phase.LINKED,
    (Phase.ANSWERED, "answerer", Step.LINK): Phase.LINKED,
    (Phase.LINKED, "offerer", Step.LINK): Phase.LINKED,
    (Phase.LINKED, "answerer", Step.LINK): Phase.LINKED,
}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("end", ["offerer", "answerer"])
@pytest.mark.parametrize("step", Step)
def test_each_step_is_made_by_one_end_at_one_time(phase: Phase, end: str, step: Step) -> None:
    pair = pairing(phase)
    who = pair.offerer if end == "offerer" else pair.answerer
    after = ALLOWED.get((phase, end, step))
    if after is not None:
        pair.advance(who, step)
        assert pair.phase is after
        return
    with pytest.raises(RemoteError) as caught:
        pair.advance(who, step)
    assert caught.value.code is ErrorCode.UNEXPECTED
    assert pair.phase is phase


@pytest.mark.parametrize(
    ("phase", "offerer", "answerer"),
    [
        (Phase.INVITED, False, False),
        (Phase.OFFERED, True, False),
        (Phase.ANSWERED, True, True),
        (Phase.LINKED, True, True),
    ],
)
def test_an_end_has_described_itself_after_its_description(
    phase: Phase, offerer: bool, answerer: bool
) -> None:
    pair = pairing(phase)
    assert pair.has_described(pair.offerer) is offerer
    assert pair.has_described(pair.answerer) is answerer


def test_each_end_has_the_other() -> None:
    pair = pairing(Phase.INVITED)
    assert pair.other(pair.offerer) is pair.answerer
    assert pair.other(pair.answerer) is pair.offerer


def test_it_is_on_as_long_as_its_ends_hold_it() -> None:
    pair = pairing(Phase.INVITED)
    for end in pair.ends:
        end.meet(pair.other(end), pair, 0.0)
    assert pair.is_on
    for end in pair.ends:
        end.part(pair)
    assert not pair.is_on
