"""One playlist's segments: the packets of its tracks, put together and cut.

::

    tracks --take--> waiting packets --(every track is past the next cut)--> muxed --> keep

Each segment is muxed for itself, to a fragment of MP4 that says when it begins. So whatever was
finished before stays as it is, whoever goes on from there.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from origin.preparing.boxes import Parts, split
from origin.preparing.timing import Cuts
from origin.preparing.tracks import Template, Timed

PATIENCE = 10
"""Seconds of the film that a track may be behind the others before a segment does without it."""

TAIL = 2
"""Seconds of sound after the last picture that are not worth a segment of their own."""


class Finished(NamedTuple):
    """A segment."""

    number: int
    begin: Fraction
    end: Fraction
    parts: Parts


class Progress(NamedTuple):
    """What a former attempt has finished of a rendition."""

    segments: int
    end: Fraction
    """When the next one begins."""


NOTHING_DONE = Progress(0, Fraction(-1))


class Rendition:
    """The segments of a playlist, one after another."""

    def __init__(
        self,
        name: str,
        templates: Sequence[Template],
        cuts: Cuts,
        keep: Callable[[str, Finished], None],
        done: Progress = NOTHING_DONE,
    ) -> None:
        """``keep`` is given each segment after those that are done already."""
        self.name = name
        self._templates = templates
        self._cuts = cuts
        self._keep = keep
        self._written, self._begin = done
        self._number = cuts.times.index(done.end) if done.segments else 0
        self._waiting: list[deque[Timed]] = [deque() for _ in templates]
        self._latest = [Fraction(-1)] * len(templates)
        self._latest_key = [Fraction(-1)] * len(templates)
        self._pictures = [template.stream.type == "video" for template in templates]
        self._last: list[Timed | None] = [None] * len(templates)
        self._held: tuple[Fraction, list[list[Timed]]] | None = None

    def take(self, track: int, packet: Timed) -> None:
        """Another packet of a track."""
        last = self._last[track]
        if last is None and self._written and not _begins(packet, self._begin):
            return  # in a segment that is done
        if last is not None:
            _lasts_until(last.packet, packet.packet, is_picture=self._pictures[track])
        self._last[track] = packet
        self._latest[track] = packet.begin
        if packet.key:
            self._latest_key[track] = packet.begin
        self._waiting[track].append(packet)
        self._work()

    def finish(self) -> None:
        """There are no more packets."""
        for waiting, is_picture in zip(self._waiting, self._pictures, strict=True):
            if not is_picture:
                self._cut_tail([packet.begin for packet in waiting])
        while self._number + 1 < len(self._cuts.times):
            self._close(self._cuts.times[self._number + 1])
        rest = [list(waiting) for waiting in self._waiting]
        times = [packet.end for packets in rest for packet in packets]
        if times:
            begin = self._cuts.times[self._number] if self._cuts.times else min(times)
            self._hold(begin, rest)
        self._release(max(times, default=None))

    def _cut_tail(self, times: list[Fraction]) -> None:
        """Sound that goes on after the last picture can be cut anywhere."""
        pictures = [
            latest
            for latest, is_picture in zip(self._latest, self._pictures, strict=True)
            if is_picture
        ]
        begin = max(pictures or self._cuts.times[-1:], default=Fraction(0))
        for time in times:
            if begin + TAIL < time < times[-1] - TAIL:
                self._cuts.offer(time)

    def _work(self) -> None:
        while self._number + 1 < len(self._cuts.times):
            cut = self._cuts.times[self._number + 1]
            if not all(self._is_past(track, cut) for track in range(len(self._waiting))):
                return
            self._close(cut)

    def _is_past(self, track: int, cut: Fraction) -> bool:
        if self._latest_key[track] >= cut:
            return True
        return track > 0 and max(self._latest) > cut + PATIENCE

    def _close(self, cut: Fraction) -> None:
        taken: list[list[Timed]] = []
        for waiting in self._waiting:
            packets = []
            while waiting and not _begins(waiting[0], cut):
                packets.append(waiting.popleft())
            taken.append(packets)
        if any(taken):
            self._hold(self._cuts.times[self._number], taken)
        self._number += 1

    def _hold(self, begin: Fraction, packets: list[list[Timed]]) -> None:
        """Keep a segment until it is known when the next one begins."""
        self._release(begin)
        self._held = begin, packets

    def _release(self, end: Fraction | None) -> None:
        if self._held is None:
            return
        begin, packets = self._held
        self._held = None
        if end is None:
            end = max(packet.end for track in packets for packet in track)
        number = self._written
        self._written += 1
        self._keep(self.name, Finished(number, begin, end, mux(self._templates, packets, number)))


def _lasts_until(packet: Any, following: Any, *, is_picture: bool) -> None:
    """Let a picture last until the next one, and sound of which nothing says how long it lasts."""
    if is_picture:
        packet.duration = max(0, following.dts - packet.dts)
    elif not packet.duration:  # another rendition may have given it other ticks
        seconds = following.dts * following.time_base - packet.dts * packet.time_base
        packet.duration = max(0, round(seconds / packet.time_base))


def _begins(packet: Timed, cut: Fraction) -> bool:
    """Whether a packet is the first of the segment that begins at ``cut``, or of a later one."""
    return packet.key and packet.begin >= cut


def mux(templates: Sequence[Template], packets: Sequence[Sequence[Timed]], number: int) -> Parts:
    """A fragment of these packets, a list of them for each track."""
    import av

    file = io.BytesIO()
    options = {
        "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont",
        "use_editlist": "0",
        "avoid_negative_ts": "disabled",  # times are as they are to be
        "fflags": "bitexact",
    }
    with av.open(file, "w", format="mp4", options=options) as container:
        streams = [template.add_to(container) for template in templates]
        for stream, own in zip(streams, packets, strict=True):
            for each in own:  # libav interleaves them
                each.packet.stream = stream
                container.mux(each.packet)
    return split(file.getvalue(), number + 1)
