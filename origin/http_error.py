"""A request that gets no for an answer: everything below the shell raises one of these."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import hdrs

from p2pcdn.errors import P2pcdnError, SourceError, SourceReason

_ELSEWHERE = {
    SourceReason.BUSY: (HTTPStatus.SERVICE_UNAVAILABLE, "has enough to do"),
    SourceReason.TIMEOUT: (HTTPStatus.GATEWAY_TIMEOUT, "did not answer in time"),
    SourceReason.UNREACHABLE: (HTTPStatus.BAD_GATEWAY, "cannot be reached"),
    SourceReason.CLOSED: (HTTPStatus.BAD_GATEWAY, "broke off"),
    SourceReason.STATUS: (HTTPStatus.BAD_GATEWAY, "does not give it out"),
    SourceReason.LENGTH: (HTTPStatus.BAD_GATEWAY, "gave another number of bytes than it said"),
}
"""Troubles of a source that is no file system of ours: what viewers hear of them. Names, addresses
and statuses of other servers are for the log alone."""


class HttpError(P2pcdnError):
    """Why a request is not served: a status for programs and one sentence for people."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status.value, message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def refusal_of(error: SourceError | OSError) -> HttpError:
    """What a source's error, or a disk's, means for a request; raises it again if it is a bug of
    ours."""
    if isinstance(error, OSError):
        message = "The disk where this file is kept cannot be read; ask again in a moment."
        return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, message, {hdrs.RETRY_AFTER: "1"})
    if error.reason is SourceReason.MISSING:
        return HttpError(HTTPStatus.NOT_FOUND, f"There is no file at {error.detail!a}.")
    if error.reason is SourceReason.INTEGRITY:
        return HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, error.detail)
    if error.reason not in _ELSEWHERE:
        raise error
    status, what = _ELSEWHERE[error.reason]
    message = f"The place where this file is kept {what}; ask again in a moment."
    return HttpError(status, message, {hdrs.RETRY_AFTER: "1"})
