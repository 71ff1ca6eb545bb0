"""What a page may have the gateway fetch: only what it could have read by itself.

The gateway runs on the viewer's machine and reaches what the page does not: other programs there,
the router, an intranet. So for a page it asks

- the page's own origin, or one whose answers admit the page (``Access-Control-Allow-Origin``);
- at a public address, whatever names resolve and redirections lead to; unless the page itself is at
  that very address, by its number, or at localhost.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

import aiohttp

LOCALHOST = "localhost"
PATIENCE = 5.0
"""Seconds until an origin has to have said whether a page may read it."""


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
    if found.is_global and not found.is_multicast:
        return True
    return host == str(found) or (host == LOCALHOST and found.is_loopback)


async def may_read(session: aiohttp.ClientSession, page: str, url: str) -> bool:
    """Whether the answer at a URL may be read by a page."""
    parts = urlsplit(url)
    if page == f"{parts.scheme}://{parts.netloc}":
        return True
    try:
        async with (
            asyncio.timeout(PATIENCE),
            session.get(url, headers={"Origin": page}, allow_redirects=False) as answer,
        ):
            return answer.headers.get("Access-Control-Allow-Origin") in ("*", page)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
