"""Reports as peers make them, of chunks of one rendition."""

from __future__ import annotations

from typing import Any

from p2pcdn.model import CHUNK_SIZE
from p2pcdn.wire.tracker import PairReport, Report

PAIRING = "b" * 16

Runs = tuple[int, ...]


def chunks(first: int, last: int | None = None, *, sequence: int = 0, size: int = 0) -> Runs:
    """The runs of these chunks of a segment, of which the last may be short."""
    return (0, sequence, size, first, first if last is None else last)


def several(count: int) -> tuple[Runs, ...]:
    """So many whole chunks, from the content's beginning on, 16 a segment."""
    full, rest = divmod(count, 16)
    runs = [chunks(0, 15, sequence=sequence) for sequence in range(full)]
    return (*runs, chunks(0, rest - 1, sequence=full)) if rest else tuple(runs)


def report(number: int, *pairs: PairReport, origin: tuple[Runs, ...] = (), **rest: Any) -> Report:
    return Report(number, origin=origin, pairs=pairs, **{"renditions": ("v",), **rest})


def got(*runs: Runs, pairing: str = PAIRING, **rest: Any) -> PairReport:
    return PairReport(pairing, received=runs, **rest)


def gave(*runs: Runs, pairing: str = PAIRING, **rest: Any) -> PairReport:
    return PairReport(pairing, sent=runs, **rest)


def size(count: int) -> int:
    """Bytes of so many whole chunks."""
    return count * CHUNK_SIZE
