"""Through the gateway: ffmpeg and mpv as players, and a page that hands its demand over."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from collections.abc import Callable
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
from tests.e2e import films
from tests.e2e.browser import FLAGS, find_chromium
from tests.e2e.mpv import mpv
from tests.e2e.servers import BUNDLE, Command, peer
from tests.e2e.viewer import Stage

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="there is no ffmpeg on this machine"
)
needs_mpv = pytest.mark.skipif(
    shutil.which("mpv") is None or shutil.which("ffmpeg") is None,
    reason="there is no mpv, or no ffmpeg, on this machine",
)

FRAMES = 25
"""Of the film, a second."""

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
    # Whoever needs longer than the film takes would stall who watches it.
    async with asyncio.timeout(films.SECONDS):
        said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    assert complaints == b"", complaints.decode()
    lines = [line for line in said.decode().splitlines() if not line.startswith("#")]
    # Behind the packet's own hash may stand that of its side data.
    return [line.split(",")[5].strip() for line in lines]


def early() -> Callable[[], float]:
    """A clock by which a feed has just begun to send the film: it is long until it does so again,
    with its timestamps back at zero."""
    ahead = 22 - time.time() % films.SECONDS
    return lambda: time.time() + ahead


async def frames(file: Path, film: Path) -> list[int]:
    """Which frames of a film are in a file, by their numbers; all that is in it is the film's."""
    numbers = {packet: number for number, packet in enumerate(await packets(film))}
    return [numbers[packet] for packet in await packets(file)]


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
    film = content / "film" / "index.m3u8"
    async with (
        LiveFeed(film, content / "live-ffmpeg", clock=early()) as feed,
        peer(
            *("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}"),
            f"{stage.server}/media/live-ffmpeg/{feed.playlist.name}",
        ) as native,
    ):
        url = await said(native, "Play")
        played = await packets(url, until="7")
        assert len(played) > 150
        everything = await packets(film)
        start = everything.index(played[0])
        assert played == everything[start : start + len(played)]


@needs_mpv
async def test_mpv_plays_a_recording_and_seeks(stage: Stage, content: Path, tmp_path: Path) -> None:
    film = content / stage.media.split("/")[-2] / "index.m3u8"
    record = tmp_path / "read.ts"
    # Too far apart for what mpv reads ahead; the last is longer than that.
    stays = ((50, 2), (16, 2), (30, 7))
    async with (
        peer("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}", stage.media) as native,
        mpv(tmp_path) as player,
    ):
        await player.load(await said(native, "Play"))
        await player.plays_to(2)
        for at, stay in stays:
            await player.seek(at)
            await player.plays_to(at + stay)
        await player.save(record)
        assert player.underruns == 0
        assert player.complaints == []
    read = set(await frames(record, film))
    assert len(read) < films.SECONDS * FRAMES, "it asked for what it played, seek by seek"
    for at, stay in ((0, 2), *stays):
        assert set(range(at * FRAMES, (at + stay) * FRAMES)) <= read, f"from {at} s"


@needs_mpv
async def test_mpv_plays_a_live_stream_and_seeks(
    stage: Stage, content: Path, tmp_path: Path
) -> None:
    film = content / "film" / "index.m3u8"
    record = tmp_path / "read.ts"
    async with (
        LiveFeed(film, content / "live-mpv", clock=early()) as feed,
        peer(
            *("--gateway", "127.0.0.1:0", "--set", f"data={tmp_path}"),
            f"{stage.server}/media/live-mpv/{feed.playlist.name}",
        ) as native,
        # By default it starts three segments from the end, and is as late as the machine is.
        mpv(tmp_path, "--demuxer-lavf-o=live_start_index=-7") as player,
    ):
        start = await player.load(await said(native, "Play"))
        # Further than it reads ahead: so most of it comes while it plays.
        for seek, until in ((None, 6), (1, 2), (8, 12)):
            if seek is not None:
                await player.seek(start + seek)
            await player.plays_to(start + until)
        await player.save(record)
        assert player.underruns == 0
        assert player.complaints == []
    read = await frames(record, film)
    assert read == list(range(read[0], read[0] + len(read)))
    assert len(read) >= 12 * FRAMES


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
