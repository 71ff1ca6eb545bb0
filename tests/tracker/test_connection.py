"""One socket against the tracker's limits: at the limit, one over, and a lot over.

Wherever a socket misbehaves, two peers that behave are there, too, and are not disturbed.
"""

from __future__ import annotations

import asyncio
import socket as sockets
import struct
import time
from typing import Any

import aiohttp
import pytest
import structlog.testing

from p2pcdn.wire.codec import encode
from p2pcdn.wire.tracker import Joined, Leave, Move, Refused, Report, SendCandidate, SendOffer
from tests.p2pcdn.core.swarming import sdp
from tests.tracker.rig import Client, Rig, join, rig
from tracker.connection import Connection

PROTOCOL_ERROR, INVALID_TEXT, POLICY, TOO_BIG = 1002, 1007, 1008, 1009
BYSTANDERS = "b" * 32


async def bystander(tracker: Rig) -> Client:
    return await tracker.joined(content=BYSTANDERS)


# What is said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{}",
        "[]",
        "null",
        "[" * 10_000,
        '{"type":"join"}',
        '{"type":"jion"}',
        '{"type":5}',
        encode(join()).replace('"upload":true', '"upload":1'),
        encode(join()).replace('"upload":true', '"upload":null'),
        encode(join()).replace('"browser"', '"robot"'),
        encode(join()).replace('"protocol":1', '"protocol":-1'),
        encode(join()).replace('"protocol":1', '"protocol":1e400'),
        encode(join()).replace('"protocol":1', '"protocol":9007199254740992'),
        encode(join()).replace('"protocol":1', '"protocol":NaN'),
        encode(join()).replace('"pk_demo"', '"pk demo"'),
        encode(join()).replace('"pk_demo"', f'"{"p" * 65}"'),
        encode(join(content="x" * 32)),
        encode(join(content="a" * 33)),
        encode(join(1, 2, 3)),
        encode(join())[:-1],
        encode(join()) + "x",
        encode(join()) + encode(join()),
        '{"type":"move","upload":true,"position":{"rendition":"r","first":-1,"head":0,"last":0}}',
        '{"type":"report","origin_bytes":-1,"peer_bytes":0,"cache_bytes":0,"waste_bytes":0}',
        '{"type":"candidate","pairing":"../../etc/passwd","candidate":""}',
    ],
)
async def test_what_is_malformed_ends_its_socket_and_no_other(text: str) -> None:
    async with rig() as tracker:
        other = await bystander(tracker)
        client = await tracker.client()
        await client.send(text)
        assert await client.last_words() == ("malformed", POLICY)
        assert await other.lives()


async def test_a_later_message_may_be_no_worse_than_the_first() -> None:
    async with rig() as tracker:
        client = await tracker.joined()
        await client.send("nonsense")
        assert await client.last_words() == ("malformed", POLICY)
        await tracker.until(lambda: tracker.ledger.summary().viewers == 0)


async def test_binary_messages_are_refused() -> None:
    async with rig() as tracker:
        client = await tracker.client()
        await client.send(encode(join()).encode())
        assert await client.last_words() == ("malformed", POLICY)


async def test_text_that_is_no_utf8_is_malformed() -> None:
    async with rig() as tracker:
        client = await tracker.client()
        await client.socket.send_frame(b'{"type":"\xff"}', aiohttp.WSMsgType.TEXT)
        assert await client.last_words() == ("malformed", POLICY)


def padded(size: int) -> str:
    """A valid message of this size: unknown fields are ignored."""
    text = encode(Move(True))
    return text[:-1] + f',"x":"{"x" * (size - len(text) - 7)}"' + "}"


@pytest.mark.parametrize("over", [0, 1, 4096, 1_000_000])
async def test_a_message_has_a_limit(over: int) -> None:
    async with rig(message_bytes=4096) as tracker:
        other = await bystander(tracker)
        client = await tracker.joined()
        text = padded(4096 + over)
        assert len(text) == 4096 + over
        await client.send(text)
        if over == 0:
            assert await client.lives()
        else:
            code, close_code = await client.last_words()
            assert close_code == TOO_BIG
            # Far above the limit the socket closes before the message has even arrived.
            assert code == ("too_large" if over < 4096 else "")
        assert await other.lives()


async def test_a_message_in_pieces_has_the_same_limit() -> None:
    async with rig(message_bytes=4096) as tracker:
        other = await bystander(tracker)
        client = await tracker.client()
        for opcode in [FIRST] + [FOLLOWING] * 9:
            client.write(frame(opcode, b"x" * 1000))
        assert (await client.last_words())[1] == TOO_BIG
        assert await other.lives()


FIRST, FOLLOWING, LAST = b"\x01", b"\x00", b"\x80"
"""The first bytes of frames: a text's that is to be continued, its next, its end."""


def frame(opcode: bytes, payload: bytes = b"") -> bytes:
    """A client's frame, masked with nothing (RFC 6455, 5.2)."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return opcode + length + bytes(4) + payload


async def test_a_message_in_pieces_is_a_message() -> None:
    async with rig() as tracker:
        client = await tracker.client()
        text = encode(join()).encode()
        pieces = [text[at : at + 9] for at in range(0, len(text), 9)]
        client.write(frame(FIRST) + b"".join(frame(FOLLOWING, piece) for piece in pieces))
        client.write(frame(LAST))
        await client.expect(Joined)


async def test_a_message_in_endless_pieces_is_a_flood() -> None:
    """Each piece is empty, so the message never becomes too large; nor does it ever end."""
    async with rig(message_bytes=4096) as tracker:
        other = await bystander(tracker)
        client = await tracker.joined()
        client.write(frame(FIRST) + frame(FOLLOWING) * 100_000)
        assert await client.last_words() == ("too_fast", POLICY)
        assert await other.lives()


async def test_a_few_empty_pieces_are_a_flood_as_well() -> None:
    """At the usual limits: by its bytes alone a piece would count for nothing."""
    async with rig() as tracker:
        client = await tracker.joined()
        limits = tracker.config.tracker
        client.write(frame(FIRST) + frame(FOLLOWING) * 34 * limits.burst)
        assert await client.last_words() == ("too_fast", POLICY)


async def test_a_message_that_does_not_end_is_over_in_time() -> None:
    async def go_on(client: Client) -> None:
        while True:
            client.write(frame(FOLLOWING, b"x"))
            await asyncio.sleep(0.1)

    async with rig(heartbeat=0.5) as tracker:
        client = await tracker.joined()
        client.write(frame(FIRST, b"{"))
        goes_on = asyncio.create_task(go_on(client))
        assert await client.last_words() == ("timeout", POLICY)
        goes_on.cancel()
        await asyncio.wait([goes_on])


async def test_an_unfinished_message_is_no_join() -> None:
    async with rig(hello_timeout=0.2) as tracker:
        client = await tracker.client()
        client.write(frame(FIRST, b"{"))
        assert await client.last_words() == ("timeout", POLICY)


@pytest.mark.parametrize(
    ("garbage", "close_code"),
    [
        pytest.param(frame(LAST, b"x"), PROTOCOL_ERROR, id="the end of nothing"),
        pytest.param(frame(FIRST, b"x") + frame(b"\x81", b"y"), PROTOCOL_ERROR, id="two at once"),
        pytest.param(b"\x83\x80" + bytes(4), PROTOCOL_ERROR, id="an opcode that is none"),
        pytest.param(b"\xf1\x80" + bytes(4), PROTOCOL_ERROR, id="reserved bits"),
        pytest.param(b"\xc1\x81" + bytes(5), PROTOCOL_ERROR, id="compressed, uncalled for"),
        pytest.param(frame(b"\x09"), PROTOCOL_ERROR, id="a ping in pieces"),
        pytest.param(frame(b"\x89", bytes(126)), PROTOCOL_ERROR, id="a large ping"),
        pytest.param(frame(b"\x88", b"\x00\x01"), PROTOCOL_ERROR, id="a close code that is none"),
        pytest.param(frame(b"\x88", b"\x03\xe8\xff"), INVALID_TEXT, id="a reason that is no text"),
        pytest.param(b"\x81\xff" + b"\x7f" * 8 + bytes(4), TOO_BIG, id="eight exabytes"),
    ],
)
async def test_what_is_no_websocket_ends_its_socket_and_no_other(
    garbage: bytes, close_code: int
) -> None:
    async with rig() as tracker:
        other = await bystander(tracker)
        client = await tracker.joined()
        client.write(garbage)
        assert await client.last_words() == ("", close_code)
        await tracker.until(lambda: tracker.ledger.summary().viewers == 1)
        assert await other.lives()


async def test_garbage_after_the_last_words_keeps_none_of_them_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with rig() as tracker:
        client = await tracker.joined()
        client.write(frame(b"\x81", b"nonsense"))
        await client.expect(Refused)
        client.write(b"\x83\x80" + bytes(4))
        assert await client.last_words() == ("", POLICY)
        await tracker.until(lambda: not tracker.tracker._guests)
    assert not caplog.records  # the loop would say there what has failed


async def test_what_fails_as_a_socket_closes_is_said() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async with rig() as tracker:
        client = await tracker.joined()
        (guest,) = tracker.tracker._guests
        gone, guest.connection._gone = guest.connection._gone, fail
        with structlog.testing.capture_logs() as logs:
            client.transport.abort()
            await tracker.until(lambda: bool(logs))
        assert [entry["event"] for entry in logs] == ["socket_failed"]
        gone()


async def test_text_that_is_no_utf8_inside_a_text_is_malformed() -> None:
    async with rig() as tracker:
        client = await tracker.client()
        await client.socket.send_frame(
            encode(join()).encode().replace(b"pk_demo", b"pk_\xff\xfe"), aiohttp.WSMsgType.TEXT
        )
        assert await client.last_words() == ("malformed", POLICY)


async def test_no_compression_is_agreed_on() -> None:
    async with rig() as tracker:
        client = await tracker.client(compress=15)
        assert not client.socket.compress
        await client.join()


# How much, how often


async def send_reports(client: Client, number: int) -> None:
    for total in range(number):
        await client.send(Report(total))


async def test_a_burst_is_taken_as_it_comes() -> None:
    async with rig(messages_per_second=0.01, burst=40) as tracker:
        client = await tracker.joined()
        await send_reports(client, 38)
        assert await client.lives()  # the fortieth, with the join


async def test_one_more_has_to_wait_but_does_no_harm() -> None:
    loop = asyncio.get_running_loop()
    async with rig(messages_per_second=10, burst=3) as tracker:
        client = await tracker.joined()
        began = loop.time()
        await send_reports(client, 4)
        assert await client.lives()  # the sixth: three more than the burst
        assert loop.time() - began > 0.2


async def test_nothing_overtakes_what_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the loop stands still between two of one read, and the last is due by then."""

    def wait(self: Connection, *args: Any) -> None:
        waits(self, *args)
        time.sleep(0.15)

    waits = Connection._wait
    monkeypatch.setattr(Connection, "_wait", wait)
    async with rig(messages_per_second=20, burst=2) as tracker:
        client = await tracker.client()
        (guest,) = tracker.tracker._guests
        heard: list[bytes] = []
        monkeypatch.setattr(guest.connection, "_hear", heard.append)
        client.write(b"".join(frame(b"\x81", bytes([digit])) for digit in b"1234"))
        await tracker.until(lambda: len(heard) == 4)
        assert heard == [b"1", b"2", b"3", b"4"]


async def test_who_keeps_it_up_is_closed_and_others_are_served_meanwhile() -> None:
    async with rig(messages_per_second=100, burst=10) as tracker:
        other = await bystander(tracker)
        client = await tracker.joined()
        flood = asyncio.create_task(send_reports(client, 10_000))
        assert await other.lives()
        assert await client.last_words() == ("too_fast", POLICY)
        assert await other.lives()
        flood.cancel()
        await asyncio.wait([flood])


@pytest.mark.parametrize("kind", [b"\x89", b"\x8a"])
async def test_pings_and_pongs_count_as_messages(kind: bytes) -> None:
    async with rig(messages_per_second=100, burst=10) as tracker:
        other = await bystander(tracker)
        client = await tracker.joined()
        client.write(frame(kind, b"x") * 9)
        assert await client.lives()
        client.write(frame(kind, b"x") * 10_000)
        assert await client.last_words() == ("too_fast", POLICY)
        assert await other.lives()


async def test_pings_do_not_stand_for_a_join() -> None:
    async with rig(hello_timeout=0.2) as tracker:
        client = await tracker.client()
        client.write(frame(b"\x89", b"x") * 20)
        assert await client.last_words() == ("timeout", POLICY)


async def test_a_socket_that_says_nothing_is_closed() -> None:
    async with rig(hello_timeout=0.1) as tracker:
        client = await tracker.client()
        assert await client.last_words() == ("timeout", POLICY)


async def test_a_peer_that_has_joined_may_be_silent() -> None:
    async with rig(hello_timeout=0.3, heartbeat=0.6) as tracker:
        client = await tracker.joined()
        quiet = asyncio.create_task(client.socket.receive())  # answers pings
        await asyncio.wait([quiet], timeout=0.8)
        assert not quiet.done()
        quiet.cancel()


async def test_a_peer_that_answers_no_pings_is_gone() -> None:
    async with rig(heartbeat=0.3) as tracker:
        client = await tracker.client(autoping=False)
        await client.join()
        pings = 0
        async with asyncio.timeout(5):
            while (await client.socket.receive()).type is aiohttp.WSMsgType.PING:
                pings += 1
        assert pings >= 1
        await tracker.until(lambda: tracker.ledger.summary().viewers == 0)


async def test_who_was_silent_while_we_stood_still_is_asked_first() -> None:
    async with rig(heartbeat=1) as tracker:
        client = await tracker.client(autoping=False)
        await client.join()
        time.sleep(1.7)  # noqa: ASYNC251 - the whole machine stands still
        asked = await asyncio.wait_for(client.socket.receive(), 10)
        assert asked.type is aiohttp.WSMsgType.PING


async def test_a_peer_that_vanishes_is_gone_at_once() -> None:
    async with rig() as tracker:
        client = await tracker.joined()
        client.transport.abort()
        await tracker.until(lambda: tracker.ledger.summary().viewers == 0)
        assert not tracker.tracker._guests


async def test_a_peer_that_pings_and_goes_is_no_failure_of_ours() -> None:
    async with rig(messages_per_second=10, burst=2) as tracker:
        client = await tracker.joined()
        with structlog.testing.capture_logs() as logs:
            client.write(frame(b"\x89", b"x") * 3)  # the last is answered when nobody is there
            client.transport.abort()
            await tracker.until(lambda: not tracker.tracker._guests)
        assert not [entry for entry in logs if entry["event"] == "message_failed"]


async def test_who_leaves_is_let_go() -> None:
    async with rig() as tracker:
        client = await tracker.joined()
        await client.send(Leave())
        assert await client.last_words() == ("", 1000)


# What is not read


class Deaf:
    """A peer over a raw socket with a small buffer, which says a lot and reads nothing."""

    def __init__(self, tracker: Rig) -> None:
        self._tracker = tracker
        self.socket = sockets.socket()
        self.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
        self.socket.setblocking(False)

    async def __aenter__(self) -> Deaf:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self._tracker.server.port))
        await loop.sock_sendall(
            self.socket,
            b"GET /tracker/v1 HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        )
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.socket.close()

    async def say(self, text: str) -> None:
        data = text.encode()
        head = b"\x81\xfe" + struct.pack(">H", len(data)) + bytes(4)
        await asyncio.get_running_loop().sock_sendall(self.socket, head + data)

    async def say_for_ever(self, text: str) -> None:
        async with asyncio.timeout(20):
            while True:
                await self.say(text)


@pytest.mark.parametrize(
    "limits",
    [{"send_queue": 16}, {"send_queue": 1_000_000, "message_bytes": 1024, "heartbeat": 60}],
)
async def test_a_slow_reader_is_cut_and_others_are_served_meanwhile(limits: dict[str, Any]) -> None:
    async with rig(messages_per_second=1e4, burst=100_000, **limits) as tracker:
        other = await bystander(tracker)
        async with Deaf(tracker) as deaf:
            await deaf.say(encode(join()))
            complaint = encode(SendCandidate("0" * 16, "")) + " " * 200
            with pytest.raises(ConnectionError):
                await deaf.say_for_ever(complaint)
        await tracker.until(lambda: tracker.ledger.summary().viewers == 1)
        assert await other.lives()


async def test_a_reader_that_is_behind_for_a_moment_misses_nothing() -> None:
    async with rig(send_queue=64, messages_per_second=1e4, burst=1000) as tracker:
        client = await tracker.joined()
        for _ in range(50):
            await client.send(SendOffer("0" * 16, sdp()))
        for _ in range(50):
            assert (await client.expect(Refused)).code.value == "unknown_pairing"
