"""Requests so plain that there is one way to read them: what may go past aiohttp's parser.

Whatever is not exactly of this form is not refused, but left to aiohttp as it came: another method,
version or form of the target; a body, or a header that speaks of one; anything that servers and
proxies are known to read in more than one way (RFC 9112, 11.2).
"""

from __future__ import annotations

import functools
import re

from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

MOST_BYTES = 4096
"""Of a plain request: a browser's with few cookies takes 1 KB."""

REMEMBERED = 512
"""Header blocks that are understood without a look at their lines: a player sends the same for
each of its segments, and its peers the same for each chunk that they ask for."""

_LINE = re.compile(rb"(GET|HEAD) (/[!\"$-~]*) HTTP/1\.1\r\n")
"""No fragment: a # has no place in a target."""

_BLOCK = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+")

_OTHERS = frozenset(
    {
        "content-length",
        "transfer-encoding",
        "upgrade",
        "expect",
        "te",
        "trailer",
        "proxy-connection",
        "http2-settings",
    }
)
"""Headers that say something of how to read what follows, or of the connection."""


class PlainRequest(Struct, frozen=True):
    """A GET or HEAD without a body, after which the connection stays open."""

    method: str
    target: str
    """As it was sent, from its first slash on."""
    headers: CIMultiDictProxy[str]
    """Of each name one, with one Host among them."""
    size: int
    """How many bytes it takes."""


def read(data: bytes, most_headers: int) -> PlainRequest | None:
    """The request that ``data`` begins with; None unless it is whole and plain, and has no more
    headers than that."""
    line = _LINE.match(data)
    end = data.find(b"\r\n\r\n", 0, MOST_BYTES) + 2
    if line is None or end < line.end():
        return None
    block = data[line.end() : end]
    headers = _headers(block) if block.count(b"\n") <= most_headers else None
    if headers is None:
        return None
    method, target = line.groups()
    return PlainRequest(method.decode(), target.decode(), headers, end + 2)


@functools.lru_cache(REMEMBERED)
def _headers(block: bytes) -> CIMultiDictProxy[str] | None:
    """The headers of a plain request by these lines; None if one is not plain."""
    if _BLOCK.fullmatch(block) is None:
        return None
    headers: CIMultiDict[str] = CIMultiDict()
    names = set()
    lines = block.decode("ascii").split("\r\n")
    for line in lines[:-1]:
        name, _, value = line.partition(":")
        names.add(name.lower())
        headers[name] = value.strip("\t ")
    if len(names) != len(lines) - 1 or "host" not in names or not _OTHERS.isdisjoint(names):
        return None
    if "connection" in names and headers["connection"].lower() != "keep-alive":
        return None
    return CIMultiDictProxy(headers)


def is_whole(data: bytes, most_headers: int) -> bool:
    """Whether ``data`` is nothing but plain requests, the last of which is complete."""
    while data:
        request = read(data, most_headers)
        if request is None:
            return False
        data = data[request.size :]
    return True
