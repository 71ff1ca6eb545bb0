"""Start-up in pairs: a fresh viewer of each contestant right after the other, many times over.

Two scenes: a viewer who is alone, and one who joins another of the same kind. Within a pair the
order is drawn, so that none is always first. What is compared is the ratio within a pair: what
slows the machine slows both.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any

from bench.browsers.contestants import PLAIN, Contestant
from bench.browsers.figures import Ratio, paired_ratio
from bench.browsers.film import Film
from bench.browsers.scenes import stand, start
from bench.browsers.viewer import chromium

KINDS = {"alone": False, "joining": True}
TITLES = {"alone": "start-up, a viewer alone", "joining": "start-up, joining another viewer"}

Sample = dict[str, Any]


async def measure(
    contestants: Sequence[Contestant],
    pairs: int,
    film: Film,
    site: int,
    keep: Callable[[Sample], None],
) -> None:
    """Open all the viewers, and ``keep`` a sample of each."""
    rng = random.Random(1)
    async with contextlib.AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium())
        stands = {
            each: await stack.enter_async_context(stand(film.directory, "film/index.m3u8", site))
            for each in contestants
        }
        for each in contestants:  # the browser's first page, decoder and connection
            await start(browser, stands[each].address, each, joining=False)
        for pair in range(pairs):
            for kind, joining in KINDS.items():
                for each in rng.sample(contestants, len(contestants)):
                    outcome = await start(browser, stands[each].address, each, joining=joining)
                    keep({"pair": pair, "kind": kind, "who": each.name, **outcome})


def ratios(samples: Sequence[Sample], kind: str, measured: str = "startupMs") -> dict[str, Ratio]:
    """Each contestant's start-up over that of plain hls.js."""
    times = {
        (each["pair"], each["who"]): each[measured]
        for each in samples
        if each["kind"] == kind and each[measured] is not None
    }
    found = {}
    for who in dict.fromkeys(who for _, who in times if who != PLAIN.name):
        pairs = [
            (time, times[pair, PLAIN.name])
            for (pair, whose), time in times.items()
            if whose == who and (pair, PLAIN.name) in times
        ]
        if pairs:
            found[who] = paired_ratio(pairs)
    return found
