"""Puts renditions together into a presentation, once: what is there already is kept.

A presentation is made in a directory beside its place and then moved there in one step, so whoever
finds it finds it whole. A lock keeps a second process waiting that wants the same one; what a
killed process left behind is swept away by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import m3u8

from origin.synth.encode import FRAMES_PER_SECOND, SEGMENT_SECONDS, Encoder, Rendition
from origin.synth.tone import Tone

PLAYLIST = "index.m3u8"
"""The multivariant playlist."""

RECIPE = ".recipe.json"
"""What a directory was made from; another recipe makes it anew."""

RECIPE_VERSION = 1
"""To be raised when the same arguments shall give another picture."""

Progress = Callable[[float], None]
"""Called with the share that is done, 0 to 1, now and then, from any thread."""


class SynthesisError(Exception):
    """What was asked for cannot be made. One sentence that says why."""


class _StopError(Exception):
    """Another rendition failed, or the caller was interrupted."""


def build(
    directory: Path, seconds: float, renditions: Sequence[Rendition], progress: Progress | None
) -> Path:
    """See `origin.synth.synthesise`."""
    whole = max(1, -(-int(seconds * 1000) // (SEGMENT_SECONDS * 1000))) * SEGMENT_SECONDS
    recipe = _recipe(whole, renditions)
    if _is_made(directory, recipe):
        return directory / PLAYLIST
    _require_encoders()
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locked(directory.with_name(f".{directory.name}.lock")):
        if not _is_made(directory, recipe):
            require_own(directory, RECIPE)
            _make(directory, whole, renditions, recipe, progress or (lambda _: None))
    return directory / PLAYLIST


def _recipe(seconds: int, renditions: Sequence[Rendition]) -> str:
    return json.dumps(
        {
            "version": RECIPE_VERSION,
            "seconds": seconds,
            "renditions": [asdict(rendition) for rendition in renditions],
        }
    )


def _is_made(directory: Path, recipe: str) -> bool:
    try:
        return (directory / RECIPE).read_text() == recipe
    except OSError:
        return False


def require_own(directory: Path, mark: str) -> None:
    """Refuse to replace a directory with anything in it, unless it holds our mark."""
    if directory.exists() and not (directory / mark).exists() and any(directory.iterdir()):
        raise SynthesisError(
            f"{directory} is not empty and was not made by p2pcdn; name a new directory."
        )


def _require_encoders() -> None:
    try:
        import av
    except ImportError as error:
        raise SynthesisError(
            f"To make a video takes PyAV, which cannot be imported ({error}): `pip install av`; "
            "of the container images, the full one has it."
        ) from error
    missing = {"libx264", "aac"} - av.codecs_available
    if missing:
        raise SynthesisError(
            f"This build of PyAV has no {' and no '.join(sorted(missing))} encoder;"
            " install PyAV's own wheel (pip install --force-reinstall av)."
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _make(
    directory: Path,
    seconds: int,
    renditions: Sequence[Rendition],
    recipe: str,
    progress: Progress,
) -> None:
    draft = directory.with_name(f".{directory.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        tone = Tone()
        encoders = [Encoder(rendition, tone, draft, seconds) for rendition in renditions]
        _run(encoders, _Meter(seconds * FRAMES_PER_SECOND * len(encoders), progress))
        (draft / PLAYLIST).write_text(_multivariant(draft, renditions, encoders))
        (draft / RECIPE).write_text(recipe)
        shutil.rmtree(directory, ignore_errors=True)
        draft.replace(directory)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _Meter:
    """Counts the frames that all renditions have got through; tells them when to stop."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._done = total, 0
        self._progress = progress
        self._lock = threading.Lock()
        self.stopped = False

    def tick(self) -> None:
        if self.stopped:
            raise _StopError
        with self._lock:
            if self._done % FRAMES_PER_SECOND == 0:
                self._progress(self._done / self._total)
            self._done += 1

    def finish(self) -> None:
        self._progress(1.0)


def _run(encoders: list[Encoder], meter: _Meter) -> None:
    """A thread for each rendition: libav works without Python's lock."""
    with ThreadPoolExecutor(len(encoders), thread_name_prefix="synth") as pool:
        runs = [pool.submit(encoder.run, meter.tick) for encoder in encoders]
        try:
            for run in as_completed(runs):
                run.result()
        except BaseException:  # an interrupt too must not leave the threads at work
            meter.stopped = True
            raise
    meter.finish()


def _multivariant(
    directory: Path, renditions: Sequence[Rendition], encoders: Sequence[Encoder]
) -> str:
    lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    for rendition, encoder in zip(renditions, encoders, strict=True):
        playlist = f"{rendition.name}.m3u8"
        peak, average = _bandwidth(directory / playlist)
        attributes = (
            f"BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},"
            f'CODECS="{encoder.codecs}",RESOLUTION={rendition.width}x{rendition.height},'
            f"FRAME-RATE={FRAMES_PER_SECOND:.3f}"
        )
        lines += [f"#EXT-X-STREAM-INF:{attributes}", playlist]
    return "\n".join(lines) + "\n"


def _bandwidth(playlist: Path) -> tuple[int, int]:
    """The peak and the average bit rate of the segments (RFC 8216, 4.3.4.2)."""
    segments = read_segments(playlist)
    bits = [8 * path.stat().st_size for path, _ in segments]
    times = [duration for _, duration in segments]
    peak = max(bit / time for bit, time in zip(bits, times, strict=True))
    return round(peak), round(sum(bits) / sum(times))


def read_segments(playlist: Path) -> list[tuple[Path, float]]:
    """The files of a media playlist, and how long each plays, in seconds."""
    segments = m3u8.loads(playlist.read_text()).segments
    return [(playlist.parent / str(each.uri), float(each.duration or 0)) for each in segments]
