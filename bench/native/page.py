"""The end in Chromium."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from bench.native.process import Kind
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium

# A page of a file has no mDNS responder to its names: aiortc bare resolves none.
NO_NAMES = "--disable-features=WebRtcHideLocalIpsWithMdns"


class ChromiumEnd:
    """A page, asked as a `bench.native.process.Process` is. Its own CPU time is not counted."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def ask(self, *words: object) -> Any:
        """Have something done; what came of it."""
        word, *given = words
        return await self._page.evaluate("([word, given]) => ends[word](...given)", [word, given])


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser for all runs."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *UNTHROTTLED, NO_NAMES]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_end(browser: Browser, kind: Kind) -> AsyncIterator[ChromiumEnd]:
    """A fresh page."""
    page = await browser.new_page()
    try:
        await page.goto((Path(__file__).parent / "page.html").as_uri())
        end = ChromiumEnd(page)
        await end.ask("begin", kind)
        yield end
    finally:
        await page.close()
