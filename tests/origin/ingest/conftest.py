"""An origin that encoders may put to, and an encoder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from yarl import URL

from origin.app import Origin
from p2pcdn.config import Config, IngestConfig
from p2pcdn.service import Server
from tests.origin.conftest import Totals
from tests.origin.media_files import media_playlist

TOKEN = "a-token-of-encoders"


class Encoder:
    """Puts what a test says."""

    def __init__(self, origin: Origin, server: Server, session: ClientSession, content: Path):
        self.origin = origin
        self.server = server
        self.session = session
        self.content = content

    async def send(
        self, method: str, path: str, data: Any = None, token: str | None = TOKEN, **headers: str
    ) -> tuple[int, str]:
        """Status and message of the answer to an upload below /ingest/."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named.setdefault("Authorization", f"Bearer {token}")
        url = URL(f"{self.server.url}/ingest/{path}", encoded=True)
        async with self.session.request(
            method, url, data=data, headers=named, allow_redirects=False
        ) as answer:
            body = await answer.read()
            return answer.status, msgspec.json.decode(body)["error"]["message"] if body else ""

    async def put(self, path: str, data: Any, **headers: str) -> int:
        """The status alone."""
        return (await self.send("PUT", path, data, **headers))[0]

    async def publish(self, *numbers: int, name: str = "live/a.m3u8", **more: Any) -> int:
        """Put a playlist of these segments."""
        text = media_playlist((f"{n}.ts" for n in numbers), first=numbers[0], live=True, **more)
        return await self.put(name, text.encode())

    async def get(self, target: str) -> tuple[int, bytes]:
        async with self.session.get(f"{self.server.url}{target}") as answer:
            return answer.status, await answer.read()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of its own."""
        return await asyncio.open_connection("127.0.0.1", self.server.port)

    def files(self) -> list[str]:
        """All that is on the disk."""
        found = self.content.rglob("*")
        return sorted(str(path.relative_to(self.content)) for path in found if path.is_file())


def head(path: str, *lines: str, method: str = "PUT") -> bytes:
    """The head of an upload, for a raw connection."""
    first = (f"{method} /ingest/{path} HTTP/1.1", "Host: x", f"Authorization: Bearer {TOKEN}")
    return "\r\n".join([*first, *lines, "", ""]).encode()


def chunked(data: bytes) -> bytes:
    """A whole body of an unknown length."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\n\r\n"


StartEncoder = Callable[..., Awaitable[Encoder]]


@pytest.fixture
async def start_encoder(tmp_path: Path, content: Path) -> AsyncIterator[StartEncoder]:
    """Starts origins with limits of uploads as given."""
    async with AsyncExitStack() as stack:

        async def start(**limits: Any) -> Encoder:
            ingest = msgspec.structs.replace(IngestConfig(paths=("live",), token=TOKEN), **limits)
            config = Config(content=content, data=tmp_path / "data", ingest=ingest)
            origin = Origin(config, Totals())
            server = await stack.enter_async_context(Server([origin], host="127.0.0.1", port=0))
            session = await stack.enter_async_context(ClientSession())
            return Encoder(origin, server, session, content)

        yield start


@pytest.fixture
async def encoder(start_encoder: StartEncoder) -> Encoder:
    return await start_encoder()
