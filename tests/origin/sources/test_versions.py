"""What another server says of a file."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from multidict import CIMultiDict

from origin.sources.versions import (
    LEAST,
    MOST,
    MOST_GUESSED,
    SLICE,
    WHOLE,
    Said,
    Version,
    said,
)

NOW = 1_800_000_000.0


def told(headers: dict[str, str], size: int | None, now: float) -> Said:
    return said(CIMultiDict(headers), size, now)


def date(seconds: float) -> str:
    return formatdate(NOW + seconds, usegmt=True)


@pytest.mark.parametrize("etag", ['"x"', '""', '"a-b/c=;,"', '"\xe9"'])
def test_a_strong_tag_tells_the_version(etag: str) -> None:
    assert told({"ETag": etag}, 10, NOW).strong == Version(10, etag)


@pytest.mark.parametrize("etag", ["", 'W/"x"', "x", '"x', 'w/"x"', '"a"b"', '"a b"'])
def test_other_tags_tell_nothing(etag: str) -> None:
    assert told({"ETag": etag}, 10, NOW).strong is None


def test_a_change_long_ago_tells_the_version() -> None:
    headers = {"ETag": 'W/"x"', "Last-Modified": date(-61), "Date": date(-1)}
    assert told(headers, 10, NOW).strong == Version(10, "", round(NOW - 61))
    assert told(headers | {"Date": date(-2)}, 10, NOW).strong is None
    assert told({"Last-Modified": date(-61)}, 10, NOW).strong is not None
    assert told({"Last-Modified": date(-59)}, 10, NOW).strong is None
    assert told({"Last-Modified": date(5)}, 10, NOW).strong is None
    assert told({"Last-Modified": "long ago"}, 10, NOW).strong is None


def test_no_version_without_a_size() -> None:
    assert told({"ETag": '"x"'}, None, NOW).strong is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, LEAST),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": 'public, Max-Age="60", immutable'}, 60),
        ({"Cache-Control": "max-age=60, s-maxage=30"}, 30),
        ({"Cache-Control": "max-age=60", "Age": "50"}, 10),
        ({"Cache-Control": "max-age=60", "Age": "500"}, LEAST),
        ({"Cache-Control": "max-age=60", "Age": "-5"}, 60),
        ({"Cache-Control": "max-age=0"}, LEAST),
        ({"Cache-Control": "max-age=9999999999"}, MOST),
        ({"Cache-Control": "max-age=60, no-cache"}, LEAST),
        ({"Cache-Control": "no-store"}, LEAST),
        ({"Cache-Control": "private, max-age=60"}, LEAST),
        ({"Cache-Control": "max-age=many"}, LEAST),
        ({"Last-Modified": date(-100)}, 10),
        ({"Last-Modified": date(-1)}, LEAST),
        ({"Last-Modified": date(100)}, LEAST),
        ({"Last-Modified": date(-1_000_000)}, MOST_GUESSED),
    ],
)
def test_for_how_long_it_is_believed(headers: dict[str, str], seconds: float) -> None:
    assert told(headers, 10, NOW).believed == pytest.approx(seconds)


def test_what_a_request_is_made_conditional_by() -> None:
    both = {"ETag": 'W/"x"', "Last-Modified": date(-5)}
    assert told(both, 10, NOW).conditions() == {"If-None-Match": 'W/"x"'}
    modified = {"Last-Modified": date(-5)}
    assert told(modified, 10, NOW).conditions() == {"If-Modified-Since": date(-5)}
    assert told({}, 10, NOW).conditions() == {}


def test_identities_differ_with_versions() -> None:
    versions = [
        Version(10, '"a"'),
        Version(11, '"a"'),
        Version(10, '"b"'),
        Version(10, "", 5),
        Version(10, "", 6),
        Version(10, digest="a"),
        Version(10, digest="b"),
    ]
    assert len({version.identity for version in versions}) == len(versions)
    assert len({version.identity.etag for version in versions}) == len(versions)
    keys = {version.key(url, number) for version in versions for url in "xy" for number in (0, 1)}
    assert len(keys) == 4 * len(versions)
    assert not any(a.is_same(b) for a in versions for b in versions if a is not b)


def test_with_a_tag_the_time_does_not_count() -> None:
    assert Version(10, '"a"', 5).is_same(Version(10, '"a"', 6))
    assert Version(10, '"a"', 5).key("x", 0) == Version(10, '"a"', 6).key("x", 0)


def test_slices() -> None:
    small, large = Version(WHOLE), Version(WHOLE + 1)
    assert small.is_whole
    assert (small.slice_at(WHOLE - 1), small.length_of(0)) == ((0, 0), WHOLE)
    assert not large.is_whole
    assert large.slice_at(SLICE - 1) == (0, 0)
    assert large.slice_at(WHOLE) == (WHOLE // SLICE, WHOLE)
    assert (large.length_of(0), large.length_of(WHOLE // SLICE)) == (SLICE, 1)
