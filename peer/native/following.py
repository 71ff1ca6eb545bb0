"""Which contents a site has: a list that is looked at again and again.

A site is an origin that lists its contents at ``/contents``, or any URL of a list: JSON, as an
origin writes it or just an array, or a URL a line. URLs are relative to the list's own.
"""

from __future__ import annotations

import json
from urllib.parse import urljoin, urlsplit

import aiohttp
import structlog

from p2pcdn.errors import ConfigError, P2pcdnError
from p2pcdn.failures import why
from peer.native.addresses import ContentAddress

LIST_BYTES = 4 * 1024 * 1024
MOST = 10_000
"""Contents of one list."""
PATIENCE = 20.0
"""Seconds that a list may take."""

log = structlog.get_logger("p2pcdn.peer")


class ListError(P2pcdnError):
    """There is no list to be had. Its text is one sentence."""


def list_url(site: str) -> str:
    """Where the list of a site is: at ``/contents`` where only a host is named; `ConfigError` if
    that is no URL."""
    try:
        path = urlsplit(site).path
        return urljoin(site, "/contents") if path in ("", "/") else site
    except ValueError:
        raise ConfigError(f"A site has a URL such as https://HOST; {site!r} is none.") from None


def contents_of(text: str, url: str) -> list[str]:
    """The contents that a list at ``url`` names; what is none is left out."""
    try:
        found = json.loads(text)
        found = found.get("contents") if isinstance(found, dict) else found
    except RecursionError:
        found = None
    except ValueError:
        found = [line.strip() for line in text.splitlines()]
    if not isinstance(found, list):
        raise ListError(f"{url} is no list of contents.")
    contents: dict[str, None] = {}
    for item in found[:MOST]:
        if not isinstance(item, str) or not item or item.startswith("#"):
            continue
        try:
            content = urljoin(url, item)
            address = ContentAddress.parse(content)
            address.manifest(address.path)  # of half a character there is no URL
        except (ConfigError, ValueError):
            log.info("not_a_content", list=url, item=ascii(item[:200]))
        else:
            contents[content] = None
    return list(contents)


async def fetch_contents(session: aiohttp.ClientSession, site: str) -> list[str]:
    """The contents of a site as they are now; `ListError` if nobody says."""
    url = list_url(site)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with session.get(url, timeout=timeout) as answer:
            if answer.status != 200:
                raise ListError(
                    f"{url} gives no list of contents, it answers {answer.status}: does the origin "
                    "list them (origin.list_contents)?"
                )
            data = b""
            async for part in answer.content.iter_any():
                data += part
                if len(data) > LIST_BYTES:
                    raise ListError(f"The list at {url} has more than {LIST_BYTES} bytes.")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ListError(f"{url} cannot be reached: {why(error)}.") from error
    return contents_of(data.decode("utf-8", "replace"), url)
