"""Many tabs of one profile, and a tab that nobody looks at."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser

from origin.synth import LiveFeed, Rendition, synthesise
from tests.e2e import films
from tests.e2e.cdp import chromium
from tests.e2e.servers import p2pcdn
from tests.e2e.viewer import Stage

SMALL = (Rendition("90p", 160, 90, 220_000),)
"""Two cores have to decode eight of it."""


@pytest.mark.crowd
async def test_eight_live_tabs_of_one_profile(
    browser: Browser, page_site: str, content: Path, encoded: Path, tmp_path: Path
) -> None:
    """A profile has six HTTP/1.1 connections to a host, for all of its tabs together."""
    film = await asyncio.to_thread(
        synthesise, encoded / "tabs", seconds=films.SECONDS, renditions=SMALL
    )
    # Eight viewers on two cores need not all be linked to each other.
    few = ("--set", "tracker.neighbours=3")
    arguments = ("--content", str(content), "--data", str(tmp_path), *few)
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(LiveFeed(film, content / "tabs"))
        server = await stack.enter_async_context(p2pcdn("serve", *arguments))
        media = f"{server.url}/media/tabs/{feed.playlist.name}"
        live = Stage(browser, page_site, server.url, media)
        profile = await stack.enter_async_context(await live.profile())
        viewers = []
        for number in range(8):
            viewers.append(await stack.enter_async_context(live.viewer(context=profile)))
            if number % 2:
                await viewers[-1].plays(1)
        for viewer in viewers:
            await viewer.plays(12)
        for viewer in viewers:
            await viewer.assert_smooth()


async def test_a_hidden_tab_keeps_playing_and_sharing(
    stage: Stage, content: Path, tmp_path: Path
) -> None:
    """With Chromium's usual throttling of what nobody looks at."""
    async with chromium(tmp_path / "profile") as browser:
        hidden = await browser.open_tab(stage.page_url())
        await hidden.until("window.probe?.played > 3")
        # A muted video that nobody started is paused when its tab is hidden, with us or without.
        listen = "(v => { v.muted = false; return v.play() })(document.getElementById('video'))"
        await hidden.evaluate(listen, gesture=True)
        await browser.open_tab("about:blank")
        await hidden.until("document.visibilityState === 'hidden'")
        before = await hidden.evaluate("document.getElementById('video').currentTime")
        async with stage.viewer() as viewer:
            await viewer.until("() => window.p2pcdn?.getStats().peerBytes > 0")
            await viewer.plays(6)
            await viewer.assert_smooth()
        played = f"document.getElementById('video').currentTime > {before + 6}"
        await hidden.until(played)
        assert await hidden.evaluate("window.p2pcdn.getStats().uploadedBytes") > 0
        assert await hidden.evaluate("window.probe.errors") == []
        assert await hidden.evaluate("window.probe.stalls") == 0
