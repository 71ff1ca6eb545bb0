"""While an upstream fails in one way after another, viewers with a neighbour play on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser

from tests.e2e.servers import p2pcdn, peer
from tests.e2e.test_failures import SHORT_BUFFER
from tests.e2e.viewer import Stage
from tests.origin.upstreams import Asked, FakeUpstream, Kept, Play, fake_upstream, head, says

pytestmark = pytest.mark.xdist_group("embedding")

_BEGUN = head(200, {"Content-Length": "100000"})

FAULTS: dict[str, Play] = {
    "status 500": says(head(500, {"Content-Length": "0"})),
    "reset": says(_BEGUN + bytes(1000), then="reset"),
    "truncated": says(_BEGUN + bytes(1000), then="close"),
    "slow drip": says(_BEGUN + bytes(1000), drip=0.2),
}
"""The last keeps the origin waiting for ten seconds, in which it meets nothing else."""


class Met:
    """A fault, and how often somebody has met it."""

    def __init__(self, fault: Play) -> None:
        self.count = 0
        self._fault = fault

    async def play(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        await self._fault(asked, writer)


def fill(server: FakeUpstream, content: Path) -> list[str]:
    """Serve what is in a directory; the paths of the media."""
    paths = [path for path in content.rglob("*") if path.is_file()]
    for path in paths:
        server.files[f"/{path.relative_to(content)}"] = Kept.of(path.read_bytes())
    return [name for name in server.files if not name.endswith((".m3u8", ".mpd"))]


async def statuses(url: str, media: list[str]) -> set[int]:
    """What the origin answers to whoever has no neighbour."""
    found = set()
    async with aiohttp.ClientSession() as session:
        for name in media:
            async with session.get(f"{url}/media{name}") as answer:
                found.add(answer.status)
    return found


async def test_viewers_with_a_neighbour_play_on(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    async with fake_upstream() as upstream:
        media = fill(upstream, content)
        allowed = "origin.upstream.private_networks=127.0.0.1/32"
        words = ("--content", upstream.url, "--data", str(tmp_path), "--set", allowed)
        async with p2pcdn("serve", *words, "--set", "origin.cache_size=0") as server:
            url = f"{server.url}/media/film/index.m3u8"
            stage = Stage(browser, page_site, server.url, url)
            async with peer(url) as seeder:
                await seeder.printed("complete")
                async with (
                    stage.viewer(before=SHORT_BUFFER) as first,
                    stage.viewer(before=SHORT_BUFFER) as second,
                ):
                    for viewer in (first, second):
                        await viewer.until("() => window.p2pcdn?.getStats().peerBytes > 0")
                    for name, fault in FAULTS.items():
                        met = Met(fault)
                        upstream.plays = dict.fromkeys(media, met.play)
                        asking = asyncio.create_task(statuses(server.url, media))
                        begun = (await second.probe())["played"]
                        for viewer in (first, second):
                            await viewer.plays(begun + 3)
                        assert met.count, f"nobody has met it: {name}"
                        if fault is FAULTS["slow drip"]:  # which is given up after ten seconds
                            asking.cancel()
                        else:
                            assert 502 in await asking, f"all is at the origin: {name}"
                    for viewer in (first, second):
                        await viewer.assert_smooth()
                        assert await viewer.assert_exact(content) >= 4
                        assert (await viewer.stats())["rejectedChunks"] == 0
