"""A film with all that HLS has: two qualities, two audio groups, subtitles, keys, byte ranges."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SECONDS = 40
SEGMENT = 2
KEY = bytes(range(16))
FRAMES, RATE = 25, 48_000
NOISE = random.Random(1).randbytes(400_000)

OPTIONS = {"movflags": "+empty_moov+default_base_moof", "frag_duration": str(SEGMENT * 1_000_000)}


class Film(NamedTuple):
    """What was made."""

    playlist: str
    digests: dict[str, set[str]]
    """By file, of each segment as it is on the way: encrypted."""


def make(folder: Path) -> Film:
    """Write it into a new folder."""
    folder.mkdir(parents=True)
    (folder / "key.bin").write_bytes(KEY)
    digests = {}
    codecs = {}
    for name, width, bitrate in (("lo", 160, 300_000), ("hi", 320, 700_000)):
        data = _video(folder / "draft.mp4", width, bitrate)
        digests[f"video-{name}.mp4"] = _write(folder, f"video-{name}", data)
        at = data.index(b"avcC") + 5
        codecs[name] = f"avc1.{data[at : at + 3].hex()},mp4a.40.2"
        data = _audio(folder / "draft.mp4", bitrate // 5)
        digests[f"audio-{name}.mp4"] = _write(folder, f"audio-{name}", data)
    (folder / "draft.mp4").unlink()
    _write_subtitles(folder)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    lines += [
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="{name}",NAME="English",LANGUAGE="en",DEFAULT=YES,'
        f'AUTOSELECT=YES,CHANNELS="1",URI="audio-{name}.m3u8"'
        for name in ("lo", "hi")
    ]
    lines.append(
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",DEFAULT=YES,'
        'AUTOSELECT=YES,URI="text.m3u8"'
    )
    for name, bandwidth, size in (("lo", 500_000, "160x90"), ("hi", 1_200_000, "320x180")):
        lines += [
            f'#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={size},CODECS="{codecs[name]}",'
            f'AUDIO="{name}",SUBTITLES="text"',
            f"video-{name}.m3u8",
        ]
    (folder / "index.m3u8").write_text("\n".join([*lines, ""]))
    return Film("index.m3u8", digests)


def _video(path: Path, width: int, bitrate: int) -> bytes:
    with av.open(str(path), "w", format="mp4", options=OPTIONS) as container:
        stream = container.add_stream("libx264", rate=FRAMES)
        stream.width, stream.height, stream.pix_fmt = width, width * 9 // 16, "yuv420p"
        stream.bit_rate = bitrate
        keys = FRAMES * SEGMENT
        stream.options = {
            "preset": "ultrafast",
            "x264-params": f"keyint={keys}:min-keyint={keys}:scenecut=0:bframes=0",
        }
        for number in range(SECONDS * FRAMES):
            frame = av.VideoFrame(stream.width, stream.height, "yuv420p")
            for plane in frame.planes:
                begin = number * 640 % 200_000
                plane.update(NOISE[begin : begin + plane.buffer_size])
            frame.pts, frame.time_base = number, Fraction(1, FRAMES)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _audio(path: Path, bitrate: int) -> bytes:
    with av.open(str(path), "w", format="mp4", options=OPTIONS) as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout, stream.bit_rate = "mono", bitrate
        samples = struct.pack("<1024f", *((n * 7 % 61) / 610 for n in range(1024)))
        for number in range(SECONDS * RATE // 1024):
            frame = av.AudioFrame("fltp", "mono", 1024)
            frame.planes[0].update(samples)
            frame.sample_rate, frame.pts = RATE, number * 1024
            frame.time_base = Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _write(folder: Path, name: str, data: bytes) -> set[str]:
    """A rendition in one file: what initialises it in the clear, then each fragment encrypted."""
    boxes = list(_boxes(data))
    begin = next(at for kind, at, _ in boxes if kind == b"moof")
    fragments = [data[at:end] for (kind, at, _), (_, _, end) in pairwise(boxes) if kind == b"moof"]
    (timescale,) = struct.unpack_from(">12xI", data, data.index(b"mdhd") + 4)
    times = [_time(fragment) / timescale for fragment in fragments] + [float(SECONDS)]
    file = bytearray(data[:begin])
    lines = [
        "#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{SEGMENT + 1}",
        "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-MEDIA-SEQUENCE:7",
        f'#EXT-X-MAP:URI="{name}.mp4",BYTERANGE="{begin}@0"',
        '#EXT-X-KEY:METHOD=AES-128,URI="key.bin"',
    ]  # fmt: skip
    digests = set()
    for number, fragment in enumerate(fragments):
        secret = _encrypted(fragment, number + 7)
        digests.add(hashlib.sha256(secret).hexdigest())
        where = f"@{len(file)}" if number % 3 == 0 else ""  # the others follow the one before
        lines += [
            f"#EXTINF:{times[number + 1] - times[number]:.5f},",
            f"#EXT-X-BYTERANGE:{len(secret)}{where}",
            f"{name}.mp4",
        ]
        file += secret
    (folder / f"{name}.mp4").write_bytes(file)
    (folder / f"{name}.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    return digests


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at, at + size
        at += size


def _time(fragment: bytes) -> int:
    """Where a fragment begins, in units of its timescale (tfdt, version 1)."""
    (time,) = struct.unpack_from(">4xQ", fragment, fragment.index(b"tfdt") + 4)
    return int(time)


def _encrypted(data: bytes, sequence: int) -> bytes:
    """As RFC 8216, 4.3.2.4 has it where there is no IV: that is the number of the segment."""
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(sequence.to_bytes(16))).encryptor()
    padded = padder.update(data) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()


def _write_subtitles(folder: Path) -> None:
    cues = (f"00:00:{n:02}.000 --> 00:00:{n + 1:02}.000\nSecond {n}\n" for n in range(SECONDS))
    (folder / "text.vtt").write_text("WEBVTT\n\n" + "\n".join(cues))
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{SECONDS}", "#EXT-X-PLAYLIST-TYPE:VOD"]
    lines += [f"#EXTINF:{SECONDS},", "text.vtt", "#EXT-X-ENDLIST", ""]
    (folder / "text.m3u8").write_text("\n".join(lines))
