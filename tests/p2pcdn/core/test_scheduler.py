"""The plan: whom it asks for what, when it waits, and what it never does."""

from __future__ import annotations

import random
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, replace
from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p2pcdn.core.availability import Held
from p2pcdn.core.bits import mask_of, numbers_in, run
from p2pcdn.core.http import Http
from p2pcdn.core.link import Need
from p2pcdn.core.scheduler import (
    FARTHER,
    IN_ALL,
    LATEST_TURN,
    LEAST_IN_ALL,
    LEISURE,
    LOOK_AGAIN,
    MARGIN,
    NEAR_FIRST,
    NEAR_LAST,
    OLD_PATIENCE,
    OLD_TURN,
    ORPHAN_LEAD,
    PROMPT,
    PROOF,
    REACH,
    SOON,
    SPREADS,
    STARVED_IN_ALL,
    STEP_IN,
    SURPLUS,
    TURN,
    UNDISTURBED,
    AskOrigin,
    AskPeer,
    LeaseView,
    Plan,
    SegmentView,
    View,
    latest_start,
    plan,
)
from p2pcdn.model import CHUNK_SIZE, SegmentKey, Span

KEY = SegmentKey("v", 7)
NOW = 0.0
HTTP = Http()
BITRATE = 100_000.0
FAST = SURPLUS * BITRATE
WINDOW = 4


def segment(chunks: int = 8, **others: object) -> SegmentView:
    """A segment that the player needs in 30 s, and of which everything is missing."""
    usual = SegmentView(
        key=KEY,
        demanded=True,
        deadline=NOW + 30.0,
        since=NOW,
        chunks=chunks,
        missing=run(0, chunks - 1),
        asked=0,
        missing_bytes=chunks * CHUNK_SIZE,
    )
    return replace(usual, **others)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Other:
    """A link that can be asked."""

    number: int
    in_flight: int
    window: int
    rate: float
    busy_until: float
    held: Held
    credible: bool = True
    received: int = 1
    rtt: float = 0.0

    def is_credible(self, now: float) -> bool:
        return self.credible


def link(number: int = 1, *held: int, **others: object) -> Other:
    """A link that can be asked; it holds these chunks of the segment, or all."""
    mask = mask_of(held) if held else run(0, 63)
    usual = Other(number, 0, WINDOW, rate=1e6, busy_until=0.0, held={KEY: mask})
    return replace(usual, **others)  # type: ignore[arg-type]


def view(*segments: SegmentView, links: tuple[Other, ...] = (), **others: object) -> View:
    """A player on demand in the middle of a film, with a tracker that gives leases, and peers that
    have shown that they are fast."""
    usual = View(
        starting=False,
        live=False,
        buffer=20.0,
        target=30.0,
        floor=0.0,
        patience=0.5,
        guided=bool(links),
        hopeful_until=NOW,
        bitrate=BITRATE,
        goodput=FAST,
        asking_since=inf,
        http=HTTP,
        segments=segments,
        links=links,
    )
    return replace(usual, **others)  # type: ignore[arg-type]


def decide(given: View, now: float = NOW) -> Plan:
    """The plan for a view, which stays as it is."""
    return plan(deepcopy(given), now)


def of_origin(decision: Plan) -> set[int]:
    """The chunks that are asked of the origin."""
    return {n for a in decision.asks if isinstance(a, AskOrigin) for n in a.chunks.numbers()}


def of_peers(decision: Plan) -> list[tuple[int, int]]:
    """The links that are asked, and for which chunks."""
    return [(a.link, a.chunk) for a in decision.asks if isinstance(a, AskPeer)]


def test_nothing_to_do() -> None:
    assert decide(view()) == Plan((), None)


# START and URGENT: the origin, at once


@pytest.mark.parametrize("live", [False, True])
def test_before_anything_was_played_the_origin_is_asked_for_everything(live: bool) -> None:
    wanted = segment(missing=0b11, asked=0b1000)
    decision = decide(view(wanted, links=(link(),), starting=True, live=live))
    assert decision == Plan(
        (AskOrigin(KEY, Span(0, 1), "start"), AskOrigin(KEY, Span(3, 3), "start")), None
    )


def test_before_anything_was_played_nothing_else_takes_a_share_of_the_line() -> None:
    leased = ahead(key=SegmentKey("v", 8), leases=(LeaseView(0b1, NOW),))
    other = link(1, held={KEY: 0b1, leased.key: 0b10})
    given = view(segment(1), leased, links=(other,), starting=True)
    assert decide(given).asks == (AskOrigin(KEY, Span(0, 0), "start"),)


def test_while_the_origin_rescues_a_segment_nothing_else_takes_a_share_of_the_line() -> None:
    late = segment(1, deadline=NOW + 0.1)
    behind = segment(key=SegmentKey("v", 8))
    given = view(late, behind, links=(link(held={behind.key: 0b1}),))
    assert decide(given).asks == (AskOrigin(KEY, Span(0, 0), "latest"),)


def test_links_are_asked_for_what_the_origin_is_late_with() -> None:
    hangs = segment(4, deadline=NOW + 0.1, missing=0, late=0b0110, fetching=True)
    behind = segment(key=SegmentKey("v", 8))
    given = view(hangs, behind, links=(link(held={KEY: 0b1100, behind.key: 0b1}),))
    hung, other = decide(given).asks
    assert hung == AskPeer(1, KEY, 2, Need.SOON)
    assert isinstance(other, AskPeer)
    assert other.key == behind.key
    later = replace(hangs, deadline=NOW + 30.0)
    assert decide(view(later, links=(link(1, 2, 3),))).asks == (AskPeer(1, KEY, 2),)


def test_what_is_for_later_leaves_the_line_to_what_the_origin_brings_in_haste() -> None:
    soon = NOW + HTTP.takes(4 * CHUNK_SIZE) + SOON / 2
    comes = segment(4, deadline=soon, missing=0, fetching=True, comes_until=NOW + 0.5)
    behind = segment(key=SegmentKey("v", 8), demanded=False)
    given = view(comes, behind, links=(link(held={behind.key: 0b1}),))
    assert decide(given) == Plan((), NOW + 0.5)
    later = AskPeer(1, behind.key, 0)
    silent = replace(comes, comes_until=NOW)
    in_time = replace(comes, deadline=soon + SOON)
    ahead_of_it = replace(comes, demanded=False)
    for other in (silent, in_time, ahead_of_it):
        assert decide(replace(given, segments=(other, behind))).asks == (later,)
    assert decide(replace(given, live=True)).asks == (later,)


def test_of_what_the_origin_brings_in_haste_peers_bring_the_rest() -> None:
    soon = NOW + HTTP.takes(4 * CHUNK_SIZE) + SOON / 2
    joined = segment(4, deadline=soon, missing=0b1000, fetching=True, comes_until=NOW + 0.5)
    assert decide(view(joined, links=(link(),))).asks == (AskPeer(1, KEY, 3, Need.SOON),)


def test_below_the_floor_the_origin_is_asked_for_everything() -> None:
    low = view(segment(), links=(link(),), buffer=3.9, floor=4.0)
    assert decide(low).asks == (AskOrigin(KEY, Span(0, 7), "floor"),)
    assert of_origin(decide(replace(low, buffer=4.0))) == set()


def test_live_has_little_in_the_buffer_by_nature() -> None:
    low = view(segment(), links=(link(),), buffer=0.5, floor=4.0, live=True)
    assert of_origin(decide(low)) == set()


@pytest.mark.parametrize("live", [False, True])
def test_at_the_latest_start_the_origin_is_asked_for_everything(live: bool) -> None:
    wanted = segment(missing=0b11, asked=0b100, since=NOW)
    at = latest_start(wanted, HTTP)
    assert at == pytest.approx(30.0 - HTTP.takes(8 * CHUNK_SIZE))
    given = view(wanted, links=(link(),), live=live, patience=1.0)
    assert of_origin(decide(given, at - 0.01)) == set()
    assert decide(given, at - 0.01).wake_at == pytest.approx(at)
    assert of_origin(decide(given, at)) == {0, 1, 2}


def test_an_origin_that_failed_is_left_alone_even_in_need() -> None:
    need = view(segment(2, origin_after=NOW + 0.5), links=(link(),), buffer=3.0, floor=4.0)
    assert decide(need).wake_at == NOW + 0.5
    assert sorted(of_peers(decide(need))) == [(1, 0), (1, 1)]
    assert of_origin(decide(need, NOW + 0.5)) == {0, 1}


def test_it_is_a_rescue_if_peers_had_their_chance() -> None:
    late = segment(asked=0b1, missing=0, deadline=NOW + 0.1)
    tried = view(late, links=(link(),), asking_since=NOW - PROOF)
    assert decide(tried).asks == (AskOrigin(KEY, Span(0, 0), "latest", rescue=True),)
    just_asked = replace(tried, asking_since=NOW - PROOF / 2)
    assert decide(just_asked).asks == (AskOrigin(KEY, Span(0, 0), "latest"),)
    start = replace(tried, starting=True)
    assert decide(start).asks == (AskOrigin(KEY, Span(0, 0), "start"),)


# FILLING: peers, while they prove themselves


def test_peers_that_are_too_slow_are_joined_for_the_first_half() -> None:
    wanted = segment(missing=0b1111_0000, asked=0b0000_0110, deadline=NOW + 5)
    slow = view(wanted, links=(link(),), goodput=FAST - 1, asking_since=NOW - PROOF, buffer=3.0)
    decision = decide(slow)
    assert of_origin(decision) == {1, 2, 4}
    assert {chunk for _, chunk in of_peers(decision)} <= {5, 6, 7}


def test_with_a_fair_part_of_the_buffer_full_it_is_enough_that_it_does_not_shrink() -> None:
    wanted = segment(missing=0b1111_0000, asked=0b0000_0110, deadline=NOW + 5)
    given = view(wanted, links=(link(),), goodput=FAST / 2, asking_since=NOW - PROOF, buffer=10.0)
    assert of_origin(decide(given)) == set()
    assert of_origin(decide(replace(given, goodput=FAST / 2 - 1))) == {1, 2, 4}


def test_what_slow_ones_bring_before_its_latest_start_is_left_to_them() -> None:
    wanted = segment(missing=0b1111_0000, asked=0b0000_0110, deadline=NOW + 30)
    slack = latest_start(wanted, HTTP) - NOW
    asking = view(wanted, links=(link(),), asking_since=NOW - PROOF, buffer=3.0)
    for comes, joined in ((6, set()), (5, {1}), (4, {1, 2}), (2, {1, 2, 4}), (0, {1, 2, 4})):
        goodput = (comes + 0.5) * CHUNK_SIZE * SURPLUS / slack
        assert of_origin(decide(replace(asking, goodput=goodput))) == joined
    enough = decide(replace(asking, goodput=6.5 * CHUNK_SIZE * SURPLUS / slack))
    assert enough.wake_at == NOW + LOOK_AGAIN


def test_they_have_a_second_to_show_what_they_can_do() -> None:
    wanted = segment(asked=0b1, missing=0)
    slow = view(wanted, links=(link(),), goodput=0.0, asking_since=NOW)
    assert decide(slow) == Plan((), NOW + PROOF)
    assert of_origin(decide(slow, NOW + PROOF)) == {0}


def test_fast_ones_are_looked_at_again() -> None:
    given = view(segment(asked=1, missing=0), links=(link(),), asking_since=NOW - PROOF)
    assert decide(given) == Plan((), NOW + LOOK_AGAIN)


def test_the_origin_joins_once_at_a_time() -> None:
    wanted = segment(asked=0b10, missing=0, fetching=True)
    slow = view(wanted, links=(link(),), goodput=0.0, asking_since=NOW - PROOF)
    assert decide(slow).asks == ()


def test_an_origin_that_failed_does_not_join_before_its_pause_is_over() -> None:
    wanted = segment(1, asked=1, missing=0, origin_after=NOW + 0.5)
    slow = view(wanted, links=(link(),), goodput=0.0, asking_since=NOW - PROOF)
    assert decide(slow) == Plan((), NOW + 0.5)
    assert of_origin(decide(slow, NOW + 0.5)) == {0}


def test_what_the_origin_has_joined_for_is_no_rescue() -> None:
    late = segment(asked=0b1, missing=0, deadline=NOW + 0.1, helped=True)
    tried = view(late, links=(link(),), asking_since=NOW - PROOF)
    assert decide(tried).asks == (AskOrigin(KEY, Span(0, 0), "latest"),)
    slow = view(segment(2), links=(link(),), goodput=0.0, asking_since=NOW - PROOF)
    assert AskOrigin(KEY, Span(0, 0), "joins") in decide(slow).asks


# LIVE: patience


def live(*segments: SegmentView, **others: object) -> View:
    return view(*segments, links=(link(),), live=True, **{"goodput": 0.0, **others})


def test_a_live_segment_is_left_to_peers_for_a_share_of_its_time() -> None:
    wanted = segment(missing=0, asked=0b11)
    at = latest_start(wanted, HTTP)
    given = live(wanted, patience=0.25)
    assert decide(given).wake_at == pytest.approx(at / 4)
    assert decide(given, at / 4 - 0.01).asks == ()
    assert of_origin(decide(given, at / 4 + 0.01)) == {0, 1}


def test_without_patience_it_is_left_to_nobody() -> None:
    assert of_origin(decide(live(segment(), patience=0.0))) == set(range(8))


def test_patience_begins_when_the_segment_came_out() -> None:
    wanted = segment(missing=0, asked=0b11, since=NOW - 5.0)
    at = latest_start(wanted, HTTP)
    assert decide(live(wanted)).wake_at == pytest.approx((at - 5.0) / 2)


def test_what_flows_fast_enough_is_waited_for_and_else_the_origin_makes_up_for_it() -> None:
    wanted = segment(missing=0, asked=0b1111_1111)
    at = latest_start(wanted, HTTP)
    over = at / 2 + 0.1
    enough = MARGIN * wanted.missing_bytes / (at - over)
    assert decide(live(wanted, goodput=enough * 1.01), over) == Plan((), over + LOOK_AGAIN)
    a_chunk_less = live(wanted, goodput=enough * 0.99)
    assert decide(a_chunk_less, over) == Plan(
        (AskOrigin(KEY, Span(0, 0), "patience"),), over + LOOK_AGAIN
    )
    assert of_origin(decide(live(wanted, goodput=enough * 0.51), over)) == {0, 1, 2, 3}
    assert of_origin(decide(live(wanted, goodput=0.0), over)) == set(range(8))


def test_the_origin_makes_up_for_what_nobody_holds_before_what_was_asked_for() -> None:
    wanted = segment(missing=0b1111_0000, asked=0b0000_1111)
    at = latest_start(wanted, HTTP)
    over = at / 2 + 0.1
    given = view(wanted, links=(link(1, 4, 5),), live=True)
    for short, chunks in ((2, {6, 7}), (4, {4, 5, 6, 7}), (5, {0, 4, 5, 6, 7})):
        goodput = MARGIN * (8.5 - short) * CHUNK_SIZE / (at - over)
        assert of_origin(decide(replace(given, goodput=goodput), over)) == chunks


def test_it_flows_only_until_the_latest_start() -> None:
    wanted = segment(missing=0, asked=0b1)
    assert of_origin(decide(live(wanted, goodput=1e12), latest_start(wanted, HTTP))) == {0}


def test_live_what_was_out_before_we_came_is_left_to_peers_for_a_moment_only() -> None:
    wanted = segment(missing=0, asked=0b11, old=True)
    assert decide(live(wanted, patience=1.0)) == Plan((), NOW + OLD_PATIENCE)
    assert of_origin(decide(live(wanted, patience=1.0), NOW + OLD_PATIENCE)) == {0, 1}
    orphan = segment(2, rank=2, old=True)
    given = view(orphan, links=(link(1, 0),), live=True, patience=1.0)
    at = NOW + 2 * TURN * OLD_TURN
    assert decide(given).wake_at == pytest.approx(at)
    assert of_origin(decide(given, at + 0.001)) == {1}


# What nobody holds


def test_an_orphan_is_fetched_shortly_before_its_latest_start_in_turn() -> None:
    orphan = segment(2, rank=2)
    given = view(orphan, links=(link(1, 0),))
    at = latest_start(orphan, HTTP) - ORPHAN_LEAD + 2 * TURN
    assert decide(given) == Plan((AskPeer(1, KEY, 0),), at)
    assert of_origin(decide(given, at + 0.001)) == {1}


def test_where_no_tracker_gives_leases_orphans_are_fetched_from_the_beginning() -> None:
    given = view(segment(2, rank=2), links=(link(1, 0),), guided=False)
    assert decide(given).wake_at == NOW + 2 * TURN
    assert of_origin(decide(given, NOW + 2 * TURN)) == {1}


def test_nobody_waits_longer_than_the_last_rank() -> None:
    given = view(segment(rank=1000), links=(link(1, 9),), guided=False)
    assert decide(given).wake_at == NOW + LATEST_TURN * TURN


def test_who_loads_it_is_waited_for_but_not_beyond_the_latest_start() -> None:
    orphan = segment(2, loading=0b01, loading_until=NOW + 6.0)
    given = view(orphan, links=(link(1, 9),), guided=False)
    assert of_origin(decide(given)) == {1}
    all_loaded = replace(orphan, loading=0b11)
    assert decide(replace(given, segments=[all_loaded])) == Plan((), NOW + 6.0)
    late = replace(all_loaded, deadline=NOW + 4.0)
    assert decide(replace(given, segments=[late])).wake_at == latest_start(late, HTTP) < NOW + 6.0


def test_who_is_busy_holds_it_all_the_same() -> None:
    given = view(segment(2), links=(link(busy_until=NOW + 0.5),), guided=False)
    assert decide(given) == Plan((), NOW + 0.5)


def test_a_first_link_is_waited_for_as_long_as_there_is_hope() -> None:
    hopeful = view(segment(2), hopeful_until=NOW + 2.0)
    assert decide(hopeful) == Plan((), NOW + 2.0)
    assert of_origin(decide(hopeful, NOW + 2.0)) == {0, 1}


def test_alone_there_is_no_waiting() -> None:
    assert of_origin(decide(view(segment(2)))) == {0, 1}


# At leisure: a peer without a screen


def at_leisure(**others: object) -> SegmentView:
    return segment(**{"deadline": inf, **others})  # type: ignore[arg-type]


def test_where_nobody_watches_nothing_is_urgent() -> None:
    for others in ({"buffer": 0.0, "floor": 4.0}, {"live": True}):
        given = view(at_leisure(), links=(link(1, 1),), patience=0.0, **others)
        assert of_origin(decide(given)) == set()
        assert of_peers(decide(given)) == [(1, 1)]


def test_where_nobody_watches_slow_peers_will_do() -> None:
    wanted = at_leisure(missing=0, asked=0b1)
    slow = view(wanted, links=(link(),), goodput=0.0, asking_since=NOW - PROOF)
    assert decide(slow) == Plan((), None)


def test_where_nobody_watches_spare_upload_will_do() -> None:
    (ask,) = decide(view(at_leisure(), links=(link(1, 1),))).asks
    assert ask == AskPeer(1, KEY, 1, Need.SPARE)


@pytest.mark.parametrize(("guided", "wait"), [(True, LEISURE), (False, 0.0)])
def test_where_nobody_watches_orphans_are_fetched_in_turn_all_the_same(
    guided: bool, wait: float
) -> None:
    given = view(at_leisure(chunks=2, missing=0b11, rank=1), links=(link(1, 9),), guided=guided)
    assert decide(given) == Plan((), NOW + wait + TURN)
    assert of_origin(decide(given, NOW + wait + TURN)) == {0, 1}


# What lies ahead, and leases


def ahead(**others: object) -> SegmentView:
    return segment(**{"demanded": False, **others})  # type: ignore[arg-type]


def test_what_lies_ahead_is_asked_of_peers_alone() -> None:
    for others in ({"buffer": 0.0, "floor": 4.0}, {"live": True}, {}):
        decision = decide(view(ahead(), links=(link(1, 1),), **others), NOW + 1000)
        assert of_origin(decision) == set()
        assert of_peers(decision) == [(1, 1)]


def test_what_the_plain_player_would_not_ask_for_yet_is_worth_spare_upload_only() -> None:
    near, far = ahead(deadline=NOW + 30.0), ahead(deadline=NOW + 30.1)
    for wanted, need in ((near, Need.USUAL), (far, Need.SPARE)):
        (ask,) = decide(view(wanted, links=(link(1, 1),))).asks
        assert ask == AskPeer(1, KEY, 1, need)
    (ask,) = decide(view(far, links=(link(1, 1),), live=True)).asks
    assert ask == AskPeer(1, KEY, 1)


@pytest.mark.parametrize("demanded", [False, True])
def test_a_lease_is_acted_upon_when_it_is_due(demanded: bool) -> None:
    leased = segment(demanded=demanded, leases=(LeaseView(0b0011, NOW + 0.4),))
    given = view(leased, links=(link(1, 9),))
    assert decide(given) == Plan((), NOW + 0.4)
    assert decide(given, NOW + 0.4).asks == (AskOrigin(KEY, Span(0, 1), "lease"),)


def test_a_lease_is_not_used_for_what_a_neighbour_holds_or_loads() -> None:
    leased = ahead(
        leases=(LeaseView(0b1111, NOW),), loading=0b0100, loading_until=NOW + 1.0, chunks=4
    )
    given = view(leased, links=(link(1, 0, 1),))
    assert of_origin(decide(given)) == {3}
    assert of_origin(decide(given, NOW + 1.0)) == {2, 3}


def test_a_holder_that_has_begun_is_doubted_before_it_is_everybodys_turn() -> None:
    leased = ahead(chunks=4, missing=0b1111, missing_bytes=4 * CHUNK_SIZE)
    everybodys = latest_start(leased, HTTP) - ORPHAN_LEAD
    for delay in (0.4, 0.8, STEP_IN, STEP_IN + 1):
        lease = LeaseView(0b1, NOW + 100.0, begun=True, delay=delay)
        given = view(replace(leased, leases=(lease,)), links=(link(1, 9),))
        at = everybodys + min(delay - STEP_IN, 0.0)
        assert decide(given).wake_at == pytest.approx(at)
        assert of_origin(decide(given, at + 0.001)) == {0}


@pytest.mark.parametrize(("live", "fetched"), [(False, [7, 8]), (True, [7, 8, 9])])
def test_of_a_recording_not_all_that_is_leased_is_fetched_at_once(
    live: bool, fetched: list[int]
) -> None:
    keys = [SegmentKey("v", number) for number in (7, 8, 9)]
    leases = (LeaseView(0b0011, NOW),)
    leased = [ahead(key=key, leases=leases) for key in keys]
    given = view(*leased, links=(link(1, 9),), live=live)
    asks = [ask for ask in decide(given).asks if isinstance(ask, AskOrigin)]
    assert [ask.key.sequence for ask in asks] == fetched
    busy = [ahead(key=key, leases=leases, fetching=key != keys[1]) for key in keys]
    given = view(*busy, links=(link(1, 9),), live=live)
    asks = [ask for ask in decide(given).asks if isinstance(ask, AskOrigin)]
    assert [ask.key.sequence for ask in asks] == ([7, 8, 9] if live else [7, 9])


def test_stripes_that_touch_are_one_request() -> None:
    leased = ahead(leases=(LeaseView(0b0011, NOW), LeaseView(0b1100, NOW)))
    decision = decide(view(leased, links=(link(1, 9),)))
    assert decision.asks == (AskOrigin(KEY, Span(0, 3), "lease"),)


def test_a_lease_waits_for_an_origin_that_failed() -> None:
    leased = ahead(leases=(LeaseView(0b1, NOW),), origin_after=NOW + 0.5)
    assert decide(view(leased, links=(link(1, 9),))) == Plan((), NOW + 0.5)


# Peers


def test_who_will_have_sent_it_the_soonest_is_asked() -> None:
    slow, fast = link(1, rate=1e5), link(2, rate=3e5)
    asked = Counter(number for number, _ in of_peers(decide(view(segment(), links=(slow, fast)))))
    assert asked == {1: 1, 2: 4}


def test_who_rests_is_asked_when_he_has_rested() -> None:
    given = view(segment(1), links=(link(busy_until=NOW + 0.3),))
    assert of_peers(decide(given)) == []
    assert decide(given).wake_at == NOW + 0.3
    assert of_peers(decide(given, NOW + 0.3)) == [(1, 0)]


def test_what_has_been_asked_for_is_not_asked_again() -> None:
    assert decide(view(segment(asked=0b11, missing=0), links=(link(),))).asks == ()


def test_what_is_due_soon_comes_before_what_is_rare() -> None:
    behind = SegmentKey("v", 8)
    soon = segment(2, deadline=NOW + HTTP.takes(2 * CHUNK_SIZE) + SOON / 2)
    both = link(held={KEY: 0b11, behind: 0b11}), link(2, held={KEY: 0b11, behind: 0b01})
    given = view(soon, segment(2, key=behind, deadline=NOW + REACH), links=both)
    asks = [ask for ask in decide(given).asks if isinstance(ask, AskPeer)]
    assert [(ask.key, ask.need) for ask in asks[:2]] == [(KEY, Need.SOON)] * 2
    assert [(ask.key, ask.chunk) for ask in asks[2:]] == [(behind, 1), (behind, 0)]


NEXT, LAST = SegmentKey("v", 8), SegmentKey("v", 9)


EVERYBODYS = {KEY: run(0, 7), NEXT: 0b1}
CROWD = (
    link(held=EVERYBODYS),
    link(2, held=EVERYBODYS | {NEXT: 0b111111, LAST: 0b1}, window=9),
    link(3, held=EVERYBODYS),
)


def crowd(first: float, **others: object) -> View:
    """A live viewer who has to ask the origin in so many seconds for eight chunks that all three
    neighbours hold; of the next two segments a single one holds something."""
    due = segment(deadline=NOW + HTTP.takes(8 * CHUNK_SIZE) + first)
    behind = [segment(key=key, demanded=False, deadline=60.0) for key in (NEXT, LAST)]
    given = view(due, *behind, links=CROWD, live=True, patience=1.0, goodput=8 * CHUNK_SIZE)
    return replace(given, **others)  # type: ignore[arg-type]


def of_whom(given: View) -> list[tuple[int, Need]]:
    """The segments that peers are asked for, and how much each matters."""
    asks = [ask for ask in decide(given).asks if isinstance(ask, AskPeer)]
    return [(ask.key.sequence, ask.need) for ask in asks]


def test_what_is_to_be_spread_comes_before_what_is_due_soon() -> None:
    spread = [(9, Need.SOON), (8, Need.SOON), (8, Need.SOON), (8, Need.SOON)]
    assert of_whom(crowd(1.0)) == spread + [(7, Need.SOON)] * 4, "no more than four"
    at_ease = of_whom(crowd(SOON + 0.1))
    assert at_ease[: len(spread) + 2] == [*spread, (8, Need.SOON), (8, Need.SOON)]


@pytest.mark.parametrize(
    "why",
    [
        {"live": False},
        {"sheltered": True},
        {"uplink": SPREADS * BITRATE - 1},
        {"links": CROWD[1:]},
        {"segments": crowd(UNDISTURBED - 0.01).segments},
    ],
)
def test_what_is_due_soon_comes_first_all_the_same(why: dict[str, object]) -> None:
    assert of_whom(crowd(1.0, uplink=SPREADS * BITRATE))[0] == (9, Need.SOON)
    assert of_whom(crowd(1.0, **why))[0] == (7, Need.SOON)


def test_what_was_out_before_we_came_need_not_be_spread() -> None:
    due, *behind = crowd(1.0).segments
    old = [replace(other, old=True) for other in behind]
    assert of_whom(crowd(1.0, segments=(due, *old)))[0] == (7, Need.SOON)


def test_what_is_rare_comes_first() -> None:
    given = view(segment(), links=(link(), link(2, 0, 1, 2, 3, 5, 7)), salt=0)
    assert [chunk for _, chunk in of_peers(decide(given))][:2] == [4, 6]


def test_any_chunk_of_a_run_is_as_likely_to_be_asked_for_first() -> None:
    run_ = link(1, 20, 21, 22, 23, window=1)
    firsts = Counter(
        chunk
        for salt in range(80)
        for _, chunk in of_peers(decide(view(segment(32), links=(run_,), salt=salt)))
    )
    assert firsts == {20: 20, 21: 20, 22: 20, 23: 20}


def test_no_link_has_more_open_than_it_has_earned() -> None:
    given = view(segment(), links=(link(window=2), link(2, window=1, in_flight=1)))
    assert of_peers(decide(given)) == [(1, 0), (1, 1)]


def test_work_is_shared_among_those_who_are_fast_enough() -> None:
    fast, faster = link(1, received=5 * CHUNK_SIZE), link(2, rate=9e6, received=7 * CHUNK_SIZE)
    slow = link(3, rate=CHUNK_SIZE / PROMPT / 2, received=0)
    asked = [number for number, _ in of_peers(decide(view(segment(), links=(fast, faster, slow))))]
    assert asked == [1, 1, 1, 2, 1], "until both have brought as much"


def test_what_is_asked_of_those_who_may_lie_takes_nobody_elses_place() -> None:
    silent = tuple(link(number, in_flight=WINDOW, received=0) for number in (1, 2))
    proven = link(3, in_flight=WINDOW)
    wanted = segment(32)
    assert decide(view(wanted, links=(proven, link(4)), goodput=0.0)).asks == ()
    given = view(wanted, links=(*silent, link(4)), goodput=0.0)
    assert len(decide(given).asks) == LEAST_IN_ALL
    doubted = tuple(replace(other, received=1, credible=False) for other in silent)
    assert len(decide(replace(given, links=(*doubted, link(4)))).asks) == LEAST_IN_ALL


NEAR = link(1, 0, 1, rtt=0.01)
FAR = link(2, 0, 1, 2, 3, rtt=0.01 + FARTHER + 0.001)


def asked(decision: Plan) -> dict[int, list[int]]:
    """The chunks that each link is asked for."""
    found: dict[int, list[int]] = {}
    for ask in decision.asks:
        assert isinstance(ask, AskPeer)
        found.setdefault(ask.link, []).append(ask.chunk)
    return {number: sorted(chunks) for number, chunks in found.items()}


def sheltered(**others: object) -> View:
    """Somebody in a network for which importers are named, who watches live."""
    wanted = segment(4, **{"rank": 1, **others})
    return view(wanted, links=(NEAR, FAR), live=True, patience=1.0, sheltered=True)


def test_near_links_are_given_time_to_bring_what_far_ones_hold() -> None:
    at = NEAR_FIRST + TURN
    given = sheltered()
    assert asked(decide(given)) == {1: [0, 1]}
    assert decide(given).wake_at == pytest.approx(at)
    assert asked(decide(given, at)) == {1: [0, 1], 2: [2, 3]}
    assert asked(decide(replace(given, sheltered=False))) == asked(decide(given, at))
    nearer = replace(FAR, rtt=0.01 + FARTHER)
    assert asked(decide(replace(given, links=(NEAR, nearer))))[2] == [2, 3]
    unknown = replace(FAR, rtt=0.0)
    assert asked(decide(replace(given, links=(NEAR, unknown))))[2] == [2, 3]


def test_who_imports_a_stripe_asks_far_links_for_it_at_once() -> None:
    leases = [LeaseView(0b100, NOW, imports=True), LeaseView(0b1000, NOW + 1.2, imports=True)]
    given = sheltered(leases=leases)
    assert asked(decide(given)) == {1: [0, 1], 2: [2]}
    assert decide(given).wake_at == pytest.approx(1.2)
    assert asked(decide(given, NOW + 1.2)) == {1: [0, 1], 2: [2, 3]}
    assert asked(decide(sheltered(leases=[LeaseView(0b100, NOW)]))) == {1: [0, 1]}


def test_who_only_imports_a_stripe_does_not_ask_the_origin_for_it() -> None:
    lease = LeaseView(1, NOW)
    wanted = segment(4, missing=1, leases=[lease])
    given = view(wanted, links=(replace(NEAR, held={}),), live=True)
    assert of_origin(decide(given)) == {0}
    wanted.leases = [replace(lease, imports=True)]
    wanted.missing = 1
    assert not decide(replace(given, sheltered=True)).asks


@pytest.mark.parametrize("near", [link(1, 0, 1, rtt=0.01), link(1, 2, 3, rtt=0.01)])
def test_what_a_near_link_that_is_busy_holds_is_waited_for_a_while_longer(near: Other) -> None:
    away = replace(near, busy_until=100.0)
    held = next(iter(near.held.values()))
    lacked = [chunk for chunk in range(4) if not held >> chunk & 1]
    mine = [LeaseView(0b1111, NOW, imports=True)]
    given = replace(sheltered(leases=mine), links=(away, FAR))
    assert asked(decide(given)) == {2: lacked}, "it is in the network"
    given = replace(sheltered(), links=(away, FAR))
    assert asked(decide(given)) == {}
    ahead = replace(given, segments=(segment(4, demanded=False, rank=1),), live=False)
    at = NEAR_FIRST + TURN
    for waits in (given, ahead):
        assert asked(decide(waits, at)) == {2: lacked}
        assert decide(waits, at).wake_at == pytest.approx(at + NEAR_LAST)
        assert asked(decide(waits, at + NEAR_LAST)) == {2: [0, 1, 2, 3]}


def test_what_is_to_be_imported_is_asked_for_as_such_of_whoever_holds_it() -> None:
    mine = [LeaseView(0b0101, NOW, imports=True)]
    asks = decide(sheltered(leases=mine)).asks
    needs = {ask.chunk: ask.need for ask in asks if isinstance(ask, AskPeer)}
    assert needs == {0: Need.IMPORTS, 1: Need.USUAL, 2: Need.IMPORTS}


def test_far_links_are_waited_for_no_longer_than_the_latest_turn() -> None:
    given = sheltered(rank=30)
    at = NEAR_FIRST + LATEST_TURN * TURN
    assert decide(given).wake_at == pytest.approx(at)
    assert asked(decide(given, at)) == {1: [0, 1], 2: [2, 3]}


def test_far_links_are_asked_when_time_runs_short() -> None:
    http = latest_start(segment(4), HTTP) - segment(4).deadline
    soon = sheltered(deadline=SOON + 1.0 - http)
    assert asked(decide(soon)) == {1: [0, 1]}
    assert decide(soon).wake_at == pytest.approx(1.0)
    assert asked(decide(soon, 1.0)) == {1: [0, 1], 2: [2, 3]}


def test_what_a_player_waits_for_of_a_recording_is_asked_of_anybody() -> None:
    given = replace(sheltered(), live=False)
    assert asked(decide(given)) == {1: [0, 1], 2: [2, 3]}
    ahead = replace(given, segments=(segment(4, demanded=False),))
    assert asked(decide(ahead)) == {1: [0, 1]}


def test_of_those_who_are_fast_enough_the_near_ones_are_asked_first() -> None:
    few = link(1, 0, rtt=0.01, received=10**9)
    given = replace(sheltered(missing=1), links=(few, FAR))
    assert asked(decide(given, NEAR_FIRST + TURN)) == {1: [0]}
    blind = replace(given, sheltered=False)
    assert asked(decide(blind, NEAR_FIRST + TURN)) == {2: [0]}


def test_what_is_played_next_has_to_be_there_before_more_is_asked_for() -> None:
    beyond = segment(2, key=SegmentKey("v", 9), demanded=False, deadline=NOW + REACH + 1.0)
    holder = link(held={KEY: 0b1, beyond.key: 0b11})

    def asked(nearest: SegmentView, live: bool = False) -> set[SegmentKey]:
        given = view(nearest, beyond, links=(holder,), live=live)
        return {ask.key for ask in decide(given).asks if isinstance(ask, AskPeer)}

    near = segment(1, deadline=NOW + REACH)
    assert asked(near) == {KEY}
    assert asked(replace(near, missing=0, asked=0b1)) == set()  # it is on its way
    assert asked(replace(near, missing=0, missing_bytes=0)) == {beyond.key}
    assert asked(replace(near, deadline=NOW + REACH + 0.1)) == {KEY, beyond.key}
    assert asked(near, live=True) == {KEY, beyond.key}
    # What no neighbour can bring holds nothing up, unless it is about to be there.
    nowhere = replace(near, missing=0b10, chunks=2)
    assert asked(nowhere) == {beyond.key}
    assert asked(replace(nowhere, loading=0b10, loading_until=NOW + 1.0)) == set()
    assert asked(replace(nowhere, loading=0b10, loading_until=NOW)) == {beyond.key}
    liar = link(2, held={KEY: 0b10}, credible=False)
    given = view(nowhere, beyond, links=(holder, liar))
    assert (1, 0) in of_peers(decide(given))


def test_of_a_recording_what_is_due_soon_is_so_before_the_player_asks_for_it() -> None:
    ahead = segment(1, demanded=False, deadline=NOW + HTTP.takes(CHUNK_SIZE) + SOON)
    [ask] = decide(view(ahead, links=(link(),))).asks
    assert isinstance(ask, AskPeer)
    assert ask.need is Need.SOON
    [ask] = decide(view(ahead, links=(link(),), live=True)).asks
    assert isinstance(ask, AskPeer)
    assert ask.need is Need.USUAL


def test_earlier_segments_come_first() -> None:
    second = segment(key=SegmentKey("v", 8))
    both = link(in_flight=WINDOW - 1, held={KEY: 1, second.key: 1})
    assert decide(view(segment(), second, links=(both,))).asks == (AskPeer(1, KEY, 0),)


def test_who_has_no_time_asks_for_little_that_is_not_due_soon() -> None:
    links = tuple(link(number, window=4) for number in range(1, 9))
    starved = view(segment(), links=links, starved_until=NOW + 1.0)
    decision = decide(starved)
    assert len(decision.asks) == STARVED_IN_ALL
    assert decision.wake_at == NOW + 1.0
    assert len(decide(replace(starved, live=True)).asks) > STARVED_IN_ALL
    assert len(decide(starved, NOW + 1.0).asks) > STARVED_IN_ALL
    one_open = (replace(links[0], in_flight=1), *links[1:])
    assert len(decide(replace(starved, links=one_open)).asks) == STARVED_IN_ALL - 1
    due_soon = segment(deadline=NOW + HTTP.takes(8 * CHUNK_SIZE) + SOON - 0.1)
    assert len(decide(replace(starved, segments=(due_soon,))).asks) > STARVED_IN_ALL


def test_who_has_no_time_calls_no_peer_slow() -> None:
    slow = view(segment(), links=(link(),), goodput=0.0, asking_since=NOW - PROOF)
    assert of_origin(decide(slow))
    assert not of_origin(decide(replace(slow, starved_until=NOW + 1.0)))
    late = segment(asked=0b1, missing=0, deadline=NOW + 0.1)
    due = replace(slow, segments=(late,))
    for starved_until, rescue in ((0.0, True), (NOW + 1.0, False)):
        [ask] = decide(replace(due, starved_until=starved_until)).asks
        assert ask == AskOrigin(KEY, Span(0, 0), "latest", rescue)


def test_wants_in_flight_grow_with_what_peers_bring() -> None:
    links = tuple(link(number) for number in range(1, 9))
    few = view(segment(32), links=links, goodput=0.0)
    assert len(decide(few).asks) == LEAST_IN_ALL
    more = replace(few, goodput=8.0 * CHUNK_SIZE)
    assert len(decide(more).asks) == LEAST_IN_ALL + 4
    assert len(decide(replace(few, goodput=1e9)).asks) == IN_ALL


# What it never does

NUMBERS = range(1, 7)
KEYS = [SegmentKey("v", number) for number in range(5)]
MASKS = st.integers(0, 2**10 - 1)
TIMES = st.floats(-5, 20)


LEASES = st.builds(LeaseView, MASKS, TIMES, imports=st.booleans())


@st.composite
def segments_of(draw: st.DrawFn) -> list[SegmentView]:
    found = []
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
        missing = draw(MASKS)
        asked = draw(MASKS) & ~missing
        late = draw(MASKS) & ~missing & ~asked
        found.append(
            SegmentView(
                key=key,
                demanded=draw(st.booleans()),
                deadline=draw(st.floats(-5, 60) | st.just(inf)),
                since=draw(st.floats(-20, 0)),
                chunks=10,
                missing=missing,
                asked=asked,
                late=late,
                silent=draw(st.booleans()),
                comes_until=draw(TIMES),
                missing_bytes=(missing | asked).bit_count() * CHUNK_SIZE,
                rank=draw(st.integers(0, 10)),
                loading=draw(MASKS),
                loading_until=draw(TIMES),
                fetching=draw(st.booleans()),
                origin_after=draw(st.floats(-5, 5)),
                leases=draw(st.lists(LEASES, max_size=3)),
            )
        )
    return found


LINKS = st.lists(
    st.builds(
        Other,
        st.sampled_from(NUMBERS),
        st.integers(0, 4),
        st.integers(1, 4),
        st.floats(1, 1e7) | st.just(250_000.0),
        st.floats(-2, 2),
        st.dictionaries(st.sampled_from(KEYS), MASKS),
        rtt=st.sampled_from([0.0, 0.01, 0.06]),
    ),
    max_size=6,
    unique_by=lambda link: link.number,
)

VIEWS = st.builds(
    View,
    starting=st.booleans(),
    live=st.booleans(),
    buffer=st.floats(0, 60),
    target=st.floats(1, 60),
    floor=st.floats(0, 60),
    patience=st.floats(0, 1),
    guided=st.booleans(),
    hopeful_until=st.floats(-5, 5),
    bitrate=st.floats(1_000, 1e7),
    goodput=st.floats(0, 1e7),
    asking_since=st.floats(-5, 0) | st.just(inf),
    http=st.just(HTTP),
    segments=segments_of(),
    links=LINKS,
    salt=st.integers(0, 2**24),
    sheltered=st.booleans(),
)


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Of how long a busy machine takes nothing is to be learnt here."""


@UNHURRIED
@given(VIEWS)
def test_a_plan_is_made_of_nothing_but_the_view(given_view: View) -> None:
    assert decide(given_view) == decide(given_view)


@given(VIEWS, st.randoms(use_true_random=False))
def test_the_order_of_links_does_not_matter(given_view: View, chance: random.Random) -> None:
    links = list(given_view.links)
    chance.shuffle(links)
    assert decide(replace(given_view, links=links)) == decide(given_view)


@UNHURRIED
@given(VIEWS)
def test_no_chunk_is_asked_for_twice(given_view: View) -> None:
    asked: Counter[tuple[SegmentKey, int]] = Counter()
    for ask in decide(given_view).asks:
        numbers = [ask.chunk] if isinstance(ask, AskPeer) else ask.chunks.numbers()
        asked.update((ask.key, number) for number in numbers)
    assert set(asked.values()) <= {1}
    there = {
        (s.key, n) for s in given_view.segments for n in numbers_in(s.missing | s.asked | s.late)
    }
    assert set(asked) <= there


@UNHURRIED
@given(VIEWS)
def test_peers_are_asked_only_for_what_they_hold_and_have_room_for(given_view: View) -> None:
    links = {link.number: link for link in given_view.links}
    missing = {s.key: s.missing | s.late for s in given_view.segments}
    in_flight = Counter({link.number: link.in_flight for link in given_view.links})
    before = in_flight.total()
    for ask in decide(given_view).asks:
        if isinstance(ask, AskPeer):
            assert links[ask.link].held[ask.key] >> ask.chunk & 1
            assert missing[ask.key] >> ask.chunk & 1, "it was asked of somebody else already"
            assert links[ask.link].busy_until <= NOW
            in_flight[ask.link] += 1
    for number, open_ in in_flight.items():
        assert open_ <= max(links[number].window, links[number].in_flight)
    assert in_flight.total() <= max(IN_ALL, before)


@UNHURRIED
@given(VIEWS)
def test_the_origin_is_asked_only_for_what_is_demanded_or_leased(given_view: View) -> None:
    segments = {s.key: s for s in given_view.segments}
    for ask in decide(given_view).asks:
        if isinstance(ask, AskOrigin):
            wanted = segments[ask.key]
            assert wanted.origin_after <= NOW
            leased = 0
            for lease in wanted.leases:
                leased |= lease.chunks if lease.at <= NOW else 0
            assert wanted.demanded or not run(*ask.chunks) & ~leased


@UNHURRIED
@given(VIEWS)
def test_at_the_latest_start_everything_is_on_its_way_from_the_origin(given_view: View) -> None:
    asks = decide(given_view).asks
    for wanted in given_view.segments:
        due = wanted.demanded and latest_start(wanted, HTTP) <= NOW
        if due and wanted.origin_after <= NOW:
            asked = 0
            for ask in asks:
                if isinstance(ask, AskOrigin) and ask.key == wanted.key:
                    asked |= run(*ask.chunks)
            assert asked == wanted.missing | wanted.asked


@UNHURRIED
@given(VIEWS)
def test_whoever_waits_wakes(given_view: View) -> None:
    """What is demanded and not on its way from the origin is thought about again, in time."""
    decision = decide(given_view)
    assert decision.wake_at is None or NOW < decision.wake_at < inf
    asked = {ask.key for ask in decision.asks if isinstance(ask, AskOrigin)}
    for wanted in given_view.segments:
        left = wanted.missing | wanted.asked
        if wanted.demanded and left and wanted.key not in asked and wanted.deadline < inf:
            due = max(latest_start(wanted, HTTP), wanted.origin_after)
            assert decision.wake_at is not None
            assert decision.wake_at <= due


def test_what_a_link_says_that_is_not_credible_keeps_no_lease_from_being_used() -> None:
    wanted = segment(missing=0b11, leases=(LeaseView(0b11, NOW),))
    assert of_origin(decide(view(wanted, links=(link(credible=True),)))) == set()
    assert of_origin(decide(view(wanted, links=(link(credible=False),)))) == {0, 1}
