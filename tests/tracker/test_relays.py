"""What lets a peer use the operator's TURN servers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog.testing
from aioice import stun
from aioice.turn import create_turn_endpoint

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ConfigError
from p2pcdn.wire.candidate import IPAddress
from p2pcdn.wire.tracker import Joined, Welcome
from p2pcdn.wire.tracker import Relays as Admittance
from tests.coturn import NEEDED, Turn, coturn
from tests.tracker.rig import join, rig
from tracker import relays
from tracker.relays import Relays

URL = "turn:127.0.0.1:3478"
PEER = "0123456789abcdef"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("north of the border\n")
    return path


def config(secret: Path, **changes: Any) -> TrackerConfig:
    return TrackerConfig(**{"turn": (URL,), "turn_secret": secret, "turn_lasts": 100.0, **changes})


def test_credentials_are_those_of_the_turn_rest_interface(secret: Path) -> None:
    given = Relays(config(secret)).admit(PEER, 1_700_000_000.7)
    assert given is not None
    assert given.urls == (URL,)
    assert given.username == f"1700000100:{PEER}"
    digest = hmac.new(b"north of the border", given.username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(given.credential) == digest


class Names:
    """What the resolver says of hosts; of one that it does not know, that there is none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.known: dict[str, list[str]] = {}
        self._asked = asyncio.Queue[str]()
        monkeypatch.setattr(relays, "_addresses", self._addresses)

    async def _addresses(self, host: str) -> set[IPAddress] | str:
        self._asked.put_nowait(host)
        found = self.known.get(host)
        return "no such host" if found is None else {ip_address(text) for text in found}

    async def now(self, **known: list[str]) -> None:
        """Say so from now on, and wait until that has been heard."""
        self.known = {f"{host}.example": addresses for host, addresses in known.items()}
        while not self._asked.empty():
            self._asked.get_nowait()
        for _ in range(2):  # once it is asked again, it has heard the last answer
            await self._asked.get()


@asynccontextmanager
async def started(config: TrackerConfig) -> AsyncIterator[Relays]:
    made = Relays(config)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


def sending(made: Relays, *addresses: str) -> list[str]:
    return [text for text in addresses if made.send_from(ip_address(text))]


async def test_without_servers_there_are_no_relays() -> None:
    async with started(TrackerConfig()) as none:
        assert none.admit(PEER, 0.0) is None
        assert sending(none, "127.0.0.1", "::1") == []


async def test_relays_send_from_where_they_are(secret: Path) -> None:
    urls = (URL, "turn:[::1]:3478", "turns:127.0.0.1")
    async with started(config(secret, turn=urls)) as made:
        assert sending(made, "127.0.0.1", "::1", "127.0.0.2") == ["127.0.0.1", "::1"]


async def test_or_from_where_the_operator_says(secret: Path) -> None:
    async with started(config(secret, turn_relays=("192.0.2.0/28",))) as made:
        assert sending(made, "192.0.2.15", "192.0.2.16", "127.0.0.1") == ["192.0.2.15"]


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b"])
async def test_a_server_that_cannot_be_found_keeps_nobody_waiting(secret: Path, host: str) -> None:
    with structlog.testing.capture_logs() as logs:
        async with started(config(secret, turn=(f"turn:{host}", URL))) as made:
            assert sending(made, "127.0.0.1") == ["127.0.0.1"]
    assert [(entry["event"], entry["host"]) for entry in logs] == [("no_relay", host)]


async def test_a_server_that_moves_is_found_again(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch)
    monkeypatch.setattr(relays, "EVERY", 0.0)
    names.known = {"turn.example": ["192.0.2.1"]}
    async with started(config(secret, turn=("turn:turn.example",))) as made:
        await names.now(turn=["192.0.2.2"])
        # Who is with it stays where it was for a while.
        assert sending(made, "192.0.2.1", "192.0.2.2") == ["192.0.2.1", "192.0.2.2"]
        monkeypatch.setattr(relays, "LASTS", 0.0)
        await names.now(turn=["192.0.2.2"])
        assert sending(made, "192.0.2.1", "192.0.2.2") == ["192.0.2.2"]


async def test_one_that_is_not_found_is_named_and_looked_up_again_soon(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(monkeypatch)
    monkeypatch.setattr(relays, "EVERY", 0.0)
    monkeypatch.setattr(relays, "RETRY", 0.0)
    monkeypatch.setattr(relays, "LASTS", 0.0)
    with structlog.testing.capture_logs() as logs:
        async with started(config(secret, turn=("turn:turn.example",))) as made:
            await names.now(turn=["192.0.2.1"])
            assert sending(made, "192.0.2.1") == ["192.0.2.1"]
            await names.now()
            assert sending(made, "192.0.2.1") == ["192.0.2.1"]
    said = [(entry["event"], entry["host"], entry["error"], entry["in_force"]) for entry in logs]
    assert said[0] == ("no_relay", "turn.example", "no such host", [])
    assert said[-1] == ("no_relay", "turn.example", "no such host", ["192.0.2.1"])


@pytest.mark.parametrize(("text", "complaint"), [(None, "cannot be read"), (" \n", "is empty")])
def test_a_secret_that_is_none_is_said(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=rf"turn_secret = .*secret {complaint}"):
        Relays(config(path))


async def test_only_who_needs_a_relay_is_let_in(secret: Path) -> None:
    async with rig(turn=(URL,), turn_secret=secret) as made:
        told = {}
        for mode in ("any", "lan", "network", "relay"):
            client = await made.client()
            await client.expect(Welcome)
            await client.send(join(mode=mode))
            told[mode] = await client.expect(Joined)
        assert [mode for mode in told if told[mode].relays] == ["relay"]
        given = told["relay"].relays
        assert given is not None
        assert given.username.endswith(told["relay"].peer)


async def allocate(turn: Turn, given: Admittance) -> tuple[str, int]:
    """The relayed address that a TURN server gives for these credentials."""
    transport, _ = await create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=("127.0.0.1", turn.port),
        username=given.username,
        password=given.credential,
    )
    found: tuple[str, int] = transport.get_extra_info("sockname")
    transport.close()
    await asyncio.sleep(0.1)  # it says goodbye to the server
    return found


@NEEDED
async def test_a_turn_server_takes_them_until_they_expire(tmp_path: Path) -> None:
    async with coturn(tmp_path) as turn:
        given = [
            Relays(config(turn.secret, turn=(turn.url,))).admit(PEER, time.time() - age)
            for age in (0, 101)
        ]
        in_time, late = given
        assert in_time is not None
        assert late is not None
        assert (await allocate(turn, in_time))[0] == "127.0.0.1"
        forged = msgspec.structs.replace(late, username=in_time.username)
        for refused in (late, forged):
            with pytest.raises(stun.TransactionFailed):
                await allocate(turn, refused)
