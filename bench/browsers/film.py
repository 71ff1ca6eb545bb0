"""What is watched: a film of 480p at 2 Mbit/s, and a live channel cut from it."""

from __future__ import annotations

import time
from pathlib import Path

from origin.synth import SEGMENT_SECONDS, LiveFeed, Rendition, synthesise

SECONDS = 90
RENDITION = Rendition("480p", 854, 480, 2_000_000)

OPENING = 11
"""The segment of the film that a live scene begins with: its playlist of ten segments and a minute
more lie within the film, so that no scene meets the film's end and all show the same."""


class Film:
    """The segments of the film, and how large they are."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        synthesise(directory / "film", seconds=SECONDS, renditions=(RENDITION,))
        paths = sorted((directory / "film").glob(f"{RENDITION.name}-*.ts"))
        self._sizes = [path.stat().st_size for path in paths]

    @property
    def bits_per_second(self) -> float:
        """What the encoder made of the rate it was asked for."""
        return 8 * sum(self._sizes) / SECONDS

    def size(self, path: str) -> int:
        """The bytes of the segment at a path, of the film or of the channel.

        The channel's segment *n* is number *n* modulo their count of the film.
        """
        return self._sizes[int(Path(path).stem.rpartition("-")[2]) % len(self._sizes)]

    def channel(self, directory: Path) -> LiveFeed:
        """A live channel that begins at `OPENING`."""
        now = time.time()
        shift = OPENING * SEGMENT_SECONDS - now % SECONDS
        return LiveFeed(
            self.directory / "film" / "index.m3u8", directory, clock=lambda: time.time() + shift
        )
