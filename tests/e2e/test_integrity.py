"""A peer that sends a wrong byte."""

from __future__ import annotations

from pathlib import Path

from p2pcdn.core.store import Store
from p2pcdn.model import ChunkKey
from peer.native.runner import NativePeer
from tests.e2e.viewer import Stage


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
            await viewer.plays(8)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 4
            stats = await viewer.stats()
            assert stats["rejectedChunks"] == 1
            assert stats["peerBytes"] == 0
            assert stats["links"] == 0
