"""Peers that mean harm, in a swarm with a real browser: it plays the right bytes, and on time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from p2pcdn.core.store import Store
from p2pcdn.model import ChunkKey
from peer.native.runner import NativePeer
from tests.e2e.evil import QUIET, EvilPeer, allow
from tests.e2e.viewer import PATIENCE, Stage


class PoisonedStore(Store):
    """Hands out every chunk with its last bit flipped."""

    def get(self, key: ChunkKey) -> bytes | None:
        chunk = super().get(key)
        return chunk and chunk[:-1] + bytes([chunk[-1] ^ 1])


async def test_a_wrong_byte_is_rejected_and_its_sender_cut_off(stage: Stage, content: Path) -> None:
    async with NativePeer(stage.media) as evil:
        await evil.complete()
        evil.node.store.__class__ = PoisonedStore
        async with stage.viewer() as viewer:
            await viewer.until("() => window.p2pcdn?.getStats().rejectedChunks > 0")
            await viewer.plays(5)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 4
            stats = await viewer.stats()
            assert stats["rejectedChunks"] == 1
            assert stats["peerBytes"] == 0
            assert stats["links"] == 0


@contextlib.asynccontextmanager
async def swarm(media: str, *behaviours: str) -> AsyncIterator[Sequence[EvilPeer]]:
    """A peer of each behaviour, and an honest one; all hold the first segments."""
    async with contextlib.AsyncExitStack() as stack:
        evil = [EvilPeer(media, behaviour) for behaviour in behaviours]
        peers = [*evil, NativePeer(media, config=QUIET)]
        for peer in peers:
            await stack.enter_async_context(peer)
        for peer in peers:
            await peer.complete()
        for peer in peers:
            allow(peer)
        yield evil


def has_spoilt(peer: EvilPeer) -> bool:
    return bool(peer.evil.spoilt)


def is_caught(peer: EvilPeer) -> bool:
    """Whether somebody has ended a link for what came over it."""
    return bool(peer.evil.cut)


async def until_all(peers: Sequence[EvilPeer], holds: Callable[[EvilPeer], bool]) -> None:
    for peer in peers:
        try:
            await asyncio.wait_for(peer.until(partial(holds, peer)), PATIENCE / 1_000)
        except TimeoutError:
            name = f"{holds.__name__} of {peer.evil.behaviour!r}"
            raise AssertionError(f"never came true: {name}") from None


async def test_whoever_sends_wrong_bytes_is_found_out(stage: Stage, content: Path) -> None:
    behaviours = ("wrong bytes", "overlong", "another chunk", "another segment")
    async with swarm(stage.media, *behaviours) as evil, stage.viewer() as viewer:
        await until_all(evil, is_caught)
        await viewer.plays(5)
        await viewer.assert_smooth()
        assert await viewer.assert_exact(content) >= 4
        await viewer.until("() => window.p2pcdn.getStats().links === 1")
        stats = await viewer.stats()
        assert stats["rejectedChunks"] >= 1, stats
        assert stats["peerBytes"] > 0, stats


async def test_whoever_holds_back_is_not_waited_for(stage: Stage, content: Path) -> None:
    behaviours = ("truncated", "false have", "tarpit")
    async with swarm(stage.media, *behaviours) as evil, stage.viewer() as viewer:
        await until_all(evil, has_spoilt)
        await viewer.plays(5)
        await viewer.assert_smooth()
        assert await viewer.assert_exact(content) >= 4
        stats = await viewer.stats()
        assert stats["rejectedChunks"] == 0, stats
        assert stats["peerBytes"] > 0, stats
