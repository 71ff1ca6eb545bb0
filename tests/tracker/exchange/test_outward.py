"""A place elsewhere, as our guests see it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from p2pcdn.errors import ErrorCode, RemoteError
from tests.tracker.exchange.meeting import PATIENCE, Echo, Visitor, until
from tracker.exchange import line, outward
from tracker.exchange.exchange import Exchange, unix
from tracker.exchange.frames import Frame, FrameError, Kind
from tracker.exchange.line import Line
from tracker.exchange.outward import Outward

SECRET = b"s" * 32


async def test_a_place_that_is_not_there_takes_nobody_until_it_is(tmp_path: Path) -> None:
    path = tmp_path / "b"
    here, there = Exchange("a", SECRET, [Echo()]), Exchange("b", SECRET, [Echo()])
    here.meet("b", unix(path))
    with pytest.raises(RemoteError) as caught:
        here.at("b", 0).opened(Visitor())
    assert caught.value.code is ErrorCode.DRAINING
    assert not here.tell("b", b"note")
    await there.listen(path)
    await until(lambda: here.places)
    assert here._outward["b"]._refusals == 0
    assert here.at("b", 0).opened(Visitor()) == 0
    await here.close()
    await there.close()


async def test_guests_of_a_place_that_goes_are_sent_back_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "b"
    realm, guests = Echo(), [Visitor() for _ in range(3)]
    here, there = Exchange("a", SECRET, [Echo()]), Exchange("b", SECRET, [realm])
    here.meet("b", unix(path))
    await there.listen(path)
    await until(lambda: here.places)
    away = here.at("b", 0)
    numbers = [away.opened(guest) for guest in guests]
    await until(lambda: len(realm.guests) == 3)
    await there.close()
    await until(lambda: not here.places)
    assert [guest.sent_back for guest in guests] == [[ErrorCode.DRAINING]] * 3
    assert [guest.together for guest in guests] == [3] * 3
    for number in numbers:  # their sockets have not heard of it yet
        away.said(number, b"x")
        away.closed(number)
    assert len(here._outward["b"]) == 0
    assert not realm.guests
    await here.close()


async def test_another_place_than_was_meant_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outward, "AGAIN", (0.01, 0.01))
    path = tmp_path / "b"
    here, there = Exchange("a", SECRET, [Echo()]), Exchange("c", SECRET, [Echo()])
    await there.listen(path)
    here.meet("b", unix(path))
    await until(lambda: here._outward["b"]._refusals == 3)
    assert here._outward["b"]._pause() == 0.08, "it is not asked ever so often"
    assert not here.places
    assert here.missed(0.0) == ["b"]
    assert here.missed(60.0) == []
    await here.close()
    await there.close()


async def test_who_is_closed_as_it_dials_leaves_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "HELLO_TIMEOUT", 60.0)
    near, far = socket.socketpair()
    far.setblocking(False)
    loop = asyncio.get_running_loop()

    async def dial(make: Callable[[], Line]) -> object:
        return await loop.create_connection(make, sock=near)

    place = Outward("b", dial, lambda owner: Line(owner, "a", SECRET, to="b"))
    assert await loop.sock_recv(far, 4096)  # it wants to know who is there
    await place.close()
    async with asyncio.timeout(PATIENCE):
        while await loop.sock_recv(far, 4096):  # to its end
            pass
    far.close()


async def test_who_does_not_answer_is_dialled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward, "HELLO_TIMEOUT", 0.01)
    monkeypatch.setattr(outward, "AGAIN", (0.001, 0.001))
    dials = 0

    async def dial(_: object) -> object:
        nonlocal dials
        dials += 1
        if dials == 2:
            raise UnicodeError("label too long")  # of a name that nobody can have
        return await asyncio.Event().wait()

    place = Outward("b", dial, lambda _: pytest.fail("nobody answers"))
    await until(lambda: dials > 2)
    await place.close()


@pytest.mark.parametrize(
    ("kind", "body"),
    [(Kind.DISMISSED, b"nonsense"), (Kind.DISMISSED, b"\xff"), (Kind.SENT_BACK, b"")],
)
async def test_what_is_nonsense_is_no_frame(kind: Kind, body: bytes) -> None:
    async def nowhere(_: object) -> object:
        raise OSError

    place = Outward("b", nowhere, lambda _: pytest.fail("nobody answers"))
    place._guests[1] = Visitor()
    with pytest.raises(FrameError):
        place.hear(Frame(kind, 1, body))
    with pytest.raises(FrameError):
        place.hear(Frame(Kind.OPENED, 1, b""))
    await place.close()
