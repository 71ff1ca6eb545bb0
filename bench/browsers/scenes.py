"""What is played, by how many, and how a scene of it goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser

from bench.browsers import figures, processes
from bench.browsers.contestants import Contestant
from bench.browsers.film import RENDITION, SECONDS, Film
from bench.browsers.proxy import Fetch, Proxy
from bench.browsers.servers import p2pcdn, tracker
from bench.browsers.viewer import Address, Viewer, chromium

BY_HTTP = 2.0
"""B0: seconds of media that each viewer takes by HTTP before peers can be ready, one segment."""

PATIENCE = 60.0
"""Seconds that a film may take beyond its length."""


THREE = ("plain", "ours", "p2pml")


@dataclass(frozen=True)
class Scene:
    """So many viewers of the film or of the live channel."""

    name: str
    title: str
    viewers: int
    apart: float
    """Seconds from one viewer to the next."""
    seconds: float = SECONDS
    """How long the film is, or how long the live scene takes from its first viewer on."""
    live: bool = False
    who: tuple[str, ...] = THREE
    """Contestants unless others are asked for."""
    side_by_side: bool = False
    """All contestants at the same time, each for itself: where a viewer needs little."""

    @property
    def limit(self) -> float:
        """The fewest origin copies where each viewer has `BY_HTTP` from the origin."""
        return 1 + (self.viewers - 1) * BY_HTTP / self.seconds


SCENES = {
    scene.name: scene
    for scene in (
        Scene("vod4", "VOD, 4 viewers, 4 s apart", 4, 4, who=(*THREE, "p2pml-tuned")),
        Scene("vod8", "VOD, 8 viewers at once", 8, 0),
        Scene(
            "live6", "live, 6 viewers, 1 s apart", 6, 1, 56, live=True,
            who=(*THREE, "p2pml-tuned", "p2pml-near"),
        ),
        Scene("vod1", "VOD, one viewer alone", 1, 0, side_by_side=True),
    )
}  # fmt: skip


@dataclass
class Stand:
    """A contestant's servers, behind proxies that count."""

    origin: Proxy
    announcements: Proxy
    address: Address

    def reset(self) -> None:
        """Count from here."""
        self.origin.reset()
        self.announcements.reset()


@contextlib.asynccontextmanager
async def stand(content: Path, playlist: str, site: int) -> AsyncIterator[Stand]:
    """Servers of one contestant, fresh, and warm: what is measured is not their first request."""
    async with contextlib.AsyncExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="p2pcdn-bench-"))
        port = await stack.enter_async_context(p2pcdn(content, Path(data)))
        origin = await stack.enter_async_context(Proxy(port))
        announcing = await stack.enter_async_context(tracker())
        announcements = await stack.enter_async_context(Proxy(announcing))
        await _warm(f"http://127.0.0.1:{port}", playlist)
        yield Stand(origin, announcements, Address(site, origin.port, announcements.port, playlist))


async def _warm(server: str, playlist: str) -> None:
    """Ask for one of each: the segments are hashed then."""
    folder = Path(playlist).parent
    rendition = f"{folder}/{RENDITION.name}.m3u8"
    async with aiohttp.ClientSession(raise_for_status=True) as http:

        async def get(path: str) -> bytes:
            async with http.get(f"{server}/{path}") as answer:
                return await answer.read()

        lines = (await get(f"media/{rendition}")).decode().split()
        segment = next(line for line in lines if line.endswith(".ts"))
        for path in (f"media/{playlist}", f"manifest/{rendition}", f"media/{folder}/{segment}"):
            await get(path)
        await get("p2pcdn.js")


async def play(
    scene: Scene, contestant: Contestant, film: Film, site: int
) -> tuple[dict[str, Any], list[Fetch]]:
    """A scene, once: its record, and what was fetched from the origin."""
    async with contextlib.AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium())
        viewers = [await Viewer.of(browser, f"v{n + 1}") for n in range(scene.viewers)]
        content, playlist = film.directory, "film/index.m3u8"
        if scene.live:
            name = stack.enter_context(tempfile.TemporaryDirectory(dir=film.directory.parent))
            content, playlist = Path(name), "live/index.m3u8"
            await stack.enter_async_context(film.channel(content / "live"))
        standing = await stack.enter_async_context(stand(content, playlist, site))
        standing.reset()
        before = processes.spent()
        await _watch(scene, viewers, standing.address, contestant)
        spent = processes.since(before)
        fetches = list(standing.origin.fetches)
        outcomes = [await viewer.outcome() for viewer in viewers]
        record = {
            "scene": scene.name,
            "who": contestant.name,
            "limit": scene.limit,
            "load": os.getloadavg()[0],
            **figures.of_run(fetches, outcomes, film.size),
            "announcements": standing.announcements.bytes,
            "cpu": spent,
            "viewers": outcomes,
        }
        return record, fetches


async def _watch(
    scene: Scene, viewers: list[Viewer], address: Address, contestant: Contestant
) -> None:
    """Until the film is over for all, or the live scene's time."""

    async def one(number: int, viewer: Viewer) -> None:
        await asyncio.sleep(number * scene.apart)
        await viewer.open(address, contestant)
        if not scene.live:
            await viewer.until("probe.ended", scene.seconds + PATIENCE)

    over = asyncio.get_running_loop().time() + scene.seconds
    await asyncio.gather(*(one(*each) for each in enumerate(viewers)))
    if scene.live:
        await asyncio.sleep(over - asyncio.get_running_loop().time())


async def start(
    browser: Browser, address: Address, contestant: Contestant, *, joining: bool
) -> dict[str, Any]:
    """Open one fresh viewer until it plays, alone or beside one that has played for a while."""
    async with contextlib.AsyncExitStack() as stack:
        if joining:
            running = await Viewer.of(browser, "v1")
            stack.push_async_callback(running.close)
            await running.open(address, contestant)
            await running.until("probe.played >= 2", PATIENCE)
        viewer = await Viewer.of(browser, "v2")
        stack.push_async_callback(viewer.close)
        await viewer.open(address, contestant)
        await viewer.until("probe.startupMs !== null", PATIENCE)
        return await viewer.outcome()
