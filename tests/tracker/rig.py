"""A tracker on a real port, and clients that speak to it over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import msgspec

from p2pcdn.config import Config, PeerConfig, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.model import PROTOCOL
from p2pcdn.service import Server
from p2pcdn.service.worker import ALONE, Worker
from p2pcdn.settings import Settings
from p2pcdn.wire.codec import decode_from_tracker, encode
from p2pcdn.wire.fields import Message
from p2pcdn.wire.tracker import (
    FromTracker,
    Join,
    Joined,
    Linked,
    Offered,
    PreparedOffer,
    Refused,
    SendAnswer,
    SendOffer,
    Welcome,
)
from tests.p2pcdn.core.swarming import CONTENT, sdp
from tracker.api import Api
from tracker.app import PATH, Tracker

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds after which what should come is taken not to come."""


def join(*offers: int, **changes: Any) -> Join:
    fields: dict[str, Any] = {
        "protocol": PROTOCOL,
        "site": "pk_demo",
        "content": CONTENT,
        "client": "browser",
        "upload": True,
        "offers": tuple(PreparedOffer(number, sdp()) for number in offers),
    }
    return Join(**(fields | changes))


class Client:
    """A WebSocket to the tracker."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.peer = ""
        self._passed_over: list[type] = []

    async def send(self, *messages: Message | str | bytes) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await self.socket.send_bytes(message)
            else:
                await self.socket.send_str(message if isinstance(message, str) else encode(message))

    @property
    def transport(self) -> asyncio.Transport:
        """For what a proper client would not do."""
        connection = self.socket._conn
        assert connection is not None
        assert connection.transport is not None
        return connection.transport

    def write(self, data: bytes) -> None:
        """Send raw bytes."""
        self.transport.write(data)

    async def read(self) -> FromTracker | None:
        """The next message, or None when the tracker has closed."""
        async with asyncio.timeout(PATIENCE):
            received = await self.socket.receive()
        if received.type is not aiohttp.WSMsgType.TEXT:
            return None
        return decode_from_tracker(received.data)

    async def expect(self, kind: type[T]) -> T:
        """The next message of this kind; others are passed over."""
        while True:
            message = await self.read()
            assert message is not None, f"closed with {self.socket.close_code}, no {kind.__name__}"
            if isinstance(message, kind):
                return message
            self._passed_over.append(type(message))

    def passed_over(self, kind: type) -> bool:
        """Whether a message of this kind came while others were expected."""
        return kind in self._passed_over

    async def join(self, *offers: int, **changes: Any) -> Client:
        await self.expect(Welcome)
        await self.send(join(*offers, **changes))
        self.peer = (await self.expect(Joined)).peer
        return self

    async def last_words(self) -> tuple[str, int | None]:
        """The code that the tracker gave before it closed, and the close code."""
        code = ""
        while (message := await self.read()) is not None:
            if isinstance(message, Refused) and message.fatal:
                code = message.code.value
        return code, self.socket.close_code

    async def lives(self) -> bool:
        """Whether the socket still answers."""
        await self.send(encode(SendOffer("0" * 16, sdp())))
        return (await self.expect(Refused)).code.value == "unknown_pairing"


class Rig:
    """The server, its ledger, and as many clients as a test wants."""

    def __init__(
        self, config: Config, settings: Settings | None = None, worker: Worker = ALONE
    ) -> None:
        self.config = config
        self.ledger = Ledger()
        self.tracker = Tracker(config, self.ledger, settings, worker=worker)
        self.server = Server.of(config, [self.tracker], worker)
        self.session = aiohttp.ClientSession()
        self._clients: list[Client] = []

    @property
    def url(self) -> str:
        return f"{self.server.url}{PATH}"

    @property
    def api(self) -> Api:
        """Its figures; not every worker has them."""
        assert self.tracker._api is not None
        return self.tracker._api

    async def client(self, **options: Any) -> Client:
        """One more socket."""
        options.setdefault("timeout", aiohttp.ClientWSTimeout(ws_close=1.0))
        client = Client(await self.session.ws_connect(self.url, **options))
        self._clients.append(client)
        return client

    async def joined(self, *offers: int, **changes: Any) -> Client:
        """One more peer."""
        return await (await self.client()).join(*offers, **changes)

    async def json(self, path: str) -> Any:
        async with self.session.get(f"{self.server.url}{path}") as response:
            assert response.status == 200
            return msgspec.json.decode(await response.read())

    async def until(self, condition: Any) -> None:
        """Wait for something that the tracker does without saying so."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - the tracker has no event for a test to wait on
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        for client in self._clients:
            await client.socket.close()
        await self.session.close()
        await self.server.close()


@asynccontextmanager
async def rig(*, peer: PeerConfig | None = None, **limits: Any) -> AsyncIterator[Rig]:
    """A tracker with these limits, on a free port."""
    config = Config(
        listen="127.0.0.1:0", tracker=TrackerConfig(**limits), peer=peer or PeerConfig()
    )
    made = Rig(config)
    await made.server.start()
    try:
        yield made
    finally:
        await made.close()


async def link(offerer: Client, answerer: Client, pairing: str) -> None:
    """What two peers do from the offer on."""
    await answerer.expect(Offered)
    await answerer.send(SendAnswer(pairing, sdp("active")), Linked(pairing, 50.0))
