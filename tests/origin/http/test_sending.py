"""Answers on real sockets, and what is counted of them when viewers go away."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from origin.http.conditions import Validators
from origin.http.meter import Meter
from origin.http.representation import Content, Representation
from origin.http.sending import Sender
from origin.http_error import HttpError
from p2pcdn.config import OriginConfig, Tls
from p2pcdn.errors import SourceError, SourceReason
from p2pcdn.service import Server, ssl_context
from tests.certificates import make_certificate
from tests.origin.conftest import Totals
from tests.origin.media_files import noise
from tests.origin.waiting import until

DATA = noise(20_000_000)


class Body(Content):
    """A body that knows whether it was closed."""

    def __init__(self, data: bytes, shown: int | None = None) -> None:
        super().__init__(data[:shown])
        self._length = len(data)
        self.closed = False

    @property
    def length(self) -> int:
        return self._length

    def close(self) -> None:
        self.closed = True


@dataclass
class Service:
    """Shows whatever a test wants."""

    totals: Totals = field(default_factory=Totals)
    body: Body = field(default_factory=lambda: Body(DATA))
    error: Exception | None = None
    asked: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.ready.set()

    def routes(self) -> list[web.RouteDef]:
        self.meter = Meter(self.totals)
        return [web.get("/x", Sender(self.meter, {"X-All": "yes"}).handler(self.show))]

    async def show(self, request: web.Request) -> Representation:
        self.asked += 1
        await self.ready.wait()
        if self.error is not None:
            raise self.error
        return Representation(self.body, Validators('"v1"'), "video/mp2t", "no-cache", "media")

    async def start(self) -> None: ...

    async def drain(self) -> None: ...

    async def close(self) -> None:
        self.meter.close()

    def problems(self) -> list[str]:
        return []


class Client:
    """A raw connection with a small buffer: what it has not read it does not have."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.port = port
        self.context = context

    async def ask(self, headers: str = "", method: str = "GET") -> bytes:
        """Connect and send a request; its answer's header."""
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        self.reader, self.writer = await asyncio.open_connection(
            sock=raw,
            limit=8192,
            ssl=self.context,
            server_hostname="localhost" if self.context else None,
        )
        return await self.again(headers, method)

    async def again(self, headers: str = "", method: str = "GET") -> bytes:
        """Another request on the same connection."""
        self.writer.write(f"{method} /x HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
        return await self.reader.readuntil(b"\r\n\r\n")

    async def read(self, size: int) -> bytes:
        return await self.reader.readexactly(size)

    def go_away(self) -> None:
        self.writer.transport.abort()


Start = Callable[..., Awaitable[tuple[Service, Client]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def serve(
            tls: Tls | None = None, limits: OriginConfig | None = None
        ) -> tuple[Service, Client]:
            service = Service()
            context = ssl_context(tls) if tls else None
            server = Server([service], host="127.0.0.1", port=0, tls=context, limits=limits)
            await stack.enter_async_context(server)
            trusting = ssl.create_default_context(cafile=tls.cert) if tls else None
            return service, Client(server.port, trusting)

        yield serve


async def test_a_whole_body_is_counted_to_the_byte(start: Start) -> None:
    service, client = await start()
    head = await client.ask()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"X-All: yes\r\n" in head
    assert await client.read(len(DATA)) == DATA
    await until(lambda: service.totals.media == len(DATA))
    assert service.totals.overhead == 0
    assert service.body.closed
    client.go_away()


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what arrived")


@linux_only
@pytest.mark.parametrize("size", [1_000_000, 5_000_000])
async def test_an_aborted_body_is_counted_as_far_as_it_was_read(start: Start, size: int) -> None:
    service, client = await start()
    await client.ask()
    await client.read(size)
    client.go_away()
    await until(lambda: service.body.closed and not service.meter._flows)
    # What was on its way into the client's own buffers when it went is the difference.
    assert size <= service.totals.media <= size * 1.02 + 65_536


@linux_only
async def test_a_body_that_fits_into_the_kernel_is_not_counted_before_it_is_fetched(
    start: Start,
) -> None:
    service, client = await start()
    service.body = Body(DATA[:150_000])  # handed over as a whole, at once
    await client.ask()
    await client.read(20_000)
    await until(lambda: service.body.closed)
    client.go_away()
    await until(lambda: not service.meter._flows)
    assert 20_000 <= service.totals.media <= 100_000


async def test_several_bodies_on_one_connection(start: Start) -> None:
    service, client = await start()
    service.body = Body(DATA[:300_000])
    await client.ask()
    await client.read(300_000)
    for _ in range(3):
        await client.again("Range: bytes=1000-100999\r\n")
        assert await client.read(100_000) == DATA[1000:101_000]
    await until(lambda: service.totals.media == 600_000)
    client.go_away()


async def test_a_connection_that_ends_with_its_answer(start: Start) -> None:
    service, client = await start()
    await client.ask("Connection: close\r\n")
    assert await client.reader.read() == DATA
    await until(lambda: service.totals.media == len(DATA))
    client.go_away()


async def test_a_body_that_turns_out_to_be_damaged_is_cut_off(start: Start) -> None:
    class Damaged(Body):
        async def read(self, offset: int, size: int) -> memoryview:
            if offset + size > 1_000_000:
                raise SourceError(SourceReason.INTEGRITY, "The member 'x' is damaged.")
            return await super().read(offset, size)

    service, client = await start()
    service.body = Damaged(DATA)
    await client.ask()
    with capture_logs() as logs:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.read(1_000_001)
        await until(lambda: service.body.closed)
    assert [entry["event"] for entry in logs] == ["file_damaged"]
    service.error = SourceError(SourceReason.INTEGRITY, "The member 'x' is damaged.")
    assert (await Client(client.port).ask()).startswith(b"HTTP/1.1 500 ")


async def test_what_fails_before_its_first_byte_gets_a_clear_status(start: Start) -> None:
    class Away(Body):
        async def read(self, offset: int, size: int) -> memoryview:
            raise SourceError(SourceReason.UNREACHABLE, "no connection to 10.0.0.1")

    service, client = await start()
    service.body = Away(DATA)
    head = await client.ask()
    assert head.startswith(b"HTTP/1.1 502 ")
    assert service.body.closed
    assert service.totals.media == 0


async def test_over_tls(start: Start, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    service, client = await start(Tls(cert=cert, key=key))
    await client.ask()
    assert await client.read(len(DATA)) == DATA
    await until(lambda: service.totals.media == len(DATA))
    client.go_away()


async def test_a_connection_over_tls_that_ends_with_its_answer(
    start: Start, tmp_path: Path
) -> None:
    cert, key = make_certificate(tmp_path)
    service, client = await start(Tls(cert=cert, key=key))
    await client.ask("Connection: close\r\n")
    assert await client.reader.read() == DATA
    await until(lambda: service.totals.media == len(DATA))
    client.go_away()


async def test_viewers_who_leave_make_no_noise(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    service, client = await start()
    service.ready.clear()
    asking = asyncio.create_task(client.ask())  # and is gone before there is an answer
    await until(lambda: service.asked)
    asking.cancel()
    client.go_away()
    service.ready.set()
    await until(lambda: service.body.closed)
    service.body = Body(DATA)
    await client.ask()
    client.go_away()
    await until(lambda: service.body.closed and not service.meter._flows)
    assert [record.getMessage() for record in caplog.records if record.levelno > 20] == []


async def test_no_body_for_head_and_for_what_is_known(start: Start) -> None:
    service, client = await start()
    head = await client.ask(method="HEAD")
    assert f"Content-Length: {len(DATA)}\r\n".encode() in head
    head = await client.again('If-None-Match: "v1"\r\n')
    assert head.startswith(b"HTTP/1.1 304 ")
    assert b"Content-Length" not in head
    head = await client.again("Range: bytes=0-0\r\n")
    assert await client.read(1) == DATA[:1]
    await until(lambda: service.totals.media == 1)
    client.go_away()


async def test_a_file_that_shrinks_ends_the_connection(start: Start) -> None:
    service, client = await start()
    service.body = Body(DATA[:1_000_000], shown=500_000)
    await client.ask()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.read(1_000_000)
    await until(lambda: not service.meter._flows)
    client.go_away()


async def test_a_reader_that_stalls_is_cut(start: Start) -> None:
    service, client = await start(limits=OriginConfig(stall_timeout=0.05))
    await client.ask()
    await until(lambda: service.body.closed)
    client.go_away()
    await until(lambda: not service.meter._flows)
    assert service.totals.media < 1_000_000


async def test_an_error_is_json_and_overhead(start: Start) -> None:
    service, client = await start()
    service.error = HttpError(HTTPStatus.NOT_FOUND, "No.", {"Retry-After": "7"})
    head = await client.ask()
    assert head.startswith(b"HTTP/1.1 404 ")
    for line in (b"X-All: yes", b"Retry-After: 7", b"Cache-Control: no-store"):
        assert line in head
    length = re.search(rb"Content-Length: (\d+)", head)
    assert length
    body = await client.read(int(length[1]))
    assert body == b'{"error":{"code":"not_found","message":"No."}}'
    assert (service.totals.media, service.totals.overhead) == (0, len(body))
    client.go_away()


async def test_what_a_source_does_not_have_is_not_found(start: Start) -> None:
    service, client = await start()
    service.error = SourceError(SourceReason.MISSING, "a.ts")
    head = await client.ask(method="HEAD")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert service.totals.overhead == 0
    client.go_away()


async def test_other_trouble_of_a_source_is_our_own(start: Start) -> None:
    service, client = await start()
    service.error = SourceError(SourceReason.ABORTED, "a.ts")
    head = await client.ask()
    assert head.startswith(b"HTTP/1.1 500 ")
    client.go_away()
