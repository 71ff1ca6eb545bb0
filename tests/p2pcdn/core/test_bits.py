"""Sets of chunks as whole numbers: each function against what sets of numbers would say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.bits import (
    first_of,
    mask_of,
    mask_of_spans,
    numbers_in,
    pick,
    run,
    some_of,
    spans_in,
)
from p2pcdn.model import Span, numbers_of

NUMBERS = st.sets(st.integers(0, 200))


def numbers(mask: int) -> set[int]:
    return {number for number in range(mask.bit_length()) if mask >> number & 1}


@given(NUMBERS)
def test_a_mask_has_the_bits_of_its_numbers(chosen: set[int]) -> None:
    assert numbers(mask_of(chosen)) == chosen
    assert list(numbers_in(mask_of(chosen))) == sorted(chosen)


@given(st.integers(0, 200), st.integers(-1, 200))
def test_a_run_has_both_its_ends(first: int, last: int) -> None:
    assert numbers(run(first, last)) == set(range(first, last + 1))


@given(
    st.lists(st.builds(Span, st.integers(-10, 100), st.integers(-10, 100)), max_size=5),
    st.integers(0, 80),
)
def test_runs_are_taken_as_far_as_there_are_chunks(spans: list[Span], most: int) -> None:
    there = {number for number in numbers_of(spans) if 0 <= number < most}
    assert numbers(mask_of_spans(spans, most)) == there


def test_a_run_without_end_costs_nothing() -> None:
    assert mask_of_spans([Span(0, 2**53)], 8) == 0xFF
    assert mask_of_spans([Span(2**53, 2**53)], 8) == 0


@given(NUMBERS)
def test_spans_are_as_few_and_as_long_as_can_be(chosen: set[int]) -> None:
    spans = spans_in(mask_of(chosen))
    assert mask_of_spans(spans, 201) == mask_of(chosen)
    ends = {span.last for span in spans}
    assert all(span.first - 1 not in ends | chosen for span in spans)
    assert spans == sorted(spans)


@given(NUMBERS, st.integers(0, 30))
def test_the_lowest_of_them(chosen: set[int], most: int) -> None:
    assert numbers(first_of(mask_of(chosen), most)) == set(sorted(chosen)[:most])


@given(NUMBERS.filter(bool), st.integers(0, 250))
def test_one_is_picked_by_its_turn_counted_round_and_round(chosen: set[int], turn: int) -> None:
    assert pick(mask_of(chosen), turn) == sorted(chosen)[turn % len(chosen)]


@given(NUMBERS, st.integers(-1, 30), st.integers(0, 250))
def test_some_of_them_begin_with_that_one_and_go_round(
    chosen: set[int], most: int, turn: int
) -> None:
    start = turn % max(len(chosen), 1)
    round_ = sorted(chosen)[start:] + sorted(chosen)[:start]
    assert numbers(some_of(mask_of(chosen), most, turn)) == set(round_[: max(most, 0)])


@pytest.mark.parametrize("mask", [0])
def test_nothing_has_no_numbers_and_no_spans(mask: int) -> None:
    assert list(numbers_in(mask)) == []
    assert spans_in(mask) == []
    assert first_of(mask, 3) == 0
