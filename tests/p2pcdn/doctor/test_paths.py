"""STUN servers and addresses."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from aioice import stun

from p2pcdn.doctor import Verdict, paths
from p2pcdn.doctor.paths import examine, own_addresses, seen_by
from tests.p2pcdn.doctor.servers import everything, not_good


class Server(asyncio.DatagramProtocol):
    """A STUN server that sees what it is told to see, and misses what comes first."""

    def __init__(self, sees: str, misses: int = 0) -> None:
        self.sees, self.misses = sees, misses

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = stun.parse_message(data)
        self.misses -= 1
        if self.misses >= 0:
            self.transport.sendto(b"no STUN", addr)
            return
        answer = stun.Message(
            message_method=stun.Method.BINDING,
            message_class=stun.Class.RESPONSE,
            transaction_id=asked.transaction_id,
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = (self.sees, addr[1])
        self.transport.sendto(bytes(answer), addr)


async def serving(sees: str, misses: int = 0) -> tuple[asyncio.DatagramTransport, int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Server(sees, misses), local_addr=("127.0.0.1", 0)
    )
    return transport, transport.get_extra_info("sockname")[1]


async def test_the_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PATIENCE", 0.02)
    transport, port = await serving("203.0.113.7", misses=2)
    assert await seen_by("127.0.0.1", port) == "203.0.113.7"
    transport.close()
    await asyncio.sleep(0)
    assert await seen_by("127.0.0.1", port) is None


@pytest.mark.parametrize(
    ("sees", "word"),
    [("203.0.113.7", "behind a NAT"), ("192.0.2.1", "no NAT"), ("127.0.0.1", "only")],
)
async def test_what_the_server_sees(sees: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def own() -> list[str]:
        return ["192.0.2.1"]

    monkeypatch.setattr(paths, "own_addresses", own)
    transport, port = await serving(sees)
    found = await everything(examine(("127.0.0.1", port), advertised=False))
    transport.close()
    assert not_good(found) == {}
    assert word in found["stun"].sentence


@pytest.mark.parametrize(
    ("own", "container", "advertised", "subject"),
    [
        ([], False, False, {"addresses": Verdict.WRONG}),
        (["172.18.0.3"], True, False, {"addresses": Verdict.DOUBT}),
        (["172.18.0.3"], True, True, {}),
        (["172.18.0.3"], False, False, {}),
        (["172.18.0.3", "192.0.2.1"], True, False, {}),
        (["172.18.0.3", "fd00::3"], True, True, {}),
    ],
)
async def test_addresses(
    own: list[str],
    container: bool,
    advertised: bool,
    subject: dict[str, Verdict],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def addresses() -> list[str]:
        return own

    monkeypatch.setattr(paths, "own_addresses", addresses)
    monkeypatch.setattr(paths, "in_container", lambda: container)
    found = not_good(await everything(examine(None, advertised=advertised)))
    assert found == {"stun": Verdict.DOUBT, **subject}


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "PATIENCE", 0.01)
    transport, port = await serving("192.0.2.1")
    transport.close()
    await asyncio.sleep(0)
    found = await everything(examine(("127.0.0.1", port), advertised=False))
    assert found["stun"].verdict is Verdict.WRONG
    assert f"UDP port {port}" in found["stun"].advice


async def test_addresses_are_this_machines() -> None:
    assert not {"127.0.0.1", "::1"} & set(await own_addresses())
