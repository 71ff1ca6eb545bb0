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

from http import HTTPStatus
from typing import NamedTuple

from aiohttp import hdrs

from origin.http.conditions import Headers, Outcome, evaluate, joined, range_holds
from origin.http.ranges import Extent, requested
from origin.http.representation import Fields, Representation
from origin.http_error import HttpError
from p2pcdn.model import Span


class Selection(NamedTuple):
    """An answer, but for its body."""

    status: HTTPStatus
    shared: Fields
    """Header fields of all such answers."""
    length: int
    """What Content-Length says."""
    span: Span | None
    """The bytes of the representation to send, if any."""
    content_range: str = ""

    @property
    def own(self) -> dict[str, str]:
        """Header fields of this answer alone, which come after the others."""
        fields: dict[str, str] = {}
        if self.content_range:
            fields[hdrs.CONTENT_RANGE] = self.content_range
        if self.status != HTTPStatus.NOT_MODIFIED:
            fields[hdrs.CONTENT_LENGTH] = str(self.length)
        return fields


def select(method: str, headers: Headers, shown: Representation) -> Selection:
    """The answer to a request; `HttpError` where it is one of the client errors."""
    match evaluate(headers, shown.validators):
        case Outcome.FAILED:
            raise HttpError(
                HTTPStatus.PRECONDITION_FAILED,
                "This has changed: it is not the version that the request is about.",
                shown.described,
            )
        case Outcome.NOT_MODIFIED:
            return Selection(HTTPStatus.NOT_MODIFIED, shown.described, 0, None)
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
    return Selection(HTTPStatus.OK, shown.full, length, body)


def _extent(method: str, headers: Headers, shown: Representation) -> Span | Extent:
    # "A server MUST ignore a Range header field received with a request method [for which range
    # handling is not defined]": with anything but GET (14.2).
    if method != hdrs.METH_GET or not range_holds(headers, shown.validators):
        return Extent.WHOLE
    return requested(joined(headers, hdrs.RANGE), shown.body.length)


def _partial(span: Span, length: int, shown: Representation) -> Selection:
    content_range = f"bytes {span.first}-{span.last}/{length}"
    size = span.last - span.first + 1
    return Selection(HTTPStatus.PARTIAL_CONTENT, shown.full, size, span, content_range)
