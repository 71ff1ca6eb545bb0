"""One end of a link as a whole peer: what `p2pcdn peer` is, with its content in memory.

::

    holds: "hold" --all from the origin--> seeds
    takes: "fetch" --all that the other one holds--> how much that was, and how long it took
"""

from __future__ import annotations

import asyncio
import time

from msgspec.structs import replace

from p2pcdn.config import Config
from peer.native.runner import NativePeer
from peer.native.transport.choice import Choice

STORE = 1 << 30
"""Bytes that fit into memory."""


class Whole:
    """A native peer, from its first word on."""

    def __init__(self, transport: Choice) -> None:
        settings = replace(Config().peer, transport=transport, store_bytes=STORE)
        self._config = Config(peer=settings)
        self._peer: NativePeer | None = None

    async def hold(self, url: str) -> None:
        """Get all of the content, and seed it from then on."""
        peer = await self._begin(url)
        await peer.complete()

    async def fetch(self, url: str) -> tuple[int, int, float]:
        """Get all of the content: its bytes, how many of them a peer brought, and in how many
        seconds, from when there was a link to it."""
        peer = await self._begin(url)
        await peer.until(lambda: bool(peer.links))
        began = time.perf_counter()
        await peer.complete()
        return peer.store.size, peer.stats.peer_bytes, time.perf_counter() - began

    async def close(self) -> None:
        """Leave the swarm."""
        if self._peer is not None:
            await self._peer.__aexit__(None, None, None)

    async def _begin(self, url: str) -> NativePeer:
        self._peer = NativePeer(url, config=self._config)
        return await asyncio.wait_for(self._peer.__aenter__(), 30)
