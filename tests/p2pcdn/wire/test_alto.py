"""Reading ALTO's maps, and what is said of those that are none."""

from __future__ import annotations

import json
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.wire.alto import AltoError, CostMap, NetworkMap, Prefix, VersionTag, parse

# The examples of RFC 7285, 11.2.1.6 and 11.2.3.6.
NETWORKS: dict[str, Any] = {
    "meta": {
        "vtag": {
            "resource-id": "my-default-network-map",
            "tag": "da65eca2eb7a10ce8b059740b0b2e3f8eb1d4785",
        }
    },
    "network-map": {
        "PID1": {"ipv4": ["192.0.2.0/24", "198.51.100.0/25"]},
        "PID2": {"ipv4": ["198.51.100.128/25"]},
        "PID3": {"ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"]},
    },
}
COSTS: dict[str, Any] = {
    "meta": {
        "dependent-vtags": [
            {
                "resource-id": "my-default-network-map",
                "tag": "3ee2cb7e8d63d9fab71b9b34cbf764436315542e",
            }
        ],
        "cost-type": {"cost-mode": "numerical", "cost-metric": "routingcost"},
    },
    "cost-map": {
        "PID1": {"PID1": 1, "PID2": 5, "PID3": 10},
        "PID2": {"PID1": 5, "PID2": 1, "PID3": 15},
        "PID3": {"PID1": 20, "PID2": 15},
    },
}


def read(document: object) -> NetworkMap | CostMap:
    return parse(json.dumps(document).encode())


def block(text: str) -> Prefix:
    network = ip_network(text)
    return Prefix(network.max_prefixlen, int(network.network_address), network.prefixlen)


def test_the_network_map_of_the_rfc() -> None:
    found = read(NETWORKS)
    assert found == NetworkMap(
        {
            block("192.0.2.0/24"): "PID1",
            block("198.51.100.0/25"): "PID1",
            block("198.51.100.128/25"): "PID2",
            block("0.0.0.0/0"): "PID3",
            block("::/0"): "PID3",
        },
        VersionTag("my-default-network-map", "da65eca2eb7a10ce8b059740b0b2e3f8eb1d4785"),
    )


def test_the_cost_map_of_the_rfc() -> None:
    found = read(COSTS)
    assert isinstance(found, CostMap)
    assert found.costs["PID2"] == {"PID1": 5.0, "PID2": 1.0, "PID3": 15.0}
    assert [tag.tag[:4] for tag in found.depends] == ["3ee2"]


def test_what_a_document_says_of_itself_may_be_missing() -> None:
    assert read({"network-map": {}}) == NetworkMap({})
    assert read({"cost-map": {}}) == CostMap({})


def test_what_is_not_known_is_passed_over() -> None:
    groups = {"PID1": {"ipv4": ["192.0.2.0/24"], "mac": ["00:00:5e:00:53:00"]}}
    document = {"meta": {"new": 1}, "network-map": groups, "more": []}
    assert read(document) == NetworkMap({block("192.0.2.0/24"): "PID1"})


def test_ordinal_costs_are_costs() -> None:
    kind = {"cost-mode": "ordinal", "cost-metric": "routingcost"}
    assert read({"meta": {"cost-type": kind}, "cost-map": {"a": {"b": 1}}}) == CostMap(
        {"a": {"b": 1.0}}
    )


def networks(*prefixes: str, family: str = "ipv4", pid: str = "PID1") -> object:
    return {"network-map": {pid: {family: list(prefixes)}}}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, 'neither a "network-map" nor a "cost-map"'),
        ([], "no map of ALTO: Expected `object`, got `array`"),
        ({"network-map": []}, "Expected `object | null`, got `array`"),
        (networks("192.0.2.0"), "'192.0.2.0' is no IPv4 prefix such as 192.0.2.0/24"),
        (networks("::/0"), "'::/0' is no IPv4 prefix"),
        (networks("192.0.2.0/24", family="ipv6"), "is no IPv6 prefix such as 2001:db8::/32"),
        (networks("192.0.2.0/33"), "bits beyond its length"),
        (networks("192.0.2.1/24"), "192.0.2.1/24 is no prefix: it has bits beyond its length"),
        (networks("fe80::%1/64", family="ipv6"), "is no IPv6 prefix"),
        (networks("192.0.2.0/+8"), "is no IPv4 prefix"),
        (networks("192.0.2.0/٨"), "is no IPv4 prefix"),
        (networks("x" * 1000), "'" + "x" * 64 + "' is no IPv4 prefix"),
        (networks(pid="a b"), "'a b' is no PID"),
        (networks(pid="a" * 65), "is no PID"),
        (
            {"network-map": {"a": {"ipv4": ["10.0.0.0/8"]}, "b": {"ipv4": ["10.0.0.0/8"]}}},
            "10.0.0.0/8 is in two PIDs, a and b",
        ),
        ({"cost-map": {"a": {"b": -1}}}, "from a to b is -1.0: it can't be negative"),
        ({"cost-map": {"a": {"b": "1"}}}, "Expected `float`, got `str`"),
        ({"cost-map": {"a": {"": 1}}}, "'' is no PID"),
        ({"cost-map": {"": {"a": 1}}}, "'' is no PID"),
        (
            {
                "meta": {"cost-type": {"cost-mode": "numerical", "cost-metric": "hopcount"}},
                "cost-map": {},
            },
            "Its costs are 'hopcount' ('numerical'): ask for routingcost, numerical or ordinal",
        ),
    ],
)
def test_what_is_wrong_is_said(document: object, said: str) -> None:
    with pytest.raises(AltoError) as raised:
        read(document)
    assert said in str(raised.value)
    assert str(raised.value).endswith(".")


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b'{"cost-map":{"a":{"b":NaN}}}', b'{"cost-map":{"a":{"b":1e999}}}']
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(AltoError):
        parse(data)


WHOLE = json.dumps(NETWORKS).encode()


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=4))
def test_damage_is_refused_or_makes_another_map(place: int, damage: bytes) -> None:
    with suppress(AltoError):
        parse(WHOLE[:place] + damage + WHOLE[place + len(damage) :])


def test_the_last_address_of_a_prefix() -> None:
    assert block("192.0.2.0/24").last == int(ip_network("192.0.2.0/24").broadcast_address)
    assert block("::/0").last == 2**128 - 1
    assert block("192.0.2.1/32").last == block("192.0.2.1/32").first
