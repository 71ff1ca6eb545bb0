"""Sums, and what can be said of many viewers without knowing any one of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.core.amounts import (
    AMOUNTS,
    HISTOGRAM,
    MOST_BYTES,
    SHOWN,
    STARTUPS,
    STEPS,
    Amounts,
    bounded,
    ratio,
)


def test_all_is_added() -> None:
    one = Amounts(**dict(zip(AMOUNTS, range(1, 100), strict=False)))
    two = Amounts()
    two.add(one)
    two.add(one)
    assert all(getattr(two, name) == 2 * getattr(one, name) > 0 for name in AMOUNTS)


def test_no_sum_goes_beyond_what_can_be_shown() -> None:
    amounts = Amounts(waste_bytes=MOST_BYTES)
    amounts.add(Amounts(waste_bytes=1, peer_bytes_claimed=-(2**70)))
    assert (amounts.waste_bytes, amounts.peer_bytes_claimed) == (MOST_BYTES, -MOST_BYTES)
    assert bounded(5) == 5


def test_there_is_a_class_for_each_bound_and_one_more() -> None:
    names = [f"startups_{bound}" for bound in STARTUPS]
    assert list(HISTOGRAM) == [*names, "startups_later"]
    assert not set(HISTOGRAM) & set(SHOWN)


def test_steps_are_told_as_means_alone() -> None:
    amounts = Amounts()
    for step in STEPS:
        assert amounts.time_to(step) is None
        amounts.took(step, 1000.9)
        amounts.took(step, 4000)
        assert amounts.time_to(step) == 2.5
    assert not [name for name in SHOWN if name.startswith(STEPS)]


@pytest.mark.parametrize(
    ("origin", "least", "confirmed", "best"),
    [
        (0, 0, 0, None),
        (10, 10, -10, None),
        (0, 0, 5, 1),
        (10, 10, 0, 0),
        (10, 5, 10, 0.75),
        (10, 10, -5, 0),
    ],
)
def test_the_best_is_what_the_origin_need_not_have_sent(
    origin: int, least: int, confirmed: int, best: float | None
) -> None:
    amounts = Amounts(origin_bytes=origin, least_bytes=least, peer_bytes_confirmed=confirmed)
    assert amounts.best_offload == best
    assert amounts.offload <= (1 if best is None else best)


def test_what_came_from_elsewhere_came_by_http() -> None:
    amounts = Amounts(
        origin_bytes=1, least_bytes=1, elsewhere_bytes=2, peer_bytes_confirmed=1, overhead_bytes=1
    )
    assert amounts.http_bytes == 3
    assert (amounts.offload, amounts.best_offload, amounts.saved_bytes) == (0.25, 0.75, 0)


@pytest.mark.parametrize(
    ("milliseconds", "name"),
    [
        (0, "startups_250"),
        (250, "startups_250"),
        (250.1, "startups_500"),
        (12_000, "startups_12000"),
        (12_001, "startups_later"),
        (86_400_000, "startups_later"),
    ],
)
def test_where_a_start_is_counted(milliseconds: float, name: str) -> None:
    amounts = Amounts()
    amounts.started(milliseconds)
    assert amounts == Amounts(**{name: 1, "startup_ms": int(milliseconds)})
    assert amounts.startups == 1


def test_of_nobody_nothing_is_said() -> None:
    nothing = Amounts()
    assert nothing.startup(0.5) is None
    for said in (nothing.link_success, nothing.link_time, nothing.rebuffer_ratio, nothing.bitrate):
        assert said is None
    assert (nothing.offload, nothing.saved_bytes, nothing.startups) == (0.0, 0, 0)


def test_beyond_the_last_class_only_the_least_is_known() -> None:
    assert Amounts(startups_later=9).startup(0.5) == 12.0


def test_quantiles_are_those_of_everybody_to_within_a_class() -> None:
    random = Random(3)
    times = sorted(random.lognormvariate(7.0, 0.7) for _ in range(5000))
    parts = [Amounts() for _ in range(7)]
    for number, time in enumerate(times):
        parts[number % 7].started(time)
    total = Amounts()
    for part in parts:
        total.add(part)
    assert total.startups == 5000
    for share in (0.05, 0.5, 0.95):
        true = times[int(share * 5000)] / 1000
        told = total.startup(share)
        assert told is not None
        assert abs(told - true) < 0.1 * true


@given(st.lists(st.floats(0, 20_000), min_size=1, max_size=50), st.floats(0.01, 1))
def test_more_viewers_are_never_faster(times: list[float], share: float) -> None:
    amounts = Amounts()
    for time in times:
        amounts.started(time)
    less, more = amounts.startup(share / 2), amounts.startup(share)
    assert less is not None
    assert more is not None
    assert 0 < less <= more <= 12


def test_what_follows_from_the_sums() -> None:
    amounts = Amounts(
        peer_bytes_confirmed=900,
        origin_bytes=100,
        overhead_bytes=50,
        links_made=3,
        links_failed=1,
        link_ms=600,
        played_ms=9000,
        stalled_ms=1000,
        played_bytes=4_500_000,
    )
    assert amounts.saved_bytes == 850
    assert amounts.offload == 0.9
    assert amounts.link_success == 0.75
    assert amounts.link_time == 0.2
    assert amounts.rebuffer_ratio == 0.1
    assert amounts.bitrate == 4_000_000


def test_what_was_taken_back_makes_no_share_below_nothing() -> None:
    amounts = Amounts(peer_bytes_confirmed=-900, origin_bytes=1000)
    assert (amounts.saved_bytes, amounts.offload) == (0, 0.0)


def test_a_quotient_of_nothing() -> None:
    assert ratio(1, 0) is None
    assert ratio(1, -1) is None
    assert ratio(1, 3) == 0.333333
