"""Slow and oversized request headers, sent as an attacker would."""

from __future__ import annotations

import asyncio
import socket as sockets
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

import pytest
from aiohttp import web

from p2pcdn.config import OriginConfig
from p2pcdn.service import Server
from p2pcdn.service.deadline import LEAST_TAKEN, DeadlineHandler, reads_body
from tests.p2pcdn.service.hosting import connected, hello, hosted


async def drip(wire: asyncio.StreamWriter, text: str) -> None:
    """Write one byte at a time, until the other side has had enough."""
    for byte in text.encode() * 1000:
        wire.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def test_a_silent_connection_is_closed_without_a_word() -> None:
    async with hosted() as server, connected(server) as wire:
        assert await wire.ended() == b""


async def test_half_a_header_is_told_so_and_closed() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\nHost: x\r\n")
        answer = await wire.answer()
        assert answer.status == 408
        assert answer.error == (
            "request_timeout", "The request's header was not complete within 0.3 s.",
        )  # fmt: skip
        assert await wire.ended() == b""


async def test_more_bytes_do_not_turn_the_clock_back() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\n")
        dripping = asyncio.create_task(drip(wire.writer, "X-Slow: 1\r\n"))
        await wire.ended()  # the 408 may be lost: whoever still writes gets a reset
        dripping.cancel()


async def test_a_kept_connection_may_be_idle_longer_than_a_header_may_take() -> None:
    async with hosted(web.get("/", hello)) as server, AsyncExitStack() as stack:
        kept = await stack.enter_async_context(connected(server))
        clock = await stack.enter_async_context(connected(server))
        kept.get("/")
        assert (await kept.answer()).body == b"hello"
        await clock.ended()  # it has said nothing for as long as a header may take
        kept.get("/")
        assert (await kept.answer()).body == b"hello"


async def test_the_next_header_on_a_kept_connection_has_its_deadline_too() -> None:
    async with hosted(web.get("/", hello)) as server, connected(server) as wire:
        wire.get("/")
        await wire.answer()
        wire.send("GET / HT")
        assert (await wire.answer()).status == 408
        assert await wire.ended() == b""


async def test_a_handler_may_take_longer_than_a_header() -> None:
    release = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(text="at last")

    async with hosted(web.get("/", slow)) as server, AsyncExitStack() as stack:
        busy = await stack.enter_async_context(connected(server))
        busy.get("/")
        clock = await stack.enter_async_context(connected(server))
        await clock.ended()
        release.set()
        assert (await busy.answer()).body == b"at last"


@pytest.mark.parametrize("header", ["Content-Length: 100", "Transfer-Encoding: chunked"])
async def test_a_body_has_the_same_deadline(header: str) -> None:
    async with hosted(web.post("/", hello)) as server, connected(server) as wire:
        wire.send(f"POST / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n")
        answer = await wire.answer()
        assert answer.status == 408
        assert answer.error[1] == "The request's body was not complete within 0.3 s."
        assert await wire.ended() == b""


async def test_a_body_in_time_is_there_for_the_handler() -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with hosted(web.post("/", read)) as server, connected(server) as wire:
        wire.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        await asyncio.sleep(0.01)
        wire.send("b")
        assert (await wire.answer()).body == b"ab"


async def test_a_websocket_may_be_silent() -> None:
    async def socket(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            await ws.send_str(message.data)
        return ws

    async with hosted(web.get("/", socket)) as server, AsyncExitStack() as stack:
        wire = await stack.enter_async_context(connected(server))
        wire.get(
            "/",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        assert b" 101 " in await wire.reader.readuntil(b"\r\n\r\n")
        for _ in range(2):
            wire.send(b"\x81\x82\x00\x00\x00\x00hi")  # a masked text frame, RFC 6455, 5.2
            assert await wire.reader.readexactly(4) == b"\x81\x02hi"
            clock = await stack.enter_async_context(connected(server))
            await clock.ended()


async def test_an_idle_connection_is_closed_after_its_keepalive() -> None:
    limits = OriginConfig(header_timeout=30.0, keepalive=0.2)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        wire.get("/")
        await wire.answer()
        assert await wire.ended() == b""


async def test_a_header_that_grows_and_grows_is_refused_before_it_ends() -> None:
    limits = OriginConfig(header_timeout=30.0, header_bytes=4096, header_count=1000)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        lines = [f"X-{number}: {'x' * 90}\r\n" for number in range(60)]
        wire.send("GET / HTTP/1.1\r\n" + "".join(lines[:30]))
        await wire.writer.drain()
        wire.send("".join(lines[30:]))
        answer = await wire.answer()
        assert answer.status == 431
        assert answer.error == (
            "request_header_fields_too_large", "A request header has at most 4096 bytes here.",
        )  # fmt: skip
        assert await wire.ended() == b""


async def test_a_large_header_that_comes_at_once_is_refused_too() -> None:
    limits = OriginConfig(header_bytes=1024)
    async with hosted(web.get("/", hello), limits=limits) as server, connected(server) as wire:
        bare = len("GET / HTTP/1.1\r\nHost: test\r\nX: \r\n\r\n")
        wire.get("/", f"X: {'x' * (1024 - bare)}")
        assert (await wire.answer()).status == 200
        wire.get("/", f"X: {'x' * (1025 - bare)}")
        answer = await wire.answer()
        assert answer.status == 431
        assert answer.error[0] == "request_header_fields_too_large"


async def test_a_header_at_its_bounds_is_fine_and_one_line_more_is_not() -> None:
    limits = OriginConfig(header_timeout=30.0, header_count=16)
    async with hosted(web.get("/", hello), limits=limits) as server, AsyncExitStack() as stack:
        good = await stack.enter_async_context(connected(server))
        good.get("/", *(f"X-{number}: 1" for number in range(limits.header_count - 1)))
        assert (await good.answer()).status == 200
        bad = await stack.enter_async_context(connected(server))
        bad.get("/", *(f"X-{number}: 1" for number in range(limits.header_count)))
        assert (await bad.answer()).error[0] == "bad_request"
        assert await bad.ended() == b""


async def test_a_line_that_is_too_long_is_refused() -> None:
    async with hosted(web.get("/", hello)) as server, connected(server) as wire:
        wire.get("/", f"X-Long: {'x' * 9000}")
        answer = await wire.answer()
        assert answer.status == 400
        assert await wire.ended() == b""


async def test_what_is_not_http_is_told_so_in_our_shape() -> None:
    async with hosted() as server, connected(server) as wire:
        wire.send("GET / HTTP/1.1\r\nno colon\r\n\r\n")
        answer = await wire.answer()
        assert answer.status == 400
        code, message = answer.error
        assert code == "bad_request"
        assert message.startswith("This is not valid HTTP: ")
        assert "\n" not in message
        assert await wire.ended() == b""


async def test_a_body_that_is_not_what_it_says_is_no_failure_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with hosted(web.post("/", hello)) as server, connected(server) as wire:
        wire.send(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
        )
        assert (await wire.answer()).error[0] == "bad_request"
        assert await wire.ended() == b""
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_hundreds_of_slow_connections_disturb_nobody() -> None:
    limits = OriginConfig(header_timeout=30.0)
    async with hosted(web.get("/", hello), limits=limits) as server, AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(server)) for _ in range(300)]
        for wire in slow:
            wire.send("GET / HTTP/1.1\r\nX: ")
        good = await stack.enter_async_context(connected(server))
        good.get("/")
        assert (await good.answer()).body == b"hello"
        # However long it took to open them all: now is the deadline of each.
        running = [h for h in await handlers(server, 301) if h._header_clock is not None]
        assert len(running) == 300
        for handler in running:
            handler._expire()
        for wire in slow:
            assert b" 408 " in await wire.ended()


async def test_one_connection_too_many_is_told_so() -> None:
    limits = OriginConfig(header_timeout=30.0, connections=3)
    async with hosted(web.get("/", hello), limits=limits) as server, AsyncExitStack() as stack:
        inside = [await stack.enter_async_context(connected(server)) for _ in range(3)]
        for wire in inside:
            wire.get("/")
            assert (await wire.answer()).status == 200
        for _ in range(30):
            async with connected(server) as over:
                answer = await over.answer()
                assert answer.status == 503
                assert answer.error[0] == "service_unavailable"
                assert await over.ended() == b""
        inside[0].send("GET / HTTP/1.0\r\n\r\n")
        await inside[0].ended()
        late = await stack.enter_async_context(connected(server))
        late.get("/")
        assert (await late.answer()).status == 200


class Deaf:
    """A connection with a small buffer, on which nothing is read."""

    def __init__(self, server: Server, path: str) -> None:
        self._server = server
        self._path = path
        self._socket = sockets.socket()
        self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        self._socket.setblocking(False)

    async def __aenter__(self) -> Deaf:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", self._server.port))
        await loop.sock_sendall(self._socket, self._path.encode())
        return self

    async def __aexit__(self, *_: Any) -> None:
        self._socket.close()

    async def taken(self) -> int:
        """How much there is to be read in the end."""
        total = 0
        with suppress(ConnectionError):
            while data := await asyncio.get_running_loop().sock_recv(self._socket, 65_536):
                total += len(data)
        return total


async def handlers(server: Server, number: int) -> list[DeadlineHandler]:
    """The server's connections, once there are so many."""
    assert server._runner is not None
    assert server._runner.server is not None
    while len(server._runner.server.connections) != number:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    return cast(list[DeadlineHandler], server._runner.server.connections)


class Ended:
    """Handlers that answer with so many bytes, and tell that they have come to their end."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.ended = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = self.size
        await response.prepare(request)
        try:
            await response.write(bytes(self.size))
        finally:
            self.ended.set()
        return response


async def test_who_takes_nothing_of_an_answer_is_cut() -> None:
    large = Ended(10_000_000)
    limits = OriginConfig(stall_timeout=0.2)
    request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    async with (
        hosted(web.get("/", large.answer), limits=limits) as server,
        Deaf(server, request) as deaf,
    ):
        await large.ended.wait()
        assert await deaf.taken() < large.size


class Buffer:
    """A transport, as far as it tells what waits in it."""

    def __init__(self, *sizes: int) -> None:
        self._sizes = iter(sizes)
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return next(self._sizes)

    def abort(self) -> None:
        self.aborted = True


async def test_who_takes_some_of_it_is_borne_with_for_as_long_again() -> None:
    async with hosted() as server, connected(server):
        (handler,) = await handlers(server, 1)
        taken = LEAST_TAKEN
        buffer = handler._wire = Buffer(
            100_000, 100_000 - taken, 100_000 - taken, 100_001 - 2 * taken
        )  # type: ignore[assignment]
        handler._start_stall_clock()
        handler._look_at_stall()
        assert not buffer.aborted
        assert handler._stall_clock is not None
        handler._look_at_stall()
        assert buffer.aborted


async def test_what_is_left_of_an_answer_does_not_keep_a_closed_connection() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        raw = request.transport.get_extra_info("socket")
        raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 4096)
        return web.Response(body=bytes(60_000))  # little enough that no handler waits for it

    limits = OriginConfig(stall_timeout=0.2)
    async with (
        hosted(web.get("/", answer), limits=limits) as server,
        Deaf(server, "GET / HTTP/1.0\r\n\r\n"),
    ):
        await handlers(server, 1)
        await handlers(server, 0)


async def test_a_handler_may_read_its_body_itself() -> None:
    got: list[bytes] = []

    @reads_body
    async def read(request: web.Request) -> web.Response:
        got.append(await request.content.readany())
        got.append(await request.content.readany())
        return web.Response(text="hello")

    async with hosted(web.put("/", read)) as server, connected(server) as wire:
        wire.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        async with AsyncExitStack() as stack:
            clock = await stack.enter_async_context(connected(server))
            await clock.ended()  # it has said nothing for as long as a body may take elsewhere
        wire.send("cd")
        assert (await wire.answer()).status == 200
    assert got == [b"ab", b"cd"]


async def test_whoever_closes_after_a_whole_body_has_sent_it_all_the_same() -> None:
    began, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    got: list[bytes] = []

    @reads_body
    async def read(request: web.Request) -> web.Response:
        began.set()
        await release.wait()
        got.append(await request.content.read())
        done.set()
        return web.Response(text="hello")

    async with hosted(web.put("/", read)) as server:
        async with connected(server) as wire:
            wire.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd")
            await began.wait()
            [connection] = await handlers(server, 1)
        while connection.transport is not None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        release.set()
        async with asyncio.timeout(10):
            await done.wait()
    assert got == [b"abcd"]
