"""What is thought of the origin: its bad moments count, and small answers say little."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.http import (
    COMPARABLE,
    ENOUGH,
    FIRST_RATE,
    FIRST_TTFB,
    GUARD,
    HALF_LIFE,
    LEAST_MEASURED,
    RATE_SHARE,
    SAMPLES,
    Http,
    percentile,
)

SIZE = 1_000_000
VALUES = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30)


def http_of(*rates: float, ttfb: float = 0.1) -> Http:
    """An origin that has shown these rates, one answer each."""
    http, now = Http(), 0.0
    for rate in rates:
        now += ttfb + SIZE / rate
        http.answered(SIZE, ttfb, ttfb + SIZE / rate, now)
    return http


def test_before_any_answer_something_usual_is_assumed() -> None:
    http = Http()
    assert (http.ttfb, http.rate) == (FIRST_TTFB, FIRST_RATE)
    assert not http.is_shaky(bitrate=1e9)


def test_an_answer_says_how_long_it_took_to_begin_and_how_fast_it_went_on() -> None:
    http = http_of(500_000.0, ttfb=0.3)
    assert http.ttfb == pytest.approx(0.3)
    assert http.rate == pytest.approx(500_000.0)


def test_what_is_small_says_only_how_long_it_took_to_begin() -> None:
    http = Http()
    http.answered(LEAST_MEASURED - 1, 0.5, 10.0, 10.0)
    assert (http.ttfb, http.rate) == (0.5, FIRST_RATE)
    http.answered(LEAST_MEASURED, 0.5, 1.5, 20.0)
    assert http.rate == pytest.approx(LEAST_MEASURED)


def test_of_the_time_to_the_first_byte_only_the_worst_of_twenty_is_left_out() -> None:
    http = Http()
    for ttfb in (5.0, *[0.1] * 18, 0.4):
        http.answered(1, ttfb, ttfb, 0.0)
    assert http.ttfb == 0.4


def test_what_was_over_before_it_was_up_to_speed_says_little() -> None:
    http = http_of(1_000_000.0, 1_000_000.0)
    http.answered(int(COMPARABLE * SIZE) - 1, 0.1, 10.0, 20.0)
    assert http.rate == pytest.approx(1_000_000.0)
    http.answered(int(COMPARABLE * SIZE), 0.1, 10.0, 40.0)
    assert http.rate < 100_000.0


def test_the_line_is_as_fast_as_all_answers_together_that_come_at_a_time() -> None:
    http = Http()
    for _ in range(4):
        http.answered(SIZE, 0.1, 4.1, 10.0)
    assert http.rate == pytest.approx(1_000_000.0)


def test_who_shares_the_line_for_a_while_counts_for_so_long() -> None:
    http = Http()
    http.answered(SIZE, 0.0, 2.0, 2.0)
    http.answered(SIZE, 0.0, 2.0, 3.0)  # for a second both of them came
    assert http.rate == pytest.approx(750_000.0)


def test_what_links_bring_at_the_same_time_counts_too() -> None:
    http = Http()
    http.answered(SIZE, 1.0, 5.0, 5.0, beside=500_000)
    assert http.rate == pytest.approx((SIZE + 400_000) / 4)


def test_what_links_bring_counts_for_no_more_than_the_origin_has_shown_without_them() -> None:
    slow = Http()
    slow.answered(100_000, 0.0, 1.0, 1.0, beside=2_000_000)
    assert slow.rate == pytest.approx(2 * 100_000)
    once_fast = Http()
    once_fast.answered(100_000, 0.0, 0.1, 0.1)
    once_fast.answered(100_000, 0.0, 1.0, 0.1 + HALF_LIFE, beside=2_000_000)
    assert once_fast.rate == pytest.approx(100_000 + 1_000_000 / 2)


def test_bad_moments_count() -> None:
    http = http_of(*[1_000_000.0] * 7, *[100_000.0] * 3)
    assert http.rate == pytest.approx(100_000.0)
    mostly_good = http_of(*[1_000_000.0] * 18, *[100_000.0] * 2)
    assert mostly_good.rate == pytest.approx(1_000_000.0)


def test_what_was_long_ago_is_forgotten() -> None:
    http = http_of(*[10_000.0] * 5, *[1_000_000.0] * SAMPLES, ttfb=0.2)
    assert http.rate == pytest.approx(1_000_000.0)


def test_how_long_something_takes() -> None:
    http = http_of(1_000_000.0, ttfb=0.2)
    assert http.takes(0) == pytest.approx(0.2 + GUARD)
    assert http.takes(400_000) == pytest.approx(0.2 + 0.4 / RATE_SHARE + GUARD)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.lists(st.floats(1e3, 1e8), max_size=30))
def test_more_takes_longer(one: int, other: int, rates: list[float]) -> None:
    http = http_of(*rates)
    assert (http.takes(one) <= http.takes(other)) == (one <= other) or one == other
    assert http.takes(one) > 0


def test_it_is_shaky_if_it_is_sometimes_hardly_fast_enough() -> None:
    fast, slow = 1_000_000.0, 120_000.0
    sometimes = [fast] * (ENOUGH - 2) + [slow] * 2
    assert http_of(*sometimes).is_shaky(bitrate=100_000.0)
    assert not http_of(*sometimes).is_shaky(bitrate=50_000.0)
    assert not http_of(slow, *[fast] * (ENOUGH - 1)).is_shaky(100_000.0), "a connection's first"
    assert not http_of(*[slow] * (ENOUGH - 1)).is_shaky(bitrate=100_000.0), "too early to say"


@given(VALUES, st.floats(0.0, 1.0))
def test_a_percentile_is_one_of_the_values_and_so_many_do_not_exceed_it(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    below = sum(value < found for value in values)
    assert below <= share * (len(values) - 1) + 0.5


@given(VALUES)
def test_its_ends(values: list[float]) -> None:
    assert percentile(values, 0.0) == min(values)
    assert percentile(values, 1.0) == max(values)
