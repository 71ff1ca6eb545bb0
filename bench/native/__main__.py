"""What native peers' links carry, and what that costs: ``python -m bench.native``.

MB/s, and CPU seconds of the native ends per GB, for each transport: ours (frames, chunks, the
core's machines for links) beside the bare library with messages of the same size. Both ends are
processes of their own on this machine, or one is Chromium. A round takes ours and bare in turn;
figures are the medians of the rounds, the ratio that of the rounds' ratios. And what two whole
peers make of one link.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import NamedTuple, Protocol, cast

from playwright.async_api import Browser

from bench.browsers.machine import machine
from bench.native import peers
from bench.native.page import chromium, page_end
from bench.native.process import Kind, end
from p2pcdn.service import run
from peer.native.transport.choice import Choice
from tests import fast_python

WARM_UP = 1.0
"""Seconds before the measured ones: SCTP finds its pace, our uplink its rate."""
COLUMNS = (
    "transport", "from", "to", "links", "bare, MB/s", "ours, MB/s", "ours/bare",
    "bare, CPU s/GB", "ours, CPU s/GB", "ours/bare",
)  # fmt: skip
KINDS: tuple[Kind, ...] = ("bare", "ours")


class End(Protocol):
    """A process or a page."""

    async def ask(self, *words: object) -> object:
        """Have something done; what came of it."""


class Case(NamedTuple):
    """Who sends to whom, over how many links."""

    transport: Choice
    way: str
    """``native``: both ends are; ``to``, ``from``: the other one is Chromium."""
    links: int


class Figures(NamedTuple):
    """Of one run."""

    rate: float
    """Bytes a second."""
    cost: float
    """CPU seconds of the native ends per byte."""


async def measure(
    case: Case, kind: Kind, seconds: float, python: str, browser: Browser | None
) -> Figures:
    """One run."""
    async with AsyncExitStack() as stack:
        native = await stack.enter_async_context(end(python, kind, case.transport))
        other = await stack.enter_async_context(_other(case, kind, python, browser))
        sender, taker = (other, native) if case.way == "from" else (native, other)
        ends: tuple[End, End] = (sender, taker)
        offers = await sender.ask("offers", case.links)
        await sender.ask("accept", await taker.ask("answers", offers))
        await asyncio.gather(*(one.ask("opened") for one in ends))
        await sender.ask("send")
        await taker.ask("take", WARM_UP)
        before, began = await _cpu(ends), time.perf_counter()
        taken = await taker.ask("take", seconds)
        took = time.perf_counter() - began
        spent = await _cpu(ends) - before
        assert isinstance(taken, int)
        return Figures(taken / took, spent / taken)


@asynccontextmanager
async def _other(
    case: Case, kind: Kind, python: str, browser: Browser | None
) -> AsyncIterator[End]:
    if case.way == "native":
        async with end(python, kind, case.transport) as process:
            yield process
    else:
        assert browser is not None
        async with page_end(browser, kind) as page:
            yield page


async def _cpu(ends: Sequence[End]) -> float:
    spent = 0.0
    for one in ends:
        seconds = await one.ask("cpu")
        assert isinstance(seconds, int | float)
        spent += seconds
    return spent


async def report(cases: list[Case], rounds: int, seconds: float, python: str) -> None:
    """Measure everything, and print a table."""
    print(f"{machine()}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    async with AsyncExitStack() as stack:
        browser = None
        if any(case.way != "native" for case in cases):
            browser = await stack.enter_async_context(chromium())
        for case in cases:
            runs: dict[Kind, list[Figures]] = {kind: [] for kind in KINDS}
            for number in range(rounds):
                for kind in KINDS if number % 2 == 0 else KINDS[::-1]:
                    runs[kind].append(await measure(case, kind, seconds, python, browser))
            print(_row(case, runs["bare"], runs["ours"]), flush=True)


def _row(case: Case, bare: list[Figures], ours: list[Figures]) -> str:
    sender = "Chromium" if case.way == "from" else "native"
    taker = "Chromium" if case.way == "to" else "native"
    pairs = list(zip(ours, bare, strict=True))
    cells = [
        case.transport, sender, taker, str(case.links),
        f"{median(run.rate for run in bare) / 1e6:.1f}",
        f"{median(run.rate for run in ours) / 1e6:.1f}",
        f"{median(o.rate / b.rate for o, b in pairs):.2f}",
        f"{median(run.cost for run in bare) * 1e9:.0f}",
        f"{median(run.cost for run in ours) * 1e9:.0f}",
        f"{median(o.cost / b.cost for o, b in pairs):.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.native", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="measured in each run")
    parser.add_argument("--links", default="1,4,16", help="how many at once")
    parser.add_argument(
        "--ways",
        default="native,to,from,whole",
        help="between natives, to Chromium, from it, between whole peers",
    )
    parser.add_argument("--megabytes", type=int, default=200, help="that a whole peer takes")
    parser.add_argument("--transports", default="aiortc,fast")
    options = parser.parse_args()
    transports = cast(list[Choice], options.transports.split(","))
    python = fast_python.find()
    if python is None and "fast" in transports:
        print(f"Only aiortc is measured: {fast_python.WHY_NOT}.", file=sys.stderr)
        transports.remove("fast")
    ways = options.ways.split(",")
    cases = [
        Case(transport, way, int(links))
        for way in ways
        if way != "whole"
        for transport in transports
        for links in options.links.split(",")
    ]
    python = python or sys.executable
    if cases:
        run(report(cases, options.rounds, options.seconds, python))
    if "whole" in ways:
        run(peers.report(transports, options.rounds, options.megabytes, python))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
