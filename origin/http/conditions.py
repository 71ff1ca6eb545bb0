"""Conditional requests: what a client's If- headers make of the answer (RFC 9110, 13).

All comparisons are against one version of one file, whose entity tag is strong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_tz
from enum import Enum
from typing import NamedTuple, Protocol

from aiohttp import hdrs

_TAG = re.compile(r'\s*(W/)?("[\x20\x21\x23-\x7e\x80-\U0010ffff]*")\s*(?:,|$)|\s*,')
"""An element of a list. (A space in a tag is against the rules, and seen nevertheless.)"""


_DATE = re.compile(
    r"\s*(?:[A-Z][a-z]{2,8}, \d\d[ -][A-Z][a-z]{2}[ -]\d{2,4} \d\d:\d\d:\d\d GMT"
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\s*",
    re.ASCII,
)
"""The three formats of a date (5.6.7)."""


class Validators(NamedTuple):
    """What tells one version of a representation from another."""

    etag: str
    """Strong, with its quotes."""
    modified: int | None = None
    """In whole seconds since 1970."""


class Outcome(Enum):
    """What is left to do once the preconditions are evaluated."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not modified"
    FAILED = "failed"


_PROCEED = Outcome.PROCEED


class Headers(Protocol):
    """The header lines of a request, by case-insensitive names."""

    def __contains__(self, key: object, /) -> bool: ...

    def getall(self, key: str, default: list[str], /) -> list[str]: ...


def evaluate(headers: Headers, current: Validators) -> Outcome:
    """The outcome for a GET or HEAD, in the order of precedence of 13.2.2."""
    if not (
        hdrs.IF_MATCH in headers
        or hdrs.IF_NONE_MATCH in headers
        or hdrs.IF_MODIFIED_SINCE in headers
        or hdrs.IF_UNMODIFIED_SINCE in headers
    ):
        return _PROCEED  # as for most requests
    if_match = joined(headers, hdrs.IF_MATCH)
    if if_match is not None:
        if not _matches(if_match, current.etag, weak=False):
            return Outcome.FAILED
    elif _changed_since(joined(headers, hdrs.IF_UNMODIFIED_SINCE), current) is True:
        return Outcome.FAILED
    if_none_match = joined(headers, hdrs.IF_NONE_MATCH)
    if if_none_match is not None:
        if _matches(if_none_match, current.etag, weak=True):
            return Outcome.NOT_MODIFIED
    elif _changed_since(joined(headers, hdrs.IF_MODIFIED_SINCE), current) is False:
        return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def range_holds(headers: Headers, current: Validators) -> bool:
    """Whether a Range is to be obeyed: there is no If-Range, or it names this very version."""
    if_range = joined(headers, hdrs.IF_RANGE)
    if if_range is None:
        return True
    value = if_range.strip()
    if value.startswith(('"', "W/")):
        return value == current.etag  # the strong comparison: a weak tag never matches
    date = _seconds(value)
    return date is not None and date == current.modified


def joined(headers: Headers, name: str) -> str | None:
    """A header's value; several lines of it are one list (5.3)."""
    lines = headers.getall(name, [])
    return ", ".join(lines) if lines else None


def _matches(value: str, etag: str, *, weak: bool) -> bool:
    if value.strip() == "*":
        return True
    return any(tag == etag and (weak or not is_weak) for is_weak, tag in _tags(value))


def _tags(value: str) -> Iterable[tuple[bool, str]]:
    """The entity tags of a list, each with whether it is weak, up to the first that is none."""
    position = 0
    while position < len(value):
        match = _TAG.match(value, position)
        if match is None:
            return
        position = match.end()
        if match[2]:
            yield bool(match[1]), match[2]


def _changed_since(date: str | None, current: Validators) -> bool | None:
    """None if the header is missing or "not a valid HTTP-date", and so to be ignored."""
    seconds = _seconds(date) if date is not None else None
    if seconds is None or current.modified is None:
        return None
    return current.modified > seconds


def _seconds(date: str) -> int | None:
    """An HTTP-date in any of its three formats (5.6.7) as seconds since 1970."""
    parts = parsedate_tz(date) if _DATE.fullmatch(date) else None
    if parts is None:
        return None
    try:
        return int(datetime(*parts[:6], tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return None
