"""What is kept of leases: by rank, moved up when a holder goes, forgotten when they are over."""

from __future__ import annotations

import ipaddress

import pytest
from msgspec.structs import replace

from p2pcdn.core.audience import MOST_AHEAD, Audience
from p2pcdn.core.desk import DELAY, FRONT, HOLDERS, KEPT, MOST_KEPT, Desk, Stripe
from p2pcdn.core.member import Member, Swarm
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.tracker import Lease

SWARM = Swarm(("s", "c", ""))
VANTAGE = Vantage(ipaddress.ip_address("198.51.100.7"))


def members(count: int) -> list[Member]:
    return [Member(n, f"{n:016x}", SWARM, VANTAGE, True, None) for n in range(count)]


def desk(holders: list[Member], *sequences: int, stripes: int = 2, now: float = 0.0) -> Desk:
    made = Desk(Audience(SWARM, "v"))
    for sequence in sequences or (7,):
        made.cut(sequence, stripes, now)
        for number in range(stripes):
            for member in holders:
                made.add(sequence, number, member)
    return made


def test_each_further_holder_waits_longer() -> None:
    made = desk([])
    leases = [made.add(7, 1, member) for member in members(HOLDERS)]
    assert leases[0] == Lease("v", 7, 1, 2, 0.0)
    assert [lease.delay for lease in leases] == [
        pytest.approx(rank * DELAY) for rank in range(HOLDERS)
    ]


def test_there_is_room_until_there_are_enough_or_one_of_them_fetches() -> None:
    those = members(HOLDERS + 1)
    stripe = Stripe(those[: HOLDERS - 1])
    assert stripe.room == 1
    assert stripe.lacks(those)
    assert not stripe.lacks(those[:3])
    stripe.fetching.add(those[0])
    assert stripe.room == 0
    assert not stripe.lacks(those)
    assert not Stripe(those[:HOLDERS]).lacks(those)


def test_a_segment_is_full_when_all_its_stripes_are() -> None:
    those = members(HOLDERS)
    made = desk(those[:-1])
    assert not made.is_full(8)
    assert not made.is_full(7)
    made.add(7, 0, those[-1])
    assert not made.is_full(7)
    made.stripes(7)[1].fetching.add(those[0])
    assert made.is_full(7)


@pytest.mark.parametrize("rank", range(4))
def test_who_stands_in_front_after_one_goes_is_told_so(rank: int) -> None:
    those = members(4)
    made = desk(those)
    gone = those.pop(rank)
    given = made.release(gone)
    told = those[rank:FRONT]
    assert list(given) == told
    for place, member in enumerate(told, rank):
        assert given[member] == [Lease("v", 7, n, 2, round(place * DELAY, 1)) for n in (0, 1)]
    assert [stripe.holders for stripe in made.stripes(7)] == [those, those]
    assert made.release(gone) == {}


def test_of_what_is_out_nobody_is_told() -> None:
    those = members(3)
    made = desk(those, 7, 8)
    made.edge = 7
    made.stripes(7)[0].fetching.update(those[:2])
    assert {lease.sequence for lease in made.release(those[0])[those[1]]} == {8}
    assert those[0] not in made.held
    assert made.stripes(7)[0].holders == those[1:]
    assert made.stripes(7)[0].fetching == {those[1]}


def test_of_what_another_fetches_nobody_is_told() -> None:
    those = members(4)
    made = desk(those)
    one, two = made.stripes(7)
    one.fetching.update(those[:2])
    two.fetching.add(those[0])
    told = [lease.stripe for leases in made.release(those[0]).values() for lease in leases]
    assert told == [1, 1], "nobody fetches the second stripe any more"


def test_of_a_segment_that_is_not_leased_there_are_no_stripes() -> None:
    assert list(desk([]).stripes(99)) == []


def test_what_is_over_is_forgotten_after_a_minute() -> None:
    those = members(3)
    made = desk(those, 7, 8)
    made.cut(9, 1, 30.0)
    made.add(9, 0, those[0])
    made.forget(KEPT)
    assert list(made.parts) == [7, 8, 9]
    made.forget(KEPT + 1)
    assert list(made.parts) == [9]
    assert made.held == {those[0]: {9}}


def test_what_is_near_a_live_edge_is_kept() -> None:
    edge = 100
    near = [edge - MOST_AHEAD + 1, edge, edge + 1, edge + 2 * MOST_AHEAD]
    made = desk(members(2), edge - MOST_AHEAD, *near, edge + 2 * MOST_AHEAD + 1)
    made.edge = edge
    made.forget(KEPT + 1)
    assert list(made.parts) == near


def test_there_are_never_too_many() -> None:
    made = desk(members(2), *range(MOST_KEPT + 10))
    made.forget(0.0)
    assert list(made.parts) == list(range(10, MOST_KEPT + 10))


def test_who_imports_a_stripe_or_passes_it_on_to_one_holds_it_until_it_goes() -> None:
    holder, relay, importer = members(3)
    made = desk([holder])
    lease = made.add_importer(7, 0, relay, 0.0, enters=False)
    assert lease == Lease("v", 7, 0, 2, 0.0, True)
    assert made.add_importer(7, 0, importer, 0.34, enters=True) == replace(lease, delay=0.3)
    stripe = made.stripes(7)[0]
    assert list(stripe.all()) == [holder, relay, importer]
    assert {*made.held} == {holder, relay, importer}
    for gone in (relay, importer):
        assert not made.release(gone)
    assert list(stripe.all()) == [holder]
    assert {*made.held} == {holder}
