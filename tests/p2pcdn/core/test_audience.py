"""What those who watch a rendition will need: beyond a live edge, and ahead of a crowd."""

from __future__ import annotations

import ipaddress
from random import Random

import pytest

from p2pcdn.core.audience import MOST_AHEAD, SAMPLE, Audience, Outlook
from p2pcdn.core.member import Member, Swarm
from p2pcdn.core.swarm_ports import Rules
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.tracker import Position
from tests.p2pcdn.core.swarming import live, vod

VANTAGE = Vantage(ipaddress.ip_address("198.51.100.7"))
RULES = Rules()


def audience(*positions: Position | None, upload: bool = True) -> Audience:
    """Members at these positions, told at 0.0."""
    made = Audience(Swarm(("s", "c", "")), "v")
    for number, position in enumerate(positions):
        id_ = f"{number:016x}"
        made.members.add(Member(number, id_, made.swarm, VANTAGE, upload, position))
    return made


def look(made: Audience, now: float = 0.0) -> Outlook:
    return made.outlook(RULES, now, Random(1))


# Live


def test_of_live_all_is_needed_that_comes_out_in_the_next_seconds() -> None:
    outlook = look(audience(live(100), live(100)))
    assert outlook.edge == 100
    assert list(outlook.takers) == list(range(101, 106))
    assert [len(takers) for takers in outlook.takers.values()] == [2] * 5
    assert outlook.size == 500_000


def test_the_edge_moves_on_by_itself_until_nobody_has_said_anything_for_long() -> None:
    made = audience(live(100), live(100))
    assert look(made, 1.9).edge == 100
    assert look(made, 9.0).edge == 104
    assert look(made, RULES.position_lasts).edge == 115
    assert look(made, RULES.position_lasts + 0.1) == Outlook()


def test_one_peers_word_about_the_edge_counts_little() -> None:
    made = audience(live(100), live(99), live(100), live(2**53 - 1))
    assert look(made).edge == 100
    made = audience(*[live(100)] * 3, live(100, duration=2**53 - 1), live(100, duration=1))
    assert list(look(made).takers) == list(range(101, 106))


def test_who_does_not_know_a_number_does_not_count_for_it() -> None:
    unknown = Position("v", 0, 97, 100, 0, 0, 0, True)
    outlook = look(audience(unknown, unknown, live(100)), 2.0)
    assert (outlook.edge, outlook.size, len(outlook.takers)) == (101, 500_000, 5)


def test_without_a_duration_nothing_can_be_foreseen() -> None:
    assert look(audience(live(100, duration=0), live(100, duration=0))) == Outlook()
    assert look(audience()) == Outlook()
    assert look(audience(None, None)) == Outlook()


@pytest.mark.parametrize(
    ("duration", "segments"), [(100, MOST_AHEAD), (2000, 5), (10_000, 1), (60_000, 1)]
)
def test_it_looks_ahead_by_seconds_but_a_segment_at_least(duration: int, segments: int) -> None:
    made = audience(live(100, duration=duration), live(100, duration=duration))
    assert len(look(made).takers) == segments


def test_a_live_stream_that_has_ended_is_a_recording() -> None:
    made = audience(vod(100, newest=110), vod(100, newest=110), live(103))
    outlook = look(made)
    assert outlook.edge is None
    assert list(outlook.takers) == list(range(104, 111))


# Recordings


def test_what_a_crowd_will_play_soon_is_needed_if_nobody_holds_it() -> None:
    outlook = look(audience(vod(0, 2), vod(0), vod(0, 1)))
    assert outlook.edge is None
    assert list(outlook.takers) == list(range(3, 18))


def test_what_somebody_shares_is_not() -> None:
    away = vod(300, 9999)
    assert look(audience(vod(0), vod(0), away)).takers == {}
    near = [s for s in look(audience(vod(0), vod(0), vod(300, 10))).takers if s < 300]
    assert near == [11, 12, 13, 14, 15, 16, 17]


def test_what_somebody_holds_and_does_not_share_is() -> None:
    assert len(look(audience(vod(0, 99), vod(0, 99), upload=False)).takers) == 17


def test_one_who_is_ahead_of_all_fetches_for_all() -> None:
    takers = look(audience(vod(50), vod(0, 20))).takers
    assert {len(wanting) for s, wanting in takers.items() if s > 50} == {1}
    assert list(look(audience(vod(50), vod(55))).takers) == list(range(56, 73))


def test_heads_move_on_by_themselves() -> None:
    assert list(look(audience(vod(0), vod(0)), 10.0).takers) == list(range(6, 23))


def test_nothing_is_needed_beyond_the_end() -> None:
    assert list(look(audience(vod(0, newest=4), vod(0, newest=4))).takers) == [1, 2, 3, 4]
    assert look(audience(vod(0, newest=0), vod(0, newest=0))).takers == {}


def test_in_a_large_audience_what_only_two_want_is_left_to_them() -> None:
    crowd = [vod(10 + 40 * number, newest=9999) for number in range(SAMPLE - 4)]
    assert look(audience(*crowd, vod(5000, newest=9999), vod(5000, newest=9999))).takers == {}
    assert look(audience(*crowd, *[vod(5000, newest=9999)] * 4)).takers.keys() == set(
        range(5001, 5018)
    )


def test_a_look_at_a_large_audience_costs_no_more() -> None:
    made = audience(*[live(100)] * 1000)
    assert {len(takers) for takers in look(made).takers.values()} == {SAMPLE}
