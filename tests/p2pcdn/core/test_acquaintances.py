"""Whom a home has met: what lasts, what grows with the peers there, and that it is bounded."""

from __future__ import annotations

import pytest

from p2pcdn.core.acquaintances import ACQUAINTANCE_LASTS, Acquaintances

ME = b"home"


class Homes:
    """Acquaintances, and strangers who come one after the other."""

    def __init__(self, most: int = 60) -> None:
        self.them = Acquaintances(most)
        self.strangers = 0

    def meets(self, tries: int, now: float = 0.0, home: bytes = ME) -> int:
        """How many of so many new homes this one may meet, and does."""
        met = 0
        for _ in range(tries):
            self.strangers += 1
            stranger = self.strangers.to_bytes(4, "big")
            self.them.came(stranger, now)
            if self.them.may_meet(home, stranger, now):
                self.them.meet(home, stranger, now)
                met += 1
        return met


@pytest.mark.parametrize("tries", [60, 61, 60_000])
def test_an_hour_brings_so_many_homes(tries: int) -> None:
    homes = Homes()
    homes.them.came(ME, 0.0)
    assert homes.meets(tries) == 60
    assert homes.meets(100, ACQUAINTANCE_LASTS - 0.1) == 0
    assert homes.meets(100, ACQUAINTANCE_LASTS) == 60


@pytest.mark.parametrize("tries", [60, 61, 1000])
def test_it_does_not_begin_anew_with_a_new_socket(tries: int) -> None:
    homes, met = Homes(), 0
    for number in range(tries):
        homes.them.came(ME, number * 0.1)
        met += homes.meets(1, number * 0.1)
        homes.them.went(ME, number * 0.1)
    assert met == 60


@pytest.mark.parametrize(("peers", "most"), [(1, 60), (2, 84), (4, 120), (100, 600), (2000, 2683)])
def test_it_grows_with_the_square_root_of_the_peers_there(peers: int, most: int) -> None:
    homes = Homes()
    for _ in range(peers):
        homes.them.came(ME, 0.0)
    assert homes.meets(3000) == most
    for _ in range(peers - 1):
        homes.them.went(ME, 0.0)
    assert homes.meets(1) == 0


def test_both_ends_have_to_have_room() -> None:
    them = Acquaintances(1)
    for home in (b"a", b"b", b"c"):
        them.came(home, 0.0)
    them.meet(b"a", b"b", 0.0)
    assert not them.may_meet(b"a", b"c", 0.0)
    assert not them.may_meet(b"c", b"a", 0.0)
    assert them.may_meet(b"a", b"b", 0.0), "an old acquaintance is none too many"


def test_those_at_the_same_home_are_no_acquaintances() -> None:
    homes = Homes(1)
    homes.them.came(ME, 0.0)
    assert homes.meets(1) == 1
    assert homes.them.may_meet(ME, ME, 0.0)
    homes.them.meet(ME, ME, 0.0)
    assert homes.them.may_meet(ME, ME, 0.0)


def test_those_that_have_long_gone_are_forgotten() -> None:
    homes = Homes()
    homes.them.came(ME, 0.0)
    homes.meets(3)
    homes.them.went(ME, 0.0)
    assert homes.them._gone.keys() == {ME}
    homes.them.came(b"x", ACQUAINTANCE_LASTS)
    assert not homes.them._gone
    assert homes.them._remembered == 0


def test_who_met_nobody_leaves_nothing_behind() -> None:
    homes = Homes()
    for number in range(1000):
        home = number.to_bytes(2, "big")
        homes.them.came(home, 0.0)
        homes.them.went(home, 0.0)
    assert not homes.them._gone
    assert not homes.them._present


@pytest.mark.parametrize("goers", [10, 11, 10_000])
def test_what_is_remembered_of_those_gone_is_bounded(
    goers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("p2pcdn.core.acquaintances.MOST_REMEMBERED", 20)
    homes = Homes()
    for number in range(goers):
        home = b"goer%d" % number
        homes.them.came(home, 0.0)
        homes.meets(2, home=home)
        homes.them.went(home, 0.0)
    assert len(homes.them._gone) == 10
    assert homes.them._remembered == sum(len(home.met) for home in homes.them._gone.values()) == 20
    assert b"goer%d" % (goers - 1) in homes.them._gone


def test_to_try_is_to_meet_if_they_may() -> None:
    known = Acquaintances(1)
    for home in (b"a", b"b", b"c"):
        known.came(home, 0.0)
    assert known.try_meet(b"a", b"a", 0.0)
    assert known.try_meet(b"a", b"b", 0.0)
    assert known.try_meet(b"b", b"a", 1.0)
    assert not known.try_meet(b"a", b"c", 1.0)
    assert not known.try_meet(b"c", b"b", 1.0)
    assert known.try_meet(b"c", b"a", 3601.0)
