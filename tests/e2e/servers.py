"""Our servers, as processes of their own, and a site that is somebody else's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

ROOT = Path(__file__).parents[2]
PAGES = Path(__file__).parent / "pages"
BUNDLE = ROOT / "origin" / "static"
PROGRAM = (sys.executable, "-m", "p2pcdn")


def free_port() -> int:
    """A TCP port that nobody listens on, whose UDP twin is free as well."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


@dataclass
class Command:
    """One of our commands, running."""

    process: asyncio.subprocess.Process
    url: str
    output: list[str]

    async def json(self, path: str) -> Any:
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def kill(self) -> None:
        """As a crash would end it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """As Ctrl-C would."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self.process.wait(), 40)
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"did not stop within 40 s:\n{self.text}") from None

    async def printed(self, text: str) -> None:
        """Wait until a line with this text was printed."""
        async with asyncio.timeout(60):
            while not any(text in line for line in self.output):
                assert self.process.returncode is None, self.text
                await asyncio.sleep(0.05)

    @property
    def text(self) -> str:
        """What it printed, for a failure's message."""
        return "\n".join(self.output)


@contextlib.asynccontextmanager
async def p2pcdn(
    command: str, *arguments: str, listen: str | None = None, prefix: tuple[str, ...] = ()
) -> AsyncIterator[Command]:
    """Run ``p2pcdn COMMAND``; it is ready when /readyz says so.

    ``prefix`` goes before the program, to run it in another network: who does that has to find out
    in that network whether it is ready.
    """
    where = listen or f"127.0.0.1:{free_port()}"
    async with run(*prefix, *PROGRAM, command, "--listen", where, *arguments) as running:
        running.url = f"http://{where}"
        if not prefix:
            await ready(running)
        yield running


@contextlib.asynccontextmanager
async def peer(
    *arguments: str, prefix: tuple[str, ...] = (), python: str = sys.executable
) -> AsyncIterator[Command]:
    """Run ``p2pcdn peer ...``: a native peer, in a process of its own."""
    async with run(*prefix, python, "-m", "p2pcdn", "peer", *arguments) as running:
        yield running


@contextlib.asynccontextmanager
async def run(
    *words: str, cwd: Path = ROOT, env: Mapping[str, str] = os.environ
) -> AsyncIterator[Command]:
    """Run a program until the context is left."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        env={**env, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A shell lets what it starts in the background ignore Ctrl-C, and its children inherit it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    running = Command(process, "", [])
    reader = asyncio.create_task(_read(process, running.output))
    try:
        yield running
    finally:
        if process.returncode is None:
            await running.stop()
        await reader


async def _read(process: asyncio.subprocess.Process, output: list[str]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        output.append(line.decode(errors="replace").rstrip())


async def ready(running: Command) -> None:
    """Wait until /readyz says so."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        while running.process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{running.url}/readyz") as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(0.05)
    raise AssertionError(f"ended before it was ready:\n{running.text}")


async def _filled_page(request: web.Request) -> web.Response:
    """A page with its addresses filled in, so that all its tags stand in the markup; with the
    policy that the query asks for."""
    text = (PAGES / request.path.rpartition("/")[2]).read_text()
    for name, value in request.query.items():
        text = text.replace("{" + name + "}", value)
    policy = request.query.get("policy")
    headers = {"Content-Security-Policy": policy} if policy else {}
    return web.Response(text=text, content_type="text/html", headers=headers)


@contextlib.asynccontextmanager
async def site() -> AsyncIterator[str]:
    """A stranger's site: another origin than ours, its pages in `pages`, hls.js beside them."""
    app = web.Application()
    for page in ("plain.html", "strict.html"):
        app.router.add_get(f"/pages/{page}", _filled_page)
    app.router.add_static("/pages", PAGES)
    app.router.add_static("/bundle", BUNDLE)
    app.router.add_static("/node_modules", ROOT / "peer" / "browser" / "node_modules")
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()
