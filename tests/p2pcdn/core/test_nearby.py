"""Who is near: found in swarms of any size, and a few of them picked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.locality import Costs, Near, Where, near, where_of
from p2pcdn.core.nearby import LocalCrowd, Nearby, pick


@dataclass(eq=False)
class Someone:
    where: Where


NUMBERS = count()


def someone(operator: str = "", country: str = "", region: str = "", at: str = "") -> Someone:
    """By default behind an address, and in a /24, of its own."""
    number = next(NUMBERS)
    source = at or f"46.{number >> 8 & 255}.{number & 255}.7"
    return Someone(where_of(ip_address(source), operator, region, country))


def crowd(*members: Someone) -> LocalCrowd[Someone]:
    made: LocalCrowd[Someone] = LocalCrowd()
    for member in members:
        made.add(member)
    return made


# Looking around


def test_a_few_of_a_small_operator_are_found_in_a_large_swarm() -> None:
    few = [someone("AS1") for _ in range(3)]
    swarm = crowd(*(someone("AS2") for _ in range(2000)), *few)
    assert set(swarm.nearby.around(few[0].where, 48, Random(1))) == set(few)


def test_half_of_what_is_looked_at_is_of_the_narrowest() -> None:
    lan = [someone("AS1", at="203.0.113.7") for _ in range(100)]
    operator = [someone("AS1") for _ in range(1000)]
    found = crowd(*lan, *operator).nearby.around(lan[0].where, 48, Random(1))
    assert len(found) == len(set(found))
    assert sum(member in lan for member in found) >= 24
    assert sum(member in operator for member in found) >= 8


def test_what_is_unknown_brings_nobody_together() -> None:
    seeker = Someone(Where())
    assert crowd(seeker, Someone(Where())).nearby.around(seeker.where, 48, Random(1)) == []


def test_regions_that_are_cheap_to_go_to_are_looked_at() -> None:
    costs = Costs({"here": {"near": 1, "nearer": 0, "far": 9, "further": 10}})
    members = {name: someone(region=name) for name in ("near", "nearer", "far", "further")}
    found = crowd(*members.values()).nearby.around(
        someone(region="here").where, 9, Random(1), costs
    )
    assert found == [members["nearer"], members["near"]]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_who_has_gone_is_forgotten(steps: list[tuple[bool, int]]) -> None:
    members = [
        someone("AS1", "DE", at="8.8.8.8" if number < 3 else f"8.8.8.{number}")
        for number in range(10)
    ]
    nearby: Nearby[Someone] = Nearby()
    there: set[Someone] = set()
    for add, number in steps:
        if add:
            nearby.add(members[number])
            there.add(members[number])
        else:
            nearby.discard(members[number])
            there.discard(members[number])
        assert set(nearby.around(members[0].where, 1000, Random(1))) == there
    for member in members:
        nearby.discard(member)
    assert all(not crowds for crowds in nearby._crowds)


# Picking


def test_most_are_near_and_some_come_by_chance() -> None:
    seeker = someone("AS1")
    swarm = crowd(
        seeker, *(someone("AS1") for _ in range(50)), *(someone("AS2") for _ in range(950))
    )
    found: Counter[str] = Counter()
    for seed in range(50):
        picked = pick(seeker, swarm, 8, Random(seed))
        assert len(set(picked)) == 8
        assert seeker not in picked
        found.update(other.where.operator for other in picked)
    assert 300 <= found["AS1"] <= 320
    assert found["AS2"] == 400 - found["AS1"]


def test_the_nearest_come_first() -> None:
    seeker = someone("AS1", "DE", at="203.0.113.7")
    lan = someone("AS1", "DE", at="203.0.113.7")
    prefix = someone("AS1", "DE", at="203.0.113.8")
    operator, country = someone("AS1", "DE"), someone("AS2", "DE")
    far = [someone("AS3", "FR") for _ in range(200)]
    picked = pick(seeker, crowd(*far, country, operator, prefix, lan), 8, Random(1))
    assert picked[:4] == [lan, prefix, operator, country]
    assert len(picked) == 8


@pytest.mark.parametrize(("share", "most"), [(0.25, 2), (0.5, 4), (0.0, 2)])
def test_no_more_than_a_share_are_of_one_prefix(share: float, most: int) -> None:
    seeker = someone("AS1", at="203.0.113.7")
    alike = [someone("AS1", at=f"203.0.113.{number}") for number in range(10, 60)]
    swarm = crowd(*alike, *(someone("AS1") for _ in range(50)))
    for seed in range(20):
        picked = pick(seeker, swarm, 8, Random(seed), prefix_share=share)
        assert len(picked) == 8
        assert sum(other in alike for other in picked) <= most


def test_of_one_local_network_there_may_be_more_but_not_all() -> None:
    seeker = someone("AS1", at="203.0.113.7")
    lan = [someone("AS1", at="203.0.113.7") for _ in range(50)]
    swarm = crowd(*lan, *(someone("AS2") for _ in range(1000)))
    picked = pick(seeker, swarm, 8, Random(1))
    assert 6 <= sum(other in lan for other in picked) < 8


@pytest.mark.parametrize("others", [0, 1, 5, 20])
def test_of_one_prefix_alone_as_many_come_as_there_are(others: int) -> None:
    seeker = someone(at="203.0.113.7")
    alike = [someone(at=f"203.0.113.{number}") for number in range(10, 10 + others)]
    picked = pick(seeker, crowd(seeker, *alike), 8, Random(1))
    assert len(picked) == len(set(picked)) == min(others, 8)
    assert seeker not in picked


def test_nothing_local_leaves_it_to_chance() -> None:
    seeker = someone("AS1")
    local = [someone("AS1") for _ in range(8)]
    swarm = crowd(*local, *(someone("AS2") for _ in range(1000)))
    picked = pick(seeker, swarm, 8, Random(1), local_share=0.0)
    assert sum(near(seeker.where, other.where) is not Near.FAR for other in picked) <= 1
