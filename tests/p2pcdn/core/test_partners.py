"""Whom a peer's offers are passed to: those first with whom something is likely to come of it."""

from __future__ import annotations

from p2pcdn.core.locality import Costs
from p2pcdn.core.torrent_ports import Mapped, TorrentRules
from tests.p2pcdn.core.torrenting import World


def test_whoever_has_been_met_comes_last() -> None:
    world = World()
    sockets = {name: world.join(name) for name in "abcdef"}
    for _ in range(5):
        world.announce(sockets["a"], "a", offers=1)
        for name in "bcdef":
            for told in world.offers(sockets[name]):
                world.answer(sockets[name], name, told)
    assert [len(world.offers(sockets[name])) for name in "bcdef"] == [1] * 5
    world.announce(sockets["a"], "a", offers=5)
    assert [len(world.offers(sockets[name])) for name in "bcdef"] == [2] * 5


def test_whoever_seems_to_have_gone_comes_last() -> None:
    world = World(TorrentRules(offers=20))
    sockets = {name: world.join(name) for name in "abcdef"}
    world.announce(sockets["a"], "a", offers=5)
    for name in "cdef":
        world.answer(sockets[name], name, world.offers(sockets[name])[0])
    world.wait(11)
    for name in "ghijkl":
        world.join(name, offers=5)
    assert len(world.offers(sockets["b"])) == 1
    world.announce(sockets["b"], "b")  # it was only slow
    world.join("m", offers=20)
    assert len(world.offers(sockets["b"])) == 2


def test_those_who_have_all_are_not_brought_together_first() -> None:
    world = World()
    seeds = [world.join(f"s{number}", left=0) for number in range(10)]
    leech = world.join("l")
    world.announce(seeds[0], "s0", offers=1, left=0)
    assert len(world.offers(leech)) == 1


def test_nobody_is_surrounded_by_one_network() -> None:
    world = World()
    crowd = [world.join(f"c{number}", source=f"9.9.9.{number}") for number in range(9)]
    others = [world.join(f"o{number}") for number in range(3)]
    world.join("a", offers=5)
    assert sum(len(world.offers(socket)) for socket in others) == 3
    assert sum(len(world.offers(socket)) for socket in crowd) == 2
    world.join("b", offers=10)
    assert sum(len(world.offers(socket)) for socket in crowd) > 2 + 3  # there are no others


def test_those_at_ones_own_home_are_no_crowd() -> None:
    world = World()
    office = [world.join(f"c{number}", source="9.9.9.9") for number in range(6)]
    world.join("a", offers=5, source="9.9.9.9")
    assert sum(len(world.offers(socket)) for socket in office) == 5


def test_everybody_in_a_large_swarm_is_reached() -> None:
    world = World(TorrentRules(peers_per_hour=1000))
    sockets = [world.join(f"p{number}") for number in range(100)]
    for number, socket in enumerate(sockets):
        world.announce(socket, f"p{number}", offers=5)
    reached = sum(bool(world.offers(socket)) for socket in sockets)
    assert reached > 95


def test_most_of_the_others_are_near_and_some_are_not() -> None:
    world = World()
    for number in range(400):
        socket = world.connect(operator="AS64500" if number % 20 == 0 else f"AS{number}")
        world.announce(socket, f"p{number}")
    seeker = world.connect(operator="AS64500")
    world.announce(seeker, "s", offers=8)
    near = sum(bool(world.offers(socket)) for socket in range(1, 401, 20))
    assert near in (6, 7)
    assert world.torrents.tally.offers == 8


def test_what_a_map_says_is_cheap_counts_as_near() -> None:
    world = World()
    regions = ["cheap", *(f"dear{number}" for number in range(9))]
    costs = Costs({"here": {region: float(place) for place, region in enumerate(regions)}})
    world.torrents.receive(Mapped(costs), world.now)
    for number in range(400):
        socket = world.connect(region=regions[number % 10])
        world.announce(socket, f"p{number}")
    seeker = world.connect(region="here")
    world.announce(seeker, "s", offers=8)
    assert sum(bool(world.offers(socket)) for socket in range(1, 401, 10)) >= 4
