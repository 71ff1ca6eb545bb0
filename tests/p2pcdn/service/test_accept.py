"""A crowd at the door."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from p2pcdn.config import Tls
from p2pcdn.service import accept, ssl_context
from p2pcdn.service.accept import Accepting
from p2pcdn.service.server import bind
from tests.certificates import make_certificate

CROWD = 100


class Door:
    """A server that counts who has come, and says hello to each."""

    def __init__(self) -> None:
        self.came = 0
        self.listening = bind("127.0.0.1", 0)[0]
        self.address = self.listening.getsockname()

    def __call__(self) -> asyncio.Protocol:
        door = self

        class Greeter(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                door.came += 1
                wire = cast(asyncio.Transport, transport)
                wire.write(b"hello")
                wire.close()

        return Greeter()

    async def opened(self, **tls: Any) -> asyncio.Server:
        accepting = Accepting(self.listening, self, **tls)
        return await asyncio.get_running_loop().create_server(accepting, sock=self.listening, **tls)


@contextlib.contextmanager
def crowd(address: tuple[str, int], size: int) -> Iterator[list[socket.socket]]:
    """Connections that the kernel has made, and nobody has accepted yet."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(address, timeout=5)) for _ in range(size)
        ]


async def turns_until(condition: Callable[[], bool]) -> int:
    """Turns of the loop, each of which looks what has come."""
    turns = 0
    async with asyncio.timeout(20):
        while not condition():
            turns += 1
            await asyncio.sleep(0)
    return turns


async def heard(client: socket.socket) -> bytes:
    client.setblocking(False)
    async with asyncio.timeout(5):
        return await asyncio.get_running_loop().sock_recv(client, 9)


@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_a_crowd_is_let_in_at_once(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def main() -> None:
        door = Door()
        server = await door.opened()
        with crowd(door.address, CROWD) as clients:
            assert await turns_until(lambda: door.came == CROWD) < CROWD / 4
            assert {await heard(client) for client in clients} == {b"hello"}
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def test_between_two_parts_of_it_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "MOST", 9)

    async def main() -> None:
        door = Door()
        server = await door.opened()
        with crowd(door.address, CROWD):
            assert await turns_until(lambda: door.came == CROWD) >= CROWD / 10
        server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_whose_tls_comes_to_nothing_harms_nobody(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    troubles: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: troubles.append(context)
        )
        door = Door()
        server = await door.opened(
            ssl=ssl_context(Tls(cert=cert, key=key)), ssl_handshake_timeout=5.0
        )
        trusting = ssl.create_default_context(cafile=cert)
        with crowd(door.address, 6) as clients:
            for odd in clients[::2]:
                odd.sendall(b"GET / HTTP/1.1\r\n\r\n")
            for good in clients[1::2]:
                reader, writer = await asyncio.open_connection(
                    sock=good, ssl=trusting, server_hostname="localhost"
                )
                assert await reader.read() == b"hello"
                writer.close()
            for odd in clients[::2]:
                with contextlib.suppress(ConnectionResetError):
                    while await heard(odd):
                        pass
        assert door.came == 3
        server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    gc.collect()
    assert not troubles
