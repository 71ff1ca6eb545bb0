"""The headline beside the kernel's counters: ``python -m bench.savings``.

Each scene is watched with peers and without (`tests/e2e/savings.py`), in network namespaces whose
packets are as small as those of a real cable; where there can be none, a relay counts.

- vod: one loads a film, one takes it from that one, one leaves after some seconds of it;
- live: three viewers for twenty seconds, and all leave;
- churn: of three viewers of a film and a native peer the latter and one browser are killed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from origin.synth import TINY, LiveFeed, synthesise
from tests.e2e import cables
from tests.e2e.films import SECONDS
from tests.e2e.savings import LITTLE, Comparison, Run, Scene, kill, play, replay, watch

LIVE = 20.0
"""Seconds that the last of the live scene's viewers watches."""

HEAD = (
    "scene", "counted by", "media given", "sent without peers", "sent with peers", "spared",
    "saved", "of what was spared", "not reported", "spared, with headers of packets", "saved of it",
)  # fmt: skip


async def live(run: Run) -> None:
    """Three who come one after the other."""
    watchers = [await run.watch(place) for place in (1, 2, 3)]
    await watchers[-1].viewer.plays(LIVE)
    for watcher in watchers:
        await watcher.leave()


async def churn(run: Run) -> None:
    """Of those who watch a film a native peer and a browser are killed."""
    first = await run.watch(1, LITTLE)
    await first.viewer.plays(2)
    async with run.native(4) as native:
        await native.printed("True")
        second = await run.watch(2, LITTLE)
        await second.viewer.plays(6)
        await kill(native)
    third = await run.watch(3, LITTLE)
    await third.viewer.plays(8)
    await second.kill()
    await third.viewer.plays(14)
    await third.leave()
    await first.leave()


@asynccontextmanager
async def film(directory: Path) -> AsyncIterator[str]:
    yield "film/index.m3u8"


@asynccontextmanager
async def channel(directory: Path) -> AsyncIterator[str]:
    async with LiveFeed(directory / "film" / "index.m3u8", directory / "live") as feed:
        yield f"live/{feed.playlist.name}"


SCENES = {"vod": (watch, film), "live": (live, channel), "churn": (churn, film)}


async def compare(name: str, content: Path, directory: Path) -> tuple[str, Comparison]:
    """One round of a scene; what counted, and what it found."""
    scene, media = SCENES[name]
    async with cables.net(4, split=True) as net, media(content) as url:
        peers = await play(scene, net, content, url, directory / "peers", peers=True)
        plain: Scene = replay(peers) if name == "churn" else scene
        found = await play(plain, net, content, url, directory / "plain", peers=False)
        return net.kind, Comparison(peers, found)


def row(name: str, kind: str, found: Comparison) -> str:
    """Of the table; bytes in MB."""
    spared, wire, saved = found.spared, found.spared_wire, found.saved
    sizes = (sum(found.peers.given), found.plain.sent.payload + found.corrected,
             found.peers.sent.payload, spared, saved)  # fmt: skip
    cells = [name, kind, *(f"{size / 1e6:.2f}" for size in sizes), f"{100 * saved / spared:.2f} %"]
    cells += [f"{found.peers.unreported / 1e6:.2f}", f"{wire / 1e6:.2f}"]
    return line([*cells, f"{100 * saved / wire:.2f} %"])


def line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def is_sound(name: str, found: Comparison) -> bool:
    """Whether the promise was kept."""
    unreported = found.peers.unreported if name == "churn" else 0
    return 0.97 * found.spared - unreported <= found.saved <= min(found.spared, found.spared_wire)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.savings", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of each scene")
    parser.add_argument("--scenes", default=",".join(SCENES), help="which, with commas")
    options = parser.parse_args()
    sound = True
    with tempfile.TemporaryDirectory() as name:
        content = Path(name) / "content"
        synthesise(content / "film", seconds=SECONDS, renditions=TINY)
        for words in (HEAD, ["---"] * len(HEAD)):
            sys.stdout.write(f"{line(words)}\n")
        for number in range(options.rounds):
            for scene in options.scenes.split(","):
                directory = Path(name) / f"{scene}-{number}"
                kind, found = asyncio.run(compare(scene, content, directory))
                sound &= is_sound(scene, found)
                sys.stdout.write(f"{row(scene, kind, found)}\n")
                sys.stdout.flush()
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
