"""One end of some data channels as the libraries have them, without anything of ours.

Each as its documentation has it, with messages of the size of our frames: an unordered channel, and
a sender that waits for the event that says that little is left in its buffer.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from p2pcdn.wire.chunk import FRAME_BYTES
from peer.native.transport import DATA

MESSAGE = bytes(FRAME_BYTES)
AHEAD = 262_144
"""Bytes in a channel's buffer at which its sender waits: what Chromium's examples use."""


class Bare:
    """What both have in common."""

    def __init__(self) -> None:
        self._connections: list[Any] = []
        self._channels: list[Any] = []
        self._taken = 0

    async def offers(self, count: int) -> list[str]:
        return [await self._offer() for _ in range(count)]

    async def answers(self, offers: list[str]) -> list[str]:
        return [await self._answer(offer) for offer in offers]

    async def accept(self, answers: list[str]) -> None:
        for connection, answer in zip(self._connections, answers, strict=True):
            await self._accept(connection, answer)

    async def take(self, seconds: float) -> int:
        """Take what comes in this time; how many bytes it was."""
        self._taken = 0
        await asyncio.sleep(seconds)
        return self._taken

    async def send(self) -> None:
        """Send over all channels, for ever."""
        await asyncio.gather(*map(self._send, self._channels))

    async def _offer(self) -> str:
        raise NotImplementedError

    async def _answer(self, offer: str) -> str:
        raise NotImplementedError

    async def _accept(self, connection: Any, answer: str) -> None:
        raise NotImplementedError

    async def _send(self, channel: Any) -> None:
        raise NotImplementedError


class BareAiortc(Bare):
    """aiortc's peer connections."""

    def __init__(self) -> None:
        super().__init__()
        self._library: Any = importlib.import_module("aiortc")
        self._opened: list[asyncio.Event] = []

    async def _offer(self) -> str:
        connection = self._new()
        await connection.setLocalDescription(await connection.createOffer())
        return str(connection.localDescription.sdp)

    async def _answer(self, offer: str) -> str:
        connection = self._new()
        await self._describe(connection, offer, "offer")
        await connection.setLocalDescription(await connection.createAnswer())
        return str(connection.localDescription.sdp)

    async def _accept(self, connection: Any, answer: str) -> None:
        await self._describe(connection, answer, "answer")

    async def opened(self) -> None:
        for opened in self._opened:
            await opened.wait()

    async def close(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections))

    def _new(self) -> Any:
        connection = self._library.RTCPeerConnection(self._library.RTCConfiguration([]))
        channel = connection.createDataChannel("data", ordered=False, negotiated=True, id=DATA)
        channel.on("message", self._came)
        opened = asyncio.Event()
        channel.on("open", opened.set)
        self._opened.append(opened)
        self._connections.append(connection)
        self._channels.append(channel)
        return connection

    async def _describe(self, connection: Any, sdp: str, kind: str) -> None:
        await connection.setRemoteDescription(self._library.RTCSessionDescription(sdp, kind))

    def _came(self, data: bytes) -> None:
        self._taken += len(data)

    async def _send(self, channel: Any) -> None:
        low = asyncio.Event()
        channel.bufferedAmountLowThreshold = AHEAD // 2
        channel.on("bufferedamountlow", low.set)
        while True:
            if channel.bufferedAmount >= AHEAD:
                low.clear()
                await low.wait()
            channel.send(MESSAGE)


class BareFast(Bare):
    """aiolibdatachannel's."""

    def __init__(self) -> None:
        super().__init__()
        self._library: Any = importlib.import_module("aiolibdatachannel")
        self._readers: list[asyncio.Task[None]] = []

    async def _offer(self) -> str:
        return str((await (await self._new()).create_offer()).sdp)

    async def _answer(self, offer: str) -> str:
        connection = await self._new()
        await connection.set_remote_description(offer, "offer")
        return str((await connection.create_answer()).sdp)

    async def _accept(self, connection: Any, answer: str) -> None:
        await connection.set_remote_description(answer, "answer")

    async def opened(self) -> None:
        for channel in self._channels:
            await channel.wait_open()

    async def close(self) -> None:
        await asyncio.gather(*(connection.aclose() for connection in self._connections))
        await asyncio.gather(*self._readers)

    async def _new(self) -> Any:
        connection = self._library.PeerConnection()
        options = self._library.DataChannelOptions(ordered=False, negotiated=True, stream_id=DATA)
        channel = await connection.create_data_channel("data", options)
        self._connections.append(connection)
        self._channels.append(channel)
        self._readers.append(asyncio.create_task(self._read(channel)))
        return connection

    async def _read(self, channel: Any) -> None:
        async for message in channel:
            self._taken += len(message)

    async def _send(self, channel: Any) -> None:
        while True:
            await channel.send(MESSAGE)  # which waits while messages are left in the buffer
