"""The answer that a request gets, before any byte of a body."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from multidict import CIMultiDict

from origin.http.conditions import Validators
from origin.http.representation import Content, Fields, Representation, text_of
from origin.http.selection import Selection, select
from origin.http_error import HttpError
from p2pcdn.model import Span
from tests.origin.rfc9110 import MODIFIED, MODIFIED_SECONDS

SHOWN = Representation(
    Content(b"0123456789"),
    Validators('"v1"', MODIFIED_SECONDS),
    "video/mp2t",
    "max-age=1",
    "media",
    (("Vary", "Accept-Encoding"),),
)

DESCRIBED = Fields(
    {
        "Etag": '"v1"',
        "Cache-Control": "max-age=1",
        "Last-Modified": MODIFIED,
        "Vary": "Accept-Encoding",
    }
)

FULL = Fields({"Content-Type": "video/mp2t", "Accept-Ranges": "bytes", **DESCRIBED})


def selected(method: str = "GET", **headers: str) -> Selection:
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return select(method, named, SHOWN)


def test_the_whole() -> None:
    assert selected() == Selection(HTTPStatus.OK, FULL, 10, Span(0, 9))


def test_head_has_the_same_headers_and_no_body() -> None:
    assert selected("HEAD") == Selection(HTTPStatus.OK, FULL, 10, None)


def test_a_part() -> None:
    wanted = Selection(HTTPStatus.PARTIAL_CONTENT, FULL, 3, Span(2, 4), "bytes 2-4/10")
    found = selected(Range="bytes=2-4")
    assert found == wanted
    assert found.own == {"Content-Range": "bytes 2-4/10", "Content-Length": "3"}


def test_head_knows_no_ranges() -> None:
    assert selected("HEAD", Range="bytes=2-4").status is HTTPStatus.OK
    assert selected("HEAD", Range="bytes=20-").status is HTTPStatus.OK


def test_a_range_of_another_version_gets_the_whole() -> None:
    assert selected(Range="bytes=2-4", If_Range='"v0"').span == Span(0, 9)
    assert selected(Range="bytes=20-", If_Range='"v0"').span == Span(0, 9)
    assert selected(Range="bytes=2-4", If_Range='"v1"').span == Span(2, 4)


def test_nothing_new() -> None:
    wanted = Selection(HTTPStatus.NOT_MODIFIED, DESCRIBED, 0, None)
    assert selected(If_None_Match='"v1"') == wanted
    assert selected(If_None_Match='"v1"', Range="bytes=20-") == wanted


def test_an_unsatisfiable_range() -> None:
    with pytest.raises(HttpError) as caught:
        selected(Range="bytes=10-")
    assert caught.value.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    assert caught.value.headers == {"Content-Range": "bytes */10", "Etag": '"v1"'}


def test_a_failed_precondition() -> None:
    with pytest.raises(HttpError) as caught:
        selected(If_Match='"v0"', Range="bytes=20-")
    assert caught.value.status is HTTPStatus.PRECONDITION_FAILED


@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=2-4"}, {"If_None_Match": "*"}, {"Range": "bytes=2-"}]
)
def test_its_own_fields_as_they_are_sent(headers: dict[str, str]) -> None:
    for method in ("GET", "HEAD"):
        found = selected(method, **headers)
        assert found.text == text_of(found.own)


def test_nothing_at_all() -> None:
    empty = Representation(Content(b""), Validators('"v1"'), "text/plain", "no-cache", "overhead")
    selection = select("GET", CIMultiDict({"Range": "bytes=-5"}), empty)
    assert (selection.status, selection.length, selection.span) == (HTTPStatus.OK, 0, None)
    assert "Last-Modified" not in selection.shared
