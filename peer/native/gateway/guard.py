"""What a page may have the gateway fetch: only what it could have read by itself.

The gateway runs on the viewer's machine and reaches what the page does not: other programs there,
the router, an intranet. So for a page it asks

- the page's own origin, or one of which each answer admits the page by
  ``Access-Control-Allow-Origin``;
- of a content, only the origin it was added of, whatever its redirections and its records name;
- at a public address, whatever names resolve and redirections lead to; unless the page itself is at
  that very address, by its number, or at localhost.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs
from yarl import URL

LOCALHOST = "localhost"
PATIENCE = 5.0
"""Seconds until an origin has to have said whether a page may read it."""
_SOCKETS = ("ws", "wss")
_EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""Whose last 32 bits are an address of IPv4: NAT64 (RFC 6052), and IPv4-compatible ones."""
_NAT64_OF_A_NETWORK = IPv6Network("64:ff9b:1::/48")
"""Which embeds as its network pleases (RFC 8215)."""


class NotForPagesError(aiohttp.ClientError):
    """A page could not have read that by itself."""


def session(page: str | None, base: str | None = None, **options: Any) -> aiohttp.ClientSession:
    """What asks origins, for a page if one is given; then, with ``base``, its origin alone."""
    if page is None:
        return aiohttp.ClientSession(connector=connector(None), **options)
    only = None if base is None else URL(base).origin()

    async def guarded(
        request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.scheme in _SOCKETS:  # any page may open one anywhere
            return await ask(request)
        if only is not None and request.url.origin() != only:
            raise NotForPagesError(f"{request.url.origin()} is not the origin of the content")
        request.headers[hdrs.ORIGIN] = page
        answer = await ask(request)
        if not admits(answer, page):
            answer.close()
            raise NotForPagesError(f"{request.url.origin()} does not admit {page}")
        return answer

    return aiohttp.ClientSession(connector=connector(page), middlewares=(guarded,), **options)


def admits(answer: aiohttp.ClientResponse, page: str) -> bool:
    """Whether a page may read an answer."""
    allowed = answer.headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN)
    return allowed in ("*", page) or str(answer.url.origin()) == page


def connector(page: str | None) -> aiohttp.TCPConnector:
    """By which an origin is asked, for a page if one is given."""
    if page is None:
        return aiohttp.TCPConnector()
    host = urlsplit(page).hostname or ""

    def opened(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_connect(host, str(address[0])):
            raise OSError(errno.EACCES, "a page may not have it asked")
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(socket_factory=opened)


def may_connect(host: str, address: str) -> bool:
    """Whether a page at ``host`` may have something asked at an address."""
    found = ip_address(address.partition("%")[0])
    if _is_public(found):
        return True
    return host == str(found) or (host == LOCALHOST and found.is_loopback)


def _is_public(found: IPv4Address | IPv6Address) -> bool:
    if isinstance(found, IPv4Address):
        return found.is_global and not found.is_multicast
    embedded = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    if any(found in network for network in _EMBEDDING):
        embedded.append(IPv4Address(int(found) & 0xFFFF_FFFF))
    inner = [address for address in embedded if address is not None]
    if inner:
        return all(map(_is_public, inner))
    if found in _NAT64_OF_A_NETWORK:
        return False
    return found.is_global and not (found.is_multicast or found.is_site_local)


async def may_read(page: str, url: str) -> bool:
    """Whether there is something at a URL that a page may read."""
    parts = urlsplit(url)
    if page == f"{parts.scheme}://{parts.netloc}":
        return True
    try:
        async with (
            asyncio.timeout(PATIENCE),
            session(page) as asking,
            asking.get(url, allow_redirects=False) as answer,
        ):
            return answer.status == HTTPStatus.OK
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
