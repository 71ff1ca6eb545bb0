"""Sets of chunk numbers as whole numbers: bit *i* stands for chunk *i*.

What a peer decides comes down to questions like "missing here, held there, asked of nobody yet";
with masks each is one operation, however many chunks a segment has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from p2pcdn.model import Span


def run(first: int, last: int) -> int:
    """The chunks from ``first`` to ``last``, both included; none if there are none between."""
    return ((1 << (last - first + 1)) - 1) << first if last >= first else 0


def mask_of(numbers: Iterable[int]) -> int:
    """The chunks with these numbers."""
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask


def mask_of_spans(spans: Iterable[Span], most: int) -> int:
    """The chunks of these runs, as far as their numbers are below ``most``."""
    mask = 0
    for first, last in spans:
        mask |= run(max(first, 0), min(last, most - 1))
    return mask


def numbers_in(mask: int) -> Iterator[int]:
    """The numbers of the chunks, ascending."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def spans_in(mask: int) -> list[Span]:
    """The chunks as runs, ascending."""
    spans = []
    while mask:
        first = (mask & -mask).bit_length() - 1
        shifted = mask >> first
        length = (~shifted & (shifted + 1)).bit_length() - 1
        spans.append(Span(first, first + length - 1))
        mask = (shifted >> length) << (first + length)
    return spans


def first_of(mask: int, most: int) -> int:
    """The lowest ``most`` chunks."""
    kept = 0
    for number in numbers_in(mask):
        if most <= 0:
            break
        kept |= 1 << number
        most -= 1
    return kept


def some_of(mask: int, most: int, turn: int) -> int:
    """``most`` of the chunks, beginning with the one that `pick` gives and going round."""
    if most <= 0 or not mask:
        return 0
    start = pick(mask, turn)
    later = mask >> start << start
    some = first_of(later, most)
    return some | first_of(mask & ~later, most - some.bit_count())


def pick(mask: int, turn: int) -> int:
    """The chunk that comes after ``turn`` others, counted round and round; there has to be one."""
    for _ in range(turn % mask.bit_count()):
        mask &= mask - 1
    return (mask & -mask).bit_length() - 1
