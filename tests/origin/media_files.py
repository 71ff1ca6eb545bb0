"""Content for tests: segments of random bytes and playlists written by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from origin.sources import Identity

SEGMENT = 150_000
"""Two chunks and a short one."""


def noise(size: int, seed: object = 0) -> bytes:
    """The same bytes for the same seed."""
    return random.Random(str(seed)).randbytes(size)


def write(path: Path, data: bytes | str) -> bytes:
    """Write a file at once, as encoders do it: nobody sees half of it."""
    data = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
    return data


def media_playlist(
    names: Iterable[str], *, first: int = 0, live: bool = False, target: float = 2
) -> str:
    """A media playlist of whole files, 2 s each."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{target}"]
    lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
    lines += [f"#EXTINF:2.000,\n{name}" for name in names]
    return "\n".join([*lines, *([] if live else ["#EXT-X-ENDLIST"])]) + "\n"


def multivariant_playlist(names: Iterable[str]) -> str:
    """A multivariant playlist of these media playlists."""
    lines = ["#EXTM3U"]
    for number, name in enumerate(names, 1):
        lines.append(f"#EXT-X-STREAM-INF:BANDWIDTH={number}00000\n{name}")
    return "\n".join(lines) + "\n"


def write_vod(folder: Path, name: str = "480p", segments: int = 3) -> list[bytes]:
    """A finished rendition; returns its segments."""
    data = [
        write(folder / f"{name}_{n}.ts", noise(SEGMENT + n, (name, n))) for n in range(segments)
    ]
    write(folder / f"{name}.m3u8", media_playlist(f"{name}_{n}.ts" for n in range(segments)))
    return data


def identity_of(path: Path) -> Identity:
    """As the directory source has it."""
    status = path.stat()
    return Identity(status.st_size, status.st_mtime_ns, status.st_ino)
