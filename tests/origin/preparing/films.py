"""Tiny films, made by PyAV, and what is in a film."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av

RATE = 25
SOUND = 48_000


class Seen(NamedTuple):
    """A packet as it stands in a file."""

    data: bytes
    shown: Fraction
    decoded: Fraction
    key: bool


def film(
    path: Path,
    *,
    seconds: float = 4,
    size: tuple[int, int] = (64, 36),
    key_every: int = 25,
    reorder: int = 0,
    video: str | None = "libx264",
    audio: str | None = "aac",
    tracks: int = 1,
    times: Iterable[int] | None = None,
    time_base: Fraction = Fraction(1, RATE),
    rotation: int = 0,
    audio_seconds: float | None = None,
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
) -> Path:
    """A film of a picture that becomes brighter, and silence. ``times`` are those of its frames, in
    ``time_base``."""
    moments = list(times if times is not None else range(round(seconds * RATE)))
    with av.open(str(path), "w", options=options or {}) as container:
        picture: Any = None
        if video is not None:
            picture = container.add_stream(video, rate=RATE, width=size[0], height=size[1])
            picture.pix_fmt = pixels
            picture.codec_context.time_base = time_base
            picture.codec_context.gop_size = key_every
            if video == "libx264":
                picture.options = {
                    "preset": "ultrafast",
                    "x264-params": f"keyint={key_every}:min-keyint={key_every}:scenecut=0"
                    f":bframes={reorder}",
                }
            if rotation:
                picture.set_display_rotation(rotation)
        sounds: list[Any] = []
        for number in range(tracks if audio is not None else 0):
            sound: Any = container.add_stream(str(audio), rate=SOUND)
            sound.layout = "stereo"
            sound.metadata["language"] = ("eng", "deu", "fra")[number % 3]
            sounds.append(sound)
        if picture is not None:
            for number, moment in enumerate(moments):
                frame = av.VideoFrame(*size, pixels)
                for plane in frame.planes:
                    plane.update(bytes([number * 3 % 256]) * plane.buffer_size)
                frame.pts, frame.time_base = moment, time_base
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        long = audio_seconds if audio_seconds is not None else seconds
        for sound in sounds:
            for at in range(0, round(long * SOUND), 1024):
                container.mux(sound.encode(_silence(at, sound.format.name)))
            container.mux(sound.encode(None))
    return path


def _silence(at: int, kind: str) -> av.AudioFrame:
    frame = av.AudioFrame(kind, "stereo", 1024)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate, frame.pts, frame.time_base = SOUND, at, Fraction(1, SOUND)
    return frame


def _open(file: Path | io.BytesIO) -> av.container.InputContainer:
    if isinstance(file, Path):
        return av.open(str(file), "r")
    file.seek(0)
    return av.open(file, "r")


def packets(file: Path | io.BytesIO, kind: str, track: int = 0) -> list[Seen]:
    """The packets of a track."""
    with _open(file) as container:
        stream = [each for each in container.streams if each.type == kind][track]
        found: list[Seen] = []
        for packet in container.demux(stream):
            if packet.size:
                base = packet.time_base
                shown = packet.pts * base if packet.pts is not None else Fraction(-1)
                decoded = packet.dts * base if packet.dts is not None else Fraction(-1)
                found.append(Seen(bytes(packet), shown, decoded, packet.is_keyframe))
        return found


def frames(file: Path | io.BytesIO, kind: str = "video") -> list[Any]:
    """The frames of a track, decoded."""
    with _open(file) as container:
        return [*container.decode(**{kind: 0})]


def segment(folder: Path, number: int, rendition: str = "36p") -> Path:
    """The file of a segment."""
    (path,) = folder.glob(f"{rendition}-{number:05}-*.m4s")
    return path


def joined(folder: Path, rendition: str, numbers: Sequence[int] | None = None) -> io.BytesIO:
    """A rendition's segments, or some of them, behind its initialisation section."""
    names = sorted(folder.glob(f"{rendition}-0*.m4s"))
    chosen = names if numbers is None else [names[number] for number in numbers]
    (init,) = folder.glob(f"{rendition}-init-*.mp4")
    return io.BytesIO(init.read_bytes() + b"".join(path.read_bytes() for path in chosen))
