"""What a tracker carries on one core: ``python -m bench.tracker [--quick] [--python PATH]
[SCENES...]``.

The server and the load are a process each, on a core each; clients come from addresses all over
127.0.0.0/8, as all limits are on. WebTorrent's protocol is spoken by `bittorrent-tracker`'s own
server, too, under the same load and in turns with ours (it is there after ``npm ci`` in
bench/browsers). Linux only: what a process uses is read from /proc.

Node is compiled with all optimisations, and so are the Pythons of distributions and of the official
images. One that was built without (pyenv's, by default) is a tenth slower: with ``--python`` our
server has another than the load.
"""

from __future__ import annotations

import argparse
import os
from statistics import median
from typing import NamedTuple, get_args

from bench.tracker import announces
from bench.tracker.process import PYTHON, Name
from bench.tracker.scenes import announced, apart, killed, watched

STAYS = 1800.0
"""Seconds that a viewer stays, where one has to be assumed."""


def compare(sizes: list[int], rate: float, seconds: float, rounds: int) -> None:
    """Both servers in turns."""
    print("| server | sockets | messages a CPU second | p50 | p99 | memory an idle socket |")
    print("|---|---|---|---|---|---|")
    for size in sizes:
        figures: dict[str, list[announces.Result]] = {name: [] for name in get_args(Name)}
        for _ in range(rounds):
            for name in get_args(Name):
                figures[name].append(apart(announced, name, size, 0, rate, seconds))
        for name, results in figures.items():
            print(
                f"| {name} | {size} | {middle(results, 'per_cpu'):,.0f} "
                f"| {middle(results, 'p50'):.1f} ms | {middle(results, 'p99'):.1f} ms "
                f"| {middle(results, 'idle_bytes') / 1024:.1f} KiB |",
                flush=True,
            )
        ours, theirs = (middle(results, "per_cpu") for results in figures.values())
        print(f"| | {size} | **{ours / theirs:.2f} x** | | | |", flush=True)


def middle(results: list[announces.Result], name: str) -> float:
    return float(median(getattr(result, name) for result in results))


class Size(NamedTuple):
    """How much of it."""

    part: int
    """One in so many of the sockets."""
    rate: float
    """Announces a second."""
    seconds: float
    rounds: int


WHOLE, QUICK = Size(1, 400, 20.0, 3), Size(10, 40, 4.0, 1)


def in_turns(size: Size) -> None:
    print("Five answered offers of 1 KB an announce, in WebTorrent's protocol:\n")
    compare([1000 // size.part, 5000 // size.part], size.rate, size.seconds, size.rounds)


def beside_idle(size: Size) -> None:
    active, idle = 500 // size.part, 5000 // size.part
    one = apart(announced, "p2pcdn", active, idle, size.rate, size.seconds)
    print(f"\n{one.active} active sockets beside {one.idle} idle ones: ", end="")
    print(f"p50 {one.p50:.1f} ms, p99 {one.p99:.1f} ms; {one.per_cpu:,.0f} messages a CPU second.")


def joins(size: Size) -> None:
    cost = apart(watched, 2000 // size.part, 5.0, size.seconds)
    print(
        f"\n{cost.viewers} viewers of ours who come within 5 s are in after {cost.took:.1f} s "
        f"(p50 {cost.p50:.1f} ms, p99 {cost.p99:.1f} ms each), and make {cost.linked} links. "
        f"One that comes costs {1000 * cost.joining:.2f} ms of CPU, one that watches "
        f"{1e6 * cost.watching:.0f} us a second, and {cost.viewer_bytes / 1024:.1f} KiB: "
        f"{cost.a_core(STAYS):,.0f} viewers a core who stay half an hour."
    )


def kill(size: Size) -> None:
    clients = 2000 // size.part
    back, took = apart(killed, clients)
    print(
        f"\nThe tracker is killed, and away for 2 s: {back} of {clients} clients are back "
        f"{took:.1f} s after the kill."
    )


SCENES = {"announces": in_turns, "idle": beside_idle, "joins": joins, "kill": kill}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of it, for a look")
    parser.add_argument("scenes", nargs="*", help=f"of {', '.join(SCENES)}; else all of them")
    parser.add_argument("--python", metavar="PATH", help="the interpreter of our server")
    options = parser.parse_args()
    if unknown := set(options.scenes) - set(SCENES):
        parser.error(f"no scene is called {', '.join(unknown)}: there are {', '.join(SCENES)}")
    if options.python:
        os.environ[PYTHON] = options.python
    for name in options.scenes or SCENES:
        SCENES[name](QUICK if options.quick else WHOLE)


if __name__ == "__main__":
    main()
