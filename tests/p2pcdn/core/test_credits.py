"""Nothing is credited twice, however much a session has had."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.bits import run
from p2pcdn.core.credits import MOST_CLOSED, MOST_SEGMENTS, Credits
from p2pcdn.model import CHUNK_SIZE, SegmentKey


def key(sequence: int, rendition: str = "v") -> SegmentKey:
    return SegmentKey(rendition, sequence)


def test_a_chunk_earns_once() -> None:
    credits_ = Credits()
    assert credits_.credit(key(0), run(0, 3), None, counts=True) == run(0, 3)
    assert credits_.credit(key(0), run(2, 5), None, counts=False) == run(4, 5)
    assert credits_.credit(key(0, "w"), run(0, 3), None, counts=True) == run(0, 3)


def test_what_came_from_the_origin_earns_nothing_before_or_after() -> None:
    credits_ = Credits()
    assert credits_.took_from_origin(key(0), run(0, 1)) == 0
    assert credits_.credit(key(0), run(0, 3), (3, 10), counts=True) == run(2, 3)
    assert credits_.took_from_origin(key(0), run(3, 9)) == 10
    assert credits_.took_from_origin(key(0), run(2, 9)) == CHUNK_SIZE
    assert credits_.took_from_origin(key(0), run(0, 9)) == 0


def test_what_never_counted_is_not_taken_back() -> None:
    credits_ = Credits()
    credits_.credit(key(0), run(0, 3), None, counts=False)
    assert credits_.took_from_origin(key(0), run(0, 3)) == 0


def test_what_was_closed_earns_nothing_any_more() -> None:
    credits_ = Credits()
    for sequence in range(2 * MOST_SEGMENTS):
        assert credits_.credit(key(sequence), 1, None, counts=True) == 1
    assert credits_.credit(key(0), 0b11, None, counts=True) == 0
    assert credits_.took_from_origin(key(0), 0b11) == 0
    assert credits_.credit(key(2 * MOST_SEGMENTS - 1), 0b11, None, counts=True) == 0b10


def test_the_segment_touched_longest_ago_goes_first() -> None:
    credits_ = Credits()
    for sequence in range(MOST_SEGMENTS):
        credits_.credit(key(sequence), 1, None, counts=True)
    credits_.credit(key(0), 0b10, None, counts=True)
    credits_.credit(key(10**6), 1, None, counts=True)
    assert credits_.credit(key(1), 0b10, None, counts=True) == 0
    assert credits_.credit(key(0), 0b100, None, counts=True) == 0b100


def test_the_book_is_bounded_whatever_is_claimed() -> None:
    random = Random(1)
    credits_ = Credits()
    for _ in range(3000):
        credits_.credit(key(random.randrange(2**53)), 1, None, counts=True)
    assert len(credits_._open) == MOST_SEGMENTS
    (stretches,) = credits_._closed.values()
    assert len(stretches) == MOST_CLOSED
    assert stretches == sorted(stretches)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 15)), max_size=400))
def test_no_chunk_earns_twice_however_many_segments(claims: list[tuple[int, int]]) -> None:
    credits_ = Credits()
    earned: dict[int, int] = {}
    for sequence, mask in claims:
        new = credits_.credit(key(sequence), mask, None, counts=True)
        assert not new & earned.get(sequence, 0)
        earned[sequence] = earned.get(sequence, 0) | new
