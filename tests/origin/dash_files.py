"""DASH presentations as ffmpeg's muxer makes them, in each of the ways that it knows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

MUXINGS = {
    "template and timeline": {"use_template": "1", "use_timeline": "1"},
    "template and duration": {"use_template": "1", "use_timeline": "0"},
    "list of files": {"use_template": "0", "use_timeline": "0"},
    "list of ranges": {"single_file": "1"},
}
SECONDS = 4
WIDTHS = (64, 96)


def make(folder: Path, muxing: str) -> Path:
    """Two video representations of some seconds, one second a segment; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "show.mpd"
    options = {"seg_duration": "1", **MUXINGS[muxing]}
    _encode(manifest, "dash", options, WIDTHS)
    return manifest


def make_indexed(folder: Path) -> Path:
    """One representation in a file with a segment index; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    _encode(
        folder / "video.mp4", "mp4", {"movflags": "+frag_keyframe+global_sidx+empty_moov"}, (64,)
    )
    index = next(box for box in boxes((folder / "video.mp4").read_bytes()) if box.kind == b"sidx")
    manifest = folder / "show.mpd"
    manifest.write_text(
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        f' mediaPresentationDuration="PT{SECONDS}S"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="v" bandwidth="100000"><BaseURL>video.mp4</BaseURL>'
        f'<SegmentBase indexRange="{index.start}-{index.end - 1}">'
        f'<Initialization range="0-{index.start - 1}"/></SegmentBase></Representation>'
        "</AdaptationSet></Period></MPD>"
    )
    return manifest


class Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def boxes(data: bytes) -> Iterator[Box]:
    """The outermost boxes of an MP4 file."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield Box(kind, at, at + size)
        at += size


def _encode(path: Path, muxer: str, options: dict[str, str], widths: tuple[int, ...]) -> None:
    with av.open(str(path), "w", format=muxer, options=options) as container:
        streams = []
        for width in widths:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, 48, "yuv420p"
            stream.codec_context.thread_count = 1
            stream.options = {
                "preset": "ultrafast",
                "x264-params": "keyint=25:min-keyint=25:scenecut=0:bframes=0",
            }
            streams.append(stream)
        for number in range(SECONDS * 25):
            for stream in streams:
                frame = av.VideoFrame(stream.width, 48, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes([(number * 7 + plane.width) % 256]) * plane.buffer_size)
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
