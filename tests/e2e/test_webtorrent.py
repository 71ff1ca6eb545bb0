"""Unmodified p2p-media-loader pages in Chromium, which find each other by our tracker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from bench.browsers.contestants import P2PML
from bench.browsers.servers import FILES, site
from bench.browsers.viewer import Address, Viewer
from tests.e2e.servers import Command, p2pcdn

pytestmark = pytest.mark.skipif(
    not FILES["/p2pml.js"].exists(),
    reason="p2p-media-loader is not built: `make test` does it",
)

VIEWERS = ("one", "two", "three")

PATIENT = replace(P2PML, core={"highDemandTimeWindow": 4, "httpDownloadTimeWindow": 4})
"""By HTTP comes only what is played in the next seconds: a film of a minute is on this machine in a
moment, and nobody would need a peer."""


@pytest_asyncio.fixture(loop_scope="session")
async def watching() -> AsyncIterator[int]:
    """The site with the page; its port."""
    async with site() as port:
        yield port


@pytest_asyncio.fixture(loop_scope="session")
async def announced(content: Path, tmp_path: Path, watching: int) -> AsyncIterator[Command]:
    """`p2pcdn serve`, which lets the pages of the viewers in; with short intervals."""
    origins = ",".join(f"http://{name}.localhost:{watching}" for name in VIEWERS)
    arguments = ("--content", str(content), "--data", str(tmp_path / "data"))
    settings = ("--set", f"tracker.webtorrent.origins={origins}")
    async with p2pcdn(
        "serve", *arguments, *settings, "--set", "tracker.webtorrent.interval=10"
    ) as (running):
        yield running


async def figures(server: Command) -> dict[str, float]:
    """What /metrics says of WebTorrent's clients."""
    async with aiohttp.ClientSession() as http, http.get(server.url + "/metrics") as answer:
        lines = (await answer.text()).splitlines()
    told = [line.rsplit(" ", 1) for line in lines if line.startswith("p2pcdn_webtorrent")]
    return {name: float(value) for name, value in told}


async def test_pages_of_p2p_media_loader_share_by_our_tracker(
    browser: Browser, announced: Command, watching: int
) -> None:
    port = urlsplit(announced.url).port
    assert port is not None
    address = Address(watching, port, port, "film/index.m3u8", "/announce")
    async with AsyncExitStack() as stack:
        viewers = []
        for name in VIEWERS:
            viewer = await Viewer.of(browser, name)
            stack.push_async_callback(viewer.close)
            viewers.append(viewer)
        await viewers[0].open(address, PATIENT)
        # It holds what the others will play.
        assert await viewers[0].until("probe.loaded.length >= 3", 60), await viewers[0].outcome()
        for viewer in viewers[1:]:
            await viewer.open(address, PATIENT)
        for viewer in viewers[1:]:
            enough = "probe.played > 8 && probe.fromPeers > 500000"
            assert await viewer.until(enough, 60), await viewer.outcome()
        told = await figures(announced)
        assert told["p2pcdn_webtorrent_peers"] == 3
        assert told["p2pcdn_webtorrent_swarms"] == 1
        assert told['p2pcdn_webtorrent_messages_total{kind="answers"}'] >= 2
        assert told['p2pcdn_webtorrent_messages_total{kind="refused"}'] == 0
        outcomes = [await viewer.outcome() for viewer in viewers]
        assert sum(outcome["uploadedBytes"] for outcome in outcomes) > 1_000_000
        assert [outcome["errors"] for outcome in outcomes] == [[], [], []]
    await _deserted(announced)


async def _deserted(server: Command) -> None:
    """Nobody is there any more once the pages are closed."""
    async with asyncio.timeout(20):
        while (await figures(server))["p2pcdn_webtorrent_peers"]:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)
