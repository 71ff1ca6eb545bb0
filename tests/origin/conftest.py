"""A running origin, and what talks to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientResponse, ClientSession, web
from yarl import URL

from origin.app import Origin
from p2pcdn.config import Config, OriginConfig
from p2pcdn.core.audit import Extent
from p2pcdn.core.firsts import Place
from p2pcdn.service import Server


@dataclass
class Totals:
    """A ledger that only adds up."""

    media: int = 0
    overhead: int = 0
    contents: Counter[str] = field(default_factory=Counter)
    """Media by content."""
    places: list[tuple[Place, int]] = field(default_factory=list)
    """Where media began, and how much it was."""
    extents: dict[tuple[str, str], Extent] = field(default_factory=dict)
    """By content and rendition."""

    def origin_sent(
        self, media: int, overhead: int = 0, content: str = "", place: Place | None = None
    ) -> None:
        assert media >= 0
        assert overhead >= 0
        if place is not None:
            self.places.append((place, media))
        self.media += media
        self.contents[content] += media
        self.overhead += overhead

    def measured(self, content: str, rendition: str, extent: Extent) -> None:
        self.extents[content, rendition] = extent


class Site:
    """An origin on a port of its own, and a client."""

    def __init__(self, origin: Origin, server: Server, session: ClientSession, totals: Totals):
        self.origin = origin
        self.server = server
        self.session = session
        self.totals = totals

    def request(self, method: str, target: str, **headers: str) -> Awaitable[ClientResponse]:
        """Send ``target`` as it is, with headers by names such as ``if_range``."""
        url = URL(f"{self.server.url}{target}", encoded=True)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, url, headers=named)

    async def get(self, target: str, **headers: str) -> ClientResponse:
        """A GET; the body is read."""
        response = await self.request("GET", target, **headers)
        await response.read()
        return response

    async def error(self, target: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, code and message of an answer that has to be one of our errors."""
        async with await self.request(method, target) as response:
            body = msgspec.json.decode(await response.read())
            assert response.content_type == "application/json"
            assert set(body) == {"error"}
            return response.status, body["error"]["code"], body["error"]["message"]


StartSite = Callable[..., Awaitable[Site]]


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """The directory that is served."""
    directory = tmp_path / "content"
    directory.mkdir()
    return directory


@pytest.fixture
async def start_site(tmp_path: Path, content: Path) -> AsyncIterator[StartSite]:
    """Starts origins of the content; all are closed at the end."""
    async with AsyncExitStack() as stack:

        async def start(
            *, limits: OriginConfig | None = None, extra_routes: tuple[web.RouteDef, ...] = ()
        ) -> Site:
            config = Config(
                content=content, data=tmp_path / "data", origin=limits or OriginConfig()
            )
            totals = Totals()
            origin = Origin(config, totals, extra_routes=extra_routes)
            server = await stack.enter_async_context(Server([origin], host="127.0.0.1", port=0))
            session = await stack.enter_async_context(ClientSession(auto_decompress=False))
            return Site(origin, server, session, totals)

        yield start


@pytest.fixture
async def site(start_site: StartSite) -> Site:
    """One origin."""
    return await start_site()
