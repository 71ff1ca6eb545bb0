"""Leases: who is told to fetch what, who hears of it, and what happens when a holder fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest

from p2pcdn.core.audience import MOST_AHEAD
from p2pcdn.core.desk import DELAY, FRONT, HOLDERS, KEPT, MOST_KEPT
from p2pcdn.core.lessor import EVERY, FEW, MOST_TOLD, SOON
from p2pcdn.core.swarm_ports import LeaseMissed, LeasesGiven, Rules
from p2pcdn.wire.manifest import Records
from p2pcdn.wire.tracker import (
    BeingFetched,
    Fetching,
    Importers,
    Lease,
    Leases,
    Leave,
    Move,
    Position,
    Refused,
    ToTracker,
)
from tests.p2pcdn.core.swarming import CONTENT, World, live, published, vod

Stripe = tuple[int, int]
"""The number of a segment, and that of a stripe of it."""

DURATION = 2.0
STRIPES = 6
"""Of the segments here, at usual uplinks."""


def crowd(size: int, position: Position, rules: Rules | None = None, wait: float = 5.0) -> World:
    """A swarm in which everybody is linked as far as may be, and at the same place."""
    world = World(rules)
    for _ in range(size):
        world.join()
    world.settle()
    world.wait(wait)
    for socket in world.open:
        world.say(socket, Move(True, position))
    return world


def watch(world: World, seconds: float, since: int) -> None:
    """Time passes for those who watch live, who say where they are as they do."""
    begin = world.now
    while world.now - begin < seconds:
        world.wait(min(10.0, seconds - (world.now - begin)))
        for socket in world.open:
            world.say(socket, Move(True, live(since + int((world.now - begin) / DURATION))))


def leases(world: World, sockets: Iterable[int] | None = None) -> Iterator[tuple[int, Lease]]:
    """All leases that these (or all) were told of, with who it was."""
    for socket in world.heard if sockets is None else sockets:
        for told in world.all(socket, Leases):
            for lease in told.leases:
                yield socket, lease


def holders(world: World) -> dict[Stripe, list[int]]:
    """The sockets that hold each stripe, by rank."""
    found: dict[Stripe, dict[int, float]] = {}
    for socket, lease in leases(world):
        if lease.imports:
            continue
        found.setdefault((lease.sequence, lease.stripe), {})[socket] = lease.delay
    return {stripe: sorted(delays, key=delays.__getitem__) for stripe, delays in found.items()}


def fetching(stripe: Stripe) -> Fetching:
    return Fetching("v", *stripe)


def count(world: World, kind: type) -> int:
    return sum(len(world.all(socket, kind)) for socket in world.heard)


# Who is told what


def test_of_live_every_stripe_of_the_next_seconds_is_leased() -> None:
    world = crowd(5, live(100))
    world.wait(EVERY)
    found = holders(world)
    assert set(found) == {(s, part) for s in range(101, 106) for part in range(STRIPES)}
    assert all(len(those) == 5 for those in found.values())


def test_each_holder_waits_a_little_longer_than_the_one_before() -> None:
    world = crowd(12, live(100))
    world.wait(EVERY)
    delays: dict[Stripe, list[float]] = {}
    for _, lease in leases(world):
        assert (lease.rendition, lease.stripes) == ("v", STRIPES)
        delays.setdefault((lease.sequence, lease.stripe), []).append(lease.delay)
    expected = [pytest.approx(rank * DELAY) for rank in range(HOLDERS)]
    assert all(sorted(found) == expected for found in delays.values())


def test_a_segment_is_leased_once_as_the_stream_goes_on() -> None:
    world = crowd(6, live(100))
    watch(world, 60.0, 100)
    told = Counter((socket, lease.sequence, lease.stripe) for socket, lease in leases(world))
    assert set(told.values()) == {1}
    sequences = sorted({sequence for _, sequence, _ in told})
    assert sequences == list(range(101, sequences[-1] + 1))
    assert 133 <= sequences[-1] <= 136, "ten seconds beyond the edge, which is at 130"


def test_one_message_brings_all_leases_of_a_peer() -> None:
    world = crowd(5, live(100))
    world.wait(EVERY)
    assert [len(world.all(socket, Leases)) for socket in world.heard] == [1] * 5
    assert world.happened(LeasesGiven) == [LeasesGiven(5 * STRIPES * 5)]


@pytest.mark.parametrize("size", [10, 1000])
def test_messages_grow_with_stripes_and_not_with_viewers(size: int) -> None:
    world = crowd(size, live(100))
    world.wait(EVERY)
    before = count(world, Leases)
    segments = 20
    watch(world, segments * DURATION, 100)
    assert 0 < count(world, Leases) - before <= (segments + 5) * STRIPES * HOLDERS
    found = holders(world)
    assert {len(those) for those in found.values()} == {HOLDERS}
    for stripe, those in found.items():
        before = count(world, BeingFetched)
        world.say(those[0], fetching(stripe))
        assert count(world, BeingFetched) - before in (0, HOLDERS - 1)


def test_equals_fetch_equally_much() -> None:
    world = crowd(10, live(100))
    watch(world, 300.0, 100)
    firsts = Counter(those[0] for those in holders(world).values())
    assert len(firsts) == 10
    mean = firsts.total() / 10
    assert all(0.85 * mean < each < 1.15 * mean for each in firsts.values())


def test_a_faster_uplink_fetches_more() -> None:
    world = crowd(5, live(100))
    fast = min(world.open)
    for round_ in range(30):
        for socket in world.open:
            uplink = 2_500_000 if socket == fast else 625_000
            world.say(socket, Move(True, live(100 + 5 * round_), uplink))
        world.wait(10.0)
    firsts = Counter(those[0] for those in holders(world).values())
    assert firsts[fast] / firsts.total() == pytest.approx(1 / 2, abs=0.08)


# Who is not


def test_who_is_alone_gets_none() -> None:
    world = crowd(1, live(100))
    world.wait(60.0)
    assert not holders(world)
    assert world.swarms.timer_at() is None


def test_who_watches_another_rendition_alone_gets_none() -> None:
    world = crowd(3, live(100))
    other, *_ = world.open
    world.say(other, Move(True, live(100, of="w")))
    world.wait(EVERY)
    assert {lease.rendition for _, lease in leases(world)} == {"v"}
    assert not list(leases(world, [other]))


def test_renditions_are_leased_each_by_itself() -> None:
    world = crowd(6, live(100))
    some = sorted(world.open)[:3]
    for socket in some:
        world.say(socket, Move(True, live(200, of="w")))
    world.wait(EVERY)
    assert {lease.rendition for _, lease in leases(world, some)} == {"w"}
    assert {lease.rendition for _, lease in leases(world, world.open - set(some))} == {"v"}


def test_who_does_not_upload_or_is_not_linked_gets_none() -> None:
    world = crowd(5, live(100))
    silent, *_ = world.open
    world.say(silent, Move(False, live(100)))
    unlinked = world.join(position=live(100))
    world.wait(EVERY)
    assert {socket for socket, _ in leases(world)} == world.open - {silent, unlinked}


def test_newcomers_get_none_while_there_are_others() -> None:
    world = crowd(5, live(100))
    newcomer = world.join(position=live(100))
    world.settle()
    world.wait(EVERY)
    assert holders(world)
    assert not list(leases(world, [newcomer]))
    world.wait(5.0)
    assert list(leases(world, [newcomer])), "in reserve, where there are not enough"


def test_without_a_position_nobody_gets_any() -> None:
    world = crowd(3, live(100))
    unknown, *_ = world.open
    world.say(unknown, Move(True, None))
    world.wait(EVERY)
    assert not list(leases(world, [unknown]))


def test_they_can_be_turned_off() -> None:
    world = crowd(5, live(100), Rules(lease_ahead=0.0))
    world.wait(60.0)
    assert not holders(world)
    assert world.swarms.timer_at() is None


def test_a_native_peer_that_follows_is_a_peer_like_others() -> None:
    world = crowd(3, live(100))
    seeder, *_ = world.open
    world.say(seeder, Move(True, Position("v", 0, 0, 100, 100, 2000, 500_000, True), 6_250_000))
    world.wait(EVERY)
    firsts = Counter(those[0] for those in holders(world).values())
    assert firsts[seeder] > firsts.total() / 2


# Recordings


def test_a_crowd_at_the_same_head_shares_what_it_fetches() -> None:
    world = crowd(6, vod(0))
    world.wait(5 * EVERY)
    found = holders(world)
    assert set(found) == {(s, part) for s in range(1, 21) for part in range(STRIPES)}
    assert len({those[0] for those in found.values()}) == 6


def test_those_who_get_links_a_moment_later_shall_have_their_share() -> None:
    world = crowd(6, vod(0))
    seen = []
    for _ in range(3):
        world.wait(EVERY)
        seen.append(len({sequence for sequence, _ in holders(world)}))
    assert [later - sooner for sooner, later in pairwise(seen)] == [FEW, FEW]


def test_one_that_leads_fetches_as_if_it_were_alone() -> None:
    world = crowd(4, vod(0, 100))
    leader, *_ = world.open
    world.say(leader, Move(True, vod(90, 100)))
    world.wait(EVERY)
    found = holders(world)
    assert {sequence for sequence, _ in found} == set(range(101, 107))
    assert all(those == [leader] for those in found.values())


def test_only_those_who_will_play_it_are_named() -> None:
    world = crowd(5, vod(0))
    away, *_ = world.open
    world.say(away, Move(True, vod(400, 0)))
    world.wait(EVERY)
    assert holders(world)
    assert all(lease.sequence > 400 for _, lease in leases(world, [away]))


def test_what_was_not_fetched_is_leased_again_after_a_minute() -> None:
    world = crowd(4, vod(0))
    world.wait(5 * EVERY)
    assert len(holders(world)) == 20 * STRIPES
    told = count(world, Leases)
    for _ in range(6):
        for socket in world.open:
            world.say(socket, Move(True, vod(0)))
        world.wait(KEPT / 6)
    assert count(world, Leases) > told


# Taking up


def test_the_other_holders_hear_who_fetches_and_each_once() -> None:
    world = crowd(10, live(100))
    world.wait(EVERY)
    stripe, those = next(iter(holders(world).items()))
    world.say(those[0], fetching(stripe), fetching(stripe))
    told = {socket for socket in world.heard if world.all(socket, BeingFetched)}
    assert told == set(those[1:])
    assert count(world, BeingFetched) == HOLDERS - 1
    assert world.all(those[1], BeingFetched) == [BeingFetched("v", *stripe)]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Fetching("v", 101, 7), id="no such stripe"),
        pytest.param(Fetching("v", 99, 0), id="no such segment"),
        pytest.param(Fetching("w", 101, 0), id="no such rendition"),
    ],
)
def test_who_fetches_without_a_lease_is_told_so_and_nobody_else(message: Fetching) -> None:
    world = crowd(3, live(100))
    world.wait(EVERY)
    socket, *_ = world.open
    world.say(socket, message)
    assert world.refusals(socket) == [("unexpected", False)]
    assert count(world, BeingFetched) == 0


def test_a_lease_is_nobody_elses() -> None:
    world = crowd(10, live(100))
    world.wait(EVERY)
    stripe, those = next(iter(holders(world).items()))
    other = next(iter(world.open - set(those)))
    world.say(other, fetching(stripe))
    assert world.refusals(other) == [("unexpected", False)]
    assert count(world, BeingFetched) == 0


def test_who_lets_others_fetch_what_it_was_first_for_is_named_less_often() -> None:
    world = crowd(5, live(100))
    world.wait(EVERY)
    lazy = next(iter(holders(world).values()))[0]
    for stripe, those in holders(world).items():
        world.say(those[those[0] == lazy], fetching(stripe))
    missed = [those for those in holders(world).values() if those[0] == lazy]
    assert world.happened(LeaseMissed) == [LeaseMissed(world.ids[lazy])] * len(missed)
    before = set(holders(world))
    watch(world, 30.0, 100)
    firsts = Counter(those[0] for stripe, those in holders(world).items() if stripe not in before)
    assert firsts[lazy] < 0.02 * firsts.total()
    watch(world, 90.0, 115)
    later = Counter(those[0] for stripe, those in holders(world).items() if stripe[0] > 150)
    assert later[lazy] > 0.1 * later.total()


def test_a_stripe_is_missed_once_and_not_by_who_has_it_or_fetches_it() -> None:
    world = crowd(5, live(100))
    world.wait(EVERY)
    one, two, three = list(holders(world).items())[:3]
    for rank in (1, 2, 3):
        world.say(one[1][rank], fetching(one[0]))
    assert len(world.happened(LeaseMissed)) == 1
    world.say(two[1][0], fetching(two[0]))
    world.say(two[1][1], fetching(two[0]))
    world.say(three[1][0], Move(True, live(three[0][0])))
    world.say(three[1][1], fetching(three[0]))
    assert len(world.happened(LeaseMissed)) == 1


# Leaving


@pytest.mark.parametrize("how", ["leaves", "vanishes", "does not upload", "looks elsewhere"])
def test_when_the_first_goes_the_next_is_told_that_it_is_first(how: str) -> None:
    world = crowd(9, live(100))
    world.wait(EVERY)
    before = holders(world)
    stripe, those = next(iter(before.items()))
    told = {socket: len(world.heard[socket]) for socket in world.heard}
    changes: dict[str, ToTracker] = {
        "leaves": Leave(),
        "does not upload": Move(False, live(100)),
        "looks elsewhere": Move(True, live(100, of="w")),
    }
    if how in changes:
        world.say(those[0], changes[how])
    else:
        world.close(those[0])
    news = {
        (socket, (lease.sequence, lease.stripe)): lease.delay
        for socket in world.heard
        for message in world.heard[socket][told[socket] :]
        if isinstance(message, Leases)
        for lease in message.leases
    }
    assert news[those[1], stripe] == 0.0
    assert news[those[2], stripe] == DELAY
    assert (those[3], stripe) not in news, "it waits long enough as it is"
    for socket, moved in news:
        assert before[moved].index(those[0]) < before[moved].index(socket) <= FRONT


def test_a_place_that_is_free_is_filled() -> None:
    world = crowd(9, live(100))
    world.wait(EVERY)
    gone, *_ = world.open
    world.close(gone)
    world.wait(EVERY)
    for those in holders(world).values():
        assert len(set(those) - {gone}) == HOLDERS


def test_of_what_is_out_nothing_is_leased_again() -> None:
    world = crowd(5, live(100))
    world.wait(EVERY)
    stripe, those = next(iter(holders(world).items()))
    watch(world, 10.0, 100)
    told = {socket: len(world.heard[socket]) for socket in world.heard}
    world.close(those[0])
    world.wait(0.0)
    news = [
        lease.sequence
        for socket in world.heard
        for message in world.heard[socket][told[socket] :]
        if isinstance(message, Leases)
        for lease in message.leases
    ]
    assert news
    assert min(news) > stripe[0]


def test_a_seat_that_was_left_is_not_kept() -> None:
    world = crowd(5, live(100))
    world.wait(EVERY)
    stripe, those = next(iter(holders(world).items()))
    world.say(those[0], Move(False, live(100)), fetching(stripe))
    assert world.all(those[0], Refused)


# When


def test_a_swarm_that_changes_much_is_looked_at_soon() -> None:
    world = crowd(5, live(100))
    world.wait(10 * EVERY)
    looked = world.now
    for _ in range(2):
        world.join(position=live(107))
    assert world.swarms.timer_at() is not None
    world.wait(SOON)
    desk = next(iter(world.swarms._lessor._desks.values()))
    assert looked < desk.looked <= looked + SOON


def test_when_there_are_links_there_are_leases_soon() -> None:
    world = World()
    for _ in range(3):
        world.join(position=live(100))
    desk = next(iter(world.swarms._lessor._desks.values()))
    world.wait(SOON + EVERY)
    assert desk.due - world.now > SOON
    world.settle()
    world.wait(SOON)
    assert holders(world)


def test_a_large_one_is_not_for_one_more() -> None:
    world = crowd(60, live(100))
    world.wait(10 * EVERY)
    desk = next(iter(world.swarms._lessor._desks.values()))
    due = desk.due
    world.join(position=live(107))
    assert desk.due == due
    for _ in range(4):
        world.join(position=live(107))
    assert desk.due < due


def test_a_stream_that_pauses_is_not_leased_twice() -> None:
    world = crowd(4, live(100))
    for _ in range(20):
        world.wait(10.0)
        for socket in world.open:
            world.say(socket, Move(True, live(100)))
    told = Counter((socket, lease.sequence, lease.stripe) for socket, lease in leases(world))
    assert set(told.values()) == {1}


# Bounds


def test_leases_are_forgotten() -> None:
    world = crowd(5, live(100))
    watch(world, 600.0, 100)
    desk = next(iter(world.swarms._lessor._desks.values()))
    assert len(desk.parts) < (KEPT + 2 * 30.0) / DURATION
    held = {sequence for sequences in desk.held.values() for sequence in sequences}
    assert held == set(desk.parts)
    for socket in list(world.open):
        world.close(socket)
    assert not world.swarms._lessor._desks
    assert not world.swarms._lessor._desk_of
    assert world.swarms.timer_at() is None


def test_whatever_peers_claim_it_stays_small() -> None:
    world = crowd(4, live(100))
    for turn in range(100):
        for socket in world.open:
            world.say(socket, Move(True, live(1000 * turn, duration=1)))
        world.wait(EVERY)
    desk = next(iter(world.swarms._lessor._desks.values()))
    assert len(desk.parts) <= MOST_KEPT + MOST_AHEAD
    assert all(
        len(message.leases) <= 256
        for socket in world.heard
        for message in world.all(socket, Leases)
    )


def test_a_message_has_so_many_leases_and_what_is_more_follows() -> None:
    world = crowd(2, vod(0))
    for head in range(0, 200, 5):
        for socket in world.open:
            world.say(socket, Move(True, vod(head, 0)))
        world.wait(EVERY)
    first, second = sorted(world.open)
    before = len(world.all(second, Leases))
    world.close(first)
    *full, rest = [len(told.leases) for told in world.all(second, Leases)[before:]]
    assert full == [MOST_TOLD] * len(full)
    assert full
    assert 0 < rest <= MOST_TOLD


# Publication


def publish(world: World, *sequences: int, site: str = "pk_demo") -> set[int]:
    """Who is told."""
    world.publish(published(CONTENT, *sequences, site=site))
    told = [socket for socket in world.heard for _ in world.all(socket, Records)]
    assert len(told) == len(set(told)), "each once"
    return set(told)


def test_records_go_to_the_first_two_of_each_stripe() -> None:
    world = crowd(20, live(100))
    world.wait(EVERY)
    found = holders(world)
    front = {socket for part in range(STRIPES) for socket in found[101, part][:FRONT]}
    assert publish(world, 101) == front
    assert world.all(front.pop(), Records) == [published(CONTENT, 101).records]


def test_records_of_several_segments_go_once_to_all_who_are_to_fetch_one() -> None:
    world = crowd(20, live(100))
    world.wait(EVERY)
    found = holders(world)
    front = {
        socket for n in (101, 102) for part in range(STRIPES) for socket in found[n, part][:FRONT]
    }
    assert publish(world, 101, 102) == front


def test_records_that_nobody_waits_for_go_nowhere() -> None:
    world = crowd(5, live(100))
    assert publish(world, 101) == set()
    world.wait(EVERY)
    assert publish(world, 99) == set()
    assert publish(world, 101, site="pk_other") == set()


# Importers


def test_unless_it_is_switched_on_there_are_none() -> None:
    assert not Rules().importers
    world = World()
    for _ in range(4):
        world.join(operator="AS1", position=live(100))
    world.settle()
    world.wait(10.0)
    assert holders(world)
    assert not any(world.all(socket, Importers) for socket in world.heard)
    assert not [lease for _, lease in leases(world) if lease.imports]
    assert not world.swarms._lessor._networks


def test_who_only_imports_a_stripe_has_no_business_with_the_origin() -> None:
    world = World(Rules(importers=True))
    for number in range(24):
        world.join(operator=f"AS{number % 2}", position=live(100))
    world.settle()
    world.wait(10.0)
    found = holders(world)
    socket, stripe = next(
        (socket, (lease.sequence, lease.stripe))
        for socket, lease in leases(world)
        if lease.imports and socket not in found[lease.sequence, lease.stripe]
    )
    world.say(socket, fetching(stripe))
    assert world.refusals(socket) == [("unexpected", False)]
