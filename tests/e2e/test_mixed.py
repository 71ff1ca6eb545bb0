"""Audio groups, subtitles, keys and byte ranges: played by peers, also after another quality."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Request

from tests.e2e import mixed
from tests.e2e.servers import p2pcdn, peer
from tests.e2e.viewer import Stage

pytestmark = pytest.mark.xdist_group("embedding")

CONFIG = "window.playerConfig = { startLevel: 0, maxBufferLength: 8, maxMaxBufferLength: 8 }"
CUES = "() => [...document.querySelector('video').textTracks].some((track) => track.cues?.length)"
GROUP = "() => player.audioTracks[player.audioTrack]?.groupId"


async def test_two_audio_groups_subtitles_keys_and_byte_ranges(
    browser: Browser, page_site: str, tmp_path: Path
) -> None:
    film = await asyncio.to_thread(mixed.make, tmp_path / "content" / "film")
    words = ("--content", str(tmp_path / "content"), "--data", str(tmp_path / "data"))
    async with p2pcdn("serve", *words) as server:
        media = f"{server.url}/media/film/{film.playlist}"
        async with peer(media) as seeder:
            await seeder.printed("complete")
            stage = Stage(browser, page_site, server.url, media)
            context = await stage.profile()
            asked: list[str] = []

            def note(request: Request) -> None:
                asked.append(request.url.rpartition("/")[2])

            context.on("request", note)
            async with context, stage.viewer(before=CONFIG, context=context) as viewer:
                page = viewer.page
                await viewer.until("() => window.player?.levels.length === 2")
                await page.evaluate("() => { player.loadLevel = 0 }")
                await viewer.until("() => window.p2pcdn?.getStats().peerBytes > 0")
                await viewer.plays(2)
                await viewer.until(f"() => ({GROUP})() === 'lo'")
                await viewer.until(CUES)
                before = (await viewer.stats())["peerBytes"]
                await page.evaluate("() => { player.loadLevel = 1 }")
                await viewer.until("() => player.currentLevel === 1")
                await viewer.until(f"() => window.p2pcdn.getStats().peerBytes > {before} + 200000")
                await viewer.until(f"() => ({GROUP})() === 'hi'")
                await viewer.plays(8)
                await viewer.assert_smooth()
                digests = (await viewer.probe())["digests"]
                assert {"/media/film/video-lo.mp4", "/media/film/video-hi.mp4"} <= set(digests)
                for path, digest in digests.items():
                    assert digest in film.digests[path.removeprefix("/media/film/")]
                assert {"key.bin", "text.vtt"} <= set(asked)
                stats = await viewer.stats()
                assert stats["rejectedChunks"] == 0
                assert stats["peerBytes"] > stats["originBytes"]
