"""Which addresses may be connected to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from origin.fetching.addresses import is_public, may_connect
from tests.origin.fetching.ssrf import ADDRESSES


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert not may_connect(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2a00::1",
        "3ffe::1",
    ],
)
def test_what_is_public(address: str) -> None:
    assert is_public(address)
    assert may_connect(address)


def test_what_an_operator_allows_is_that_and_no_more() -> None:
    private = (ip_network("10.1.0.0/16"), ip_network("fd00::/64"))
    assert may_connect("10.1.2.3", private)
    assert may_connect("fd00::5", private)
    assert may_connect("8.8.8.8", private)
    for other in ("10.2.0.1", "127.0.0.1", "::ffff:10.1.2.3", "fd00:0:0:1::1", "fe80::1%eth0"):
        assert not may_connect(other, private)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "1.1.1.1.", "[::1]", "1"])
def test_what_is_no_address(text: str) -> None:
    assert not is_public(text)
    assert not may_connect(text, (ip_network("0.0.0.0/0"), ip_network("::/0")))


def test_an_address_with_a_zone_is_of_this_link() -> None:
    assert not is_public("2a00::1%eth0")
