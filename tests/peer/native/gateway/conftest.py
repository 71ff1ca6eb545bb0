"""A gateway with an origin, a tracker, and those who ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from p2pcdn.config import Config, PeerConfig
from peer.native.gateway import Gateway


def config(data: Path, gateway: str = "127.0.0.1:0") -> Config:
    return Config(data=data, peer=PeerConfig(gateway=gateway))


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with Gateway(config(tmp_path / "peer")) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@dataclass(frozen=True)
class Raw:
    """What came back over a socket of our own."""

    data: bytes
    reset: bool


async def ask(gateway: Gateway, request: bytes) -> Raw:
    """Send these bytes; wait for the connection's end."""
    host, port = gateway.address
    reader, writer = await asyncio.open_connection(host, port)
    data, reset = b"", False
    try:
        writer.write(request)
        while part := await asyncio.wait_for(reader.read(65_536), 10):
            data += part
    except ConnectionResetError:
        reset = True
    finally:
        writer.close()
    return Raw(data, reset)


def request(line: str, gateway: Gateway, **fields: str) -> bytes:
    """A request's header; ``host`` is right unless said."""
    host, port = gateway.address
    named = {"host": f"{host}:{port}"} | {k.replace("_", "-"): v for k, v in fields.items()}
    lines = [f"{line} HTTP/1.1", *(f"{k}: {v}" for k, v in named.items())]
    return "\r\n".join([*lines, "", ""]).encode()
