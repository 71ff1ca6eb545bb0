"""How long matching takes to go on when a part of a tracker of three nodes is gone.

    python -m bench.tracker.nodes

Three real trackers, a real store (redis-server or valkey-server), and viewers that all come in by
one node for contents that are at home at another. Each line is one misfortune, and the seconds
until every viewer was in a swarm again and introduced to somebody; and at the end, whether what all
nodes have counted is what there was to count.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import structlog

from tests.tracker.nodes.cluster import Node, Viewer, content_at, until, viewers
from tests.valkey import PROGRAM, Valkey

VIEWERS = 12
"""Of each swarm."""


class Road:
    """A way to the store that can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._streams: set[asyncio.StreamWriter] = set()
        self.is_cut = False

    async def open(self) -> int:
        """The port by which the store is reached."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        self.is_cut = True
        for stream in self._streams:
            stream.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_cut:
            writer.transport.abort()
            return
        onward, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._streams |= {writer, back}
        with contextlib.suppress(asyncio.CancelledError):  # it ends with the benchmark
            await asyncio.gather(_copy(reader, back), _copy(onward, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


class Stage:
    """Three nodes; the last has a road of its own to the store."""

    def __init__(self, folder: Path, valkey: Valkey, road: Road, port: int) -> None:
        self.valkey = valkey
        self.road = road
        stores = [valkey.url, valkey.url, f"valkey://127.0.0.1:{port}/3"]
        self.nodes = [Node(folder, store) for store in stores]
        self.swarms = 0

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    @contextlib.asynccontextmanager
    async def swarm(self, home: Node) -> AsyncIterator[list[Viewer]]:
        """A swarm that is at home at a node; its viewers came in by the first."""
        self.swarms += 1
        content = content_at(home.url, self.urls, self.swarms)
        async with viewers([(self.urls[0], content)] * VIEWERS) as found:
            for viewer in found:
                await until(lambda viewer=viewer: viewer.paired > 0)  # type: ignore[misc]
            yield found

    def joins(self) -> list[int]:
        """What the nodes that are there say of all."""
        alive = [node for node in self.nodes if node.process.poll() is None]
        return [node.get("/api/v1/summary?scope=all")["joins"] for node in alive]


async def all_meet(found: list[Viewer]) -> None:
    """Each is in, and has been introduced to somebody since it was last counted."""
    for viewer in found:
        await until(lambda viewer=viewer: viewer.peers >= 0 and viewer.paired > 0)  # type: ignore[misc]


async def measure(name: str, found: list[Viewer], what: Callable[[], Awaitable[None]]) -> None:
    for viewer in found:
        viewer.paired = 0
    began = time.monotonic()
    await what()
    await all_meet(found)
    print(f"{name:<52} {time.monotonic() - began:6.2f} s", flush=True)


async def newcomers(stage: Stage, found: list[Viewer]) -> None:
    """Somebody who comes by each node meets those who are there."""
    places = [(url, found[0].content) for url in stage.urls]
    began = time.monotonic()
    async with viewers(places) as others:
        await all_meet(others)
        most = max(viewer.peers for viewer in others)
        took = time.monotonic() - began
        print(f"  three more came, by each node, and found {most} there {took:12.2f} s", flush=True)


async def run(stage: Stage) -> None:
    first, lost, cut = stage.nodes
    for node in stage.nodes:
        await node.ready()
    await asyncio.sleep(3)
    async with stage.swarm(lost) as found:

        async def kill() -> None:
            lost.kill()
            for viewer in found:
                await until(lambda viewer=viewer: viewer.peers < 0)  # type: ignore[misc]
                viewer.paired = 0

        await measure("kill -9 of the node where the swarm is at home", found, kill)
        await newcomers_at(stage, found, [stage.nodes[0], stage.nodes[2]])

        async def start() -> None:
            lost.start()
            await lost.ready()
            for viewer in found:
                await until(lambda viewer=viewer: viewer.node == lost.url)  # type: ignore[misc]
                viewer.paired = 0

        await measure("it starts again, and all go home", found, start)
    async with stage.swarm(lost) as found:
        stage.valkey.pause()
        await until(lambda: "is away" in first.note)
        print("the store answers nothing (SIGSTOP)")
        await newcomers(stage, found)
        stage.valkey.go_on()
        await until(lambda: "is away" not in first.note)
        moved = sum(viewer.joins - 1 for viewer in found)
        print(f"  it goes on: {moved} of {VIEWERS} viewers had to join again")
    async with stage.swarm(cut) as found:
        stage.road.cut()
        began = time.monotonic()
        await until(lambda: "is away" in cut.note)
        print(
            f"a node is cut off from the store, and says so after {time.monotonic() - began:.2f} s"
        )
        await asyncio.sleep(3)
        await newcomers(stage, found)
        stage.road.is_cut = False
        await until(lambda: "is away" not in cut.note)
        await asyncio.sleep(5)
        print("  it is back:")
        await newcomers(stage, found)
    await asyncio.sleep(5)
    told = stage.joins()
    own = sum(node.get("/api/v1/summary")["joins"] for node in stage.nodes)
    print(f"joins that were counted: {own} at the nodes, {told} told as those of all")
    if set(told) != {own}:
        raise SystemExit("something is counted twice, or not at all")


async def newcomers_at(stage: Stage, found: list[Viewer], nodes: list[Node]) -> None:
    """As `newcomers`, while a node is gone."""
    places = [(node.url, found[0].content) for node in nodes]
    async with viewers(places) as others:
        await all_meet(others)


async def main() -> None:
    if PROGRAM is None:
        raise SystemExit("This takes a store: apt-get install redis-server.")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valkey = Valkey(folder)
        road = Road(valkey.port)
        stage = Stage(folder, valkey, road, await road.open())
        try:
            await run(stage)
        finally:
            for node in stage.nodes:
                node.kill()
            valkey.close()


if __name__ == "__main__":
    asyncio.run(main())
