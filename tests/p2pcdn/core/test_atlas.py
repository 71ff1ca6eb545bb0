"""The region of an address, by the narrowest block; and what regions cost."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.atlas import NOWHERE, Regions, atlas_of
from p2pcdn.wire.alto import AltoError, CostMap, NetworkMap, Prefix, VersionTag

Network = IPv4Network | IPv6Network


def block(network: Network) -> Prefix:
    return Prefix(network.max_prefixlen, int(network.network_address), network.prefixlen)


def regions(pids: dict[str, str]) -> Regions:
    return Regions(NetworkMap({block(ip_network(text)): pid for text, pid in pids.items()}))


@pytest.mark.parametrize(
    ("address", "region"),
    [
        ("10.0.0.0", "a"),
        ("10.0.255.255", "a"),
        ("10.1.0.0", "b"),
        ("10.1.255.255", "b"),
        ("10.2.0.0", "a"),
        ("10.255.255.255", "a"),
        ("11.0.0.0", ""),
        ("9.255.255.255", ""),
        ("255.255.255.255", "last"),
        ("10.3.0.1", "one"),
        ("2001:db8::1", "six"),
        ("2001:db9::", ""),
        ("::ffff:10.1.0.0", ""),
    ],
)
def test_the_narrowest_block_counts(address: str, region: str) -> None:
    found = regions(
        {
            "10.0.0.0/8": "a",
            "10.1.0.0/16": "b",
            "10.3.0.1/32": "one",
            "2001:db8::/32": "six",
            "255.255.255.0/24": "last",
        }
    )
    assert found.of(ip_address(address)) == region


def test_where_there_is_no_map_nothing_is_known() -> None:
    assert NOWHERE.regions.of(ip_address("10.0.0.1")) == ""
    assert regions({}).of(ip_address("::1")) == ""
    assert not NOWHERE.costs


V4 = st.builds(
    lambda address, length: IPv4Network((address & ~0 << 32 - length, length)),
    st.integers(0x0A00_0000, 0x0A00_00FF) | st.sampled_from([0, 2**32 - 1]),
    st.integers(0, 32),
)
V6 = st.builds(
    lambda address, length: IPv6Network((address & ~0 << 128 - length, length)),
    st.integers(2**100, 2**100 + 255) | st.sampled_from([0, 2**128 - 1]),
    st.integers(0, 3) | st.integers(118, 128),
)
ADDRESSES = st.builds(IPv4Address, st.integers(0x09FF_FFF0, 0x0A00_010F)) | st.builds(
    IPv6Address, st.integers(2**100 - 4, 2**100 + 260)
)


@given(
    st.dictionaries(V4 | V6, st.sampled_from("abc"), max_size=12),
    st.lists(ADDRESSES, min_size=1, max_size=8),
)
def test_it_is_what_a_search_of_all_blocks_finds(
    pids: dict[Network, str], addresses: list[IPv4Address | IPv6Address]
) -> None:
    found = Regions(NetworkMap({block(network): pid for network, pid in pids.items()}))
    assert len(found) == len(pids)
    ends = [end for network in pids for end in (network[0], network[-1])]
    for address in [*addresses, *ends]:
        around = [network for network in pids if address in network]
        narrowest = max(around, key=lambda network: network.prefixlen, default=None)
        assert found.of(address) == (pids[narrowest] if narrowest else "")


HERE, THERE = VersionTag("map", "1"), VersionTag("map", "2")
BLOCKS = {block(ip_network("10.0.0.0/8")): "a", block(ip_network("11.0.0.0/8")): "b"}


def test_costs_are_of_the_regions() -> None:
    costs = CostMap({"a": {"b": 2.0}}, (THERE, HERE))
    found = atlas_of(Regions(NetworkMap(BLOCKS, HERE)), costs).costs
    assert found.between("a", "b") == 2
    assert found.between("b", "a") == inf


def test_a_cost_map_for_another_network_map_is_refused() -> None:
    with pytest.raises(AltoError, match="is for the network map map of version 2, and not for map"):
        atlas_of(Regions(NetworkMap(BLOCKS, HERE)), CostMap({}, (THERE,)))


@pytest.mark.parametrize(("vtag", "depends"), [(None, (THERE,)), (HERE, ())])
def test_maps_that_do_not_say_are_believed(
    vtag: VersionTag | None, depends: tuple[VersionTag, ...]
) -> None:
    found = atlas_of(Regions(NetworkMap(BLOCKS, vtag)), CostMap({"a": {"b": 2.0}}, depends))
    assert found.costs.between("a", "b") == 2


@pytest.mark.parametrize("costs", [{"c": {"b": 2.0}}, {"a": {"c": 2.0}}])
def test_costs_between_none_of_the_regions_are_refused(costs: dict[str, dict[str, float]]) -> None:
    with pytest.raises(AltoError, match="it has no cost between two PIDs of this one"):
        atlas_of(Regions(NetworkMap(BLOCKS)), CostMap(costs))


def test_regions_alone_cost_nothing() -> None:
    assert not atlas_of(regions({"::/0": "a"}), None).costs
