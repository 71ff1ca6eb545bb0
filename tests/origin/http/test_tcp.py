"""What the kernel says of real connections."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from origin.http.tcp import OpenTcp, Tcp, figures_of, hold_little
from tests.origin.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


class Receiver:
    """A client with a small buffer, which reads when it is told to."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def connect(self, port: int) -> None:
        self.socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", port))

    async def read(self, size: int) -> None:
        while size > 0:
            got = await asyncio.get_running_loop().sock_recv(self.socket, min(size, 4096))
            assert got
            size -= len(got)

    def reset(self) -> None:
        """Go away with data unread."""
        self.socket.close()


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.Transport, Receiver]]:
    accepted: asyncio.Queue[asyncio.Transport] = asyncio.Queue()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            accepted.put_nowait(transport)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Protocol, "127.0.0.1", 0)
    receiver = Receiver()
    try:
        await receiver.connect(server.sockets[0].getsockname()[1])
        transport = await accepted.get()
        yield transport, receiver
        if not transport.is_closing():
            transport.abort()
    finally:
        receiver.socket.close()
        server.close()


async def test_what_is_read_is_acknowledged() -> None:
    async with connection() as (transport, receiver):
        tcp = Tcp(transport)
        transport.write(b"x" * 100_000)
        await receiver.read(100_000)
        await until(lambda: tcp.acknowledged() == 100_000)
        assert tcp.under_way() == 0
        assert not tcp.is_over()
        tcp.close()


async def test_what_is_written_and_not_read_is_under_way() -> None:
    async with connection() as (transport, _):
        tcp = Tcp(transport)
        transport.write(b"x" * 8_000_000)  # more than any kernel takes
        assert transport.get_write_buffer_size() > 0
        await until(lambda: tcp.acknowledged() + tcp.under_way() == 8_000_000)
        assert tcp.under_way() > 7_000_000
        tcp.close()


async def test_little_waits_in_the_kernel() -> None:
    async with connection() as (transport, _):
        hold_little(transport)
        tcp = Tcp(transport)
        transport.write(b"x" * 8_000_000)
        await until(lambda: tcp.acknowledged() > 0)
        assert tcp.under_way() - transport.get_write_buffer_size() < 500_000
        tcp.close()


async def test_figures_outlive_a_reset() -> None:
    async with connection() as (transport, receiver):
        tcp = Tcp(transport)
        transport.write(b"x" * 8_000_000)
        await receiver.read(50_000)
        receiver.reset()
        await until(tcp.is_over)
        await until(transport.is_closing)
        assert 50_000 <= tcp.acknowledged() < 200_000
        tcp.close()


async def test_closing_sends_the_rest_and_the_end() -> None:
    async with connection() as (transport, receiver):
        tcp = Tcp(transport)
        transport.write(b"x" * 3_000_000)
        transport.close()
        assert not tcp.is_over()  # and it does not cut off what is not written yet
        await receiver.read(3_000_000)
        await until(lambda: not tcp.is_over() and tcp.acknowledged() >= 3_000_000)
        assert tcp.is_left
        loop = asyncio.get_running_loop()
        # As the loop's own close would have told it at once.
        assert await asyncio.wait_for(loop.sock_recv(receiver.socket, 1), 5) == b""
        tcp.close()


async def test_no_figures_of_what_is_no_tcp_connection() -> None:
    left, right = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=left)
    assert figures_of(writer.transport) is None
    writer.close()
    right.close()


async def test_no_figures_of_what_is_closed() -> None:
    async with connection() as (transport, _):
        transport.abort()
        await until(lambda: transport.get_extra_info("socket").fileno() < 0)
        assert figures_of(transport) is None


async def test_an_open_connection_needs_no_descriptor_of_its_own() -> None:
    async with connection() as (transport, receiver):
        tcp = OpenTcp(transport)
        assert tcp.socket.fileno() == transport.get_extra_info("socket").fileno()
        tcp.socket.send(b"x" * 1000)  # past the transport
        transport.write(b"x" * 1000)
        await receiver.read(2000)
        await until(lambda: tcp.acknowledged() == 2000)
        assert tcp.written() == 2000
        assert tcp.look() == (2000, False)
        tcp.part()  # nobody counts by it: the loop may close it
        assert tcp.socket.fileno() < 0
        transport.write(b"x")
        await receiver.read(1)


async def test_who_is_still_counted_outlives_the_connection() -> None:
    async with connection() as (transport, receiver):
        tcp = OpenTcp(transport)
        tcp.use()
        tcp.use()
        transport.write(b"x" * 50_000)
        transport.close()
        tcp.part()  # as in connection_lost, before the loop closes its own
        await receiver.read(50_000)
        await until(lambda: tcp.acknowledged() == 50_000)
        await until(lambda: tcp.is_over() or tcp.is_left)
        tcp.close()
        assert tcp.socket.fileno() >= 0
        tcp.close()
        assert tcp.socket.fileno() < 0


async def test_without_descriptors_what_is_known_is_what_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: int) -> int:
        raise OSError

    async with connection() as (transport, receiver):
        tcp = OpenTcp(transport)
        tcp.use()
        transport.write(b"x" * 1000)
        await receiver.read(1000)
        await until(lambda: tcp.acknowledged() == 1000)
        monkeypatch.setattr("os.dup", refuse)
        tcp.part()
        assert tcp.acknowledged() == 1000
        assert tcp.is_over()
        assert tcp.look() == (1000, True)
        tcp.close()


async def test_no_lane_on_what_is_no_tcp_connection() -> None:
    left, right = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=left)
    with pytest.raises(OSError, match=r"."):
        OpenTcp(writer.transport)
    assert left.fileno() >= 0
    writer.close()
    right.close()
