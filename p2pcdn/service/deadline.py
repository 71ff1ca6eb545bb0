"""Deadlines for the header and the body of a request, and for who takes nothing of an answer: which
aiohttp has not.

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
Bodies are small here, so they are read before the handler runs, against the same clock; but for
handlers that say that they read theirs themselves (`reads_body`), as of live segments. What is
written to a client that does not read waits in memory, and would keep the connection even
after it was closed; a second clock runs while it does.

Who speaks something else than HTTP on a connection takes it over (`handover`), and has to see to
all this himself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar, cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from aiohttp.web_protocol import RequestHandler

from p2pcdn.service.errors import SORRY, code_of, error_response, log
from p2pcdn.service.gate import Gate

H = TypeVar("H", bound=Handler)

LEAST_TAKEN = 16_384
"""Bytes that a client has to take within `stall_timeout`, if so much waits for it."""


def _last_words(status: HTTPStatus, message: str) -> bytes:
    """An answer to a request that never became one, after which the connection is closed."""
    body = error_response(status, code_of(status), message).body
    assert isinstance(body, bytes)
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class Line(NamedTuple):
    """A connection that HTTP has let go of."""

    transport: asyncio.Transport
    """Nothing is read from it until its new protocol resumes that."""
    tail: bytes
    """What has been read already, after the request."""
    leave: Callable[[], None]
    """To be called once it is closed: it gives its place back."""


class DeadlineHandler(RequestHandler):
    """aiohttp's protocol of one connection, with bounds on the time and size of a header, on the
    time that an answer waits, and on the number of connections."""

    __slots__ = (
        "_gate",
        "_header_bytes",
        "_header_clock",
        "_header_limit",
        "_header_timeout",
        "_home",
        "_stall_clock",
        "_stall_timeout",
        "_unsent",
        "_wire",
    )

    def __init__(
        self,
        manager: web.Server,
        *,
        gate: Gate,
        header_timeout: float,
        header_bytes: int,
        stall_timeout: float,
        **options: Any,
    ) -> None:
        super().__init__(manager, **options)
        self._gate = gate
        self._home: bytes | None = None
        """Its place, while it has one."""
        self._header_timeout = header_timeout
        self._header_limit = header_bytes
        self._header_bytes = 0
        """How much has come of a header that is not complete."""
        self._header_clock: asyncio.TimerHandle | None = None
        self._stall_timeout = stall_timeout
        self._stall_clock: asyncio.TimerHandle | None = None
        self._unsent = 0
        """What waited to be sent when the clock started."""
        self._wire: asyncio.Transport | None = None
        """The transport, for longer than aiohttp remembers it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wire = cast(asyncio.Transport, transport)
        assert self._task_handler is not None  # super() has just started it
        self._task_handler.add_done_callback(lambda _: self._start_stall_clock())
        self._home = self._gate.enter(transport)
        if self._home is None:
            # A browser that has not asked yet takes it for the answer to its first request: well.
            message = "Too many connections are open here: try again in a moment."
            self._wire.write(_last_words(HTTPStatus.SERVICE_UNAVAILABLE, message))
            self.force_close()
        else:
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
                    _too_large(self._header_limit),
                )
            elif self._header_clock is None:
                self._start_clock()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_clock()
        self._stop_stall_clock()
        self._wire = None
        if self._current_request is not None and self._current_request.content.is_eof():
            # aiohttp would take away what has been read of its body. But that is whole, and ffmpeg
            # closes as soon as it has sent one, without waiting for the answer.
            self._current_request = None
        if self._home is not None:
            self._gate.leave(self._home)
            self._home = None
        super().connection_lost(exc)

    def hand_over(self) -> Line:
        """Let go of the connection: for aiohttp it is as if it were lost. It keeps its place among
        those that are open. `ConnectionResetError` if it really is lost, or if earlier answers have
        not been read: no proper client asks for more then, and the next protocol would not be
        told that it has to wait."""
        transport, home = self.transport, self._home
        if transport is None or home is None or transport.is_closing():
            raise ConnectionResetError
        if transport.get_write_buffer_size():
            raise ConnectionResetError
        transport.pause_reading()  # nothing more is for us
        self.transport = self._home = None
        self.connection_lost(None)
        return Line(transport, self._message_tail, partial(self._gate.leave, home))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_stall_clock()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._task_handler is not None and not self._task_handler.done():
            self._stop_stall_clock()

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

    def log_exception(self, *args: Any, **options: Any) -> None:
        """aiohttp's, which sees once more what was wrong with a body, after the answer to it."""
        if not isinstance(options.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **options)

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

    def _start_stall_clock(self) -> None:
        if self._wire is not None and self._stall_clock is None:
            self._unsent = self._wire.get_write_buffer_size()
            self._stall_clock = self._loop.call_later(self._stall_timeout, self._look_at_stall)

    def _stop_stall_clock(self) -> None:
        if self._stall_clock is not None:
            self._stall_clock.cancel()
            self._stall_clock = None

    def _look_at_stall(self) -> None:
        self._stall_clock = None
        assert self._wire is not None  # or the clock would have been stopped
        if self._unsent - self._wire.get_write_buffer_size() < LEAST_TAKEN:
            self._wire.abort()
        else:
            self._start_stall_clock()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        # Browsers open connections on a guess and say nothing yet: those get no answer, which
        # would be taken for the one to their first request.
        if self._header_bytes and self.transport is not None:
            self.transport.write(_last_words(status, message))
        self._stop_clock()
        self.force_close()


def small_header(most: int) -> Middleware:
    """A middleware that refuses a request whose header is larger, though it came all at once."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        line = len(f"{request.method} {request.raw_path} HTTP/1.1\r\n")
        if line + sum(len(name) + len(value) + 4 for name, value in request.raw_headers) + 2 > most:
            raise web.HTTPRequestHeaderFieldsTooLarge(text=_too_large(most))
        return await handler(request)

    return check


def _too_large(most: int) -> str:
    return f"A request header has at most {most} bytes here."


_READS_BODY = "reads_body"


def reads_body(handler: H) -> H:
    """Mark a handler: it reads its bodies itself, as large and as slow as it pleases."""
    setattr(handler, _READS_BODY, True)
    return handler


def read_body(timeout: float) -> Middleware:
    """A middleware that has the body there before the handler asks, or refuses the request."""

    @web.middleware
    async def read(request: web.Request, handler: Handler) -> web.StreamResponse:
        own = getattr(request.match_info.handler, _READS_BODY, False)
        if request.can_read_body and not own:
            try:
                async with asyncio.timeout(timeout):
                    await request.read()  # which keeps it for the handler
            except TimeoutError:
                raise web.HTTPRequestTimeout(
                    text=f"The request's body was not complete within {timeout:g} s."
                ) from None
        return await handler(request)

    return read
