"""The stage: one Chromium for all tests, media made once, a server of its own for each module."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from origin.synth import TINY, synthesise
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium
from tests.e2e.servers import Command, p2pcdn, site
from tests.e2e.viewer import Stage

FILM_SECONDS = 60


HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_here(item):
            # One loop for all: the browser lives longer than a test.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.timeout(150))
            item.add_marker(pytest.mark.browser)
    # The one that takes most of the machine comes last.
    items.sort(key=lambda item: item.name.startswith("test_eight"))


def _is_here(item: pytest.Item) -> bool:
    return HERE in item.path.parents


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *UNTHROTTLED]
        )
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page_site() -> AsyncIterator[str]:
    async with site() as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``film``: a minute of video in 2 s segments of half a megabyte."""
    directory = tmp_path_factory.mktemp("content")
    await asyncio.to_thread(synthesise, directory / "film", seconds=FILM_SECONDS, renditions=TINY)
    return directory


@pytest_asyncio.fixture(loop_scope="session")
async def server(content: Path, tmp_path: Path) -> AsyncIterator[Command]:
    """`p2pcdn serve`, with an account that starts at zero."""
    arguments = ("--content", str(content), "--data", str(tmp_path / "data"))
    async with p2pcdn("serve", *arguments, "--set", "tracker.report_every=1") as running:
        yield running


@pytest.fixture
def stage(browser: Browser, page_site: str, server: Command) -> Stage:
    return Stage(browser, page_site, server.url, f"{server.url}/media/film/index.m3u8")
