"""From a request to bytes on a socket, by way of a representation or a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from origin.http.conditions import joined
from origin.http.meter import Meter
from origin.http.ranges import requested
from origin.http.representation import Representation
from origin.http.selection import select
from origin.http.tcp import hold_little
from origin.http_error import HttpError, refusal_of
from p2pcdn.core.firsts import Place
from p2pcdn.errors import SourceError
from p2pcdn.model import Span
from p2pcdn.service import error_response
from p2pcdn.service.errors import code_of

Show = Callable[[web.Request], Awaitable[Representation]]
"""Finds what a request asks for; a `HttpError` or `SourceError` if there is no such thing."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ACCEL = "X-Accel-Redirect"
"""nginx's: it answers with what it finds there itself, and knows ranges and conditions."""

BLOCK = 131_072
"""Bytes read and written at once: few enough that thousands of downloads fit into memory."""

log = structlog.get_logger("p2pcdn.origin")


class Sender:
    """Answers with representations, and has each body byte counted."""

    def __init__(self, meter: Meter, headers: Mapping[str, str]) -> None:
        self._meter = meter
        self._headers = headers
        """Of every answer, errors included: a page of another site may see those as well."""

    def handler(self, show: Show) -> Handler:
        """A handler for GET and HEAD that sends what ``show`` finds."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._send(request, await show(request))
            except HttpError as refusal:
                return self._refuse(request, refusal)
            except ConnectionError:
                raise  # the viewer is gone
            except (SourceError, OSError) as error:
                return self._refuse(request, _told(request, error))

        return handle

    async def _send(self, request: web.Request, shown: Representation) -> web.StreamResponse:
        if shown.redirect:
            return self._redirect(request, shown)
        try:
            selection = select(request.method, request.headers, shown)
            span = selection.span
            # The first bytes come before the head: a source that fails so soon gets a clear status.
            first = await self._read(request, shown, span.first, span) if span else b""
            response = web.StreamResponse(status=selection.status, headers=self._headers)
            response.headers.update(selection.shared)
            response.headers.update(selection.own)
            await response.prepare(request)
            if span is not None and request.transport is not None:
                await self._send_body(request, response, shown, span, first)
            return response
        finally:
            shown.body.close()

    async def _send_body(
        self,
        request: web.Request,
        response: web.StreamResponse,
        shown: Representation,
        span: Span,
        block: bytes | memoryview,
    ) -> None:
        """Send the bytes of ``span``, the first of which are ``block``."""
        transport = request.transport
        assert transport is not None
        hold_little(transport)
        place = Place(shown.file, span.first) if shown.file else None
        flow = self._meter.begin(transport, shown.account, shown.content, place)
        offset = span.first
        try:
            while block:
                offset += len(block)
                flow.handed(len(block))
                await response.write(block)
                if offset > span.last:
                    await response.write_eof()
                    return
                block = await self._block(request, shown, offset, span)
            transport.abort()  # its length was promised: nothing else can tell any more
        except ConnectionError:
            pass  # the viewer has all it wanted, is gone, or took nothing for too long
        finally:
            self._meter.end(flow)

    async def _block(
        self, request: web.Request, shown: Representation, offset: int, span: Span
    ) -> bytes | memoryview:
        """The next bytes; none if they cannot be had."""
        try:
            return await self._read(request, shown, offset, span)
        except (SourceError, OSError) as error:
            log.warning("file_damaged", path=request.path, reason=str(error))
            return b""

    async def _read(
        self, request: web.Request, shown: Representation, offset: int, span: Span
    ) -> bytes | memoryview:
        """The next bytes; none if the file has become shorter."""
        block = await shown.body.read(offset, min(BLOCK, span.last + 1 - offset))
        if not block:
            log.warning("file_shrank", path=request.path)
        return block

    def _redirect(self, request: web.Request, shown: Representation) -> web.Response:
        """Have the proxy send it. Which bytes of it arrive nobody tells us: what was asked for is
        counted as if all of it did, so that what peers saved stays a lower bound."""
        shown.body.close()
        headers = {**self._headers, **shown.full, ACCEL: shown.redirect}
        if request.method != hdrs.METH_HEAD:
            wanted = requested(joined(request.headers, hdrs.RANGE), shown.body.length)
            span = wanted if isinstance(wanted, Span) else Span(0, shown.body.length - 1)
            place = Place(shown.file, span.first) if shown.file else None
            self._meter.told(span.last + 1 - span.first, shown.content, place)
        return web.Response(headers=headers)

    def _refuse(self, request: web.Request, refusal: HttpError) -> web.Response:
        headers = {**self._headers, hdrs.CACHE_CONTROL: "no-store", **refusal.headers}
        response = error_response(refusal.status, code_of(refusal.status), refusal.message, headers)
        if request.method != hdrs.METH_HEAD:
            self._meter.overhead(response.content_length or 0)
        return response


def _told(request: web.Request, error: SourceError | OSError) -> HttpError:
    """What viewers hear of a source's trouble, with the rest of it in the log."""
    refusal = refusal_of(error)
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("source_failed", path=request.path, reason=str(error))
    return refusal
