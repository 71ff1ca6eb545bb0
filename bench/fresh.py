"""``python -m bench.fresh``: from a fresh clone to the first byte of a peer.

This tree, as it is committed, is cloned into an empty directory, with empty caches of pip and npm.
There `make demo` is run until it prints its links, and its page opened in two windows of headless
Chromium.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
import time
from pathlib import Path

import click
from playwright.async_api import async_playwright

from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium
from tests.e2e.servers import ROOT, free_port

CACHES = {
    "PIP_CACHE_DIR": "pip",
    "npm_config_cache": "npm",
    "PLAYWRIGHT_BROWSERS_PATH": "browsers",
    "XDG_CACHE_HOME": "caches",
}
PATIENCE = 600
"""Seconds that each step has."""


@click.command(help=__doc__)
def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    clone = folder / "clone"
    environment = {**os.environ, **{name: str(folder / CACHES[name]) for name in CACHES}}
    environment.pop("PYTHONPATH", None)
    began = time.monotonic()
    cloning = await asyncio.create_subprocess_exec("git", "clone", "--quiet", ROOT, clone)
    assert await cloning.wait() == 0
    words = ("make", "demo", f"ARGS=--listen 127.0.0.1:{free_port()}")
    demo = await asyncio.create_subprocess_exec(
        *words, cwd=clone, env=environment, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        link = await asyncio.wait_for(_link(demo), PATIENCE)
        print(f"{time.monotonic() - began:6.1f} s  until `make demo` has printed its links")
        print(f"{await _first_byte(link):6.1f} s  from opening the page to a peer's first byte")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGTERM)  # make, and what it has started
        await demo.wait()


async def _link(demo: asyncio.subprocess.Process) -> str:
    """The address of the demo's page, once it is printed."""
    assert demo.stdout is not None
    async for line in demo.stdout:
        if found := re.match(r" *Demo +(\S+)", line.decode()):
            return found[1]
    raise AssertionError("`make demo` has ended")


async def _first_byte(url: str) -> float:
    """Seconds from opening the page in two windows until something has come from a peer."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *UNTHROTTLED]
        )
        began = time.monotonic()
        pages = [await (await browser.new_context()).new_page() for _ in range(2)]
        for page in pages:
            await page.goto(url)
        waiting = [
            asyncio.create_task(
                page.wait_for_function(
                    "() => window.p2pcdn?.getStats().peerBytes > 0", timeout=PATIENCE * 1000
                )
            )
            for page in pages
        ]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        took = time.monotonic() - began
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await browser.close()
        return took


if __name__ == "__main__":
    main()
