"""One port that several services share.

::

    start:  bind -> services start -> accept
    close:  services drain (and /readyz says 503) -> stop accepting -> wait for answers under way
            -> services close -> cut what is left

Sockets are bound before anything starts, so that a taken port is one clear sentence, and so that a
service knows the real address (port 0 takes a free one).
"""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import ssl
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

import p2pcdn
from p2pcdn.config import Address, Config, IPNetwork, OriginConfig, Tls
from p2pcdn.errors import UnavailableError
from p2pcdn.service import probes
from p2pcdn.service.accept import Accepting
from p2pcdn.service.admin import Admin
from p2pcdn.service.deadline import DeadlineHandler, read_body, small_header
from p2pcdn.service.errors import answer_errors
from p2pcdn.service.figures import FIGURES
from p2pcdn.service.forward import Forward
from p2pcdn.service.gate import Gate, affordable, affordable_files, share_of_one
from p2pcdn.service.loop import settle
from p2pcdn.service.shortcut import Knowing, ShortcutHandler, Tally
from p2pcdn.service.worker import ALONE, Worker

DRAIN_TIME = 0.5
"""How long services may take to end what waits for long."""

ANSWER_TIME = 0.5
"""How long answers under way may take once the process is told to stop, and again once they have
been cancelled."""

CLOSE_TIME = 1.0
"""How long services may take to close; all four together stay under 3 s."""

_LINGER = 1.0
"""How long a body that no handler reads is read and dropped (aiohttp's default is 10 s)."""

BODY_BYTES = 65_536
"""Largest request body, but for what encoders put."""

_BACKLOG = 4096
"""Connections that wait to be accepted: a flash crowd arrives within one turn of the loop."""

HEADERS: Mapping[str, str] = {
    hdrs.SERVER: f"p2pcdn/{p2pcdn.__version__}",
    # A file of the site's that looks like HTML or a script must not become one.
    hdrs.X_CONTENT_TYPE_OPTIONS: "nosniff",
}
"""Those of all answers."""

log = structlog.get_logger("p2pcdn.server")


class Service(Protocol):
    """What a `Server` hosts: the origin, the tracker."""

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Its HTTP routes."""

    async def start(self) -> None:
        """Start background work and open further sockets; the server's port is already bound."""

    async def drain(self) -> None:
        """Take no new work, and end what would wait for long: polls, streams, sockets."""

    async def close(self) -> None:
        """Release everything."""

    def problems(self) -> list[str]:
        """Why it is not ready, one sentence each; empty when it is."""


@runtime_checkable
class Bound(Protocol):
    """A service that wants to know where it is reached."""

    def bound(self, host: str, port: int) -> None:
        """Called once before `Service.start`, with the real port."""


@runtime_checkable
class Noting(Protocol):
    """A service that may be ready and have something to tell its operator all the same."""

    def notes(self) -> list[str]:
        """What is not as it should be, one sentence each, though no viewer notices."""


class Server:
    """Hosts services on one port, with the probes and limits that all of them share."""

    def __init__(
        self,
        services: Iterable[Service],
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        limits: OriginConfig | None = None,
        proxies: Iterable[IPNetwork] = (),
        admin: Admin | None = None,
        worker: Worker = ALONE,
    ) -> None:
        """``admin`` says who may see the metrics; everybody if there is none. ``worker`` says with
        whom the port is shared."""
        self.host = host
        self.port = port if worker.is_alone else worker.port
        self.draining = False
        self._services: Sequence[Service] = tuple(services)
        self._tls = tls
        self._limits = limits or OriginConfig()
        self._proxies = tuple(proxies)
        self._admin = admin
        self._worker = worker
        self._forward = None if worker.is_first else Forward(worker.inside)
        self._runner: web.AppRunner | None = None
        self._listeners: list[asyncio.Server] = []
        self._started: list[Service] = []

    @classmethod
    def of(cls, config: Config, services: Iterable[Service], worker: Worker = ALONE) -> Server:
        """A server as the configuration asks for it."""
        host, port = config.address
        return cls(
            services,
            host=host,
            port=port,
            tls=ssl_context(config.tls),
            limits=config.origin,
            proxies=config.tracker.proxy_networks,
            admin=None if config.tracker.open_metrics else Admin(config),
            worker=worker,
        )

    @property
    def url(self) -> str:
        """Where a person on this machine reaches it, without a slash at the end."""
        return Address(self.host, self.port).url(tls=self._tls is not None)

    def problems(self) -> list[str]:
        """Why the server is not ready; empty when it is."""
        if self.draining:
            return ["The server is going away."]
        if not self._listeners:
            return ["The server is starting."]
        return [problem for service in self._services for problem in service.problems()]

    def notes(self) -> list[str]:
        """What an operator should know though the server is ready."""
        services = (service for service in self._services if isinstance(service, Noting))
        return [note for service in services for note in service.notes()]

    async def start(self) -> None:
        """Bind, start the services, then accept; `ConfigError` when the port cannot be had."""
        sockets = bind(self.host, self.port, shared=not self._worker.is_alone)
        self.port = sockets[0].getsockname()[1]
        try:
            await self._start_services()
            await self._accept(sockets)
        except BaseException:
            for listening in sockets:
                listening.close()
            await self.close()
            raise
        log.info("listening", url=self.url)

    async def close(self) -> None:
        """Drain, then close: in under 3 s, whatever clients and services do."""
        self.draining = True
        await self._tell("drain", DRAIN_TIME)
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        try:
            if self._runner is not None:
                await self._runner.cleanup()
                self._runner = None
            if self._forward is not None:
                await self._forward.close()
        finally:
            await self._tell("close", CLOSE_TIME)
            self._started.clear()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def serve_forever(self, ready: Callable[[], None] = lambda: None) -> None:
        """Start, say that all is ``ready``, serve until cancelled (as `p2pcdn.service.run` does on
        a signal), close."""
        async with self:
            ready()
            settle()
            await asyncio.get_running_loop().create_future()

    async def _start_services(self) -> None:
        for service in self._services:
            if isinstance(service, Bound):
                service.bound(self.host, self.port)
            self._started.append(service)  # before: what started half has to be closed too
            await service.start()

    async def _accept(self, sockets: Iterable[socket.socket]) -> None:
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,  # it would hold viewers' addresses; the counters say enough
            shutdown_timeout=ANSWER_TIME,
        )
        await self._runner.setup()
        assert self._runner.server is not None  # setup() made it
        loop = asyncio.get_running_loop()
        limits = self._limits
        most = affordable(limits.connections, affordable_files(limits.open_files))
        connection = functools.partial(
            self._protocol(),
            self._runner.server,
            loop=loop,
            gate=Gate(most, share_of_one(limits, most), self._proxies),
            header_timeout=limits.header_timeout,
            header_bytes=limits.header_bytes,
            stall_timeout=limits.stall_timeout,
            max_headers=limits.header_count,
            keepalive_timeout=limits.keepalive,
            lingering_time=_LINGER,
            access_log=None,
        )
        if not self._worker.is_alone and self._worker.is_first:
            self._listeners.append(
                await loop.create_unix_server(connection, str(self._worker.inside))
            )
        # A slow handshake is as good as a slow header to who wants to hold sockets, and so is one
        # who does not say goodbye.
        tls_timeout = limits.header_timeout if self._tls else None
        tls: dict[str, Any] = {
            "ssl": self._tls,
            "ssl_handshake_timeout": tls_timeout,
            "ssl_shutdown_timeout": tls_timeout,
        }
        for listening in sockets:
            self._listeners.append(
                await loop.create_server(
                    Accepting(listening, connection, **tls),
                    sock=listening,
                    backlog=_BACKLOG,
                    **tls,
                )
            )

    def _protocol(self) -> Callable[..., DeadlineHandler]:
        """What answers on a connection: with a shortcut, if a service knows one."""
        for service in self._services:
            shortcut = service.shortcut() if isinstance(service, Knowing) else None
            if shortcut is not None:
                tally = Tally(shortcut.route)
                return functools.partial(ShortcutHandler, shortcut=shortcut, tally=tally)
        return DeadlineHandler

    def _application(self) -> web.Application:
        app = web.Application(
            middlewares=[
                probes.count_requests,
                answer_errors,
                small_header(self._limits.header_bytes),
                read_body(self._limits.header_timeout),
            ],
            client_max_size=BODY_BYTES,
        )
        app.on_response_prepare.append(_add_headers)
        app.add_routes(probes.routes(self.problems, self._metrics(), self.notes))
        for service in self._services:
            app.add_routes(service.routes())
        return app

    def _metrics(self) -> Handler:
        """Who answers what the figures are, to whoever may see them: the first of all workers."""
        if self._forward is not None:
            return self._forward.answer
        answer = probes.metrics(FIGURES)
        return self._admin.guarded(answer) if self._admin else answer

    async def _tell(self, verb: Literal["drain", "close"], limit: float) -> None:
        """Call a verb of all services that started; neither an error nor a delay stops the rest."""
        calls = [
            asyncio.create_task(getattr(service, verb)(), name=f"{verb} {type(service).__name__}")
            for service in reversed(self._started)
        ]
        if not calls:
            return
        done, late = await asyncio.wait(calls, timeout=limit)
        for call in late:
            call.cancel()
            log.warning("too_slow", call=call.get_name(), seconds=limit)
        for call in done:
            if not call.cancelled() and call.exception() is not None:
                log.error("failed", call=call.get_name(), exc_info=call.exception())


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def ssl_context(tls: Tls) -> ssl.SSLContext | None:
    """The TLS side of a server, or nothing where no certificate is set."""
    if tls.cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for name, path in (("tls.cert", tls.cert), ("tls.key", tls.key)):
        if path is None or not path.is_file():
            raise UnavailableError(f"{name} has to be a PEM file; there is none at {path}.")
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise UnavailableError(
            f"{tls.cert} and {tls.key} are not a certificate and its key in PEM{_of_pair(error)}."
        ) from error
    return context


def _of_pair(error: OSError) -> str:
    """What is wrong with a certificate and its key, if that can be told, as a sentence's end."""
    if not isinstance(error, ssl.SSLError):
        return f": {error.strerror}"
    return ": the key is another one's" if error.reason == "KEY_VALUES_MISMATCH" else ""


def bind(host: str, port: int, *, shared: bool = False, listen: bool = True) -> list[socket.socket]:
    """Listening sockets for every address of ``host``, all on one port, which may be ``shared``
    with others of ours."""
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in _resolve(host, port):
            bound_port = sockets[0].getsockname()[1] if sockets else port
            opened = _bind_one(family, kind, protocol, (address[0], bound_port), shared=shared)
            sockets.append(opened)
            if listen:
                opened.listen(_BACKLOG)
    except OSError as error:
        if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return sockets  # a machine without IPv6
        for opened in sockets:
            opened.close()
        raise UnavailableError(_cannot_bind(host, port, error)) from error
    return sockets


def _resolve(host: str, port: int) -> list[tuple[Any, ...]]:
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise UnavailableError(f"listen: there is no host {host!r} to listen on.") from error
    return sorted(found, key=lambda info: info[0] != socket.AF_INET)


def _bind_one(
    family: int, kind: int, protocol: int, address: tuple[str | int, int], *, shared: bool
) -> socket.socket:
    listening = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let two programs share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setblocking(False)
        listening.bind(address)
    except BaseException:
        listening.close()
        raise
    return listening


def _cannot_bind(host: str, port: int, error: OSError) -> str:
    where = f"port {port} of {host or 'this machine'}"
    if error.errno == errno.EADDRINUSE:
        return f"Another program listens on {where}: stop it, or choose a port with --listen."
    if error.errno == errno.EACCES:
        return f"Only root may listen on {where}: choose a port above 1023 with --listen."
    return f"It is not possible to listen on {where}: {error.strerror or error}."
