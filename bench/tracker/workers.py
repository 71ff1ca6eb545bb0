"""What a message costs when several processes share the swarms.

::

    python -m bench.tracker.workers [ANNOUNCES A SECOND AND WORKER] [WORKERS...]

The same load (`announces`) for one worker, two and four; each socket either opened where its swarm
is at home, as by a load balancer that reads the path, or anywhere. All workers have one core
together, so what counts is the CPU time that all of them take for a message delivered: where it
stays the same, twice the cores do twice the work.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from bench.tracker.announces import OFFERS, SWARM, Client, Load, Tally
from bench.tracker.process import ROOT, Server, cores, free_port, wait_for
from bench.tracker.sockets import connect, many_descriptors, paced, percentiles
from p2pcdn.core.homes import home_of
from p2pcdn.service import run
from p2pcdn.service.worker import VARIABLE, Worker

CLIENTS = 750
"""For each worker, so that each has as much to do as one alone."""
RATE = 100.0
"""Announces a second for each worker: 1,100 messages delivered."""
WARM, SECONDS = 2.0, 8.0
COUNTS = (1, 2, 4)
REPEATS = 3
"""Of which the cheapest counts: whatever else the machine does only adds to it."""


class Cost(msgspec.Struct, frozen=True):
    """What a layout costs."""

    workers: int
    right: bool
    """Whether each socket is where its swarm is at home."""
    micros: float
    """CPU time a message delivered, of all workers together."""
    p99: float
    """Milliseconds until a message is delivered."""


@contextmanager
def workers(count: int) -> Iterator[list[Server]]:
    """So many processes, each on a port of its own, so that we choose where a socket lands."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as ended:
        secret = os.urandom(32)
        servers = []
        for index in range(count):
            worker = Worker(
                index=index, count=count, port=free_port(), directory=directory, secret=secret
            )
            process = subprocess.Popen(
                [sys.executable, "-m", "tracker"],
                cwd=ROOT,
                env=os.environ
                | {
                    VARIABLE: msgspec.json.encode(worker).decode(),
                    "P2PCDN_LISTEN": f"127.0.0.1:{worker.port}",
                    "P2PCDN_DATA": directory,
                    "P2PCDN_TRACKER_STUN": "false",
                    "P2PCDN_TRACKER_WEBTORRENT_ORIGINS": "*",
                },
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            ended.callback(process.wait)
            ended.callback(process.kill)
            os.sched_setaffinity(process.pid, {cores()[0]})
            servers.append(Server("p2pcdn", worker.port, process.pid))
        for server in servers:
            wait_for(server.port)
        yield servers


async def measure(servers: Sequence[Server], rate: float, *, right: bool) -> Cost:
    """The load, shared out to these."""
    load, rng = Load(), random.Random(7)
    names = [str(index) for index in range(len(servers))]
    landed: list[list[Client]] = [[] for _ in servers]
    for number in range(CLIENTS * len(servers)):
        home = home_of(f"swarm{number // SWARM:015d}".encode(), names)
        landed[int(home if right else rng.choice(names))].append(Client(number, load))
    await asyncio.sleep(2.0)  # they find each other
    clients: list[Client] = []
    for server, those in zip(servers, landed, strict=True):
        clients += await connect(f"ws://127.0.0.1:{server.port}/announce", those)
    for client in clients:
        client.announce(0)
    rate *= len(servers)
    turn = itertools.cycle(rng.sample(clients, len(clients)))

    def announce() -> None:
        next(turn).announce()

    await paced(rate, WARM, announce)
    load.tally = Tally()
    used = sum(server.cpu() for server in servers)
    await paced(rate, SECONDS, announce)
    used = sum(server.cpu() for server in servers) - used
    if load.failures or any(client.closed for client in clients):
        raise SystemExit(f"It refuses: {load.failures.most_common(3)}")
    least = 0.95 * rate * SECONDS * (1 + 2 * OFFERS)
    if load.tally.delivered < least:
        raise SystemExit(f"Only {load.tally.delivered} messages came, not {least:.0f}.")
    _, p99 = percentiles(load.tally.times)
    return Cost(len(servers), right, 1e6 * used / load.tally.delivered, p99)


def cheapest(count: int, rate: float, *, right: bool) -> Cost:
    """What a layout costs at best."""

    async def go(servers: Sequence[Server]) -> None:
        found.append(await measure(servers, rate, right=right))

    found: list[Cost] = []
    for _ in range(REPEATS):
        with workers(count) as servers:
            run(go(servers))
    return min(found, key=lambda cost: cost.micros)


def main(rate: float, counts: Sequence[int]) -> None:
    """Print a row for each layout."""
    many_descriptors()
    os.sched_setaffinity(0, {cores()[1]})
    print(f"a worker: {CLIENTS} clients in swarms of {SWARM}, {rate:g} announces a second")
    alone = cheapest(1, rate, right=True)
    print(f"1 worker: {alone.micros:.0f} us a message, p99 {alone.p99:.1f} ms", flush=True)
    for count in counts:
        for right in (True, False) if count > 1 else ():
            cost = cheapest(count, rate, right=right)
            print(
                f"{count} workers, {'at home' if right else 'anywhere'}: "
                f"{cost.micros:.0f} us a message, p99 {cost.p99:.1f} ms; "
                f"on {count} cores {count * alone.micros / cost.micros:.1f} x one",
                flush=True,
            )


if __name__ == "__main__":
    main(
        float(sys.argv[1]) if len(sys.argv) > 1 else RATE,
        [int(count) for count in sys.argv[2:]] or COUNTS,
    )
