"""`--workers`: real processes on a real port, ended as they come to an end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from p2pcdn.service.worker import VARIABLE
from tests.p2pcdn.cli.calling import Serving, serving
from tests.tracker.rig import Client

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

VIEWERS = 8
PATIENCE = 60.0


def workers(command: Serving) -> dict[int, int]:
    """The processes, by which worker they are."""
    pid = command.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    found = {}
    for child in map(int, children):
        with suppress(OSError):  # it has just ended
            for entry in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                name, _, said = entry.partition(b"=")
                if name.decode() == VARIABLE:
                    found[json.loads(said)["index"]] = child
    return found


class Crowd:
    """Viewers of one content, wherever they land, who come back when they are sent away."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.joins = 0
        self.invited = 0
        self.sent_back: set[int] = set()
        """Those who were told that their tracker is going away."""
        self._tasks = [asyncio.create_task(self._stay(number)) for number in range(VIEWERS)]

    async def _stay(self, number: int) -> None:
        while True:
            try:
                async with self.session.ws_connect(f"{self.url}/tracker/v1") as socket:
                    client = await Client(socket).join()
                    self.joins += 1
                    while True:
                        received = await socket.receive()
                        if received.type is not aiohttp.WSMsgType.TEXT:
                            break
                        told = json.loads(received.data)
                        self.invited += told["type"] == "invite"
                        if told["type"] == "error" and told["code"] == "draining":
                            self.sent_back.add(number)
                    assert client.peer
            except (aiohttp.ClientError, AssertionError):
                pass  # its worker was killed, or has not come back
            await asyncio.sleep(0.05)

    async def json(self, path: str) -> Any:
        """What the API says, of whichever worker."""
        async with self.session.get(f"{self.url}{path}") as answer:
            return await answer.json()

    async def until(self, path: str, condition: Callable[[Any], bool]) -> Any:
        """What it says, once it is so; each time a new connection asks."""
        async with asyncio.timeout(PATIENCE):
            while True:
                told = await self.json(path)
                if "error" not in told and condition(told):
                    return told
                await asyncio.sleep(0.1)

    async def all_counted(self) -> None:
        """All are there, and that is written down: each join, and what the origin sent, once."""

        def is_all(figures: Any) -> bool:
            return bool(figures["joins"] == self.joins and figures["origin_bytes"] == 400_000)

        await self.until(
            "/api/v1/summary",
            lambda told: told["viewers"] == VIEWERS and told["swarms"] == 1 and is_all(told),
        )
        await self.until("/api/v1/series", lambda told: is_all(told["total"]))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def crowd(url: str) -> AsyncIterator[Crowd]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        made = Crowd(url, session)
        try:
            yield made
        finally:
            await made.end()


async def test_viewers_find_each_other_count_once_and_outlive_their_workers(
    tmp_path: Path,
) -> None:
    (tmp_path / "film.bin").write_bytes(bytes(100_000))
    words = ("--content", str(tmp_path), "--data", str(tmp_path / "data"), "--workers", "2")
    with serving("serve", *words) as command:
        await asyncio.to_thread(command.read, "Snippet")
        url = next(iter(command.lines.values()))
        async with crowd(url) as viewers:
            # Most of them have others on the other side, and find these all the same.
            await viewers.until("/api/v1/summary", lambda told: told["viewers"] == VIEWERS)
            assert viewers.invited >= VIEWERS - 1
            for _ in range(4):
                async with viewers.session.get(f"{url}/media/film.bin") as answer:
                    assert len(await answer.read()) == 100_000
            for index in (1, 0):
                await viewers.all_counted()
                before = workers(command)
                os.kill(before[index], signal.SIGKILL)
                async with asyncio.timeout(PATIENCE):
                    while workers(command).get(index) in (None, before[index]):  # noqa: ASYNC110
                        await asyncio.sleep(0.02)
                assert workers(command)[1 - index] == before[1 - index]
            await viewers.all_counted()
            viewers.sent_back.clear()
            pids = workers(command).values()
            command.process.terminate()  # as systemd does, which tells every process
            for pid in pids:
                with suppress(ProcessLookupError):  # its supervisor was faster
                    os.kill(pid, signal.SIGTERM)
            assert await asyncio.to_thread(command.process.wait, 20) == 0
            # More than once each, if they came back to the one that was told later.
            assert viewers.sent_back == set(range(VIEWERS))
