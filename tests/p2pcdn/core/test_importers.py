"""Importers: who brings what into which network, who hears of it, and what that costs at most."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest

from p2pcdn.core.audience import Audience
from p2pcdn.core.desk import KEPT, Desk
from p2pcdn.core.importers import MOST_GIVEN, MOST_NETWORKS, MOST_ROTAS, Networks
from p2pcdn.core.lessor import EVERY
from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.swarm_ports import Rules
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.tracker import Importers, Lease, Leases, Leave, Move
from tests.p2pcdn.core.swarming import World, live

Stripe = tuple[int, int]
"""The number of a segment, and that of a stripe of it."""


def networks(*operators: str, settled: float = 5.0) -> World:
    """A crowd, linked as far as may be, of viewers in these networks who watch live."""
    world = World(Rules(neighbours=16, importers=True))
    for operator in operators:
        world.join(operator=operator)
    world.settle()
    world.wait(settled)
    for socket in world.open:
        world.say(socket, Move(True, live(100)))
    return world


def told(world: World, socket: int) -> list[bool]:
    return [message.named for message in world.all(socket, Importers)]


def leases(world: World, socket: int) -> list[Lease]:
    return [lease for message in world.all(socket, Leases) for lease in message.leases]


def importers(world: World, *sockets: int) -> dict[Stripe, dict[int, float]]:
    """Which of these is to import each stripe, and after what delay, as each heard it last."""
    found: dict[Stripe, dict[int, float]] = {}
    for socket in sockets or tuple(world.heard):
        for lease in leases(world, socket):
            if lease.imports:
                found.setdefault((lease.sequence, lease.stripe), {})[socket] = lease.delay
    return found


def firsts(world: World) -> dict[Stripe, int]:
    """Who is first to fetch each stripe."""
    return {
        (lease.sequence, lease.stripe): socket
        for socket in world.heard
        for lease in leases(world, socket)
        if not lease.imports and not lease.delay
    }


# Who


def test_each_network_has_one_who_brings_each_stripe_in() -> None:
    # Sockets 1 to 12 are of one network, 13 to 24 of another, the last of one of its own.
    world = networks(*["AS1"] * 12, *["AS2"] * 12, "AS3")
    world.wait(EVERY)
    first = firsts(world)
    assert first
    for crowd in (range(1, 13), range(13, 25)):
        found = importers(world, *crowd)
        elsewhere = {stripe for stripe, socket in first.items() if socket not in crowd}
        assert elsewhere
        assert all(len(found[stripe]) == 1 for stripe in elsewhere)
        # Where the first holder is there, at most somebody passes it on to whoever needs it.
        assert all(len(found[stripe]) <= 1 for stripe in found.keys() - elsewhere)
    assert not importers(world, 25)


def test_who_brings_a_stripe_is_a_neighbour_of_somebody_who_has_it_before() -> None:
    names = [f"AS{network}" for network in range(1, 5) for _ in range(12)]
    world = networks(*names)
    world.wait(EVERY)
    first, found = firsts(world), importers(world)
    assert found
    for stripe, those in found.items():
        for socket in those:
            member = world.swarms._members[socket]
            before = {first[stripe], *those} - {socket}
            assert before & {pairing.other(member).socket for pairing in member.pairings.values()}


def test_who_has_it_from_a_busy_neighbour_waits_for_its_turn() -> None:
    world = networks(*(f"AS{network}" for network in range(8) for _ in range(4)))
    world.wait(EVERY)
    found = importers(world)
    assert found
    for those in found.values():
        assert len(set(those.values())) > 1, "not all at once"


def test_who_is_alone_or_in_no_known_network_has_no_importers() -> None:
    world = networks("AS1", "AS2", "", "")
    world.wait(EVERY)
    assert not any(told(world, socket) for socket in world.heard)
    assert not importers(world)


def test_who_boasts_imports_no_more_than_its_turn() -> None:
    world = networks(*["AS1"] * 12, *["AS2"] * 12)
    for turn in range(12):
        for socket in world.open:
            uplink = 12_500_000 if socket == 1 else 625_000
            world.say(socket, Move(True, live(100 + 5 * turn), uplink))
        world.wait(10.0)
    found = importers(world, *range(1, 13))
    counts = Counter(socket for those in found.values() for socket in those)
    assert counts.total() > 50
    assert counts[1] < 0.25 * counts.total()


def test_who_brings_something_in_is_somebody_who_uploads() -> None:
    world = networks(*["AS1"] * 6, *["AS2"] * 6)
    world.wait(EVERY)
    before = importers(world, *range(1, 7))
    for socket in (1, 2, 3):
        world.say(socket, Move(False, live(100)))
    world.wait(2 * EVERY)
    found = importers(world, *range(1, 7))
    later = [socket for stripe, those in found.items() if stripe not in before for socket in those]
    assert later
    assert set(later) <= {4, 5, 6}, "those on the rota count only as long as they do"


def test_when_an_importer_leaves_somebody_else_comes() -> None:
    world = networks(*["AS1"] * 6, *["AS2"] * 6)
    world.wait(EVERY)
    before = importers(world, *range(1, 7))
    first = firsts(world)
    stripe = next(stripe for stripe in before if first[stripe] > 6)
    (gone,) = before[stripe]
    world.close(gone)
    world.wait(EVERY)
    left = importers(world, *(set(range(1, 7)) - {gone}))
    assert len(left[stripe]) == 1


def test_when_the_first_holder_leaves_its_network_needs_importers() -> None:
    world = networks(*["AS1"] * 6, *["AS2"] * 6)
    world.wait(EVERY)
    stripe, socket = max(firsts(world).items())
    home = range(1, 7) if socket < 7 else range(7, 13)
    assert stripe not in importers(world, *home)
    second = next(
        other
        for other in world.heard
        for lease in leases(world, other)
        if (lease.sequence, lease.stripe) == stripe and lease.delay == pytest.approx(0.4)
    )
    world.close(socket)
    world.wait(EVERY)
    assert stripe in importers(world, *home) or second in home


# Who hears of it


def test_peers_hear_when_importers_are_named_for_their_network_and_when_no_more() -> None:
    world = networks("AS1", "AS1", "AS1", "AS2", "AS2")
    world.wait(EVERY)
    assert [told(world, socket) for socket in (1, 2, 3)] == [[True]] * 3
    world.close(3)
    world.wait(EVERY)
    assert told(world, 1) == [True]
    world.close(2)
    assert told(world, 1) == [True], "not at the moment at which somebody leaves"
    world.wait(EVERY)
    assert told(world, 1) == [True, False]


def test_who_is_left_alone_with_a_rendition_hears_it_too() -> None:
    world = networks("AS1", "AS1")
    world.wait(EVERY)
    assert told(world, 1) == [True]
    world.close(2)
    assert told(world, 1) == [True, False]


def test_who_looks_elsewhere_hears_that_none_are_named_there() -> None:
    world = networks("AS1", "AS1", "AS1", "AS2")
    world.wait(EVERY)
    world.say(2, Move(True, live(100, of="hd")))
    world.wait(3 * EVERY)
    assert told(world, 2) == [True, False]
    world.say(3, Leave())
    assert told(world, 3) == [True], "who has left is told nothing"


def test_nobody_is_told_where_nobody_can_import_anything() -> None:
    world = networks("AS1", "AS1", "AS1", *["AS2"] * 4)
    for socket in (1, 2, 3):
        world.say(socket, Move(False, live(100)))
    world.wait(2 * EVERY)
    assert all(told(world, socket) == [True] for socket in (4, 5, 6, 7))
    assert not any(told(world, socket) for socket in (1, 2, 3))


def test_the_second_of_a_network_hears_of_them_with_those_of_what_comes_next() -> None:
    world = networks("AS1", *["AS2"] * 6)
    world.wait(2 * EVERY)
    edge = 100 + int(2 * EVERY / 2)
    assert not told(world, 1)
    newcomer = world.join(operator="AS1", position=live(edge))
    world.settle()
    assert not told(world, 1), "not at the moment at which somebody comes"
    world.wait(EVERY)
    assert told(world, 1) == told(world, newcomer) == [True]
    found = {sequence for sequence, _ in importers(world, 1, newcomer)}
    assert min(found) <= edge + 1, "of what was leased before, too"


def test_those_in_mode_relay_have_no_part_in_it() -> None:
    world = World(Rules(neighbours=16, importers=True, relays=True))
    alone = world.join(operator="AS1", position=live(100))
    hidden = world.join(operator="AS1", mode="relay", position=live(100))
    for _ in range(3):
        world.join(operator="AS2", position=live(100))
    world.settle()
    world.wait(10.0)
    assert not told(world, alone)
    assert not told(world, hidden)
    assert not importers(world, alone, hidden)


def test_peers_that_are_kept_to_their_network_need_none() -> None:
    world = World(Rules(importers=True))
    for _ in range(4):
        world.join(operator="AS1", mode="network", position=live(100))
    world.settle()
    world.wait(10.0)
    assert not any(told(world, socket) for socket in world.heard)


# What it costs


class Linked(Member):
    """A member with as many links as it takes."""

    links = 8


def many(count: int, each: int) -> tuple[Desk, Networks]:
    """So many networks of so many members, who have links, and leased segments."""
    swarm = Swarm(("s", "c", ""))
    desk = Desk(Audience(swarm, "v"))
    made = Networks(desk)
    vantages = [Vantage(ip_address("198.51.100.7"), operator=f"AS{n}") for n in range(count)]
    for number in range(count * each):
        member = Linked(number, f"{number:016x}", swarm, vantages[number % count], True, None)
        desk.audience.members.add(member)
        made.enter(member)
    for sequence in range(5):
        desk.cut(sequence, 8, 0.0)
    return desk, made


def test_a_look_does_no_more_than_its_bounds_say_and_the_next_goes_on() -> None:
    _, made = many(500, 2)
    named: dict[Member, bool] = {}
    imported = 0
    for look in range(40):
        given, news = made.look(range(5), Random(1), 10.0 + look)
        count = sum(map(len, given.values()))
        assert count <= MOST_GIVEN + 2 * 8
        assert len(news) <= 2 * MOST_ROTAS
        imported += count
        named |= dict(news)
    assert imported == MOST_NETWORKS * 5 * 8
    assert list(named.values()) == [True] * 2 * MOST_NETWORKS


def test_the_largest_have_importers_and_keep_them_against_equals() -> None:
    _, made = many(MOST_NETWORKS + 4, 2)
    for look in range(10):
        made.look(range(5), Random(1), 10.0 + look)
    had = {network.name for network in made._networks.values() if network.told}
    assert len(had) == MOST_NETWORKS
    poor = next(network for network in made._networks.values() if not network.told)
    template = next(iter(poor.members))
    for number, expected in ((9000, set()), (9001, set()), (9002, {poor.name})):
        made.enter(replace(template, socket=number, id=f"{number:016x}"))
        for look in range(10):
            made.look(range(5), Random(1), 20.0 + 10 * (number - 9000) + look)
        has = {network.name for network in made._networks.values() if network.told}
        assert len(has) == MOST_NETWORKS
        assert has - had == expected, "not for one or two more"


def test_what_is_over_is_forgotten() -> None:
    desk, made = many(3, 2)
    made.look(range(5), Random(1), 10.0)
    assert desk.held
    desk.forget(KEPT + 1)
    assert not desk.parts
    assert not desk.held
    _, news = made.look((), Random(1), KEPT + 1)
    assert {named for _, named in news} == {False}, "there is nobody to wait for"
    for member in desk.audience.members:
        made.leave(member)
    assert not made._networks
