"""The gateway as a whole: where it listens, and who answers what.

::

    connection (admission) --> application --> media | api | pair | its own page
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from importlib import import_module
from ipaddress import ip_address
from types import TracebackType
from typing import Self, cast

import structlog
from aiohttp import hdrs, web

from p2pcdn.config import EVERYWHERE, Address, Config, split_address
from p2pcdn.errors import ConfigError, UnavailableError
from peer.native.disk.disk import Disk
from peer.native.gateway import owner
from peer.native.gateway.admission import Admission, Pass, Role
from peer.native.gateway.api import Api
from peer.native.gateway.codes import Codes, shown
from peer.native.gateway.connection import Connection, maker
from peer.native.gateway.contents import Contents, Entry
from peer.native.gateway.media import Media
from peer.native.gateway.state import State

BODY_BYTES = 16_384
CLOSE_TIME = 2.0
"""Seconds that answers under way have when it ends."""
REMEMBERED = 600
"""Seconds for which a browser need not ask again whether it may ask."""

_METHODS = "GET, HEAD, POST, DELETE"
_HEADERS = "Content-Type, Range"
_EXPOSED = "Accept-Ranges, Content-Length, Content-Range"
_PREFLIGHTS = ("Private-Network", "Local-Network")
"""What Chromium has called, and calls, a page's way to this machine."""

log = structlog.get_logger("p2pcdn.peer")


class Gateway:
    """``async with Gateway(config) as gateway: ...``; `ConfigError` if it may not listen there."""

    def __init__(
        self, config: Config, tracker: str | None = None, disk: Disk | None = None
    ) -> None:
        """``tracker`` and ``disk`` are as for `NativePeer`."""
        host, port = split_address(config.peer.gateway or "127.0.0.1:0")
        if not config.peer.gateway_exposed and not _is_loopback(host):
            raise ConfigError(
                f"The gateway is for this machine alone and listens on 127.0.0.1 or [::1], not on "
                f"{host or 'all addresses'}; peer.gateway_exposed = true overrides that."
            )
        self._state = State(config.data)
        self._host, self._port = host, port
        self._codes = Codes(secrets.randbits)
        self.contents = Contents(config, tracker, disk)
        self._media = Media(self.contents)
        self._api = Api(self.contents, self._state, self._codes)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(self._host, self._state.port)

    @property
    def secret(self) -> str:
        """The owner's."""
        return self._state.secret

    @property
    def url(self) -> str:
        """The owner's own page. Who knows it is the owner."""
        return f"{self._api.base}{self._state.secret}/"

    def media(self, entry: Entry) -> str:
        """Where players find a content."""
        return self.url + entry.path

    def new_code(self) -> str:
        """A code for the viewer to give to a page; `ConfigError` if no page finds this gateway."""
        return shown(self._api.new_code())

    async def __aenter__(self) -> Self:
        # Now, so that the first content's first segment need not wait for it.
        await asyncio.to_thread(import_module, "peer.native.transport.aiortc")
        listening = self._bind()
        self._state.port = listening.getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        address = f"{host}:{self._state.port}"
        self._api.base = f"http://{address}/"
        application = web.Application(client_max_size=BODY_BYTES)
        application.router.add_route("*", "/{rest:.*}", self._handle)
        application.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=CLOSE_TIME, handle_signals=False
        )
        await self._runner.setup()
        assert self._runner.server is not None
        anywhere = self._host in EVERYWHERE
        admission = Admission(
            None if anywhere else address, self._state.secret, self._state.pages, self._codes
        )
        self._listener = await asyncio.get_running_loop().create_server(
            maker(self._runner.server, admission), sock=listening
        )
        self.contents.restore(self._state.contents)
        self.contents.changed = self._state.note
        log.info("gateway", address=address)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await self._media.close()
        await self.contents.close()

    def _bind(self) -> socket.socket:
        """The port that was asked for; else that of last time, which pages know; else any."""
        ports = [self._port] if self._port else [self._state.port, 0]
        for port in ports:
            listening = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
            try:
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind((self._host, port))
                listening.listen(128)
                listening.setblocking(False)
            except OSError as error:
                listening.close()
                if port != ports[-1] and error.errno == errno.EADDRINUSE:
                    continue
                raise UnavailableError(
                    f"The gateway can't listen on port {port} of {self._host}: "
                    f"{(error.strerror or str(error)).lower()}."
                ) from error
            return listening
        raise AssertionError("unreachable")

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        admitted = _admitted(request)
        if request.method == hdrs.METH_OPTIONS:
            return web.Response(status=204)
        if admitted.role is Role.CODE:
            return await self._api.pair(admitted)
        first, _, rest = admitted.rest.partition("/")
        page = admitted.origin if admitted.role is Role.PAGE else None
        if first == "media" and request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
            return await self._media.answer(request, rest, page)
        if first == "segment" and request.method == hdrs.METH_GET:
            return await self._media.segment(request, rest, page)
        if first == "api" and rest.partition("/")[0] == "v1":
            return await self._api.answer(request, admitted, rest.partition("/")[2])
        if not admitted.rest and admitted.role is Role.OWNER:
            return owner.page()
        raise web.HTTPNotFound


def _admitted(request: web.Request) -> Pass:
    admitted = cast(Connection, request.protocol).admitted
    assert admitted is not None  # or the request would not be here
    return admitted


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What lets the page read the answer, and nobody else."""
    admitted = _admitted(request)
    response.force_close()  # each request comes in by the door
    headers = response.headers
    headers[hdrs.CONNECTION] = "close"
    headers[hdrs.X_CONTENT_TYPE_OPTIONS] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = (
        "same-origin" if admitted.role is Role.OWNER else "cross-origin"
    )
    headers.popall(hdrs.SERVER, None)
    if admitted.role is Role.OWNER or admitted.origin is None:
        return
    headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = admitted.origin
    headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED
    headers["Timing-Allow-Origin"] = admitted.origin
    headers[hdrs.VARY] = "Origin"
    if request.method == hdrs.METH_OPTIONS:
        headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = _METHODS
        headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = _HEADERS
        headers[hdrs.ACCESS_CONTROL_MAX_AGE] = str(REMEMBERED)
        for network in _PREFLIGHTS:
            if request.headers.get(f"Access-Control-Request-{network}") == "true":
                headers[f"Access-Control-Allow-{network}"] = "true"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name may be anybody's
