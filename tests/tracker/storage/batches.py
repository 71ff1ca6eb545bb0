"""Batches for a storage, and what is read of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from p2pcdn.core.amounts import Amounts
from p2pcdn.core.ledger_ports import Failure, Group, Reading
from p2pcdn.core.rollup import Batch, Rollup
from tracker.storage import Opening, Range, Storage

NOW = 2_100_000_000
"""A full minute that is long to come: a database that looks at its own clock finds nothing old."""

Place = Callable[..., Storage]
"""Makes a storage; takes the settings of the ledger."""


def batch(*sizes: int, at: float = NOW, content: str = "a", part: int = 0) -> Batch:
    """What a run says that has read so many bytes, second by second."""
    rollup = Rollup()
    rollup._part = part
    for second, size in enumerate(sizes):
        reading = Reading({content: Amounts(origin_bytes=size)}, {content: size})
        rollup.receive(reading, at + second)
    made = rollup.take_batch()
    assert made is not None
    return made


def of_groups(at: float, **joins: int) -> Batch:
    rollup = Rollup()
    groups = {Group("country", name): Amounts(joins=count) for name, count in joins.items()}
    members = {group: amounts.joins for group, amounts in groups.items()}
    failures = {Failure("link", "timeout"): 3, Failure("socket", "banned"): 1}
    for second in range(2):
        rollup.receive(Reading({}, {}, groups, members, failures), at + second)
    made = rollup.take_batch()
    assert made is not None
    return made


def span(width: int, *, before: int = 3600, after: int = 3600) -> Range:
    return Range((NOW - before) // width * width, (NOW + after) // width * width, width)


async def opened(place: Place, **config: Any) -> tuple[Storage, Opening]:
    storage = place(**config)
    return storage, await storage.open(NOW)


async def totals(place: Place) -> int:
    """Bytes of the origin in all runs that are over."""
    storage, opening = await opened(place)
    await storage.close()
    return opening.total.origin_bytes
