"""What is shown of a source of another kind: viewers of what is in it play it for each other."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser

from tests.e2e.servers import Command
from tests.e2e.viewer import Stage


async def assert_played_by_peers(
    browser: Browser, page_site: str, server: Command, content: Path
) -> None:
    """Of two viewers of ``film/index.m3u8`` the later one has it from the first, byte for byte as
    it is in ``content``, and neither notices anything."""
    stage = Stage(browser, page_site, server.url, f"{server.url}/media/film/index.m3u8")
    async with stage.viewer() as first:
        await first.plays(4)
        async with stage.viewer() as second:
            await second.until("() => window.p2pcdn?.getStats().peerBytes > 0")
            await second.plays(4)
            for viewer in (first, second):
                await viewer.assert_smooth()
                assert await viewer.assert_exact(content) >= 2
                assert (await viewer.stats())["rejectedChunks"] == 0
