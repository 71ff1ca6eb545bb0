"""A stream to another place, over socket pairs."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field

import pytest
import structlog

from tests.tracker.exchange.meeting import PATIENCE, until
from tracker.exchange import line as line_module
from tracker.exchange.frames import Frame, Kind, encode
from tracker.exchange.line import Line

SECRET = b"s" * 32


@dataclass
class Owner:
    """Remembers what a line says."""

    names: list[str] = field(default_factory=list)
    heard: list[Frame] = field(default_factory=list)
    losses: int = 0

    def up(self, line: Line, name: str) -> None:
        self.names.append(name)

    def hear(self, frame: Frame) -> None:
        self.heard.append(frame)

    def lost(self) -> None:
        self.losses += 1


async def lines(theirs: bytes = SECRET, means: str = "b") -> tuple[Line, Owner, Line, Owner]:
    """Both ends of one; the other may know another secret, or the first mean somebody else."""
    loop = asyncio.get_running_loop()
    a, b = Owner(), Owner()
    near, far = socket.socketpair()
    one, other = Line(a, "a", SECRET, to=means), Line(b, "b", theirs)
    await loop.create_connection(lambda: one, sock=near)
    await loop.create_connection(lambda: other, sock=far)
    return one, a, other, b


async def test_both_know_who_is_there_and_hear_each_other() -> None:
    one, a, other, b = await lines()
    await until(lambda: a.names and b.names)
    assert (a.names, b.names) == (["b"], ["a"])
    one.send(Kind.SAID, 3, b"hello")
    other.send(Kind.TELL, 4, b"you")
    await until(lambda: a.heard and b.heard)
    assert b.heard == [Frame(Kind.SAID, 3, b"hello")]
    assert a.heard == [Frame(Kind.TELL, 4, b"you")]
    one.close()
    await other.gone
    assert (a.losses, b.losses) == (1, 1)


async def test_who_does_not_know_the_secret_is_not_heard() -> None:
    with structlog.testing.capture_logs() as logs:
        one, a, other, b = await lines(b"t" * 32)
        await asyncio.gather(one.gone, other.gone)
    assert a == b == Owner()
    assert {entry["event"] for entry in logs} == {"place_not_understood"}


async def test_who_means_another_is_not_heard() -> None:
    with structlog.testing.capture_logs() as logs:
        one, _, other, b = await lines(means="c")
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(one.gone, other.gone)
    assert b == Owner()
    assert "means another place" in logs[0]["error"]


async def test_nobody_on_the_way_can_say_anything() -> None:
    """He has passed on the proofs of both, and speaks then."""
    forged = encode(Kind.TELL, 1, b"go to evil.example")
    for said in (forged, encode(Kind.SEALED, 0, bytes(32) + forged)):
        one, a, other, b = await lines()
        await until(lambda a=a, b=b: a.names and b.names)  # type: ignore[misc]
        assert other._transport is not None
        other._transport.write(said)
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(PATIENCE):
                await one.gone
        assert a.heard == []
        assert logs[0]["event"] == "place_not_understood"
        await other.gone


async def test_a_proof_is_no_proof_for_the_other_end() -> None:
    """Whoever sends back what it is sent has proved nothing."""
    loop = asyncio.get_running_loop()
    owner = Owner()
    near, far = socket.socketpair()
    line = Line(owner, "a", SECRET, to="b")
    await loop.create_connection(lambda: line, sock=near)
    far.setblocking(False)
    with structlog.testing.capture_logs():
        while data := await loop.sock_recv(far, 4096):
            await loop.sock_sendall(far, data)
    far.close()
    await line.gone
    assert not owner.names


@pytest.mark.parametrize(
    "said",
    [
        encode(Kind.SAID, 1, b"x"),
        encode(Kind.HELLO, 0, b"short"),
        encode(Kind.PROOF, 0, bytes(513))[:9],  # it is not waited for all of it
    ],
)
async def test_who_does_not_say_who_it_is_is_not_heard(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "HELLO_TIMEOUT", 60.0)
    loop = asyncio.get_running_loop()
    owner = Owner()
    near, far = socket.socketpair()
    line = Line(owner, "a", SECRET)
    await loop.create_connection(lambda: line, sock=near)
    far.setblocking(False)
    with structlog.testing.capture_logs():
        await loop.sock_sendall(far, said)
        async with asyncio.timeout(5):
            await line.gone
    far.close()
    assert owner == Owner()


async def test_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "HELLO_TIMEOUT", 0.01)
    near, far = socket.socketpair()
    line = Line(Owner(), "a", SECRET)
    await asyncio.get_running_loop().create_connection(lambda: line, sock=near)
    async with asyncio.timeout(5):
        await line.gone
    far.close()


async def test_who_is_not_heard_any_more_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets vanish without a word, or a process has stopped."""
    monkeypatch.setattr(line_module, "PING_EVERY", 0.01)
    one, a, other, b = await lines()
    await until(lambda: a.names and b.names)
    assert other._transport is not None
    monkeypatch.setattr(other._transport, "write", lambda _: None)
    with structlog.testing.capture_logs() as logs:
        async with asyncio.timeout(5):
            await one.gone
    assert a.losses == 1
    assert logs[0]["event"] == "place_silent"
    other.abort()


async def test_who_has_nothing_to_say_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "PING_EVERY", 0.001)
    monkeypatch.setattr(line_module, "MOST_UNHEARD", 10**9)
    one, a, other, b = await lines()
    await until(lambda: a.names and b.names)
    one._unheard = 10**6
    await until(lambda: one._unheard < 10**6)  # the other has said so
    assert not a.heard
    for line in (one, other):
        line.abort()


async def test_a_line_is_not_lost_amid_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or guests would leave while it is thought about what one of them said."""
    monkeypatch.setattr(line_module, "MOST_WAITING", 1000)
    one, a, other, b = await lines()
    await until(lambda: a.names and b.names)
    with structlog.testing.capture_logs():
        one.send(Kind.TELL, 1, bytes(2000))
    assert a.losses == 0
    other.send(Kind.SAID, 1, b"hello")  # what comes now is not heard
    await one.gone
    assert (a.losses, a.heard) == (1, [])
    await other.gone


async def test_what_is_said_in_one_turn_goes_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    one, a, _, b = await lines()
    await until(lambda: a.names and b.names)
    writes: list[bytes] = []
    monkeypatch.setattr(one._transport, "write", writes.append)
    for number in range(100):
        one.send(Kind.SAID, number, b"{}")
    assert not writes
    await asyncio.sleep(0)
    assert len(writes) == 1
    one.abort()


async def test_a_place_that_takes_nothing_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "MOST_WAITING", 1_000_000)
    one, a, other, b = await lines()
    await until(lambda: a.names and b.names)
    assert other._transport is not None
    other._transport.pause_reading()
    sent = 0
    with structlog.testing.capture_logs() as logs:
        while not one.gone.done():
            one.send(Kind.SAID, 1, b"x" * 10_000)
            sent += 10_000
            await asyncio.sleep(0)
            assert sent < 10_000_000
    assert a.losses == 1
    assert [entry["event"] for entry in logs] == ["place_too_slow"]
    one.send(Kind.SAID, 1, b"x")  # nobody hears it
    assert not one._waiting
    other.abort()
