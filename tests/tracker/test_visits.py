"""Sockets, and where what they come for is at home."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from p2pcdn.core.homes import home_of
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.codec import encode_utf8
from p2pcdn.wire.webtorrent import scrape_of
from tests.tracker.exchange.meeting import FACTS, Echo
from tests.tracker.rig import join
from tracker.guests import Guest, Here
from tracker.homes import Homes
from tracker.visits import OURS, WEBTORRENT, Tour, Visit

PLACES = ["0", "1", "2"]


class Line:
    """Stands for a connection."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.refused: list[ErrorCode] = []
        self.dismissed: list[ErrorCode | None] = []

    def tell(self, text: bytes) -> None:
        self.told.append(text)

    def dismiss(self, code: ErrorCode | None) -> None:
        self.dismissed.append(code)

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
    """A scrape of these torrents, not written as we do."""
    return json.dumps({"action": "scrape", "info_hash": hashes}, indent=1).encode()


def announce(*hashes: str) -> bytes:
    """An announce; of more than one it makes no sense."""
    said = {"action": "announce", "info_hash": hashes[0] if len(hashes) == 1 else hashes}
    return json.dumps(said).encode()


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
    tour.hear(announce(one))
    tour.hear(announce(other))
    tour.hear(announce(one))
    assert world.at(WEBTORRENT) == ["1", "2"]
    assert len(world.realms["1", WEBTORRENT].guests) == 1
    assert world.at(OURS) == []
    assert world.line.told == [announce(one), announce(other), announce(one)]
    tour.hear(b"nothing that makes sense")
    assert world.at(WEBTORRENT) == PLACES
    tour.closed()
    assert world.at(WEBTORRENT) == []


def test_each_place_is_asked_for_the_counts_of_what_is_at_home_there() -> None:
    world = World()
    one, other = hash_at("1"), hash_at("2")
    whole = about(one, one)
    world.tour().hear(about(one, other, one))
    world.tour().hear(whole)
    assert world.line.told == [scrape_of([one, one]), scrape_of([other]), whole]


def test_of_what_is_wrong_one_place_says_so() -> None:
    world = World()
    wrong = [announce(hash_at("1"), hash_at("2")), about(*[hash_at("1")] * 128, hash_at("2"))]
    for data in wrong:
        world.tour().hear(data)
    assert world.line.told == wrong
    assert world.at(WEBTORRENT) == ["1"]


def test_who_is_of_no_use_at_one_place_stays_at_the_others() -> None:
    world = World()
    tour = world.tour()
    tour.hear(announce(hash_at("1")))
    tour.hear(announce(hash_at("2")))
    for place in ("1", "2"):
        assert world.line.dismissed == []
        (guest,) = world.realms[place, WEBTORRENT].guests.values()
        assert guest.facts == FACTS
        guest.dismiss(ErrorCode.TIMEOUT)
        guest.dismiss(ErrorCode.TIMEOUT)  # it has gone
        assert world.realms[place, WEBTORRENT].guests == {}
    assert world.line.dismissed == [ErrorCode.TIMEOUT]
    tour.closed()


def test_a_place_that_goes_away_closes_no_socket() -> None:
    world = World()
    tour = world.tour()
    tour.hear(announce(hash_at("1")))
    (guest,) = world.realms["1", WEBTORRENT].guests.values()
    guest.send_back(RemoteError(ErrorCode.DRAINING))
    guest.send_back(RemoteError(ErrorCode.DRAINING))
    assert world.at(WEBTORRENT) == []
    tour.hear(announce(hash_at("1")))
    assert world.at(WEBTORRENT) == ["1"]
    assert (world.line.dismissed, world.line.refused) == ([], [])


@pytest.mark.parametrize("action", ["announce", "scrape"])
def test_a_place_that_is_away_is_told_of(action: str) -> None:
    world = World("1")
    info_hash = hash_at("1")
    data = announce(info_hash) if action == "announce" else about(info_hash)
    world.tour().hear(data)
    (text,) = world.line.told
    told = json.loads(text)
    assert (told["action"], told["info_hash"]) == (action, info_hash)
    assert "away" in told["failure reason"]
    assert world.line.refused == []


def test_who_is_alone_looks_at_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.visits.subject_of", lambda _: pytest.fail("it need not"))
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
    assert world.line.refused == [ErrorCode.DRAINING]
    visit.closed()
