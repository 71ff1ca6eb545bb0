"""Live from ffmpeg, into the directory and by HTTP, while three viewers watch: it is killed and
started again, and so is the origin."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.servers import Command, free_port, p2pcdn, run
from tests.e2e.viewer import Stage, Viewer

pytestmark = [
    pytest.mark.xdist_group("encoders"),
    pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="there is no ffmpeg"),
]

TOKEN = "a-token-of-encoders"

PICTURE = [
    *("-c:v", "libx264", "-preset", "ultrafast"),
    *("-g", "10", "-sc_threshold", "0", "-b:v", "1600k", "-minrate", "1600k", "-maxrate", "1600k"),
    *("-bufsize", "800k", "-x264-params", "nal-hrd=cbr"),
]
"""A fifth of a megabyte each second: three chunks and a bit."""

LIST = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "20"]
PUT = ["-method", "PUT", "-ignore_io_errors", "1"]

MORE = 8.0
"""Seconds that a viewer of this list, who is three segments behind, has not got in its buffer."""

RETRY = "{ maxNumRetry: 60, retryDelayMs: 500, maxRetryDelayMs: 500 }"
POLICY = (
    "{ default: { maxTimeToFirstByteMs: 10000, maxLoadTimeMs: 20000, "
    f"timeoutRetry: {RETRY}, errorRetry: {RETRY} }} }}"
)
PATIENT = f"window.playerConfig = {{ playlistLoadPolicy: {POLICY}, fragLoadPolicy: {POLICY} }}"
"""hls.js gives up after 3 s without an answer, and a busy machine may take longer to start us."""


@contextlib.asynccontextmanager
async def encoder(way: str, content: Path, server: str, picture: str) -> AsyncIterator[Command]:
    """An encoder: it goes on where another one was in the directory, and begins anew by HTTP."""
    if way == "put":
        target = server.replace("http://", f"http://encoder:{TOKEN}@") + "/ingest/live/index.m3u8"
        more = ["-hls_flags", "delete_segments", *PUT, target]
    else:
        target = str(content / "live" / "index.m3u8")
        more = ["-hls_flags", "append_list+delete_segments+temp_file"]
        more += ["-hls_delete_threshold", "30", target]
    shown = ["-re", "-f", "lavfi", "-i", f"{picture}=size=160x90:rate=10"]
    words = ["ffmpeg", "-nostdin", "-loglevel", "warning", *shown, *PICTURE, *LIST, *more]
    async with run(*words) as running:
        yield running


async def plays_on(viewers: list[Viewer], seconds: float) -> None:
    async def one(viewer: Viewer) -> None:
        await viewer.plays((await viewer.probe())["played"] + seconds)

    await asyncio.gather(*map(one, viewers))


async def from_peers(viewers: list[Viewer]) -> int:
    return sum([(await viewer.stats())["peerBytes"] for viewer in viewers])


@pytest.mark.parametrize("way", ["directory", "put"])
async def test_viewers_play_on_when_the_encoder_is_started_again(
    way: str, browser: Browser, page_site: str, tmp_path: Path
) -> None:
    content = tmp_path / "content"
    (content / "live").mkdir(parents=True)
    listen = f"127.0.0.1:{free_port()}"
    words = ["--content", str(content), "--data", str(tmp_path / "data")]
    words += ["--set", "ingest.paths=live", "--set", f"ingest.token={TOKEN}"]
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(p2pcdn("serve", *words, listen=listen))
        async with encoder(way, content, server.url, "testsrc2") as first:
            while not (content / "live" / "index2.ts").exists():
                assert first.process.returncode is None, first.text
                await asyncio.sleep(0.1)
            stage = Stage(browser, page_site, server.url, f"{server.url}/media/live/index.m3u8")
            viewers = [
                await stack.enter_async_context(stage.viewer(before=PATIENT)) for _ in range(3)
            ]
            await plays_on(viewers, 2)
            await first.kill()
        before = await from_peers(viewers)
        second = await stack.enter_async_context(encoder(way, content, server.url, "testsrc"))
        await plays_on(viewers, MORE)
        if way == "put":
            await server.kill()
            await stack.enter_async_context(p2pcdn("serve", *words, listen=listen))
            await plays_on(viewers, MORE)
        for viewer in viewers:
            assert (await viewer.probe())["errors"] == []
            stats = await viewer.stats()
            # Where names are used twice, a viewer's own cache may have what was there before.
            cached = stats["originMismatches"] if way == "put" else 0
            assert stats["rejectedChunks"] == cached, stats
            if way == "directory":
                await viewer.assert_exact(content)
        assert await from_peers(viewers) > before
        assert second.process.returncode is None, second.text
