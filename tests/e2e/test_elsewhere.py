"""The media stay at a CDN that wants a token of everybody; ours is just the script tag."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser

from origin.synth import LiveFeed
from tests.e2e.cdn import NEEDED, cdn
from tests.e2e.servers import p2pcdn
from tests.e2e.viewer import Stage

pytestmark = [NEEDED, pytest.mark.xdist_group("embedding")]


async def test_viewers_with_tokens_of_their_own_are_one_swarm(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "nginx"
    logs.mkdir()
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(cdn(content, logs))
        words = (
            *("--data", str(tmp_path / "data"), "--set", f"elsewhere={there.url}"),
            *("--set", "origin.upstream.private_networks=127.0.0.1/32"),
            *("--set", "tracker.report_every=1"),
        )
        server = await stack.enter_async_context(p2pcdn("serve", *words))
        viewers = []
        for number in range(3):
            media = f"{there.url}film/index.m3u8?token=viewer-{number}"
            one = Stage(browser, page_site, server.url, media)
            viewers.append(await stack.enter_async_context(one.viewer()))
            await viewers[-1].plays(4 if number == 0 else 2)
        for viewer in viewers:
            await viewer.plays(6)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 3
        stats = [await viewer.stats() for viewer in viewers]
        assert stats[2]["peerBytes"] > stats[2]["originBytes"], stats
        sent = there.sent()
        assert sent["viewer-2"] < sent["viewer-0"] / 2, (sent, stats)
        # The origin has fetched each segment once at the most, by somebody's token.
        assert there.statuses()["403"] == 0
        summary = await server.json("/api/v1/summary")
        assert summary["origin_bytes"] == 0
        async with asyncio.timeout(10):
            while summary["peer_bytes_confirmed"] == 0:
                await asyncio.sleep(0.2)
                summary = await server.json("/api/v1/summary")
        assert summary["swarms"] == 1
    # Nobody's token is anywhere but with its owner and the CDN.
    assert "viewer-" not in server.text
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or b"viewer-" not in file.read_bytes()


async def test_a_live_stream_elsewhere(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    (tmp_path / "nginx").mkdir()
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(cdn(content, tmp_path / "nginx"))
        feed = await stack.enter_async_context(
            LiveFeed(content / "film" / "index.m3u8", content / "live-elsewhere")
        )
        words = (
            *("--data", str(tmp_path / "data"), "--set", f"elsewhere={there.url}"),
            *("--set", "origin.upstream.private_networks=127.0.0.1/32"),
        )
        server = await stack.enter_async_context(p2pcdn("serve", *words))
        viewers = []
        for number in range(2):
            media = f"{there.url}live-elsewhere/{feed.playlist.name}?token=viewer-{number}"
            one = Stage(browser, page_site, server.url, media)
            viewers.append(await stack.enter_async_context(one.viewer()))
        for viewer in viewers:
            await viewer.plays(3)
        before = [await viewer.stats() for viewer in viewers]
        for viewer in viewers:
            await viewer.plays(11)
            await viewer.assert_smooth()
        after = [await viewer.stats() for viewer in viewers]
        peers, origin = (
            sum(now[name] - then[name] for then, now in zip(before, after, strict=True))
            for name in ("peerBytes", "originBytes")
        )
        # One copy of two would be half.
        assert peers > 0.2 * (peers + origin), (before, after)
