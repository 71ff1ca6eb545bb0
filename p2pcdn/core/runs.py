"""Chunks as reports tell them, read with all the suspicion that they deserve."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

from p2pcdn.core.bits import run
from p2pcdn.model import CHUNK_SIZE, SegmentKey

MOST_CHUNK = 65_535
"""The last chunk of a segment of 4 GiB."""
MOST_SEQUENCE = 2**53 - 1

Tail = tuple[int, int] | None
"""A chunk that is shorter than others, and its bytes."""

Told = tuple[SegmentKey, int, Tail]
"""A segment, the mask of its chunks, and its tail if it is among them."""


class RunsError(ValueError):
    """It is not in the canonical form."""


def read(runs: Iterable[Sequence[object]], renditions: Sequence[str]) -> list[Told]:
    """What the runs of one direction say (see `p2pcdn.wire.fields.Runs`); `RunsError` if they say
    anything twice, overlap, or are no numbers."""
    told = []
    before = (-1, -1)
    for numbers in runs:
        if len(numbers) < 5 or not len(numbers) % 2:
            raise RunsError("it has a start without an end")
        if not all(type(number) is int and 0 <= number <= MOST_SEQUENCE for number in numbers):
            raise RunsError("that is no whole number")
        rendition, sequence, size, *bounds = cast("Sequence[int]", numbers)
        if (rendition, sequence) <= before or rendition >= len(renditions):
            raise RunsError("segments have to ascend")
        before = (rendition, sequence)
        mask = _mask(bounds)
        if size >= CHUNK_SIZE:
            raise RunsError("a chunk is not that long")
        tail = (bounds[-1], size) if size else None
        told.append((SegmentKey(renditions[rendition], sequence), mask, tail))
    return told


class Stretches:
    """Segments, as stretches of the sequences of their renditions."""

    def __init__(
        self, told: Iterable[Sequence[object]] = (), renditions: Sequence[str] = ()
    ) -> None:
        """See `p2pcdn.wire.fields.Stretches`; `RunsError` if they are not in that form."""
        self._bounds: dict[str, list[int]] = {}
        """Of each rendition the first of each stretch, and the first after it, in turn."""
        for numbers in told:
            if len(numbers) < 3 or not len(numbers) % 2:
                raise RunsError("it has a start without an end")
            if not all(type(number) is int and 0 <= number <= MOST_SEQUENCE for number in numbers):
                raise RunsError("that is no whole number")
            rendition, *bounds = (int(str(number)) for number in numbers)
            if rendition >= len(renditions) or renditions[rendition] in self._bounds:
                raise RunsError("each rendition comes once")
            bounds[1::2] = [last + 1 for last in bounds[1::2]]
            if any(one >= other for one, other in pairwise(bounds)):
                raise RunsError("stretches have to ascend, with gaps between them")
            self._bounds[renditions[rendition]] = bounds

    def __contains__(self, segment: object) -> bool:
        assert isinstance(segment, SegmentKey)
        bounds = self._bounds.get(segment.rendition, [])
        return bisect_right(bounds, segment.sequence) % 2 == 1


def _mask(bounds: list[int]) -> int:
    mask, free = 0, 0
    for first, last in zip(bounds[::2], bounds[1::2], strict=True):
        if not free <= first <= last <= MOST_CHUNK:
            raise RunsError("runs have to ascend, with gaps between them")
        mask |= run(first, last)
        free = last + 2
    return mask


def size_of(mask: int, tail: Tail) -> int:
    """Bytes of these chunks."""
    size = mask.bit_count() * CHUNK_SIZE
    if tail is not None and mask >> tail[0] & 1:
        size -= CHUNK_SIZE - tail[1]
    return size
