"""What the tests have hosted: contents of random bytes, and an origin and a tracker for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from origin.app import Origin
from p2pcdn.config import Config, Content, OriginConfig, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server
from tracker.app import Tracker

RENDITIONS = ("low", "high")
SEGMENTS = 8
LENGTH = 200_000
"""Bytes a segment: three chunks and a bit."""


def playlist(count: int, *, ended: bool = True, first: int = 0) -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:2"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
    for number in range(first, first + count):
        lines += ["#EXTINF:2.0,", f"{number}.ts"]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if ended else []), ""])


def write_segments(folder: Path, numbers: range, seed: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number}.ts").write_bytes(Random(f"{seed} {number}").randbytes(LENGTH))


def write_show(folder: Path) -> None:
    """A presentation of two renditions, of bytes that are no video; nobody here looks at it."""
    master = ["#EXTM3U"]
    for name in RENDITIONS:
        write_segments(folder / name, range(SEGMENTS), name)
        (folder / name / "index.m3u8").write_text(playlist(SEGMENTS))
        master += ["#EXT-X-STREAM-INF:BANDWIDTH=800000", f"{name}/index.m3u8"]
    (folder / "master.m3u8").write_text("\n".join([*master, ""]))


@dataclass
class Site:
    """A running origin and tracker."""

    server: Server
    origin: Origin
    tracker: Tracker
    ledger: Ledger
    content: Path
    url: str = field(init=False)

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{self.server.port}"

    def media(self, path: str) -> str:
        return f"{self.url}/media/{path}"


@asynccontextmanager
async def hosted(content: Content, data: Path, tracker: TrackerConfig) -> AsyncIterator[Site]:
    """An origin and a tracker with these settings, on a free port."""
    listed = OriginConfig(list_contents=True)
    config = Config(
        listen="127.0.0.1:0", content=content, data=data, tracker=tracker, origin=listed
    )
    ledger = Ledger()
    services = Origin(config, ledger), Tracker(config, ledger)
    async with Server.of(config, list(services)) as server:
        yield Site(server, *services, ledger, Path(content))


@asynccontextmanager
async def slowed(url: str, rate: float) -> AsyncIterator[str]:
    """The server at a URL by another one, from where no more than so many bytes a second come in
    all."""
    server = urlsplit(url)
    connections: set[asyncio.Task[None]] = set()
    line = asyncio.Lock()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, slow: bool) -> None:
        while data := await source.read(int(rate / 20)):
            if slow:
                async with line:
                    await asyncio.sleep(len(data) / rate)
            target.write(data)
            await target.drain()
        target.write_eof()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        there_reader, there_writer = await asyncio.open_connection(server.hostname, server.port)
        with suppress(OSError):
            await asyncio.gather(
                carry(reader, there_writer, False), carry(there_reader, writer, True)
            )
        for end in (writer, there_writer):
            end.close()
        connections.discard(task)

    between = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}"
    finally:
        between.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
