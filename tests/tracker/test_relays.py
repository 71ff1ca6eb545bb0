"""What lets a peer use the operator's TURN servers."""

from __future__ import annotations

import base64
import hashlib
import hmac
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ConfigError
from p2pcdn.wire.tracker import Joined, Welcome
from tests.tracker.rig import join, rig
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


async def test_without_servers_there_are_no_relays() -> None:
    none = Relays(TrackerConfig())
    await none.resolve()
    assert none.admit(PEER, 0.0) is None
    assert none.networks == ()


async def test_relays_send_from_where_they_are(secret: Path) -> None:
    relays = Relays(config(secret, turn=(URL, "turn:[::1]:3478", "turns:127.0.0.1")))
    await relays.resolve()
    assert set(relays.networks) == {ip_network("127.0.0.1"), ip_network("::1")}


async def test_or_from_where_the_operator_says(secret: Path) -> None:
    relays = Relays(config(secret, turn_relays=("192.0.2.0/28",)))
    await relays.resolve()
    assert relays.networks == (ip_network("192.0.2.0/28"),)


async def test_a_server_that_cannot_be_found_keeps_nobody_waiting(secret: Path) -> None:
    relays = Relays(config(secret, turn=("turn:nowhere.invalid", URL)))
    await relays.resolve()
    assert relays.networks == (ip_network("127.0.0.1"),)


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
