"""What is passed on between the ends of a pairing, and what is not."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcdn.core.swarm_ports import Dismissed, Rules
from p2pcdn.model import Mode
from p2pcdn.wire.candidate import parse_address
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    CandidatedTogether,
    Invite,
    OfferCandidates,
    Offered,
    PairingCandidates,
    Prepared,
    PreparedCandidate,
    SendAnswer,
    SendCandidate,
    SendCandidates,
    SendOffer,
    Taken,
    Unpaired,
)
from tests.p2pcdn.core.swarming import RELAY, World, mdns, sdp


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
    assert world.last(late, Offered).sdp.count("a=candidate:") == 6
    world.say(early, *(PreparedCandidate(1, mdns(number)) for number in range(6, 20)))
    assert len(world.all(late, Candidated)) == 4


def test_candidates_that_come_together_go_each_to_its_own(world: World) -> None:
    """Of a pairing that was offered, of an offer just taken, and of one that lies ready."""
    first, second = world.join(1, 2), world.join()
    third = world.join()
    taken = [message.pairing for message in world.all(first, Taken)]
    at = PairingCandidates(taken[0], (mdns(1), "", mdns(2)))
    of = OfferCandidates(2, (mdns(3), mdns(4), "rubbish"))
    world.say(first, SendCandidates((at,), (of, OfferCandidates(9, (mdns(5),)))))
    assert world.all(second, CandidatedTogether) == [
        CandidatedTogether(taken[0], (mdns(1), mdns(2)))
    ]
    assert world.all(third, CandidatedTogether) == [
        CandidatedTogether(taken[1], (mdns(3), mdns(4)))
    ]
    assert world.refusals(first) == [("bad_candidate", False)]


def test_candidates_of_what_is_over_or_not_described_take_no_others_with_them(
    world: World,
) -> None:
    answerer, offerer, pairing = invited(world)
    strange = PairingCandidates("0" * 16, (mdns(1),))
    world.say(answerer, SendCandidates((strange, PairingCandidates(pairing, (mdns(2),)))))
    assert world.refusals(answerer) == [("unknown_pairing", False), ("unexpected", False)]
    world.offer(offerer, pairing)
    world.say(offerer, SendCandidates((strange, PairingCandidates(pairing, (mdns(3),)))))
    assert world.all(answerer, CandidatedTogether) == [CandidatedTogether(pairing, (mdns(3),))]


@pytest.mark.parametrize(("many", "refused"), [(80, False), (81, True)])
def test_candidates_that_come_together_count_each_as_a_message(
    world: World, many: int, refused: bool
) -> None:
    """Of messages 40 may come at once, and 40 more before anybody is sent away."""
    peer = world.join()
    pairings = tuple(
        PairingCandidates(f"{number:016x}", (mdns(),) * min(16, many - 16 * number))
        for number in range((many + 15) // 16)
    )
    world.say(peer, SendCandidates(pairings))
    assert (("too_fast", True) in world.refusals(peer)) is refused
    if not refused:
        world.wait(1.0)
        world.say(peer, SendCandidates((PairingCandidates("0" * 16, (mdns(),) * 16),)))
        assert ("too_fast", True) not in world.refusals(peer), "20 a second"
        world.say(peer, SendCandidates((PairingCandidates("0" * 16, (mdns(),) * 16),)))
        assert ("too_fast", True) in world.refusals(peer)


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


PRIVATE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
PLACES = st.one_of(
    st.sampled_from(
        [
            "198.51.100.7", "203.0.113.9", "8.8.8.8", "10.0.0.5", "172.16.3.4", "192.168.1.5",
            "100.64.0.1", "169.254.1.1", "127.0.0.1", "0.0.0.0", "224.0.0.251", "255.255.255.255",
            "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::5", "ff02::fb", "2600::7", "2600::8",
            "::ffff:10.0.0.5", "::ffff:192.168.1.5", "::10.0.0.5", "2002:a00:5::1",
            "64:ff9b::10.0.0.5", "2001:0:1::f5ff:fffa", "printer.local", "victim.example.com",
            RELAY,
        ]
    ),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    *(st.ip_addresses(network=network).map(str) for network in PRIVATE),
)  # fmt: skip
TEXTS = st.builds(
    "candidate:1 1 {} {} {} {} typ {} raddr {} rport {}{}".format,
    st.sampled_from(["udp", "UDP", "tcp"]),
    st.integers(1, 2**31 - 1),
    PLACES,
    st.integers(1, 65_535),
    st.sampled_from(["host", "srflx", "prflx", "relay"]),
    PLACES,
    st.integers(1, 65_535),
    st.sampled_from(["", " generation 0", " ufrag 10.0.0.5", " tcptype active"]),
)
SOURCES = ("198.51.100.7", "2600::7", "192.168.1.5", "127.0.0.1")


@settings(deadline=None)  # of a busy machine nothing is to be learnt here
@given(
    texts=st.lists(TEXTS, max_size=8),
    mode=st.sampled_from(["lan", "network", "any", "relay"]),
    source=st.sampled_from(SOURCES),
    way=st.sampled_from(["prepared", "invited", "answers"]),
)
def test_no_address_gets_out_but_those_that_may(
    texts: list[str], mode: Mode, source: str, way: str
) -> None:
    """Inside of descriptions, and after them; of the one who offers, and who answers."""
    world = World(Rules(candidates=100, relays=True))
    half = len(texts) // 2
    if way == "prepared":
        teller = world.join(source=source, mode=mode)
        world.say(teller, Prepared(1, sdp("actpass", *texts[:half])))
        world.say(teller, *(PreparedCandidate(1, text) for text in texts[half:]))
        other = world.join(source=source, mode=mode)
    else:
        other, teller = world.join(source=source, mode=mode), world.join(source=source, mode=mode)
        offerer, answerer = (teller, other) if way == "invited" else (other, teller)
        if not world.all(offerer, Invite):
            offerer, answerer = answerer, offerer
        pairing = world.all(offerer, Invite)[0].pairing
        world.offer(offerer, pairing, *(texts[:half] if offerer == teller else ()))
        world.answer(answerer, pairing, *(texts[:half] if answerer == teller else ()))
        world.say(teller, *(SendCandidate(pairing, text) for text in texts[half:]))
    heard = "\n".join(map(str, world.heard[other]))
    told = set(map(parse_address, re.findall(r"[0-9A-Za-z:.%-]*[:.][0-9A-Za-z:.%-]+", heard)))
    told -= {None, ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")}
    for address in told:
        assert address is not None
        own = address == ipaddress.ip_address(source)
        by_relay = mode == "relay" and str(address) == RELAY
        local = mode == "lan" and any(address in network for network in PRIVATE)
        other_family = address.version != ipaddress.ip_address(source).version
        public = mode in ("network", "any") and address.is_global and other_family
        assert (own and mode != "relay") or by_relay or local or public, (address, heard)
        if public and not own:
            assert sum(a.version == address.version for a in told if a) == 1, "one of that family"
    assert "local" not in heard
    assert "example" not in heard
