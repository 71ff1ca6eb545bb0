"""Tracks of the result: what their packets are to be put into fragments with, and when they are.

A track that is copied has its packets from the file as they are. What MP4 wants otherwise (H.264
with lengths instead of start codes) the muxer sees to itself, but for AAC that comes with an ADTS
header in each packet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from origin.preparing.timing import UncopyableError

if TYPE_CHECKING:
    from av.container import OutputContainer


class Timed(NamedTuple):
    """A packet, and when it is shown or heard."""

    packet: Any
    begin: Fraction
    key: bool

    @property
    def end(self) -> Fraction:
        return self.begin + Fraction((self.packet.duration or 0) * self.packet.time_base)


@dataclass
class Template:
    """What a muxer has to know of a track."""

    stream: Any
    extradata: bytes | None = None
    """Instead of the stream's own."""

    def add_to(self, container: OutputContainer) -> Any:
        """A track like this in a container that nothing was written to."""
        stream: Any = container.add_stream_from_template(self.stream, opaque=True)
        stream.time_base = self.stream.time_base
        if self.extradata is not None:
            stream.codec_context.extradata = self.extradata
        if self.stream.codec_context.name in ("hevc", "libx265"):
            stream.codec_context.codec_tag = "hvc1"  # the one that Apple's players take
        return stream


class Copied:
    """A track that stays as it is."""

    def __init__(self, stream: Any) -> None:
        self.template = Template(stream)
        self._video = stream.type == "video"
        self._time_base = stream.time_base
        self._reorders = self._video and bool(stream.codec_context.has_b_frames)
        self._unpacked = None
        if stream.codec_context.name == "aac" and not stream.codec_context.extradata:
            from av.bitstream import BitStreamFilterContext

            self._unpacked = BitStreamFilterContext("aac_adtstoasc", stream)

    def take(self, packet: Any) -> Iterator[Timed]:
        """The packet as it is to be muxed; `UncopyableError` if it cannot be."""
        for each in self._plain(packet):
            if each.pts is None:
                if self._reorders:
                    raise UncopyableError("video", "nothing says when its frames are shown")
                each.pts = each.dts
            elif each.pts < each.dts:
                each.pts = each.dts
            key = bool(each.is_keyframe) or not self._video
            yield Timed(each, each.pts * self._time_base, key)

    def _plain(self, packet: Any) -> Iterable[Any]:
        if self._unpacked is None:
            return [packet]
        time_base = packet.time_base
        plain = self._unpacked.filter(packet)
        for each in plain:
            each.time_base = time_base
            if self.template.extradata is None and each.has_sidedata("new_extradata"):
                self.template.extradata = bytes(each.get_sidedata("new_extradata"))
        return plain
