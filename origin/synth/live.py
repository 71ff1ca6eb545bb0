"""A live channel out of a presentation that is there already: it costs no encoding.

A channel never begins and never ends: what is on depends on the clock alone. Segment number *n*
covers the seconds from n x d to (n + 1) x d since 1970 (d is the length of a segment) and appears
when these are over; it is number *n* modulo *count* of the presentation, so the presentation
repeats, with a discontinuity at each beginning::

    number          ... 41       42       43       44 ...       of a presentation of 3
    shows               2        0        1        2
    the playlist                 ^ EXT-X-DISCONTINUITY

A feed that is stopped and started again hence goes on with the right numbers, and never says
something else about a number that viewers have seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import m3u8

from origin.synth.presentation import SynthesisError, read_segments, require_own

DAY = 86_400
"""Seconds. Discontinuities are counted from the beginning of the day (UTC) on which a feed began,
not from 1970: at each update of a playlist hls.js counts up to its discontinuity sequence, and
needs seconds where that is in the millions."""

WINDOW = 10
"""Segments in the playlist: 20 s. Players begin three from its end (RFC 8216, 6.3.3), and may fall
behind on a busy machine."""

KEPT_WINDOWS = 3
"""How many times that stay on disk. A segment that has left the playlist is still asked for by
viewers that read it there (RFC 8216, 6.2.2)."""

MARK = ".live"
"""Says that a directory is a feed's own."""


@dataclass(frozen=True)
class _Channel:
    """One rendition of the presentation that is sent."""

    name: str
    """Of its playlist."""
    segments: tuple[Path, ...]
    duration: float

    def file(self, number: int | str) -> str:
        """The file name of a segment."""
        return f"{Path(self.name).stem}-{number}.ts"


class LiveFeed:
    """Keeps a live presentation in a directory up to date while its context is open."""

    def __init__(
        self,
        source: Path,
        directory: Path,
        *,
        window: int = WINDOW,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``source`` is the multivariant playlist that `synthesise` returned; all its segments
        have the same length. ``directory`` is the feed's own. ``clock`` tells seconds since 1970.
        """
        self._source, self._directory = source, directory
        self._window = window
        self._clock = clock
        self._channels = _read_channels(source)
        self._duration = self._channels[0].duration
        self._midnight = self._last_midnight()
        self._news = asyncio.Condition()
        self._last = -1
        self._over = False
        self._task: asyncio.Task[None] | None = None
        self.playlist = directory / source.name
        """The live presentation's multivariant playlist."""

    @property
    def last(self) -> int:
        """The number of the newest segment that is published."""
        return self._last

    async def published(self, newer_than: int) -> int:
        """Wait for a newer segment and return its number; raises what ended the feed, if it did."""
        assert self._task is not None, "the feed is not running"
        async with self._news:
            await self._news.wait_for(lambda: self._last > newer_than or self._over)
        if self._last <= newer_than:
            await self._task
        return self._last

    @property
    def newest(self) -> int:
        """The number of the newest segment that is complete now."""
        return int(self._clock() // self._duration) - 1

    def _last_midnight(self) -> int:
        """The segment with which the day began, or the day before if the window is that old."""
        oldest = self._clock() - (self._window + 1) * self._duration
        return int(oldest // DAY * DAY // self._duration)

    def publish(self, newest: int) -> None:
        """Bring all renditions up to segment ``newest``: first its media, then the playlist."""
        for channel in self._channels:
            for number in range(newest - self._window + 1, newest + 1):
                path = self._directory / channel.file(number)
                if not path.exists():
                    _link(channel.segments[number % len(channel.segments)], path)
            _replace(self._directory / channel.name, self._render(channel, newest))
            self._sweep(channel, newest - KEPT_WINDOWS * self._window)
        self._last = newest

    def _sweep(self, channel: _Channel, last: int) -> None:
        """Remove the segments up to number ``last``."""
        for path in self._directory.glob(channel.file("*")):
            if int(path.stem.rpartition("-")[2]) <= last:
                path.unlink()

    def _render(self, channel: _Channel, newest: int) -> str:
        """The media playlist whose last segment is ``newest``."""
        first, count = newest - self._window + 1, len(channel.segments)
        # RFC 8216, 4.3.3.3: how many discontinuities have left the playlist; a tag on its first
        # segment is still there.
        left = (first - 1) // count - (self._midnight - 1) // count
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:6",
            f"#EXT-X-TARGETDURATION:{round(channel.duration)}",
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{left}",
            "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        for number in range(first, newest + 1):
            begin = datetime.fromtimestamp(number * channel.duration, UTC)
            if number % count == 0:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += [
                f"#EXT-X-PROGRAM-DATE-TIME:{begin.isoformat(timespec='milliseconds')}",
                f"#EXTINF:{channel.duration:.6f},",
                channel.file(number),
            ]
        return "\n".join(lines) + "\n"

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._begin, self.newest)
        self._task = asyncio.create_task(self._run(), name="live feed")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def _begin(self, newest: int) -> None:
        require_own(self._directory, MARK)
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        (self._directory / MARK).touch()
        self.publish(newest)
        _replace(self.playlist, self._source.read_text())

    async def _run(self) -> None:
        try:
            while True:
                # Segment n is over when n + 1 begins.
                await asyncio.sleep(max(0.0, (self._last + 2) * self._duration - self._clock()))
                # A machine that slept goes on from now.
                await self._announce(max(self._last + 1, self.newest))
        finally:
            self._over = True
            async with self._news:
                self._news.notify_all()

    async def _announce(self, newest: int) -> None:
        await asyncio.to_thread(self.publish, newest)
        async with self._news:
            self._news.notify_all()


def _read_channels(source: Path) -> list[_Channel]:
    channels = []
    for variant in m3u8.loads(source.read_text()).playlists:
        name = str(variant.uri)
        paths, durations = zip(*read_segments(source.parent / name), strict=True)
        if len(set(durations)) != 1:
            raise SynthesisError(f"The segments of {name} are not all of the same length.")
        channels.append(_Channel(name, paths, durations[0]))
    return channels


def _link(source: Path, path: Path) -> None:
    """The same bytes under a second name, without a copy where the file system can do that."""
    try:
        os.link(source, path)
    except OSError:
        draft = path.with_name(f".{path.name}")
        shutil.copyfile(source, draft)
        draft.replace(path)


def _replace(path: Path, text: str) -> None:
    """Write a file so that no reader sees half of it."""
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    draft.replace(path)
