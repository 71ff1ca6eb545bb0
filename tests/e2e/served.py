"""What is shown of a source of another kind: viewers of what is in it play it for each other."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser

from tests.e2e.servers import Command
from tests.e2e.viewer import Stage


async def assert_played_by_peers(
    browser: Browser,
    page_site: str,
    server: Command,
    content: Path,
    film: str = "film",
    *,
    before: float = 4,
    after: float = 4,
    segments: int = 2,
) -> None:
    """Of two viewers of ``film`` the later one, who comes when the first has played ``before``
    seconds, has it from the first, byte for byte as it is in ``content``, and neither notices
    anything for ``after`` seconds and so many segments."""
    stage = Stage(browser, page_site, server.url, f"{server.url}/media/{film}/index.m3u8")
    async with stage.viewer() as first:
        await first.plays(before)
        async with stage.viewer() as second:
            await second.until("() => window.p2pcdn?.getStats().peerBytes > 0")
            await second.plays(after)
            for viewer in (first, second):
                await viewer.assert_smooth()
                assert await viewer.assert_exact(content) >= segments
                assert (await viewer.stats())["rejectedChunks"] == 0
