"""Another place's guests."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
import structlog

from tests.tracker.exchange.meeting import FACTS, Echo
from tracker.exchange.frames import Frame, FrameError, Kind
from tracker.exchange.inward import Inward


class Line:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []

    def send(self, kind: Kind, guest: int = 0, body: bytes = b"") -> None:
        self.sent.append(Frame(kind, guest, body))


@pytest.fixture
def realm() -> Echo:
    return Echo()


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def inward(realm: Echo, line: Line) -> Inward:
    made = Inward([realm], lambda _: None, lambda *_: None, lambda _: None)
    made.up(cast(Any, line), "b")
    return made


def opened(inward: Inward, *numbers: int) -> None:
    for number in numbers:
        inward.hear(Frame(Kind.OPENED, number, msgspec.msgpack.encode((0, FACTS))))


def test_what_its_realm_says_goes_back_as_it_is(inward: Inward, realm: Echo, line: Line) -> None:
    opened(inward, 7)
    (guest,) = realm.guests.values()
    assert guest.facts == FACTS
    for said in (b"{}", b"leave", b"later"):
        inward.hear(Frame(Kind.SAID, 7, said))
    assert line.sent[:2] == [Frame(Kind.TELL, 7, b"{}"), Frame(Kind.DISMISSED, 7, b"")]
    assert line.sent[2].kind is Kind.SENT_BACK
    inward.hear(Frame(Kind.CLOSED, 7, b""))
    inward.hear(Frame(Kind.CLOSED, 7, b""))  # it does no harm
    assert not realm.guests
    assert len(inward) == 0


@pytest.mark.parametrize(("said", "code"), [(b"wrong", b"malformed"), (b"bug", b"internal")])
def test_what_fails_ends_one_guest_and_no_other(
    inward: Inward, realm: Echo, line: Line, said: bytes, code: bytes
) -> None:
    opened(inward, 1, 2)
    with structlog.testing.capture_logs() as logs:
        inward.hear(Frame(Kind.SAID, 1, said))
    assert line.sent == [Frame(Kind.TELL, 1, code), Frame(Kind.DISMISSED, 1, code)]
    assert len(logs) == (said == b"bug")
    inward.hear(Frame(Kind.SAID, 2, b"{}"))
    assert line.sent[-1] == Frame(Kind.TELL, 2, b"{}")


def test_with_the_place_its_guests_are_gone(inward: Inward, realm: Echo) -> None:
    opened(inward, 1, 2, 3)
    inward.lost()
    assert not realm.guests
    inward.hear(Frame(Kind.SAID, 1, b"{}"))  # of somebody who is not there


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.TELL, b""),
        (Kind.OPENED, b""),
        (Kind.OPENED, msgspec.msgpack.encode((9, FACTS))),
    ],
)
def test_what_is_nonsense_is_no_frame(inward: Inward, kind: Kind, body: bytes) -> None:
    with pytest.raises(FrameError):
        inward.hear(Frame(kind, 1, body))
