"""Native peers that mean harm: somebody sits between them and their links, and spoils frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from p2pcdn.config import Config, PeerConfig
from p2pcdn.core.ports import Allow, Input, LinkClosed, LinkSays
from p2pcdn.core.store import Store
from p2pcdn.model import ChunkKey
from p2pcdn.wire.chunk import Frame
from p2pcdn.wire.link import Bye, Want
from peer.native.runner import NativePeer
from peer.native.transport import Feed
from peer.native.transport.aiortc import AiortcLink, AiortcTransport

MIB = 1024 * 1024
STORE = 4 * MIB
"""Eight segments are enough to be asked for, and soon loaded."""


class EvilTransport(AiortcTransport):
    """A transport whose links spoil what they send."""

    def __init__(self, behaviour: str) -> None:
        super().__init__()
        self.behaviour = behaviour
        self.spoil = BEHAVIOURS[behaviour]
        self.store: Store
        self.wants: dict[tuple[int, int], ChunkKey] = {}
        self.spoilt: set[int] = set()
        """Links over which something spoilt was sent."""
        self.cut: set[int] = set()
        """Links that the other end has ended since."""

    def link(self, number: int, feed: Feed) -> AiortcLink:
        def heard(given: Input) -> None:
            if isinstance(given, LinkSays) and isinstance(given.message, Want):
                want = given.message
                key = ChunkKey(want.rendition, want.sequence, want.chunk)
                self.wants[number, want.want] = key
            is_end = isinstance(given, LinkClosed) or (
                isinstance(given, LinkSays) and isinstance(given.message, Bye)
            )
            if is_end and number in self.spoilt:
                self.cut.add(number)
            feed(given)

        return EvilLink(self, number, heard)


class EvilLink(AiortcLink):
    """A link over which nothing goes as it was."""

    def __init__(self, transport: EvilTransport, number: int, feed: Feed) -> None:
        super().__init__(transport, number, feed)
        self._evil = transport
        self._number = number

    def send(self, frame: Frame) -> None:
        key = self._evil.wants[self._number, frame.want]
        self._evil.spoilt.add(self._number)
        for spoilt in self._evil.spoil(self._evil, key, frame, super().send):
            super().send(spoilt)


Spoil = Callable[[EvilTransport, ChunkKey, Frame, Callable[[Frame], None]], Sequence[Frame]]


def _is_last(by: EvilTransport, key: ChunkKey, frame: Frame) -> bool:
    chunk = by.store.get(key)
    return chunk is not None and frame.offset + len(frame.payload) == len(chunk)


def _wrong(_: EvilTransport, __: ChunkKey, frame: Frame, ___: Any) -> Sequence[Frame]:
    return [frame._replace(payload=b"\xa5" * len(frame.payload))]


def _truncated(by: EvilTransport, key: ChunkKey, frame: Frame, _: Any) -> Sequence[Frame]:
    return [frame._replace(payload=frame.payload[:-1])] if _is_last(by, key, frame) else [frame]


def _overlong(by: EvilTransport, key: ChunkKey, frame: Frame, _: Any) -> Sequence[Frame]:
    end = frame.offset + len(frame.payload)
    more = [Frame(frame.want, end, b"\0")] if _is_last(by, key, frame) else []
    return [*more, frame]


def _of(by: EvilTransport, key: ChunkKey, frame: Frame) -> Sequence[Frame]:
    data = by.store.get(key) or b""
    part = data[frame.offset : frame.offset + len(frame.payload)]
    return [frame._replace(payload=part.ljust(len(frame.payload), b"\0"))]


def _another_chunk(by: EvilTransport, key: ChunkKey, frame: Frame, _: Any) -> Sequence[Frame]:
    return _of(by, key._replace(chunk=key.chunk ^ 1), frame)


def _another_segment(by: EvilTransport, key: ChunkKey, frame: Frame, _: Any) -> Sequence[Frame]:
    return _of(by, key._replace(sequence=key.sequence ^ 1), frame)


def _nothing(_: EvilTransport, __: ChunkKey, ___: Frame, ____: Any) -> Sequence[Frame]:
    return []


def _tarpit(
    _: EvilTransport, __: ChunkKey, frame: Frame, send: Callable[[Frame], None]
) -> Sequence[Frame]:
    """A byte a second."""
    if frame.offset == 0:
        loop = asyncio.get_running_loop()
        for at in range(20):
            loop.call_later(at, send, Frame(frame.want, at, frame.payload[at : at + 1]))
    return []


BEHAVIOURS: dict[str, Spoil] = {
    "wrong bytes": _wrong,
    "truncated": _truncated,
    "overlong": _overlong,
    "another chunk": _another_chunk,
    "another segment": _another_segment,
    "false have": _nothing,
    "tarpit": _tarpit,
}


class EvilPeer(NativePeer):
    """A native peer that holds everything and gives nothing good; `allow` lets it begin."""

    def __init__(self, url: str, behaviour: str) -> None:
        self.evil = EvilTransport(behaviour)
        super().__init__(url, config=QUIET, transport=self.evil)

    async def complete(self) -> None:
        await super().complete()
        self.evil.store = self.store


QUIET = Config(peer=PeerConfig(store_bytes=STORE, upload=False))
"""Peers that load from the origin alone, until they are allowed to send."""


def allow(peer: NativePeer) -> None:
    """From now on it sends to others."""
    peer._engine.feed(Allow(p2p=True, upload=True))
