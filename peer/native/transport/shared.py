"""What is the same for transports and links, whichever library carries them.

::

    offer, answer, take_answer --one after the other--> describe, take (the library's)
    add_candidate --its name resolved, the other end described--> reach (the library's)
    send --> frames that wait --little at a time--> hand_over (the library's) --> LinkDrained
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import Any, Literal

from p2pcdn.core.ports import LinkDrained
from p2pcdn.model import Mode
from p2pcdn.wire.candidate import Candidate
from p2pcdn.wire.chunk import Frame, encode_frame
from p2pcdn.wire.link import CONTROL_BYTES
from peer.native.transport import Feed, Inbox, LinkError, Relay, ice
from peer.native.transport.description import take_apart, usable
from peer.native.transport.mdns import Resolver, is_local_name

MOST_TOLD = 16 * CONTROL_BYTES
"""Bytes of control messages that wait: an end that takes no more is as good as gone."""
MOST_CANDIDATES = 20
"""Of the other end of one link. A tracker passes ten on."""
LAST_WORDS = 0.3
"""Seconds that a closing link has for what was told before."""
CLOSING = 2.0
"""Seconds after which a connection that does not end is left to itself."""


Kind = Literal["offer", "answer"]


class Shared:
    """How a peer is reached, and what it may tell of that."""

    def __init__(self, advertise: Iterable[str] = ()) -> None:
        self.advertise = tuple(advertise)
        self.resolver = Resolver(ice.multicast_addresses())
        self.local: str | None = None
        self.stun: tuple[str, int] | None = None
        self.mode: Mode = "any"
        self.relays: tuple[Relay, ...] = ()

    @property
    def reflects(self) -> bool:
        """Whether STUN is asked by what addresses the world sees us."""
        return self.stun is not None and self.mode not in ("lan", "relay")

    def place(self, *, local: str | None, stun: tuple[str, int] | None) -> None:
        self.local, self.stun = local, stun

    def confine(self, mode: Mode, relays: tuple[Relay, ...]) -> None:
        self.mode, self.relays = mode, relays

    async def close(self) -> None:
        self.resolver.close()


class SharedLink(ABC):
    """What becomes of descriptions, candidates and frames."""

    def __init__(self, transport: Shared, number: int, feed: Feed) -> None:
        self._resolver = transport.resolver
        self._number = number
        self._inbox = Inbox(number, feed)
        self._frames: deque[bytes] = deque()
        self._waiting = 0
        """Bytes of these frames."""
        self._half = -1
        """Bytes that are left when half of what waited after sending has gone; -1 once that was
        told."""
        self._described = asyncio.Event()
        """Set once the other end is described; its candidates wait for that."""
        self._candidates = 0
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # What each library does in its own way

    @abstractmethod
    async def _describe(self, kind: Kind) -> str:
        """Describe this end."""

    @abstractmethod
    async def _take_bare(self, sdp: str, kind: Kind) -> None:
        """What the other end is like, without its candidates."""

    @abstractmethod
    async def _reach(self, candidate: Candidate, address: str) -> None:
        """The other end may be at this address."""

    @abstractmethod
    def _pump(self) -> int:
        """Hand frames over, as far as there is room; bytes that the library has then."""

    # Coming about

    async def offer(self) -> str:
        async with self._turn:
            try:
                return await self._describe("offer")
            except Exception as error:
                raise LinkError(f"no offer: {error!r}") from error

    async def answer(self, sdp: str) -> str:
        async with self._turn:
            try:
                await self._take(sdp, "offer")
                return await self._describe("answer")
            except Exception as error:
                raise LinkError(f"no answer: {error!r}") from error

    async def take_answer(self, sdp: str) -> None:
        async with self._turn:
            try:
                await self._take(sdp, "answer")
            except Exception as error:
                raise LinkError(f"not an answer: {error!r}") from error

    def add_candidate(self, candidate: str) -> None:
        self._candidates += 1
        parsed = usable(candidate)
        if parsed is not None and self._candidates <= MOST_CANDIDATES and not self._inbox.over:
            self._start(self._add_candidate(parsed))

    async def _take(self, sdp: str, kind: Kind) -> None:
        bare, candidates = take_apart(sdp)
        await self._take_bare(bare, kind)
        self._described.set()
        for candidate in candidates:
            self.add_candidate(candidate)

    async def _add_candidate(self, parsed: Candidate) -> None:
        address: str | None = parsed.address
        if is_local_name(parsed.address):
            found = await self._resolver.resolve(parsed.address)
            address = None if found is None else str(found)
        await self._described.wait()
        if address is not None and not self._inbox.over:
            await self._reach(parsed, address)

    # Once it is open

    def send(self, frame: Frame) -> None:
        self._put(frame)
        self._flush()

    def _put(self, frame: Frame) -> None:
        data = encode_frame(frame)
        self._frames.append(data)
        self._waiting += len(data)

    def _flush(self) -> int:
        """Hand over what there is room for; bytes that wait then, here and in the library."""
        left = self._pump() + self._waiting
        self._half = left // 2
        return left

    def _drained(self) -> None:
        """The library has got rid of half of what it had."""
        left = self._pump() + self._waiting
        if left <= self._half:
            self._half = -1
            self._inbox.feed(LinkDrained(self._number, left))

    # Its end

    def _hush(self) -> None:
        """Nothing more is told, sent or done."""
        self._inbox.hush()
        self._frames.clear()
        self._waiting = 0
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
