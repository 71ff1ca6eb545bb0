"""The tutorial, from its first line to its last: its commands are run, and its page is opened."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from fractions import Fraction
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, BrowserContext

from tests.docs.blocks import ROOT, Block, block, commands
from tests.e2e.servers import BUNDLE, free_port, run
from tests.e2e.viewer import VIEWPORT
from tests.origin.preparing.films import film

pytestmark = pytest.mark.xdist_group("embedding")

DEMO = block("tutorial.md:1")
ADD = block("tutorial.md:2")
SERVE = block("tutorial.md:3")
PAGE = block("tutorial.md:4")
SITE = block("tutorial.md:5")
PLAYERS = "https://cdn.jsdelivr.net/**"
"""Where the page takes hls.js from; here it comes from the bundle."""


async def viewer(browser: Browser, url: str, contexts: contextlib.AsyncExitStack) -> BrowserContext:
    context = await browser.new_context(viewport=VIEWPORT)
    contexts.push_async_callback(context.close)
    await context.route(PLAYERS, lambda route: route.fulfill(path=BUNDLE / "hls.min.js"))
    await (await context.new_page()).goto(url)
    return context


async def answers(url: str) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(60):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.1)


async def test_it_ends_with_a_film_that_peers_carry(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(commands(DEMO)) == [["make", "demo"]]  # which has tests of its own
    port, site = str(free_port()), str(free_port())
    monkeypatch.setenv("P2PCDN_LISTEN", f"localhost:{port}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    pages = tmp_path / "pages"
    pages.mkdir()
    await asyncio.to_thread(
        film,
        tmp_path / "movie.mp4",
        seconds=60,
        times=range(600),
        time_base=Fraction(1, 10),
        key_every=20,
    )
    programs = {
        ".venv/bin/p2pcdn": (sys.executable, "-m", "p2pcdn"),
        "python3": (sys.executable,),
    }

    def words(block: Block) -> list[str]:
        *_, command = commands(block)
        return [*programs[command[0]], *(site if word == "9000" else word for word in command[1:])]

    assert next(commands(ADD)) == ["mkdir", "films"]
    (tmp_path / "films").mkdir()
    async with run(*words(ADD), cwd=tmp_path) as adding:
        assert await adding.process.wait() == 0, adding.text
    html = PAGE.text.replace(":8080", f":{port}")
    (pages / "watch.html").write_text(html, encoding="utf-8")
    async with (
        run(*words(SERVE), cwd=tmp_path),
        run(*words(SITE), cwd=pages),
        contextlib.AsyncExitStack() as contexts,
    ):
        await answers(f"http://localhost:{port}/readyz")
        url = f"http://localhost:{site}/watch.html"
        await answers(url)
        first = await viewer(browser, url, contexts)
        playing = "() => document.querySelector('video').currentTime > 1"
        await first.pages[0].wait_for_function(playing, timeout=60_000)
        second = await viewer(browser, url, contexts)
        (page,) = second.pages
        carried = "() => window.p2pcdn?.getStats().peerBytes > 0"
        await page.wait_for_function(carried, timeout=60_000)
        await page.wait_for_function(playing, timeout=60_000)
        assert "From peers" in await page.inner_text("body")
