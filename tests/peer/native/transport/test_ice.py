"""What is gathered, what STUN adds, and a bounded queue."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aioice import stun
from aioice.ice import Connection

from p2pcdn.core.ports import CandidateFound, LinkOpened, LinkSays
from p2pcdn.core.signaling import CONNECT_TIMEOUT
from p2pcdn.wire.link import Cancel
from peer.native.transport import Relay, ice
from peer.native.transport.aiortc import AiortcTransport
from peer.native.transport.description import take_apart
from tests.peer.native.transport.ends import End, linked

SEEN = ("198.51.100.7", 40_000)


class StunServer(asyncio.DatagramProtocol):
    """Answers from behind a pretended NAT."""

    def __init__(self) -> None:
        self.seen = SEEN
        self.asked = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        answer = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id
        )
        answer.attributes["XOR-MAPPED-ADDRESS"] = self.seen
        self._transport.sendto(bytes(answer), address)
        self.asked.set()


@asynccontextmanager
async def stun_server() -> AsyncIterator[tuple[StunServer, tuple[str, int]]]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        StunServer, local_addr=("127.0.0.1", 0)
    )
    yield server, transport.get_extra_info("sockname")
    transport.close()


class Turn(asyncio.DatagramProtocol):
    """A relay that lets everybody in, as soon as it may answer."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.asked.set()
        task = asyncio.create_task(self._answer(stun.parse_message(data), address))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: stun.Message, address: tuple[str, int]) -> None:
        await self.may_answer.wait()
        answer = stun.Message(
            request.message_method, stun.Class.RESPONSE, transaction_id=request.transaction_id
        )
        answer.attributes["LIFETIME"] = request.attributes["LIFETIME"]
        if request.message_method == stun.Method.ALLOCATE:
            answer.attributes["XOR-MAPPED-ADDRESS"] = SEEN
            answer.attributes["XOR-RELAYED-ADDRESS"] = self._transport.get_extra_info("sockname")
        elif not request.attributes["LIFETIME"]:
            self.left.set()
        self._transport.sendto(bytes(answer), address)


@asynccontextmanager
async def turn_server() -> AsyncIterator[tuple[Turn, Relay]]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        Turn, local_addr=("127.0.0.1", 0)
    )
    host, port = transport.get_extra_info("sockname")
    yield server, Relay(host, port, "user", "secret")
    transport.close()


def test_both_ends_may_ask_their_relays_before_a_link_has_to_be_there() -> None:
    assert 2 * ice.RELAYS_WITHIN < CONNECT_TIMEOUT


async def test_a_relay_that_lets_us_in_too_late_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "STAGGER", 0.01)
    connection, leaving = Connection(ice_controlling=True), set[asyncio.Task[None]]()
    async with turn_server() as (late, first), turn_server() as (prompt, second):
        prompt.may_answer.set()
        await ice.gather_relayed(connection, [first, second], leaving)
        (candidate,) = connection.local_candidates
        assert (candidate.type, candidate.port) == ("relay", second.port)
        assert late.asked.is_set()
        late.may_answer.set()
        await asyncio.wait_for(late.left.wait(), 5)
        await asyncio.wait_for(asyncio.wait(leaving), 5)
        assert not leaving
        assert not prompt.left.is_set()
        await connection.close()
        await asyncio.wait_for(prompt.left.wait(), 5)


async def test_a_relay_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "RELAYS_WITHIN", 0.05)
    connection, leaving = Connection(ice_controlling=True), set[asyncio.Task[None]]()
    async with turn_server() as (_, silent):
        await ice.gather_relayed(connection, [silent], leaving)
        assert connection.local_candidates == []
        if leaving:
            await asyncio.wait_for(asyncio.wait(leaving), 5)
        await connection.close()


def test_the_address_that_the_tracker_knows_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [f"10.0.0.{number}" for number in range(20)] + ["fd00::2"]
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: list(found))
    addresses = ice.local_addresses("fd00::2")
    assert addresses[:2] == ["fd00::2", "10.0.0.0"]
    assert len(addresses) == ice.MOST_ADDRESSES
    assert "192.0.2.1" not in ice.local_addresses("192.0.2.1"), "of another machine"


def test_a_machine_without_a_network_talks_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    assert ice.local_addresses(None) == ["127.0.0.1"]


async def test_ends_on_the_loopback_interface_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    transport = AiortcTransport()
    caller, called = End(transport), End(transport)
    answer = await called.link.answer(await caller.link.offer())
    await caller.link.take_answer(answer)
    await asyncio.gather(caller.until(LinkOpened), called.until(LinkOpened))
    await caller.link.close()
    await called.link.close()
    await transport.close()


async def test_what_stun_finds_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: ["127.0.0.1"])
    transport = AiortcTransport()
    async with stun_server() as (_, address):
        transport.place(local=None, stun=address)
        end = End(transport)
        bare, candidates = take_apart(await end.link.offer())
        assert not [c for c in candidates if "srflx" in c], "it is not waited for"
        found = (await end.until(CandidateFound))[0]
        assert " 198.51.100.7 40000 typ srflx raddr 127.0.0.1 rport " in found.candidate
        assert f"a=mid:{found.mid}\r\n" in bare
        await end.link.close()
    await transport.close()


async def test_a_binding_is_refreshed_and_a_new_one_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ice, "REFRESH", 0.01)
    connection = Connection(ice_controlling=True)
    await ice.gather(connection, ["127.0.0.1"])
    found: asyncio.Queue[str] = asyncio.Queue()
    async with stun_server() as (server, address):
        reflecting = asyncio.create_task(ice.reflect(connection, address, found.put_nowait))
        assert " 40000 typ srflx" in await asyncio.wait_for(found.get(), 5)
        server.asked.clear()
        await asyncio.wait_for(server.asked.wait(), 5)
        assert found.empty(), "nothing new"
        server.seen = (SEEN[0], 40_001)
        assert " 40001 typ srflx" in await asyncio.wait_for(found.get(), 5)
        reflecting.cancel()
    await connection.close()


async def test_an_address_that_is_not_behind_a_nat_adds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ice, "REFRESH", 0.01)
    connection = Connection(ice_controlling=True)
    await ice.gather(connection, ["127.0.0.1"])
    base = connection.local_candidates[0]
    found: list[str] = []
    async with stun_server() as (server, address):
        server.seen = (base.host, base.port)
        reflecting = asyncio.create_task(ice.reflect(connection, address, found.append))
        await asyncio.wait_for(server.asked.wait(), 5)
        server.asked.clear()
        await asyncio.wait_for(server.asked.wait(), 5)  # so the first answer has been read
        assert not found
        reflecting.cancel()
    await connection.close()


async def test_an_end_that_is_heard_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(ice_controlling=True)
    await ice.gather(connection, [])
    queue = connection._queue
    assert isinstance(queue, ice.DatagramQueue)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) < 3:
            queue.put_nowait((b"x", 1))

    monkeypatch.setattr("asyncio.sleep", sleep)
    await ice.vanished(connection)  # ends with the first silence, since nobody is there to be asked
    assert slept == [ice.QUIET] * 3
    monkeypatch.undo()
    await connection.close()


def drained(queue: ice.DatagramQueue) -> list[bytes]:
    found = []
    while not queue.empty():
        item = queue.get_nowait()
        assert item is not None
        found.append(item[0])
    return found


def record(payload: bytes, kind: int = 23) -> bytes:
    return bytes([kind]) + b"\xfe\xfd" + bytes(8) + len(payload).to_bytes(2, "big") + payload


@pytest.mark.parametrize("size", [ice.MOST_BYTES, ice.MOST_BYTES + 1, 65_507])
async def test_a_long_datagram_is_dropped(size: int) -> None:
    queue = ice.DatagramQueue()
    queue.put_nowait((b"x" * size, 1))
    assert queue.qsize() == (1 if size <= ice.MOST_BYTES else 0)


@pytest.mark.parametrize(
    ("datagram", "found"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(record(b"a"), [record(b"a")], id="one record"),
        pytest.param(
            record(b"a") + record(b"bc", 22) + record(b""),
            [record(b"a"), record(b"bc", 22), record(b"")],
            id="three",
        ),
        pytest.param(record(b"abc")[:-1], [record(b"abc")[:-1]], id="a record cut short"),
        pytest.param(b"\x17" * 13, [b"\x17" * 13], id="a header alone"),
        pytest.param(b"\x00\x01" + bytes(30), [b"\x00\x01" + bytes(30)], id="something else"),
    ],
)
async def test_each_record_is_read_on_its_own(datagram: bytes, found: list[bytes]) -> None:
    queue = ice.DatagramQueue()
    queue.put_nowait((datagram, 1))
    assert drained(queue) == found


async def test_records_of_one_datagram_all_arrive_and_none_is_kept() -> None:
    async with linked() as (caller, called):
        wire = caller.link._sctp.transport.transport
        send, held = wire._send, []

        async def hold(data: bytes) -> None:
            held.append(data)

        wire._send = hold
        for number in range(5):
            caller.link.tell(Cancel(number))
        while len(held) < 5:  # noqa: ASYNC110 - aiortc does not tell
            await asyncio.sleep(0.01)
        wire._send = send
        queue = called.link._ice._queue
        assert isinstance(queue, ice.DatagramQueue)
        before = queue.arrived
        await send(b"".join(held))
        assert [said.message for said in await called.until(LinkSays, 5)] == [
            Cancel(number) for number in range(5)
        ]
        assert queue.arrived == before + 1, "nothing had to be sent again"


async def test_a_datagram_without_a_byte_ends_nothing() -> None:
    async with linked() as (caller, called):
        place = called.link._ice._protocols[0].local_candidate
        queue = called.link._ice._queue
        assert isinstance(queue, ice.DatagramQueue)
        before = queue.arrived
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"", (place.host, place.port))
        while queue.arrived == before:  # noqa: ASYNC110 - aioice does not tell
            await asyncio.sleep(0.01)
        caller.link.tell(Cancel(1))
        await called.until(LinkSays)


async def test_a_flood_of_datagrams_is_dropped() -> None:
    queue = ice.DatagramQueue()
    for _ in range(ice.MOST_QUEUED + 10):
        queue.put_nowait((b"x", 1))
    assert queue.qsize() == ice.MOST_QUEUED
    queue.put_nowait(None)
    assert queue.qsize() == ice.MOST_QUEUED + 1, "the end always gets in"
