"""Through the gateway: ffmpeg as a player, and a page that hands its demand over."""

from __future__ import annotations

import asyncio
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import async_playwright

from origin.synth import LiveFeed
from p2pcdn.config import Config, PeerConfig
from peer.native.gateway import Gateway
from peer.native.gateway.connection import Connection
from tests.e2e.browser import FLAGS, find_chromium
from tests.e2e.servers import BUNDLE, Command, peer
from tests.e2e.viewer import Stage

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine"
)

LONG = "window.playerConfig = { maxBufferLength: 120, maxMaxBufferLength: 120 };"
"""So that hls.js loads all of the film at once."""


async def packets(source: str | Path, *options: str, until: str = "90") -> list[str]:
    """The hashes of the packets that ffmpeg reads, in their order."""
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-nostdin", "-v", "error", *options, "-i", str(source)),
        *("-map", "0:v:0", "-c", "copy", "-t", until, "-f", "framemd5", "-"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    assert complaints == b"", complaints.decode()
    lines = [line for line in said.decode().splitlines() if not line.startswith("#")]
    return [line.rpartition(",")[2].strip() for line in lines]


async def sent(server: Command) -> int:
    """The bytes of media that the origin has sent, by its own count."""
    summary = await server.json("/api/v1/summary")
    return int(summary["origin_bytes"])


async def said(command: Command, word: str) -> str:
    """What stands behind a word in a command's output."""
    await command.printed(word)
    line = next(line for line in command.output if line.startswith(word))
    return line.removeprefix(word).split()[0].rstrip(",")


@needs_ffmpeg
async def test_ffmpeg_plays_a_recording_and_seeks(
    stage: Stage, content: Path, tmp_path: Path
) -> None:
    film = content / stage.media.split("/")[-2] / "index.m3u8"
    async with peer("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}", stage.media) as native:
        url = await said(native, "Play")
        everything = await packets(film)
        assert len(everything) > 1000
        assert await packets(url) == everything
        for at in ("40", "7", "21"):
            seek = ("-ss", at)
            expected = await packets(film, *seek, until="4")
            assert len(expected) > 50
            assert await packets(url, *seek, until="4") == expected, f"at {at} s"


@needs_ffmpeg
async def test_ffmpeg_plays_a_live_stream(stage: Stage, content: Path, tmp_path: Path) -> None:
    async with (
        LiveFeed(content / "film" / "index.m3u8", content / "live-gateway") as feed,
        peer(
            *("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}"),
            f"{stage.server}/media/live-gateway/{feed.playlist.name}",
        ) as native,
    ):
        url = await said(native, "Play")
        played = await packets(url, until="7")
        assert len(played) > 150
        # Whatever was on is of the film.
        assert set(played) <= set(await packets(content / "film" / "index.m3u8"))


async def test_a_paired_peer_goes_on_when_the_tab_is_closed(
    stage: Stage, fresh_server: Command, content: Path, tmp_path: Path
) -> None:
    server = fresh_server
    media = stage.media.replace(stage.server, server.url)
    stage = replace(stage, server=server.url, media=media)
    async with peer("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}") as native:
        code = await said(native, "Code")
        async with stage.viewer(order="hls,snippet", before=LONG) as first:
            await first.page.mouse.click(5, 5)
            pairing = "(code) => window.p2pcdn.local.pair(code)"
            assert await first.page.evaluate(pairing, re.sub("0", "O", code).lower())
            await first.page.evaluate("(url) => { startPlayer(window.Hls, url) }", stage.media)
            await first.until("() => video.buffered.length && video.buffered.end(0) > 59")
            await first.assert_smooth()
            assert await first.assert_exact(content) == 30
            stats = await first.stats()
            # A busy machine may be too slow for the very first.
            assert stats["originBytes"] < 1_500_000, "it came by the peer"
            assert stats["peerBytes"] == 0, "and by no link of the page's own"
        before = await sent(server)
        async with stage.viewer(before=LONG) as later:
            await later.until("() => video.buffered.length && video.buffered.end(0) > 59")
            await later.assert_smooth()
            assert await later.assert_exact(content) == 30
            stats = await later.stats()
            assert stats["peerBytes"] > 9 * stats["originBytes"], stats
        played = stats["peerBytes"] + stats["originBytes"]
        assert await sent(server) - before < played / 10, "the origin says so, too"


PUBLIC = """<!doctype html><title>A page on the web</title><script type="module">
  import * as local from "/p2pcdn-local.mjs";
  const page = { handOver() {} };
  window.call = (name, ...rest) => local[name](page, ...rest);
  if (location.hash) localStorage.setItem("p2pcdn.local", location.hash.slice(1));
  window.found = await local.detect(page); // nobody has clicked
</script>"""


async def public_page(_: web.Request) -> web.Response:
    return web.Response(text=PUBLIC, content_type="text/html")


async def chunk(_: web.Request) -> web.FileResponse:
    return web.FileResponse(BUNDLE / "p2pcdn-local.mjs")


async def test_a_page_on_the_web_makes_no_browser_ask_its_viewer_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[Connection] = []
    made = Connection.connection_made

    def connection_made(self: Connection, transport: asyncio.BaseTransport) -> None:
        reached.append(self)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    app = web.Application()
    app.add_routes([web.get("/", public_page), web.get("/p2pcdn-local.mjs", chunk)])
    async with (
        TestServer(app) as site,
        Gateway(Config(data=tmp_path, peer=PeerConfig(gateway="127.0.0.1:0"))) as gateway,
        async_playwright() as playwright,
    ):
        public = f"--ip-address-space-overrides=127.0.0.1:{site.port}=public"
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, public]
        )
        origin = f"http://page.localhost:{site.port}"
        page = await browser.new_page()

        async def opened(hash_: str = "") -> bool:
            await page.goto("about:blank")
            await page.goto(f"{origin}/{hash_}")
            await page.wait_for_function("() => window.found !== undefined")
            return bool(await page.evaluate("() => window.found"))

        ask = (
            "() => navigator.permissions.query({ name: 'loopback-network' }).then(() => 1, () => 0)"
        )
        await page.goto(origin)
        if not await page.evaluate(ask):
            pytest.skip("this Chromium asks nobody")
        # What was paired is there, and the browser would have to ask: so nobody is asked.
        assert not await opened(f"#{gateway.url}")
        assert reached == []
        await page.evaluate("() => localStorage.clear()")

        # The viewer clicks, types the code, and says yes.
        session = await page.context.new_cdp_session(page)
        target = await session.send("Target.getTargetInfo")
        await session.send(
            "Browser.setPermission",
            {
                "permission": {"name": "loopback-network"},
                "setting": "granted",
                "origin": origin,
                "browserContextId": target["targetInfo"]["browserContextId"],
            },
        )
        await page.mouse.click(5, 5)
        assert await page.evaluate("(code) => call('pair', code)", gateway.new_code())
        assert await opened()

        # And forgets it: there is nothing to ask.
        assert await page.evaluate("() => call('forget')")
        before = len(reached)
        assert not await opened()
        assert len(reached) == before
        await browser.close()
