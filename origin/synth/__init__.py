"""Makes HLS presentations out of nothing: for the demo, the tests and benchmarks.

::

    from origin.synth import LiveFeed, TINY, synthesise

    playlist = synthesise(content / "demo", seconds=60)               # 360p and 720p
    playlist = synthesise(content / "film", seconds=20, renditions=TINY)   # one of 320x180

    async with LiveFeed(playlist, content / "live") as feed:          # grows in real time
        ...  feed.playlist

and from a shell ``python -m origin.synth vod DIR [--seconds 60] [--tiny]`` and
``python -m origin.synth live DIR``.

PyAV (which aiortc brings) has libx264, AAC and an HLS muxer, so neither ffmpeg nor a download is
needed. The picture is drawn by us: see `origin.synth.picture`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from origin.synth.encode import SEGMENT_SECONDS, Rendition
from origin.synth.live import LiveFeed
from origin.synth.presentation import Progress, SynthesisError, build

__all__ = [
    "DEMO",
    "SEGMENT_SECONDS",
    "TINY",
    "LiveFeed",
    "Progress",
    "Rendition",
    "SynthesisError",
    "synthesise",
]

DEMO = (
    Rendition("360p", 640, 360, 450_000),
    Rendition("720p", 1280, 720, 1_500_000),
)
"""What the demo shows."""

TINY = (Rendition("180p", 320, 180, 200_000, segment_bytes=500_000),)
"""Encoded in no time, with segments as large as those of a 480p stream (2 Mbit/s): for tests."""


def synthesise(
    directory: Path,
    *,
    seconds: float,
    renditions: Sequence[Rendition] = DEMO,
    progress: Progress | None = None,
) -> Path:
    """Make a presentation in ``directory``, and return the path of its multivariant playlist.

    ``seconds`` is rounded up to whole segments of `SEGMENT_SECONDS`. The renditions'
    playlists are ``NAME.m3u8`` beside it. The directory is this function's own: it is kept when
    it was made from the same arguments, and replaced otherwise; it appears at once and whole. It
    blocks (some ten seconds for a minute of `DEMO` on two cores): where there is a loop, call it
    in a thread.

    Raises `SynthesisError` where PyAV was built without the encoders.
    """
    return build(directory, seconds, renditions, progress)
