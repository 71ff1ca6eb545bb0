"""A request that gets no for an answer."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from origin.http_error import HttpError, refusal_of
from p2pcdn.errors import SourceError, SourceReason


def test_holds_what_the_answer_needs() -> None:
    error = HttpError(HTTPStatus.NOT_FOUND, "There is none.", {"Retry-After": "1"})
    assert error.status is HTTPStatus.NOT_FOUND
    assert error.message == "There is none."
    assert error.headers == {"Retry-After": "1"}
    assert HttpError(HTTPStatus.NOT_FOUND, "There is none.").headers == {}


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (SourceReason.MISSING, 404),
        (SourceReason.INTEGRITY, 500),
        (SourceReason.BUSY, 503),
        (SourceReason.TIMEOUT, 504),
        (SourceReason.UNREACHABLE, 502),
        (SourceReason.CLOSED, 502),
        (SourceReason.STATUS, 502),
        (SourceReason.LENGTH, 502),
    ],
)
def test_what_a_source_failed_by_has_a_status(reason: SourceReason, status: int) -> None:
    assert refusal_of(SourceError(reason, "a.ts")).status == status


def test_nobody_learns_where_a_file_is_kept() -> None:
    error = refusal_of(SourceError(SourceReason.UNREACHABLE, "10.0.0.7:80 refused the connection"))
    assert "10.0.0.7" not in error.message
    assert error.headers == {"Retry-After": "1"}


def test_what_no_source_does_by_itself_is_a_bug() -> None:
    with pytest.raises(SourceError):
        refusal_of(SourceError(SourceReason.ABORTED, "a.ts"))


def test_a_disk_that_fails_is_not_described() -> None:
    error = refusal_of(OSError(5, "Input/output error", "/srv/films/a.ts"))
    assert error.status == 503
    assert "/srv" not in error.message
