"""The limits of a native peer, below the messages of a link."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Thread
from unittest import mock

from aiortc.rtcsctptransport import SCTP_DATA_FIRST_FRAG, DataChunk

from p2pcdn.core.ports import LinkBroke
from p2pcdn.core.store import Store
from p2pcdn.model import ChunkKey
from p2pcdn.wire.link import Cancel
from peer.native.transport.aiortc import AiortcTransport
from peer.native.transport.ice import MOST_BYTES, MOST_QUEUED, DatagramQueue
from peer.native.transport.loop_queue import MOST_WAITING, LoopQueue
from peer.native.transport.shared import MOST_CANDIDATES, MOST_TOLD
from tests.limits.case import counted
from tests.peer.native.transport.ends import End, Stranger


def stored(size: int) -> str:
    store = Store(1000)
    for count in range(0, size, 100):
        part = min(100, size - count)
        store.put(ChunkKey("v", count // 100, 0), bytes(part))
        store.evict(0, ())
    return "" if store.size == size else "dropped"


async def datagrams(number: int) -> str:
    queue = DatagramQueue()
    for _ in range(number):
        queue.put_nowait((b"x", 1))
    return "" if queue.qsize() == number else "dropped"


async def datagram_of(size: int) -> str:
    queue = DatagramQueue()
    queue.put_nowait((bytes(size), 1))
    return "" if queue.qsize() else "dropped"


async def fragments(number: int) -> str:
    """Of a message that never ends."""
    transport, stranger = AiortcTransport(), Stranger()
    end = End(transport)
    with mock.patch("peer.native.transport.guard.MOST_FRAGMENTS", 20):
        await stranger.call(end)
        for count in range(number):
            chunk = DataChunk(flags=SCTP_DATA_FIRST_FRAG if count == 0 else 0)
            chunk.tsn = (stranger.sctp._local_tsn + count) % 2**32
            chunk.stream_id, chunk.user_data = 0, bytes(1000)
            await stranger.sctp._send_chunk(chunk)
        streams = end.link._sctp._inbound_streams
        async with asyncio.timeout(10):
            while not end.all(LinkBroke) and (  # noqa: ASYNC110 - aiortc does not tell
                0 not in streams or len(streams[0].reassembly) < number
            ):
                await asyncio.sleep(0.01)
        assert len(streams[0].reassembly) <= 20
        broke = end.all(LinkBroke)
    await end.link.close()
    await stranger.connection.close()
    await transport.close()
    return broke[0].code if broke else ""


async def link_of_aiortc(use: Callable[[End], str]) -> str:
    transport = AiortcTransport()
    end = End(transport)
    try:
        return use(end)
    finally:
        await end.link.close()
        await transport.close()


def told_to_nobody(size: int) -> Awaitable[str]:
    def use(end: End) -> str:
        sent: list[str] = []
        channel = mock.Mock(readyState="open", bufferedAmount=size, send=sent.append)
        with mock.patch.object(end.link, "_control", channel):
            end.link.tell(Cancel(1))
        return "" if sent else "closed"

    return link_of_aiortc(use)


def candidates_for(number: int) -> Awaitable[str]:
    def use(end: End) -> str:
        for _ in range(number):
            end.link.add_candidate("candidate:1 1 udp 1 192.0.2.1 5000 typ host")
        return "" if len(end.link._tasks) == number else "ignored"

    return link_of_aiortc(use)


async def handed_over(number: int) -> str:
    """By a thread, to a loop that is busy."""
    queue = LoopQueue[int](lambda item: None)

    def put_all() -> None:
        for item in range(number):
            queue.put(item)

    thread = Thread(target=put_all)
    thread.start()
    kept = 0
    for _ in range(1_000):
        thread.join(0.001)
        kept = len(queue._waiting)
        if kept == min(number, MOST_WAITING):
            break
    queue.end()
    await asyncio.to_thread(thread.join)
    return "" if kept == number else "the other end waits"


CASES = [
    counted("peer.store_bytes", 1000, stored, "dropped", far=100_000),
    counted("peer.native.transport.ice.MOST_QUEUED", MOST_QUEUED, datagrams, "dropped",
            far=50_000),
    counted("peer.native.transport.ice.MOST_BYTES", MOST_BYTES, datagram_of, "dropped",
            far=65_507),
    counted("peer.native.transport.guard.MOST_FRAGMENTS", 20, fragments, "too_large", far=400),
    counted("peer.native.transport.loop_queue.MOST_WAITING", MOST_WAITING, handed_over,
            "the other end waits", far=10_000),
    counted("peer.native.transport.shared.MOST_TOLD", MOST_TOLD, told_to_nobody, "closed"),
    counted("peer.native.transport.shared.MOST_CANDIDATES", MOST_CANDIDATES, candidates_for,
            "ignored", far=1000),
]  # fmt: skip
