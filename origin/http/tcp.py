"""What the kernel knows of a TCP connection (Linux: ``TCP_INFO`` and ``SIOCOUTQ``)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import sys

if sys.platform == "linux":
    import fcntl
    import termios

_CLOSED = 7
"""``TCP_CLOSE`` of net/tcp_states.h: nothing comes or goes any more."""

_MOST_UNSENT = 131_072
"""Bytes that the kernel holds back for a viewer who is slow to fetch them. By itself it takes two
or three megabytes, which thousands of slow viewers would fill its memory with; what is on its way
through the network is not limited by this."""

_INFO = struct.Struct("=B119xQ")
"""Of ``struct tcp_info`` in linux/tcp.h: the state, and how many bytes were acknowledged."""


class Tcp:
    """A connection's figures, for longer than the event loop keeps it.

    It holds a copy of the descriptor, since the loop closes its own at the very moment when the
    final figures are known.
    """

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        """`OSError` if the transport is closed, or its socket is of another kind."""
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._socket = socket.socket(fileno=os.dup(self._descriptor))
        self.is_left = False
        """Whether the loop has closed its descriptor: ours alone keeps the connection."""
        try:
            self._info()
        except OSError:
            self._socket.close()
            raise

    def acknowledged(self) -> int:
        """Bytes that the other end has acknowledged since the connection was opened."""
        return self._info()[0]

    def written(self) -> int:
        """Bytes that were written since then."""
        return self.acknowledged() + self.under_way()

    def under_way(self) -> int:
        """Bytes that were written, and are not acknowledged yet."""
        queued = bytearray(4)
        fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, queued)
        return int.from_bytes(queued, sys.byteorder) + self._transport.get_write_buffer_size()

    def is_over(self) -> bool:
        """Whether nothing more will be acknowledged."""
        return self.look()[1]

    def look(self) -> tuple[int, bool]:
        """`acknowledged` and `is_over` at one moment."""
        if not self.is_left and self._transport.is_closing() and self._is_left_by_the_loop():
            # Its close ended nothing as long as there is our descriptor, so the end of the stream
            # has to be said here.
            self.is_left = True
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
        return self._info()

    def close(self) -> None:
        """Let the descriptor go."""
        self._socket.close()

    def _is_left_by_the_loop(self) -> bool:
        """Whether the loop has closed its descriptor, which it does once all is written."""
        try:
            own = os.fstat(self._descriptor)
        except OSError:
            return True
        # The number may be another file's by now.
        return own.st_ino != os.fstat(self._socket.fileno()).st_ino

    def _info(self) -> tuple[int, bool]:
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        state, acknowledged = _INFO.unpack(info)
        return acknowledged, state == _CLOSED


class OpenTcp(Tcp):
    """A connection's figures, by the loop's own descriptor as long as that is there: no other is
    spent on connections that stay open. Several bodies may be counted by it at once."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        """`OSError` if the transport is closed, or its socket is of another kind."""
        self._transport = transport
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._socket = socket.socket(fileno=self._descriptor)
        self.is_left = False
        self._parted = False
        self._final: int | None = None
        """What was acknowledged when nothing more could be learnt."""
        self._users = 0
        try:
            self._info()
        except OSError:
            self._socket.detach()
            raise

    @property
    def socket(self) -> socket.socket:
        """To send past the transport, while nothing waits in its buffer."""
        return self._socket

    def use(self) -> None:
        """A body is counted by it, which ends by `close`."""
        self._users += 1

    def acknowledged(self) -> int:
        return super().acknowledged() if self._final is None else self._final

    def look(self) -> tuple[int, bool]:
        if self._final is not None:
            return self._final, True
        return super().look() if self._parted else self._info()

    def part(self) -> None:
        """The loop closes its descriptor in a moment: go on with a copy, if anybody still needs
        one."""
        lent = self._socket
        self._parted = True
        if self._users:
            try:
                self._socket = socket.socket(fileno=os.dup(self._descriptor))
            except OSError:  # no descriptors are left
                self._final = self._info()[0]
        lent.detach()

    def close(self) -> None:
        self._users -= 1
        if self._parted and not self._users:
            self._socket.close()


def hold_little(transport: asyncio.WriteTransport) -> None:
    """Keep what waits to be sent on a connection out of the kernel's memory."""
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        own = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT)


def figures_of(transport: asyncio.WriteTransport) -> Tcp | None:
    """The figures of a transport's connection, if it is open and the kernel has some."""
    if sys.platform != "linux":
        return None
    try:
        return Tcp(transport)
    except OSError:
        return None
