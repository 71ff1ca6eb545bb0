"""What the head of an answer says of a file."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from origin.catalog.playlist import PlaylistSegment
from origin.elsewhere.heads import (
    MOST_SEGMENT,
    conditions_of,
    range_of,
    reason_of,
    size_of,
    stretch_of,
    version_of,
)
from p2pcdn.errors import SourceError, SourceReason
from tests.origin.elsewhere.cdn import Reply

WHOLE = PlaylistSegment(0, "a.ts", "a.ts", 0, None, 0)
PART = PlaylistSegment(0, "a.ts", "a.ts", 100, 50, 0)
FIRST = PART._replace(offset=0)


def reply(status: int = 200, length: int | None = None, **headers: str) -> Reply:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Reply(status, named, b"", length)


def test_a_part_is_asked_for_by_its_range() -> None:
    assert range_of(WHOLE) == {}
    assert range_of(PART) == {"Range": "bytes=100-149"}


def test_a_segment_is_a_stretch_of_its_file() -> None:
    whole, part = stretch_of(WHOLE, 300, 7), stretch_of(PART, 300, 7)
    assert (whole.offset, whole.length) == (0, 300)
    assert (part.offset, part.length) == (100, 50)
    assert whole.identity == part.identity


@pytest.mark.parametrize(
    ("segment", "answer", "size"),
    [
        (WHOLE, reply(length=300), 300),
        (WHOLE, reply(), None),
        (FIRST, reply(length=50), 50),
        (PART, reply(206, 50, content_range="bytes 100-149/300"), 300),
        (FIRST, reply(206, 50, content_range="bytes 0-49/50"), 50),
    ],
)
def test_the_size_of_a_file(segment: PlaylistSegment, answer: Reply, size: int | None) -> None:
    assert size_of(segment, answer) == size


@pytest.mark.parametrize(
    ("segment", "answer", "reason"),
    [
        (WHOLE, reply(404), "missing"),
        (WHOLE, reply(410), "missing"),
        (WHOLE, reply(500), "status"),
        (WHOLE, reply(503), "busy"),
        (WHOLE, reply(429), "busy"),
        (WHOLE, reply(206, 300, content_range="bytes 0-299/300"), "status"),
        (WHOLE, reply(length=MOST_SEGMENT + 1), "length"),
        (FIRST, reply(length=300), "status"),  # all of the file
        (PART, reply(length=50), "status"),
        (PART, reply(206, 50), "status"),
        (PART, reply(206, 50, content_range="bytes 100-149/*"), "status"),
        (PART, reply(206, 50, content_range="bytes 99-148/300"), "length"),
        (PART, reply(206, 49, content_range="bytes 100-148/300"), "length"),
        (PART, reply(206, 50, content_range="bytes 100-149/149"), "length"),
    ],
)
def test_what_is_not_what_was_asked_for(
    segment: PlaylistSegment, answer: Reply, reason: str
) -> None:
    with pytest.raises(SourceError) as error:
        size_of(segment, answer)
    assert error.value.reason == reason


def test_versions_differ_by_strong_tags_or_else_by_times() -> None:
    strong = version_of(reply(etag='"a"', last_modified="x"))
    assert strong == version_of(reply(etag='"a"')) != version_of(reply(etag='"b"'))
    assert version_of(reply(etag='W/"a"', last_modified="x")) == version_of(
        reply(last_modified="x")
    )
    assert version_of(reply(etag='W/"a"')) == version_of(reply()) == 0


def test_who_asks_again_says_what_he_has() -> None:
    assert conditions_of(reply()) == {}
    asked = conditions_of(reply(etag='W/"a"', last_modified="x"))
    assert asked == {"If-None-Match": 'W/"a"', "If-Modified-Since": "x"}
    assert reason_of(reply(301)) is SourceReason.STATUS
