"""Deadlines for the header and the body of a request, which aiohttp has not.

::

    opened --------------+                     +---- first byte of the next header
       |                 v                     v                 |
       |           +-----------+  complete  +------+             |
       +---------> |  waiting  | ---------> | busy | ---> idle --+
                   +-----------+            +------+       |
                         | header_timeout                  | keepalive (aiohttp's)
                         v                                 v
                       closed                            closed

A client that opens connections and says nothing, half a header, or a header byte by byte, would
otherwise hold a file descriptor for as long as it likes (the attack is known as Slowloris). The
clock runs from the connection's opening or the header's first byte and is not reset by more bytes.
Bodies are small here (nobody uploads media over HTTP), so they are read before the handler runs,
against the same clock.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from p2pcdn.service.errors import SORRY, code_of, error_response, log


def _last_words(status: HTTPStatus, message: str) -> bytes:
    """An answer to a request that never became one, after which the connection is closed."""
    body = error_response(status, code_of(status), message).body
    assert isinstance(body, bytes)
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class DeadlineHandler(RequestHandler):
    """aiohttp's protocol of one connection, with bounds on the time and size of a header."""

    __slots__ = ("_header_bytes", "_header_clock", "_header_limit", "_header_timeout")

    def __init__(
        self, manager: web.Server, *, header_timeout: float, header_bytes: int, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._header_timeout = header_timeout
        self._header_limit = header_bytes
        self._header_bytes = 0
        """How much has come of a header that is not complete."""
        self._header_clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        requests = self._request_count
        waiting = self._awaits_header()
        super().data_received(data)
        if self._request_count != requests:
            self._stop_clock()
        elif waiting and data:
            self._header_bytes += len(data)
            if self._header_bytes > self._header_limit:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"A request header has at most {self._header_limit} bytes here.",
                )
            elif self._header_clock is None:
                self._start_clock()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer where no handler could give one; unlike aiohttp's, no log line names the
        client, and what any client can provoke makes none at all."""
        if isinstance(exc, ConnectionError):
            raise exc  # it has gone; aiohttp ends the connection quietly
        if request.writer.output_size > 0:
            raise ConnectionError("an answer broke off")  # there is no way to say more
        if status >= 500:
            log.error("request_failed", exc_info=exc)
            detail = SORRY
        else:
            # The parser quotes the bad line below its message, with a pointer: one line is enough.
            detail = f"This is not valid HTTP: {(message or '').splitlines()[0].rstrip(':.')}."
        response = error_response(status, code_of(HTTPStatus(status)), detail)
        response.force_close()
        return response

    def _awaits_header(self) -> bool:
        # aiohttp's task waits on this future exactly while no request is being handled, and what
        # arrives meanwhile is header (a body or a WebSocket's frames come while it is busy).
        return self._waiter is not None and not self._waiter.done()

    def _start_clock(self) -> None:
        self._header_clock = self._loop.call_later(self._header_timeout, self._expire)

    def _stop_clock(self) -> None:
        self._header_bytes = 0
        if self._header_clock is not None:
            self._header_clock.cancel()
            self._header_clock = None

    def _expire(self) -> None:
        self._header_clock = None
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT,
            f"The request's header was not complete within {self._header_timeout:g} s.",
        )

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        # Browsers open connections on a guess and say nothing yet: those get no answer, which
        # would be taken for the one to their first request.
        if self._header_bytes and self.transport is not None:
            self.transport.write(_last_words(status, message))
        self._stop_clock()
        self.force_close()


def read_body(timeout: float) -> Middleware:
    """A middleware that has the body there before the handler asks, or refuses the request."""

    @web.middleware
    async def read(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.can_read_body:
            try:
                async with asyncio.timeout(timeout):
                    await request.read()  # which keeps it for the handler
            except TimeoutError:
                raise web.HTTPRequestTimeout(
                    text=f"The request's body was not complete within {timeout:g} s."
                ) from None
        return await handler(request)

    return read
