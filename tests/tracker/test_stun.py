"""STUN over real UDP sockets, read by another implementation (aioice's)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterator

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.rig import rig
from tracker.stun import BATCH, StunServer, answer

HAS_IPV6 = socket.has_ipv6


def request(**attributes: object) -> bytes:
    return bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, b"transaction1", attributes))


@pytest.mark.parametrize(
    "source", [("198.51.100.7", 54_321), ("2001:db8::7", 1025), ("10.0.0.1", 65_535)]
)
def test_the_answer_says_where_the_request_came_from(source: tuple[str, int]) -> None:
    reply = answer(request(), source)
    assert reply is not None
    message = stun.parse_message(reply)
    assert message.message_class is stun.Class.RESPONSE
    assert message.message_method is stun.Method.BINDING
    assert message.transaction_id == b"transaction1"
    assert message.attributes == {"XOR-MAPPED-ADDRESS": source}


def test_a_mapped_address_is_answered_as_ipv4() -> None:
    reply = answer(request(), ("::ffff:198.51.100.7", 1234, 0, 0))
    assert reply is not None
    assert stun.parse_message(reply).attributes["XOR-MAPPED-ADDRESS"] == ("198.51.100.7", 1234)


def test_a_zone_is_nothing_that_the_client_needs() -> None:
    reply = answer(request(), ("fe80::1%eth0", 1234, 0, 2))
    assert reply is not None
    assert stun.parse_message(reply).attributes["XOR-MAPPED-ADDRESS"] == ("fe80::1", 1234)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(request()[:19], id="short"),
        pytest.param(b"\x00\x11" + request()[2:], id="an indication"),
        pytest.param(b"\x01\x01" + request()[2:], id="an answer, which would go back and forth"),
        pytest.param(b"\x00\x03" + request()[2:], id="TURN"),
        pytest.param(request()[:4] + bytes(4) + request()[8:], id="no cookie (RFC 3489)"),
        pytest.param(request() + b"\x00\x00\x00\x00", id="longer than it says"),
        pytest.param(b"\x00\x01\x00\x04" + request()[4:], id="shorter than it says"),
        pytest.param(b"\x00\x01\x00\x01" + request()[4:] + b"x", id="not padded"),
        pytest.param(b"\x16\xfe\xfd" + bytes(40), id="DTLS"),
        pytest.param(b"\xff" * 1500, id="noise"),
    ],
)
def test_anything_else_is_not_answered(data: bytes) -> None:
    assert answer(data, ("198.51.100.7", 1234)) is None


@given(st.binary(max_size=100))
def test_no_datagram_does_harm(data: bytes) -> None:
    assert answer(data, ("198.51.100.7", 1234)) is None


@pytest.mark.parametrize(("address", "most"), [("198.51.100.7", 32), ("2001:db8::7", 44)])
def test_the_answer_is_no_longer_than_it_has_to_be(address: str, most: int) -> None:
    for data in (request(), request(SOFTWARE="x" * 400)):
        reply = answer(data, (address, 1234))
        assert reply is not None
        assert len(reply) == most


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setblocking(False)
        made.bind(("127.0.0.1", 0))
        yield made


async def ask(client: socket.socket, server: tuple[str, int]) -> stun.Message:
    loop = asyncio.get_running_loop()
    client.connect(server)  # from here on the kernel drops answers from any other address
    async with asyncio.timeout(5):
        await loop.sock_sendall(client, request())
        return stun.parse_message(await loop.sock_recv(client, 1500))


async def test_a_tracker_answers_at_its_own_port(client: socket.socket) -> None:
    async with rig() as tracker:
        message = await ask(client, ("127.0.0.1", tracker.server.port))
        assert message.attributes["XOR-MAPPED-ADDRESS"] == client.getsockname()


async def test_it_can_be_switched_off(client: socket.socket) -> None:
    async with rig(stun=False) as tracker:
        with pytest.raises(ConnectionRefusedError):
            await ask(client, ("127.0.0.1", tracker.server.port))


async def test_a_flood_of_rubbish_does_not_keep_others_from_their_answers(
    client: socket.socket,
) -> None:
    server = StunServer()
    port = free_port()
    server.open("127.0.0.1", port)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
            for _ in range(3 * BATCH):
                flooder.sendto(b"\xff" * 100, ("127.0.0.1", port))
            assert (await ask(client, ("127.0.0.1", port))).attributes
    finally:
        server.close()


async def test_listening_everywhere_it_answers_from_the_address_that_was_asked(
    client: socket.socket,
) -> None:
    server = StunServer()
    port = free_port()
    server.open("", port)
    try:
        assert (await ask(client, ("127.0.0.2", port))).attributes
    finally:
        server.close()


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
async def test_ipv6() -> None:
    server = StunServer()
    port = free_port()
    server.open("::1", port)
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.bind(("::1", 0))
            message = await ask(client, ("::1", port))
            mapped = message.attributes["XOR-MAPPED-ADDRESS"]
            assert ipaddress.ip_address(mapped[0]) == ipaddress.ip_address("::1")
            assert mapped[1] == client.getsockname()[1]
    finally:
        server.close()


async def test_a_taken_port_is_no_reason_not_to_start() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            StunServer().open("127.0.0.1", taken.getsockname()[1])


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
