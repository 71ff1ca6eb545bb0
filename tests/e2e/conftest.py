"""The stage: one Chromium, one film and one server for all tests, and a swarm for each of them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from origin.synth import TINY, synthesise
from tests.e2e import films
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_engine
from tests.e2e.servers import Command, p2pcdn, site
from tests.e2e.viewer import Stage

HERE = Path(__file__).parent

SEVERAL = pytest.mark.xdist_group("several")
"""Three viewers or more, who take half a core or a little more: of such tests one at a time."""


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
            executable_path=find_engine(), args=[*FLAGS, *UNTHROTTLED]
        )
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page_site() -> AsyncIterator[str]:
    async with site() as url:
        yield url


@pytest.fixture(scope="session")
def encoded(request: pytest.FixtureRequest) -> Path:
    """Where what was encoded is kept, for all processes of this run and for the next."""
    cache = request.config.cache
    assert cache is not None
    return cache.mkdir("films")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def content(encoded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ``film``: a minute of video in 2 s segments of half a megabyte."""
    made = await asyncio.to_thread(
        synthesise, encoded / "film", seconds=films.SECONDS, renditions=TINY
    )
    directory = tmp_path_factory.mktemp("content")
    shutil.copytree(made.parent, directory / "film")
    return directory


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(content: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Command]:
    """`p2pcdn serve`, for all who do not look at its account or its keys."""
    async with serve(content, tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def fresh_server(content: Path, tmp_path: Path) -> AsyncIterator[Command]:
    """`p2pcdn serve` with an account that starts at zero, and keys in ``data``."""
    async with serve(content, tmp_path / "data") as running:
        yield running


def serve(content: Path, data: Path) -> AbstractAsyncContextManager[Command]:
    arguments = ("--content", str(content), "--data", str(data))
    return p2pcdn("serve", *arguments, "--set", "tracker.report_every=1")


@pytest.fixture
def stage(browser: Browser, page_site: str, server: Command, content: Path) -> Stage:
    film = films.copy(content / "film")
    return Stage(browser, page_site, server.url, f"{server.url}/media/{film.name}/index.m3u8")
