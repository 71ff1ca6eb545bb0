"""Offers: proved as a whole, refused with blame, or forgotten."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest
from msgspec.structs import replace

from p2pcdn.core.offers import ANSWER_TIMEOUT, MOST_PENDING, Forged, Offer, Offers, Proof
from p2pcdn.core.ports import Check, Verify
from p2pcdn.model import SegmentKey, Span
from p2pcdn.wire.manifest import Records, signed_bytes
from tests.p2pcdn.core.media import Media, Piece

PIECES = {n: Piece(SegmentKey("v", n), 70_000 + n) for n in range(20)}
MEDIA = Media.of(PIECES.values(), live=True)
PROOF = Proof("ed25519", b"key", b"signature")
NOW = 0.0


def records_of(first: int, last: int) -> Records:
    return MEDIA.records("v", Span(first, last), NOW)


def offered(*offers: Records, link: int | None = 7) -> Offers:
    found = Offers(count(1))
    for records in offers:
        found.take(records, [PROOF], link, NOW)
    return found


def answer(offers: Offers, *answers: bool) -> list[Offer]:
    """Answer the first checks so; returns what is proved."""
    checks = [event for event in offers.take_events() if isinstance(event, Check | Verify)]
    proved = [offers.checked(event.check, ok) for event, ok in zip(checks, answers, strict=False)]
    return [offer for offer in proved if offer is not None]


def test_an_offer_is_a_signature_and_a_root_for_each_segment() -> None:
    records = records_of(3, 4)
    verify, *checks = offered(records).take_events()
    assert verify == Verify(1, "ed25519", signed_bytes(records.page), b"key", b"signature")
    assert [check.check for check in checks if isinstance(check, Check)] == [2, 3]
    for check in checks:
        assert isinstance(check, Check)
        assert hashlib.sha256(check.data).digest() == check.digest


def test_it_is_proved_by_the_last_yes() -> None:
    offers = offered(records_of(3, 4))
    [proved] = answer(offers, True, True, True)
    assert proved.records == records_of(3, 4)
    assert proved.link == 7
    assert proved.hashes == [PIECES[3].hashes(), PIECES[4].hashes()]
    assert offers.take_events() == []
    assert offers.timer_at() is None


def test_a_yes_that_lacks_proves_nothing() -> None:
    offers = offered(records_of(3, 4))
    assert answer(offers, True, True) == []
    assert offers.covers(3)


@pytest.mark.parametrize("answers", [(False,), (True, False), (True, True, False)])
def test_one_no_is_enough(answers: tuple[bool, ...]) -> None:
    offers = offered(records_of(3, 4))
    assert answer(offers, *answers) == []
    assert offers.take_events() == [Forged(7)]
    assert not offers.covers(3)


def test_what_comes_after_a_no_is_ignored() -> None:
    offers = offered(records_of(3, 4))
    assert answer(offers, False, True, True) == []
    assert offers.take_events() == [Forged(7)]


@pytest.mark.parametrize("hashes", ["", "A", "AAAA", records_of(5, 6).hashes])
@pytest.mark.parametrize("link", [7, None])
def test_hashes_that_do_not_fit_are_a_forgery(hashes: str, link: int | None) -> None:
    offers = offered(Records(records_of(3, 3).page, hashes), link=link)
    assert offers.take_events() == [Forged(link)]
    assert not offers.covers(3)


def test_of_a_page_without_segments_the_signature_is_all() -> None:
    offers = offered(Records(replace(records_of(3, 3).page, segments=()), ""))
    [proved] = answer(offers, True)
    assert proved.hashes == []


def test_no_answer_is_nobodys_fault() -> None:
    offers = offered(records_of(3, 3))
    assert offers.timer_at() == NOW + ANSWER_TIMEOUT
    offers.on_timer(NOW + ANSWER_TIMEOUT - 0.01)
    assert offers.covers(3)
    offers.on_timer(NOW + ANSWER_TIMEOUT)
    assert not offers.covers(3)
    assert answer(offers, True, True) == []
    assert offers.take_events() == []


def test_the_same_offer_is_looked_at_once() -> None:
    offers = offered(records_of(3, 3), records_of(3, 3))
    assert len(offers.take_events()) == 2


def test_a_forgery_does_not_keep_the_genuine_one_away() -> None:
    forged = Records(replace(records_of(3, 3).page, time=99), records_of(3, 3).hashes)
    offers = offered(forged, records_of(3, 3))
    [proved] = answer(offers, False, True, True, True)
    assert proved.records == records_of(3, 3)
    assert offers.take_events() == [Forged(7)]


def test_so_many_are_looked_at_and_no_more() -> None:
    offers = offered(*(records_of(n, n) for n in range(MOST_PENDING + 1)))
    assert [offers.covers(n) for n in range(MOST_PENDING + 1)] == [True] * MOST_PENDING + [False]


def test_a_check_of_somebody_else_is_nothing() -> None:
    assert offered(records_of(3, 3)).checked(99, ok=False) is None
