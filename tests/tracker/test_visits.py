"""Sockets, and where what they come for is at home."""

from __future__ import annotations

from typing import Any, cast

import pytest

from p2pcdn.core.homes import home_of
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.codec import encode_utf8
from tests.tracker.exchange.meeting import FACTS, Echo
from tests.tracker.rig import join
from tracker.guests import Guest, Here
from tracker.homes import Homes
from tracker.visits import MOST_HASHES, OURS, WEBTORRENT, Tour, Visit

PLACES = ["0", "1", "2"]


class Line:
    """Stands for a connection."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.refused: list[ErrorCode] = []

    def tell(self, text: bytes) -> None:
        self.told.append(text)

    def refuse(self, text: bytes | None, code: ErrorCode) -> None:
        self.refused.append(code)


class Away(Echo):
    """A realm that cannot be reached."""

    def opened(self, guest: Guest) -> int:
        raise RemoteError(ErrorCode.DRAINING)


class World:
    """Places, each with both realms."""

    def __init__(self, *away: str) -> None:
        self.realms = {
            (place, index): Away() if place in away else Echo()
            for place in PLACES
            for index in (OURS, WEBTORRENT)
        }
        self.homes = Homes("0", PLACES, lambda place, index: self.realms[place, index], 100)
        self.line = Line()
        self.guest = Here(cast(Any, self.line), FACTS, lambda error, retry: None)

    def at(self, index: int) -> list[str]:
        """Where the guest is."""
        return [place for place in PLACES if self.realms[place, index].guests]

    def visit(self) -> Visit:
        made = Visit(self.homes)
        made.guest = self.guest
        return made

    def tour(self) -> Tour:
        made = Tour(self.homes)
        made.guest = self.guest
        return made


def about(*hashes: str) -> bytes:
    """A message about these torrents."""
    return encode_utf8(cast(Any, {"action": "scrape", "info_hash": list(hashes)}))


def hash_at(place: str) -> str:
    ids = (f"{number:020}" for number in range(1000))
    return next(id_ for id_ in ids if home_of(id_.encode(), PLACES) == place)


@pytest.mark.parametrize("place", PLACES)
def test_a_viewer_is_where_its_content_is_at_home(place: str) -> None:
    world = World()
    visit = world.visit()
    ids = (f"{number:032x}" for number in range(1000))
    content = next(id_ for id_ in ids if home_of(id_.encode(), PLACES) == place)
    said = encode_utf8(join(content=content))
    visit.hear(said)
    visit.hear(b"whatever else")
    assert world.at(OURS) == [place]
    assert world.line.told == [said, b"whatever else"]
    visit.closed()
    assert world.at(OURS) == []


def test_what_is_wrong_with_a_first_message_is_said_here() -> None:
    world = World()
    visit = world.visit()
    with pytest.raises(RemoteError):
        visit.hear(b"wrong")
    assert world.at(OURS) == ["0"]


def test_who_says_nothing_is_nowhere() -> None:
    world = World()
    world.visit().closed()
    world.tour().closed()
    assert world.line.refused == []


def test_a_client_of_many_swarms_is_at_the_homes_of_all() -> None:
    world = World()
    tour = world.tour()
    one, other = hash_at("1"), hash_at("2")
    tour.hear(about(one))
    tour.hear(about(one, other))
    tour.hear(about(other))
    assert world.at(WEBTORRENT) == ["1", "2"]
    assert world.at(OURS) == []
    assert world.line.told == [about(one), about(one, other), about(one, other), about(other)]
    tour.hear(b"nothing that makes sense")
    assert world.at(WEBTORRENT) == PLACES
    tour.closed()
    assert world.at(WEBTORRENT) == []


def test_so_many_hashes_are_looked_at() -> None:
    world = World()
    world.tour().hear(about(*[hash_at("1")] * MOST_HASHES, hash_at("2")))
    assert world.at(WEBTORRENT) == ["1"]


def test_who_is_alone_looks_at_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.visits.info_hashes_of", lambda _: pytest.fail("it need not"))
    realm = Echo()
    tour = Tour(Homes.alone([Echo(), realm]))
    tour.guest = World().guest
    tour.hear(about(hash_at("1")))
    assert realm.guests


def test_whose_home_is_away_is_sent_back() -> None:
    world = World("1")
    visit = world.visit()
    ids = (f"{number:032x}" for number in range(1000))
    content = next(id_ for id_ in ids if home_of(id_.encode(), PLACES) == "1")
    visit.hear(encode_utf8(join(content=content)))
    world.tour().hear(about(hash_at("1")))
    assert world.line.refused == [ErrorCode.DRAINING] * 2
    visit.closed()
