"""Past aiohttp: what a service can answer at once, it answers on the connection itself.

::

    data --> plain, and nothing is under way --> Lane.begin() --yes--> Lane.go_on() ... --> idle
               | no                                 | no
               v                                    v
             aiohttp: parser, middlewares, routes, as if there were nothing else

Each request of a viewer costs aiohttp some hundred microseconds, and the kernel ten. So requests of
the plainest form (`plain`) are offered to a shortcut first; those that it does not take, and all
others, aiohttp gets byte by byte as they came. A connection on which anything else than whole plain
requests has come is aiohttp's for good, so that the two never differ about where a request begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol, cast, runtime_checkable

from aiohttp import web

from p2pcdn.service.deadline import DeadlineHandler
from p2pcdn.service.plain import PlainRequest, is_whole, read
from p2pcdn.service.probes import REQUESTS

TURNS = 8
"""Turns of the event loop that a request waits for aiohttp to see that its answer before is sent:
the client has seen it first, and under load it would never be the shortcut's turn again."""

LAG = 0.05
"""Seconds that the figures are behind, at most."""


class Lane(Protocol):
    """A connection, for who answers on it; one answer at a time."""

    def begin(self, request: PlainRequest) -> HTTPStatus | None:
        """Begin to answer; None if somebody else has to, and nothing was sent."""

    def go_on(self) -> bool:
        """Send what can be sent now; whether the answer is complete. It is called again when the
        transport's buffer is empty, or when the lane says so. `OSError` if the connection is of no
        use any more."""

    def pass_by(self) -> None:
        """Somebody else answers what comes next."""

    def leave(self) -> None:
        """The connection is lost."""


class Shortcut(Protocol):
    """Who knows answers."""

    @property
    def route(self) -> str:
        """What its requests are counted by."""

    def lane(self, transport: asyncio.Transport, wake: Callable[[], None]) -> Lane | None:
        """A lane on a new connection, if it can have one. ``wake`` has it asked to go on."""


@runtime_checkable
class Knowing(Protocol):
    """A service that has a shortcut."""

    def shortcut(self) -> Shortcut | None: ...


class Tally:
    """Counts answers: the figures are told of many at once, which costs a fraction of the time."""

    def __init__(self, route: str) -> None:
        self._route = route
        self._untold: dict[HTTPStatus, int] = {}

    def add(self, status: HTTPStatus) -> None:
        """One more."""
        if not self._untold:
            asyncio.get_running_loop().call_later(LAG, self.tell)
        self._untold[status] = self._untold.get(status, 0) + 1

    def tell(self) -> None:
        """Bring the figures up to date."""
        untold, self._untold = self._untold, {}
        for status, count in untold.items():
            REQUESTS.labels(self._route, str(status.value)).inc(count)


class ShortcutHandler(DeadlineHandler):
    """aiohttp's protocol of one connection, with a lane beside it."""

    __slots__ = (
        "_done",
        "_held",
        "_is_sending",
        "_lane",
        "_plain",
        "_shortcut",
        "_tally",
        "_turns",
    )

    def __init__(
        self, manager: web.Server, *, shortcut: Shortcut, tally: Tally, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._shortcut = shortcut
        self._tally = tally
        self._lane: Lane | None = None
        self._plain = True
        """Whether aiohttp was given nothing but whole plain requests."""
        self._is_sending = False
        self._turns = 0
        """How often it is still looked whether aiohttp is idle."""
        self._held = b""
        """What has come meanwhile."""
        self._done: asyncio.Future[None] | None = None
        """Set once the answer is complete, if somebody waits for that."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._home is not None:
            self._lane = self._shortcut.lane(cast(asyncio.Transport, transport), self._go_on)

    def data_received(self, data: bytes) -> None:
        if self._is_sending:
            self._hold(data)
        elif self._turns:
            self._held += data
        elif self._lane is None or not self._plain or not data:
            super().data_received(data)
        elif self._awaits_header():
            self._read(data)
        else:
            self._turns, self._held = TURNS, data
            self._loop.call_soon(self._look_again)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._go_on()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._lane is not None:
            self._lane.leave()
            self._lane = None
        self._tally.tell()
        self._end()
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """As aiohttp's, which waits for its own answers: for ours too."""
        self._close = True  # this answer, and no other
        if self._is_sending:
            self._done = self._loop.create_future()
            await asyncio.wait([self._done], timeout=timeout)
        await super().shutdown(timeout)

    def _process_keepalive(self) -> None:
        # aiohttp knows nothing of what we send, and takes the connection for idle.
        if self._is_sending:
            self._keepalive_handle = None
        else:
            super()._process_keepalive()

    def _read(self, data: bytes) -> None:
        """Answer requests as long as there are any that can be answered at once."""
        while data:
            request = self._next(data)
            status = None if request is None or self._lane is None else self._lane.begin(request)
            if request is None or status is None:
                self._give(data)
                return
            self._tally.add(status)
            if self._header_clock is not None:
                self._stop_clock()
            self._is_sending = True
            self._held = data[request.size :]
            if not self._sends_all():
                return
            self._answered()
            data, self._held = self._held, b""

    def _look_again(self) -> None:
        """Go on with what is held if aiohttp is idle, or has been busy for long enough."""
        if self._lane is None:
            return
        self._turns -= 1
        if self._turns and not self._awaits_header():
            self._loop.call_soon(self._look_again)
            return
        self._turns = 0
        data, self._held = self._held, b""
        self._read(data)

    def _next(self, data: bytes) -> PlainRequest | None:
        """The request at the beginning, if it is ours to read: aiohttp waits, and for nothing less
        than a whole request."""
        if not self._plain or self._close or self._force_close or self._buffer_paused:
            return None
        return read(data, self.max_headers) if self._awaits_header() else None

    def _give(self, data: bytes) -> None:
        """Let aiohttp have it."""
        if self._lane is not None:
            self._lane.pass_by()
        self._plain = self._plain and is_whole(data, self.max_headers)
        super().data_received(data)

    def _hold(self, data: bytes) -> None:
        self._held += data
        if self.transport is not None:
            self.transport.pause_reading()  # who asks ahead has to wait: for memory's sake, too

    def _go_on(self) -> None:
        if not self._is_sending or not self._sends_all():
            return
        self._answered()
        data, self._held = self._held, b""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            if data:
                self._read(data)

    def _sends_all(self) -> bool:
        """Whether what is left of the answer could be sent."""
        assert self._lane is not None  # or nothing would be sent
        try:
            return self._lane.go_on()
        except OSError:
            if self._wire is not None:
                self._loop.call_soon(self._wire.abort)  # the transport may be in the middle of it
            return False

    def _answered(self) -> None:
        """The connection is idle again, and kept for as long as after an answer of aiohttp's."""
        self._end()
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None and not self._close:
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )

    def _end(self) -> None:
        self._is_sending = False
        if self._done is not None and not self._done.done():
            self._done.set_result(None)
