"""Many tabs of one profile, and a tab that nobody looks at."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from origin.synth import LiveFeed
from tests.e2e.cdp import chromium
from tests.e2e.viewer import Stage


async def test_eight_live_tabs_of_one_profile(stage: Stage, content: Path) -> None:
    """A profile has six HTTP/1.1 connections to a host, for all of its tabs together."""
    async with AsyncExitStack() as stack:
        feed = await stack.enter_async_context(
            LiveFeed(content / "film" / "index.m3u8", content / "tabs")
        )
        live = replace(stage, media=f"{stage.server}/media/tabs/{feed.playlist.name}")
        profile = await stack.enter_async_context(await stage.profile())
        viewers = []
        for _ in range(8):
            viewers.append(await stack.enter_async_context(live.viewer(context=profile)))
            await viewers[-1].plays(1)
        for viewer in viewers:
            await viewer.plays(16)
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
            await viewer.plays(8)
            await viewer.assert_smooth()
        played = f"document.getElementById('video').currentTime > {before + 8}"
        await hidden.until(played)
        assert await hidden.evaluate("window.p2pcdn.getStats().uploadedBytes") > 0
        assert await hidden.evaluate("window.probe.errors") == []
        assert await hidden.evaluate("window.probe.stalls") == 0
