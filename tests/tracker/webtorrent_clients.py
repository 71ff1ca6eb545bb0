"""Unmodified clients of WebTorrent's trackers, in Node (built of `bench/browsers/client.mjs`)."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "bench" / "browsers"
PATIENCE = 20.0

needs_packages = pytest.mark.skipif(
    shutil.which("node") is None or not (FOLDER / "dist/client.cjs").exists(),
    reason="the npm packages of bench/browsers are not installed: `make test` does it",
)


class Clients:
    """A process with clients, and what they have said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []
        self._unheard: list[dict[str, Any]] = []

    def do(self, what: str, client: str = "", **more: Any) -> None:
        assert self._process.stdin is not None
        told = {"do": what, "client": client, **more}
        self._process.stdin.write(json.dumps(told).encode() + b"\n")

    async def hears(self, event: str, client: str = "", **more: Any) -> dict[str, Any]:
        """The next such event; others are kept for whoever asks for them."""
        wanted = {"client": client, "event": event, **more}
        for said in self._unheard:
            if wanted.items() <= said.items():
                self._unheard.remove(said)
                return said
        async with asyncio.timeout(PATIENCE):
            while not wanted.items() <= (said := await self._read()).items():
                self._unheard.append(said)
        return said

    async def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, f"the clients have ended after {self.said}"
        said: dict[str, Any] = json.loads(line)
        self.said.append(said)
        return said


@asynccontextmanager
async def clients() -> AsyncIterator[Clients]:
    """A process for as many clients as a test wants: they share sockets by the tracker's URL."""
    process = await asyncio.create_subprocess_exec(
        "node",
        "dist/client.cjs",
        cwd=FOLDER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        made = Clients(process)
        await made.hears("ready")
        yield made
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
