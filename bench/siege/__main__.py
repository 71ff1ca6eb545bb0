"""What slow and flooding clients cost honest ones: ``python -m bench.siege``.

The server, the attackers and the honest viewers are a process each. The honest are measured alone,
then beside 1,000 slow connections of ten kinds, alone again, and beside a flood of messages on the
tracker's sockets. The server has its default limits, but for `stall_timeout`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.siege.attacks import Target, besiege
from bench.siege.flood import Flood
from bench.siege.honest import Honest, percentile
from bench.siege.server import resident, serve
from p2pcdn import logs
from p2pcdn.service import run

DEADLINE = 10.0
"""By when every slow connection has to be closed."""
STALL = 3.0
"""Seconds of `stall_timeout`. By default it is two minutes, since an honest player may stop reading
for as long; then those who read nothing are closed as much later."""
FLOODERS = 40
MESSAGES = 4000.0


@contextmanager
def another(*words: str) -> Iterator[subprocess.Popen[str]]:
    """This program once more, as a process beside this one."""
    command = [sys.executable, "-m", "bench.siege", *words]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.terminate()


async def watch(url: str, seconds: float, server: int) -> tuple[Honest, float]:
    """Honest viewers for so long; and by how much the server's memory grew at most, in MiB."""
    honest = Honest(url, "/media/small.ts")
    watching = asyncio.create_task(honest.run(seconds))
    first = most = resident(server)
    while not watching.done():
        await asyncio.wait([watching], timeout=0.25)
        most = max(most, resident(server))
    await watching
    return honest, most - first


@dataclass(slots=True)
class Findings:
    """What rounds have come to."""

    figures: dict[str, list[tuple[float, ...]]] = field(default_factory=lambda: defaultdict(list))
    """By what the honest were beside: in each round the HTTP's and the tracker's p50 and p99, in
    ms, and by how much the server grew, in MiB."""
    closed: dict[str, list[float | None]] = field(default_factory=lambda: defaultdict(list))
    """By the kind of slow connection: when each was closed, if it was."""
    floods: list[str] = field(default_factory=list)

    def add(self, name: str, honest: Honest, memory: float) -> None:
        times = [
            percentile(times, share) * 1000
            for times in (honest.http, honest.tracker)
            for share in (0.5, 0.99)
        ]
        self.figures[name].append((*times, memory))

    def tables(self) -> Iterator[str]:
        """Medians, and the extremes of more rounds than one."""
        yield "| honest viewers | HTTP, p50 ms | p99 | tracker, p50 ms | p99 | memory, MiB |"
        yield "|---" * 6 + "|"
        for name, rounds in self.figures.items():
            yield f"| {name} | {' | '.join(map(_spread, zip(*rounds, strict=True)))} |"
        yield from ("", *self.floods, "")
        yield "| slow connection | how many | first closed after, s | last |"
        yield "|---|---|---|---|"
        for kind, times in self.closed.items():
            ended = [time for time in times if time is not None]
            never = len(times) - len(ended)
            last = f"{never} never" if never else f"{max(ended):.1f}"
            yield f"| {kind} | {len(times)} | {min(ended, default=0):.1f} | {last} |"


def _spread(values: tuple[float, ...]) -> str:
    middle = f"{median(values):.1f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.1f} to {max(values):.1f})"


def measure(found: Findings, connections: int, seconds: float) -> None:
    """One round, by a server of its own."""
    with tempfile.TemporaryDirectory() as name, another("--serve", name) as server:
        assert server.stdout is not None
        port, tls_port = (int(word) for word in server.stdout.readline().split())
        url = f"http://127.0.0.1:{port}"
        ports = [str(port), str(tls_port)]
        asyncio.run(watch(url, 3.0, server.pid))  # imports, hashing, caches
        found.add("alone", *asyncio.run(watch(url, seconds, server.pid)))
        with another("--slow", str(connections), *ports) as attackers:
            found.add(
                f"beside {connections:,} slow connections",
                *asyncio.run(watch(url, DEADLINE, server.pid)),
            )
            for kind, times in json.loads(attackers.communicate()[0]).items():
                found.closed[kind] += times
        found.add("alone again", *asyncio.run(watch(url, seconds, server.pid)))
        with another("--flood", str(seconds + 4), *ports) as attackers:
            asyncio.run(asyncio.sleep(2.0))
            found.add(
                f"beside {MESSAGES:,.0f} messages a second",
                *asyncio.run(watch(url, seconds, server.pid)),
            )
            found.floods.append(attackers.communicate()[0].strip())


async def slow(connections: int, target: Target) -> None:
    print(json.dumps(await besiege(target, connections, DEADLINE)))


async def flood(seconds: float, target: Target) -> None:
    flooding = Flood(f"http://127.0.0.1:{target.port}/tracker/v1", FLOODERS, MESSAGES)
    await flooding.run(seconds)
    print(
        f"{flooding.sent / seconds:,.0f} messages a second were sent by {FLOODERS} sockets, "
        f"which were thrown out {flooding.closed} times."
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.siege", description=__doc__)
    parser.add_argument("--connections", type=int, default=1000, help="slow ones")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=1, help="medians are given, and extremes")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--slow", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--flood", type=float, help=argparse.SUPPRESS)
    parser.add_argument("ports", type=int, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logs.configure("error")
    if options.serve:
        return run(serve(options.serve, STALL))
    if options.ports:
        target = Target(options.ports[0], options.ports[1], "/media/large.ts")
        attack = slow(options.slow, target) if options.slow else flood(options.flood, target)
        asyncio.run(attack)
        return 0
    found = Findings()
    for _ in range(options.rounds):
        measure(found, options.connections, options.seconds)
    print("\n".join(found.tables()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
