"""A native peer and Chromium, both ways."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from p2pcdn.config import Config, PeerConfig
from peer.native.runner import NativePeer
from tests import fast_python
from tests.e2e.servers import ROOT, Command, peer
from tests.e2e.viewer import Stage

FEW = Config(peer=PeerConfig(store_bytes=4 * 1024 * 1024))
"""Eight segments are enough to be compared."""


async def test_a_native_peer_seeds_to_chromium(stage: Stage, content: Path) -> None:
    async with peer(stage.media) as seeder:
        await seeder.printed("complete")
        async with stage.viewer() as viewer:
            await viewer.plays(5)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 5
            stats = await viewer.stats()
            assert stats["peerBytes"] > stats["originBytes"], stats
            assert stats["timings"]["firstChunk"] > stats["timings"]["open"] > 0


async def test_chromium_seeds_to_a_native_peer(
    stage: Stage, server: Command, content: Path
) -> None:
    async with stage.viewer() as viewer:
        await viewer.plays(2)
        async with NativePeer(stage.media, config=FEW) as native:
            await native.complete()
            assert native.stats.peer_bytes > 0
            assert native.stats.rejected_chunks == 0
            for segment in native.store.segments():
                name = native.uri(segment)
                assert name is not None
                assert native.store.assemble(segment) == (content / "film" / name).read_bytes()
        await viewer.assert_smooth()
        assert (await viewer.stats())["uploadedBytes"] >= native.stats.peer_bytes


async def test_chromium_and_native_peers_on_the_faster_transport(
    stage: Stage, content: Path
) -> None:
    """Both ways, one after the other."""
    python = fast_python.find()
    if python is None:
        pytest.skip(fast_python.WHY_NOT)
    fast = ("env", "P2PCDN_PEER_TRANSPORT=fast")
    async with peer(stage.media, prefix=fast, python=python) as seeder:
        await seeder.printed("complete")
        async with stage.viewer() as viewer:
            await viewer.plays(5)
            assert await viewer.assert_exact(content) >= 5
            stats = await viewer.stats()
            assert stats["peerBytes"] > stats["originBytes"], stats
            await seeder.stop()
            words = [python, "-m", "tests.e2e.take", stage.media, str(content / "film"), "fast"]
            process = await asyncio.create_subprocess_exec(
                *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            *_, said = (await process.communicate())[0].splitlines()  # the log comes first
            found = json.loads(said)
            assert found["same"]
            assert all(found["same"])
            assert found["peerBytes"] > 0
            assert found["rejectedChunks"] == 0
            await viewer.assert_smooth()
            assert (await viewer.stats())["uploadedBytes"] >= found["peerBytes"]
