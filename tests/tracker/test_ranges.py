"""Which rows answer which query."""

from __future__ import annotations

import itertools

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcdn.config import LedgerConfig
from p2pcdn.core.rollup import WIDTHS
from tracker import ranges
from tracker.ranges import AUTO_POINTS, DAY, MOST_POINTS, Plan
from tracker.storage import Range

NOW = 1_700_000_000.0
CONFIG = LedgerConfig()


def series(**query: str) -> Plan:
    return ranges.series({key.strip("_"): value for key, value in query.items()}, CONFIG, NOW)


def contents(**query: str) -> list[Range]:
    return ranges.contents({key.strip("_"): value for key, value in query.items()}, CONFIG, NOW)


def ago(seconds: float) -> str:
    return str(NOW - seconds)


@pytest.mark.parametrize(
    ("length", "step", "width"),
    [
        (900, 10, 10),
        (3600, 10, 10),
        (7200, 30, 10),
        (DAY, 300, 60),
        (7 * DAY, 3600, 3600),  # of which there are no minutes any more
        (2.9 * DAY, 900, 60),
        (30 * DAY, 7200, 3600),
        (365 * DAY, 2 * DAY, 3600),
    ],
)
def test_a_range_is_told_in_steps_that_a_chart_can_show(
    length: float, step: int, width: int
) -> None:
    plan = series(from_=ago(length))
    assert plan.step == step
    assert plan.span.width == width
    assert plan.span.start <= NOW - length < plan.span.start + step
    assert plan.span.end - step < NOW <= plan.span.end


def test_the_last_hour_is_meant_where_nothing_is_said() -> None:
    assert series() == series(from_=ago(3600), to=ago(0))
    assert series(to=ago(7200)).span.start <= NOW - 10_800
    assert series(to="5").span.start == series(from_="0001-01-01T00:00:00+23:59").span.start == 0


def test_a_step_may_be_chosen() -> None:
    assert series(step="60").step == 60
    assert series(from_=ago(DAY), step="60") == Plan(
        Range(int(NOW - DAY) // 60 * 60, int(NOW) // 60 * 60 + 60, 60), 60
    )


def test_what_is_not_kept_so_finely_is_told_more_coarsely() -> None:
    assert series(from_=ago(3 * 3600), step="10").step == 60
    assert series(from_=ago(3 * 3600), step="70").step == 120
    assert series(from_=ago(10 * DAY), step="60").step == 3600


def test_an_answer_has_so_many_points_and_no_more() -> None:
    assert series(from_=ago(MOST_POINTS * 60), step="60")
    with pytest.raises(web.HTTPBadRequest) as refused:
        series(from_=ago(MOST_POINTS * 60 + 60), step="60")
    least = (refused.value.text or "").rpartition("at least ")[2].rstrip(".")
    assert series(from_=ago(MOST_POINTS * 60 + 60), step=least)


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14T23:13:20+01:00",
        "2023-11-14T23:13:20 01:00",  # as a query has it whose plus sign was not encoded
        "1700000000",
        "1.7e9",
    ],
)
def test_times_are_numbers_or_as_rfc_3339_has_them(text: str) -> None:
    assert series(from_=text, to=str(NOW + 3600)) == series(from_=str(NOW), to=str(NOW + 3600))


@pytest.mark.parametrize(
    "text",
    ["", "x", "nan", "inf", "-1", "1e99", "1_700_000_000", "2023-11-14T22:13:20", "2023-13-01",
     "9" * 400, "\0"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["from", "to"])
def test_what_is_no_time_is_refused(name: str, text: str) -> None:
    for plan in (ranges.series, ranges.contents):
        with pytest.raises(web.HTTPBadRequest, match=r"."):
            plan({name: text}, CONFIG, NOW)


@pytest.mark.parametrize(
    "step", ["", "0", "-10", "15", "10.0", "1e3", "x", "9" * 30, "٣٠", "31536010"]
)
def test_what_is_no_step_is_refused(step: str) -> None:
    with pytest.raises(web.HTTPBadRequest):
        series(step=step)


def test_time_does_not_run_backwards() -> None:
    for query in ({"from_": ago(0), "to": ago(1)}, {"from_": ago(5), "to": ago(5)}):
        with pytest.raises(web.HTTPBadRequest):
            series(**query)
        with pytest.raises(web.HTTPBadRequest):
            contents(**query)


@settings(deadline=None)
@given(st.floats(0, NOW), st.floats(0, NOW), st.none() | st.integers(1, 10**6))
def test_whatever_is_asked_the_answer_is_bounded_and_has_all_of_it(
    one: float, other: float, tens: int | None
) -> None:
    start, end = sorted((one, other))
    query = {"from": str(start), "to": str(end)}
    if tens is not None:
        query["step"] = str(tens * 10)
    try:
        plan = ranges.series(query, CONFIG, NOW)
    except web.HTTPBadRequest:
        assert start == end or tens is not None
        return
    span, step = plan
    assert span.start <= start < end <= span.end
    assert span.start % step == span.end % step == step % span.width == 0
    assert (span.end - span.start) / step <= (AUTO_POINTS if tens is None else MOST_POINTS) + 2


@settings(deadline=None)
@given(st.integers(0, 30 * DAY), st.integers(0, 30 * DAY))
def test_contents_are_added_up_from_few_rows_and_each_second_counts_once(
    one: float, other: float
) -> None:
    later, earlier = sorted((one, other))
    if later == earlier:
        return
    spans = contents(from_=ago(earlier), to=ago(later))
    finest = min(spans[0].width, spans[-1].width)
    assert spans[0].start <= NOW - earlier < spans[0].start + finest
    assert spans[-1].end - finest < NOW - later <= spans[-1].end
    for span in spans:
        assert span.start % span.width == span.end % span.width == 0
        assert span.start < span.end
    for before, after in itertools.pairwise(spans):
        assert before.end == after.start
        assert before.width != after.width
    rows = sum((span.end - span.start) / span.width for span in spans)
    assert rows <= 2 * (5 + 59) + 30 * 24 + 2


def test_a_day_is_added_up_from_hours_and_its_ends_from_less() -> None:
    assert [span.width for span in contents(from_=ago(DAY + 70), to=ago(10))] == [60, 3600, 60]
    assert [span.width for span in contents(from_=ago(3599), to=ago(11))] == [10, 60, 10]
    assert [span.width for span in contents(from_=ago(45), to=ago(11))] == [10]


def test_contents_of_long_ago_come_from_what_is_kept() -> None:
    (span,) = contents(from_=ago(10 * DAY), to=ago(10 * DAY - 60))
    assert span.width == WIDTHS[-1]
