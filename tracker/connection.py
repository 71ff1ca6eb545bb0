"""One peer's WebSocket: what it says, what it is told, and how much of either it may.

::

    welcome --> first message within `hello_timeout` --> messages ... --> last words, close

Reading and writing never wait for each other. What a peer sends faster than it may is read no
faster than it may; who keeps that up is a flooder. A ping counts as a message, and whatever arrives
counts by its bytes: a message in a thousand pieces, or one that never ends, is heard of by nobody
else. What is sent to a peer that does not read piles up to a bound; then its socket is cut. So one
peer can take neither time nor memory from others.

What messages mean is not known here, only their bytes: whoever speaks a protocol decodes what it
hears, and says in its own terms what was wrong.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.service.deadline import DeadlineHandler
from tracker import metrics
from tracker.bucket import Bucket

LAST_WORDS = 2.0
"""Seconds for what was sent last, and for the closing handshake, to arrive."""

_WRITE_AHEAD = 16_384
"""Bytes handed to the transport before the writer waits for it; the queue is to fill, not it."""

_CLOSE_CODES = {
    ErrorCode.TOO_LARGE: WSCloseCode.MESSAGE_TOO_BIG,
    ErrorCode.DRAINING: WSCloseCode.SERVICE_RESTART,
    ErrorCode.INTERNAL: WSCloseCode.INTERNAL_ERROR,
}
"""RFC 6455, 7.4.1; for all other codes it is a violation of our policy."""

log = structlog.get_logger("p2pcdn.tracker")


class Connection:
    """A socket that is open. ``hear`` gets its messages, and may raise `RemoteError` to have it
    refused; ``complain`` says in the protocol's terms what was wrong, or nothing if there are no
    such terms; ``count`` gets the bytes in both directions, ``dropped`` the code if it is sent
    away."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        limits: TrackerConfig,
        *,
        hear: Callable[[bytes], None],
        complain: Callable[[RemoteError], bytes | None],
        count: Callable[[int], None],
        dropped: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._socket = socket
        self._transport = request.transport
        self._limits = limits
        self._hear = hear
        self._complain = complain
        self._count = count
        self._dropped = dropped
        self._loop = asyncio.get_running_loop()
        self._patience = asyncio.timeout(limits.hello_timeout)
        self._listening = False
        now = self._loop.time()
        self._bucket = Bucket(limits.messages_per_second, limits.burst, now)
        largest = limits.message_bytes
        self._bytes = Bucket(limits.messages_per_second * largest, limits.burst * largest, now)
        """What messages could weigh, pieces of messages included."""
        self._late = 0
        """Messages in a row that came faster than they may."""
        self._queue: deque[bytes] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._farewell: tuple[int, str] | None = None
        """The close code and its reason, once it is decided that the socket is to close."""
        if isinstance(request.protocol, DeadlineHandler):
            request.protocol.weigh = self._weigh

    @staticmethod
    def response(limits: TrackerConfig) -> web.WebSocketResponse:
        """The answer to an upgrade: its limits are those that aiohttp can see to."""
        return web.WebSocketResponse(
            timeout=LAST_WORDS,
            heartbeat=limits.heartbeat,
            autoping=False,  # pings are to be counted
            compress=False,  # a small message could become a large one
            # Up to twice the limit the sender is told what is wrong; beyond it aiohttp closes with
            # 1009 (too big) before it has read the message.
            max_msg_size=2 * limits.message_bytes,
            writer_limit=_WRITE_AHEAD,
            decode_text=False,
        )

    async def run(self) -> None:
        """Listen until either side has had enough; then close."""
        try:
            async with self._patience:
                self._listening = True
                try:
                    await self._listen()
                finally:
                    self._listening = False
        except TimeoutError:
            if self._farewell is None:
                seconds = f"{self._limits.hello_timeout:g} s"
                self._fail(RemoteError(ErrorCode.TIMEOUT, f"no join within {seconds}"))
        except RemoteError as error:
            self._fail(error)
        except ConnectionError:
            pass  # it has gone before its ping was answered
        except Exception:
            log.exception("message_failed")
            self._fail(RemoteError(ErrorCode.INTERNAL))
        finally:
            await self._close()

    def tell(self, text: bytes) -> None:
        """Send a message, text in UTF-8, as soon as the socket takes it."""
        if self._farewell is not None:
            return
        if len(self._queue) >= self._limits.send_queue:
            self._cut()
            return
        self._queue.append(text)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    def refuse(self, text: bytes | None, code: ErrorCode) -> None:
        """Tell the peer what was wrong, if there is a way to, and close."""
        if text is not None:
            self.tell(text)
        self.dismiss(code)

    def dismiss(self, code: ErrorCode | None) -> None:
        """Close once it has been told what it was told; without a code it is leaving."""
        if self._farewell is not None:
            return
        if code is None:
            self._farewell = (WSCloseCode.OK, "")
        else:
            metrics.REFUSED.labels(code.value).inc()
            self._dropped(code.value)
            self._farewell = (_CLOSE_CODES.get(code, WSCloseCode.POLICY_VIOLATION), code.value)
        if self._listening:
            self._patience.reschedule(self._loop.time())  # stop

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, error: RemoteError) -> None:
        self.refuse(self._complain(error), error.code)

    # Reading

    async def _listen(self) -> None:
        while self._farewell is None:
            data = await self._receive()
            if data is None:
                return
            self._patience.reschedule(None)
            self._hear(data)

    async def _receive(self) -> bytes | None:
        """The next message, when its time has come; None if there will be no more."""
        received = await self._socket.receive()
        while received.type in (WSMsgType.PING, WSMsgType.PONG):
            await self._slow_down()
            if received.type is WSMsgType.PING:
                await self._socket.pong(received.data)
            received = await self._socket.receive()
        if received.type is WSMsgType.BINARY:
            raise RemoteError(ErrorCode.MALFORMED, "messages are text, not binary")
        if received.type is not WSMsgType.TEXT:
            return None
        data: bytes = received.data
        self._count(len(data))
        if len(data) > self._limits.message_bytes:
            raise RemoteError(
                ErrorCode.TOO_LARGE,
                f"a message of {len(data)} bytes; {self._limits.message_bytes} is the limit",
            )
        await self._slow_down()
        return data

    async def _slow_down(self) -> None:
        wait = self._bucket.take(self._loop.time())
        self._late = self._late + 1 if wait else 0
        if self._late > self._limits.burst:
            raise RemoteError(
                ErrorCode.TOO_FAST, f"more than {self._limits.messages_per_second:g} messages/s"
            )
        await asyncio.sleep(wait)

    def _weigh(self, size: int) -> None:
        if self._bytes.take(self._loop.time(), size) and not self._socket.closed:
            rate = self._limits.messages_per_second * self._limits.message_bytes
            self._fail(RemoteError(ErrorCode.TOO_FAST, f"more than {rate:.0f} bytes/s"))

    # Writing

    async def _write(self) -> None:
        try:
            while self._queue:
                text = self._queue.popleft()
                self._count(len(text))
                await self._socket.send_frame(text, WSMsgType.TEXT)
        except ConnectionError:
            self._queue.clear()  # it has gone; the reader sees it, too
        finally:
            self._writer = None

    def _cut(self) -> None:
        """It does not read; no last words can reach it."""
        self._queue.clear()
        self.dismiss(ErrorCode.SLOW)
        self.abort()

    async def _close(self) -> None:
        code, reason = self._farewell or (WSCloseCode.OK, "")
        self._farewell = (code, reason)
        try:
            async with asyncio.timeout(LAST_WORDS):
                if self._writer is not None:
                    await asyncio.wait([self._writer])
                # This reads on until the peer has closed, too: with unread data in its buffer the
                # kernel would reset the connection, and the last words might never arrive.
                await self._socket.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self.abort()
