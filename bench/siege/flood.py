"""Peers that say too much, and come back as soon as they have been thrown out."""

from __future__ import annotations

import asyncio

import aiohttp

from bench.siege.attacks import ELSEWHERE
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.codec import encode
from p2pcdn.wire.tracker import Join, Move, Position

BATCH = 10
"""Messages that each flooder sends at once."""


class Flood:
    """So many sockets that together send so many messages a second, as far as they are let."""

    def __init__(self, url: str, sockets: int, messages_per_second: float) -> None:
        self.sent = 0
        self.closed = 0
        """How often one of them was thrown out."""
        self._url = url
        self._sockets = sockets
        self._pause = sockets * BATCH / messages_per_second
        self._text = encode(Move(True, Position("v", 0, 5, 9, 20, 2000, 500_000)))

    async def run(self, seconds: float) -> None:
        """Flood for so long."""
        connector = aiohttp.TCPConnector(limit=0, local_addr=(ELSEWHERE, 0))
        async with aiohttp.ClientSession(connector=connector) as session:
            flooders = [
                asyncio.create_task(self._flooder(session, number))
                for number in range(self._sockets)
            ]
            try:
                await asyncio.sleep(seconds)
            finally:
                for flooder in flooders:
                    flooder.cancel()
                await asyncio.wait(flooders)

    async def _flooder(self, session: aiohttp.ClientSession, number: int) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._pause * number / self._sockets
        while True:
            try:
                async with session.ws_connect(self._url) as socket:
                    await socket.send_str(
                        encode(Join(PROTOCOL, "pk_demo", f"{number:032x}", "browser", True))
                    )
                    while not socket.closed:
                        due = max(due + self._pause, loop.time() - 1)
                        await asyncio.sleep(due - loop.time())
                        for _ in range(BATCH):
                            await socket.send_str(self._text)
                            self.sent += 1
            except (aiohttp.ClientError, ConnectionError):
                await asyncio.sleep(0.1)
            self.closed += 1
