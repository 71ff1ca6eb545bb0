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

from aiohttp import hdrs
from msgspec import Struct

from origin.http.conditions import Headers, Outcome, evaluate, joined, range_holds
from origin.http.ranges import Extent, requested
from origin.http.representation import Fields, Representation
from origin.http_error import HttpError
from p2pcdn.model import Span

# Each look at a member of an enumeration takes longer than one at a name of the module.
_OK, _PARTIAL, _NOT_MODIFIED = (
    HTTPStatus.OK,
    HTTPStatus.PARTIAL_CONTENT,
    HTTPStatus.NOT_MODIFIED,
)
_PROCEED = Outcome.PROCEED


class Selection(Struct, frozen=True):
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
        if self.status is not _NOT_MODIFIED:
            fields[hdrs.CONTENT_LENGTH] = str(self.length)
        return fields

    @property
    def text(self) -> str:
        """The same as they are sent."""
        length = "" if self.status is _NOT_MODIFIED else f"Content-Length: {self.length}\r\n"
        return f"Content-Range: {self.content_range}\r\n{length}" if self.content_range else length


def select(method: str, headers: Headers, shown: Representation) -> Selection:
    """The answer to a request; `HttpError` where it is one of the client errors."""
    outcome = evaluate(headers, shown.validators)
    if outcome is not _PROCEED:
        if outcome is Outcome.NOT_MODIFIED:
            return Selection(_NOT_MODIFIED, shown.described, 0, None)
        raise HttpError(
            HTTPStatus.PRECONDITION_FAILED,
            "This has changed: it is not the version that the request is about.",
            shown.described,
        )
    extent = _extent(method, headers, shown)
    length = shown.body.length
    if isinstance(extent, Span):
        return _partial(extent, length, shown)
    if extent is Extent.UNSATISFIABLE:
        raise HttpError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"The range lies outside of the {length} bytes that there are.",
            {hdrs.CONTENT_RANGE: f"bytes */{length}", hdrs.ETAG: shown.validators.etag},
        )
    body = Span(0, length - 1) if length and method != hdrs.METH_HEAD else None
    return Selection(_OK, shown.full, length, body)


def _extent(method: str, headers: Headers, shown: Representation) -> Span | Extent:
    # "A server MUST ignore a Range header field received with a request method [for which range
    # handling is not defined]": with anything but GET (14.2).
    if method != hdrs.METH_GET or not range_holds(headers, shown.validators):
        return Extent.WHOLE
    return requested(joined(headers, hdrs.RANGE), shown.body.length)


def _partial(span: Span, length: int, shown: Representation) -> Selection:
    content_range = f"bytes {span.first}-{span.last}/{length}"
    size = span.last - span.first + 1
    return Selection(_PARTIAL, shown.full, size, span, content_range)
