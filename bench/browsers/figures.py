"""From what was observed to what is reported. Pure.

Terms, the same for all contestants:

=============  ====================================================================================
origin bytes   all that the origin's port sent to browsers: media, playlists, manifests, snippet,
               signalling, heads of answers
content        the media that was played: every segment that a player was given, once each
watched        the same, once for each player that was given it
copies         origin bytes / content
offload        1 - origin bytes / watched
beyond one     what the origin's port sent of media that it had sent before, by what made a viewer
               ask for it: a rule of ours, or the player by itself
waste          bytes that a viewer received and its player was not given (as the contestant counts
               them) / watched
largest share  of all that viewers uploaded, what the one did who gave most
=============  ====================================================================================
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from statistics import median
from typing import Any, NamedTuple

from bench.browsers.proxy import Fetch

KINDS = {
    "/media/": "media", "/manifest/": "manifests", "/tracker/": "signalling", "/p2pcdn": "snippet",
}  # fmt: skip


def kind_of(path: str) -> str:
    """What a path of the origin is for."""
    if path.partition("?")[0].endswith(".m3u8") and path.startswith("/media/"):
        return "playlists"
    return next((kind for prefix, kind in KINDS.items() if path.startswith(prefix)), "other")


def by_kind(fetches: Iterable[Fetch]) -> dict[str, int]:
    """The origin's bytes, by what they were for."""
    kinds: Counter[str] = Counter()
    for fetch in fetches:
        kinds[kind_of(fetch.path)] += fetch.bytes
    return dict(sorted(kinds.items()))


PLAYER = "player"
"""What is asked for by none of our rules, the player itself has asked for."""


def beyond_one(
    fetches: Iterable[Fetch], viewers: Sequence[dict[str, Any]], size: Callable[[str], int]
) -> dict[str, int]:
    """Bytes of media beyond the first copy of each, by the rule by which a viewer asked."""
    rules = {
        (viewer["viewer"], ask["sequence"], *ask["span"]): ask["rule"]
        for viewer in viewers
        for ask in viewer.get("asked", ())
    }
    sent: dict[str, bytearray] = {}
    beyond: Counter[str] = Counter()
    for fetch in sorted(fetches, key=lambda fetch: fetch.began):
        if kind_of(fetch.path) != "media":
            continue
        path = fetch.path.partition("?")[0]
        seen = sent.setdefault(path, bytearray(size(path)))
        first, last = fetch.span or (0, len(seen) - 1)
        there = slice(first, min(last + 1, first + fetch.bytes))
        sequence = int(PurePosixPath(path).stem.rpartition("-")[2])
        rule = rules.get((fetch.viewer, sequence, first, last), PLAYER)
        beyond[rule] += seen[there].count(1)
        seen[there] = bytes([1]) * len(seen[there])
    return {rule: count for rule, count in sorted(beyond.items()) if count}


def of_run(
    fetches: Sequence[Fetch], viewers: Sequence[dict[str, Any]], size: Callable[[str], int]
) -> dict[str, Any]:
    """The figures of a scene that was played once; ``size`` tells a segment's bytes by its path."""
    origin = sum(fetch.bytes for fetch in fetches)
    given = [set(viewer["loaded"]) for viewer in viewers]
    content = sum(map(size, set().union(*given)))
    watched = sum(size(path) for paths in given for path in paths)
    uploads = [viewer["uploadedBytes"] for viewer in viewers]
    return {
        "origin": origin,
        "kinds": by_kind(fetches),
        "beyond": beyond_one(fetches, viewers, size),
        "content": content,
        "watched": watched,
        "copies": _ratio(origin, content),
        "offload": 1 - _ratio(origin, watched),
        "stalls": sum(viewer["stalls"] for viewer in viewers),
        "stalled_ms": sum(viewer["stalledMs"] for viewer in viewers),
        "startup_ms": _median([viewer["startupMs"] for viewer in viewers]),
        "longest_wait_ms": max(viewer["longestWaitMs"] for viewer in viewers),
        "latency": _median([viewer["latency"] for viewer in viewers]),
        "largest_share": _ratio(max(uploads), sum(uploads)),
        "waste": _ratio(sum(viewer["wasteBytes"] for viewer in viewers), watched),
        "failed": sum(viewer["startupMs"] is None for viewer in viewers),
        "played": min(viewer["played"] for viewer in viewers),
        "errors": sum(len(viewer["errors"]) for viewer in viewers),
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


class Spread(NamedTuple):
    """Several rounds of one figure."""

    middle: float
    least: float
    most: float


def spread(values: Iterable[float | None]) -> Spread | None:
    """The median and the extremes; nothing if there is no value."""
    known = [value for value in values if value is not None]
    return Spread(median(known), min(known), max(known)) if known else None


class Ratio(NamedTuple):
    """How one contestant compares with another, pair by pair."""

    middle: float
    upper: float
    """With 90 % confidence the true median is below it."""
    pairs: int


RESAMPLES = 10_000


def paired_ratio(pairs: Sequence[tuple[float, float]]) -> Ratio:
    """The median of the ratios first / second, and its upper 90 % bound by bootstrap."""
    ratios = [first / second for first, second in pairs]
    rng = random.Random(1)
    medians = sorted(median(rng.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return Ratio(median(ratios), medians[RESAMPLES * 9 // 10], len(ratios))
