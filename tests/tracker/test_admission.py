"""Where sockets come from, and how many may."""

from __future__ import annotations

import ipaddress

import pytest

from p2pcdn.config import TrackerConfig
from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.wire.candidate import IPAddress
from tracker.admission import TIDY_AT, Admission


def ip(text: str) -> IPAddress:
    return ipaddress.ip_address(text)


PROXY, CDN, VIEWER = "10.0.0.1", "10.9.9.9", "198.51.100.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "believed"),
    [
        pytest.param(VIEWER, [], VIEWER, id="no proxy"),
        pytest.param(VIEWER, ["203.0.113.1"], VIEWER, id="a viewer who pretends"),
        pytest.param(PROXY, [VIEWER], VIEWER, id="one proxy"),
        pytest.param(PROXY, [], PROXY, id="a proxy that says nothing"),
        pytest.param(PROXY, [f"{VIEWER}, {CDN}"], VIEWER, id="two proxies"),
        pytest.param(PROXY, [VIEWER, CDN], VIEWER, id="two proxies, two lines"),
        pytest.param(PROXY, [f"203.0.113.1, {VIEWER}"], VIEWER, id="a forged beginning"),
        pytest.param(PROXY, [f"{CDN}, {VIEWER}"], VIEWER, id="a forged proxy"),
        pytest.param(PROXY, [f"{VIEWER}:5050"], VIEWER, id="with a port"),
        pytest.param(PROXY, ["2001:db8::7"], "2001:db8::7", id="IPv6"),
        pytest.param(PROXY, ["[2001:db8::7]:5050"], "2001:db8::7", id="IPv6 with a port"),
        pytest.param(PROXY, [f"::ffff:{VIEWER}"], VIEWER, id="a mapped address"),
        pytest.param(PROXY, ["unknown"], PROXY, id="a name"),
        pytest.param(PROXY, [""], PROXY, id="nothing"),
        pytest.param(PROXY, [f"{VIEWER}, rubbish"], PROXY, id="rubbish at the end"),
        pytest.param(PROXY, [CDN], CDN, id="only proxies"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], believed: str) -> None:
    admission = Admission(TrackerConfig(trusted_proxies=("10.0.0.0/8",)))
    assert admission.believed(ip(peer), forwarded) == ip(believed)


def test_without_trusted_proxies_nobody_is() -> None:
    assert Admission(TrackerConfig()).believed(ip("127.0.0.1"), [VIEWER]) == ip("127.0.0.1")


@pytest.mark.parametrize("tried", [5, 6, 5000])
def test_so_many_sockets_of_an_address(tried: int) -> None:
    admission = Admission(TrackerConfig(sockets_per_address=5))
    opened = 0
    for _ in range(tried):
        try:
            admission.enter(ip(VIEWER), 0.0)
        except RemoteError as error:
            code = error.code
        else:
            opened += 1
    assert opened == 5
    if tried > 5:
        assert code is ErrorCode.TOO_MANY
    admission.enter(ip("198.51.100.8"), 0.0)
    admission.leave(ip(VIEWER))
    admission.enter(ip(VIEWER), 0.0)


def test_an_ipv6_network_counts_as_one_address() -> None:
    admission = Admission(TrackerConfig(sockets_per_address=1))
    admission.enter(ip("2001:db8:0:1::1"), 0.0)
    with pytest.raises(RemoteError):
        admission.enter(ip("2001:db8:0:1:ffff::2"), 0.0)
    admission.enter(ip("2001:db8:0:2::1"), 0.0)


@pytest.mark.parametrize("tried", [100, 101, 10_000])
def test_so_many_joins_a_second(tried: int) -> None:
    admission = Admission(TrackerConfig(joins_per_second=100))
    passed = 0
    for _ in range(tried):
        try:
            admission.join(ip(VIEWER), 0.0)
        except RemoteError as error:
            assert error.code is ErrorCode.TOO_FAST  # noqa: PT017
        else:
            passed += 1
    assert passed == 100
    admission.join(ip("198.51.100.8"), 0.0)
    admission.join(ip(VIEWER), 0.1)


def test_addresses_that_went_are_forgotten() -> None:
    admission = Admission(TrackerConfig())
    for number in range(5 * TIDY_AT):
        address = ipaddress.IPv4Address(number + 2**24)
        admission.enter(address, float(number))
        admission.join(address, float(number))
        admission.leave(address)
    assert len(admission._visitors) <= TIDY_AT + 1


def test_a_joiner_is_remembered_until_it_may_join_at_full_rate_again() -> None:
    admission = Admission(TrackerConfig(joins_per_second=1))
    admission.join(ip(VIEWER), 0.0)
    admission._tidy(0.5)
    with pytest.raises(RemoteError):
        admission.join(ip(VIEWER), 0.5)
    admission._tidy(1.5)
    assert not admission._visitors


def test_several_processes_tell_each_other_of_whom_they_have_much() -> None:
    config = TrackerConfig(sockets_per_address=16, joins_per_second=16.0)
    one, other = Admission(config, 2), Admission(config, 2)
    here = ip(VIEWER)
    one.enter(here, 0.0)
    assert one.shares().sockets == {}  # that is not much
    for _ in range(9):
        one.enter(here, 0.0)
    shares = one.shares()
    assert list(shares.sockets.values()) == [10]
    other.hear("1", shares, 0.0)
    for _ in range(6):
        other.enter(here, 0.0)
    with pytest.raises(RemoteError, match="16 sockets"):
        other.enter(here, 0.0)
    other.forget("1")
    other.enter(here, 0.0)
    for _ in range(10):
        one.leave(here)
    assert one.shares().sockets == {}


def test_joins_elsewhere_count_here() -> None:
    config = TrackerConfig(joins_per_second=16.0)
    one, other = Admission(config, 2), Admission(config, 2)
    here = ip(VIEWER)
    one.join(here, 0.0)
    assert one.shares().joins == {}
    for _ in range(15):
        one.join(here, 0.0)
    shares = one.shares()
    assert list(shares.joins.values()) == [15]
    assert one.shares().joins == {}  # they have been told
    for _ in range(16):
        other.join(here, 0.0)
    other.hear("1", shares, 0.0)
    with pytest.raises(RemoteError):
        other.join(here, 0.9)  # what both gave out has to be waited for
    other.join(here, 1.1)
