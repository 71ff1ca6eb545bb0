"""The tracker's socket, against a server that a test directs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import aiohttp
import pytest
import structlog.testing
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from p2pcdn.wire.codec import decode_to_tracker, encode
from p2pcdn.wire.tracker import FromTracker, Joined, Leave, Limits, ToTracker, Unlinked, Welcome
from peer.native import tracker_client
from peer.native.tracker_client import Pace, TrackerClient, TrackerError
from tests.e2e.servers import free_port

WELCOME = Welcome(1, "0" * 32, Limits(65_536, 20, 16), 10.0)


class Tracker:
    """Welcomes everybody."""

    def __init__(self) -> None:
        self.sockets: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
        self.heard: asyncio.Queue[ToTracker] = asyncio.Queue()
        self.closed: asyncio.Queue[int | None] = asyncio.Queue()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(encode(WELCOME))
        self.sockets.put_nowait(socket)
        async for message in socket:
            self.heard.put_nowait(decode_to_tracker(message.data))
        self.closed.put_nowait(socket.close_code)
        return socket


class Peer:
    """A client, and what it has told."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.heard: asyncio.Queue[FromTracker] = asyncio.Queue()
        self.lost: asyncio.Queue[None] = asyncio.Queue()
        self.client = TrackerClient(
            session, url, hear=self.heard.put_nowait, lost=lambda: self.lost.put_nowait(None)
        )


@pytest.fixture
async def tracker() -> Tracker:
    return Tracker()


@pytest.fixture
async def server(tracker: Tracker) -> AsyncIterator[BaseTestServer]:
    app = web.Application()
    app.router.add_get("/tracker/v1", tracker.handle)
    async with TestServer(app) as server:
        yield server


class Node(NamedTuple):
    """Another node of the tracker."""

    tracker: Tracker
    server: BaseTestServer

    @property
    def url(self) -> str:
        return str(self.server.make_url("/tracker/v1"))


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    other = Tracker()
    app = web.Application()
    app.router.add_get("/tracker/v1", other.handle)
    async with TestServer(app) as server:
        yield Node(other, server)


@pytest.fixture
async def peer(
    server: BaseTestServer, node: Node, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Peer]:
    monkeypatch.setattr(tracker_client, "FIRST_WAIT", 0.01)
    async with aiohttp.ClientSession() as session:
        peer = Peer(session, str(server.make_url("/tracker/v1")))
        yield peer
        await peer.client.close()


async def test_both_speak(peer: Peer, tracker: Tracker) -> None:
    await peer.client.open()
    assert await peer.heard.get() == WELCOME
    assert peer.client.remote == "127.0.0.1"
    assert peer.client.local == "127.0.0.1"
    socket = await tracker.sockets.get()
    await socket.send_str(encode(Joined("0" * 16, 3)))
    assert await peer.heard.get() == Joined("0" * 16, 3)
    peer.client.send(Unlinked("1" * 16, "failed"))
    assert await tracker.heard.get() == Unlinked("1" * 16, "failed")


async def test_it_connects_again(peer: Peer, tracker: Tracker) -> None:
    await peer.client.open()
    for _ in range(3):
        assert await peer.heard.get() == WELCOME
        await (await tracker.sockets.get()).close()
        await peer.lost.get()


async def test_what_was_not_sent_is_not_sent_to_the_next_socket(
    peer: Peer, tracker: Tracker
) -> None:
    await peer.client.open()
    await peer.heard.get()
    for _ in range(100):  # more than the tracker takes at once
        peer.client.send(Unlinked("1" * 16, "failed"))
    await (await tracker.sockets.get()).close()
    await peer.lost.get()
    peer.client.send(Leave())  # to nobody
    while not tracker.heard.empty():
        tracker.heard.get_nowait()
    await peer.heard.get()
    peer.client.send(Unlinked("2" * 16, "closed"))
    assert await tracker.heard.get() == Unlinked("2" * 16, "closed")


async def test_it_goes_to_another_node_and_stays_there(
    peer: Peer, tracker: Tracker, node: Node
) -> None:
    await peer.client.open()
    await peer.heard.get()
    peer.client.move(node.url, None)
    await peer.lost.get()
    for _ in range(2):
        assert await peer.heard.get() == WELCOME
        await (await node.tracker.sockets.get()).close()
        await peer.lost.get()
    assert tracker.sockets.qsize() == 1


async def test_what_was_sent_before_it_moves_arrives(
    peer: Peer, tracker: Tracker, node: Node
) -> None:
    await peer.client.open()
    await peer.heard.get()
    peer.client.send(Leave())
    peer.client.move(node.url, None)
    assert await tracker.heard.get() == Leave()


async def test_it_moves_when_it_was_told_to(
    peer: Peer, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    await peer.client.open()
    await peer.heard.get()
    paused: asyncio.Queue[float] = asyncio.Queue()
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        paused.put_nowait(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", slept)
    peer.client.move(node.url, 40.0)
    while (pause := await paused.get()) < 1:  # the writer's pace
        pass
    assert 40.0 <= pause <= 60.0
    await node.tracker.sockets.get()


async def test_it_goes_home_when_the_node_is_gone(peer: Peer, tracker: Tracker, node: Node) -> None:
    await peer.client.open()
    await peer.heard.get()
    await tracker.sockets.get()
    peer.client.move(node.url, None)
    socket = await node.tracker.sockets.get()
    gone = asyncio.create_task(node.server.close())
    await asyncio.sleep(0)  # nobody else is let in
    await socket.close()
    await gone
    await tracker.sockets.get()
    assert peer.client.url == peer.client.home


async def test_it_does_not_try_again_where_it_could_not_go(
    peer: Peer, tracker: Tracker, node: Node
) -> None:
    await peer.client.open()
    await peer.heard.get()
    await tracker.sockets.get()
    away = f"ws://127.0.0.1:{free_port()}/tracker/v1"
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            peer.client.move(away, None)
            await tracker.sockets.get()
            await peer.heard.get()
    told = [entry["url"] for entry in logs if entry["event"] == "tracker_unreachable"]
    assert told == [away]
    peer.client.move(node.url, None)
    await node.tracker.sockets.get()


async def test_it_goes_home_when_it_is_refused_there(
    peer: Peer, tracker: Tracker, node: Node
) -> None:
    await peer.client.open()
    await peer.heard.get()
    await tracker.sockets.get()
    peer.client.move(node.url, None)
    await peer.heard.get()
    peer.client.drop(0.0)
    await tracker.sockets.get()


async def test_it_does_not_go_where_it_would_be_less_protected(
    peer: Peer, tracker: Tracker, node: Node
) -> None:
    await peer.client.open()
    await peer.heard.get()
    await tracker.sockets.get()
    home, peer.client.home = peer.client.home, "wss://tracker.example"
    peer.client.move(node.url, None)
    peer.client.url = peer.client.home = home
    await tracker.sockets.get()
    assert node.tracker.sockets.empty()


async def test_a_message_that_cannot_be_read_ends_the_socket(peer: Peer, tracker: Tracker) -> None:
    await peer.client.open()
    await peer.heard.get()
    await (await tracker.sockets.get()).send_str('{"type":"nonsense"}')
    await peer.lost.get()
    assert await peer.heard.get() == WELCOME


async def test_what_fails_on_a_message_is_logged_and_ends_the_socket(
    server: BaseTestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_client, "FIRST_WAIT", 0.01)
    bug = ZeroDivisionError("a bug")
    heard: asyncio.Queue[FromTracker] = asyncio.Queue()
    lost: list[int] = []

    def hear(message: FromTracker) -> None:
        if not lost:
            raise bug
        heard.put_nowait(message)

    async with aiohttp.ClientSession() as session:
        url = str(server.make_url("/tracker/v1"))
        client = TrackerClient(session, url, hear=hear, lost=lambda: lost.append(1))
        with structlog.testing.capture_logs() as logs:
            await client.open()
            assert await heard.get() == WELCOME, "of the next socket"
        await client.close()
    failures = [entry for entry in logs if entry["log_level"] == "error"]
    assert [(entry["event"], entry["exc_info"]) for entry in failures] == [
        ("tracker_socket_failed", bug)
    ]


async def test_a_socket_that_is_dropped_is_closed_and_replaced(
    peer: Peer, tracker: Tracker
) -> None:
    await peer.client.open()
    await peer.heard.get()
    peer.client.drop(0.01)
    await peer.lost.get()
    assert await tracker.closed.get() == aiohttp.WSCloseCode.OK
    assert await peer.heard.get() == WELCOME


async def test_the_last_words_are_sent(peer: Peer, tracker: Tracker) -> None:
    await peer.client.open()
    await peer.heard.get()
    peer.client.send(Leave())
    await peer.client.close()
    assert await tracker.heard.get() == Leave()
    assert await tracker.closed.get() == aiohttp.WSCloseCode.OK


async def test_a_queue_that_nobody_reads_ends_the_socket(peer: Peer) -> None:
    await peer.client.open()
    await peer.heard.get()
    for _ in range(tracker_client.MOST_QUEUED + 1):
        peer.client.send(Leave())
    await peer.lost.get()


async def test_no_tracker_is_said_at_the_first_attempt(server: BaseTestServer) -> None:
    async with aiohttp.ClientSession() as session:
        lost = Peer(session, str(server.make_url("/elsewhere")))
        with pytest.raises(TrackerError, match="404"):
            await lost.client.open()
        url = str(server.make_url("/tracker/v1"))
        await server.close()
        nobody = Peer(session, url)
        with pytest.raises(TrackerError, match="connection refused"):
            await nobody.client.open()
        for peer in (lost, nobody):
            await peer.client.close()


async def test_a_tracker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker_client, "CONNECT", 0.05)
    done = asyncio.Event()

    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        peer = Peer(session, f"ws://127.0.0.1:{port}/tracker/v1")
        with pytest.raises(TrackerError, match="does not answer"):
            await peer.client.open()
        done.set()


def test_messages_are_paced() -> None:
    pace = Pace(10.0, 0.0)
    assert [pace.wait(0.0) for _ in range(12)] == pytest.approx([0.0] * 10 + [0.1, 0.2])
    assert pace.wait(0.3) == pytest.approx(0.0)
    assert pace.wait(100.0) == 0.0
    assert [pace.wait(100.0) for _ in range(10)][-1] == pytest.approx(0.1), "no hoarding"
