"""Where segments begin, and what is done about times that are not in order. Pure.

Times are exact (`Fraction`, in seconds) since the result begins: all tracks are moved by the same
amount, so that nothing is before 0 and they stay together.

A segment begins where it can (at a key frame; at any frame of a picture that is encoded anyway), at
the first such place at or after each multiple of the length that was asked for. So the average
is right whatever the distance of the key frames, and all rungs of a ladder are cut at the same
instants.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from fractions import Fraction

from p2pcdn.errors import P2pcdnError

SLACK = Fraction(1, 50)
"""Seconds by which a place may be before its line: times are rounded to milliseconds and worse."""

LONGEST = 12.5
"""Seconds: what is further apart cannot be cut. Encoders put a key frame every 250 frames unless
they are told otherwise, which is 10.4 s of a film."""


class UncopyableError(P2pcdnError):
    """A track cannot be copied after all."""

    def __init__(self, kind: str, reason: str) -> None:
        """``kind``: video or audio; ``reason``: as in "it is encoded: ..."."""
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = reason


class Cuts:
    """The instants at which segments begin."""

    def __init__(self, segment: float, known: Iterable[Fraction] = ()) -> None:
        """``known`` are those of a former attempt, which stay as they are."""
        self._segment = Fraction(segment).limit_denominator(1000)
        self._longest = max(Fraction(LONGEST), 3 * self._segment)
        self.times: list[Fraction] = list(known)
        """Ascending; the first is where it all begins."""

    def offer(self, time: Fraction) -> bool:
        """A segment can begin here, which is after all former places; whether one does."""
        if not self.times:
            self.times.append(time)
            return True
        last = self.times[-1]
        if time <= last:
            return time in self
        line = (last - self.times[0] + SLACK) // self._segment + 1
        if time - self.times[0] + SLACK < line * self._segment:
            return False
        self.times.append(time)
        return True

    def __contains__(self, time: Fraction) -> bool:
        at = bisect_left(self.times, time)
        return at < len(self.times) and self.times[at] == time

    def check(self, time: Fraction) -> None:
        """A picture of a copy is shown then; `UncopyableError` if no segment could begin for too
        long."""
        if self.times and time - self.times[-1] > self._longest:
            raise UncopyableError(
                "video",
                f"it has no key frame for {float(self._longest):g} s, where a segment could begin",
            )


class Clock:
    """The times of one track's packets, in its own ticks: missing ones filled in, and in order."""

    def __init__(self, kind: str, step: int) -> None:
        """``step``: ticks from one packet to the next, where nothing says how many."""
        self._kind = kind
        self._step = max(1, step)
        self._last: int | None = None

    def decoding(self, time: int | None) -> int:
        """When a packet is to be decoded, whose time is that or unknown; later than the last one.

        `UncopyableError` if it is much earlier than the last.
        """
        last = self._last
        if time is None:
            time = 0 if last is None else last + self._step
        elif last is not None and time <= last:
            if last - time > 2 * self._step:
                raise UncopyableError(self._kind, "its times go back")
            time = last + 1
        self._last = time
        return time


def fill(times: list[int | None], step: int) -> list[int | None]:
    """Decoding times, with those at the beginning that are unknown counted back from the first
    that is known."""
    first = next((n for n, time in enumerate(times) if time is not None), None)
    if first is None:
        return times
    known = times[first]
    assert known is not None
    return [known - (first - n) * step for n in range(first)] + times[first:]


class Straight:
    """The times of frames that are encoded: later than the last, whatever the file says."""

    def __init__(self, step: int) -> None:
        self._step = max(1, step)
        self._offset = 0
        self._last: int | None = None

    def next(self, time: int | None) -> int | None:
        """When a frame is shown whose time is that or unknown; None if it came too late."""
        last = self._last
        if time is None:
            time = 0 if last is None else last + self._step
        else:
            time += self._offset
            if last is not None and time <= last:
                if last - time < 50 * self._step:
                    return None
                self._offset += last + self._step - time  # the clock was set back
                time = last + self._step
        self._last = time
        return time
