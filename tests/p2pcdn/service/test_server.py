"""Hosting: sockets, the order of things, TLS, and a stop that nobody can hold up."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from p2pcdn.config import Config, OriginConfig, Tls
from p2pcdn.errors import ConfigError
from p2pcdn.service import Server, server, ssl_context
from tests.certificates import make_certificate
from tests.p2pcdn.service.hosting import Host, connected, hello, hosted


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


async def test_a_taken_port_is_one_sentence_and_nothing_was_started(taken: int) -> None:
    host = Host()
    with pytest.raises(ConfigError) as caught:
        await Server([host], host="127.0.0.1", port=taken).start()
    assert str(caught.value) == (
        f"Another program listens on port {taken} of 127.0.0.1: stop it, or choose a port with "
        "--listen."
    )
    assert host.calls == []


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("no.such.host.invalid", 0, "there is no host 'no.such.host.invalid'"),
        ("192.0.2.1", 0, "not possible to listen on port 0 of 192.0.2.1"),
    ],
)
async def test_a_host_that_is_not_ours_is_one_sentence(host: str, port: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        await Server([], host=host, port=port).start()


async def test_a_port_for_root_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(server, "_bind_one", refuse)
    with pytest.raises(ConfigError, match=r"Only root may listen on port 80 of 127\.0\.0\.1"):
        await Server([], host="127.0.0.1", port=80).start()


async def test_where_descriptors_are_few_one_address_does_not_have_them_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "affordable", lambda *_: 4)
    limits = OriginConfig(header_timeout=30.0, connections=8, connections_per_address=4)
    async with hosted(web.get("/", hello), limits=limits) as running, AsyncExitStack() as stack:
        for _ in range(2):
            wire = await stack.enter_async_context(connected(running))
            wire.get("/")
            assert (await wire.answer()).status == 200
        over = await stack.enter_async_context(connected(running))
        assert (await over.answer()).status == 503


async def test_an_empty_host_is_every_address_on_one_port() -> None:
    async with Server([Host(web.get("/", hello))], host="", port=0) as running:
        assert running.url == f"http://localhost:{running.port}"
        for address in _own_addresses():
            reader, writer = await asyncio.open_connection(address, running.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"hello")
            writer.close()


def _own_addresses() -> list[str]:
    if not socket.has_ipv6:
        return ["127.0.0.1"]
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "::1"]


class Told(Host):
    """A service that wants to know its address."""

    def bound(self, host: str, port: int) -> None:
        self.calls.append(f"bound {host} {port}")


async def test_services_start_bound_and_close_drained() -> None:
    first, second = Host(), Told()
    running = Server([first, second], host="127.0.0.1", port=0)
    await running.start()
    assert second.calls == [f"bound 127.0.0.1 {running.port}", "start"]
    await running.close()
    assert first.calls == ["start", "drain", "close"]
    assert second.calls[1:] == ["start", "drain", "close"]
    socket.create_server(("127.0.0.1", running.port)).close()
    await running.close()
    assert first.calls == ["start", "drain", "close"]


class Broken(Host):
    """A service that fails at some of its verbs."""

    def __init__(self, *verbs: str) -> None:
        super().__init__()
        self.verbs = verbs

    async def start(self) -> None:
        await super().start()
        self._fail("start")

    async def drain(self) -> None:
        await super().drain()
        self._fail("drain")

    async def close(self) -> None:
        await super().close()
        self._fail("close")

    def _fail(self, verb: str) -> None:
        if verb in self.verbs:
            raise RuntimeError(verb)


async def test_a_service_that_does_not_start_takes_the_others_down_and_frees_the_port() -> None:
    good, bad, never = Host(), Broken("start", "close"), Host()
    running = Server([good, bad, never], host="127.0.0.1", port=0)
    with pytest.raises(RuntimeError, match="start") as caught:
        await running.start()
    assert caught.tb is not None  # it holds on to what was opened: only closing frees the port
    assert good.calls == bad.calls == ["start", "drain", "close"]
    assert never.calls == []
    socket.create_server(("127.0.0.1", running.port)).close()


async def test_a_service_that_fails_to_stop_stops_nobody_else() -> None:
    good, bad = Host(), Broken("drain", "close")
    async with Server([good, bad], host="127.0.0.1", port=0):
        pass
    assert good.calls == bad.calls == ["start", "drain", "close"]


async def test_answers_that_cannot_be_ended_keep_no_service_from_closing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(_: object) -> None:
        raise ZeroDivisionError

    host = Host()
    running = Server([host], host="127.0.0.1", port=0)
    await running.start()
    with monkeypatch.context() as patch:
        patch.setattr(web.AppRunner, "cleanup", fail)
        with pytest.raises(ZeroDivisionError):
            await running.close()
    assert host.calls == ["start", "drain", "close"]
    await running.close()


async def test_while_it_drains_it_answers_and_says_that_it_is_not_ready() -> None:
    asked = asyncio.Event()
    seen: list[str] = []

    class Draining(Host):
        async def drain(self) -> None:
            wire.get("/readyz?verbose")
            seen.append((await wire.answer()).body.decode())
            asked.set()

    running = Server([Draining()], host="127.0.0.1", port=0)
    async with running, connected(running) as wire:
        wire.get("/readyz")
        assert (await wire.answer()).status == 200
        await running.close()
    assert asked.is_set()
    assert seen == ["The server is going away.\n"]


async def test_an_answer_under_way_is_finished() -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        asked.set()
        await release.wait()
        return web.Response(text="whole")

    async with hosted(web.get("/", slow)) as running, connected(running) as wire:
        wire.get("/")
        await asked.wait()
        closing = asyncio.create_task(running.close())
        await asyncio.sleep(0)
        release.set()
        assert (await wire.answer()).body == b"whole"
        await closing


async def test_a_stop_waits_neither_for_answers_nor_for_services_that_never_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in ("DRAIN_TIME", "ANSWER_TIME", "CLOSE_TIME"):
        monkeypatch.setattr(server, limit, 0.05)
    asked = asyncio.Event()

    async def forever(request: web.Request) -> web.Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    class Stubborn(Host):
        async def drain(self) -> None:
            await asyncio.Event().wait()

        async def close(self) -> None:
            await asyncio.Event().wait()

    running = Server([Stubborn(web.get("/", forever))], host="127.0.0.1", port=0)
    await running.start()
    async with connected(running) as wire:
        wire.get("/")
        await asked.wait()
        await running.close()
        assert await wire.ended() == b""


def test_the_stop_takes_less_than_three_seconds_at_the_worst() -> None:
    assert server.DRAIN_TIME + 2 * server.ANSWER_TIME + server.CLOSE_TIME < 3


async def test_https_with_a_certificate_and_its_key(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    config = Config(listen="127.0.0.1:0", tls=Tls(cert=cert, key=key))
    trusting = ssl.create_default_context(cafile=str(cert))
    async with Server.of(config, [Host(web.get("/", hello))]) as running:
        assert running.url == f"https://127.0.0.1:{running.port}"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", running.port, ssl=trusting, server_hostname="localhost"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")
        writer.close()


async def test_a_handshake_has_the_deadline_of_a_header(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    config = Config(
        listen="127.0.0.1:0",
        tls=Tls(cert=cert, key=key),
        origin=OriginConfig(header_timeout=0.2),
    )
    async with Server.of(config, []) as running, connected(running) as wire:
        wire.send(b"\x16\x03\x01")
        assert await wire.ended() == b""


def test_tls_files_that_are_none(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    assert ssl_context(Tls()) is None
    with pytest.raises(ConfigError, match=r"tls\.key has to be a PEM file; there is none at"):
        ssl_context(Tls(cert=cert, key=tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="not a certificate and its key"):
        ssl_context(Tls(cert=key, key=cert))
