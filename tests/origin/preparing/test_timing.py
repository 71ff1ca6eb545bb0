"""Where segments begin, and times that are not in order."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.preparing.timing import Clock, Cuts, Straight, UncopyableError, fill


def cut(segment: float, times: list[Fraction]) -> list[float]:
    cuts = Cuts(segment)
    for time in times:
        cuts.offer(time)
    return [float(time) for time in cuts.times]


@pytest.mark.parametrize(
    ("every", "expected"),
    [(1, [0, 4, 8]), (2, [0, 4, 8]), (3, [0, 6, 9]), (5, [0, 5, 10]), (10, [0, 10])],
)
def test_segments_have_the_right_length_on_average(every: int, expected: list[int]) -> None:
    assert cut(4, [Fraction(n) for n in range(0, 12, every)]) == expected


def test_a_key_frame_a_little_early_is_in_time() -> None:
    assert cut(4, [Fraction(n, 1000) for n in (0, 2001, 3999, 6000, 7998, 9999)]) == [
        0.0, 3.999, 7.998,
    ]  # fmt: skip


def test_what_is_known_stays_and_is_recognised() -> None:
    cuts = Cuts(4, [Fraction(0), Fraction(5)])
    assert cuts.offer(Fraction(5))
    assert not cuts.offer(Fraction(4))
    assert not cuts.offer(Fraction(7))
    assert cuts.offer(Fraction(8))
    assert Fraction(8) in cuts
    assert Fraction(4) not in cuts


def test_a_place_that_never_comes_is_missed() -> None:
    cuts = Cuts(4)
    cuts.check(Fraction(100))  # nothing has begun
    cuts.offer(Fraction(0))
    cuts.check(Fraction(12))
    with pytest.raises(UncopyableError, match=r"no key frame for 12\.5 s"):
        cuts.check(Fraction(13))
    long = Cuts(10, [Fraction(0)])
    long.check(Fraction(29))


@given(
    st.lists(st.integers(1, 4000), max_size=60),
    st.sampled_from([1.0, 2.0, 4.0, 6.0]),
)
def test_cuts_are_offered_places_at_least_nearly_a_segment_apart_on_average(
    steps: list[int], segment: float
) -> None:
    times = [Fraction(sum(steps[:n]), 1000) for n in range(len(steps) + 1)]
    cuts = cut(segment, times)
    assert set(cuts) <= {float(time) for time in times}
    assert cuts == sorted(cuts)
    assert len(cuts) <= (float(times[-1]) + 0.02) // segment + 1


def test_a_clock_fills_in_and_goes_on() -> None:
    clock = Clock("video", 40)
    assert [clock.decoding(time) for time in (0, None, 80, 80, 79, 200)] == [0, 40, 80, 81, 82, 200]


def test_a_clock_that_is_set_back_cannot_be_copied() -> None:
    clock = Clock("video", 40)
    clock.decoding(1000)
    with pytest.raises(UncopyableError) as caught:
        clock.decoding(500)
    assert (caught.value.kind, caught.value.reason) == ("video", "its times go back")


def test_times_before_the_first_that_is_known() -> None:
    assert fill([None, None, 80, 120], 40) == [0, 40, 80, 120]
    assert fill([None], 40) == [None]
    assert fill([], 40) == []


def test_frames_follow_one_another_whatever_the_file_says() -> None:
    straight = Straight(40)
    times = [straight.next(time) for time in (0, 40, None, 120, 90, 160)]
    assert times == [0, 40, 80, 120, None, 160]
    assert [straight.next(time) for time in (-90_000, -89_960)] == [200, 240]
