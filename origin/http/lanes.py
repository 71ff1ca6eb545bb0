"""Media past aiohttp: files that are open already are sent by the kernel itself (Linux).

::

    plain request --> find, select --> header, sendfile --all of it is sent--> idle
                                               |                                ^
                                               v                                |
                                             Body --> sendfile --> ... ---------+
                                                         |   \\
                                           buffer full   |    not in the page cache
                                                         v     v
                     one block by the transport, which says    read in a thread
                     when the client has taken it

Which answer a request gets is decided by the same `select` as ever, and whatever is not an answer
with a body, or without one, to a file that is at hand is left to the `Sender`. While a client is
slow its transport waits for it, with the same bounds on time as always; what waits in memory is a
single small block.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus

import structlog
from aiohttp.helpers import rfc822_formatted_time

from origin.http.meter import Flow, Meter
from origin.http.representation import Representation, text_of
from origin.http.selection import Selection, select
from origin.http.tcp import OpenTcp, hold_little
from origin.http_error import HttpError
from origin.sources import Kept
from origin.sources.directory import is_cached
from p2pcdn.core.firsts import Place
from p2pcdn.errors import SourceError
from p2pcdn.model import Span
from p2pcdn.service.plain import PlainRequest
from p2pcdn.service.server import HEADERS

STEP = 131_072
"""Bytes that the kernel is asked to send at once, after a look whether it has them in memory. What
it has not it would wait for, and everybody else with it."""

BLOCK = 16_384
"""Bytes that are given to the transport when a client's buffer is full: it tells when there is room
again."""

TURN = 2 * 1024 * 1024
"""Bytes for one client before it is the others' turn, however fast it is."""

log = structlog.get_logger("p2pcdn.origin")

Find = Callable[[str], tuple[Representation, Kept] | None]
"""What a target stands for, and the file that its body is, if both are at hand."""


class Lanes:
    """Gives each connection a lane (a `p2pcdn.service.shortcut.Shortcut`)."""

    def __init__(self, route: str, find: Find, meter: Meter, headers: Mapping[str, str]) -> None:
        self.route = route
        self._find = find
        self._meter = meter
        self._all_answers = text_of(headers)

    def lane(self, transport: asyncio.Transport, wake: Callable[[], None]) -> Lane | None:
        """A lane for a connection over TCP itself."""
        if sys.platform != "linux" or transport.get_extra_info("sslcontext") is not None:
            return None
        try:
            tcp = OpenTcp(transport)
        except OSError:
            return None
        return Lane(transport, wake, tcp, self._find, self._meter, self._all_answers)


class Lane:
    """One connection, and the answer that is under way on it."""

    def __init__(
        self,
        transport: asyncio.Transport,
        wake: Callable[[], None],
        tcp: OpenTcp,
        find: Find,
        meter: Meter,
        all_answers: str,
    ) -> None:
        self._transport = transport
        self._wake = wake
        self._tcp = tcp
        self._find = find
        self._meter = meter
        self._all_answers = all_answers
        self._body: Body | None = None
        self._written: int | None = None
        """Bytes on this connection so far, while nobody else writes to it."""
        self._holds_little = False
        self._is_told = False
        """Whether the transport tells of each byte that waits, and not only of many."""

    def begin(self, request: PlainRequest) -> HTTPStatus | None:
        found = self._find(request.target)
        if found is None or self._transport.get_write_buffer_size():
            return None
        shown, file = found
        try:
            selection = select(request.method, request.headers, shown)
        except HttpError:
            return None
        if selection.span is not None and not is_at_hand(file, selection.span):
            return None  # should it fail, there is still time to say so
        if not self._holds_little:
            self._holds_little = True
            hold_little(self._transport)
        head = head_of(selection, self._all_answers)
        if self._written is None:
            self._written = self._tcp.written()
        self._written += len(head)
        is_sent = self._send_head(head, selection.span)
        if selection.span is not None:
            self._send_body(shown, file, selection.span, request.target, is_free=is_sent)
        return selection.status

    def go_on(self) -> bool:
        body = self._body
        if body is None:
            return True
        if self._transport.is_closing():
            raise ConnectionResetError
        if body.is_reading or self._transport.get_write_buffer_size():
            body.hold()
            return False
        if body.has_changed():
            raise ConnectionAbortedError  # its length was promised, and the rest is of another
        turn = body.left - TURN
        while body.left:
            if body.left <= turn:
                body.hold()
                asyncio.get_running_loop().call_soon(self._wake)
                return False
            if not body.is_at_hand():
                self._read(body)
                return False
            try:
                body.send(self._tcp.socket)
            except BlockingIOError:
                self._write(body.take(BLOCK))
                if self._transport.get_write_buffer_size():
                    body.hold()
                    return False
        self._end()
        if self._is_told:
            self._is_told = False
            self._transport.set_write_buffer_limits()
        return True

    def pass_by(self) -> None:
        self._written = None

    def leave(self) -> None:
        self._end()
        self._tcp.part()

    def _send_head(self, head: bytes, body: Span | None) -> bool:
        """With the body if one follows, in one packet; whether all of it went."""
        try:
            sent = self._tcp.socket.send(head, 0 if body is None else socket.MSG_MORE)
        except BlockingIOError:
            sent = 0
        except OSError:
            return False  # the next word on this connection finds it out as well
        if sent == len(head):
            return True
        self._write(head[sent:])
        return False

    def _send_body(
        self, shown: Representation, file: Kept, span: Span, target: str, *, is_free: bool
    ) -> None:
        """Send the first step of a body at once, if the way ``is_free``; mostly that is all. It is
        in memory."""
        assert self._written is not None  # its header is counted already
        start, size = self._written, span.last + 1 - span.first
        self._written = start + size
        place = Place(shown.file, span.first) if shown.file else None
        flow = self._meter.begin_on(self._tcp, start, shown.account, shown.content, place)
        sent = 0
        if is_free:
            try:
                sent = os.sendfile(
                    self._tcp.socket.fileno(),
                    file.descriptor,
                    file.begin + span.first,
                    min(size, STEP),
                )
            except OSError:
                sent = 0  # as for the header
            flow.handed(sent)
        if sent == size:
            flow.finish()
        else:
            self._body = Body(file, span, flow, target, sent)

    def _write(self, data: bytes) -> None:
        """Have the transport send it, and tell when it has."""
        self._transport.set_write_buffer_limits(high=0)
        self._is_told = True
        self._transport.write(data)

    def _read(self, body: Body) -> None:
        """Have a thread wait for the disk."""
        body.hold()
        body.is_reading = True
        reading = asyncio.get_running_loop().run_in_executor(None, body.read)

        def done(read: asyncio.Future[bool]) -> None:
            body.is_reading = False
            if self._body is body:
                if not read.result():
                    self._transport.abort()
                self._wake()
            body.close_if_left()

        reading.add_done_callback(done)

    def _end(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.leave()
            body.flow.finish()


class Body:
    """What is left of a file to send."""

    def __init__(self, file: Kept, span: Span, flow: Flow, target: str, sent: int) -> None:
        """Of the span so much was ``sent`` already."""
        self.flow = flow
        self.is_reading = False
        """Whether a thread reads in it."""
        self._file = file
        self._is_own = False
        self._target = target
        self._offset = span.first + sent
        self._end = span.last + 1
        self._known = min(span.first + STEP, self._end)
        """Up to where it was in memory a moment ago."""
        self._left = False

    @property
    def left(self) -> int:
        """How many bytes."""
        return self._end - self._offset

    def hold(self) -> None:
        """It takes longer: the file is to stay open for it."""
        if not self._is_own:
            kept = self._file.keep()
            assert kept is not None  # it is kept already
            self._file, self._is_own = kept, True

    def has_changed(self) -> bool:
        """Whether somebody has written to it since it was opened: asked at each turn, so that
        little is sent of what the answer does not say that it is."""
        if self._file.current() == self._file.identity:
            return False
        log.warning("file_changed", path=self._target)
        return True

    def is_at_hand(self) -> bool:
        """Whether the next step needs no waiting."""
        if self._offset < self._known:
            return True
        return is_at_hand(self._file, Span(self._offset, self._end - 1))

    def send(self, to: socket.socket) -> None:
        """Have the kernel send a step, or as much of it as there is room for."""
        sent = os.sendfile(
            to.fileno(),
            self._file.descriptor,
            self._file.begin + self._offset,
            min(STEP, self.left),
        )
        self._went(sent)

    def take(self, size: int) -> bytes:
        """The next bytes, for somebody else to send."""
        size = min(size, self.left)
        data = os.pread(self._file.descriptor, size, self._file.begin + self._offset)
        self._went(len(data))
        return data

    def read(self) -> bool:
        """Wait until the next step is in memory; whether it could be read. In a thread."""
        try:
            data = self._file.read(self._offset, min(STEP, self.left))
        except (SourceError, OSError) as error:
            log.warning("file_damaged", path=self._target, reason=str(error))
            return False
        if not data:
            log.warning("file_shrank", path=self._target)
        self._known = self._offset + len(data)
        return bool(data)

    def leave(self) -> None:
        """No more of it is wanted."""
        self._left = True
        self.close_if_left()

    def close_if_left(self) -> None:
        """Close the file, unless somebody still reads in it."""
        if self._left and self._is_own and not self.is_reading:
            self._is_own = False
            self._file.close()

    def _went(self, size: int) -> None:
        if not size:
            log.warning("file_shrank", path=self._target)
            raise ConnectionAbortedError  # its length was promised: nothing else can tell any more
        self._offset += size
        self.flow.handed(size)


def is_at_hand(file: Kept, span: Span) -> bool:
    """Whether the first step of a span needs no waiting: whether its ends are in memory, since what
    lies between mostly came with them."""
    first, last = file.begin + span.first, file.begin + min(span.first + STEP - 1, span.last)
    return is_cached(file.descriptor, last) and (last == first or is_cached(file.descriptor, first))


def head_of(selection: Selection, all_answers: str) -> bytes:
    """The header of an answer on a connection that stays open, as aiohttp writes it; with those
    fields that all answers of the origin have."""
    line = _LINES[selection.status]
    date = rfc822_formatted_time()
    return (
        f"{line}{all_answers}{selection.shared.text}{selection.text}Date: {date}\r\n{_LAST}"
    ).encode()


_LINES = {
    status: f"HTTP/1.1 {status.value} {status.phrase}\r\n"
    for status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.NOT_MODIFIED)
}

_LAST = text_of(HEADERS) + "\r\n"
