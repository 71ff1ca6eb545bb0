"""The plan: whom it asks for what, when it waits, and what it never does."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.scheduler import (
    GUARD,
    IN_ALL,
    LATEST_TURN,
    LOW_BUFFER,
    PER_LINK,
    RATE_SHARE,
    TURN,
    AskOrigin,
    AskPeer,
    ChunkView,
    Http,
    LinkView,
    Plan,
    SegmentView,
    View,
    latest_start,
    plan,
)
from p2pcdn.model import SegmentKey, Span

KEY = SegmentKey("v", 7)
NOW = 0.0
HTTP = Http(ttfb=0.2, rate=1_000_000.0)


def chunk(number: int, *holders: int, until: float | None = None, asked: bool = False) -> ChunkView:
    return ChunkView(number, holders, until, asked)


def segment(*chunks: ChunkView, **others: object) -> SegmentView:
    """A segment that the player needs in 20 s; it is our turn to fetch it."""
    usual = SegmentView(
        key=KEY,
        demanded=True,
        deadline=NOW + 20.0,
        since=NOW,
        rank=0,
        origin_after=0.0,
        missing_bytes=800_000,
        chunks=chunks,
    )
    return replace(usual, **others)  # type: ignore[arg-type]


def view(*segments: SegmentView, links: tuple[LinkView, ...] = (), **others: object) -> View:
    """A player on demand, that plays with enough in its buffer, and no hope for more links."""
    usual = View(
        started=True,
        live=False,
        buffer=30.0,
        hopeful_until=NOW,
        http=HTTP,
        segments=segments,
        links=links,
    )
    return replace(usual, **others)  # type: ignore[arg-type]


FREE = LinkView(1, in_flight=0, busy_until=0.0)
OTHER = LinkView(2, in_flight=0, busy_until=0.0)


def test_nothing_to_do() -> None:
    assert plan(view(), NOW) == Plan((), None)


# The origin at once


@pytest.mark.parametrize("live", [False, True])
def test_before_anything_was_played_the_origin_is_asked_for_everything(live: bool) -> None:
    wanted = segment(chunk(0, 1), chunk(1), chunk(3, asked=True))
    decision = plan(view(wanted, links=(FREE,), started=False, live=live), NOW)
    assert decision == Plan((AskOrigin(KEY, Span(0, 1)), AskOrigin(KEY, Span(3, 3))), None)


def test_with_little_in_the_buffer_the_origin_is_asked_for_everything() -> None:
    wanted = segment(chunk(0, 1))
    low = view(wanted, links=(FREE,), buffer=LOW_BUFFER - 0.1)
    assert plan(low, NOW).asks == (AskOrigin(KEY, Span(0, 0)),)
    enough = replace(low, buffer=LOW_BUFFER)
    assert plan(enough, NOW).asks == (AskPeer(1, KEY, 0),)


def test_live_has_little_in_the_buffer_by_nature() -> None:
    low = view(segment(chunk(0, 1)), links=(FREE,), buffer=0.5, live=True)
    assert plan(low, NOW).asks == (AskPeer(1, KEY, 0),)


def test_at_the_latest_start_the_origin_is_asked_for_everything() -> None:
    wanted = segment(chunk(0, 1), chunk(1, asked=True))
    at = latest_start(wanted, HTTP)
    assert at == pytest.approx(20.0 - 0.2 - 800_000 / (RATE_SHARE * 1_000_000) - GUARD)
    before = plan(view(wanted, links=(FREE,)), at - 0.001)
    assert before == Plan((AskPeer(1, KEY, 0),), at)
    assert plan(view(wanted, links=(FREE,)), at) == Plan((AskOrigin(KEY, Span(0, 1)),), None)


def test_an_origin_that_failed_is_left_alone_even_in_need() -> None:
    wanted = segment(chunk(0, 1), chunk(1), origin_after=NOW + 0.5)
    need = view(wanted, links=(FREE,), started=False)
    assert plan(need, NOW) == Plan((AskPeer(1, KEY, 0),), NOW + 0.5)
    assert plan(need, NOW + 0.5).asks == (AskOrigin(KEY, Span(0, 1)),)


# What nobody holds


def test_what_nobody_holds_is_fetched_when_it_is_our_turn() -> None:
    wanted = segment(chunk(0, 1), chunk(1), chunk(2), rank=2)
    waits = plan(view(wanted, links=(FREE,)), NOW)
    assert waits == Plan((AskPeer(1, KEY, 0),), NOW + 2 * TURN)
    mine = plan(view(wanted, links=(FREE,)), NOW + 2 * TURN)
    assert mine.asks == (AskOrigin(KEY, Span(1, 2)), AskPeer(1, KEY, 0))


def test_nobody_waits_longer_than_the_last_rank() -> None:
    wanted = segment(chunk(0), rank=1000)
    assert plan(view(wanted, links=(FREE,)), NOW).wake_at == NOW + LATEST_TURN * TURN


def test_who_loads_it_is_waited_for_but_not_beyond_the_latest_start() -> None:
    wanted = segment(chunk(0, until=NOW + 6.0), chunk(1))
    assert plan(view(wanted, links=(FREE,)), NOW) == Plan((), NOW + 6.0)
    late = replace(wanted, deadline=NOW + 4.0)
    assert plan(view(late, links=(FREE,)), NOW).wake_at == latest_start(late, HTTP) < NOW + 6.0


def test_a_first_link_is_waited_for_as_long_as_there_is_hope() -> None:
    hopeful = view(segment(chunk(0)), hopeful_until=NOW + 2.0)
    assert plan(hopeful, NOW) == Plan((), NOW + 2.0)
    assert plan(hopeful, NOW + 2.0).asks == (AskOrigin(KEY, Span(0, 0)),)


def test_what_lies_ahead_is_never_asked_of_the_origin() -> None:
    ahead = segment(chunk(0), chunk(1, 1), demanded=False, deadline=float("inf"))
    for started in (True, False):
        decision = plan(view(ahead, links=(FREE,), started=started, buffer=0.0), NOW + 1000)
        assert decision == Plan((AskPeer(1, KEY, 1),), None)


# Peers


def test_the_least_busy_holder_is_asked() -> None:
    busy = replace(FREE, in_flight=2)
    wanted = segment(*(chunk(number, 1, 2) for number in range(5)))
    asks = plan(view(wanted, links=(busy, OTHER)), NOW).asks
    assert [ask.link for ask in asks if isinstance(ask, AskPeer)] == [2, 2, 1, 2, 1]


def test_who_rests_is_asked_when_he_has_rested() -> None:
    rests = replace(FREE, busy_until=NOW + 0.3)
    wanted = segment(chunk(0, 1))
    assert plan(view(wanted, links=(rests,)), NOW) == Plan((), NOW + 0.3)
    assert plan(view(wanted, links=(rests,)), NOW + 0.3).asks == (AskPeer(1, KEY, 0),)


def test_what_has_been_asked_for_is_not_asked_again() -> None:
    wanted = segment(chunk(0, 1, asked=True))
    assert plan(view(wanted, links=(FREE,)), NOW).asks == ()


def test_earlier_segments_come_first() -> None:
    link = replace(FREE, in_flight=PER_LINK - 1)
    later = segment(chunk(0, 1), key=SegmentKey("v", 8))
    first, second = segment(chunk(0, 1)), later
    assert plan(view(first, second, links=(link,)), NOW).asks == (AskPeer(1, KEY, 0),)


# What it never does

CHUNKS = st.lists(
    st.builds(
        ChunkView,
        st.integers(0, 30),
        st.sets(st.integers(1, 6), max_size=6).map(lambda holders: tuple(sorted(holders))),
        st.none() | st.floats(-5, 20),
        st.booleans(),
    ),
    max_size=12,
    unique_by=lambda chunk: chunk.number,
).map(lambda chunks: tuple(sorted(chunks, key=lambda chunk: chunk.number)))

SEGMENTS = st.lists(
    st.builds(
        SegmentView,
        key=st.builds(SegmentKey, st.just("v"), st.integers(0, 50)),
        demanded=st.booleans(),
        deadline=st.floats(-5, 60),
        since=st.floats(-20, 0),
        rank=st.integers(0, 10),
        origin_after=st.floats(-5, 5),
        missing_bytes=st.integers(0, 10_000_000),
        chunks=CHUNKS,
    ),
    max_size=6,
    unique_by=lambda segment: segment.key,
)

LINKS = st.lists(
    st.builds(LinkView, st.integers(1, 6), st.integers(0, PER_LINK), st.floats(-2, 2)),
    max_size=6,
    unique_by=lambda link: link.number,
)

VIEWS = st.builds(
    View,
    started=st.booleans(),
    live=st.booleans(),
    buffer=st.floats(0, 60),
    hopeful_until=st.floats(-5, 5),
    http=st.builds(Http, st.floats(0, 5), st.floats(1_000, 10_000_000)),
    segments=SEGMENTS,
    links=LINKS,
)


@given(VIEWS)
def test_a_plan_is_made_of_nothing_but_the_view(given_view: View) -> None:
    before = deepcopy(given_view)
    assert plan(given_view, NOW) == plan(given_view, NOW)
    assert given_view == before


@given(VIEWS)
def test_no_chunk_is_asked_for_twice(given_view: View) -> None:
    asked: Counter[tuple[SegmentKey, int]] = Counter()
    for ask in plan(given_view, NOW).asks:
        if isinstance(ask, AskPeer):
            asked[ask.key, ask.chunk] += 1
        else:
            asked.update((ask.key, number) for number in ask.chunks.numbers())
    assert set(asked.values()) <= {1}
    there = {(s.key, c.number) for s in given_view.segments for c in s.chunks}
    assert set(asked) <= there


@given(VIEWS)
def test_peers_are_asked_only_for_what_they_hold_and_have_room_for(given_view: View) -> None:
    in_flight = {link.number: link.in_flight for link in given_view.links}
    chunks = {(s.key, c.number): c for s in given_view.segments for c in s.chunks}
    rested = {link.number for link in given_view.links if link.busy_until <= NOW}
    total = sum(in_flight.values())
    for ask in plan(given_view, NOW).asks:
        if isinstance(ask, AskPeer):
            assert ask.link in chunks[ask.key, ask.chunk].holders
            assert not chunks[ask.key, ask.chunk].asked
            assert ask.link in rested
            in_flight[ask.link] += 1
            total += 1
    assert all(open_ <= PER_LINK for open_ in in_flight.values())
    assert total <= max(IN_ALL, sum(link.in_flight for link in given_view.links))


@given(VIEWS)
def test_the_origin_is_asked_only_for_what_is_demanded_and_may_be_fetched(given_view: View) -> None:
    segments = {s.key: s for s in given_view.segments}
    for ask in plan(given_view, NOW).asks:
        if isinstance(ask, AskOrigin):
            assert segments[ask.key].demanded
            assert segments[ask.key].origin_after <= NOW


@given(VIEWS)
def test_whoever_waits_wakes(given_view: View) -> None:
    """What is demanded and asked of nobody is thought about again, in the future."""
    decision = plan(given_view, NOW)
    assert decision.wake_at is None or decision.wake_at > NOW
    asked = {ask.key for ask in decision.asks}
    left = [s for s in given_view.segments if s.demanded and s.chunks and s.key not in asked]
    if left:
        assert decision.wake_at is not None
        assert decision.wake_at <= max(latest_start(s, given_view.http) for s in left) or (
            decision.wake_at <= max(s.origin_after for s in left)
        )
