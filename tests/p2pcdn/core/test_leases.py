"""Leases: whose turn it is and when, and that each is acted upon once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from p2pcdn.core.bits import run
from p2pcdn.core.leases import MOST_SEGMENTS, STEP_IN, Leases
from p2pcdn.core.scheduler import LeaseView
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.tracker import Lease

KEY = SegmentKey("v", 7)
NOW = 0.0
CHUNKS = 8


def lease(stripe: int = 0, stripes: int = 2, rank: int = 0, sequence: int = 7) -> Lease:
    return Lease("v", sequence, stripe, stripes, delay=0.4 * rank)


def leases_of(*granted: Lease, now: float = NOW) -> Leases:
    leases = Leases()
    leases.granted(granted, now)
    return leases


def due(leases: Leases, known_at: float = NOW) -> list[float]:
    return [view.at for view in leases.views(KEY, CHUNKS, known_at)]


def test_nobody_begins_with_a_lease() -> None:
    leases = Leases()
    assert list(leases.segments()) == []
    assert leases.views(KEY, CHUNKS, NOW) == []
    assert leases.delay(KEY) is None
    assert leases.use(KEY, CHUNKS, Span(0, 7)) == []
    leases.begun(KEY, 0, NOW)
    leases.done(KEY)


def test_what_is_imported_is_apart_from_what_is_fetched() -> None:
    imported = replace(lease(rank=3), imports=True)
    both = leases_of(imported, lease(rank=2))
    assert both.delay(KEY) == pytest.approx(0.8)
    both.granted([lease()], NOW)  # those before us have left: nothing is said of importing
    assert [view.imports for view in both.views(KEY, CHUNKS, NOW)] == [True, False]
    assert both.delay(KEY) == 0
    both.begun(KEY, 0, NOW)
    assert [view.begun for view in both.views(KEY, CHUNKS, NOW)] == [False, True]
    assert both.use(KEY, CHUNKS, Span(0, 7)) == [0]
    alone = leases_of(imported)
    assert alone.delay(KEY) is None
    assert alone.use(KEY, CHUNKS, Span(0, 7)) == []
    assert list(alone.segments()) == [KEY]


def test_a_stripe_is_a_run_of_chunks() -> None:
    leases = leases_of(lease(1), lease(0))
    assert list(leases.segments()) == [KEY]
    views = leases.views(KEY, CHUNKS, NOW)
    assert views == [LeaseView(run(4, 7), NOW), LeaseView(run(0, 3), NOW)]


@given(st.integers(1, 200), st.integers(1, 8))
def test_the_stripes_of_a_segment_are_all_of_it_and_share_nothing(
    chunks: int, stripes: int
) -> None:
    leases = leases_of(*(lease(stripe, stripes) for stripe in range(stripes)))
    masks = [view.chunks for view in leases.views(KEY, chunks, NOW)]
    together = 0
    for mask in masks:
        assert not together & mask
        together |= mask
    assert together == run(0, chunks - 1)


def test_it_is_our_turn_when_the_segment_is_known_and_the_delay_over() -> None:
    leases = leases_of(lease(rank=2), now=NOW)
    assert due(leases, known_at=NOW + 5) == [pytest.approx(NOW + 5.8)]
    late = leases_of(lease(rank=2), now=NOW + 9)
    assert due(late, known_at=NOW + 5) == [pytest.approx(NOW + 9.8)]


def test_a_holder_that_has_begun_is_given_time() -> None:
    leases = leases_of(lease(rank=1))
    leases.begun(KEY, 0, NOW + 1.0)
    assert due(leases) == [pytest.approx(NOW + 1.0 + STEP_IN + 0.4)]
    leases.begun(KEY, 1, NOW + 50.0)
    leases.begun(SegmentKey("v", 8), 0, NOW + 50.0)
    assert due(leases) == [pytest.approx(NOW + 1.0 + STEP_IN + 0.4)], "that was another stripe"


def test_the_first_turn_among_several_stripes() -> None:
    leases = leases_of(lease(0, rank=3), lease(1, rank=1))
    assert leases.delay(KEY) == pytest.approx(0.4)


def test_a_lease_is_used_once_and_tells_its_stripe() -> None:
    leases = leases_of(lease(0), lease(1))
    assert leases.use(KEY, CHUNKS, Span(3, 3)) == [0]
    assert leases.use(KEY, CHUNKS, Span(0, 7)) == [1]
    assert leases.use(KEY, CHUNKS, Span(0, 7)) == []


def test_what_is_fetched_beside_our_stripe_uses_nothing() -> None:
    leases = leases_of(lease(0))
    assert leases.use(KEY, CHUNKS, Span(4, 7)) == []
    assert leases.use(SegmentKey("v", 8), CHUNKS, Span(0, 7)) == []


def test_a_lease_may_be_granted_anew() -> None:
    leases = leases_of(lease(0, rank=3))
    leases.granted([lease(0, rank=1)], NOW + 1)
    assert due(leases) == [pytest.approx(NOW + 1.4)]


def test_what_is_whole_needs_no_lease() -> None:
    leases = leases_of(lease(0), lease(0, sequence=8))
    leases.done(KEY)
    assert list(leases.segments()) == [SegmentKey("v", 8)]


def test_the_oldest_go_first() -> None:
    many = range(MOST_SEGMENTS + 3)
    leases = leases_of(*(lease(sequence=sequence) for sequence in many))
    assert [key.sequence for key in leases.segments()] == list(many)[3:]
