"""Places that know each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from p2pcdn.errors import ErrorCode, RemoteError
from tests.tracker.exchange.meeting import PATIENCE, Echo, Visitor, until
from tracker.exchange import exchange, line, outward
from tracker.exchange.exchange import Exchange, tcp, unix
from tracker.guests import Realm

SECRET = b"s" * 32


class Place:
    """An exchange, its realm, and what it heard."""

    def __init__(self, name: str) -> None:
        self.realm = Echo()
        self.notes: list[tuple[str, bytes]] = []
        self.reached: list[str] = []
        self.came: list[str] = []
        self.gone: list[str] = []
        self.exchange = Exchange(
            name,
            SECRET,
            [self.realm],
            note=lambda name, body: self.notes.append((name, body)),
            reached=self.reached.append,
            came=self.came.append,
            gone=self.gone.append,
        )


@asynccontextmanager
async def places(tmp_path: Path, *names: str) -> AsyncIterator[list[Place]]:
    made = [Place(name) for name in names]
    for place in made:
        await place.exchange.listen(tmp_path / place.exchange.name)
        for other in names:
            if other != place.exchange.name:
                place.exchange.meet(other, unix(tmp_path / other))
    await until(lambda: all(len(place.came) == len(names) - 1 for place in made))
    await until(lambda: all(len(place.reached) == len(names) - 1 for place in made))
    yield made
    for place in made:
        await place.exchange.close()


async def test_a_guest_cannot_tell_where_its_realm_is(tmp_path: Path) -> None:
    async with places(tmp_path, "a", "b") as (a, b):
        for name, realm in (("a", a.realm), ("b", b.realm)):
            await speaks(a.exchange.at(name, 0), realm)


async def speaks(at: Realm, realm: Echo) -> None:
    guest = Visitor()
    number = at.opened(guest)
    at.said(number, b"hello")
    await until(lambda: guest.told)
    assert guest.told == [b"hello"]
    at.said(number, b"leave")
    await until(lambda: guest.dismissed)
    assert guest.dismissed == [None]
    at.closed(number)
    await until(lambda: not realm.guests)


async def test_what_is_wrong_is_complained_of_where_the_socket_is(tmp_path: Path) -> None:
    async with places(tmp_path, "a", "b") as (a, _):
        guest = Visitor()
        at = a.exchange.at("b", 0)
        number = at.opened(guest)
        at.said(number, b"wrong")
        at.said(number, b"later")
        await until(lambda: guest.sent_back)
        assert guest.told == [b"malformed"]
        assert guest.dismissed == [ErrorCode.MALFORMED]
        assert guest.sent_back == [ErrorCode.TOO_MANY]
        assert at.complain(RemoteError(ErrorCode.SLOW)) == b"slow"


async def test_notes_go_to_one_or_to_all(tmp_path: Path) -> None:
    async with places(tmp_path, "a", "b", "c") as (a, b, c):
        assert a.exchange.tell("b", b"1")
        assert not a.exchange.tell("x", b"2")
        a.exchange.tell_all(b"3")
        await until(lambda: len(b.notes) == 2 and c.notes)
        assert b.notes == [("a", b"1"), ("a", b"3")]
        assert c.notes == [("a", b"3")]


async def test_who_goes_is_missed_and_waited_for_in_vain(tmp_path: Path) -> None:
    async with places(tmp_path, "a", "b") as (a, b):
        await a.exchange.deserted(0.0)  # b is still here
        assert a.gone == []
        assert b.exchange.tell("a", b"last words")
        waiting = asyncio.create_task(a.exchange.deserted(60.0))
        await b.exchange.close()
        await waiting
        assert a.gone == ["b"]
        assert a.notes == [("b", b"last words")]


async def test_one_can_wait_until_all_hear_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outward, "AGAIN", (60.0, 60.0))
    a, b = Place("a"), Place("b")
    await a.exchange.listen(tmp_path / "a")
    a.exchange.meet("b", unix(tmp_path / "b"))
    await asyncio.sleep(0.05)  # it is not there, and would be tried again in a minute
    await b.exchange.listen(tmp_path / "b")
    b.exchange.meet("a", unix(tmp_path / "a"))
    async with asyncio.timeout(5):
        await b.exchange.reach(["a"])
        await a.exchange.reach(["b"])
    await b.exchange.close()
    await until(lambda: not a.exchange.places)
    waiting = asyncio.create_task(a.exchange.reach(["b"]))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    await a.exchange.close()


async def test_who_begins_anew_is_there_once(tmp_path: Path) -> None:
    async with places(tmp_path, "a", "b") as (a, _):
        again = Place("b")
        guest = Visitor()
        again.exchange.meet("a", unix(tmp_path / "a"))
        await until(lambda: again.reached)
        again.exchange.at("a", 0).opened(guest)
        await until(lambda: a.realm.guests)
        assert a.gone[0] == "b"  # the one before
        await again.exchange.close()


async def test_a_place_that_is_forgotten_takes_nobody(tmp_path: Path) -> None:
    async with places(tmp_path, "a", "b") as (a, b):
        guest = Visitor()
        a.exchange.at("b", 0).opened(guest)
        await until(lambda: b.realm.guests)
        a.exchange.part("b")
        await until(lambda: guest.sent_back and not b.realm.guests)
        nowhere = a.exchange.at("b", 0)
        with pytest.raises(RemoteError):
            nowhere.opened(Visitor())
        nowhere.said(0, b"x")
        nowhere.closed(0)


async def test_places_reach_each_other_by_tcp_too() -> None:
    a, b = Place("a"), Place("b")
    a.exchange.meet("b", tcp("127.0.0.1", await b.exchange.listen_tcp("127.0.0.1", 0)))
    await until(lambda: a.reached)
    guest = Visitor()
    at = a.exchange.at("b", 0)
    at.said(at.opened(guest), b"hello")
    await until(lambda: guest.told)
    await a.exchange.close()
    await b.exchange.close()


async def test_who_does_not_say_who_it_is_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_UNKNOWN", 2)
    monkeypatch.setattr(line, "HELLO_TIMEOUT", 60.0)
    place, other = Place("a"), Place("b")
    port = await place.exchange.listen_tcp("127.0.0.1", 0)
    silent = []
    for _ in range(4):
        silent.append(await asyncio.open_connection("127.0.0.1", port))
        await silent[-1][0].readexactly(1)  # it has been let in
    for reader, _ in silent[:2]:
        async with asyncio.timeout(PATIENCE):
            await reader.read()  # to its end
    other.exchange.meet("a", tcp("127.0.0.1", port))
    await until(lambda: other.reached)
    await until(lambda: len(place.exchange._lines) == 2)
    for _, writer in silent:
        writer.close()
    await other.exchange.close()
    await place.exchange.close()
