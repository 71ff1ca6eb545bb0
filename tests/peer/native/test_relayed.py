"""Peers that hide behind a relay: a real one."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import msgspec
import pytest

from p2pcdn.config import Config, PeerConfig, TrackerConfig
from p2pcdn.errors import P2pcdnError
from peer.native.runner import NativePeer
from tests.coturn import NEEDED, coturn
from tests.peer.native.hosting import hosted


@NEEDED
async def test_what_a_relay_carries_saves_nothing(content: Path, tmp_path: Path) -> None:
    async with coturn(tmp_path) as turn:
        limits = TrackerConfig(turn=(turn.url,), turn_secret=turn.secret, report_every=0.2)
        behind = Config(peer=PeerConfig(mode="relay"))
        async with hosted(content, tmp_path, limits) as site:
            url = site.media("show/low/index.m3u8")
            async with NativePeer(url) as seeder:
                await seeder.complete()
                async with NativePeer(url, config=behind) as hidden:
                    await hidden.complete()
                    assert hidden.stats.peer_bytes > 0
                    async with asyncio.timeout(10):
                        while site.ledger.summary().relayed_bytes < hidden.stats.peer_bytes:  # noqa: ASYNC110
                            await asyncio.sleep(0.05)
            summary = site.ledger.summary()
            assert summary.peer_bytes_confirmed == summary.saved_bytes == 0
        assert any("ALLOCATE processed, success" in line for line in turn.log), turn.log


@NEEDED
async def test_a_relay_that_says_nothing_keeps_nobody_from_the_next(
    content: Path, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        first = f"turn:127.0.0.1:{silent.getsockname()[1]}?transport=udp"
        async with coturn(tmp_path) as turn:
            limits = TrackerConfig(turn=(first, turn.url), turn_secret=turn.secret, mode="relay")
            async with hosted(content, tmp_path, limits) as site:
                url = site.media("show/low/index.m3u8")
                async with NativePeer(url) as seeder:
                    await seeder.complete()
                    async with NativePeer(url) as hidden:
                        await hidden.complete()
                        assert hidden.stats.peer_bytes > 0
        assert silent.recv(2048), "it was not asked first"


async def test_without_a_relay_nobody_is_met_behind_one(content: Path, tmp_path: Path) -> None:
    async with hosted(content, tmp_path, TrackerConfig()) as site:
        config = Config(peer=PeerConfig(mode="relay"))
        async with NativePeer(site.media("show/low/index.m3u8"), config=config) as peer:
            with pytest.raises(P2pcdnError, match="says no_peers"):
                async with asyncio.timeout(10):
                    await peer.until(lambda: False)


async def test_peers_of_one_network_meet_in_it(content: Path, tmp_path: Path) -> None:
    config = Config(peer=PeerConfig(mode="lan"))
    async with hosted(content, tmp_path, TrackerConfig()) as site:
        url = site.media("show/low/index.m3u8")
        async with NativePeer(url, config=config) as seeder:
            await seeder.complete()
            async with NativePeer(url, config=config) as other:
                await other.complete()
                assert other.stats.peer_bytes > 0


async def test_a_budget_is_not_exceeded(content: Path, tmp_path: Path) -> None:
    config = Config(peer=msgspec.structs.replace(PeerConfig(), upload_budget=300_000))
    async with hosted(content, tmp_path, TrackerConfig()) as site:
        url = site.media("show/low/index.m3u8")
        async with NativePeer(url, config=config) as seeder:
            await seeder.complete()
            async with NativePeer(url) as other:
                await other.complete()
            assert 0 < seeder.stats.uploaded_bytes <= 300_000
