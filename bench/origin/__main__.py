"""What a core of the origin sends, beside nginx: ``python -m bench.origin [--quick]``.

Both send the same files in one run, in turns, from one core; wrk (Debian: ``apt-get install nginx
wrk``) asks from the other. nginx has `sendfile`, its cache of open files, and no log. A rate alone
says little where wrk is the limit, so the CPU time of an answer stands beside it. Then it is looked
whether the ledger's bytes are those that came out of the sockets. Linux only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import get_args

from bench.origin.account import agree
from bench.origin.servers import SEGMENT, Name, files, server
from bench.origin.wrk import Load, Result, measure

LOADS = (
    Load("segments of 2 MB", SEGMENT, 16),
    Load("ranges of 64 KiB", 65_536, 64),
    Load("ranges of 64 KiB, 1,000 kept connections", 65_536, 1000),
)


def compare(content: Path, seconds: int, rounds: int) -> None:
    """All loads on all servers in turns."""
    found: dict[tuple[Load, Name], list[Result]] = {}
    for _ in range(rounds):
        for name in get_args(Name):
            with server(name, content) as started:
                for load in LOADS:
                    measure(started, load, 1)
                    result = measure(started, load, seconds)
                    found.setdefault((load, name), []).append(result)
    print("| | answers a second | MB a second | x nginx | CPU an answer | p99 | memory |")
    print("|---|---|---|---|---|---|---|")
    for load in LOADS:
        print(f"| **{load.title}** | | | | | | |")
        best = middle(found[load, "nginx"], "requests")
        for name in get_args(Name):
            results = found[load, name]
            each = middle(results, "requests")
            print(
                f"| {name} | {each:,.0f} | {each * load.size / 1e6:,.0f} | {each / best:.2f} "
                f"| {middle(results, 'micros'):.0f} us | {middle(results, 'p99'):.0f} ms "
                f"| {middle(results, 'memory') / 2**20:.0f} MB |",
                flush=True,
            )


def middle(results: list[Result], name: str) -> float:
    return float(median(getattr(result, name) for result in results))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.origin", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short look")
    quick = parser.parse_args().quick
    with files() as content:
        compare(content, 2 if quick else 3, 1 if quick else 3)
        account = agree(content)
    print(
        f"\n{account.answers:,} answers on {account.connections} connections: the clients got "
        f"{account.received:,} bytes of bodies, the ledger counted {account.counted:,}."
    )
    print(
        f"{account.aborted} answers that were broken off: {account.aborted_received:,} bytes were "
        f"read, {account.aborted_counted:,} counted."
    )


if __name__ == "__main__":
    main()
