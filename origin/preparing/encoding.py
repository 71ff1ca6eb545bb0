"""Tracks that are encoded: H.264 by libx264, AAC by libav's own encoder.

Segments are cut where all rungs of a ladder have a key frame of the same instant, so the encoder
puts key frames there and nowhere else. It begins anew where a former attempt ended, which nobody
sees: each segment can be decoded by itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from origin.preparing.facts import MediaError, Video
from origin.preparing.plan import AUDIO_BITS, Picture
from origin.preparing.reading import step_of
from origin.preparing.timing import Cuts, Straight
from origin.preparing.tracks import Template, Timed

if TYPE_CHECKING:
    from av.filter import Graph

AUDIO_RATES = (32_000, 44_100, 48_000)
AUDIO_RATE = 48_000
"""Of sound whose own rate is none of these."""

PRESET = "veryfast"
QUALITY = 21
"""Constant rate factor: hard to tell from the original."""

_MOST_DAMAGED = 100
"""Packets in a row."""


def require_encoders() -> None:
    """`MediaError` where PyAV was built without them."""
    import av

    missing = {"libx264", "aac"} - av.codecs_available
    if missing:
        raise MediaError(
            f"This build of PyAV has no {' and no '.join(sorted(missing))} encoder; install "
            "PyAV's own wheel (pip install --force-reinstall av)."
        )


class Decoder:
    """The frames of a track from an instant on, times in order and none unknown."""

    def __init__(self, stream: Any, begin: Fraction = Fraction(0)) -> None:
        self._stream = stream
        stream.codec_context.thread_type = "AUTO"
        self._begin = begin
        self._ahead: list[Any] | None = [] if begin else None
        """What may be needed to decode the first frame that is wanted, until that has come."""
        self._straight = Straight(step_of(stream))
        self._damaged = 0
        self.skipped = 0
        """Packets that were too damaged to be decoded."""

    def take(self, packet: Any) -> Iterator[Any]:
        """The frames that come out, after another packet has gone in."""
        if self._ahead is None:
            yield from self._decode(packet)
            return
        shown = packet.pts if packet.pts is not None else packet.dts
        begin = self._begin / packet.time_base
        if packet.is_keyframe and shown is not None and shown <= begin:
            self._ahead = []
        self._ahead.append(packet)
        if packet.dts is not None and packet.dts >= begin:
            ahead, self._ahead = self._ahead, None
            for each in ahead:
                yield from self._decode(each)

    def flush(self) -> Iterator[Any]:
        """The frames that have not come out yet."""
        for packet in self._ahead or []:
            yield from self._decode(packet)
        self._ahead = None
        yield from self._decode(None)

    def _decode(self, packet: Any) -> Iterator[Any]:
        from av import FFmpegError

        try:
            frames = self._stream.decode(packet)
        except FFmpegError as error:
            self.skipped += 1
            self._damaged += 1
            if packet is None:
                return
            if self._damaged > _MOST_DAMAGED:
                seconds = float((packet.dts or 0) * packet.time_base)
                raise MediaError(
                    f"It cannot be decoded from {seconds:.0f} s on: {error.strerror}. Is the file "
                    "whole?"
                ) from error
            return
        self._damaged = 0
        for frame in frames:
            time = self._straight.next(frame.pts if frame.pts is not None else frame.dts)
            if time is None:
                continue
            frame.pts, frame.time_base = time, self._stream.time_base
            if time * self._stream.time_base >= self._begin or self._stream.type == "audio":
                yield frame


class PictureEncoder:
    """One rung of the ladder."""

    def __init__(
        self, picture: Picture, video: Video, stream: Any, cuts: Cuts, begin: Fraction
    ) -> None:
        """It encodes what is shown from ``begin`` on, which is one of the cuts."""
        import av

        self._picture, self._video = picture, video
        self._source = stream
        self._cuts = cuts
        self._begin = begin
        self._graph: tuple[object, Graph] | None = None
        self._decoded = -1
        self._scratch = av.open(io.BytesIO(), "w", format="mp4")
        encoder: Any = self._scratch.add_stream(
            "libx264", rate=video.rate or 25, width=picture.width, height=picture.height
        )
        context, source = encoder.codec_context, stream.codec_context
        context.time_base = stream.time_base
        context.sample_aspect_ratio = Fraction(1)
        context.color_primaries, context.color_trc = source.color_primaries, source.color_trc
        context.colorspace, context.color_range = source.colorspace, 1
        kilobits = max(1, picture.bits // 1000)
        encoder.options = {
            "preset": PRESET,
            "crf": str(QUALITY),
            "x264-params": "keyint=infinite:scenecut=0:open-gop=0"
            f":vbv-maxrate={kilobits}:vbv-bufsize={2 * kilobits}",
        }
        self._scratch.start_encoding()
        self._encoder = encoder
        self.template = Template(encoder)

    def take(self, frame: Any) -> Iterator[Timed]:
        """What comes out of the encoder, after another frame has gone in."""
        if frame.pts * frame.time_base < self._begin:
            return
        graph = self._filter(frame)
        graph.vpush(frame)
        yield from self._encode(graph)

    def flush(self) -> Iterator[Timed]:
        """What has not come out yet."""
        if self._graph is not None:
            graph = self._graph[1]
            graph.vpush(None)
            yield from self._encode(graph)
            yield from self._timed(self._encoder.encode(None))

    def _encode(self, graph: Graph) -> Iterator[Timed]:
        for frame in _pulled(graph):
            key = frame.pts * frame.time_base in self._cuts
            frame.pict_type = 1 if key else 0  # I, or as the encoder likes
            yield from self._timed(self._encoder.encode(frame))

    def _timed(self, packets: list[Any]) -> Iterator[Timed]:
        for packet in packets:
            # Before 0 only where frames are further apart than what was left free for them.
            packet.dts = self._decoded = max(packet.dts, self._decoded + 1)
            yield Timed(packet, packet.pts * packet.time_base, bool(packet.is_keyframe))

    def _filter(self, frame: Any) -> Graph:
        """What makes a frame one of this rung; another one if the frames change."""
        from av.filter import Graph

        kind = (frame.width, frame.height, frame.format.name)
        if self._graph is not None and self._graph[0] == kind:
            return self._graph[1]
        graph = Graph()
        last = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base=f"{frame.time_base.numerator}/{frame.time_base.denominator}",
        )
        for name, arguments in self._filters(frame):
            node = graph.add(name, arguments)
            last.link_to(node)
            last = node
        last.link_to(graph.add("buffersink"))
        graph.configure()
        self._graph = kind, graph
        return graph

    def _filters(self, frame: Any) -> Iterator[tuple[str, str | None]]:
        if frame.interlaced_frame:
            yield "yadif", "deint=interlaced"
        turns = {90: ["cclock"], 180: ["clock", "clock"], 270: ["clock"]}
        for turn in turns.get(self._video.rotation, ()):
            yield "transpose", turn
        yield "scale", f"{self._picture.width}:{self._picture.height}:out_range=tv"
        yield "format", "yuv420p"
        yield "setsar", "1"


class SoundEncoder:
    """A sound track, as AAC in stereo."""

    def __init__(self, stream: Any) -> None:
        import av

        source = stream.codec_context
        self.rate = source.sample_rate if source.sample_rate in AUDIO_RATES else AUDIO_RATE
        self._scratch = av.open(io.BytesIO(), "w", format="mp4")
        encoder: Any = self._scratch.add_stream("aac", rate=self.rate)
        encoder.layout = "stereo"
        encoder.bit_rate = AUDIO_BITS
        encoder.codec_context.time_base = Fraction(1, self.rate)
        self._scratch.start_encoding()
        self._encoder = encoder
        self.template = Template(encoder)
        self._samples = encoder.codec_context.frame_size or 1024
        self._graph: tuple[object, Graph] | None = None

    def take(self, frame: Any) -> Iterator[Timed]:
        """What comes out of the encoder, after another frame has gone in."""
        graph = self._filter(frame)
        graph.push(frame)
        yield from self._encode(graph)

    def flush(self) -> Iterator[Timed]:
        """What has not come out yet."""
        if self._graph is not None:
            graph = self._graph[1]
            graph.push(None)
            yield from self._encode(graph)
            yield from self._timed(self._encoder.encode(None))

    def _encode(self, graph: Graph) -> Iterator[Timed]:
        for frame in _pulled(graph):
            yield from self._timed(self._encoder.encode(frame))

    def _timed(self, packets: list[Any]) -> Iterator[Timed]:
        for packet in packets:
            yield Timed(packet, packet.pts * packet.time_base, True)

    def _filter(self, frame: Any) -> Graph:
        from av.filter import Graph

        kind = (frame.sample_rate, frame.format.name, frame.layout.name)
        if self._graph is not None and self._graph[0] == kind:
            return self._graph[1]
        graph = Graph()
        last = graph.add(
            "abuffer",
            sample_rate=str(frame.sample_rate),
            sample_fmt=frame.format.name,
            channel_layout=frame.layout.name,
            time_base=f"{frame.time_base.numerator}/{frame.time_base.denominator}",
        )
        chain = (
            ("aresample", f"{self.rate}:async=1"),  # gaps are filled, so that it stays in time
            ("aformat", "sample_fmts=fltp:channel_layouts=stereo"),
            ("asetnsamples", f"{self._samples}:p=0"),
            ("abuffersink", None),
        )
        for name, arguments in chain:
            node = graph.add(name, arguments)
            last.link_to(node)
            last = node
        graph.configure()
        self._graph = kind, graph
        return graph


def _pulled(graph: Graph) -> Iterator[Any]:
    import av

    while True:
        try:
            frame: Any = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame
