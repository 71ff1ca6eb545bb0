"""Two whole peers: one holds a content, the other one takes all of it, over one link.

Beside what a link carries that is the tracker's word, the scheduler's decisions, hashes, the store
and what is announced, and the uplink's rate from where it begins. Nothing comes from the origin.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from bench.native.process import end
from peer.native.transport.choice import Choice
from tests.e2e.servers import Command, p2pcdn

COLUMNS = ("whole peers", "MB/s", "CPU s/GB of who sends", "of who takes", "share from the peer")
FILE = "film.bin"


class Figures(NamedTuple):
    """Of one run."""

    rate: float
    """Bytes a second."""
    sends: float
    """CPU seconds a byte of who sends,"""
    takes: float
    """and of who takes."""
    share: float
    """What came from the other peer, of all."""


async def report(transports: list[Choice], rounds: int, megabytes: int, python: str) -> None:
    """Measure so many rounds of each, and print a table."""
    print(f"\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    with tempfile.TemporaryDirectory() as name:
        content = Path(name) / "content"
        content.mkdir()
        (content / FILE).write_bytes(Random(megabytes).randbytes(megabytes * 1_000_000))
        arguments = ("--content", str(content), "--data", f"{name}/data")
        async with p2pcdn("serve", *arguments) as server:
            for transport in transports:
                runs = [await _measure(server, transport, python) for _ in range(rounds)]
                print(row(transport, runs), flush=True)


def row(transport: Choice, runs: list[Figures]) -> str:
    """The medians of all runs."""
    rate, sends, takes, share = (median(figures) for figures in zip(*runs, strict=True))
    cells = (f"{rate / 1e6:.1f}", f"{sends * 1e9:.0f}", f"{takes * 1e9:.0f}", f"{share:.2f}")
    return f"| {transport} | {' | '.join(cells)} |"


async def _measure(server: Command, transport: Choice, python: str) -> Figures:
    url = f"{server.url}/media/{FILE}"
    async with end(python, "whole", transport) as holds, end(python, "whole", transport) as takes:
        await holds.ask("hold", url)
        before = await asyncio.gather(holds.ask("cpu"), takes.ask("cpu"))
        size, brought, took = await takes.ask("fetch", url)
        after = await asyncio.gather(holds.ask("cpu"), takes.ask("cpu"))
        sends, gets = ((now - then) / size for now, then in zip(after, before, strict=True))
        return Figures(size / took, sends, gets, brought / size)
