"""What is known of a socket, and the sockets of a process."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from aiohttp.test_utils import make_mocked_request

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import parse_address
from tracker.guests import Facts, Guests, Here, retry_after

FACTS = Facts("203.0.113.7", "firefox", None, "nonce")


class Line:
    """Stands for a connection."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def tell(self, text: bytes) -> None:
        self.heard.append(text)

    def dismiss(self, code: ErrorCode | None) -> None:
        self.heard.append(code)

    def refuse(self, text: bytes | None, code: ErrorCode) -> None:
        self.heard += [text, code]

    def abort(self) -> None:
        self.heard.append("abort")


def here() -> tuple[Here, Line]:
    line = Line()
    return Here(cast(Any, line), FACTS, lambda error, retry: b"%d" % (retry or 0)), line


@pytest.mark.parametrize(
    ("headers", "browser", "origin"),
    [
        ({}, "other", None),
        (
            {
                "User-Agent": "Mozilla/5.0 Gecko/20100101 Firefox/140.0",
                "Origin": "https://a.example",
            },
            "Firefox",
            "https://a.example",
        ),
    ],
)
def test_the_request_says_who_it_is(
    headers: dict[str, str], browser: str, origin: str | None
) -> None:
    address = parse_address("2001:db8::1")
    assert address is not None
    facts = Facts.of(make_mocked_request("GET", "/", headers), address, "nonce")
    assert facts.address == address
    assert (facts.origin, facts.nonce) == (origin, "nonce")
    assert facts.browser == browser


def test_a_guest_that_is_here_is_told_by_its_connection() -> None:
    guest, line = here()
    guest.tell(b"{}")
    guest.dismiss(ErrorCode.SLOW)
    assert line.heard == [b"{}", ErrorCode.SLOW]


def test_who_is_sent_back_is_told_when_to_come() -> None:
    heard = []
    for _ in range(50):
        guest, line = here()
        guest.send_back(RemoteError(ErrorCode.DRAINING))
        seconds, code = line.heard
        assert code is ErrorCode.DRAINING
        heard.append(seconds)
    assert set(heard) > {b"1", b"4"}  # not all at the same time


def test_the_more_come_back_together_the_more_time_they_have() -> None:
    alone = [retry_after() for _ in range(200)]
    crowd = [retry_after(5000) for _ in range(1000)]
    assert 1.0 <= min(alone) <= max(alone) <= 5.0
    assert 1.0 <= min(crowd) <= max(crowd) <= 26.0
    assert sum(at <= 5.0 for at in crowd) < 300  # 160 of them, about


async def test_guests_are_counted_while_they_stay() -> None:
    guests, (guest, line) = Guests(), here()
    guests.enter(guest)
    assert list(guests) == [guest]
    guests.abort()
    guests.leave(guest)
    assert not guests
    assert line.heard == ["abort"]


async def test_it_is_waited_for_those_who_go_and_not_for_those_who_do_not() -> None:
    guests, (guest, _) = Guests(), here()
    await guests.gone(10.0)  # nobody is here
    guests.enter(guest)
    await guests.gone(0.0)
    assert len(guests) == 1
    waiting = asyncio.create_task(guests.gone(60.0))
    await asyncio.sleep(0)
    guests.leave(guest)
    await waiting
    assert not guests
