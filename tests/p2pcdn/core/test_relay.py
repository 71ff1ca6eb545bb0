"""What is passed on between the ends of a pairing, and what is not."""

from __future__ import annotations

import pytest

from p2pcdn.core.swarm_ports import Dismissed, Rules
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    Invite,
    Offered,
    Prepared,
    PreparedCandidate,
    SendAnswer,
    SendCandidate,
    SendOffer,
    Taken,
    Unpaired,
)
from tests.p2pcdn.core.swarming import World, mdns, sdp


@pytest.fixture
def world() -> World:
    return World()


def invited(world: World) -> tuple[int, int, str]:
    """The answerer, the offerer, their pairing."""
    answerer, offerer = world.join(), world.join()
    return answerer, offerer, world.last(offerer, Invite).pairing


def test_offer_answer_and_candidates_reach_the_other_end(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    world.offer(offerer, pairing)
    world.say(offerer, SendCandidate(pairing, mdns(1)))
    world.answer(answerer, pairing)
    world.say(answerer, SendCandidate(pairing, mdns(2), "data"))
    assert world.all(answerer, Offered)[0].peer == world.ids[offerer]
    assert world.last(answerer, Candidated) == Candidated(pairing, mdns(1))
    assert world.last(offerer, Candidated) == Candidated(pairing, mdns(2), "data")
    assert world.all(offerer, Answered)[0].sdp.startswith("v=0")


def test_descriptions_are_cleaned(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    world.offer(offerer, pairing, "candidate:1 1 udp 1 192.168.1.5 5000 typ host", mdns())
    assert "192.168" not in world.last(answerer, Offered).sdp
    assert mdns() in world.last(answerer, Offered).sdp


@pytest.mark.parametrize("who", ["answerer", "offerer"])
def test_the_answerer_does_not_offer_and_the_offerer_does_not_answer(
    world: World, who: str
) -> None:
    answerer, offerer, pairing = invited(world)
    if who == "answerer":
        wrong, other = answerer, offerer
        world.offer(wrong, pairing)
    else:
        wrong, other = offerer, answerer
        world.offer(offerer, pairing)
        world.answer(wrong, pairing)
    assert world.refusals(wrong) == [("unexpected", True)]
    assert world.happened(Dismissed)[0].socket == wrong
    assert world.last(other, Unpaired).pairing == pairing


def test_an_answer_goes_once(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    world.offer(offerer, pairing)
    world.answer(answerer, pairing)
    world.answer(answerer, pairing)
    assert len(world.all(offerer, Answered)) == 1
    assert world.refusals(answerer) == [("unexpected", True)]


def test_nobody_speaks_on_a_strangers_pairing(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    stranger = world.join(content="e" * 32)
    world.offer(offerer, pairing)
    heard = len(world.heard[offerer])
    world.say(
        stranger,
        SendOffer(pairing, sdp()),
        SendAnswer(pairing, sdp("active")),
        SendCandidate(pairing, mdns()),
    )
    assert world.refusals(stranger) == [("unknown_pairing", False)] * 3
    assert len(world.heard[offerer]) == heard
    world.answer(answerer, pairing)
    assert world.all(offerer, Answered)


def test_a_candidate_waits_for_its_description(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    world.say(offerer, SendCandidate(pairing, mdns()))
    world.offer(offerer, pairing)
    world.say(answerer, SendCandidate(pairing, mdns()))
    assert not world.all(answerer, Candidated)
    assert not world.all(offerer, Candidated)
    assert world.refusals(answerer) == world.refusals(offerer) == [("unexpected", False)]


@pytest.mark.parametrize("sent", [10, 11, 1000])
def test_ten_candidates_a_side_pass(world: World, sent: int) -> None:
    answerer, offerer, pairing = invited(world)
    world.offer(offerer, pairing, mdns(0), mdns(1))
    world.say(offerer, *(SendCandidate(pairing, mdns(number)) for number in range(2, sent)))
    assert len(world.all(answerer, Candidated)) == 8
    world.answer(answerer, pairing)
    world.say(answerer, SendCandidate(pairing, mdns()))
    assert len(world.all(offerer, Candidated)) == 1, "the other end has ten of its own"


def test_candidates_of_a_prepared_offer_count_before_and_after_it_is_taken(world: World) -> None:
    early = world.join(1)
    world.say(early, *(PreparedCandidate(1, mdns(number)) for number in range(6)))
    late = world.join()
    assert len(world.all(late, Candidated)) == 6
    world.say(early, *(PreparedCandidate(1, mdns(number)) for number in range(6, 20)))
    assert len(world.all(late, Candidated)) == 10


def test_a_candidate_of_an_offer_just_taken_finds_its_pairing(world: World) -> None:
    early = world.join(1)
    late = world.join()
    pairing = world.last(early, Taken).pairing
    world.say(early, PreparedCandidate(1, mdns(3)))
    world.say(early, SendCandidate(pairing, mdns(4)))
    assert world.all(late, Candidated) == [
        Candidated(pairing, mdns(3)),
        Candidated(pairing, mdns(4)),
    ]


def test_a_candidate_of_no_known_offer_goes_nowhere(world: World) -> None:
    early = world.join(1)
    late = world.join()
    world.say(early, PreparedCandidate(9, mdns()))
    assert not world.all(late, Candidated)
    assert world.refusals(early) == []


def test_what_is_no_candidate_is_answered_and_not_passed_on(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    world.offer(offerer, pairing)
    world.say(offerer, SendCandidate(pairing, "rubbish"), SendCandidate(pairing, mdns()))
    assert world.refusals(offerer) == [("bad_candidate", False)]
    assert len(world.all(answerer, Candidated)) == 1


def test_the_end_of_candidates_is_not_passed_on(world: World) -> None:
    answerer, offerer, pairing = invited(world)
    world.offer(offerer, pairing)
    world.say(offerer, SendCandidate(pairing, ""))
    assert not world.all(answerer, Candidated)
    assert world.refusals(offerer) == []


@pytest.mark.parametrize("message", ["offer", "answer", "prepared"])
def test_a_bad_description_ends_the_socket_and_nothing_else(world: World, message: str) -> None:
    answerer, offerer, pairing = invited(world)
    if message == "prepared":
        wrong, other = offerer, answerer
        world.say(offerer, Prepared(1, "rubbish"))
    elif message == "offer":
        wrong, other = offerer, answerer
        world.say(offerer, SendOffer(pairing, "rubbish"))
    else:
        wrong, other = answerer, offerer
        world.offer(offerer, pairing)
        world.say(answerer, SendAnswer(pairing, "rubbish"))
    assert world.refusals(wrong) == [("bad_sdp", True)]
    assert world.refusals(other) == []
    assert world.last(other, Unpaired).pairing == pairing


@pytest.mark.parametrize("over", [0, 1, 2000])
def test_a_description_has_a_limit(over: int) -> None:
    world = World(Rules(sdp_bytes=1000))
    answerer, offerer, pairing = invited(world)
    padding = "a=" + "x" * (1000 + over - len(sdp()) - 4) + "\r\n"
    world.say(offerer, SendOffer(pairing, sdp() + padding))
    if over:
        assert world.refusals(offerer) == [("too_large", True)]
    else:
        assert world.last(answerer, Offered).pairing == pairing
