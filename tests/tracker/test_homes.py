"""Where a content is at home, and where those go for whom there is no room."""

from __future__ import annotations

from typing import Any, cast

from p2pcdn.core.homes import home_of
from tracker.homes import Homes

PLACES = ["0", "1", "2"]
KEYS = [b"%d" % number for number in range(100)]


def homes(name: str = "0", places: list[str] = PLACES, most: int = 10) -> Homes:
    return Homes(name, places, lambda place, index: cast(Any, (place, index)), most)


def test_all_agree_and_nobody_has_it_all() -> None:
    found = [homes("0").home(key) for key in KEYS]
    assert found == [homes("1").home(key) for key in KEYS]
    assert found == [home_of(key, PLACES) for key in KEYS]
    assert set(found) == set(PLACES)


def test_a_realm_is_where_its_key_is_at_home() -> None:
    known = homes()
    home = known.home(b"x")
    assert cast(Any, known.at(home, 1)) == (home, 1)
    assert cast(Any, known.at(known.name, 1)) == ("0", 1)


def test_who_is_alone_has_everything() -> None:
    realm = cast(Any, object())
    alone = Homes.alone([realm])
    assert alone.home(b"x") == alone.name
    assert alone.at(alone.name, 0) is realm
    assert alone.fill([(b"x", 10**9)]) is None


def test_where_it_is_full_there_is_a_next_best_and_where_all_are_none() -> None:
    known = homes()
    key = KEYS[0]
    first = known.home(key)
    known.told(first, [key])
    assert known.is_parted(key)
    second = known.home(key)
    assert second == home_of(key, [place for place in PLACES if place != first])
    known.told(second, [key])
    (third,) = {*PLACES} - {first, second}
    assert known.home(key) == third
    known.told(third, [key])
    assert known.home(key) == first
    assert known.first_home(key) == first
    assert known.home(KEYS[1]) == home_of(KEYS[1], PLACES)
    known.told(first, [])
    known.told(second, [])
    assert known.home(key) == first


def test_what_is_full_has_room_when_it_is_well_below() -> None:
    known = homes(most=10)
    assert known.fill([(b"a", 9), (b"b", 10)]) == frozenset({b"b"})
    assert set(known.full) == {b"b"}
    assert known.fill([(b"a", 9), (b"b", 9)]) is None  # it has hardly any room
    assert known.fill([(b"a", 9), (b"b", 8)]) == frozenset()
    assert not known.full
    assert not known.is_parted(b"b")
