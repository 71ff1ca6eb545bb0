"""What a node looks at when it decides: what it wants, and what its plan depends on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from p2pcdn.core.leases import Leases
from p2pcdn.core.neighbours import FIRST_WORDS, Neighbours
from p2pcdn.core.playhead import Playhead
from p2pcdn.core.ports import (
    Check,
    Checked,
    Demand,
    Described,
    HashesArrived,
    LinkSays,
    ManifestArrived,
    Playing,
    TrackerSays,
)
from p2pcdn.core.scheduler import View
from p2pcdn.core.signaling import CONNECT_TIMEOUT, Signaling
from p2pcdn.core.stats import Stats
from p2pcdn.core.store import Store
from p2pcdn.core.survey import (
    EARLY,
    HEARSAY,
    HOPE,
    KNOWN_AHEAD,
    OPEN_AHEAD,
    USUAL_DURATION,
    Survey,
)
from p2pcdn.core.transfers import Transfers
from p2pcdn.core.trust import Trust
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, ChunkKey, SegmentKey, Span
from p2pcdn.wire.link import Have, Hello, Holding, Loading
from p2pcdn.wire.tracker import Invite, Joined, Lease, Limits, Welcome
from tests.p2pcdn.core.media import CONTENT, IDENTITY, Media, Piece

NOW = 0.0
LATER = NOW + FIRST_WORDS
LENGTH = 2 * CHUNK_SIZE
MEDIA = Media.of(Piece(SegmentKey("v", n), LENGTH) for n in range(40))
WELCOME = Welcome(1, "0" * 32, Limits(65_536, 20, 16), 10)


def v(sequence: int) -> SegmentKey:
    return SegmentKey("v", sequence)


def keys(*sequences: int) -> list[SegmentKey]:
    return [v(sequence) for sequence in sequences]


def playing(head: int = 0, last: int = 39, buffer: float = 10.0, *, live: bool = False) -> Playing:
    return Playing("v", head, last, buffer, live, target=20.0)


class Stage:
    """A survey, and the machines that it looks at."""

    def __init__(self, store: int = 10**9) -> None:
        self.signaling = Signaling(IDENTITY, count(1))
        self.neighbours = Neighbours()
        self.transfers = Transfers(CONTENT, Store(store), Stats(), count(1))
        self.playhead = Playhead()
        self.trust = Trust()
        self.leases = Leases()
        self.survey = Survey(
            self.signaling,
            self.neighbours,
            self.transfers,
            self.playhead,
            self.trust,
            self.leases,
            born=NOW,
        )

    def know(self, first: int, last: int, *, now: float = NOW) -> None:
        """These segments can be verified."""
        span = Span(first, last)
        self.transfers.receive(ManifestArrived(MEDIA.few("v", span, now)), now)
        self.transfers.receive(HashesArrived("v", span, MEDIA.hashes("v", span, now)), now)
        for event in self.transfers.take_events():
            if isinstance(event, Check):
                self.transfers.receive(Checked(event.check, ok=True), now)
        self.transfers.take_events()

    def hold(self, *sequences: int) -> None:
        for sequence in sequences:
            for chunk in range(2):
                self.transfers.store.put(ChunkKey("v", sequence, chunk), bytes(CHUNK_SIZE))

    def link(self, number: int = 7, *, holds: Sequence[int] = (), now: float = NOW) -> None:
        """A neighbour that holds these segments."""
        self.neighbours.opened(number, Hello(PROTOCOL, CONTENT, "0" * 16, upload=True), now)
        greeting = Hello(PROTOCOL, CONTENT, f"{number:016x}", upload=True)
        self.neighbours.receive(LinkSays(number, greeting), now)
        holdings = tuple(Holding("v", sequence, (Span(0, 1),)) for sequence in holds)
        if holdings:
            self.neighbours.receive(LinkSays(number, Have(holdings)), now)

    def join(self, peers: int = 3) -> None:
        self.signaling.receive(TrackerSays(WELCOME), NOW)
        self.signaling.receive(Described(1, "offer"), NOW)
        self.signaling.receive(TrackerSays(Joined("0" * 16, peers)), NOW)

    def demand(self, sequence: int, within: float = 10.0) -> None:
        self.playhead.asked(v(sequence))
        self.transfers.demand(Demand(v(sequence), within), True, NOW)

    def view(self, now: float = NOW) -> View:
        wanted = self.survey.wanted(now)
        for key in wanted:
            self.transfers.begin(key, now)
        return self.survey.view(wanted, now)


def staged(at: Playing | None = None) -> Stage:
    """Everything is known, and the player plays."""
    stage = Stage()
    stage.know(0, 39)
    stage.playhead.moved(at or playing(), NOW)
    stage.playhead.started = True
    return stage


# What is wanted


def test_before_the_player_says_where_it_is_nothing_is_wanted() -> None:
    stage = Stage()
    assert stage.survey.wanted(NOW) == []
    assert stage.survey.needed([], NOW) == ({}, {})
    view = stage.view()
    assert (view.segments, view.links, view.starting) == ([], [], True)


def test_what_is_not_known_is_wanted_to_become_known() -> None:
    stage = Stage()
    stage.playhead.moved(playing(3, 39), NOW)
    assert stage.survey.wanted(NOW) == keys(*range(3, 3 + OPEN_AHEAD))
    needed, hold = stage.survey.needed(stage.survey.wanted(NOW), NOW)
    assert (needed, hold) == ({"v": [*range(3, 3 + OPEN_AHEAD)]}, {})


def test_what_is_known_is_wanted_if_a_neighbour_offers_it() -> None:
    stage = staged()
    assert stage.survey.wanted(NOW) == []
    stage.link(holds=[2, 5])
    assert stage.survey.wanted(NOW) == keys(2, 5)
    assert stage.survey.needed(keys(2, 5), NOW) == ({"v": []}, {})


def test_what_was_asked_for_or_is_held_lies_not_ahead() -> None:
    stage = staged()
    stage.link(holds=range(10))
    stage.demand(1)
    stage.hold(2, 4)
    assert stage.survey.wanted(NOW) == keys(3, 5, 6, 7, 8, 9)


def test_what_has_left_the_store_is_wanted_again() -> None:
    stage = staged()
    stage.link(holds=range(10))
    stage.hold(0, 1, 2)
    assert stage.survey.wanted(NOW)[0] == v(3)
    stage.transfers.store.drop(v(1))
    stage.survey.forget_held()
    assert stage.survey.wanted(NOW)[0] == v(1)


def test_so_many_are_on_their_way_and_so_many_looked_at() -> None:
    stage = staged()
    stage.link(holds=range(40))
    assert len(stage.survey.wanted(NOW)) == OPEN_AHEAD
    far = staged()
    far.link(holds=[KNOWN_AHEAD - 1, KNOWN_AHEAD])
    assert far.survey.wanted(NOW) == keys(KNOWN_AHEAD - 1)


def test_no_more_is_wanted_than_fits_into_half_of_the_store() -> None:
    stage = Stage(store=6 * LENGTH)
    stage.know(0, 39)
    stage.link(holds=range(40))
    stage.playhead.moved(playing(), NOW)
    assert stage.survey.wanted(NOW) == keys(0, 1, 2)


def test_what_neighbours_know_of_a_live_stream_may_be_newer_than_the_playlist() -> None:
    stage = staged(playing(30, 31, live=True))
    stage.link(holds=range(40))
    assert stage.survey.wanted(NOW) == keys(*range(30, 36))
    demand = staged(playing(30, 31))
    demand.link(holds=range(40))
    assert demand.survey.wanted(NOW) == keys(30, 31)


# Leases


def lease(sequence: int, delay: float = 0.0) -> Lease:
    return Lease("v", sequence, 0, 1, delay)


def test_what_we_hold_a_lease_for_is_wanted_as_far_as_the_player_would_ask() -> None:
    stage = staged(playing(5, 39, buffer=10.0))
    last = 10 + EARLY
    stage.leases.granted([lease(n) for n in (4, 5, 8, last, last + 1, 30)], NOW)
    assert stage.survey.wanted(NOW) == keys(5, 8, last), "20 s: 10 s of buffer, and 2 s each"
    stage.hold(8)
    assert stage.survey.wanted(NOW) == keys(5, last)


def test_of_a_live_stream_as_soon_as_it_is_there() -> None:
    stage = Stage()
    stage.playhead.moved(playing(5, 7, live=True), NOW)
    stage.know(0, 9)
    stage.leases.granted([lease(n) for n in (4, 7, 9, 10)], NOW)
    assert stage.survey.wanted(NOW) == keys(7, 9)
    stage.playhead.moved(playing(5, 10, live=True), NOW)
    assert stage.survey.wanted(NOW) == keys(10, 7, 9)


def test_leases_of_another_rendition_are_of_no_interest() -> None:
    stage = staged()
    stage.leases.granted([Lease("w", 3, 0, 1, 0.0)], NOW)
    assert stage.survey.wanted(NOW) == []


# Records


def test_nothing_is_awaited_that_is_known() -> None:
    stage = Stage()
    stage.know(0, 6)
    stage.link()
    stage.playhead.moved(playing(5, 6, buffer=10.0, live=True), NOW)
    stage.playhead.asked(v(6))
    assert stage.survey.needed(stage.survey.wanted(NOW), NOW) == ({"v": []}, {})


def test_records_of_a_live_stream_are_awaited_from_neighbours() -> None:
    stage = Stage()
    stage.know(0, 6)
    stage.link()
    stage.playhead.moved(playing(5, 7, buffer=10.0, live=True), NOW)
    stage.playhead.asked(v(6))
    needed, hold = stage.survey.needed(stage.survey.wanted(NOW), NOW)
    assert needed == {"v": [7]}
    assert hold == {7: pytest.approx(NOW + HEARSAY)}
    urgent = Stage()
    urgent.know(0, 6)
    urgent.link()
    urgent.playhead.moved(playing(5, 7, buffer=1.0, live=True), NOW)
    urgent.playhead.asked(v(6))
    _, hold = urgent.survey.needed(urgent.survey.wanted(NOW), NOW)
    assert hold == {7: NOW}, "there is no time"


def test_who_holds_a_lease_asks_the_origin_in_turn() -> None:
    stage = Stage()
    stage.know(0, 6)
    stage.link()
    stage.leases.granted([lease(7, delay=0.4)], NOW)
    stage.playhead.moved(playing(5, 7, live=True), NOW)
    _, hold = stage.survey.needed(stage.survey.wanted(NOW), NOW + 1)
    assert hold == {7: pytest.approx(NOW + 0.4)}


def test_what_comes_out_after_a_stream_has_begun_anew_is_not_old() -> None:
    stage = staged(playing(30, 35, live=True))
    stage.link(holds=range(40))
    stage.view()
    stage.survey.forget_seen()
    stage.view()  # the player is the last to hear of it
    for last in (2, 4):
        stage.playhead.moved(playing(0, last, live=True), NOW)
        segments = stage.view().segments
    assert [(s.key.sequence, s.old) for s in segments[:5]] == [
        (0, True),
        (1, True),
        (2, True),
        (3, False),
        (4, False),
    ]


def test_a_playlist_that_lags_behind_another_is_none_that_begins_anew() -> None:
    stage = staged(playing(30, 35, live=True))
    stage.link(holds=range(40))
    for last in (35, 34, 35):
        stage.playhead.moved(playing(30, last, live=True), NOW)
        segments = stage.view().segments
    assert {s.key.sequence for s in segments if s.old} == {30, 31, 32, 33, 34, 35}


@pytest.mark.parametrize(("live", "company"), [(True, False), (False, True)])
def test_without_neighbours_or_on_demand_records_are_asked_for_at_once(
    live: bool, company: bool
) -> None:
    stage = Stage()
    stage.know(0, 6)
    if company:
        stage.link()
    stage.playhead.moved(playing(5, 7, live=live), NOW)
    needed, hold = stage.survey.needed(stage.survey.wanted(NOW), NOW)
    assert (needed, hold) == ({"v": [7]}, {})


# What the plan depends on


def test_what_the_player_says() -> None:
    stage = staged(playing(buffer=8.0))
    view = stage.view(NOW + 3)
    assert (view.starting, view.live, view.buffer, view.target) == (False, False, 5.0, 20.0)
    assert view.bitrate == pytest.approx(LENGTH / 2.0)


def test_where_nothing_is_known_something_usual_is_assumed() -> None:
    assert Stage().survey.duration("v") == USUAL_DURATION


def test_leases_guide_whoever_has_a_tracker_and_neighbours() -> None:
    stage = staged()
    stage.link()
    assert not stage.view(LATER).guided, "no tracker"
    stage.join()
    assert stage.view(LATER).guided
    alone = staged()
    alone.join()
    assert not alone.view(LATER).guided, "nobody"


def test_a_first_link_is_hoped_for() -> None:
    now = NOW + 1.0
    stage = staged()
    assert stage.view(now).hopeful_until == NOW + HOPE
    stage.join(peers=0)
    assert stage.view(now).hopeful_until == now, "alone"
    stage.signaling.receive(TrackerSays(Invite("b" * 16, "a" * 16)), now)
    assert stage.view(now).hopeful_until == now + CONNECT_TIMEOUT
    stage.survey.p2p = False
    assert stage.view(now).hopeful_until == now


def test_company_is_who_is_there_or_may_be_in_a_moment() -> None:
    stage = staged()
    assert stage.survey.has_company(NOW)
    assert not stage.survey.has_company(NOW + HOPE)
    stage.link(now=NOW + HOPE)
    assert stage.survey.has_company(NOW + HOPE)


def test_a_link_that_has_just_opened_is_listened_to_first() -> None:
    stage = staged()
    stage.link(now=NOW + 10)
    view = stage.view(NOW + 10)
    assert (view.links, view.hopeful_until) == ([], NOW + 10 + FIRST_WORDS)
    assert len(stage.view(NOW + 10 + FIRST_WORDS).links) == 1


def test_segments_come_by_their_deadlines() -> None:
    stage = staged()
    stage.link(holds=range(10))
    stage.demand(2, within=4.0)
    stage.demand(3, within=6.0)
    assert [s.key for s in stage.view().segments] == keys(2, 3, 4, 5, 6, 7, 8, 9)
    deadlines = [s.deadline for s in stage.view().segments]
    assert deadlines == [4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0]
    assert [s.demanded for s in stage.view().segments] == [True, True] + [False] * 6


def test_a_live_segment_is_wanted_since_it_was_known() -> None:
    stage = Stage()
    stage.know(0, 9, now=NOW + 3)
    stage.link(holds=[9])
    stage.playhead.moved(playing(9, 9, live=True), NOW + 5)
    (segment,) = stage.view(NOW + 5).segments
    assert segment.since == NOW + 3
    stage.playhead.moved(playing(9, 9), NOW + 5)
    (segment,) = stage.view(NOW + 5).segments
    assert segment.since == NOW + 5


def test_what_neighbours_load() -> None:
    stage = staged()
    stage.link(holds=[20])
    stage.neighbours.receive(LinkSays(7, Loading((Holding("v", 2, (Span(0, 0),)),))), NOW)
    stage.demand(2)
    (segment,) = (s for s in stage.view().segments if s.key == v(2))
    assert segment.loading == 0b01
    assert segment.loading_until > NOW


def test_who_does_not_upload_is_the_last_in_rank() -> None:
    stage = staged()
    for number in range(1, 6):
        stage.link(number, holds=[20])
    stage.demand(2)
    stage.survey.upload = False
    assert {s.rank for s in stage.view().segments if s.demanded} == {5}
    stage.survey.upload = True
    stage.survey.forget_ranks()
    assert {s.rank for s in stage.view().segments if s.demanded} <= set(range(5 + 1))


def test_among_equals_each_decision_begins_elsewhere() -> None:
    stage = staged()
    assert {stage.view().salt for _ in range(5)} == {0}, "there is nobody to differ from"
    stage.link(holds=[3])
    assert len({stage.view().salt for _ in range(20)}) > 15


def test_two_peers_begin_elsewhere() -> None:
    salts = []
    for me in ("a" * 16, "b" * 16):
        stage = staged()
        stage.link(holds=[3])
        stage.signaling.peer = me
        salts.append(stage.view().salt)
    assert salts[0] != salts[1]


def test_before_the_first_picture_our_own_player_comes_first() -> None:
    stage = Stage()
    stage.playhead.moved(playing(buffer=0.0), NOW)
    assert stage.view().starting
    assert stage.neighbours.uplink.yielding


def test_below_the_floor_our_own_player_comes_first() -> None:
    stage = staged(playing(buffer=3.0))
    stage.view()
    assert not stage.neighbours.uplink.yielding
    stage.trust.rescued(1.0, 2.0, 20.0, NOW)
    assert stage.view().floor > 3.0
    assert stage.neighbours.uplink.yielding
