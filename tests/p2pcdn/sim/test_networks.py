"""Networks of operators: sizes, addresses and places that fit together, whatever the seed."""

from __future__ import annotations

import ipaddress
from collections import Counter
from statistics import fmean

import pytest

from p2pcdn.sim.audience import Viewer, audience
from p2pcdn.sim.networks import A_PREFIX, NOBODYS, networks, seats, sizes
from p2pcdn.sim.scene import Scene, load


def scene(kind: str, viewers: int = 100, **more: str) -> Scene:
    changes = {f"networks.{key}": value for key, value in more.items()}
    changes |= {"viewers": str(viewers), "networks.kind": kind}
    return load("live-steady", changes)


def counts(one: Scene) -> list[int]:
    found = Counter(viewer.network for viewer in audience(one, 1))
    return [found[number] for number in range(len(found))]


def test_one_has_its_share_and_the_others_as_many_each() -> None:
    assert counts(scene("one", share="0.6", count="5")) == [60, 10, 10, 10, 10]


def test_sizes_are_zipfs() -> None:
    found = counts(scene("zipf", viewers=110, count="4"))
    assert found == [53, 26, 18, 13]  # 1, 1/2, 1/3 and 1/4 of 52.8
    assert sum(share for _, share in sizes(scene("zipf"), 100)) == pytest.approx(1.0)


def test_everybody_may_be_in_a_network_of_his_own() -> None:
    assert counts(scene("each", viewers=7)) == [1] * 7


def test_without_networks_nobody_is_in_any() -> None:
    viewers = audience(scene("none"), 1)
    assert {viewer.network for viewer in viewers} == {NOBODYS}
    assert len({viewer.address for viewer in viewers}) == len(viewers)
    assert not networks(scene("none"), 1, seats(scene("none"), 1, 3))


def test_addresses_are_public_and_each_prefix_is_in_one_network() -> None:
    viewers = audience(scene("zipf", viewers=500, count="20"), 3)
    addresses = [ipaddress.ip_address(viewer.address) for viewer in viewers]
    assert len(set(addresses)) == 500
    assert all(address.is_global for address in addresses)
    prefixes: dict[str, list[Viewer]] = {}
    for viewer in viewers:
        prefixes.setdefault(viewer.address.rpartition(".")[0], []).append(viewer)
    assert all(len({viewer.network for viewer in some}) == 1 for some in prefixes.values())
    assert max(map(len, prefixes.values())) == A_PREFIX


def test_who_is_in_one_network_is_near() -> None:
    viewers = audience(scene("zipf", viewers=60, count="6"), 1)
    rtts: dict[bool, list[float]] = {True: [], False: []}
    for a in viewers:
        for b in viewers:
            if a is not b:
                rtts[a.network == b.network].append(a.place.rtt(b.place))
    assert fmean(rtts[True]) < fmean(rtts[False])


def test_a_network_is_in_a_country_and_has_a_name() -> None:
    one = scene("each", viewers=4, countries="3")
    found = networks(one, 1, seats(one, 1, 4))
    assert [network.name for network in found.values()] == [f"AS6451{n}" for n in (2, 3, 4, 5)]
    countries = [network.country for network in found.values()]
    assert countries[0] == countries[3]
    assert len(set(countries)) == 3
