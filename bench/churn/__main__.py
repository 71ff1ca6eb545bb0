"""Native peers are killed while others watch: ``python -m bench.churn``.

Twenty native peers and four viewers are in one swarm; five of the peers are killed (``kill -9``)
and started again in turn, for two minutes. Beside them one more watches without the snippet. What
is looked at is in `tests/e2e/churn.py`; it fails where a file is not the film's, a viewer waits
more often than the plain one, or what a process takes does not level out.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from origin.synth import synthesise
from tests.e2e.browser import FLAGS, UNTHROTTLED, find_chromium
from tests.e2e.churn import SMALL, Outcome, Scene, play
from tests.e2e.servers import p2pcdn, site
from tests.e2e.viewer import Stage

AHEAD = 60
"""Seconds by which the film is longer than what is looked at: until all have come."""
LOOKS = 4
"""At the end of each quarter."""

HEAD = (
    "after, s", "server, MB", "descriptors", "a peer that is not killed, MB", "descriptors",
)  # fmt: skip


async def measure(scene: Scene, directory: Path) -> Outcome:
    made = await asyncio.to_thread(
        synthesise, directory / "made", seconds=scene.seconds + AHEAD, renditions=SMALL
    )
    film = directory / "content" / "film"
    await asyncio.to_thread(shutil.copytree, made.parent, film)
    arguments = ("--content", str(film.parent), "--data", str(directory / "data"))
    async with (
        async_playwright() as playwright,
        site() as pages,
        p2pcdn("serve", *arguments, "--set", "tracker.report_every=1") as server,
    ):
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=[*FLAGS, *UNTHROTTLED]
        )
        try:
            stage = Stage(browser, pages, server.url, f"{server.url}/media/film/index.m3u8")
            return await play(scene, stage, server, film, directory / "stores")
        finally:
            await browser.close()


def table(scene: Scene, found: Outcome) -> str:
    """What the processes took."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for look in range(LOOKS + 1):
        at = scene.seconds * look / LOOKS
        cells = [f"{at:.0f}"]
        for use in found.by(at):
            cells += [f"{use.memory / 1e6:.1f}", f"{use.descriptors}"]
        rows.append(tuple(cells))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def text(found: Outcome) -> str:
    """The rest."""
    *stalls, plain_stalls = found.stalls
    *waits, plain_waits = found.waits
    return (
        f"{found.kills} kills. The origin sent {found.copies:.2f} copies, {found.plain_copies:.2f} "
        f"of them to the plain viewer.\nViewers waited for media {waits} times, the plain one "
        f"{plain_waits}; their picture stood {stalls} times, that of the plain one {plain_stalls}."
        "\n"
        f"{found.compared} segments of viewers were the film's, and all of each peer's.\n"
        f"{'; '.join(found.faults) or 'Nothing is wrong.'}"
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.churn", description=__doc__)
    parser.add_argument("--natives", type=int, default=20)
    parser.add_argument("--viewers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--every", type=float, default=6, help="seconds between two kills")
    options = parser.parse_args()
    scene = Scene(options.natives, options.viewers, seconds=options.seconds, every=options.every)
    with tempfile.TemporaryDirectory() as name:
        found = asyncio.run(measure(scene, Path(name)))
    sys.stdout.write(f"{table(scene, found)}\n\n{text(found)}\n")
    return 1 if found.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
