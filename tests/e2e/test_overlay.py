"""The overlay (`data-debug`) shows what `getStats()` says, and what the account has afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.e2e.servers import Command
from tests.e2e.viewer import Stage, Viewer

WHOLE = f"window.playerConfig = {json.dumps({'maxBufferLength': 120})}"
LOADED = """() => {
  const all = window.player?.levels[0]?.details?.fragments.length;
  return all && Object.keys(probe.digests).length === all;
}"""
"""All of it: a busy machine may rest for a second before the last, which looks like the end."""
SPARE = 1e6
"""Bytes that may lie in sockets when an answer is cut short."""
PANEL = "() => document.getElementById('p2pcdn-overlay')?.textContent ?? ''"


def size(count: float) -> str:
    """Bytes as the dashboard has them."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5 or unit == "MB":
            return f"{count:.{1 if unit != 'B' and count < 99.5 else 0}f} {unit}"
        count /= 1000
    raise AssertionError


def shown(stats: dict[str, Any]) -> dict[str, str]:
    """What the overlay should show."""
    peers, http = stats["peerBytes"], stats["httpBytes"]
    return {
        "From the origin": size(http),
        "From peers": size(peers),
        "To peers": size(stats["uploadedBytes"]),
        "Waste": size(stats["wasteBytes"]),
        "Offload": f"{100 * peers / (peers + http):.1f} %",
    }


async def overlay(viewer: Viewer) -> dict[str, str]:
    """What it shows, once it shows that nothing moves any more."""
    async with asyncio.timeout(30):
        while True:
            lines = str(await viewer.page.evaluate(PANEL)).splitlines()
            rows = [line for line in lines if not line.startswith("Links")]
            if rows and all(line.endswith(" 0 B/s") for line in rows[:3]):
                return {line[:16].strip(): " ".join(line[16:].split()[:2]) for line in rows}
            await asyncio.sleep(0.2)


async def agreed(viewer: Viewer) -> dict[str, Any]:
    """The stats, once the overlay shows the same."""
    async with asyncio.timeout(30):
        while True:
            panel, stats = await overlay(viewer), await viewer.stats()
            if panel == shown(stats):
                return stats
            await asyncio.sleep(0.2)


async def settled(server: Command, is_whole: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The account once all have gone and it is whole, or what it has come to by then: what a page
    says as it goes is a request of its own, which may come after the end of its socket."""
    summary: dict[str, Any] = await server.json("/api/v1/summary")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            while summary["swarms"] or not is_whole(summary):
                await asyncio.sleep(0.2)
                summary = await server.json("/api/v1/summary")
    return summary


async def test_the_overlay_the_stats_and_the_account_agree(
    stage: Stage, fresh_server: Command, content: Path
) -> None:
    film = Path(stage.media).parent.name
    own = replace(
        stage,
        server=fresh_server.url,
        media=f"{fresh_server.url}/media/{film}/index.m3u8",
    )
    options = {"before": WHOLE, "attributes": {"data-debug": ""}}
    async with own.viewer(**options) as first:  # type: ignore[arg-type]
        await first.until(LOADED)
        async with own.viewer(**options) as second:  # type: ignore[arg-type]
            await second.until(LOADED)
            stats = [await agreed(viewer) for viewer in (first, second)]
            assert stats[1]["peerBytes"] > 0, stats
            # What was given to the player counts as saved; it has all been.
            await second.page.goto("about:blank")
            await first.page.goto("about:blank")
    http, peers, waste = (
        sum(one[name] for one in stats) for name in ("httpBytes", "peerBytes", "wasteBytes")
    )

    def unsure(summary: dict[str, Any]) -> int:
        return int(summary["peer_bytes_claimed"] + summary["peer_bytes_disputed"])

    # A peer may have brought what the origin did as well.
    least = peers - waste - SPARE
    summary = await settled(
        fresh_server,
        lambda found: found["peer_bytes_confirmed"] >= least and unsure(found) <= waste,
    )
    # And the origin may have sent what nobody read any more.
    assert http <= summary["origin_bytes"] <= http + waste + SPARE, (summary, stats)
    assert least <= summary["peer_bytes_confirmed"] <= peers, (summary, stats)
    assert unsure(summary) <= waste, (summary, stats)
