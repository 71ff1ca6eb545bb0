"""A viewer: a page in a browser context of its own, and what can be asked about it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize

VIEWPORT: ViewportSize = {"width": 360, "height": 200}
"""Just the video: without a graphics card each pixel of each viewer costs."""

PATIENCE = 30_000
"""Milliseconds that a condition may take on a busy machine."""


@dataclass
class Viewer:
    """One page that plays."""

    page: Page
    console: list[str]

    async def stats(self) -> dict[str, Any]:
        """`window.p2pcdn.getStats()`."""
        return cast("dict[str, Any]", await self.page.evaluate("() => window.p2pcdn.getStats()"))

    async def probe(self) -> dict[str, Any]:
        """What the page has seen of its player."""
        return cast("dict[str, Any]", await self.page.evaluate("() => window.probe"))

    async def until(self, condition: str, patience: float = PATIENCE) -> None:
        """Wait for a JavaScript expression to be true."""
        try:
            await self.page.wait_for_function(condition, timeout=patience, polling=100)
        except Exception as error:
            raise AssertionError(
                f"never came true: {condition}\nprobe: {await self.probe()}\n"
                f"console: {self.console[-20:]}"
            ) from error

    async def plays(self, seconds: float) -> None:
        """Wait until that much has been played."""
        await self.until(f"() => window.probe.played >= {seconds}", (seconds + 40) * 1000)

    async def links(self, number: int = 1) -> None:
        """Wait for that many links."""
        await self.until(f"() => window.p2pcdn?.getStats().links >= {number}")

    async def assert_smooth(self) -> None:
        """No stall, no error on the page."""
        probe = await self.probe()
        assert probe["stalls"] == 0, probe
        assert probe["errors"] == [], probe

    async def assert_exact(self, directory: Path, most: int | None = None) -> int:
        """Every segment that the player was given is, byte for byte, the file; how many were."""
        digests = (await self.probe())["digests"]
        for path, digest in list(digests.items())[:most]:
            data = (directory / path.removeprefix("/media/")).read_bytes()
            assert hashlib.sha256(data).hexdigest() == digest, path
        return len(digests)


@dataclass
class Stage:
    """Where viewers come from: a browser, a site, and our server."""

    browser: Browser
    site: str
    server: str
    media: str
    """URL of the multivariant playlist."""

    async def profile(self) -> BrowserContext:
        """A browser profile of its own."""
        return await self.browser.new_context(viewport=VIEWPORT)

    def page_url(self, page: str = "page.html", **query: Any) -> str:
        values = {"media": self.media, "snippet": f"{self.server}/p2pcdn.js", **query}
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
        return f"{self.site}/pages/{page}?{urlencode(texts)}"

    @contextlib.asynccontextmanager
    async def viewer(
        self,
        page: str = "page.html",
        *,
        before: str | None = None,
        context: BrowserContext | None = None,
        **query: Any,
    ) -> AsyncIterator[Viewer]:
        """Open a page; ``before`` runs in it before anything else does."""
        own = context or await self.profile()
        tab = await own.new_page()
        console: list[str] = []
        tab.on("console", lambda message: console.append(f"{message.type}: {message.text}"))
        tab.on("pageerror", lambda error: console.append(f"pageerror: {error}"))
        if before:
            await tab.add_init_script(before)
        try:
            await tab.goto(self.page_url(page, **query))
            yield Viewer(tab, console)
        finally:
            await (tab.close() if context else own.close())
