"""Who gets a place: at the limit, one over, and a lot over."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import Any

import pytest

from p2pcdn.config import OriginConfig
from p2pcdn.service import gate
from p2pcdn.service.gate import RESERVE, Gate, affordable, affordable_files, share_of_one


class Transport(asyncio.BaseTransport):
    """A connection from somewhere."""

    def __init__(self, host: str | None) -> None:
        super().__init__({"peername": (host, 5000) if host else None})


def entered(doors: Gate, host: str | None, tries: int) -> list[bytes]:
    places = [doors.enter(Transport(host)) for _ in range(tries)]
    return [place for place in places if place is not None]


@pytest.mark.parametrize("tries", [3, 4, 3000])
def test_so_many_in_all(tries: int) -> None:
    doors = Gate(3, 100)
    places = entered(doors, "198.51.100.7", tries)
    assert len(places) == doors.open == 3
    doors.leave(places[0])
    assert len(entered(doors, "198.51.100.8", 2)) == 1


@pytest.mark.parametrize("tries", [3, 4, 3000])
def test_so_many_of_an_address(tries: int) -> None:
    doors = Gate(100, 3)
    places = entered(doors, "198.51.100.7", tries)
    assert len(places) == 3
    assert len(entered(doors, "198.51.100.8", tries)) == 3
    for place in places:
        doors.leave(place)
    assert len(entered(doors, "198.51.100.7", 1)) == 1


def test_an_ipv6_network_counts_as_one_address() -> None:
    doors = Gate(100, 1)
    assert entered(doors, "2001:db8::1", 1)
    assert not entered(doors, "2001:db8::2", 1)
    assert entered(doors, "2001:db8:0:1::1", 1)


def test_proxies_and_local_sockets_come_with_many() -> None:
    doors = Gate(100, 1, [ip_network("10.0.0.0/8")])
    assert len(entered(doors, "10.0.0.1", 5)) == 5
    assert len(entered(doors, None, 5)) == 5


def test_who_has_left_leaves_nothing_behind() -> None:
    doors = Gate(100, 100)
    for number in range(50):
        for place in entered(doors, f"198.51.100.{number}", 2):
            doors.leave(place)
    assert doors.open == 0
    assert not doors._homes


@pytest.mark.parametrize(
    ("soft", "hard", "most", "asked"),
    [
        (1024, 4096, 500, None),
        (1024, 4096, 2000, 2000 + RESERVE),
        (1024, 4096, 16_384, 4096),
        (1024, -1, 16_384, 16_384 + RESERVE),
        (-1, -1, 16_384, None),
    ],
)
def test_so_many_as_there_are_descriptors(
    soft: int, hard: int, most: int, asked: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    asked_for: list[Any] = []
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked_for.append(limits))
    assert affordable(most) == min(most, (asked or 10**9) - RESERVE)
    assert asked_for == ([] if asked is None else [(asked, hard)])


def test_a_system_that_gives_no_more_is_made_do_with(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")

    def refuse(*_: Any) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert gate.affordable(16_384) == 1024 - RESERVE
    assert gate.affordable(16_384, 256) == 1024 - RESERVE - 256
    assert gate.affordable(16_384, 1024) == 1


@pytest.mark.parametrize(
    ("hard", "most", "files"), [(-1, 1024, 1024), (1024, 1024, 256), (1024, 200, 200), (1024, 0, 0)]
)
def test_open_files_take_a_quarter_of_the_descriptors_at_most(
    hard: int, most: int, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert affordable_files(most) == files


@pytest.mark.parametrize(
    ("asked", "of_one", "most", "share"),
    [
        (16_384, 8192, 16_384, 8192),
        (16_384, 8192, 896, 448),
        (16_384, 1, 896, 1),
        (3, 8192, 3, 8192),
        (16_384, 16_384, 896, 896),
    ],
)
def test_where_there_are_few_no_address_has_them_all(
    asked: int, of_one: int, most: int, share: int
) -> None:
    limits = OriginConfig(connections=asked, connections_per_address=of_one)
    assert share_of_one(limits, most) == share
