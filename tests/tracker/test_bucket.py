"""Token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.bucket import Bucket


def test_a_burst_passes_at_once_and_the_rest_at_the_rate() -> None:
    bucket = Bucket(20, 40, 0.0)
    assert [bucket.take(0.0) for _ in range(40)] == [0.0] * 40
    assert bucket.take(0.0) == pytest.approx(0.05)
    assert bucket.take(0.0) == pytest.approx(0.10)


def test_it_fills_up_to_the_burst_and_no_further() -> None:
    bucket = Bucket(20, 40, 0.0)
    for _ in range(40):
        bucket.take(0.0)
    assert not bucket.is_full(1.9)
    assert bucket.is_full(2.0)
    assert sum(bucket.try_take(1000.0) for _ in range(100)) == 40


@pytest.mark.parametrize("asked", [100, 101, 100_000])
def test_what_is_not_there_is_not_given(asked: int) -> None:
    bucket = Bucket(100, 100, 0.0)
    assert sum(bucket.try_take(0.0) for _ in range(asked)) == 100
    assert bucket.try_take(0.011)
    assert not bucket.try_take(0.011)


@given(st.lists(st.floats(0, 1), max_size=200))
def test_over_any_time_no_more_than_burst_and_rate_allow(gaps: list[float]) -> None:
    bucket = Bucket(5, 3, 0.0)
    now, given_out = 0.0, 0
    for gap in gaps:
        now += gap
        given_out += bucket.try_take(now)
        assert given_out <= 3 + 5 * now + 1e-6


def test_several_may_be_taken_at_once() -> None:
    bucket = Bucket(20, 40, 0.0)
    assert bucket.take(0.0, 40) == 0.0
    assert bucket.take(0.0, 10) == pytest.approx(0.5)
