"""One end of some links as a native peer has them: a transport, and the core's machines for links.

What is not there is a content: any chunk is given, and none is checked or kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from p2pcdn.core.link import Need
from p2pcdn.core.neighbours import Asked, Delivered, Down, Neighbours, Up
from p2pcdn.core.ports import (
    Input,
    LinkBroke,
    LinkClosed,
    LinkDrained,
    LinkOpened,
    LinkSays,
    LinkSends,
    SendFrame,
    TellLink,
)
from p2pcdn.model import CHUNK_SIZE, PROTOCOL, ChunkKey
from p2pcdn.wire.link import Hello
from peer.native.transport import Transport, TransportLink

CONTENT = "0" * 32
RENDITION = "film/index.m3u8"
CHUNK = bytes(range(256)) * (CHUNK_SIZE // 256)
CHUNKS = 64
"""Of a segment."""
OPEN_WITHIN = 30.0
"""Seconds that all links have to come about. A peer's link has four (`signaling.CONNECT_TIMEOUT`),
but not fifteen others at the same time."""


class Ours:
    """Gives any chunk that it is asked for, and asks for chunks as long as it is to take some."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._links: list[TransportLink] = []
        self._neighbours = Neighbours()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = inf
        self._busy_until = inf
        """When the first of the links that are busy may be asked again."""
        self._news = asyncio.Event()
        self._up: set[int] = set()
        self._over: RuntimeError | None = None
        """Of a link that has ended."""
        self._takes = False
        self._asked = 0
        self._taken = 0

    async def offers(self, count: int) -> list[str]:
        return [await link.offer() for link in self._make(count)]

    async def answers(self, offers: list[str]) -> list[str]:
        links = self._make(len(offers))
        return [await link.answer(offer) for link, offer in zip(links, offers, strict=True)]

    async def accept(self, answers: list[str]) -> None:
        for link, answer in zip(self._links, answers, strict=True):
            await link.take_answer(answer)

    async def opened(self) -> None:
        """Wait until all links are up; `RuntimeError` if one is over, or it takes too long."""
        try:
            async with asyncio.timeout(OPEN_WITHIN):
                await self._until(lambda: len(self._up) == len(self._links))
        except TimeoutError:
            down = [number for number in range(len(self._links)) if number not in self._up]
            raise RuntimeError(f"links {down} were not up within {OPEN_WITHIN} s") from None

    async def take(self, seconds: float) -> int:
        """Take what comes in this time; how many bytes it was."""
        now = self._loop.time()
        self._taken, self._takes = 0, True
        self._ask(now)
        self._settle(now)
        await asyncio.sleep(seconds)
        self._takes = False
        return self._taken

    async def send(self) -> None:
        """What is asked for is sent anyway."""

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.gather(*(link.close() for link in self._links))
        await self._transport.close()

    def _make(self, count: int) -> list[TransportLink]:
        self._links = [self._transport.link(number, self._feed) for number in range(count)]
        return self._links

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._over is not None:
                raise self._over
            self._news.clear()
            await self._news.wait()

    def _feed(self, given: Input) -> None:
        now = self._loop.time()
        if isinstance(given, LinkSends):
            self._neighbours.receive(given, now)
            if self._neighbours.has_events:
                self._settle(now)
            return
        match given:
            case LinkSays():
                self._neighbours.receive(given, now)
            case LinkDrained(link, buffered):
                self._neighbours.drained(link, buffered, now)
            case LinkOpened(link):
                hello = Hello(PROTOCOL, CONTENT, f"{link:016x}", upload=True)
                self._neighbours.opened(link, hello, now)
            case LinkClosed(link, reason) | LinkBroke(link, reason):
                self._end(link, reason)
        self._settle(now)

    def _wake(self) -> None:
        now = self._loop.time()
        self._armed_at = inf
        self._neighbours.on_timer(now)
        self._ask(now)
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Do what the core says."""
        if self._neighbours.has_events:
            for event in self._neighbours.take_events():
                self._hear(event, now)
            self._news.set()
            self._ask(now)
        for message in self._neighbours.take_messages():
            if isinstance(message, TellLink):
                self._links[message.link].tell(message.message)
            elif isinstance(message, SendFrame):
                self._links[message.link].send(message.frame)
        self._arm()

    def _hear(self, event: object, now: float) -> None:
        match event:
            case Asked():
                self._neighbours.answer(event, CHUNK, 0, now)
            case Delivered(link, key, data):
                self._neighbours.credit(link, key, len(data))
                self._taken += len(data)
            case Up(link):
                self._up.add(link)
            case Down(link, reason):
                self._end(link, reason)

    def _end(self, link: int, reason: str) -> None:
        up = f"{len(self._up)} of {len(self._links)} had been up"
        self._over = RuntimeError(f"link {link} is over: {reason}; {up}")
        self._news.set()

    def _ask(self, now: float) -> None:
        """Keep all links busy, as long as something is to be taken."""
        self._busy_until = inf
        if not self._takes:
            return
        for link in self._neighbours.up():
            if link.busy_until > now:
                self._busy_until = min(self._busy_until, link.busy_until)
                continue
            if 2 * link.in_flight > link.window:
                continue  # a node decides anew when a link is about to run dry
            while link.in_flight < link.window:
                key = ChunkKey(RENDITION, self._asked // CHUNKS, self._asked % CHUNKS)
                self._asked += 1
                self._neighbours.want(link.number, key, CHUNK_SIZE, Need.SOON, now)

    def _arm(self) -> None:
        """Be woken, as a peer's engine is: a timer that comes too early is let run."""
        at = min(self._neighbours.alarm, self._busy_until)
        if at >= self._armed_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = at
        self._timer = self._loop.call_at(at, self._wake)
