"""Viewers at home: behind NATs, on an http:// address, with nothing but our own STUN."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e import nat
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium
from tests.e2e.servers import BUNDLE, PAGES, PROGRAM, Command, p2pcdn
from tests.e2e.viewer import Stage

PORT = 8080
ORIGIN = f"http://{nat.SERVER}:{PORT}"

pytestmark = pytest.mark.skipif(nat.missing() is not None, reason=f"NATs: {nat.missing()}")


@contextlib.asynccontextmanager
async def chromium_at(networks: nat.Networks, home: str, directory: Path) -> AsyncIterator[Browser]:
    """A browser whose only network is that home's."""
    program = networks.wrapper(home, find_chromium(), directory)
    secure = f"--unsafely-treat-insecure-origin-as-secure={ORIGIN}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=[*FLAGS, *UNTHROTTLED, secure]
        )
        yield browser
        await browser.close()


async def test_two_viewers_behind_nats_link_through_our_own_stun(
    content: Path, tmp_path: Path
) -> None:
    # The page, too, has to come from where both homes can reach it.
    films = tmp_path / "content"
    shutil.copytree(content / "film", films / "film")
    shutil.copytree(PAGES, films / "pages")
    shutil.copytree(BUNDLE, films / "bundle")
    arguments = ("--content", str(films), "--data", str(tmp_path / "data"))
    with nat.networks() as networks:
        outside = networks.within(networks.server)
        async with (
            p2pcdn("serve", *arguments, listen=f"{nat.SERVER}:{PORT}", prefix=outside) as server,
            chromium_at(networks, networks.homes[0], tmp_path) as near,
            chromium_at(networks, networks.homes[1], tmp_path) as far,
        ):
            await _healthy(server, outside)
            media = f"{ORIGIN}/media/film/index.m3u8"
            hls = f"{ORIGIN}/media/bundle/hls.min.js"
            site = f"{ORIGIN}/media"
            async with Stage(near, site, ORIGIN, media).viewer(hls=hls) as first:
                await first.plays(4)
                async with Stage(far, site, ORIGIN, media).viewer(hls=hls) as second:
                    await second.links()
                    await second.until("() => window.p2pcdn.getStats().peerBytes > 0")
                    await second.plays(5)
                    await second.assert_smooth()
                    assert await second.assert_exact(films) >= 2


async def _healthy(server: Command, outside: tuple[str, ...]) -> None:
    await server.printed("Snippet")  # each question takes as much of a core as its start
    async with asyncio.timeout(30):
        while server.process.returncode is None:
            check = await asyncio.create_subprocess_exec(
                *outside, *PROGRAM, "healthcheck", "--listen", f"{nat.SERVER}:{PORT}"
            )
            if await check.wait() == 0:
                return
    raise AssertionError(server.text)
