"""Three viewers of one film, on a page that knows nothing of us but the script tag."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.conftest import SEVERAL
from tests.e2e.servers import Command
from tests.e2e.viewer import Stage

WHOLE = (
    "() => Object.keys(window.probe.digests).length"
    " === window.player.levels[0].details.fragments.length"
)


@pytest.fixture
def server(fresh_server: Command) -> Command:
    return fresh_server


@SEVERAL
async def test_later_viewers_take_most_from_earlier_ones(
    stage: Stage, server: Command, content: Path
) -> None:
    async with AsyncExitStack() as stack:
        viewers = []
        for number in range(3):
            viewers.append(await stack.enter_async_context(stage.viewer()))
            if number < 2:
                await viewers[-1].plays(2)
        for viewer in viewers:
            await viewer.plays(12)
            await viewer.assert_smooth()
            assert await viewer.assert_exact(content) >= 10
        stats = [await viewer.stats() for viewer in viewers]
        third = stats[2]
        assert third["peerBytes"] > third["originBytes"], third
        assert all(s["rejectedChunks"] == 0 for s in stats)

        # The origin's own count agrees with the viewers', once nothing is on its way; and all that
        # was brought has been given to the players, so that it counts.
        for viewer in viewers:
            await viewer.page.evaluate("() => void (window.player.config.maxBufferLength = 120)")
        for viewer in viewers:
            await viewer.until(WHOLE)
        summary = await server.json("/api/v1/summary")
        stats = [await viewer.stats() for viewer in viewers]
        told = sum(s["httpBytes"] for s in stats)
        assert abs(told - summary["origin_bytes"]) <= 0.02 * summary["origin_bytes"], (
            stats,
            summary,
        )
        assert summary["peer_bytes_confirmed"] > 0
        assert summary["viewers"] == 3
        async with asyncio.timeout(25):  # told with a report, of which there is one each 10 s
            while summary["startups"] < 3:
                await asyncio.sleep(0.2)
                summary = await server.json("/api/v1/summary")
        assert summary["startups"] == 3

        # What the players have, and the origin has not sent. (Who loads a segment for others that
        # its own player had before the snippet was there has it brought for nobody.)
        given = [(await viewer.probe())["given"] for viewer in viewers]
        spared = sum(given) - sum(s["originBytes"] for s in stats)

        # What they have not reported yet they do as they go, without the socket.
        for viewer in viewers:
            await viewer.page.evaluate("() => { WebSocket.prototype.send = () => {}; }")
            await viewer.page.goto("about:blank")
        async with asyncio.timeout(10):
            while summary["peer_bytes_confirmed"] < 0.97 * spared:
                await asyncio.sleep(0.2)
                summary = await server.json("/api/v1/summary")
        assert summary["peer_bytes_confirmed"] <= spared, (stats, summary)
        assert summary["refused_reports"] == 0, await server.json("/api/v1/failures")
