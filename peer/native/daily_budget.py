"""When a peer gives, and how much of a day's budget is left.

The day is that of this machine's clock. What was given is written down beside the store, so that a
restart gives no second budget; a kill forgets the last seconds of it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import structlog

from p2pcdn.config import span_of_day

FILE = "given.json"
WRITTEN_EVERY = 5.0
"""Seconds between two times of writing it down."""

log = structlog.get_logger("p2pcdn.peer")


def is_open(hours: Sequence[str], now: dt.datetime) -> bool:
    """Whether something is given at this time of day."""
    minute = now.hour * 60 + now.minute
    spans = [span_of_day(text) for text in hours]
    return not spans or any(
        first <= minute < last if first < last else minute >= first or minute < last
        for first, last in spans
    )


class DailyBudget:
    """Counts what is given, day by day."""

    def __init__(self, budget: int | None, directory: Path | None = None) -> None:
        """``directory`` is where it is written down."""
        self._budget = budget
        self._path = None if directory is None else directory / FILE
        self._day = ""
        self._given = 0
        self._written = 0
        self._written_at = -WRITTEN_EVERY
        self._read()

    def left(self, today: dt.date) -> int | None:
        """Bytes that may still be given today; None: as many as one likes."""
        if self._budget is None:
            return None
        given = self._given if self._day == today.isoformat() else 0
        return max(self._budget - given, 0)

    def give(self, count: int, today: dt.date, now: float) -> None:
        """So many bytes were given; ``now`` is of a clock that never goes back, in seconds."""
        if self._day != today.isoformat():
            self._day, self._given = today.isoformat(), 0
        self._given += count
        if now >= self._written_at + WRITTEN_EVERY and self._given != self._written:
            self._written_at = now
            self.write()

    def write(self) -> None:
        """Write it down, if it has to be."""
        if self._path is None or self._budget is None or not self._day:
            return
        self._written = self._given
        text = json.dumps({"day": self._day, "bytes": self._given})
        try:
            new = self._path.with_suffix(".new")
            new.write_text(text, encoding="ascii")
            new.replace(self._path)
        except OSError as error:
            log.warning("budget_not_written", file=str(self._path), error=str(error))

    def _read(self) -> None:
        if self._path is None:
            return
        try:
            found = json.loads(self._path.read_text(encoding="ascii"))
            self._day, self._given = str(found["day"]), max(int(found["bytes"]), 0)
        except FileNotFoundError:
            return
        except (OSError, ValueError, OverflowError, KeyError, TypeError) as error:
            log.warning("budget_not_read", file=str(self._path), error=str(error))
