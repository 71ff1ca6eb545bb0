"""Real tracker processes with one store, and viewers that go where they are sent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp

from p2pcdn.core.homes import home_of
from p2pcdn.wire.tracker import (
    Answered,
    FromTracker,
    Invite,
    Join,
    Joined,
    Linked,
    Moved,
    Offered,
    Prepared,
    Refused,
    SendAnswer,
    SendOffer,
    Taken,
    Welcome,
)
from peer.native.tracker_client import TrackerClient
from tests.e2e.servers import free_port
from tests.p2pcdn.core.swarming import sdp
from tests.tracker.rig import join

MOST_HOPS = 3

PATIENCE = 90.0
"""Seconds after which what should come is taken not to come, on however busy a machine."""


class Node:
    """A tracker process."""

    def __init__(self, folder: Path, store: str, *settings: str) -> None:
        self.port, exchange = free_port(), free_port()
        self.url = f"ws://127.0.0.1:{self.port}/tracker/v1"
        self.data = folder / str(self.port)
        self._words = [
            *(sys.executable, "-m", "p2pcdn", "tracker", "--listen", f"127.0.0.1:{self.port}"),
            *("--data", str(self.data), "--log-level", "warning"),
            *(f"--set=tracker.store={store}", f"--set=tracker.url={self.url}"),
            f"--set=tracker.exchange=127.0.0.1:{exchange}",
            *("--set=tracker.stun=false", *(f"--set={text}" for text in settings)),
        ]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    @property
    def note(self) -> str:
        """What it tells its operator."""
        return str(self.get("/readyz?verbose"))

    async def ready(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self.process.poll() is None, "it did not start"
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(self.get, "/readyz")
                    return
                await asyncio.sleep(0.1)


class Viewer:
    """Joins, goes where it is sent, and comes back; as the core has it, without its links."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, content: str, *, follows: bool = True
    ) -> None:
        self.content = content
        self.peers = -1
        """Others there when it was let in last; -1 while it is not in."""
        self.paired = 0
        self.joins = 0
        self._follows = follows
        self._hops = 0
        self.client = TrackerClient(session, url, hear=self._hear, lost=self._lost)

    @property
    def node(self) -> str:
        """Where it is, without the content."""
        return self.client.url.removesuffix(f"/{self.content}")

    async def until(self, condition: Callable[[], bool], most: float = PATIENCE) -> None:
        await until(condition, most)

    def _lost(self) -> None:
        self.peers = -1

    def _hear(self, message: FromTracker) -> None:
        match message:
            case Welcome():
                follows = self._follows and self._hops < MOST_HOPS
                said: Join = join(1, content=self.content, follows=follows)
                self.client.send(said)
            case Joined(peers=peers):
                self.peers = peers
                self.joins += 1
                self._hops = 0
            case Moved(url=url, retry_after=retry_after):
                self._hops += 1
                self.client.move(url, retry_after)
            case Taken(offer=offer):
                self.paired += 1
                self.client.send(Prepared(offer + 1, sdp()))
            case Invite(pairing=pairing):
                self.client.send(SendOffer(pairing, sdp()))
            case Offered(pairing=pairing):
                self.paired += 1
                self.client.send(SendAnswer(pairing, sdp("active")))
                self.client.send(Linked(pairing, 50.0))
            case Answered(pairing=pairing):
                self.client.send(Linked(pairing, 50.0))
            case Refused(retry_after=retry_after, fatal=True):
                self.client.drop(retry_after)


async def until(condition: Callable[[], bool], most: float = PATIENCE) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(most):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def viewers(places: Iterable[tuple[str, str]], **options: Any) -> AsyncIterator[list[Viewer]]:
    """Those who join by these URLs, for these contents, one after the other."""
    async with aiohttp.ClientSession() as session:
        made: list[Viewer] = []
        try:
            for url, content in places:
                viewer = Viewer(session, url, content, **options)
                made.append(viewer)
                await viewer.client.open()
                await viewer.until(lambda viewer=viewer: viewer.peers >= 0)  # type: ignore[misc]
            yield made
        finally:
            await asyncio.gather(*(viewer.client.close() for viewer in made))


def content_at(url: str, urls: Iterable[str], number: int = 0) -> str:
    """A content that is at home at one of these nodes."""
    nodes = sorted(urls)
    ids = (f"{number:016x}{count:016x}" for count in range(10_000))
    return next(id_ for id_ in ids if home_of(id_.encode(), nodes) == url)
