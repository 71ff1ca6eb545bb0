"""Viewers that behave, and how long they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp

from p2pcdn.model import PROTOCOL
from p2pcdn.wire.codec import encode
from p2pcdn.wire.tracker import Join, SendCandidate

VIEWERS = 5
EVERY = 0.1
"""Seconds between two requests of a viewer, of either kind."""
PIECE = 65_536
"""Bytes of a range that they ask for."""


def percentile(times: list[float], share: float) -> float:
    """The time below which this share of them is."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Honest:
    """Viewers who fetch ranges and speak with the tracker, both as often as real ones may."""

    def __init__(self, url: str, path: str) -> None:
        self.http: list[float] = []
        """Seconds from each request to the end of its answer."""
        self.tracker: list[float] = []
        """Seconds from each message to its answer."""
        self._url = url
        self._path = path

    async def run(self, seconds: float) -> None:
        """Watch for so long."""
        until = asyncio.get_running_loop().time() + seconds
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            await asyncio.gather(
                *(self._fetch(session, until) for _ in range(VIEWERS)),
                *(self._talk(session, until, number) for number in range(VIEWERS)),
            )

    async def _fetch(self, session: aiohttp.ClientSession, until: float) -> None:
        async def fetch() -> None:
            headers = {"Range": f"bytes=0-{PIECE - 1}"}
            async with session.get(f"{self._url}{self._path}", headers=headers) as answer:
                body = await answer.read()
            if answer.status != 206 or len(body) != PIECE:
                raise RuntimeError(f"an honest viewer was answered {answer.status}")

        await self._again(fetch, until, self.http)

    async def _talk(self, session: aiohttp.ClientSession, until: float, number: int) -> None:
        # Its pairing is none, so it is told so: the quickest answer that there is.
        question = encode(SendCandidate("0" * 16, ""))
        async with session.ws_connect(f"{self._url}/tracker/v1") as socket:

            async def ask() -> None:
                await socket.send_str(question)
                if (await socket.receive()).type is not aiohttp.WSMsgType.TEXT:
                    raise RuntimeError("an honest viewer was thrown out by the tracker")

            await socket.receive()
            content = f"{'f' * 16}{number:016x}"
            await socket.send_str(encode(Join(PROTOCOL, "pk_demo", content, "browser", True)))
            await socket.receive()
            await self._again(ask, until, self.tracker)

    @staticmethod
    async def _again(do: Callable[[], Awaitable[None]], until: float, times: list[float]) -> None:
        loop = asyncio.get_running_loop()
        while (began := loop.time()) < until:
            await do()
            took = loop.time() - began
            times.append(took)
            await asyncio.sleep(max(0.0, EVERY - took))
