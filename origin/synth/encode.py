"""One rendition: the scene and the tone, encoded and cut into MPEG-TS segments by libav.

Each segment begins with a key frame and its parameter sets, so a player can begin with any of
them; all renditions are cut at the same instants, so it can change between any two.

The same arguments give the same bytes. That takes an encoder of one thread: with more, its rate
control looks at frames that are still in the making.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from origin.synth.picture import Scene
from origin.synth.tone import RATE, Tone

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

FRAMES_PER_SECOND = 25
SEGMENT_SECONDS = 2
AUDIO_BITRATE = 64_000
AUDIO_CODEC = "mp4a.40.2"
"""AAC-LC, as RFC 6381 writes it."""

TS_PACKET = 188
TS_BITRATE, TS_SHARE = 75_000, 0.03
"""What MPEG-TS takes for itself: headers and stuffing for each frame, and a share of the picture's
bits; as measured."""

Tick = Callable[[], None]
"""Called before each frame that is encoded; it may raise to stop the work."""


@dataclass(frozen=True)
class Rendition:
    """One quality of a presentation."""

    name: str
    """It is burnt into the picture (digits and ``p``), and file names begin with it."""
    width: int
    height: int
    bitrate: int
    """Bits a second, sound and container included."""
    segment_bytes: int = 0
    """Fill segments up to this size with packets that no decoder looks at: realistic sizes for
    the price of a tiny picture."""


class Encoder:
    """Writes ``NAME.m3u8`` and its segments ``NAME-00000.ts``... into a directory."""

    def __init__(self, rendition: Rendition, tone: Tone, directory: Path, seconds: int) -> None:
        self._rendition = rendition
        self._tone = tone
        self._directory = directory
        self._seconds = seconds
        self.codecs = ""
        """The CODECS attribute of the rendition (RFC 8216, 4.3.4.2), known once it has run."""

    def run(self, tick: Tick) -> None:
        """Encode all of it; takes some tenths of a second for a second of 720p."""
        import av

        name = self._rendition.name
        options = {
            "hls_time": str(SEGMENT_SECONDS),
            "hls_list_size": "0",
            "hls_playlist_type": "vod",
            "hls_flags": "independent_segments",
            "hls_segment_filename": str(self._directory / f"{name}-%05d.ts"),
        }
        playlist = str(self._directory / f"{name}.m3u8")
        with av.open(playlist, "w", format="hls", options=options) as container:
            video, audio = self._add_video(container), self._add_audio(container)
            self._encode(container, video, audio, tick)
            self.codecs = f"{_avc_codec(video.codec_context.extradata or b'')},{AUDIO_CODEC}"
        self._fill_segments()

    def _add_video(self, container: OutputContainer) -> VideoStream:
        rendition = self._rendition
        rate = round((rendition.bitrate - AUDIO_BITRATE - TS_BITRATE) / (1 + TS_SHARE))
        keyframes = FRAMES_PER_SECOND * SEGMENT_SECONDS
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = rendition.width, rendition.height, "yuv420p"
        stream.bit_rate = rate
        stream.codec_context.thread_count = 1
        stream.options = {
            "preset": "ultrafast",
            "x264-params": f"keyint={keyframes}:min-keyint={keyframes}:scenecut=0:bframes=0"
            f":vbv-maxrate={rate // 1000}:vbv-bufsize={rate * SEGMENT_SECONDS // 1000}"
            ":colorprim=bt709:transfer=bt709:colormatrix=bt709",
        }
        return stream

    def _add_audio(self, container: OutputContainer) -> AudioStream:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "mono"
        stream.bit_rate = AUDIO_BITRATE
        return stream

    def _encode(
        self, container: OutputContainer, video: VideoStream, audio: AudioStream, tick: Tick
    ) -> None:
        picture = _Picture(self._rendition, self._seconds)
        sound = _Sound(self._tone, self._seconds)
        for second in range(self._seconds):
            for n in range(second * FRAMES_PER_SECOND, (second + 1) * FRAMES_PER_SECOND):
                tick()
                container.mux(video.encode(picture.frame(n)))
            while (frame := sound.frame(until=second + 1)) is not None:
                container.mux(audio.encode(frame))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))

    def _fill_segments(self) -> None:
        for path in sorted(self._directory.glob(f"{self._rendition.name}-*.ts")):
            missing = self._rendition.segment_bytes - path.stat().st_size
            if missing > 0:
                with path.open("ab") as file:
                    file.write(_null_packets(-(-missing // TS_PACKET), seed=path.name))


class _Picture:
    """The frames of the scene."""

    def __init__(self, rendition: Rendition, seconds: int) -> None:
        self._width, self._height = rendition.width, rendition.height
        sizes = tuple((p.width, p.height, p.line_size) for p in self._blank().planes)
        self._scene = Scene(rendition.name, sizes, seconds)

    def _blank(self) -> VideoFrame:
        import av

        return av.VideoFrame(self._width, self._height, "yuv420p")

    def frame(self, number: int) -> VideoFrame:
        """The frame of that number, with its time."""
        frame = self._blank()
        for plane, data in zip(
            frame.planes, self._scene.planes(number / FRAMES_PER_SECOND), strict=True
        ):
            plane.update(data)
        frame.pts, frame.time_base = number, Fraction(1, FRAMES_PER_SECOND)
        return frame


class _Sound:
    """The tone, in frames as large as AAC's (1,024 samples; ISO/IEC 14496-3)."""

    SAMPLES = 1024

    def __init__(self, tone: Tone, seconds: int) -> None:
        self._tone = tone
        self._next = 0
        self._end = seconds * RATE

    def frame(self, until: int) -> AudioFrame | None:
        """The next frame that begins before this second, if there is one."""
        import av

        if self._next >= min(until * RATE, self._end):
            return None
        count = min(self.SAMPLES, self._end - self._next)
        frame = av.AudioFrame("fltp", "mono", count)
        frame.planes[0].update(self._tone.samples(self._next, count))
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._next, Fraction(1, RATE)
        self._next += count
        return frame


def _null_packets(count: int, seed: str) -> bytes:
    """Packets that a demultiplexer has to skip (PID 0x1FFF, ISO/IEC 13818-1, 2.4.3.3).

    Their payload may be anything; it is noise, so that no two chunks of media are equal.
    """
    rng = random.Random(seed)
    return b"".join(b"\x47\x1f\xff\x10" + rng.randbytes(TS_PACKET - 4) for _ in range(count))


def _avc_codec(extradata: bytes) -> str:
    """``avc1.PPCCLL`` (RFC 6381, 3.3) from the first sequence parameter set."""
    start = extradata.index(b"\x00\x00\x01\x67") + 4
    return f"avc1.{extradata[start : start + 3].hex().upper()}"
