"""A viewer: a page in a browser context of its own, and what became of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    async_playwright,
)
from playwright.async_api import (
    TimeoutError as PlaywrightTimeout,
)

from bench.browsers import processes
from bench.browsers.contestants import Contestant
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_engine

VIEWPORT: ViewportSize = {"width": 360, "height": 200}
"""Just the video: without a graphics card each pixel of each viewer costs."""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser, the shell of the engine where that is installed: what it draws around
    pages would take the processor from all of them."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_engine(), args=[*FLAGS, *UNTHROTTLED]
        )
        processes.share_niceness()
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True)
class Address:
    """Where a viewer finds everything; ports of this machine."""

    site: int
    origin: int
    tracker: int
    playlist: str
    """Of the media, below ``/media/``."""
    announce: str = ""
    """The path at which the tracker takes what p2p-media-loader announces."""

    def page(self, viewer: str, contestant: Contestant) -> str:
        """The URL of the page. Each viewer's site has a name of its own, which requests carry."""
        origin = f"http://127.0.0.1:{self.origin}"
        fill = {
            "tags": contestant.tags.replace("{snippet}", f"{origin}/p2pcdn.js"),
            "media": f"{origin}/media/{self.playlist}",
            "config": json.dumps(
                contestant.config(f"ws://127.0.0.1:{self.tracker}{self.announce}")
            ),
        }
        query = urlencode({"fill": json.dumps(fill)})
        return f"http://{viewer}.localhost:{self.site}/viewer.html?{query}"


class Viewer:
    """One page that plays, from when it is opened."""

    def __init__(self, name: str, context: BrowserContext, page: Page) -> None:
        self.name = name
        self._context = context
        self._page = page
        self._console: list[str] = []
        page.on("console", lambda message: self._console.append(message.text))
        page.on("pageerror", lambda error: self._console.append(str(error)))

    @classmethod
    async def of(cls, browser: Browser, name: str) -> Viewer:
        """An empty page in a fresh profile: its making is not part of what is measured."""
        context = await browser.new_context(viewport=VIEWPORT)
        return cls(name, context, await context.new_page())

    async def open(self, address: Address, contestant: Contestant) -> None:
        await self._page.goto(address.page(self.name, contestant), wait_until="commit")

    async def until(self, condition: str, seconds: float) -> bool:
        """Wait until an expression about ``probe`` is true; whether it came true."""
        there = f"window.probe !== undefined && {condition}"  # the page may still be loading
        try:
            await self._page.wait_for_function(there, polling=100, timeout=1000 * seconds)
        except PlaywrightTimeout:
            return False
        return True

    async def outcome(self) -> dict[str, Any]:
        """All that the page has to say, and what it logged."""
        outcome = cast("dict[str, Any]", await self._page.evaluate("outcome()"))
        browser = self._context.browser
        return {
            "viewer": self.name,
            **outcome,
            "console": self._console[-20:],
            "browserVersion": browser.version if browser else "",
        }

    async def close(self) -> None:
        await self._context.close()
