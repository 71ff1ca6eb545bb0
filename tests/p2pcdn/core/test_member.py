"""What a tracker keeps of a peer, and that it is bounded."""

from __future__ import annotations

import ipaddress
from math import inf

from p2pcdn.core.acquaintances import ACQUAINTANCE_LASTS
from p2pcdn.core.member import (
    MOST_AVOIDED,
    MOST_KEPT,
    MOST_PARTED,
    MOST_SHUNNED,
    OFFER_LASTS,
    KeptOffer,
    Member,
    Swarm,
)
from p2pcdn.core.pairing import Pairing, Phase, Step
from p2pcdn.wire.candidate import Sieve, Vantage
from p2pcdn.wire.tracker import Move
from tests.p2pcdn.core.swarming import at

VANTAGE = Vantage(ipaddress.ip_address("198.51.100.7"))


def member(number: int = 1, vantage: Vantage = VANTAGE, source: str | None = None) -> Member:
    if source is not None:
        vantage = Vantage(ipaddress.ip_address(source))
    return Member(number, f"{number:016x}", Swarm(("s", "c", "")), vantage, True, None)


def kept(number: int, since: float = 0.0) -> KeptOffer:
    return KeptOffer(number, "v=0", Sieve(VANTAGE, 10), since)


def introduce(a: Member, b: Member, now: float = 0.0) -> Pairing:
    pairing = Pairing(f"{a.socket}-{b.socket}", a, b, Phase.INVITED, now + 15)
    a.meet(b, pairing, now)
    b.meet(a, pairing, now)
    return pairing


def test_the_oldest_offer_goes_first() -> None:
    peer = member()
    peer.keep(kept(1, 0.0))
    peer.keep(kept(2, 1.0))
    offer = peer.fresh_offer(2.0)
    assert offer is not None
    assert offer.number == 1


def test_a_stale_offer_is_dropped() -> None:
    peer = member()
    peer.keep(kept(1, 0.0))
    assert peer.fresh_offer(OFFER_LASTS - 0.001) is not None
    assert peer.fresh_offer(OFFER_LASTS) is None
    assert peer.offers == {}


def test_too_many_offers_push_the_oldest_out() -> None:
    peer = member()
    for number in range(1000):
        peer.keep(kept(number))
    assert len(peer.offers) == MOST_KEPT
    assert list(peer.offers) == [998, 999]


def test_the_same_number_again_replaces_the_offer() -> None:
    peer = member()
    peer.keep(kept(1, 0.0))
    peer.keep(kept(1, 5.0))
    assert [offer.since for offer in peer.offers.values()] == [5.0]


def test_two_are_paired_once_at_a_time() -> None:
    a, b = member(1), member(2)
    assert a.may_meet(b, 0.0, 60)
    assert not a.may_meet(a, 0.0, 60)
    pairing = introduce(a, b)
    assert not a.may_meet(b, 0.0, 60)
    a.part(pairing)
    assert a.may_meet(b, 0.0, 60)


def test_whoever_is_shunned_is_not_met_before_the_time() -> None:
    a, b = member(1), member(2)
    a.shun(b.id, 60.0)
    assert not a.may_meet(b, 59.9, 60)
    assert a.may_meet(b, 60.0, 60)
    assert a.pardons_at(0.0) == 60.0
    assert a.pardons_at(60.0) == inf


def test_a_home_that_sent_wrong_bytes_is_avoided_by_whatever_name() -> None:
    a, b, c = member(1), member(2, source="203.0.113.5"), member(3, source="203.0.113.6")
    a.avoid(b.home)
    assert not a.may_meet(member(4, source="203.0.113.5"), 1e6, 60)
    assert a.may_meet(c, 0.0, 60)


def test_somebody_at_home_is_avoided_by_name_alone() -> None:
    a, b = member(1), member(2)
    a.avoid(b.home)
    assert a.may_meet(b, 0.0, 60)


def test_homes_that_are_avoided_are_bounded() -> None:
    peer = member(0)
    for number in range(MOST_AVOIDED + 10):
        peer.avoid(bytes([203, 0, number, 1]))
    assert len(peer._avoided) == MOST_AVOIDED


def test_a_link_that_is_over_may_still_be_complained_about() -> None:
    peer = member(0)
    invited = introduce(peer, member(1))
    peer.part(invited)
    assert peer.parted == {}
    for number in range(1, MOST_PARTED + 3):
        other = member(number, source=f"203.0.{number}.1")
        pairing = introduce(peer, other)
        pairing.phase = Phase.LINKED
        peer.part(pairing)
    assert len(peer.parted) == MOST_PARTED
    assert peer.parted[pairing.id] == (other.id, other.place)


def test_partners_of_one_network_are_a_crowd() -> None:
    peer = member(0)
    pairings = [introduce(peer, member(n, source=f"203.0.113.{n}")) for n in (1, 2)]
    another, elsewhere = member(3, source="203.0.113.3"), member(4, source="203.0.114.3")
    assert peer.crowded(another, 2)
    assert not peer.crowded(another, 3)
    assert not peer.crowded(elsewhere, 2)
    peer.part(pairings[0])
    assert not peer.crowded(another, 2)


def test_those_who_are_near_are_counted() -> None:
    peer, other = member(0), member(1)
    pairing = Pairing("0-1", peer, other, Phase.INVITED, 15.0, near=True)
    for end in pairing.ends:
        end.meet(pairing.other(end), pairing, 0.0)
    introduce(peer, member(2))
    assert (peer.near, other.near) == (1, 1)
    for end in pairing.ends:
        end.part(pairing)
    assert (peer.near, other.near) == (0, 0)


def test_a_local_network_is_no_crowd() -> None:
    peer = member(0, source="203.0.113.7")
    pairings = [introduce(peer, member(n, source="203.0.113.7")) for n in (1, 2)]
    assert not peer.crowded(member(3, source="203.0.113.7"), 2)
    assert not peer.crowded(member(3, source="203.0.113.8"), 2)
    others = [introduce(peer, member(n, source=f"203.0.113.{n}")) for n in (4, 5)]
    assert peer.crowded(member(6, source="203.0.113.6"), 2)
    assert not peer.crowded(member(3, source="203.0.113.7"), 2)
    pairings += others
    for pairing in pairings:
        peer.part(pairing)
    assert not peer._alike


def test_an_hour_has_so_many_acquaintances() -> None:
    peer, others = member(0), [member(number) for number in range(1, 62)]
    for number, other in enumerate(others[:60]):
        assert peer.may_meet(other, float(number), 60)
        peer.part(introduce(peer, other, float(number)))
    newcomer = others[60]
    assert not peer.may_meet(newcomer, 60.0, 60)
    assert peer.may_meet(others[0], 60.0, 60), "an old acquaintance is none too many"
    assert not peer.may_meet(newcomer, ACQUAINTANCE_LASTS - 0.1, 60)
    assert peer.may_meet(newcomer, ACQUAINTANCE_LASTS, 60)


def test_who_comes_back_with_another_id_is_the_same_acquaintance() -> None:
    peer = member(0)
    elsewhere = Vantage(ipaddress.ip_address("203.0.113.1"))
    for number in range(1, 100):
        other = member(number, elsewhere)
        assert peer.may_meet(other, 0.0, 2)
        peer.part(introduce(peer, other))
    assert peer.may_meet(member(100), 0.0, 2)


def test_what_is_remembered_is_bounded() -> None:
    peer = member(0)
    for number in range(1, MOST_SHUNNED + 100):
        peer.shun(member(number).id, inf)
    assert len(peer._shunned) == MOST_SHUNNED


def test_offers_that_wait_for_an_answer_are_counted() -> None:
    a, b, c = member(1), member(2), member(3)
    first, second = introduce(a, c), introduce(b, c)
    assert (a.inbound, c.inbound) == (0, 2)
    for pairing, offerer in ((first, a), (second, b)):
        pairing.advance(offerer, Step.OFFER)
    assert c.inbound == 2
    first.advance(c, Step.ANSWER)
    assert c.inbound == 1
    a.part(first)
    c.part(first)
    assert c.inbound == 1, "that one was answered"
    b.part(second)
    c.part(second)
    assert (a.inbound, b.inbound, c.inbound) == (0, 0, 0)


def test_links_are_pairings_that_came_to_be_one() -> None:
    a, b, c = member(1), member(2), member(3)
    linked, _ = introduce(a, b), introduce(a, c)
    assert a.links == 0
    linked.phase = Phase.LINKED
    assert (a.links, b.links, c.links) == (1, 1, 0)


def test_a_move_says_where_it_is_and_what_it_can_send() -> None:
    peer = member()
    peer.move(Move(False, at(7), 1000), 3.0)
    assert (peer.upload, peer.position, peer.uplink, peer.told) == (False, at(7), 1000, 3.0)
    peer.move(Move(True), 4.0)
    assert (peer.upload, peer.position, peer.uplink, peer.told) == (True, None, 0, 4.0)
