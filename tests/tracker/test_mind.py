"""The tracker's mind by itself: guests that are no sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from p2pcdn.config import Config, TrackerConfig
from p2pcdn.core.ledger import Ledger
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import parse_address
from p2pcdn.wire.codec import decode_from_tracker, encode_utf8
from p2pcdn.wire.tracker import FromTracker, Joined, Leave, Refused
from tests.tracker.rig import join
from tracker.admission import Admission
from tracker.beacons import Beacons
from tracker.guests import Facts
from tracker.mind import Mind, is_ours, refusal, rules
from tracker.networks import Networks
from tracker.relays import Relays
from tracker.sites import sites_of

FACTS = Facts("203.0.113.7", "Firefox", None, "nonce")


@dataclass
class Nobody:
    """A guest without a socket."""

    facts: Facts = FACTS
    told: list[FromTracker] = field(default_factory=list)
    dismissed: list[ErrorCode | None] = field(default_factory=list)

    def tell(self, text: bytes) -> None:
        self.told.append(decode_from_tracker(text))

    def dismiss(self, code: ErrorCode | None) -> None:
        self.dismissed.append(code)

    def send_back(self, error: RemoteError, together: int = 0) -> None:
        raise AssertionError


@pytest.fixture
async def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def mind(ledger: Ledger) -> AsyncIterator[Mind]:
    config = Config(tracker=TrackerConfig(joins_per_second=2.0))
    admission = Admission(config.tracker)
    beacons = Beacons(config.tracker, ledger, admission, lambda: 0.0)
    made = Mind(
        config,
        sites_of(config),
        ledger,
        admission,
        beacons,
        Networks(),
        Relays(config.tracker),
    )
    yield made
    made.close()


async def test_who_joins_is_told_so_and_counted_until_he_has_gone(
    mind: Mind, ledger: Ledger
) -> None:
    guest = Nobody()
    number = mind.opened(guest)
    mind.said(number, encode_utf8(join()))
    (joined,) = (message for message in guest.told if isinstance(message, Joined))
    assert joined.mac
    assert ledger.summary().viewers == 1
    mind.closed(number)
    assert ledger.summary().viewers == 0
    assert guest.dismissed == []


async def test_who_leaves_is_dismissed_without_a_code(mind: Mind) -> None:
    guest = Nobody()
    number = mind.opened(guest)
    mind.said(number, encode_utf8(join()))
    mind.said(number, encode_utf8(Leave()))
    assert guest.dismissed == [None]
    mind.closed(number)


async def test_what_is_no_message_is_for_the_socket_to_refuse(mind: Mind) -> None:
    number = mind.opened(Nobody())
    with pytest.raises(RemoteError, match="malformed"):
        mind.said(number, b"{")


async def test_joins_of_an_address_are_counted_whoever_has_their_sockets(mind: Mind) -> None:
    guests = [Nobody() for _ in range(4)]
    for guest in guests:
        mind.said(mind.opened(guest), encode_utf8(join()))
    late = [ErrorCode.TOO_FAST]
    assert [guest.dismissed for guest in guests] == [[], [], late, late]
    (refused,) = guests[2].told
    assert isinstance(refused, Refused)
    assert refused.retry_after is not None


def test_a_refusal_fits_whatever_was_wrong() -> None:
    refused = decode_from_tracker(refusal(RemoteError(ErrorCode.MALFORMED, "x" * 1000), 2.5))
    assert refused == Refused(ErrorCode.MALFORMED, "x" * 512, retry_after=2.5)


def test_the_rules_are_those_of_the_configuration() -> None:
    assert rules(Config(), {}).lease_ahead == 30.0
    assert rules(Config(tracker=TrackerConfig(lease_ahead=0)), {}).lease_ahead == 0
    assert not rules(Config(), {}).importers
    assert rules(Config(tracker=TrackerConfig(importers=True)), {}).importers
    assert rules(Config(), {}).position_lasts == 30.0
    assert rules(Config(tracker=TrackerConfig(report_every=60.0)), {}).position_lasts == 180.0


@pytest.mark.parametrize(("address", "ours"), [("127.0.0.1", True), ("203.0.113.77", False)])
def test_an_interface_of_this_machine_is_told_from_others(address: str, ours: bool) -> None:
    parsed = parse_address(address)
    assert parsed is not None
    assert is_ours(parsed) is ours
