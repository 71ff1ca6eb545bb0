"""A request that gets no for an answer."""

from __future__ import annotations

from http import HTTPStatus

from origin.http_error import HttpError


def test_holds_what_the_answer_needs() -> None:
    error = HttpError(HTTPStatus.NOT_FOUND, "There is none.", {"Retry-After": "1"})
    assert error.status is HTTPStatus.NOT_FOUND
    assert error.message == "There is none."
    assert error.headers == {"Retry-After": "1"}
    assert HttpError(HTTPStatus.NOT_FOUND, "There is none.").headers == {}
