"""The overlay (`data-debug`) shows what `getStats()` says, and what the account has afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.e2e.servers import Command
from tests.e2e.viewer import Stage, Viewer

SEGMENTS = 16
"""Of the film: as much is enough, and a busy machine is soon done with it."""
LITTLE = "window.playerConfig = { maxMaxBufferLength: 2 }"
ALL = "() => { player.config.maxMaxBufferLength = 600; }"
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


def beginning(film: Path, aside: Path) -> Path:
    """Of the film, beside it; whole when the server first sees it."""
    copy = shutil.copytree(film, aside / film.name, copy_function=os.link)
    playlist = copy / "180p.m3u8"
    parts = playlist.read_text().split("#EXTINF")
    playlist.unlink()  # it is a link to everybody's
    playlist.write_text("#EXTINF".join(parts[: SEGMENTS + 1]) + "#EXT-X-ENDLIST\n")
    return copy.rename(film.with_name(f"{film.name}-beginning"))


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


async def all_agreed(viewers: list[Viewer]) -> list[dict[str, Any]]:
    """The stats of all, once nothing of them has changed while the others were looked at."""
    async with asyncio.timeout(60):
        while True:
            stats = [await agreed(viewer) for viewer in viewers]
            if stats == [await viewer.stats() for viewer in viewers]:
                return stats


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
    stage: Stage, fresh_server: Command, content: Path, tmp_path: Path
) -> None:
    film = beginning(content / Path(stage.media).parent.name, tmp_path).name
    own = replace(
        stage,
        server=fresh_server.url,
        media=f"{fresh_server.url}/media/{film}/index.m3u8",
    )
    debug = {"data-debug": ""}
    async with own.viewer(attributes=debug) as first:
        await first.until(LOADED)
        async with own.viewer(before=LITTLE, attributes=debug) as second:
            # It may take long, and who loads on without one has it all from the origin.
            await second.links()
            await second.page.evaluate(ALL)
            await second.until(LOADED)
            stats = await all_agreed([first, second])
            assert stats[1]["peerBytes"] > 0, stats
            await second.page.goto("about:blank")
            await first.page.goto("about:blank")
    http, peers, waste = (
        sum(one[name] for one in stats) for name in ("httpBytes", "peerBytes", "wasteBytes")
    )

    def unsure(summary: dict[str, Any]) -> int:
        return int(summary["peer_bytes_claimed"] + summary["peer_bytes_disputed"])

    # What was given to the player counts as saved. The first one's had all before there was a peer:
    # who brings what it holds a lease for, and the player had before we came, does that for others.
    idle = waste + stats[0]["peerBytes"]
    # A peer may have brought what the origin did as well.
    least = peers - idle - SPARE
    summary = await settled(
        fresh_server,
        lambda found: found["peer_bytes_confirmed"] >= least and unsure(found) <= idle,
    )
    # And the origin may have sent what nobody read any more.
    assert http <= summary["origin_bytes"] <= http + waste + SPARE, (summary, stats)
    assert least <= summary["peer_bytes_confirmed"] <= peers, (summary, stats)
    assert unsure(summary) <= idle, (summary, stats)
