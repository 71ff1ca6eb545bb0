"""What waits for the other end's word, and what becomes of it."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.bits import run
from p2pcdn.core.claims import MOST_BITS, MOST_SEGMENTS, Outcome, Pair, Way
from p2pcdn.core.runs import size_of
from p2pcdn.model import CHUNK_SIZE, SegmentKey

SEGMENT = SegmentKey("v", 0)
BOTH = (99.0, 99.0)


def test_what_both_say_waits_no_more() -> None:
    way = Way()
    assert way.sent(SEGMENT, run(0, 3), None, 0.0) == Outcome(0, None, 4 * CHUNK_SIZE)
    said = way.received(SEGMENT, run(0, 3), (3, 10), 0.0)
    assert said == Outcome(run(0, 3), (3, 10), -4 * CHUNK_SIZE)
    assert not way.waits
    assert way.open == 0
    assert way.settle(inf, BOTH) == (0, 0)


def test_what_is_said_again_changes_nothing() -> None:
    way = Way()
    way.sent(SEGMENT, 1, None, 0.0)
    assert way.sent(SEGMENT, 1, None, 1.0) == Outcome()
    assert way.settle(0.0, BOTH) == (CHUNK_SIZE, CHUNK_SIZE)


def test_only_who_has_spoken_since_disputes() -> None:
    for heard, disputed in (((0.0, 5.0), 0), ((0.0, 5.1), CHUNK_SIZE)):
        way = Way()
        way.sent(SEGMENT, 1, None, 5.0)
        assert way.settle(4.9, heard) == (0, 0)
        assert way.settle(5.0, heard) == (disputed, disputed)
        assert not way.waits


def test_what_came_in_vain_is_held_against_claims_once() -> None:
    way = Way()
    way.vain = 3 * CHUNK_SIZE
    for sequence in (0, 1):
        way.sent(SegmentKey("v", sequence), run(0, 1), None, 0.0)
    assert way.settle_oldest(BOTH) == (2 * CHUNK_SIZE, 0)
    assert way.settle_oldest(BOTH) == (2 * CHUNK_SIZE, CHUNK_SIZE)
    assert way.vain == 0


def test_of_a_second_short_chunk_nothing_is_believed() -> None:
    way = Way()
    way.received(SEGMENT, 1 << 3, (3, 1), 0.0)
    way.received(SEGMENT, run(4, 5), (5, 1), 0.0)
    said = way.sent(SEGMENT, run(3, 5), None, 0.0)
    assert (said.agreed, said.tail) == (run(3, 4), (3, 1)), "held to the ceilings as 1 byte"
    way = Way()
    way.sent(SEGMENT, 1 << 3, (3, 1), 0.0)
    way.sent(SEGMENT, run(4, 5), (5, 1), 0.0)
    assert way.received(SEGMENT, run(3, 5), None, 0.0).agreed == run(3, 4)


def test_more_than_may_wait_is_noticed() -> None:
    way = Way()
    for sequence in range(MOST_SEGMENTS):
        way.sent(SegmentKey("v", sequence), 1, None, 0.0)
    assert not way.is_full
    way.sent(SegmentKey("w", 0), 1, None, 0.0)
    assert way.is_full


def test_so_is_more_than_may_be_held() -> None:
    way = Way()
    way.sent(SEGMENT, run(0, 65_535), None, 0.0)
    way.received(SegmentKey("v", 1), 1 << 65_535, None, 0.0)
    way.sent(SegmentKey("v", 2), 1 << 65_535, None, 0.0)
    full = [way.is_full]
    for sequence in (3, 4):
        way.sent(SegmentKey("v", sequence), 1 << 65_535, None, 0.0)
        full.append(way.is_full)
    way.settle_oldest(BOTH)
    assert [*full, way.is_full] == [False, False, True, False]
    assert way._bits == 4 * 65_536 <= MOST_BITS
    way.sent(SegmentKey("v", 1), 1 << 65_535, None, 0.0)
    way.settle(inf, BOTH)
    assert way._bits == 0


def test_each_end_has_a_way() -> None:
    pair = Pair("p", "content", "a", "b")
    assert pair.other("a") == "b"
    assert pair.other("b") == "a"
    assert pair.to("a") is pair.to("a")
    assert pair.to("a") is not pair.to("b")


TELLS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 2**8 - 1), st.integers(0, 70_000)),
    max_size=30,
)


@given(TELLS)
def test_what_is_claimed_is_what_waits_whatever_is_said_of_sizes(
    tells: list[tuple[bool, int, int, int]],
) -> None:
    way, claimed, agreed = Way(), 0, 0
    for by_sender, sequence, mask, size in tells:
        if not mask:
            continue
        tail = (mask.bit_length() - 1, size) if 0 < size < CHUNK_SIZE else None
        tell = way.sent if by_sender else way.received
        outcome = tell(SegmentKey("v", sequence), mask, tail, 0.0)
        claimed += outcome.claimed
        agreed += size_of(outcome.agreed, outcome.tail)
        assert claimed == way.open >= 0
        assert outcome.agreed & ~mask == 0
    unclaimed, disputed = way.settle(inf, BOTH)
    assert claimed == unclaimed == disputed
    assert way.open == 0
    assert not way.waits
