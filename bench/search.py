"""What a search for neighbours costs: ``python -m bench.search [VIEWERS...]``.

A swarm of so many viewers stands, in networks whose sizes are Zipf's. Newcomers join and leave, and
each search is measured, of theirs and of those whom they leave. In a large swarm it must not cost
more.
"""

from __future__ import annotations

import argparse
import ipaddress
import time
from random import Random
from typing import NamedTuple

from p2pcdn.core.introducer import Introducer
from p2pcdn.core.member import Member
from p2pcdn.core.swarm import Swarms
from p2pcdn.core.swarm_ports import Closed, Opened, Rules, Said
from p2pcdn.model import PROTOCOL
from p2pcdn.wire.candidate import Vantage
from p2pcdn.wire.tracker import Join, Position

NETWORKS = 500
COUNTRIES = 20
NEWCOMERS = 300


class Searches(Introducer):
    """Times them."""

    spent = 0
    """Nanoseconds of CPU."""
    count = 0

    def seek(self, member: Member, now: float) -> None:
        began = time.process_time_ns()
        super().seek(member, now)
        Searches.spent += time.process_time_ns() - began
        Searches.count += 1


class Found(NamedTuple):
    """What was measured."""

    search: float
    """Microseconds of CPU."""
    viewer: float
    """The same of all searches that one viewer causes who comes and goes."""


def measure(viewers: int, rules: Rules) -> Found:
    """Let newcomers come and go in a swarm of so many."""
    rng = Random(1)
    mind = Swarms(rules, Random(1))
    mind._introducer = Searches(rules, Random(1), mind._outbox)

    def join(number: int) -> None:
        network = int(rng.paretovariate(0.8)) % NETWORKS
        source = f"{46 + (number >> 16)}.{number >> 8 & 255}.{number & 255}.7"
        vantage = Vantage(
            ipaddress.ip_address(source),
            operator=f"AS{64_512 + network}",
            country=f"{network % COUNTRIES:02}",
        )
        position = Position("v", 0, 10, 20)
        said = Join(PROTOCOL, "site", "c" * 32, "browser", True, (), position)
        mind.receive(Opened(number, vantage), 0.0)
        mind.receive(Said(number, said), 0.0)
        mind.take_messages()
        mind.take_events()

    for number in range(viewers):
        join(number)
    Searches.spent = Searches.count = 0
    for number in range(viewers, viewers + NEWCOMERS):
        join(number)
        mind.receive(Closed(number), 0.0)
        mind.take_messages()
        mind.take_events()
    spent = Searches.spent / 1000
    return Found(spent / Searches.count, spent / NEWCOMERS)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("viewers", nargs="*", type=int, default=[100, 1_000, 10_000])
    print(f"{'viewers':>8} {'matching':9} {'µs a search':>12} {'µs a viewer':>12}")
    for viewers in parser.parse_args().viewers:
        for name, share in (("blind", 0.0), ("local", 0.75)):
            # Limits would end the newcomers' searches early.
            rules = Rules(local_share=share, peers_per_hour=100_000, pending_offers=64)
            found = measure(viewers, rules)
            print(f"{viewers:8,} {name:9} {found.search:12.0f} {found.viewer:12.0f}")


if __name__ == "__main__":
    main()
