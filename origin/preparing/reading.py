"""The packets of a file, all tracks moved alike so that nothing is to be decoded before 0.

A film may begin at any time: a recording of television has been running for hours, frames that are
shown later than they are decoded are to be decoded before 0, and what an encoder of sound puts
before the beginning is there, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from origin.preparing.timing import Clock, fill

if TYPE_CHECKING:
    from av.container import InputContainer

    MediaPacket = Any
    """`av.Packet`, whose type says what kind of stream it is of, which differs here."""

_HEAD = 600
"""Packets that are read, at most, until each track has told when it begins: what is interleaved
worse has its late tracks begin with the others."""


def packets(
    container: InputContainer, indexes: set[int], copied: set[int], lead: Fraction
) -> Iterator[MediaPacket]:
    """The packets of these tracks, each with the times at which it is decoded and shown.

    ``lead``: seconds from 0 to the first of them, which an encoder may need. Of tracks that are
    copied, the time of decoding is never unknown, nor earlier than the last one's;
    `UncopyableError` if that would be a lie. When it is shown may be unknown.
    """
    streams = [stream for stream in container.streams if stream.index in indexes]
    source = (packet for packet in container.demux(streams) if packet.size)
    head: list[MediaPacket] = []
    waiting = set(indexes)
    for packet in source:
        head.append(packet)
        if packet.dts is not None:
            waiting.discard(packet.stream.index)
        if not waiting or len(head) >= _HEAD:
            break
    _fill_in(head)
    offsets = _offsets(head, streams, lead)
    clocks = {s.index: Clock(s.type, step_of(s)) for s in streams if s.index in copied}
    for source_packets in (head, source):
        for packet in source_packets:
            index = packet.stream.index
            offset = offsets[index]
            if packet.dts is not None:
                packet.dts += offset
            if packet.pts is not None:
                packet.pts += offset
            if index in clocks:
                packet.dts = clocks[index].decoding(packet.dts)
            yield packet


def step_of(stream: Any) -> int:
    """Ticks that a packet of a track lasts, more or less."""
    if stream.type == "video":
        rate = stream.average_rate or stream.guessed_rate or 25
        return max(1, round(1 / Fraction(rate * stream.time_base)))
    samples = stream.codec_context.frame_size or 1024
    ticks = Fraction(samples, stream.sample_rate or 48_000) / Fraction(stream.time_base)
    return max(1, round(ticks))


def _fill_in(head: list[MediaPacket]) -> None:
    for index in {packet.stream.index for packet in head}:
        own = [packet for packet in head if packet.stream.index == index]
        times = fill([packet.dts for packet in own], step_of(own[0].stream))
        for packet, time in zip(own, times, strict=True):
            packet.dts = time


def _offsets(head: list[MediaPacket], streams: list[Any], lead: Fraction) -> dict[int, int]:
    """By how many ticks each track is moved."""
    times = [time * p.time_base for p in head for time in (p.dts, p.pts) if time is not None]
    begin = min(times, default=Fraction(0))
    return {stream.index: -int((begin - lead) // stream.time_base) for stream in streams}
