"""Who is near is found in swarms of any size."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.locality import Costs, Where, where_of
from p2pcdn.core.nearby import LocalCrowd, Nearby


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


def test_a_few_of_a_small_operator_are_found_in_a_large_swarm() -> None:
    few = [someone("AS1") for _ in range(3)]
    swarm = crowd(*(someone("AS2") for _ in range(2000)), *few)
    assert set(swarm.nearby.around(few[0].where, 48, Random(1))) == set(few)


def test_others_of_an_operator_are_awaited_where_most_have_somebody() -> None:
    one, two = someone("AS1"), someone("AS1")
    swarm = crowd(one, someone("AS2"), Someone(Where()))

    def awaited(operator: str) -> bool:
        return swarm.nearby.awaits(operator, len(swarm))

    assert not any(map(awaited, ("AS1", "AS2", "AS3", "")))
    swarm.add(two)
    assert [awaited(operator) for operator in ("AS1", "AS2", "")] == [True, True, False]
    for _ in range(3):
        swarm.add(someone(f"AS{next(NUMBERS)}"))
    assert [awaited(operator) for operator in ("AS1", "AS2", "")] == [True, False, False]


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
        assert [member in nearby for member in members] == [member in there for member in members]
    for member in members:
        nearby.discard(member)
    assert len(nearby) == 0
