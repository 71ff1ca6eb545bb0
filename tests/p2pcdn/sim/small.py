"""Small worlds for tests: a scene of a few viewers, changed as a test needs it."""

from __future__ import annotations

import io

from p2pcdn.sim.scene import load
from p2pcdn.sim.world import World

MEDIA = {"media.bitrate": "1"}
"""Eight chunks a segment are enough to see everything, and soon done with."""
LIVE = MEDIA | {
    "viewers": "6", "seconds": "30", "warmup": "10", "tail": "8", "lines.uplink": "2"
}  # fmt: skip
VOD = MEDIA | {"viewers": "4", "seconds": "50", "media.length": "40", "arrivals.over": "2"}


def live(
    trace: io.StringIO | None = None,
    changes: dict[str, str] | None = None,
    *,
    plain: bool = False,
    **more: str,
) -> World:
    """A live scene. Changes may be keywords, where two underscores stand for a key's dot."""
    return _world("live-steady", LIVE | (changes or {}) | _dotted(more), trace, plain)


def vod(
    trace: io.StringIO | None = None,
    changes: dict[str, str] | None = None,
    *,
    plain: bool = False,
    **more: str,
) -> World:
    """A VOD scene to which everybody comes at once."""
    return _world("flash-crowd", VOD | (changes or {}) | _dotted(more), trace, plain)


def _dotted(more: dict[str, str]) -> dict[str, str]:
    return {key.replace("__", "."): value for key, value in more.items()}


def _world(name: str, keys: dict[str, str], trace: io.StringIO | None, plain: bool) -> World:
    return World(load(name, keys), 1, plain=plain, trace=trace)


def lines(trace: io.StringIO, what: str) -> list[list[str]]:
    """The lines of a trace that say that this happened."""
    rows = (line.split("\t") for line in trace.getvalue().splitlines())
    return [row for row in rows if row[1] == what]
