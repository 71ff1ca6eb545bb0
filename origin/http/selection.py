"""Which answer a GET or HEAD gets: status, headers and the bytes to send.

::

    preconditions --failed-----------------------------------> 412
         |        --not modified-----------------------------> 304
         v
    Range, GET, If-Range holds --one satisfiable range-------> 206
         |                     --none satisfiable------------> 416
         v
        200, the whole
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import hdrs

from origin.http.conditions import Headers, Outcome, evaluate, joined, range_holds
from origin.http.ranges import Extent, requested
from origin.http.representation import Representation
from origin.http_error import HttpError
from p2pcdn.model import Span


@dataclass(frozen=True, slots=True)
class Selection:
    """An answer, but for its body."""

    status: HTTPStatus
    headers: Mapping[str, str]
    length: int
    """What Content-Length says."""
    span: Span | None
    """The bytes of the representation to send, if any."""


def select(method: str, headers: Headers, shown: Representation) -> Selection:
    """The answer to a request; `HttpError` where it is one of the client errors."""
    match evaluate(headers, shown.validators):
        case Outcome.FAILED:
            raise HttpError(
                HTTPStatus.PRECONDITION_FAILED,
                "This has changed: it is not the version that the request is about.",
                _described(shown),
            )
        case Outcome.NOT_MODIFIED:
            return Selection(HTTPStatus.NOT_MODIFIED, _described(shown), 0, None)
    extent = _extent(method, headers, shown)
    length = shown.body.length
    if extent is Extent.UNSATISFIABLE:
        raise HttpError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"The range lies outside of the {length} bytes that there are.",
            {hdrs.CONTENT_RANGE: f"bytes */{length}", hdrs.ETAG: shown.validators.etag},
        )
    if isinstance(extent, Span):
        return _partial(extent, length, shown)
    body = Span(0, length - 1) if length and method != hdrs.METH_HEAD else None
    return Selection(HTTPStatus.OK, _full(shown), length, body)


def _extent(method: str, headers: Headers, shown: Representation) -> Span | Extent:
    # "A server MUST ignore a Range header field received with a request method [for which range
    # handling is not defined]": with anything but GET (14.2).
    if method != hdrs.METH_GET or not range_holds(headers, shown.validators):
        return Extent.WHOLE
    return requested(joined(headers, hdrs.RANGE), shown.body.length)


def _partial(span: Span, length: int, shown: Representation) -> Selection:
    headers = _full(shown) | {hdrs.CONTENT_RANGE: f"bytes {span.first}-{span.last}/{length}"}
    return Selection(HTTPStatus.PARTIAL_CONTENT, headers, span.last - span.first + 1, span)


def _full(shown: Representation) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: shown.content_type,
        hdrs.ACCEPT_RANGES: "bytes",
        **_described(shown),
    }


def _described(shown: Representation) -> dict[str, str]:
    """The headers that a 304 has as well (15.4.5)."""
    headers = {hdrs.ETAG: shown.validators.etag, hdrs.CACHE_CONTROL: shown.cache_control}
    if shown.validators.modified is not None:
        headers[hdrs.LAST_MODIFIED] = formatdate(shown.validators.modified, usegmt=True)
    return headers | dict(shown.headers)
