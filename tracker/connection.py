"""One peer's WebSocket: what it says, what it is told, and how much of either it may.

::

    welcome --> first message within `hello_timeout` --> messages ... --> last words, close

Reading and writing never wait for each other. What a peer sends faster than it may is read no
faster than it may; who keeps that up is a flooder. A ping counts as a message, and pieces of
messages count by their bytes: a message in a thousand pieces, or one that never ends, is heard of
by nobody else. What is sent to a peer that does not read piles up to a bound; then its socket is
cut. So one peer can take neither time nor memory from others.

What messages mean is not known here, only their bytes: whoever speaks a protocol decodes what it
hears, and says in its own terms what was wrong.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

import structlog
from aiohttp import WSCloseCode
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.service.deadline import Line
from tracker import metrics
from tracker.bucket import Bucket
from tracker.clock import Clock
from tracker.websocket import READ_BUFFER, Frames

LAST_WORDS = 2.0
"""Seconds for what was sent last, and for the closing handshake, to arrive."""

_WRITE_AHEAD = 16_384
"""Bytes handed to the transport before the queue begins to fill."""

_PIECES = 32
"""So many pieces of a message cost as much as the largest message, however small they are."""

_QUEUED = 4
"""So many of the largest messages may wait for a client that does not read."""

_LARGE = 8 * READ_BUFFER
"""Bytes at once from which on the buffer that they have made grow is not kept. One that has grown
less is kept until the socket is idle: to begin again takes some 26 us."""

_SMALL = READ_BUFFER // 2
"""The same, when an idle socket answers a ping."""

_CLOSE_CODES = {
    ErrorCode.TOO_LARGE: WSCloseCode.MESSAGE_TOO_BIG,
    ErrorCode.DRAINING: WSCloseCode.SERVICE_RESTART,
    ErrorCode.INTERNAL: WSCloseCode.INTERNAL_ERROR,
}
"""RFC 6455, 7.4.1; for all other codes it is a violation of our policy."""

_TEXT, _BINARY, _CONTINUATION = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE

log = structlog.get_logger("p2pcdn.tracker")


class Connection(WSListener):
    """A socket that is open. ``hear`` gets its messages, in valid UTF-8, and may raise
    `RemoteError` to have it refused; ``complain`` says in the protocol's terms what was wrong, or
    nothing if there are no such terms; ``count`` gets the bytes in both directions, if they are to
    be counted; ``dropped`` the code if it is sent away; ``gone`` is called once it is closed."""

    __slots__ = (
        "_began_at",
        "_bytes",
        "_clock",
        "_complain",
        "_count",
        "_dropped",
        "_due",
        "_farewell",
        "_frames",
        "_gone",
        "_greets_until",
        "_grown",
        "_hear",
        "_heard_at",
        "_late",
        "_leave",
        "_limits",
        "_over",
        "_pieces",
        "_pinged_at",
        "_queue",
        "_queued",
        "_said",
        "_socket",
        "_stuck_at",
        "_waiting",
    )

    def __init__(
        self,
        line: Line,
        key: bytes,
        limits: TrackerConfig,
        clock: Clock,
        *,
        hear: Callable[[bytes], None],
        complain: Callable[[RemoteError], bytes | None],
        count: Callable[[int], None] | None,
        dropped: Callable[[str], None] | None,
        gone: Callable[[], None],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._hear = hear
        self._complain = complain
        self._count = count
        self._dropped = dropped
        self._gone = gone
        self._leave = line.leave
        self._heard_at = now = clock.now()
        self._greets_until: float | None = now + limits.hello_timeout
        """Until when it has to say something; None once it has."""
        self._due = now - limits.burst / limits.messages_per_second
        """When the next message would come if all were sent as slowly as on average they have to
        be; how far that may lie in the future is `burst` (a leaky bucket, or GCRA)."""
        self._late = 0
        """Messages in a row that came faster than they may."""
        self._waiting: deque[tuple[float, WSMsgType, bytes]] | None = None
        """Those that have come too early, and when each is due."""
        self._pinged_at = -inf
        self._grown = 0
        """The most bytes that came at once: the buffer has grown for them."""
        self._pieces: bytearray | None = None
        """Of a message that has begun."""
        self._began_at = 0.0
        """When it has."""
        self._bytes: Bucket | None = None
        """What messages could weigh; for those in pieces."""
        self._queue: deque[bytes] | None = None
        """What the transport does not take yet."""
        self._queued = 0
        """Bytes of that."""
        self._stuck_at: float | None = None
        """Since when."""
        self._farewell: tuple[int, str] | None = None
        """The close code and its reason, once it is decided that the socket is to close."""
        self._said = False
        """Whether they have been."""
        self._over = False
        """Whether the connection is lost."""
        line.transport.set_write_buffer_limits(_WRITE_AHEAD)
        # Up to twice the limit the sender is told what is wrong; beyond it picows closes with
        # 1009 (too big) before it has read the message.
        self._frames = Frames(line, key, self, 2 * limits.message_bytes - 1, self._give_up)
        self._look_at(now + limits.heartbeat)

    def listen(self) -> None:
        """Hear what it says from now on."""
        self._frames.start()

    def tell(self, text: bytes) -> None:
        """Send a message, text in UTF-8, as soon as the socket takes it."""
        if self._farewell is not None:
            return
        if self._stuck_at is None:
            self._send(text)
        else:
            self._put_off(text)

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
            self._part(WSCloseCode.OK)
        else:
            metrics.REFUSED.labels(code.value).inc()
            if self._dropped is not None:
                self._dropped(code.value)
            self._part(_CLOSE_CODES.get(code, WSCloseCode.POLICY_VIOLATION), code.value)

    def abort(self) -> None:
        """Close at once."""
        self._farewell = self._farewell or (WSCloseCode.ABNORMAL_CLOSURE, "")
        self._frames.transport.abort()

    def on_timer(self, now: float) -> None:
        """Its time has come to be looked at."""
        heartbeat = self._limits.heartbeat
        if self._waiting is not None:
            self._heard_at = now  # it speaks, faster than it is heard
        silent = now - self._heard_at
        if self._farewell is not None:
            self.abort()
        elif self._greets_until is not None and now >= self._greets_until:
            seconds = f"{self._limits.hello_timeout:g} s"
            self._fail(RemoteError(ErrorCode.TIMEOUT, f"no join within {seconds}"))
        elif self._stuck_at is not None and now - self._stuck_at >= heartbeat / 2:
            self._cut()
        elif self._pieces is not None and now - self._began_at >= heartbeat:
            self._fail(RemoteError(ErrorCode.TIMEOUT, f"a message not whole in {heartbeat:g} s"))
        elif self._pinged_at > self._heard_at:
            self.abort()
        elif silent >= heartbeat:  # of us it cannot be said that we looked in time
            self._socket.send_ping()
            self._pinged_at = now
            self._look_at(now + heartbeat / 2)
        else:
            self._look_at(self._heard_at + heartbeat)

    def _look_at(self, at: float) -> None:
        if self._greets_until is not None:
            at = min(at, self._greets_until)
        self._clock.put(self, at)

    # What picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._socket = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heard_at = self._clock.now()
        kind = frame.msg_type
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._part(WSCloseCode.PROTOCOL_ERROR)
        elif kind is _TEXT and frame.fin and self._pieces is None:
            self._receive(kind, frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._close()
        elif kind is _PING or kind is _PONG:
            self._receive(kind, frame.get_payload_as_bytes())
        else:
            self._piece(kind, frame)
        tail = frame.tail_size
        came = frame.payload_size + tail
        if came > self._grown:
            self._grown = came
        if not tail and self._grown > (_SMALL if kind is _PONG else _LARGE):
            self._renew()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._over = True
        self._farewell = self._farewell or (WSCloseCode.ABNORMAL_CLOSURE, "")
        self._clock.drop(self)
        self._waiting = None
        self._queue = None
        self._leave()
        self._gone()

    def pause_writing(self) -> None:
        self._stuck_at = self._clock.now()

    def resume_writing(self) -> None:
        self._stuck_at = None
        while self._queue and self._stuck_at is None:
            text = self._queue.popleft()
            self._queued -= len(text)
            self._send(text)
        if not self._queue:
            self._queue = None
            if self._farewell is not None:
                self._say_goodbye()

    # Reading

    def _receive(self, kind: WSMsgType, data: bytes) -> None:
        """A message has come, or what counts as one: take it when it is due."""
        if self._farewell is not None:
            return
        limits = self._limits
        if len(data) > limits.message_bytes:
            if self._count is not None:
                self._count(len(data))
            self._fail(
                RemoteError(
                    ErrorCode.TOO_LARGE,
                    f"a message of {len(data)} bytes; {limits.message_bytes} is the limit",
                )
            )
            return
        now, rate = self._heard_at, limits.messages_per_second
        self._due = max(self._due, now - limits.burst / rate) + 1 / rate
        if self._due <= now and self._waiting is None:
            self._late = 0
            self._take(kind, data)
            return
        self._late += 1
        if self._late > limits.burst:
            self._fail(RemoteError(ErrorCode.TOO_FAST, f"more than {rate:g} messages/s"))
        else:
            self._wait(kind, data)

    def _wait(self, kind: WSMsgType, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = deque()
            self._frames.transport.pause_reading()
            asyncio.get_running_loop().call_at(self._due, self._catch_up)
        self._waiting.append((self._due, kind, data))

    def _catch_up(self) -> None:
        now = self._clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            self._take(*self._waiting.popleft()[1:])
        if self._waiting:
            asyncio.get_running_loop().call_at(self._waiting[0][0], self._catch_up)
        elif self._waiting is not None:
            self._waiting = None
            self._frames.transport.resume_reading()

    def _take(self, kind: WSMsgType, data: bytes) -> None:
        if kind is _PING:
            self._socket.send_pong(data)
        elif kind is _TEXT:
            if self._count is not None:
                self._count(len(data))
            self._greets_until = None
            try:
                if not data.isascii():
                    _check(data)
                self._hear(data)
            except RemoteError as error:
                self._fail(error)
            except Exception:
                log.exception("message_failed")
                self._fail(RemoteError(ErrorCode.INTERNAL))

    def _piece(self, kind: WSMsgType, frame: WSFrame) -> None:
        """A message that is binary, or comes in more frames than one."""
        if self._farewell is not None:
            return
        if kind is _BINARY:
            self._fail(RemoteError(ErrorCode.MALFORMED, "messages are text, not binary"))
            return
        if (kind is _CONTINUATION) is (self._pieces is None):  # goes on, but has not begun; or else
            self._part(WSCloseCode.PROTOCOL_ERROR)
            return
        limits = self._limits
        rate = limits.messages_per_second * limits.message_bytes
        if self._bytes is None:
            self._bytes = Bucket(rate, limits.burst * limits.message_bytes, self._heard_at)
        least = limits.message_bytes // _PIECES  # one costs time even if it is empty
        if self._bytes.take(self._heard_at, max(least, frame.payload_size)):
            self._fail(RemoteError(ErrorCode.TOO_FAST, f"more than {rate:.0f} bytes/s"))
            return
        if self._pieces is None:
            self._pieces = bytearray()
            self._began_at = self._heard_at
        self._pieces += frame.get_payload_as_memoryview()
        if len(self._pieces) > 2 * limits.message_bytes:
            self._part(WSCloseCode.MESSAGE_TOO_BIG)
        elif frame.fin:
            data, self._pieces = bytes(self._pieces), None
            self._receive(_TEXT, data)

    def _renew(self) -> None:
        self._grown = 0
        if self._farewell is None:
            self._frames.renew()

    def _give_up(self) -> None:
        """These are no frames, or one is far too large: picows says so, and it is over."""
        if self._over:
            return
        self._said = True
        self._farewell = self._farewell or (WSCloseCode.PROTOCOL_ERROR, "")
        self._hurry()
        self._frames.sink()

    # Writing and closing

    def _send(self, text: bytes) -> None:
        if self._count is not None:
            self._count(len(text))
        self._socket.send(_TEXT, text)

    def _fail(self, error: RemoteError) -> None:
        self.refuse(self._complain(error), error.code)

    def _put_off(self, text: bytes) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queued += len(text)
        most = _QUEUED * self._limits.message_bytes
        if len(self._queue) < self._limits.send_queue and self._queued <= most:
            self._queue.append(text)
        else:
            self._cut()

    def _cut(self) -> None:
        """It does not read; no last words can reach it."""
        self._queue = None
        self.dismiss(ErrorCode.SLOW)
        self.abort()

    def _part(self, code: int, reason: str = "") -> None:
        if self._farewell is not None:
            return
        self._farewell = (code, reason)
        self._hurry()
        # The peer is to close, too. Until then it is read on: with unread data in its buffer the
        # kernel would reset the connection, and the last words might never arrive.
        if self._waiting is not None:
            self._waiting = None
            self._frames.transport.resume_reading()
        if not self._queue:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        if self._said:
            return
        self._said = True
        code, reason = self._farewell or (WSCloseCode.OK, "")
        self._socket.send_close(code, reason)  # type: ignore[arg-type]  # a number will do

    def _close(self) -> None:
        """The peer closes, or has heard that we do."""
        self._part(WSCloseCode.OK)
        self._frames.transport.close()

    def _hurry(self) -> None:
        """What is still to come has to come soon."""
        self._clock.put(self, self._clock.now() + LAST_WORDS)


def _check(text: bytes) -> None:
    """That it is text; whoever is told of it would close his own socket if it were not."""
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise RemoteError(ErrorCode.MALFORMED, f"messages are text in UTF-8: {error}") from error
