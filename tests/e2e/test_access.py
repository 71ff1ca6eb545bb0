"""A site that wants tokens, in real browsers: who has one shares, until the site says no."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Browser, Route

from p2pcdn.wire.manifest import to_base64
from tests.e2e.servers import p2pcdn
from tests.e2e.viewer import Stage, Viewer
from tests.p2pcdn.core.minting import Signer

BACK_END = Signer.of("back end")
ATTRIBUTES = {"data-site": "pk_demo", "data-token-url": "/p2p-token"}


def configure(file: Path, page_site: str, more: str = "") -> None:
    key = to_base64(BACK_END.point)
    file.write_text(f'[sites.pk_demo]\nkeys = ["{key}"]\norigins = ["{page_site}"]\n{more}\n')


@pytest_asyncio.fixture(loop_scope="session")
async def file(page_site: str, tmp_path: Path) -> Path:
    file = tmp_path / "p2pcdn.toml"
    configure(file, page_site)
    return file


@pytest_asyncio.fixture(loop_scope="session")
async def stage(
    browser: Browser, page_site: str, content: Path, tmp_path: Path, file: Path
) -> AsyncIterator[Stage]:
    words = ("--config", str(file), "--content", str(content), "--data", str(tmp_path / "data"))
    async with p2pcdn("serve", *words) as server:
        yield Stage(browser, page_site, server.url, f"{server.url}/media/film/index.m3u8")


async def _give_token(route: Route) -> None:
    """What the site's back end does."""
    asked = json.loads(route.request.post_data or "")
    claims = {
        "iss": asked["site"],
        "content": asked["url"],
        "cnf": {"jkt": asked["thumbprint"]},
        "jti": asked["thumbprint"],
        "exp": int(time.time()) + 120,
    }
    await route.fulfill(body=BACK_END.token(claims), content_type="text/plain")


@asynccontextmanager
async def member(stage: Stage) -> AsyncIterator[Viewer]:
    """A viewer whom the back end knows."""
    context = await stage.profile()
    await context.route("**/p2p-token", _give_token)
    try:
        async with stage.viewer(context=context, attributes=ATTRIBUTES) as viewer:
            yield viewer
    finally:
        await context.close()


async def test_members_share_and_others_do_not_until_the_site_is_switched_off(
    stage: Stage, content: Path, file: Path
) -> None:
    async with member(stage) as first:
        await first.plays(2)
        async with member(stage) as second, stage.viewer() as stranger:
            await second.until("() => window.p2pcdn?.getStats().peerBytes > 0")
            assert await second.page.evaluate("() => p2pcdn.thumbprint()") != (
                await first.page.evaluate("() => p2pcdn.thumbprint()")
            )
            await stranger.plays(4)
            assert (await stranger.stats())["links"] == 0
            assert (await stranger.stats())["peerBytes"] == 0
            configure(file, stage.site, "enabled = false")
            for viewer in (first, second):
                await viewer.until("() => window.p2pcdn.getStats().links === 0")
            from_peers = (await second.stats())["peerBytes"]
            played = (await second.probe())["played"]
            await second.plays(played + 4)
            assert (await second.stats())["peerBytes"] == from_peers
            for viewer in (first, second, stranger):
                await viewer.assert_smooth()
                assert await viewer.assert_exact(content) >= 2
