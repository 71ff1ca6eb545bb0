"""How fast uploads may be; how large and how slow is tried in test_ingest.py."""

from __future__ import annotations

import asyncio
from unittest import mock

from origin.ingest.body import BURST, Pace


async def test_what_is_faster_than_it_may_be_waits() -> None:
    now, slept = 100.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    loop = mock.Mock(time=lambda: now)
    with (
        mock.patch.object(asyncio, "sleep", sleep),
        mock.patch.object(asyncio, "get_running_loop", return_value=loop),
    ):
        pace = Pace(1000.0)
        await pace.pay(int(1000 * BURST))
        assert slept == []
        await pace.pay(500)
        assert slept == [0.5]
        began = now
        for _ in range(10):
            await pace.pay(1000)
        assert now - began == 10.0
        now += 3600.0  # what was not used is not saved up
        slept.clear()
        await pace.pay(1500)
        assert slept == [0.5]
