"""The tracker's WebSocket, kept open for as long as the peer runs.

::

    connect --> read until it closes --> wait, longer each time --> connect ...
          '--> write what was sent, no faster than the tracker takes it

A tracker of several nodes may send it to another one (`move`). It stays with that for as long as it
can be reached, and goes back to its own address once it cannot.

What the tracker says is for the node; this file reads only its limits.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

import aiohttp
import structlog

from p2pcdn.errors import RemoteError
from p2pcdn.failures import why
from p2pcdn.wire.codec import decode_from_tracker, encode
from p2pcdn.wire.tracker import FromTracker, ToTracker, Welcome

CONNECT = 5.0
"""Seconds until the socket has to be open."""
HEARTBEAT = 20.0
"""Seconds between pings of ours; a tracker that does not answer in half of that is gone."""
MESSAGE_BYTES = 1_048_576
"""The longest message that is read: session descriptions have 8 KiB at most."""
MOST_QUEUED = 256
"""Messages that wait to be sent; a tracker that takes no more is as good as gone."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
LASTED = 10.0
"""Seconds after which a socket has been of use, so that the next failure is a first one again."""
USUAL_RATE = 20.0
"""Messages a second until the tracker has said otherwise."""
RATE_SHARE = 0.8
"""The part of the tracker's rate that is used, since its clock is not ours."""
LAST_WORDS = 1.0
"""Seconds that a closing socket has for what was sent before, and again for its handshake."""

log = structlog.get_logger("p2pcdn.peer")


class TrackerError(Exception):
    """There is no tracker to be had; the text says why."""


class Pace:
    """How long to wait before each message, so that the tracker never finds us too fast."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until the next message may leave; it counts as sent."""
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)


class TrackerClient:
    """Connects, and connects again. ``hear`` gets every message, ``lost`` each socket's end."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        hear: Callable[[FromTracker], None],
        lost: Callable[[], None],
        rng: random.Random | None = None,
    ) -> None:
        self.home = url
        """Where the tracker is, as we were told."""
        self.url = url
        """Where the socket is opened now: at home, or at a node that we were sent to."""
        self.local: str | None = None
        """Our address at the socket that is open, or was last."""
        self.remote: str | None = None
        self._session = session
        self._hear = hear
        self._lost = lost
        self._random = rng or random.Random()
        self._queue: asyncio.Queue[ToTracker] = asyncio.Queue(MOST_QUEUED)
        self._pace = Pace(USUAL_RATE, 0.0)
        self._reading: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._wait = FIRST_WAIT
        self._pause = 0.0
        self._moving = False
        self._reached = ""
        """Where the socket was open last."""
        self._unreached = ""
        """Where we were sent and could not go: each time to wait for that in vain would be long."""

    async def open(self) -> None:
        """Connect, and stay connected from then on; `TrackerError` if the first attempt fails."""
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.url = self.home
        self._running = asyncio.create_task(self._run(first))
        await first

    def send(self, message: ToTracker) -> None:
        """Send a message, if the socket is open."""
        if self._reading is None:
            return
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.drop()

    def drop(self, retry_after: float | None = None) -> None:
        """Give this socket up; the next one comes no sooner than ``retry_after`` seconds."""
        self._pause = retry_after or 0.0
        self.url = self.home
        if self._reading is not None:
            self._reading.cancel()

    def move(self, url: str, retry_after: float | None) -> None:
        """Go to another node, once what was sent before has left; what TLS protects here it has to
        protect there."""
        self.drop(retry_after)
        if url == self._unreached:
            self._moving = True
        elif _is_secure(url) or not _is_secure(self.home):
            self.url = url
            self._moving = True

    async def close(self) -> None:
        """Send what is waiting, and close for good."""
        if self._running is None:
            return
        if self._reading is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._queue.join()
        self._running.cancel()
        await asyncio.wait([self._running])

    async def _run(self, first: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            url = self.url
            try:
                await self._connect(url, first)
                log.info("tracker_moved" if self._moving else "tracker_lost", url=url)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                if not first.done():
                    first.set_exception(TrackerError(why(error)))
                    return
                log.info("tracker_unreachable", url=url, error=why(error))
                if url != self._reached:  # else it was there, and may be back
                    self._unreached = url
                self.url = self.home
            if loop.time() - began >= LASTED:
                self._wait = FIRST_WAIT
            if self._moving:
                self._moving = False
                await asyncio.sleep(self._pause * self._random.uniform(1.0, 1.5))
                self._pause = 0.0
                continue
            await asyncio.sleep(max(self._pause, self._wait * self._random.uniform(0.5, 1.5)))
            self._wait = min(self._wait * 2, LONGEST_WAIT)
            self._pause = 0.0

    async def _connect(self, url: str, first: asyncio.Future[None]) -> None:
        """One socket, from its opening to its end."""
        connecting = self._session.ws_connect(
            url,
            heartbeat=HEARTBEAT,
            max_msg_size=MESSAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=LAST_WORDS),
        )
        # Not wait_for: before Python 3.12 that loses a cancellation that comes with the answer.
        async with asyncio.timeout(CONNECT):
            socket = await connecting
        self._reached = url
        async with socket:
            self.local = _host(socket.get_extra_info("sockname"))
            self.remote = _host(socket.get_extra_info("peername"))
            if not first.done():
                first.set_result(None)
            try:
                await self._serve(socket)
            finally:
                self._reading = None
                self._empty()
                self._lost()

    async def _serve(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._reading = asyncio.create_task(self._read(socket))
        writing = asyncio.create_task(self._write(socket))
        tasks = {self._reading, writing}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self._moving and not writing.done():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_WORDS):
                        await self._queue.join()
        finally:
            for task in tasks:
                task.cancel()
            for end in await asyncio.gather(*tasks, return_exceptions=True):
                # A socket may end while something is written; all else is a bug.
                usual = isinstance(end, OSError | aiohttp.ClientError)
                if isinstance(end, Exception) and not usual:
                    log.error("tracker_socket_failed", url=self.url, exc_info=end)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for incoming in socket:
            if incoming.type is not aiohttp.WSMsgType.TEXT:
                return
            try:
                message = decode_from_tracker(incoming.data)
            except RemoteError as error:
                log.warning("tracker_unreadable", code=error.code, detail=error.detail)
                return
            if isinstance(message, Welcome):
                rate = max(message.limits.messages_per_second * RATE_SHARE, 1.0)
                self._pace = Pace(rate, asyncio.get_running_loop().time())
            self._hear(message)

    async def _write(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await self._queue.get()
            await asyncio.sleep(self._pace.wait(loop.time()))
            await socket.send_str(encode(message))
            self._queue.task_done()

    def _empty(self) -> None:
        """Forget what was not sent: the next socket knows nothing of it."""
        self._queue = asyncio.Queue(MOST_QUEUED)


def _is_secure(url: str) -> bool:
    return url.startswith(("wss:", "https:"))


def _host(address: object) -> str | None:
    return str(address[0]) if isinstance(address, tuple) else None
