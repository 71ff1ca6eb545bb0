"""The example pages work as they are: each is opened beside a server, and does what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Request, Route

from tests.e2e.servers import BUNDLE, ROOT, Command
from tests.e2e.viewer import PATIENCE, VIEWPORT, Stage

EXAMPLES = ROOT / "examples"
HLS = ROOT / "peer" / "browser" / "node_modules" / "hls.js" / "dist"
PLAYING = "() => document.querySelector('video').currentTime > 0.5"

pytestmark = pytest.mark.xdist_group("embedding")


@asynccontextmanager
async def opened(browser: Browser, stage: Stage, server: Command, name: str) -> AsyncIterator[Page]:
    """A page of the examples at somebody's site; what it takes from a CDN comes from here."""

    async def player(route: Route, request: Request) -> None:
        module = request.url.endswith(".mjs")
        headers = {"Access-Control-Allow-Origin": "*"}
        file = HLS / "hls.mjs" if module else BUNDLE / "hls.min.js"
        await route.fulfill(path=file, content_type="text/javascript", headers=headers)

    async def page(_: web.Request) -> web.Response:
        text = (EXAMPLES / name).read_text(encoding="utf-8")
        text = text.replace("http://localhost:8080", server.url)
        return web.Response(text=text, content_type="text/html")

    app = web.Application()
    app.router.add_get("/page", page)
    site = TestServer(app)
    await site.start_server()
    context = await browser.new_context(viewport=VIEWPORT)
    try:
        await context.route("https://cdn.jsdelivr.net/**", player)
        tab = await context.new_page()
        await tab.goto(str(site.make_url("/page").with_query(media=stage.media)))
        await tab.wait_for_function(PLAYING, timeout=PATIENCE)
        yield tab
    finally:
        await context.close()
        await site.close()


async def shares(tab: Page) -> None:
    """It is in its swarm."""
    announced = "() => window.p2pcdn?.getStats().timings.announce !== null"
    await tab.wait_for_function(announced, timeout=PATIENCE)


async def test_the_tag(browser: Browser, stage: Stage, server: Command) -> None:
    async with opened(browser, stage, server, "tag.html") as tab:
        await shares(tab)


async def test_the_module(browser: Browser, stage: Stage, server: Command) -> None:
    async with opened(browser, stage, server, "module.html") as tab:
        said = "() => document.getElementById('share').value.includes('% of it came from')"
        await tab.wait_for_function(said, timeout=PATIENCE)


async def test_consent(browser: Browser, stage: Stage, server: Command) -> None:
    async with opened(browser, stage, server, "consent.html") as tab:
        await tab.get_by_role("heading", name="Share this video").wait_for(timeout=PATIENCE)
        assert await tab.evaluate("p2pcdn.getStats().timings.announce") is None
        await tab.get_by_role("button", name="Yes").click()
        await shares(tab)


async def test_switches(browser: Browser, stage: Stage, server: Command) -> None:
    async with opened(browser, stage, server, "switches.html") as tab:
        await shares(tab)
        await tab.get_by_label("Take parts").uncheck()
        await tab.wait_for_function("() => p2pcdn.getStats().links === 0", timeout=PATIENCE)
