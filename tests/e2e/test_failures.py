"""Whatever fails, playback goes on: a supplier, the tracker, the origin."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser

from tests.e2e.servers import Command, p2pcdn, peer
from tests.e2e.viewer import Stage, Viewer

SHORT_BUFFER = "window.playerConfig = { maxBufferLength: 8, maxMaxBufferLength: 8 }"
"""So that a player needs something new soon after a failure."""


@asynccontextmanager
async def supplied(stage: Stage) -> AsyncIterator[tuple[Command, Viewer]]:
    """A peer that has all, and a viewer who comes then: to start the peer may take a busy machine
    as long as the film lasts."""
    async with peer(stage.media) as supplier:
        await supplier.printed("complete")
        async with stage.viewer(before=SHORT_BUFFER) as viewer:
            yield supplier, viewer


async def test_a_supplier_vanishes_in_the_middle_of_a_chunk(stage: Stage, content: Path) -> None:
    async with supplied(stage) as (supplier, viewer):
        # It is sending all that lies ahead, some megabytes, when it is gone without a word.
        await viewer.until("() => window.p2pcdn?.getStats().peerBytes > 0")
        await supplier.kill()
        before = await viewer.stats()
        await viewer.plays(12)
        await viewer.assert_smooth()
        assert await viewer.assert_exact(content) >= 6
        await viewer.until("() => window.p2pcdn.getStats().links === 0")
        after = await viewer.stats()
        assert after["originBytes"] > before["originBytes"]


async def test_a_supplier_falls_silent(stage: Stage, content: Path) -> None:
    async with supplied(stage) as (supplier, viewer):
        await viewer.until("() => window.p2pcdn?.getStats().peerBytes > 0")
        supplier.process.send_signal(signal.SIGSTOP)  # its connection stays open
        try:
            await viewer.plays(12)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 6
        finally:
            supplier.process.send_signal(signal.SIGCONT)


async def test_the_tracker_is_killed_and_links_live_on(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    data = ("--data", str(tmp_path))
    async with (
        p2pcdn("origin", "--content", str(content), *data) as origin,
        p2pcdn("tracker", *data) as tracker,
    ):
        stage = Stage(browser, page_site, origin.url, f"{origin.url}/media/film/index.m3u8")
        where = {"data-tracker": tracker.url.replace("http", "ws") + "/tracker/v1"}
        async with stage.viewer(attributes=where) as first:
            await first.plays(4)
            async with stage.viewer(before=SHORT_BUFFER, attributes=where) as second:
                await second.links()
                await tracker.kill()
                taken = (await second.stats())["peerBytes"]
                await second.plays(12)
                for viewer in (first, second):
                    await viewer.assert_smooth()
                    await viewer.assert_exact(content)
                stats = await second.stats()
                assert stats["links"] == 1
                assert stats["peerBytes"] > taken


async def test_the_origin_is_stopped_while_a_neighbour_holds_the_rest(
    browser: Browser, page_site: str, content: Path, tmp_path: Path
) -> None:
    data = ("--data", str(tmp_path))
    async with (
        p2pcdn("origin", "--content", str(content), *data) as origin,
        p2pcdn("tracker", *data) as tracker,
    ):
        media = f"{origin.url}/media/film/index.m3u8"
        socket = tracker.url.replace("http", "ws") + "/tracker/v1"
        stage = Stage(browser, page_site, origin.url, media)
        async with (
            peer(media, "--tracker", socket) as seeder,
            stage.viewer(before=SHORT_BUFFER, attributes={"data-tracker": socket}) as viewer,
        ):
            await seeder.printed("complete")
            await viewer.links()
            await viewer.until("() => window.p2pcdn.getStats().peerBytes > 0")
            await origin.kill()
            stopped = await viewer.probe()
            await viewer.plays(stopped["played"] + 12)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 6
