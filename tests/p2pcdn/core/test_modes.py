"""What a site's and a viewer's mode leave together, and which network a peer is kept to."""

from __future__ import annotations

import ipaddress
from itertools import product
from typing import get_args

import pytest

from p2pcdn.core.modes import both, neighbourhood
from p2pcdn.model import Mode
from p2pcdn.wire.candidate import Vantage

MODES: tuple[Mode, ...] = get_args(Mode)


def at(source: str, operator: str = "") -> Vantage:
    return Vantage(ipaddress.ip_address(source), operator=operator)


@pytest.mark.parametrize(
    ("one", "other", "left"),
    [
        ("any", "any", "any"),
        ("any", "network", "network"),
        ("network", "lan", "lan"),
        ("lan", "off", "off"),
        ("any", "relay", "relay"),
        ("relay", "relay", "relay"),
        ("relay", "lan", "off"),
        ("relay", "network", "off"),
        ("relay", "off", "off"),
    ],
)
def test_what_two_choices_leave_together(one: Mode, other: Mode, left: Mode) -> None:
    assert both(one, other) == both(other, one) == left


def test_a_choice_never_shares_more() -> None:
    for one, other in product(MODES, MODES):
        left = both(one, other)
        assert both(left, one) == both(left, other) == left


@pytest.mark.parametrize(
    ("mode", "here", "there", "same"),
    [
        pytest.param("lan", at("203.0.113.7"), at("203.0.113.7"), True, id="one public address"),
        pytest.param("lan", at("203.0.113.7"), at("203.0.113.8"), False, id="next door"),
        pytest.param("lan", at("2600::1:2:3"), at("2600::4:5:6"), True, id="one /64"),
        pytest.param("lan", at("2600:0:0:1::1"), at("2600:0:0:2::1"), False, id="two /64"),
        pytest.param("lan", at("192.168.1.2"), at("192.168.1.3"), True, id="the tracker's network"),
        pytest.param("lan", at("192.168.1.2"), at("192.168.2.3"), False, id="another of these"),
        pytest.param("lan", at("127.0.0.1"), at("127.0.0.1"), True, id="this machine"),
        pytest.param("lan", at("8.8.8.8", "AS1"), at("8.8.8.9", "AS1"), False, id="operator's"),
        pytest.param("network", at("8.8.8.8", "AS1"), at("9.9.9.9", "AS1"), True, id="operator"),
        pytest.param("network", at("8.8.8.8", "AS1"), at("8.8.8.9", "AS2"), False, id="two"),
        pytest.param("network", at("203.0.113.7"), at("203.0.113.200"), True, id="one /24"),
        pytest.param("network", at("203.0.113.7"), at("203.0.114.7"), False, id="two /24"),
        pytest.param("network", at("2600:0:1:2::"), at("2600:0:1:3::"), True, id="one /48"),
        pytest.param("network", at("2600:0:1::"), at("2600:0:2::"), False, id="two /48"),
        pytest.param("any", at("203.0.113.7"), at("8.8.8.8"), True, id="the world"),
        pytest.param("relay", at("203.0.113.7"), at("8.8.8.8"), True, id="the same, by a relay"),
    ],
)
def test_who_is_in_one_network(mode: Mode, here: Vantage, there: Vantage, same: bool) -> None:
    assert (neighbourhood(mode, here) == neighbourhood(mode, there)) is same


def test_modes_do_not_mix_but_any_and_relay() -> None:
    where = at("203.0.113.7", "AS1")
    names = [neighbourhood(mode, where) for mode in ("lan", "network", "any", "relay")]
    assert len(set(names)) == 3
    assert names[2] == names[3] == ""
