"""What requests for parts of files say, and what the heads of their answers say of the files."""

from __future__ import annotations

import hashlib
import re

from aiohttp import hdrs

from origin.catalog.edition import Stretch
from origin.catalog.playlist import PlaylistSegment
from origin.elsewhere.asking import Answer
from origin.sources import Identity
from p2pcdn.errors import SourceError, SourceReason

MOST_SEGMENT = 256 * 1024 * 1024
"""Bytes of one that is hashed; larger ones stay with plain HTTP."""

_GONE = frozenset({404, 410})
_BUSY = frozenset({429, 503})
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


def range_of(segment: PlaylistSegment) -> dict[str, str]:
    """What a request for a segment says, if it is a part of a file."""
    if segment.length is None:
        return {}
    return {hdrs.RANGE: f"bytes={segment.offset}-{segment.offset + segment.length - 1}"}


def stretch_of(segment: PlaylistSegment, size: int, version: int) -> Stretch:
    """A segment of a file of this size, in this version."""
    length = size - segment.offset if segment.length is None else segment.length
    return Stretch(segment.path, Identity(size, 0, version), segment.offset, length)


def size_of(segment: PlaylistSegment, answer: Answer) -> int | None:
    """The length of the file, of which the answer is the part that was asked for; None if its end
    has to tell."""
    path, size = segment.path, answer.length
    if answer.status == 200 and not segment.offset and segment.length in (None, size):
        if size is not None and size > MOST_SEGMENT:
            raise SourceError(SourceReason.LENGTH, path)
        return size
    match = _RANGE.fullmatch(answer.headers.get(hdrs.CONTENT_RANGE, ""))
    if answer.status != 206 or match is None or segment.length is None:
        raise SourceError(reason_of(answer), path)
    first, last, whole = map(int, match.groups())
    wanted = (segment.offset, segment.offset + segment.length - 1)
    if (first, last) != wanted or last >= whole or segment.length > MOST_SEGMENT:
        raise SourceError(SourceReason.LENGTH, path)
    return whole


def reason_of(answer: Answer) -> SourceReason:
    """What an answer that is no file means."""
    if answer.status in _GONE:
        return SourceReason.MISSING
    return SourceReason.BUSY if answer.status in _BUSY else SourceReason.STATUS


def conditions_of(answer: Answer) -> dict[str, str]:
    """What the next request says, to be told if nothing has changed."""
    headers = {
        hdrs.IF_NONE_MATCH: answer.headers.get(hdrs.ETAG, ""),
        hdrs.IF_MODIFIED_SINCE: answer.headers.get(hdrs.LAST_MODIFIED, ""),
    }
    return {name: value for name, value in headers.items() if value}


def version_of(answer: Answer) -> int:
    """A number for this version of a file, by its strong entity tag or else its time; 0 if the
    server tells versions apart by nothing."""
    etag = answer.headers.get(hdrs.ETAG, "")
    version = etag if etag and not etag.startswith("W/") else ""
    version = version or answer.headers.get(hdrs.LAST_MODIFIED, "")
    return number_of(version.encode()) if version else 0


def number_of(data: bytes) -> int:
    """A number of 64 bits for these bytes."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8])
