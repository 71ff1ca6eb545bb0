"""Nothing is credited twice, however much a session has had."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.bits import run
from p2pcdn.core.credits import (
    MOST_BITS,
    MOST_CLOSED,
    MOST_RENDITIONS,
    MOST_SEGMENTS,
    MOST_WAITING,
    Credits,
)
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
    assert credits_.took_from_origin(key(0), run(0, 1)).counted == 0
    assert credits_.credit(key(0), run(0, 3), (3, 10), counts=True) == run(2, 3)
    assert credits_.took_from_origin(key(0), run(3, 9)).counted == 10
    assert credits_.took_from_origin(key(0), run(2, 9)).counted == CHUNK_SIZE
    assert credits_.took_from_origin(key(0), run(0, 9)).counted == 0


def test_what_never_counted_is_not_taken_back() -> None:
    credits_ = Credits()
    credits_.credit(key(0), run(0, 3), None, counts=False)
    assert credits_.took_from_origin(key(0), run(0, 3)).counted == 0


def test_what_was_credited_whole_is_taken_back_whole() -> None:
    credits_ = Credits()
    credits_.credit(key(0), run(0, 3), None, counts=True)
    credits_.credit(key(0), run(2, 3), (3, 1), counts=True)
    assert credits_.took_from_origin(key(0), run(3, 3)).counted == CHUNK_SIZE


def test_what_was_closed_earns_nothing_any_more() -> None:
    credits_ = Credits()
    for sequence in range(2 * MOST_SEGMENTS):
        assert credits_.credit(key(sequence), 1, None, counts=True) == 1
    assert credits_.credit(key(0), 0b11, None, counts=True) == 0
    assert credits_.took_from_origin(key(0), 0b11).counted == 0
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
        segment = key(random.randrange(2**53), f"{random.randrange(20)}")
        credits_.credit(segment, 1, None, counts=True)
    assert len(credits_._open) == MOST_SEGMENTS
    assert len(credits_._closed) == MOST_RENDITIONS
    assert MOST_CLOSED <= sum(map(len, credits_._closed.values())) <= MOST_CLOSED + MOST_RENDITIONS
    for stretches in credits_._closed.values():
        assert stretches == sorted(stretches)


def test_one_rendition_has_all_of_the_stretches() -> None:
    credits_ = Credits()
    for sequence in range(0, 2000, 2):
        credits_.credit(key(sequence), 1, None, counts=True)
    ((_, stretches),) = credits_._closed.items()
    assert len(stretches) == MOST_CLOSED


def test_a_rendition_too_many_earns_nothing() -> None:
    credits_ = Credits()
    for rendition in range(MOST_RENDITIONS):
        assert credits_.credit(key(0, f"{rendition}"), 1, None, counts=True) == 1
    assert credits_.credit(key(0, "another"), 1, None, counts=True) == 0
    assert credits_.took_from_origin(key(0, "another"), 1).counted == 0
    assert credits_.credit(key(1, "0"), 1, None, counts=True) == 1


def test_chunks_far_from_the_beginning_of_their_segments_cost_no_more_than_others() -> None:
    credits_ = Credits()
    last = 1 << 65_535
    for sequence in range(MOST_SEGMENTS):
        assert credits_.credit(key(sequence), last, None, counts=True) == last
        credits_.took_from_origin(key(sequence + 10_000), last)
        held = credits_._open.values()
        assert credits_._bits == sum(had.bits for had in held) <= MOST_BITS
    assert credits_.credit(key(0), 1, None, counts=True) == 0, "it is closed"
    assert credits_.credit(key(0, "w"), run(0, 65_535), None, counts=True), "one has room"
    assert credits_.took_from_origin(key(0, "w"), 1).counted == CHUNK_SIZE


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 15)), max_size=400))
def test_no_chunk_earns_twice_however_many_segments(claims: list[tuple[int, int]]) -> None:
    credits_ = Credits()
    earned: dict[int, int] = {}
    for sequence, mask in claims:
        new = credits_.credit(key(sequence), mask, None, counts=True)
        assert not new & earned.get(sequence, 0)
        earned[sequence] = earned.get(sequence, 0) | new


def test_what_the_player_was_not_given_waits() -> None:
    credits_ = Credits()
    for sequence in (0, 1):
        credits_.credit(key(sequence), 0b11, (1, 10), counts=True, waits=True)
    assert credits_.given({key(1)}) == (CHUNK_SIZE + 10, 0)
    assert credits_.given({key(1)}) == (0, 0)
    assert credits_.took_from_origin(key(0), 1) == (CHUNK_SIZE, 0, 0)
    assert credits_.took_from_origin(key(1), 1) == (0, CHUNK_SIZE, 0)
    assert credits_.given(()) == (10, 0)


def test_what_waits_has_room_of_its_own_and_a_bound() -> None:
    credits_ = Credits()
    for sequence in range(MOST_WAITING):
        credits_.credit(key(sequence), 1, None, counts=True, waits=True)
    for sequence in range(2 * MOST_SEGMENTS):
        credits_.credit(key(sequence, "w"), 1, None, counts=True)
    credits_.credit(key(MOST_WAITING), 1, None, counts=True, waits=True)
    # The first had to go for the last; of those that no longer wait the last ones stay open.
    assert credits_.given(()) == (MOST_WAITING * CHUNK_SIZE, 0)
    assert credits_.took_from_origin(key(1), 1) == (0, 0, 0)
    assert credits_.took_from_origin(key(MOST_WAITING), 1) == (CHUNK_SIZE, 0, 0)


def test_what_the_origin_sent_for_a_player_that_was_not_given_it_is_spent_until_it_is() -> None:
    credits_ = Credits()
    assert credits_.took_from_origin(key(0), 0b11, (1, 10), waits=True).spent == CHUNK_SIZE + 10
    assert credits_.took_from_origin(key(0), 0b111, None, waits=True).spent == CHUNK_SIZE
    assert credits_.took_from_origin(key(1), 1).spent == 0
    assert credits_.given({key(0)}) == (0, 0)
    assert credits_.given(()) == (0, 2 * CHUNK_SIZE + 10)
    assert credits_.given(()) == (0, 0)


def test_what_a_pairing_has_brought_is_forgone_as_long_as_it_waits() -> None:
    credits_ = Credits()
    for pairing, chunk in (("a", 0), ("b", 1), ("a", 2)):
        credits_.credit(key(0), 1 << chunk, (2, 10), counts=True, waits=True, pairing=pairing)
    credits_.credit(key(1), 1, None, counts=True, waits=True, pairing="a")
    assert credits_.waiting == 3 * CHUNK_SIZE + 10
    assert credits_.given({key(0)}) == (CHUNK_SIZE, 0)
    assert credits_.took_from_origin(key(0), 1, waits=True).waiting == CHUNK_SIZE
    assert credits_.forgo("a") == 10
    assert credits_.forgo("a") == 0
    assert credits_.waiting == CHUNK_SIZE
    assert credits_.credit(key(0), run(0, 2), None, counts=True) == 0, "it was credited"
