"""What a scene is served from: our server, the other tracker, and a site with the page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PAGES = HERE / "pages"
FILES = {
    "/probe.js": PAGES / "probe.js",
    "/hls.min.js": ROOT / "origin" / "static" / "hls.min.js",
    "/p2pml.js": HERE / "dist" / "p2pml.js",
}
PATIENCE = 30


class BenchError(Exception):
    """The benchmark cannot go on. One sentence that says why."""


def require_built() -> None:
    """Say what has to be made first."""
    for path in FILES.values():
        if not path.exists():
            raise BenchError(f"There is no {path.relative_to(ROOT)}: run `make bench` once.")


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def _process(*words: str, **options: Any) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def p2pcdn(content: Path, data: Path) -> AsyncIterator[int]:
    """Run ``p2pcdn serve``; the port that it answers on.

    Without STUN: its port's UDP side is not behind the proxy, and one machine needs none.
    """
    port = free_port()
    words = (
        sys.executable, "-m", "p2pcdn", "serve", "--log-level", "error",
        "--listen", f"127.0.0.1:{port}", "--content", str(content), "--data", str(data),
        "--set", "tracker.stun=false",
    )  # fmt: skip
    output: dict[str, Any] = {"stdout": asyncio.subprocess.DEVNULL}
    async with _process(*words, **output) as process:
        await _ready(process, f"http://127.0.0.1:{port}/readyz")
        yield port


async def _ready(process: asyncio.subprocess.Process, url: str) -> None:
    async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE):
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.05)
    raise BenchError("`p2pcdn serve` ended before it was ready.")


@contextlib.asynccontextmanager
async def tracker() -> AsyncIterator[int]:
    """Run p2p-media-loader's tracker; its port."""
    pipes: dict[str, Any] = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    async with _process("node", str(HERE / "tracker.mjs"), **pipes) as process:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
        if not line:
            raise BenchError("The tracker of p2p-media-loader did not start.")
        yield int(line)


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[int]:
    """A site with the page, on another port than the media; its port."""
    app = web.Application()
    app.router.add_get("/viewer.html", _page)
    for url, path in FILES.items():
        app.router.add_get(url, _script(path.read_bytes()))
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


async def _page(request: web.Request) -> web.Response:
    """The page with its tags in the markup, as a site has them."""
    text = (PAGES / "viewer.html").read_text()
    for name, value in json.loads(request.query["fill"]).items():
        text = text.replace("{" + name + "}", value)
    return web.Response(text=text, content_type="text/html")


def _script(data: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def show(_: web.Request) -> web.Response:
        return web.Response(body=data, content_type="text/javascript")

    return show
