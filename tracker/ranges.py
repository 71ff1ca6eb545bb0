"""Which stretch of time a query asks for, and which rows answer it.

``from`` and ``to`` are times, as seconds since 1970 or as RFC 3339 writes them; the last hour is
meant where nothing is said. Rows come in three widths of which the finer are kept for a shorter
time, so an answer may be coarser than what was asked for: it says what its step is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from aiohttp import web

from p2pcdn.config import LedgerConfig
from p2pcdn.core.rollup import WIDTHS
from tracker.storage import Range

USUAL = 3600.0
"""Seconds of a range that nobody has chosen."""

AUTO_POINTS = 360
"""Points of a series whose step nobody has chosen, at most: an hour by ten seconds."""

MOST_POINTS = 1500
"""Points of any series: a day by the minute, and room."""

MOST_STEP = 31_536_000

DAY = 86_400

STEPS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY)
"""Steps that people read with ease."""

LATEST = 253_370_764_800
"""The year 9999: RFC 3339 knows no later one."""


class Plan(NamedTuple):
    """How a query is answered."""

    span: Range
    step: int


def series(query: Mapping[str, str], config: LedgerConfig, now: float) -> Plan:
    """How to answer a query for a series; `web.HTTPBadRequest` if it makes no sense."""
    start, end = _limits(query, now)
    step = _step(query)
    if step is None:
        step = _finest_kept(_auto(end - start), start, config, now)
    else:
        step = _finest_kept(step, start, config, now)
        if (end - start) / step > MOST_POINTS:
            least = math.ceil((end - start) / MOST_POINTS / 10) * 10
            raise web.HTTPBadRequest(
                text=f"An answer has {MOST_POINTS} points at most: for this range, step has to be "
                f"at least {least}."
            )
    width = max(width for width in WIDTHS if step % width == 0)
    return Plan(_aligned(start, end, step, width), step)


def contents(
    query: Mapping[str, str],
    config: LedgerConfig,
    now: float,
    widths: Sequence[int] = WIDTHS,
) -> list[Range]:
    """Which rows of these widths to add up for each content, the earliest first: coarse ones, and
    finer ones at both ends. `web.HTTPBadRequest` if the query makes no sense."""
    start, end = _limits(query, now)
    finest = _finest_kept(widths[0], start, config, now)
    span = _aligned(start, end, finest, finest)
    before: list[Range] = []
    after: list[Range] = []
    for width in widths[widths.index(finest) + 1 :]:
        inner = Range(math.ceil(span.start / width) * width, span.end // width * width, width)
        if inner.start >= inner.end:
            break
        before.append(span._replace(end=inner.start))
        after.insert(0, span._replace(start=inner.end))
        span = inner
    return [part for part in (*before, span, *after) if part.start < part.end]


def _limits(query: Mapping[str, str], now: float) -> tuple[float, float]:
    end = _time("to", query["to"]) if "to" in query else now
    start = _time("from", query["from"]) if "from" in query else max(0.0, end - USUAL)
    if start >= end:
        raise web.HTTPBadRequest(text="from has to be earlier than to.")
    return start, end


def _time(name: str, text: str) -> float:
    time = _number(text)
    if time is None:
        time = _moment(text)
    if time is None or not 0 <= time <= LATEST:
        raise web.HTTPBadRequest(
            text=f"{name} takes seconds since 1970, or a time such as 2026-01-31T12:00:00Z."
        )
    return time


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+").upper())  # "+" in a query is a space
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None  # nobody knows where it is meant
    return max(0.0, moment.timestamp())


def _step(query: Mapping[str, str]) -> int | None:
    text = query.get("step")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 8):
        step = 0
    else:
        step = int(text)
    if not 10 <= step <= MOST_STEP or step % 10:
        raise web.HTTPBadRequest(
            text=f"step takes seconds, a multiple of 10 from 10 to {MOST_STEP}."
        )
    return step


def _auto(length: float) -> int:
    """The finest step that gives a number of points which a chart can show."""
    usual = (step for step in STEPS if length <= AUTO_POINTS * step)
    return next(usual, math.ceil(length / AUTO_POINTS / DAY) * DAY)


def _finest_kept(step: int, start: float, config: LedgerConfig, now: float) -> int:
    """The step, or the next one of which everything since ``start`` is kept."""
    kept = zip(WIDTHS, (config.keep_10s, config.keep_1min, config.keep_1h), strict=True)
    width = next((width for width, time in kept if start >= now - time), WIDTHS[-1])
    return math.ceil(step / width) * width


def _aligned(start: float, end: float, step: int, width: int) -> Range:
    first = int(start // step) * step
    # Next to nothing, divided, is nothing.
    return Range(first, max(math.ceil(end / step) * step, first + step), width)
