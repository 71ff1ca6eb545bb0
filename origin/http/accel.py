"""X-Accel-Redirect: nginx asks us whether and what, and sends the file by itself.

::

    viewer --> nginx --> origin: /media/a.ts? --X-Accel-Redirect: /internal/a.ts--> nginx --> viewer

Whoever reaches us without that nginx would get an answer without a body, and so gets the file from
us: only proxies that are trusted, and this machine, are answered so. X-Sendfile, where the proxy
says by a header of the request how it wants it, is not there: any viewer could say it as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from urllib.parse import quote

from aiohttp import web

from origin.sources import File
from origin.sources.directory import DirectoryFile
from p2pcdn.config import Config, IPNetwork

_HERE = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Accel:
    """Which requests a proxy answers by itself, and from where."""

    def __init__(self, prefix: str, proxies: Iterable[IPNetwork]) -> None:
        """``prefix`` is the path of nginx's internal location, with a slash at its end."""
        self._prefix = prefix
        self._proxies = (*_HERE, *proxies)

    def is_for(self, request: web.Request, file: File) -> bool:
        """Whether the proxy can send the file, and it was the proxy that asked."""
        if not isinstance(file, DirectoryFile) or not request.remote:
            return False
        address = ip_address(request.remote.partition("%")[0])
        return any(address in network for network in self._proxies)

    def place_of(self, path: str) -> str:
        """Where the proxy finds a file."""
        return self._prefix + quote(path)


def accel_of(config: Config) -> Accel | None:
    """As the configuration says; None if we send everything ourselves."""
    prefix = config.origin.accel_redirect
    return Accel(prefix, config.tracker.proxy_networks) if prefix else None
