"""Conditional headers against one version of a file."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from origin.http.conditions import Outcome, Validators, evaluate, joined, range_holds
from tests.origin.rfc9110 import MODIFIED, MODIFIED_SECONDS, NEWER, OLDER

CURRENT = Validators('"now"', MODIFIED_SECONDS)


def outcome(*lines: tuple[str, str]) -> Outcome:
    return evaluate(CIMultiDict(lines), CURRENT)


@pytest.mark.parametrize("value", ['"now"', '"a", "now"', ' "a" ,, "now" ', "*", " * "])
def test_if_match_holds(value: str) -> None:
    assert outcome(("If-Match", value)) is Outcome.PROCEED


@pytest.mark.parametrize("value", ['"old"', 'W/"now"', "now", '"now', "", '"a,"now"', '"a" "now"'])
def test_if_match_fails(value: str) -> None:
    assert outcome(("If-Match", value)) is Outcome.FAILED


@pytest.mark.parametrize("value", ['"now"', 'W/"now"', '"a, b", W/"now"', "*"])
def test_if_none_match_is_known(value: str) -> None:
    assert outcome(("If-None-Match", value)) is Outcome.NOT_MODIFIED


@pytest.mark.parametrize("value", ['"old"', "now", '"no""now"', 'w/"now"', '"*"'])
def test_if_none_match_is_not_known(value: str) -> None:
    assert outcome(("If-None-Match", value)) is Outcome.PROCEED


def test_a_list_over_several_lines_is_one_list() -> None:
    assert outcome(("If-None-Match", '"a"'), ("If-None-Match", '"now"')) is Outcome.NOT_MODIFIED


@pytest.mark.parametrize(
    "date",
    [
        MODIFIED,
        NEWER,
        "Tuesday, 02-Jan-24 00:00:00 GMT",  # RFC 850
        "Tue Jan  2 00:00:00 2024",  # asctime
    ],
)
def test_not_modified_since(date: str) -> None:
    assert outcome(("If-Modified-Since", date)) is Outcome.NOT_MODIFIED
    assert outcome(("If-Unmodified-Since", date)) is Outcome.PROCEED


def test_modified_since() -> None:
    assert outcome(("If-Modified-Since", OLDER)) is Outcome.PROCEED
    assert outcome(("If-Unmodified-Since", OLDER)) is Outcome.FAILED


@pytest.mark.parametrize(
    "date",
    [
        "",
        "0",
        "-1",
        "tomorrow",
        "Tue, 99 Jan 2030 00:00:00 GMT",
        "Wed, 03 Jan 2030 00:00:00 +0200",
        f"{NEWER}, {NEWER}",  # of two lines
    ],
)
def test_what_is_no_date_is_ignored(date: str) -> None:
    assert outcome(("If-Modified-Since", date)) is Outcome.PROCEED
    assert outcome(("If-Unmodified-Since", date)) is Outcome.PROCEED


def test_tags_take_precedence_over_dates() -> None:
    assert outcome(("If-Match", '"now"'), ("If-Unmodified-Since", OLDER)) is Outcome.PROCEED
    assert outcome(("If-None-Match", '"old"'), ("If-Modified-Since", NEWER)) is Outcome.PROCEED


def test_a_failed_precondition_takes_precedence_over_what_is_known() -> None:
    assert outcome(("If-Match", '"old"'), ("If-None-Match", '"now"')) is Outcome.FAILED


def test_a_representation_without_a_date_has_no_conditions_on_it() -> None:
    headers = CIMultiDict([("If-Modified-Since", NEWER), ("If-Unmodified-Since", OLDER)])
    assert evaluate(headers, Validators('"now"')) is Outcome.PROCEED


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        ('"now"', True),
        (MODIFIED, True),
        ('"old"', False),
        ('W/"now"', False),
        (OLDER, False),
        (NEWER, False),  # "exact match": If-Range asks about a version, not about a time
        ("gibberish", False),
        ('"now", "now"', False),
    ],
)
def test_if_range(value: str, holds: bool) -> None:
    assert range_holds(CIMultiDict({"If-Range": value}), CURRENT) is holds


def test_no_if_range() -> None:
    assert range_holds(CIMultiDict(), CURRENT)


def test_joined() -> None:
    headers = CIMultiDict([("Accept", "a"), ("accept", "b")])
    assert joined(headers, "ACCEPT") == "a, b"
    assert joined(headers, "Range") is None
