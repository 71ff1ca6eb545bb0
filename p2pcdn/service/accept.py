"""Many connections accepted in one turn of the event loop.

libuv accepts one connection each time that it looks whether any wait (since 1.45), and looks once a
turn. While a turn serves hundreds of connections, each of a crowd that arrives waits for as many
turns as there are before it: the last of a thousand for seconds. asyncio's own loop accepts all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

MOST = 256
"""Connections accepted in one turn: to take one costs a tenth of a millisecond, and all others
wait meanwhile."""

Connection = Callable[[], asyncio.Protocol]
"""Makes the protocol of a connection."""


class Accepting:
    """Makes the protocol of a connection that the loop has accepted on a socket, and accepts those
    who wait behind it."""

    def __init__(self, listening: socket.socket, connection: Connection, **options: Any) -> None:
        """``options`` are those of ``create_server`` about TLS."""
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._connection = connection
        self._options = options
        self._taking: set[asyncio.Task[None]] = set()
        self._is_needed = not isinstance(self._loop, asyncio.BaseEventLoop)
        """Whether the loop is not one of asyncio's."""

    def __call__(self) -> asyncio.Protocol:
        if self._is_needed:
            self._take_others()
        return self._connection()

    def _take_others(self) -> None:
        for _ in range(MOST):
            try:
                found, _ = self._listening.accept()
            except OSError:
                return  # nobody is left; or no descriptor, which is the loop's to cope with
            task = self._loop.create_task(self._take(found))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _take(self, found: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._connection, found, **self._options)
        except OSError:  # it has gone already, or its TLS came to nothing
            found.close()
