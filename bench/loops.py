"""uvloop or asyncio? CPU of a server process per unit of work: ``python -m bench.loops``.

Each figure is that of a process of its own which serves one kind of load on one loop: the process
reports the CPU time that it used, so that other programs on the machine disturb little. `sendfile`
is aiohttp's `FileResponse`, which asyncio hands to the kernel and uvloop cannot: what the origin
would gain from it if it did not count the bytes that arrive.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, get_args

import aiohttp
from aiohttp import web

from origin.app import Origin
from p2pcdn import logs
from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.service import Server, Service, run
from p2pcdn.service.loop import Loop
from p2pcdn.wire.codec import encode
from p2pcdn.wire.fields import Message
from p2pcdn.wire.tracker import Join, Report
from tracker.app import Tracker

SEGMENT = 512 * 1024
"""Two seconds at 2 Mbit/s."""
FILE = 64 * 1024 * 1024
REQUESTS = 800
DOWNLOADS = 12
CONNECTIONS = 16
SOCKETS = 100
MESSAGES = 200
PACE = 0.02


class Load(NamedTuple):
    """A kind of work, the unit that it is counted in, and how much of it there is."""

    make: Callable[[str, str], Awaitable[None]]
    unit: str
    amount: float


async def fetch(url: str, times: int, connections: int) -> None:
    """GET a URL so many times over so many connections."""
    left = iter(range(times))

    async def client(session: aiohttp.ClientSession) -> None:
        for _ in left:
            async with session.get(url) as answer:
                async for _ in answer.content.iter_any():
                    pass

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(client(session) for _ in range(connections)))


async def segments(url: str, media: str) -> None:
    """Viewers: many requests of the size of a segment."""
    await fetch(f"{url}{media}/segment.ts", REQUESTS, CONNECTIONS)


async def downloads(url: str, media: str) -> None:
    """Few requests for a large file."""
    await fetch(f"{url}{media}/file.bin", DOWNLOADS, 2)


async def messages(url: str, media: str) -> None:
    """Peers that report, each in a swarm of its own: decoding, checking, accounting, no fan-out."""

    async def peer(session: aiohttp.ClientSession, number: int) -> None:
        async with session.ws_connect(f"{url}/tracker/v1") as socket:
            await socket.receive()
            await socket.send_str(_text(_join(number)))
            await socket.receive()
            for count in range(MESSAGES):
                await asyncio.sleep(PACE)  # each on its own, as they come from real peers
                await socket.send_str(_text(Report(count)))
            await socket.send_str(_text(_join(number)))  # a second join is the end of a socket
            while (await socket.receive()).type != aiohttp.WSMsgType.CLOSE:
                pass

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(peer(session, number) for number in range(SOCKETS)))


def _text(message: Message) -> str:
    return encode(message)


def _join(number: int) -> Join:
    return Join(1, "pk_demo", f"{number:032x}", "browser", upload=True)


LOADS = {
    "segments": Load(segments, "GB", REQUESTS * SEGMENT / 1e9),
    "downloads": Load(downloads, "GB", DOWNLOADS * FILE / 1e9),
    "messages": Load(messages, "10,000 messages", SOCKETS * MESSAGES / 1e4),
}


class Files:
    """A service that sends files as aiohttp does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.static("/sendfile", self._directory)]

    async def start(self) -> None:
        pass

    async def drain(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def problems(self) -> list[str]:
        return []


def serve(loop: Loop, directory: Path) -> int:
    """The measured process: prints its address, and when it is stopped the CPU time it took."""
    logs.configure("warning")
    limits = TrackerConfig(messages_per_second=10_000, burst=100_000, stun=False)
    config = Config(
        listen="127.0.0.1:0", content=directory / "media", data=directory / "data", tracker=limits
    )
    ledger = Ledger()
    services: list[Service] = [
        Origin(config, ledger), Tracker(config, ledger), Files(directory / "media"),
    ]  # fmt: skip

    async def main() -> None:
        async with Server.of(config, services) as server:
            print(server.url, flush=True)
            await asyncio.to_thread(sys.stdin.readline)  # the load begins
            began = time.process_time()
            await asyncio.to_thread(sys.stdin.readline)
            print(time.process_time() - began, flush=True)

    return run(main(), loop)


@contextmanager
def server(loop: Loop, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that serves on this loop."""
    words = [sys.executable, "-m", "bench.loops", "--serve", loop, "--directory", str(directory)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, stderr=subprocess.DEVNULL, **pipes) as process:
        try:
            yield process
        finally:
            process.terminate()


def measure(load: Load, media: str, loop: Loop, directory: Path) -> float:
    """CPU seconds of the server per unit of the load."""
    with server(loop, directory) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        asyncio.run(fetch(f"{url}{media}/segment.ts", 20, 1))  # imports, hashing, caches
        process.stdin.write("go\n")
        process.stdin.flush()

        async def make() -> None:
            await load.make(url, media)

        asyncio.run(make())
        process.stdin.write("stop\n")
        process.stdin.flush()
        return float(process.stdout.readline()) / load.amount


def report(rounds: int) -> None:
    """Measure everything and print a table."""
    rows = [
        ("tracker, messages", "messages", "/media"),
        ("origin, segments of 512 KiB", "segments", "/media"),
        ("origin, file of 64 MiB", "downloads", "/media"),
        ("sendfile, segments of 512 KiB", "segments", "/sendfile"),
        ("sendfile, file of 64 MiB", "downloads", "/sendfile"),
    ]
    loops: tuple[Loop, ...] = get_args(Loop)
    print(f"| CPU seconds of the server | per | {' | '.join(loops)} |")
    print("|---|---|" + "---|" * len(loops))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "media").mkdir()
        (directory / "media" / "segment.ts").write_bytes(bytes(range(256)) * (SEGMENT // 256))
        (directory / "media" / "file.bin").write_bytes(bytes(range(256)) * (FILE // 256))
        for title, load, media in rows:
            figures = [
                median(measure(LOADS[load], media, loop, directory) for _ in range(rounds))
                for loop in loops
            ]
            cells = " | ".join(f"{figure:.2f}" for figure in figures)
            print(f"| {title} | {LOADS[load].unit} | {cells} |", flush=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.loops", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts")
    parser.add_argument("--serve", choices=get_args(Loop), help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.directory)
    report(options.rounds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
