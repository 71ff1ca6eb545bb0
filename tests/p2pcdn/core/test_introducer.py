"""Finding neighbours: how many, which, by whose offer, and what comes after a failure."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from statistics import fmean

import pytest

from p2pcdn.core.introducer import AT_ONCE, SEARCH_EVERY
from p2pcdn.core.locality import Costs, where_of
from p2pcdn.core.member import OFFER_LASTS, SHUN
from p2pcdn.core.pairing import LINK_TIMEOUT
from p2pcdn.core.swarm_ports import CostsChanged, Paired, PairingFailed, PairingLinked, Rules
from p2pcdn.wire.codec import encode
from p2pcdn.wire.tracker import (
    Answered,
    Candidated,
    Importers,
    Invite,
    Joined,
    Leases,
    Linked,
    Move,
    Offered,
    Prepared,
    PreparedCandidate,
    SendAnswer,
    Taken,
    Unlinked,
    Unpaired,
)
from tests.p2pcdn.core.swarming import World, at, live, mdns, sdp


def neighbours(world: World) -> dict[int, set[int]]:
    """Who has been introduced to whom."""
    found: dict[int, set[int]] = {socket: set() for socket in world.ids}
    for paired in world.happened(Paired):
        a, b = world.socket_of(paired.a), world.socket_of(paired.b)
        found[a].add(b)
        found[b].add(a)
    return found


# Whose offer


def test_a_newcomers_prepared_offer_is_given_to_the_first_it_meets() -> None:
    world = World()
    first = world.join()
    second = world.join(7)
    taken, offered = world.last(second, Taken), world.last(first, Offered)
    assert taken.pairing == offered.pairing
    assert taken.offer == 7
    assert (taken.peer, offered.peer) == (world.ids[first], world.ids[second])
    assert "a=ice-ufrag:of0007" in offered.sdp


def test_an_offer_that_waits_is_used_before_the_newcomers() -> None:
    world = World()
    first = world.join(1)
    second = world.join(2)
    assert world.last(first, Taken).offer == 1
    assert "a=ice-ufrag:of0001" in world.last(second, Offered).sdp


def test_an_offer_that_waited_too_long_is_not_used() -> None:
    world = World()
    first = world.join(1)
    world.wait(OFFER_LASTS)
    second = world.join(2)
    assert world.last(second, Taken).offer == 2
    assert world.last(first, Offered).peer == world.ids[second]


def test_an_offer_is_used_once() -> None:
    world = World()
    first = world.join(1)
    world.join()
    world.join()
    assert [taken.offer for taken in world.all(first, Taken)] == [1]


def test_without_an_offer_the_newcomer_is_invited() -> None:
    world = World()
    first = world.join()
    second = world.join()
    invite = world.last(second, Invite)
    world.offer(second, invite.pairing)
    offered = world.last(first, Offered)
    assert (offered.pairing, offered.peer) == (invite.pairing, world.ids[second])


def test_a_new_offer_takes_the_taken_ones_place() -> None:
    world = World()
    first = world.join(1)
    world.join()
    world.say(first, Prepared(2, sdp(ufrag="second")))
    third = world.join()
    assert "a=ice-ufrag:second" in world.all(third, Offered)[0].sdp


def test_candidates_that_came_before_an_offer_was_taken_go_with_it() -> None:
    world = World()
    first = world.join(1)
    world.say(first, PreparedCandidate(1, mdns(5), "0"))
    second = world.join()
    assert world.last(second, Offered).sdp.endswith(f"\r\na={mdns(5)}\r\n")
    assert not world.all(second, Candidated)


# How many


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_a_small_swarm_knows_everybody(size: int) -> None:
    world = World()
    for _ in range(size):
        world.join()
        world.settle()
    assert all(len(others) == size - 1 for others in neighbours(world).values())


def test_in_a_large_swarm_everybody_has_a_few_neighbours_and_none_too_many() -> None:
    world = World()
    for _ in range(200):
        world.join(1)
        world.settle()
    degrees = [len(others) for others in neighbours(world).values()]
    assert min(degrees) >= 6
    assert max(degrees) <= 16
    assert 8 <= sum(degrees) / len(degrees) <= 12


def test_who_can_send_more_has_more_neighbours() -> None:
    world = World()
    kinds = {"fast": (20, 4_800_000), "usual": (60, 1_200_000), "slow": (20, 120_000)}
    sockets = {
        name: [world.join(1, uplink=uplink) for _ in range(count)]
        for name, (count, uplink) in kinds.items()
    }
    world.settle()
    world.wait(2 * SEARCH_EVERY)
    world.settle()
    degrees = {socket: len(others) for socket, others in neighbours(world).items()}
    mean = {name: fmean(degrees[socket] for socket in those) for name, those in sockets.items()}
    assert mean["fast"] > 1.3 * mean["usual"] > 1.3 * mean["slow"]
    assert all(6 <= degree <= 16 for degree in degrees.values())


def test_a_large_swarm_hangs_together() -> None:
    world = World()
    for _ in range(200):
        world.join(1)
        world.settle()
    graph = neighbours(world)
    reached, edge = {1}, {1}
    while edge:
        edge = {other for socket in edge for other in graph[socket]} - reached
        reached |= edge
    assert len(reached) == 200


def test_when_all_have_many_a_newcomer_still_gets_a_few() -> None:
    world = World(Rules(neighbours=2, links=4))
    for _ in range(4):
        world.join()
        world.settle()
    assert all(len(others) >= 1 for others in neighbours(world).values())
    newcomer = world.join()
    world.settle()
    assert len(neighbours(world)[newcomer]) >= 1


@pytest.mark.parametrize("links", [1, 2, 3, 16])
def test_nobody_has_more_pairings_than_links(links: int) -> None:
    world = World(Rules(links=links))
    for _ in range(40):
        world.join(1, 2)
        world.settle()
    assert max(len(others) for others in neighbours(world).values()) <= links


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_so_many_offers_wait_for_one_answer_and_no_more(limit: int) -> None:
    world = World(Rules(pending_offers=limit))
    victim = world.join()
    for number in range(20):
        world.join(number)
        world.act(answering=False)
    assert len(world.all(victim, Offered)) == limit


def test_an_answer_makes_room_for_the_next_offer() -> None:
    world = World(Rules(pending_offers=1))
    sockets = [world.join() for _ in range(4)]
    assert len(world.happened(Paired)) < 6
    for _ in range(4):
        world.act(*sockets)
    assert len(world.happened(Paired)) == 6, "everybody knows everybody"


def test_who_finds_all_others_busy_tries_again() -> None:
    world = World(Rules(pending_offers=1))
    for _ in range(4):
        world.join()
    assert len(world.happened(Paired)) < 6
    assert world.swarms.timer_at() == SEARCH_EVERY
    world.wait(SEARCH_EVERY)
    assert world.swarms.timer_at() == 2 * SEARCH_EVERY


def test_where_all_give_up_at_once_others_get_a_word_in() -> None:
    world = World()
    for _ in range(100):
        world.join()
    introduced = len(world.happened(Paired))
    assert introduced > 2 * AT_ONCE
    later, gave_up = world.now + LINK_TIMEOUT, []
    while (due := world.swarms.timer_at()) is not None and due <= later:
        world.swarms.on_timer(later)
        events = world.swarms.take_events()
        gave_up.append(sum(isinstance(event, PairingFailed) for event in events))
    assert max(gave_up) <= AT_ONCE
    assert sum(gave_up) >= introduced


def test_an_hour_ends_in_the_middle_of_a_search() -> None:
    world = World(Rules(peers_per_hour=3))
    for number in range(6):
        world.join(position=at(1000 * number))  # of no use to each other
    newcomer = world.join()
    assert len(neighbours(world)[newcomer]) == 3


def test_a_newcomer_has_no_more_offers_to_answer_either() -> None:
    world = World(Rules(neighbours=8))
    for number in range(8):
        world.join(number, position=at(1000 * number))  # of no use to each other
    newcomer = world.join()
    assert len(world.all(newcomer, Offered)) == 2
    assert len(world.all(newcomer, Invite)) == 6


def test_an_hour_brings_so_many_peers() -> None:
    world = World(Rules(peers_per_hour=5))
    harvester = world.join()
    for _ in range(20):
        other = world.join()
        world.settle()
        world.close(other)
    assert len(neighbours(world)[harvester]) == 5
    world.wait(3600)
    world.join()
    assert len(neighbours(world)[harvester]) == 6


def test_coming_back_with_a_new_socket_brings_no_more() -> None:
    world = World(Rules(peers_per_hour=5))
    for number in range(40):
        world.join(source=f"203.0.113.{number}", position=at(1000 * number))
    homes = set()
    for _ in range(50):
        harvester = world.join(source="192.0.2.1")
        homes |= neighbours(world)[harvester]
        world.close(harvester)
        world.wait(60.0)
    assert len(homes) == 5
    world.wait(600.0)
    harvester = world.join(source="192.0.2.1")
    assert neighbours(world)[harvester] - homes


def test_who_comes_back_again_and_again_uses_up_nobody_elses_hour() -> None:
    world = World(Rules(peers_per_hour=5))
    for number in range(4):
        world.join(source=f"203.0.113.{number}")
    for _ in range(50):
        world.close(world.join(source="192.0.2.1"))
    newcomer = world.join(source="192.0.2.2")
    assert len(neighbours(world)[newcomer]) == 4


# Which


def test_the_one_that_covers_what_comes_is_preferred() -> None:
    world = World(Rules(neighbours=1))
    far, near = world.join(position=at(900)), world.join(position=at(105))
    seeker = world.join(position=at(100))
    assert neighbours(world)[seeker] == {near}
    assert neighbours(world)[far] == set()


def test_two_that_cannot_help_each_other_are_left_alone_until_they_can() -> None:
    world = World()
    early = world.join(position=at(0))
    late = world.join(position=at(500))
    assert not world.happened(Paired)
    world.wait(10)
    world.say(early, Move(True, at(495)))
    assert neighbours(world)[early] == {late}


def test_two_that_do_not_upload_are_not_paired_until_one_does() -> None:
    world = World()
    one = world.join(upload=False)
    other = world.join(upload=False)
    assert not world.happened(Paired)
    world.wait(10)
    world.say(one, Move(True))
    assert neighbours(world)[one] == {other}


def test_swarms_do_not_mix() -> None:
    world = World()
    world.join(content="a" * 32)
    world.join(content="b" * 32)
    world.join(content="a" * 32, site="other")
    assert not world.happened(Paired)
    assert [message.peers for socket in world.ids for message in world.all(socket, Joined)] == [
        0,
        0,
        0,
    ]


def test_whoever_moves_all_the_time_is_looked_after_once_a_second() -> None:
    world = World()
    mover = world.join(position=at(0))
    world.join(position=at(500))
    world.wait(10)
    world.say(mover, Move(True, at(1)))
    world.say(mover, Move(True, at(500)))
    assert not world.happened(Paired)
    world.wait(1.0)
    assert len(world.happened(Paired)) == 1


# The end of a pairing


def pair_of(world: World) -> tuple[int, int, str]:
    """Two peers and their pairing, which the second was invited to."""
    first, second = world.join(), world.join()
    return first, second, world.last(second, Invite).pairing


def link(world: World, first: int, second: int, pairing: str) -> None:
    world.offer(second, pairing)
    world.answer(first, pairing)
    world.say(first, Linked(pairing, 120.0))


def test_a_pairing_that_is_not_linked_in_time_is_over() -> None:
    world = World()
    first, second, pairing = pair_of(world)
    world.wait(LINK_TIMEOUT - 0.1)
    assert not world.all(first, Unpaired)
    world.wait(0.1)
    assert world.last(first, Unpaired).pairing == pairing
    assert world.last(second, Unpaired).pairing == pairing
    assert world.happened(PairingFailed) == [PairingFailed(pairing, "expired")]


def test_a_linked_pairing_has_no_deadline() -> None:
    world = World()
    first, second, pairing = pair_of(world)
    link(world, first, second, pairing)
    world.say(second, Linked(pairing, 90.0))
    assert world.happened(PairingLinked) == [PairingLinked(pairing, 120.0)]
    assert world.swarms.timer_at() is None
    world.wait(3600)
    assert not world.all(first, Unpaired)


def test_a_failure_is_told_to_the_other_end() -> None:
    world = World()
    first, second, pairing = pair_of(world)
    world.say(second, Unlinked(pairing, "failed"))
    assert world.last(first, Unpaired).pairing == pairing
    assert not world.all(second, Unpaired)
    assert world.happened(PairingFailed) == [PairingFailed(pairing, "failed")]


def test_the_end_of_a_link_is_not_told_since_both_see_it() -> None:
    world = World()
    first, second, pairing = pair_of(world)
    link(world, first, second, pairing)
    world.say(second, Unlinked(pairing, "closed"))
    world.say(first, Unlinked(pairing, "closed"))
    assert not world.all(first, Unpaired)
    assert world.refusals(first) == []
    assert not world.happened(PairingFailed)


def test_the_same_two_meet_again_after_a_minute() -> None:
    world = World()
    _, second, pairing = pair_of(world)
    world.say(second, Unlinked(pairing, "failed"))
    world.wait(SHUN - 0.1)
    assert len(world.happened(Paired)) == 1
    world.wait(0.1)
    assert len(world.happened(Paired)) == 2


def test_whoever_sent_a_wrong_byte_is_not_met_again() -> None:
    world = World()
    first, second, pairing = pair_of(world)
    link(world, first, second, pairing)
    world.say(second, Unlinked(pairing, "integrity"))
    world.wait(24 * 3600)
    world.say(second, Move(True, at(1)))
    assert len(world.happened(Paired)) == 1


def test_a_lost_neighbour_is_replaced_at_once() -> None:
    world = World(Rules(neighbours=1, links=1))
    first, second, pairing = pair_of(world)
    third = world.join()
    assert neighbours(world)[third] == set()
    world.say(first, Unlinked(pairing, "failed"))
    assert len(neighbours(world)[third]) == 1
    assert neighbours(world)[third] <= {first, second}


def test_neighbours_of_one_that_leaves_get_others() -> None:
    world = World(Rules(neighbours=1, links=1))
    first, second, _ = pair_of(world)
    third = world.join()
    world.close(first)
    assert isinstance(world.heard[second][1], Invite)
    assert neighbours(world)[third] == {second}
    assert world.all(second, Unpaired)


def test_an_answer_after_the_end_is_only_answered() -> None:
    world = World()
    first, second, pairing = pair_of(world)
    world.offer(second, pairing)
    world.say(second, Unlinked(pairing, "timeout"))
    world.say(first, SendAnswer(pairing, sdp("active")), Linked(pairing, 1.0))
    assert world.refusals(first) == [("unknown_pairing", False)]


# Networks


def joins_a_crowd(rules: Rules) -> Counter[str]:
    """A viewer's neighbours, who came to forty of one network and eight of others."""
    world = World(rules)
    for number in range(40):
        world.join(source=f"203.0.113.{number}")
    for number in range(8):
        world.join(source=f"198.51.{number}.1")
    world.settle()
    viewer = world.join(source="192.0.2.1")
    world.settle()
    world.wait(2 * SEARCH_EVERY)
    world.settle()
    members = world.swarms._members
    return Counter(
        "one" if members[n].network == bytes([203, 0, 113]) else "others"
        for n in neighbours(world)[viewer]
    )


def test_nobody_is_surrounded_by_one_network_while_there_are_others() -> None:
    found = joins_a_crowd(Rules())
    assert found["one"] <= 2
    assert found.total() == 8


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 2), (0.5, 3, 4), (1.0, 5, 8)])
def test_how_many_may_be_of_one_network_is_a_setting(share: float, least: int, most: int) -> None:
    found = joins_a_crowd(Rules(prefix_share=share))
    assert least <= found["one"] <= most
    assert found.total() == 8


def test_one_network_alone_links_all_the_same() -> None:
    world = World(Rules(neighbours=8, pending_offers=8))
    for _ in range(9):
        world.join()
    world.settle()
    assert {len(found) for found in neighbours(world).values()} == {8}


# Locality


def networks_of(world: World, *sockets: int) -> Counter[str]:
    """The operators of these sockets' neighbours."""
    members, found = world.swarms._members, neighbours(world)
    return Counter(members[n].where.operator for socket in sockets for n in found[socket])


def source(number: int) -> str:
    """An address in a /24 of its own."""
    return f"46.{number >> 8}.{number & 255}.7"


def settled(world: World) -> None:
    world.settle()
    world.wait(3 * SEARCH_EVERY)
    world.settle()


def among(world: World, many: int, operator: str = "AS1", first: int = 0) -> list[int]:
    """So many viewers of one operator join."""
    sockets = []
    for number in range(first, first + many):
        sockets.append(world.join(1, source=source(number), operator=operator))
        world.settle()
    return sockets


def test_a_newcomer_finds_the_few_of_its_operator_in_a_large_swarm() -> None:
    world = World()
    few = among(world, 4, "AS1")
    among(world, 300, "AS2", 100)
    newcomer = world.join(source=source(500), operator="AS1")
    settled(world)
    assert neighbours(world)[newcomer] > set(few)
    assert networks_of(world, newcomer).total() >= 8


def test_most_neighbours_are_near_and_some_are_not() -> None:
    world = World()
    for number in range(240):
        world.join(1, source=source(number), operator=f"AS{number % 4}")
        world.settle()
    settled(world)
    shares = []
    for network in range(4):
        sockets = [socket for socket in world.ids if socket % 4 == (network + 1) % 4]
        found = networks_of(world, *sockets)
        assert 8 <= found.total() / len(sockets) <= 13
        shares.append(found[f"AS{network}"] / found.total())
    assert all(0.6 < share < 0.85 for share in shares)
    members = world.swarms._members.values()
    assert min(len(member.pairings) - member.near for member in members) >= 1


def test_who_is_near_adds_to_those_who_are_not_as_far_as_there_may_be_links() -> None:
    world = World(Rules(neighbours=4, links=5, pending_offers=8))
    mover = world.join(1, position=at(0), source=source(0), operator="AS1")
    for number in range(3):
        world.join(position=at(0), source=source(10 + number), operator="AS2")
    for number in range(4):
        world.join(position=at(5000), source=source(20 + number), operator="AS1")
        world.settle()
    assert networks_of(world, mover) == {"AS2": 3}
    world.wait(10)
    world.say(mover, Move(True, at(5000)))
    assert networks_of(world, mover) == {"AS2": 3, "AS1": 2}


def test_who_is_of_the_same_country_alone_takes_nobodys_place() -> None:
    world = World()
    for number in range(80):
        world.join(source=source(number), operator=f"AS{number % 10}", country="DE")
    settled(world)
    members = list(world.swarms._members.values())
    assert sum(member.near for member in members) / len(members) > 5
    for member in members:
        others = [pairing.other(member) for pairing in member.pairings.values()]
        home = member.vantage.operator
        assert member.near == sum(other.vantage.operator == home for other in others)


def test_not_even_with_all_near_are_all_near() -> None:
    world = World(Rules(local_share=1.0))
    among(world, 7, "AS1")
    far = among(world, 2, "AS2", 100)
    newcomer = world.join(1, source=source(50), operator="AS1")
    settled(world)
    assert neighbours(world)[newcomer] & set(far)
    assert networks_of(world, newcomer).total() == 8


def test_who_is_near_and_has_no_room_is_waited_for() -> None:
    world = World(Rules(neighbours=4, links=4))
    near = among(world, 5, "AS1")
    assert {len(neighbours(world)[socket]) for socket in near} == {4}, "they have no room"
    among(world, 4, "AS2", 100)
    newcomer = world.join(source=source(50), operator="AS1")
    assert networks_of(world, newcomer) == {"AS2": 3}
    world.close(near[0])
    assert networks_of(world, newcomer) == {"AS2": 3, "AS1": 1}


def test_blind_matching_is_a_setting() -> None:
    world = World(Rules(local_share=0.0))
    for number in range(200):
        world.join(1, source=source(number), operator=f"AS{number % 4}")
        world.settle()
    found = networks_of(world, *(socket for socket in world.ids if socket % 4 == 1))
    assert 0.1 < found["AS0"] / found.total() < 0.4


def test_where_nobody_is_near_it_is_as_if_that_did_not_matter() -> None:
    found = []
    for share in (0.75, 0.0):
        world = World(Rules(local_share=share))
        among(world, 100, "")
        found.append(neighbours(world))
    assert found[0] == found[1]


def test_use_comes_before_nearness() -> None:
    world = World(Rules(neighbours=4))
    near = [world.join(position=at(140), source=source(n), operator="AS1") for n in range(9)]
    world.settle()
    covers = world.join(position=at(105), source=source(20), operator="AS2")
    seeker = world.join(position=at(100), source=source(30), operator="AS1")
    assert covers in neighbours(world)[seeker]
    assert len(neighbours(world)[seeker] & set(near)) >= 2


def test_nearness_comes_before_what_a_seeker_can_do_for_others() -> None:
    world = World(Rules(neighbours=2))
    near = world.join(position=at(50, 0, 200), source=source(1), operator="AS1")
    for number in range(9):
        world.join(position=at(100), source=source(10 + number), operator="AS2")
    seeker = world.join(position=at(100), source=source(3), operator="AS1")
    assert near in neighbours(world)[seeker]


def test_who_is_near_but_brings_nothing_is_left_to_chance() -> None:
    world = World(Rules(neighbours=4))
    near = [world.join(position=at(50, 0, 60), source=source(n), operator="AS1") for n in range(9)]
    useful = [world.join(position=at(505), source=source(20 + n), operator="AS2") for n in range(4)]
    seeker = world.join(position=at(500, 0, 510), source=source(30), operator="AS1")
    assert neighbours(world)[seeker] == set(useful)
    newcomer = world.join(position=at(50, 50, 50), source=source(31), operator="AS1")
    assert seeker in neighbours(world)[newcomer] or neighbours(world)[newcomer] < set(near)


def test_who_has_many_neighbours_still_gets_some_who_are_near() -> None:
    world = World(Rules(neighbours=4, links=8))  # left alone from 5 on
    first = world.join(1, source=source(0), operator="AS1")
    among(world, 60, "AS2", 100)
    settled(world)
    assert networks_of(world, first)["AS2"] >= 5
    near = among(world, 3, "AS1", 1)
    assert near[0] in neighbours(world)[first]
    assert networks_of(world, first).total() <= 8


def test_a_small_network_has_places_for_those_who_come_later() -> None:
    world = World(Rules(neighbours=4, links=6))
    early = among(world, 2, "AS1")
    among(world, 60, "AS2", 100)
    settled(world)
    late = world.join(source=source(50), operator="AS1")
    assert neighbours(world)[late] >= set(early)


def test_a_lost_neighbour_who_was_near_is_replaced_by_one_who_is() -> None:
    world = World()
    among(world, 20, "AS2", 100)
    near = among(world, 20, "AS1")
    newcomer = world.join(source=source(50), operator="AS1")
    settled(world)
    assert networks_of(world, newcomer)["AS1"] >= 6
    for lost in [socket for socket in near if socket in neighbours(world)[newcomer]][:3]:
        world.close(lost)
    settled(world)
    pairings = world.swarms._members[newcomer].pairings.values()
    assert sum(pairing.near for pairing in pairings) >= 6


def test_a_local_network_may_be_more_than_a_share_but_not_all() -> None:
    world = World()
    for _ in range(30):
        world.join(1, source="203.0.113.7")
        world.settle()
    among(world, 60, "", 100)
    viewer = world.join(source="203.0.113.7")
    settled(world)
    members = world.swarms._members
    sources = Counter(
        members[socket].vantage.source == members[viewer].vantage.source
        for socket in neighbours(world)[viewer]
    )
    assert sources[True] >= 4
    assert sources[False] >= 1


def test_of_a_prefix_beyond_the_local_network_no_more_than_a_share_while_there_are_others() -> None:
    world = World()
    for number in range(10, 50):
        world.join(1, source=f"203.0.113.{number}", operator="AS1")
        world.settle()
    among(world, 60, "AS2", 100)
    viewer = world.join(source="203.0.113.7", operator="AS1")
    settled(world)
    members = world.swarms._members
    found = Counter(members[socket].where.prefix for socket in neighbours(world)[viewer])
    assert found[bytes([203, 0, 113])] <= 2
    assert found.total() >= 6


def test_costs_between_regions_order_who_is_met() -> None:
    world = World(Rules(neighbours=2))
    costs = Costs({"here": {"here": 0, "near": 1, "far": 2, "further": 3}})
    world.swarms.receive(CostsChanged(costs), world.now)
    near = world.join(source=source(1), region="near")
    for number in range(20):
        world.join(source=source(10 + number), region=("far", "further")[number % 2])
    seeker = world.join(source=source(3), region="here")
    assert near in neighbours(world)[seeker]


def test_no_peer_is_told_where_it_is_or_anybody_else() -> None:
    world = World(Rules(importers=True))
    costs = Costs({"region-a": {"region-a": 17_171.0, "region-b": 18_181.0}})
    world.swarms.receive(CostsChanged(costs), world.now)
    words = ["17171", "18181", "region-a", "region-b", "AS64500", "AS64501", "Q-country"]
    for number in range(40):
        where = source(number)
        words += [where, where_of(ip_address(where)).lan.hex(), where.rpartition(".")[0]]
        world.join(
            *(1, 2)[: number % 3],
            source=where,
            operator=("AS64500", "AS64501")[number % 2],
            region=("region-a", "region-b")[number // 2 % 2],
            country="Q-country",
            position=live(100),
        )
        world.settle()
    world.wait(10.0)
    for socket in list(world.ids)[:10]:
        world.close(socket)
    settled(world)
    told = "".join(encode(message) for heard in world.heard.values() for message in heard)
    assert {type(message) for heard in world.heard.values() for message in heard} >= {
        Joined, Invite, Offered, Taken, Answered, Unpaired, Leases, Importers
    }  # fmt: skip
    assert [word for word in words if word in told] == []
    # Whether others of its operator are there is all: the same to either operator's viewers.
    heard = [world.all(socket, Importers) for socket in world.open]
    assert heard == [[Importers(named=True)]] * len(world.open)


def test_who_has_left_is_found_by_nobody() -> None:
    world = World()
    sockets = among(world, 10)
    swarm = world.swarms._members[sockets[0]].swarm
    assert len(swarm.near_open) > 0
    for socket in sockets:
        world.close(socket)
    assert len(swarm.near_open) == 0
    assert len(swarm.members.nearby) == 0
