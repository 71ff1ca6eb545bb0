"""What the neighbours announce: as far as it is of use, and no further."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core import bits
from p2pcdn.core.availability import (
    LOADING_LASTS,
    MOST_CHUNKS,
    MOST_SEGMENTS,
    MOST_SPANS,
    Availability,
    holding_in,
    mask_of,
)
from p2pcdn.model import SegmentKey, Span, numbers_of
from p2pcdn.wire.link import Holding

ONE, TWO = SegmentKey("v", 1), SegmentKey("v", 2)
LINKS = range(1, 10)

SPANS = st.lists(st.builds(Span, st.integers(-10, 100), st.integers(-10, 100)), max_size=5)


def holding_of(segment: SegmentKey, chunks: Iterable[int]) -> Holding:
    return holding_in(segment, bits.mask_of(chunks))


def announce(known: Availability, kind: str, link: int, holding: Holding) -> None:
    """The link has this now, or no longer."""
    if kind == "have":
        known.have(link, [holding], 0.0)
    else:
        known.gone(link, [holding])


@given(SPANS)
def test_a_mask_has_a_bit_for_each_number_there_can_be(spans: list[Span]) -> None:
    numbers = {number for number in numbers_of(spans) if number >= 0}
    assert mask_of(spans) == sum(1 << number for number in numbers)


def test_a_mask_has_no_more_bits_than_are_remembered() -> None:
    assert mask_of([Span(0, 2**53)]).bit_length() == MOST_CHUNKS
    assert mask_of([Span(2**53, 2**53)]) == 0


@given(st.sets(st.integers(0, 200)))
def test_a_holding_says_exactly_its_chunks(chunks: set[int]) -> None:
    holding = holding_of(ONE, chunks)
    assert (holding.rendition, holding.sequence) == ONE
    assert set(numbers_of(holding.chunks)) == chunks


def test_a_holding_that_is_too_ragged_is_told_in_part() -> None:
    chunks = range(0, 4 * MOST_SPANS, 2)
    told = holding_of(ONE, chunks).chunks
    assert len(told) == MOST_SPANS
    assert set(numbers_of(told)) < set(chunks)


def holders(known: Availability, segment: SegmentKey, chunk: int) -> list[int]:
    """The links that are known to hold a chunk."""
    return [link for link in LINKS if known.held(link).get(segment, 0) >> chunk & 1]


def test_who_holds_what() -> None:
    known = Availability()
    known.have(7, [holding_of(ONE, [0, 1]), holding_of(TWO, [0])], 0.0)
    known.have(8, [holding_of(ONE, [1, 2])], 0.0)
    known.have(8, [holding_of(ONE, [3])], 0.0)
    assert [holders(known, ONE, chunk) for chunk in range(5)] == [[7], [7, 8], [8], [8], []]
    assert holders(known, TWO, 0) == [7]
    known.gone(8, [holding_of(ONE, [1, 2])])
    assert [holders(known, ONE, chunk) for chunk in range(4)] == [[7], [7], [], [8]]
    known.lacks(7, ONE, 1)
    assert [holders(known, ONE, chunk) for chunk in range(2)] == [[7], []]
    known.forget(7)
    assert holders(known, ONE, 0) == holders(known, TWO, 0) == []


def test_what_is_held_goes_on_to_tell_the_truth() -> None:
    known = Availability()
    known.have(7, [holding_of(ONE, [0])], 0.0)
    held = known.held(7)
    known.have(7, [holding_of(ONE, [2])], 0.0)
    assert held == {ONE: 0b101}
    known.gone(7, [holding_of(ONE, [0, 2])])
    assert held == {}
    assert known.held(8) == {}


def test_whether_anybody_has_any_of_it() -> None:
    known = Availability()
    assert not known.offers(ONE)
    known.have(7, [holding_of(ONE, [3])], 0.0)
    assert known.offers(ONE)
    assert not known.offers(TWO)
    known.gone(7, [holding_of(ONE, [3])])
    assert not known.offers(ONE)


def test_what_is_gone_without_having_been_there() -> None:
    known = Availability()
    known.gone(7, [holding_of(ONE, [0])])
    known.lacks(8, TWO, 3)
    assert holders(known, ONE, 0) == []


def test_who_loads_something_is_believed_for_a_while() -> None:
    known, now = Availability(), 0.0
    known.loads(7, [holding_of(ONE, [0, 1])], now)
    assert known.loading(ONE, now) == (0b011, now + LOADING_LASTS)
    known.loads(8, [holding_of(ONE, [1, 2])], now + 1)
    assert known.loading(ONE, now + 1) == (0b111, now + 1 + LOADING_LASTS)
    assert known.loading(TWO, now) == (0, 0.0)
    assert known.loading(ONE, now + LOADING_LASTS) == (0b110, now + 1 + LOADING_LASTS)
    assert known.loading(ONE, now + 1 + LOADING_LASTS) == (0, 0.0)
    assert not known.offers(ONE)


@pytest.mark.parametrize("end", ["have", "gone"])
def test_what_has_come_or_was_given_up_is_not_loading(end: str) -> None:
    known, now = Availability(), 0.0
    known.loads(7, [holding_of(ONE, [0, 1])], now)
    announce(known, end, 7, holding_of(ONE, [0]))
    assert known.loading(ONE, now) == (0b10, now + LOADING_LASTS)
    known.forget(7)
    assert known.loading(ONE, now) == (0, 0.0)


def test_a_link_can_fill_no_memory() -> None:
    known, now = Availability(), 0.0
    first, last, beyond = (SegmentKey("v", n) for n in (0, MOST_SEGMENTS - 1, MOST_SEGMENTS))
    many = [Holding("v", sequence, (Span(0, 0),)) for sequence in range(MOST_SEGMENTS + 1)]
    known.have(7, many, 0.0)
    known.loads(7, many, now)
    assert (known.offers(last), known.offers(beyond)) == (True, False)
    assert known.loading(beyond, now) == (0, 0.0)
    known.have(7, [holding_of(first, [1])], 0.0)
    known.loads(7, [holding_of(first, [2])], now)
    assert holders(known, first, 1) == [7], "what is known of may grow"
    assert known.loading(first, now)[0] == 0b101
    later = now + LOADING_LASTS
    known.loads(7, [holding_of(beyond, [0])], later)
    assert known.loading(beyond, later)[0] == 1
    known.gone(7, [holding_of(first, [0, 1])])
    known.have(7, many[-1:], 0.0)
    assert known.offers(beyond)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["have", "gone"]),
            st.integers(1, 3),
            st.sampled_from([ONE, TWO]),
            st.sets(st.integers(0, 9), max_size=6),
        ),
        max_size=30,
    )
)
def test_it_is_what_sets_would_say(
    said: list[tuple[str, int, SegmentKey, set[int]]],
) -> None:
    known = Availability()
    model: dict[tuple[int, SegmentKey], set[int]] = {}
    for kind, link, segment, chunks in said:
        announce(known, kind, link, holding_of(segment, chunks))
        held = model.setdefault((link, segment), set())
        held |= chunks if kind == "have" else set()
        held -= chunks if kind == "gone" else set()
    for segment in (ONE, TWO):
        for chunk in range(10):
            expected = {link for (link, s), held in model.items() if s == segment and chunk in held}
            assert set(holders(known, segment, chunk)) == expected
