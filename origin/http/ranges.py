"""Which bytes a Range header asks for (RFC 9110, 14.1 and 14.2).

A server may answer a range request with the whole representation, and this one does so for
whatever is not one clear range: another unit, nonsense, several ranges at once. (Nobody who fetches
media asks for several, and they are a known way to make a server work hard.)
"""

from __future__ import annotations

import functools
import re
from enum import Enum

from p2pcdn.model import Span

_SPEC = re.compile(r"([0-9]{0,100})-([0-9]{0,100})")
"""Longer numbers are nonsense too, and cost time to convert."""


_PLAIN = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})")
"""What nearly all ask for."""

_LONGEST = len("bytes=") + 2 * 15 + 1

REMEMBERED = 4096
"""Ranges that are understood at once: those of chunks are the same in each segment."""


class Extent(Enum):
    """What to send where there is no one range to send."""

    WHOLE = "whole"
    UNSATISFIABLE = "unsatisfiable"
    """A well-formed range that does not overlap the representation: 416."""


def requested(header: str | None, length: int) -> Span | Extent:
    """What to send of ``length`` bytes to a client that sent this Range header."""
    if header is None:
        return Extent.WHOLE
    plain = _plain(header) if len(header) <= _LONGEST else None
    if plain is not None:
        return plain if plain.last < length else _positions(plain.first, plain.last, length)
    unit, equals, ranges = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return Extent.WHOLE
    # "A recipient MUST parse and ignore a reasonable number of empty list elements" (5.6.1.2).
    specs = [spec for spec in (item.strip(" \t") for item in ranges.split(",")) if spec]
    match = _SPEC.fullmatch(specs[0]) if len(specs) == 1 else None
    if match is None:
        return Extent.WHOLE
    first, last = (int(digits) if digits else None for digits in match.groups())
    if first is None:
        return Extent.WHOLE if last is None else _suffix(last, length)
    return _positions(first, last, length)


@functools.lru_cache(REMEMBERED)
def _plain(header: str) -> Span | None:
    """What a plain header asks for, if it makes sense."""
    match = _PLAIN.fullmatch(header)
    first, last = map(int, match.groups()) if match is not None else (1, 0)
    return Span(first, last) if first <= last else None


def _positions(first: int, last: int | None, length: int) -> Span | Extent:
    # "An int-range is invalid if the last-pos value is present and less than first-pos. A
    # recipient of [an invalid range] MUST ignore it."
    if last is not None and last < first:
        return Extent.WHOLE
    if first >= length:
        return Extent.UNSATISFIABLE
    return Span(first, length - 1 if last is None else min(last, length - 1))


def _suffix(count: int, length: int) -> Span | Extent:
    if count == 0:
        return Extent.UNSATISFIABLE
    if length == 0:
        return Extent.WHOLE  # satisfiable, but a Content-Range of no bytes cannot be written
    return Span(max(0, length - count), length - 1)
