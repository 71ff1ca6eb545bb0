"""What `p2pcdn demo` shows to people, in a real browser."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from origin.synth import synthesise
from tests.e2e.servers import PROGRAM, Command, p2pcdn, run
from tests.origin.preparing.films import film

pytestmark = pytest.mark.xdist_group("demo")

SECONDS = 12
"""Length of the video."""

PATIENCE = 30_000
"""Milliseconds that a condition may take on a busy machine."""

SOME_BYTES = re.compile(r"^[1-9][0-9.]* [kM]B$")

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def data(encoded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the video is, made before anybody waits for a server to be ready."""
    made = synthesise(encoded / "demo", seconds=SECONDS)
    data = tmp_path_factory.mktemp("demo")
    shutil.copytree(made.parent, data / "demo" / "demo")
    return data


def run_demo(data: Path) -> AbstractAsyncContextManager[Command]:
    return p2pcdn("demo", "--data", str(data), "--seconds", str(SECONDS))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(data: Path) -> AsyncIterator[Command]:
    async with run_demo(data) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def browser(browser: Browser) -> AsyncIterator[Browser]:
    """The browser, with no window left open for the next test."""
    yield browser
    for context in browser.contexts:
        await context.close()


class Errors(list[str]):
    """What went wrong on pages: exceptions, and whatever the content security policy refused."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on(
            "console",
            lambda message: self.append(message.text) if "Policy" in message.text else None,
        )


async def plays_on(page: Page, seconds: float = 2) -> None:
    """Wait until so much more has been played; the video begins again at its end."""
    await page.evaluate(
        """() => {
          const video = document.querySelector("video");
          let before = video.currentTime;
          window.played = 0;
          video.addEventListener("timeupdate", () => {
            window.played += Math.max(0, video.currentTime - before);
            before = video.currentTime;
          });
        }"""
    )
    await page.wait_for_function(f"() => window.played >= {seconds}", timeout=PATIENCE)


async def test_two_windows_play_from_each_other_and_without_the_origin(
    demo: Command, browser: Browser
) -> None:
    context = await browser.new_context()  # one profile, as a person's two windows
    errors = Errors()
    windows = [await context.new_page() for _ in range(2)]
    for window in windows:
        errors.watch(window)
        await window.goto(f"{demo.url}/demo/")
    for window in windows:
        await expect(window.locator("#links li").first).to_be_visible()
        await expect(window.locator("#links-empty")).to_be_hidden()
        await expect(window.locator("#peers-total")).to_have_text(SOME_BYTES)
        await expect(window.locator("#share")).to_contain_text("%")
        await expect(window.locator("#startup")).to_contain_text("s")
        await expect(window.locator("#saved")).to_have_text(SOME_BYTES)

    await windows[0].click("#cut")
    for window in windows:
        await expect(window.locator("#cut")).to_have_attribute("data-on", "true")
        await plays_on(window)
    await windows[1].click("#cut")
    for window in windows:
        await expect(window.locator("#cut")).to_have_attribute("data-on", "false")

    await windows[0].click("#off")
    await expect(windows[0].locator("#links li")).to_have_count(0)
    await plays_on(windows[0])
    assert errors == []


async def test_the_snippet_to_copy_is_the_tag_of_this_server(
    demo: Command, browser: Browser
) -> None:
    context = await browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await page.goto(f"{demo.url}/demo/")
    await page.click("#copy")
    await expect(page.locator("#copy")).to_have_text("Copied")
    tag = f'<script defer src="{demo.url}/p2pcdn.js" data-site="pk_demo"></script>'
    assert await page.evaluate("() => navigator.clipboard.readText()") == tag


async def test_live_plays_and_cannot_be_cut(demo: Command, browser: Browser) -> None:
    page = await browser.new_page()
    errors = Errors()
    errors.watch(page)
    await page.goto(f"{demo.url}/demo/?live")
    await plays_on(page, seconds=5)
    await expect(page.locator("nav [aria-current]")).to_have_text("Live")
    await expect(page.locator("#cut")).to_be_disabled()
    assert errors == []


async def test_without_the_snippet_the_page_plays_and_says_so(
    demo: Command, browser: Browser
) -> None:
    page = await browser.new_page()
    errors = Errors()
    errors.watch(page)
    await page.route("**/p2pcdn.js", lambda route: route.abort())
    await page.goto(f"{demo.url}/demo/")
    await plays_on(page)
    await expect(page.locator("#share-text")).to_contain_text("plain HTTP")
    assert errors == []


async def test_the_dashboard_moves_and_says_when_it_is_cut_off(
    data: Path, browser: Browser
) -> None:
    async with run_demo(data) as own:
        board = await browser.new_page()
        errors = Errors()
        errors.watch(board)
        await board.goto(f"{own.url}/dashboard/")
        await expect(board.locator("#status")).to_have_text("Live")
        await expect(board.locator("#viewers")).to_have_text("0")
        viewer = await browser.new_page()
        await viewer.goto(f"{own.url}/demo/")
        await expect(board.locator("#viewers")).to_have_text("1")
        await expect(board.locator("#confirmed")).to_have_text(SOME_BYTES)
        await expect(board.locator("#offload")).to_contain_text("%")
        await expect(board.locator(".empty")).to_be_hidden()
    await expect(board.locator("#status")).to_have_attribute("data-state", "lost")
    async with p2pcdn(
        "demo",
        "--data",
        str(data),
        "--seconds",
        str(SECONDS),
        listen=own.url.removeprefix("http://"),
    ):
        await expect(board.locator("#status")).to_have_attribute("data-state", "live")
    assert errors == []


@pytest.mark.parametrize("path", ["/demo/", "/dashboard/"])
async def test_nothing_is_wider_than_a_phone(demo: Command, browser: Browser, path: str) -> None:
    page = await browser.new_page(viewport={"width": 390, "height": 800})
    await page.goto(demo.url + path)
    await asyncio.gather(
        page.wait_for_load_state("load"),
        page.wait_for_selector("#saved:has-text('B')", timeout=PATIENCE),
    )
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 390


async def test_a_film_that_is_added_plays(browser: Browser, demo: Command, data: Path) -> None:
    movie = await asyncio.to_thread(film, data / "mine.mp4", seconds=8, size=(320, 180))
    where = ("--content", str(data / "demo"), "--data", str(data))
    async with run(*PROGRAM, "add", str(movie), *where) as adding:
        assert await adding.process.wait() == 0, adding.text
    page = await browser.new_page()
    errors = Errors()
    errors.watch(page)
    await page.goto(f"{demo.url}/demo/?film=mine")
    await plays_on(page)
    assert await page.evaluate("document.querySelector('video').videoHeight") == 180
    assert errors == []
