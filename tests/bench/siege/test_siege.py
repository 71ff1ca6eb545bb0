"""A small siege, with the code of the large one: who is slow is closed, who is honest served."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bench.siege import attacks
from bench.siege.attacks import KINDS, besiege
from bench.siege.flood import Flood
from bench.siege.honest import Honest, percentile
from bench.siege.server import besieged
from p2pcdn.config import OriginConfig, TrackerConfig

PATIENCE = 30.0
"""Seconds after which a connection is taken never to be closed; none should need six."""

ORIGIN = OriginConfig(header_timeout=1.0, keepalive=2.0, stall_timeout=1.0)
TRACKER = TrackerConfig(hello_timeout=2.0, messages_per_second=50, burst=20, stun=False)


async def test_slow_connections_are_all_closed_and_honest_viewers_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacks, "DRIP", 0.1)
    async with besieged(tmp_path, ORIGIN, TRACKER) as servers:
        honest = Honest(servers.url, "/media/small.ts")
        watching = asyncio.create_task(honest.run(2.0))
        closed = await besiege(servers.target, 60, PATIENCE)
        await watching
    assert {kind: len(times) for kind, times in closed.items()} == dict.fromkeys(KINDS, 6)
    assert [kind for kind, times in closed.items() if None in times] == []
    assert honest.http
    assert honest.tracker


async def test_a_flood_is_thrown_out_and_honest_viewers_are_not(tmp_path: Path) -> None:
    async with besieged(tmp_path, ORIGIN, TRACKER) as servers:
        flood = Flood(f"{servers.url}/tracker/v1", 4, 2000)
        flooding = asyncio.create_task(flood.run(30.0))
        honest = Honest(servers.url, "/media/small.ts")
        await honest.run(1.0)
        while not flood.closed:  # noqa: ASYNC110 - as soon as one is out, it has been proved
            await asyncio.sleep(0.05)
        flooding.cancel()
        await asyncio.wait([flooding])
    assert flood.sent > TRACKER.burst
    assert honest.tracker


def test_percentiles() -> None:
    times = [float(number) for number in range(100, 0, -1)]
    assert percentile(times, 0.5) == 51
    assert percentile(times, 0.99) == 100
    assert percentile([3.0], 0.99) == 3.0
