"""Guests of other nodes are thought for here, by whoever of ours has their content."""

from __future__ import annotations

from typing import Any, cast

import pytest

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.codec import encode_utf8
from tests.tracker.exchange.meeting import FACTS, Echo
from tests.tracker.rig import join
from tracker.guests import Guest, Here
from tracker.homes import Homes
from tracker.nodes.arrivals import Arrivals
from tracker.visits import Visit


class Line:
    def __init__(self) -> None:
        self.told: list[bytes] = []

    def tell(self, text: bytes) -> None:
        self.told.append(text)


def guest(line: Line) -> Guest:
    return Here(cast(Any, line), FACTS, lambda error, retry: None)


def test_a_guest_is_where_its_content_is_at_home_and_is_not_sent_on() -> None:
    realms = {place: Echo() for place in "01"}
    homes = Homes("0", ["0", "1"], lambda place, _: realms[place], 100)
    arrivals = Arrivals(lambda: Visit(homes), lambda error, retry: error.code.encode())
    lines = [Line() for _ in range(12)]
    for number, line in enumerate(lines):
        assert arrivals.opened(guest(line)) == number
        said = encode_utf8(join(content=f"{number:032x}", follows=True))
        arrivals.said(number, said)
        assert line.told == [said]
    assert {place: bool(realm.guests) for place, realm in realms.items()} == {"0": True, "1": True}
    for number in range(len(lines)):
        arrivals.closed(number)
    assert not any(realm.guests for realm in realms.values())


def test_what_is_wrong_is_said_in_its_protocols_words() -> None:
    homes = Homes.alone([Echo()])
    arrivals = Arrivals(lambda: Visit(homes), lambda error, retry: error.code.encode())
    arrivals.opened(guest(Line()))
    with pytest.raises(RemoteError):
        arrivals.said(0, b"wrong")
    assert arrivals.complain(RemoteError(ErrorCode.MALFORMED)) == b"malformed"
