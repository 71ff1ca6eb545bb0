"""The values that everything else speaks of.

A content has renditions, a rendition has segments, a segment has chunks, a chunk travels as
frames. Sizes are bytes, times are seconds unless a name says otherwise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

PROTOCOL = 1
"""Version of the tracker and link protocols; it also stands in the WebSocket's path."""

CHUNK_SIZE: Final = 65_536
"""One hash, one sender. Small enough that a wrong one costs little, large enough that its hash
is 0.05 % of it."""

FRAME_PAYLOAD = 16_384
"""What one data-channel message carries of a chunk. Browsers' SCTP does not interleave messages,
so a larger one would hold control messages up on a slow uplink."""

HASH_SIZE = 32
"""SHA-256: the one fast hash that every browser has."""

Mode = Literal["off", "lan", "network", "any", "relay"]
"""Whom a peer links to: nobody; only peers in its local network; of its network operator; anybody;
or anybody, but through a relay alone, which hides its address."""

Route = Literal["relay", "srflx", "prflx", "host"]
"""By what a link goes: a relay; an address that a NAT has mapped, as a STUN server sees it or as
the other end has found out; or the addresses of both machines as they are."""

ROUTES: tuple[Route, ...] = ("relay", "srflx", "prflx", "host")
"""If the ends differ, the first of these tells."""

FILE_SLICE = 4 * 1024 * 1024
"""A plain file has no segments; slices of this size play their role."""

TOKEN_LASTS = 300
"""Seconds from now that a join token may last: so long it is of use to a thief, or after a ban."""


_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)"
    r"(:(?P<port>[1-9][0-9]{0,4}))?"
)
_USUAL_PORTS = {"http": "80", "https": "443"}


def home_of(address: IPv4Address | IPv6Address) -> bytes:
    """What counts as one: an IPv4 address, or an IPv6 /64, since every home has at least that much
    to pick addresses from."""
    return address.packed[:8]


class SegmentKey(NamedTuple):
    """One segment of one rendition of the content at hand."""

    rendition: str
    sequence: int


class ChunkKey(NamedTuple):
    """One chunk of one segment."""

    rendition: str
    sequence: int
    chunk: int

    @property
    def segment(self) -> SegmentKey:
        return SegmentKey(self.rendition, self.sequence)


class Span(NamedTuple):
    """A run of whole numbers, both ends included, as HTTP writes byte ranges."""

    first: int
    last: int

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last

    def numbers(self) -> range:
        return range(self.first, self.last + 1)


def spans_of(numbers: Iterable[int]) -> list[Span]:
    """The shortest list of ascending spans that holds exactly these numbers."""
    spans: list[Span] = []
    for number in sorted(set(numbers)):
        if spans and number == spans[-1].last + 1:
            spans[-1] = Span(spans[-1].first, number)
        else:
            spans.append(Span(number, number))
    return spans


def numbers_of(spans: Iterable[Span]) -> Iterator[int]:
    """Every number of the spans, in their order."""
    for span in spans:
        yield from span.numbers()


def chunk_count(length: int) -> int:
    """How many chunks a segment of ``length`` bytes has."""
    return -(-length // CHUNK_SIZE)


def chunk_length(length: int, chunk: int) -> int:
    """The bytes of chunk number ``chunk`` in a segment of ``length`` bytes; the last is shorter."""
    if not 0 <= chunk < chunk_count(length):
        raise IndexError(f"chunk {chunk} of a segment of {chunk_count(length)} chunks")
    return min(CHUNK_SIZE, length - chunk * CHUNK_SIZE)


def bytes_of(length: int, chunks: Span) -> Span:
    """The byte range, within its segment, of a run of chunks."""
    return Span(chunks.first * CHUNK_SIZE, min(length, (chunks.last + 1) * CHUNK_SIZE) - 1)


def content_id(site: str, url: str) -> str:
    """The id of what ``url`` shows on ``site``: 32 hexadecimal digits.

    The query is left out, so that signed URLs of one content meet in one swarm.
    """
    parts = urlsplit(url)
    canonical = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path
    digest = hashlib.sha256(f"p2pcdn content v1\n{site}\n{canonical}".encode())
    return digest.hexdigest()[:32]


def is_elsewhere(path: str) -> bool:
    """Whether the path of a rendition or file is a URL, as are those of media that are not the
    origin's own. No path below ``/media/`` can be one."""
    return path.startswith(("https://", "http://"))


def page_origin(text: str) -> str | None:
    """The origin of a web page just as browsers write it into ``Origin`` (RFC 6454, 6.2), or None.

    Those of other than http and https, and names that are not ASCII (their ``xn--`` form is meant),
    are none; a usual port is left out.
    """
    match = _ORIGIN.fullmatch(text)
    if match is None:
        return None
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if port is not None and int(port) > 65_535:
        return None
    try:
        if host.startswith("["):
            host = f"[{IPv6Address(host[1:-1])}]"
        elif host.rpartition(".")[2].isdecimal():
            host = str(IPv4Address(host))
    except ValueError:
        return None
    return f"{scheme}://{host}" + (f":{port}" if port and port != _USUAL_PORTS[scheme] else "")
