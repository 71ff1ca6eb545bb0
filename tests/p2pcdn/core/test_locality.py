"""How near two addresses are."""

from __future__ import annotations

from ipaddress import ip_address
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.locality import MOST_NEAR, Costs, Near, Where, distance, is_near, near, where_of


def at(source: str, operator: str = "", country: str = "", region: str = "") -> Where:
    return where_of(ip_address(source), operator, region, country)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        pytest.param(at("203.0.113.7"), at("203.0.113.7"), Near.LAN, id="behind one NAT"),
        pytest.param(at("2600::1:2:3"), at("2600::4:5:6"), Near.LAN, id="one /64"),
        pytest.param(at("192.168.1.2"), at("192.168.1.3"), Near.LAN, id="the tracker's network"),
        pytest.param(at("203.0.113.7"), at("203.0.113.8"), Near.PREFIX, id="one /24"),
        pytest.param(at("2600:0:0:1::1"), at("2600:0:0:2::1"), Near.PREFIX, id="one /48"),
        pytest.param(at("203.0.113.7"), at("203.0.114.7"), Near.FAR, id="two /24"),
        pytest.param(at("8.8.8.8", "AS1"), at("9.9.9.9", "AS1"), Near.OPERATOR, id="operator"),
        pytest.param(at("8.8.8.8", "AS1"), at("9.9.9.9", "AS2"), Near.FAR, id="two operators"),
        pytest.param(
            at("8.8.8.8", "AS1", "DE"), at("9.9.9.9", "AS2", "DE"), Near.COUNTRY, id="country"
        ),
        pytest.param(
            at("8.8.8.8", "AS1", "DE", "r"),
            at("9.9.9.9", "AS2", "DE", "r"),
            Near.REGION,
            id="region",
        ),
        pytest.param(at("8.8.8.8", "AS1"), at("2600::1", "AS1"), Near.OPERATOR, id="two families"),
    ],
)
def test_what_two_have_in_common(one: Where, other: Where, common: Near) -> None:
    assert near(one, other) is near(other, one) is common
    operators_known = bool(one.operator and other.operator)
    assert is_near(one, other) is (common <= (Near.OPERATOR if operators_known else Near.COUNTRY))


def test_what_is_unknown_is_not_in_common() -> None:
    assert near(Where(), Where()) is Near.FAR
    assert not is_near(Where(), Where(), Costs({"": {"": 1.0, "x": 2.0}}))


def test_what_is_narrower_is_nearer() -> None:
    here = at("203.0.113.7", "AS1", "DE", "r")
    others = [
        here,
        at("203.0.113.8", "AS1", "DE", "r"),
        at("8.8.8.8", "AS1", "DE", "r"),
        at("8.8.8.8", "AS2", "DE", "r"),
        at("8.8.8.8", "AS2", "DE"),
        at("8.8.8.8", "AS2", "FR"),
    ]
    mixed = others[::-1]
    assert sorted(mixed, key=lambda other: distance(here, other)) == others


COSTS = Costs({"here": {"here": 1, "there": 5, "beyond": 20}, "there": {"here": 3}})


def test_beyond_the_operator_costs_decide_before_the_country() -> None:
    here = at("203.0.113.7", "AS1", "DE", "here")
    others = [
        at("203.0.113.7", "AS2", "FR", "beyond"),
        at("8.8.8.8", "AS1", "FR", "beyond"),
        at("8.8.8.8", "AS2", "FR", "there"),
        at("8.8.8.8", "AS2", "DE", "beyond"),
        at("8.8.8.8", "AS2", "FR", "beyond"),
        at("8.8.8.8", "AS2", "DE", "of no known cost"),
        at("8.8.8.8", "AS2", "FR"),
    ]
    mixed = others[::-1]
    assert sorted(mixed, key=lambda other: distance(here, other, COSTS)) == others


def test_within_an_operator_costs_decide_before_the_prefix() -> None:
    here = at("203.0.113.7", "AS1", region="here")
    dear, cheap = at("203.0.113.8", "AS1", region="there"), at("8.8.8.8", "AS1", region="here")
    assert distance(here, cheap, COSTS) < distance(here, dear, COSTS)
    assert distance(here, dear) < distance(here, cheap)


def test_where_nothing_is_known_of_here_costs_say_nothing() -> None:
    here, there = at("8.8.8.8", country="DE"), at("9.9.9.9", country="DE", region="there")
    assert distance(here, there, COSTS) < distance(here, at("9.9.9.9"), COSTS)


def test_costs_are_of_a_direction_and_may_be_unknown() -> None:
    assert COSTS.between("here", "there") == 5
    assert COSTS.between("there", "here") == 3
    assert COSTS.between("there", "beyond") == COSTS.between("nowhere", "here") == inf
    assert COSTS
    assert not Costs()


def test_the_cheaper_half_of_the_others_is_near() -> None:
    table = {"r": {"r": 0.0, **{f"r{n:02}": float(n) for n in range(10)}}}
    costs = Costs(table)
    assert costs.near("r") == ("r00", "r01", "r02", "r03", "r04")
    assert costs.near("nowhere") == ()
    here, there = Where(region="r"), Where(region="r04")
    assert is_near(here, there, costs)
    assert not is_near(here, there)
    assert not is_near(here, Where(region="r05"), costs)


def test_of_many_regions_a_few_are_near() -> None:
    costs = Costs({"r": {f"{n}": float(n) for n in range(1000)}})
    assert len(costs.near("r")) == MOST_NEAR


WHERES = st.builds(
    Where,
    st.sampled_from([b"", b"a", b"b"]),
    st.sampled_from([b"", b"c", b"d"]),
    st.sampled_from(["", "AS1", "AS2"]),
    st.sampled_from(["", "here", "there"]),
    st.sampled_from(["", "DE", "FR"]),
)


@given(WHERES, WHERES)
def test_nobody_is_nearer_than_whoever_is_at_the_same_place(here: Where, there: Where) -> None:
    if here.lan:
        assert distance(here, here) <= distance(here, there)
    assert near(here, there) is near(there, here)
