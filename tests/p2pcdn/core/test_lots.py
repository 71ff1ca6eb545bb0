"""Who fetches a stripe: often enough, not too often, and nobody who cannot."""

from __future__ import annotations

import ipaddress
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcdn.core.lots import (
    MISSED_LASTS,
    MOST_STRIPES,
    UNKNOWN_STRIPES,
    drawn,
    eligible,
    stripes_of,
)
from p2pcdn.core.member import MOST_UPLINK, UNKNOWN_UPLINK, Member, Swarm
from p2pcdn.core.pairing import Pairing, Phase
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.tracker import Move

VANTAGE = Vantage(ipaddress.ip_address("198.51.100.7"))


def member(number: int = 1, uplink: int = 0, rng: Random | None = None) -> Member:
    id_ = f"{(rng or Random(number)).getrandbits(64):016x}"
    return Member(number, id_, Swarm(("s", "c", "")), VANTAGE, True, None, uplink=uplink)


def members(*uplinks: int, seed: int = 1) -> list[Member]:
    rng = Random(seed)
    return [member(number, uplink, rng) for number, uplink in enumerate(uplinks)]


def linked(a: Member, b: Member) -> None:
    pairing = Pairing(f"{a.id}-{b.id}", a, b, Phase.LINKED, 0.0)
    a.meet(b, pairing, 0.0)
    b.meet(a, pairing, 0.0)


def turns(those: list[Member], rounds: int, every: float = 0.5, since: float = 0.0) -> Counter[int]:
    """How often each is named first, where each naming counts."""
    firsts: Counter[int] = Counter()
    for number in range(rounds):
        now = since + number * every
        first = drawn(those, f"v\n{number}\n0", 8, now)[0]
        first.given.add(now)
        firsts[first.socket] += 1
    return firsts


# Stripes


@pytest.mark.parametrize(
    ("size", "uplinks", "stripes"),
    [
        pytest.param(0, [0, 0], UNKNOWN_STRIPES, id="nobody knows the size"),
        pytest.param(500_000, [0, 0], 6, id="a usual segment, usual uplinks"),
        pytest.param(500_000, [250_000] * 3, 8, id="slow uplinks"),
        pytest.param(500_000, [2_500_000] * 3, 2, id="fast ones"),
        pytest.param(500_000, [10_000, 625_000, 9_000_000], 6, id="the median counts"),
        pytest.param(9_000_000, [10_000] * 3, MOST_STRIPES, id="no more than eight"),
        pytest.param(100_000, [10_000] * 3, 2, id="no more than chunks"),
        pytest.param(1, [0], 1, id="at least one"),
    ],
)
def test_a_segment_has_as_many_stripes_as_uplinks_need(
    size: int, uplinks: list[int], stripes: int
) -> None:
    assert stripes_of(size, members(*uplinks)) == stripes


def test_what_nobody_knows_is_assumed_and_what_nobody_has_is_not_believed() -> None:
    assert member(uplink=0).sends == UNKNOWN_UPLINK
    assert member(uplink=1000).sends == 1000
    assert member(uplink=2**53 - 1).sends == MOST_UPLINK


# Eligible


def test_the_settled_and_well_linked_are_taken_if_there_are_any() -> None:
    those = members(*[0] * 5)
    for a in range(3):
        for b in range(a + 1, 4):
            linked(those[a], those[b])  # nobody has a link with the last
    those[0].since = 8.0
    assert eligible(those, 4, 10.0) == those[1:4]


def test_where_all_are_new_they_are_taken_all_the_same() -> None:
    those = members(0, 0)
    linked(*those)
    assert eligible(those, 1, 0.5) == those


def test_where_few_pairs_can_connect_a_link_is_enough() -> None:
    those = members(0, 0, 0, 0)
    linked(those[0], those[1])
    assert eligible(those, 3, 4.9) == []
    assert eligible(those, 3, 5.0) == those[:2]


def test_who_does_not_upload_or_has_no_link_is_never_taken() -> None:
    those = members(0, 0, 0)
    linked(those[0], those[1])
    those[0].upload = False
    assert eligible(those, 2, 60.0) == [those[1]]
    assert eligible([those[0], those[2]], 2, 60.0) == []


def test_who_would_keep_others_waiting_is_not_taken() -> None:
    those = members(100_000, 240_000, 500_000, 600_000, 2_000_000)
    for other in those:
        for another in those:
            if other is not another and another.id not in other.partners:
                linked(other, another)
    assert eligible(those, 4, 60.0) == those[2:]
    those[2].move(Move(True, those[2].position, 200_000), 0.0)  # now that is what is usual
    those[3].move(Move(True, those[3].position, 220_000), 0.0)
    assert eligible(those, 4, 60.0) == those[1:]


def test_whose_uplink_nobody_knows_is_taken_where_few_have_told_theirs() -> None:
    those = members(0, 0, 500_000, 500_000)
    for a in range(4):
        for b in range(a + 1, 4):
            linked(those[a], those[b])
    assert eligible(those, 3, 60.0) == those[2:], "of the others some are slow"
    those[2].uplink = 0
    assert eligible(those, 3, 60.0) == those


# Lots


def test_the_same_stripe_has_the_same_order() -> None:
    those = members(*[0] * 20)
    order = drawn(those, "v\n7\n0", 8, 0.0)
    assert len(set(order)) == 8
    assert drawn(those[::-1], "v\n7\n0", 8, 0.0) == order
    assert drawn(those, "v\n7\n1", 8, 0.0) != order


def test_whoever_leaves_changes_nobody_elses_order() -> None:
    those = members(*[0] * 20)
    order = drawn(those, "v\n7\n0", 20, 0.0)
    those.remove(order[2])
    assert drawn(those, "v\n7\n0", 20, 0.0) == order[:2] + order[3:]


def test_nobody_and_more_than_there_are() -> None:
    assert drawn([], "v\n7\n0", 8, 0.0) == []
    assert len(drawn(members(0, 0), "v\n7\n0", 8, 0.0)) == 2


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 24), st.integers(0, 2**32))
def test_equals_are_named_first_equally_often(size: int, seed: int) -> None:
    firsts = turns(members(*[0] * size, seed=seed), 20 * size)
    assert set(firsts) == set(range(size))
    assert max(firsts.values()) - min(firsts.values()) <= 10


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 10), min_size=2, max_size=12), st.integers(0, 2**32))
def test_others_as_often_as_their_uplink_has_it(shares: list[int], seed: int) -> None:
    rounds = 30 * sum(shares)
    firsts = turns(members(*[share * 100_000 for share in shares], seed=seed), rounds)
    for number, share in enumerate(shares):
        assert firsts[number] == pytest.approx(30 * share, rel=0.25, abs=8)


def test_a_newcomer_is_not_made_to_catch_up_at_once() -> None:
    those = members(*[0] * 10)
    turns(those, 120)
    newcomer = member(99)
    names = [f"v\n{number}\n0" for number in range(1000)]
    first = sum(drawn([*those, newcomer], name, 1, 60.0) == [newcomer] for name in names)
    assert 1 / 11 < first / len(names) < 1 / 3


def test_who_misses_is_named_first_less_often_for_a_minute() -> None:
    def share(now: float, *missed: float) -> float:
        lazy, *others = members(*[0] * 4)
        lazy.missed.extend(missed)
        names = [f"v\n{number}\n0" for number in range(2000)]
        return sum(drawn([lazy, *others], name, 1, now) == [lazy] for name in names) / len(names)

    assert share(0.0) == pytest.approx(1 / 4, rel=0.2)
    assert share(1.0, 0.0) == pytest.approx(1 / 25, rel=0.4), "an eighth of the weight"
    assert share(2.0, 0.0, 1.0) < 0.015, "once more, once less"
    assert share(MISSED_LASTS, 0.0) == pytest.approx(1 / 4, rel=0.2)
