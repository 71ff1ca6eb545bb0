"""Which candidates a tracker passes on, from whom."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import Mode
from p2pcdn.wire.candidate import (
    MOST_PORTS,
    IPAddress,
    Sieve,
    Vantage,
    lan_of,
    network_of,
    parse_address,
    parse_candidate,
)

HOME = "203.0.113.7"
"""A viewer's public address, as far as the tracker sees."""
MDNS = "831f6f8b-ebda-4480-855e-0b4d87e49d94.local"
PUBLIC_6 = "2600:1f18:1::7"


def text(
    address: str, kind: str = "host", *, port: int = 50_000, transport: str = "udp", rest: str = ""
) -> str:
    return f"candidate:1 1 {transport} 2113937151 {address} {port} typ {kind}{rest}"


def sieve(
    source: str = HOME,
    *,
    ours: tuple[str, ...] = (),
    advertised: str = "",
    relays: str = "",
    mode: Mode = "any",
) -> Sieve:
    def is_ours(address: IPAddress) -> bool:
        return str(address) in ours

    networks = (ipaddress.ip_network(advertised),) if advertised else ()

    def is_relay(address: IPAddress) -> bool:
        return str(address) == relays

    vantage = Vantage(ipaddress.ip_address(source), is_ours, networks, is_relay)
    return Sieve(vantage, 10, mode)


@pytest.mark.parametrize(
    ("source", "candidate"),
    [
        pytest.param(HOME, text(MDNS), id="a browser's mDNS name"),
        pytest.param("127.0.0.1", text(MDNS), id="the same on this machine"),
        pytest.param(HOME, text(MDNS.upper()), id="in capitals"),
        pytest.param(HOME, text(HOME, "srflx"), id="what our STUN says, as the socket does"),
        pytest.param("10.1.2.3", text("10.1.2.3", "srflx"), id="the same behind no NAT, on a LAN"),
        pytest.param("192.168.1.5", text("192.168.1.5"), id="a native peer's LAN address"),
        pytest.param(PUBLIC_6, text(PUBLIC_6, "srflx"), id="IPv6"),
        pytest.param(PUBLIC_6, text("8.8.8.8", "srflx"), id="IPv4 of a socket over IPv6"),
        pytest.param(HOME, text(HOME, "srflx", port=1024), id="lowest port"),
        pytest.param(HOME, text(HOME, port=65_535), id="highest port"),
    ],
)
def test_what_the_tracker_can_vouch_for_passes(source: str, candidate: str) -> None:
    assert sieve(source).sift(candidate) is not None


@pytest.mark.parametrize(
    ("source", "candidate"),
    [
        pytest.param(HOME, text("192.168.1.5"), id="a private address"),
        pytest.param(HOME, text("198.51.100.1", "srflx"), id="somebody else's address"),
        pytest.param(HOME, text("8.8.8.8", "srflx"), id="somebody else's public address"),
        pytest.param(HOME, text("fd00::2"), id="a private address of the other family"),
        pytest.param(HOME, text("fe80::1"), id="a link-local one"),
        pytest.param(HOME, text("127.0.0.1"), id="loopback"),
        pytest.param("127.0.0.1", text("127.0.0.1"), id="loopback over loopback"),
        pytest.param("::1", text("::1"), id="loopback over loopback, IPv6"),
        pytest.param(HOME, text("2002:a00:1::1", "srflx"), id="6to4 of a private address"),
        pytest.param(HOME, text("64:ff9b::a00:1", "srflx"), id="NAT64 of one"),
        pytest.param(HOME, text("2001:0:1::f5ff:fffe", "srflx"), id="Teredo"),
        pytest.param(HOME, text("::ffff:10.0.0.1"), id="a private address, mapped"),
        pytest.param(HOME, text("0.0.0.0", "srflx"), id="unspecified"),
        pytest.param(HOME, text("239.1.1.1"), id="multicast"),
        pytest.param(HOME, text("255.255.255.255"), id="broadcast"),
        pytest.param(HOME, text("ff0e::1"), id="multicast of the other family"),
        pytest.param(HOME, text("victim.example.com"), id="a name that resolves anywhere"),
        pytest.param(HOME, text("printer.local"), id="a name of a machine"),
        pytest.param(HOME, text(MDNS, "srflx"), id="a reflexive name"),
        pytest.param(HOME, text(HOME, "relay"), id="a relay"),
        pytest.param(HOME, text(HOME, "prflx"), id="what is never signalled"),
        pytest.param(HOME, text(HOME, transport="tcp", rest=" tcptype active"), id="TCP"),
        pytest.param(HOME, text(MDNS, transport="TCP", rest=" tcptype passive"), id="TCP, mDNS"),
        pytest.param(HOME, text(HOME, port=53), id="a service's port"),
        pytest.param(HOME, text(HOME, port=1023), id="the last of these"),
        pytest.param(HOME, text(HOME, port=0), id="no port"),
        pytest.param(HOME, text(HOME, port=65_536), id="a port too far"),
        pytest.param(HOME, text(HOME).replace(" 1 udp", " 2 udp"), id="a second component"),
        pytest.param(HOME, "", id="the end of candidates"),
    ],
)
def test_what_it_cannot_vouch_for_is_stripped(source: str, candidate: str) -> None:
    assert sieve(source).sift(candidate) is None


@pytest.mark.parametrize("kind", ["host", "srflx"])
@pytest.mark.parametrize("address", ["192.0.2.2", "fd00::2"])
def test_an_interface_of_this_machine_passes_over_loopback_only(address: str, kind: str) -> None:
    assert sieve("127.0.0.1", ours=(address,)).sift(text(address, kind)) is not None
    assert sieve("127.0.0.1").sift(text(address, kind)) is None
    assert sieve(HOME, ours=(address,)).sift(text(address, kind)) is None


def test_advertised_addresses_pass_as_host_candidates() -> None:
    assert sieve(advertised="198.51.100.0/24").sift(text("198.51.100.9")) is not None
    assert sieve(advertised="198.51.100.0/24").sift(text("198.51.101.9")) is None
    assert sieve(advertised="198.51.100.0/24").sift(text("198.51.100.9", "srflx")) is None


@pytest.mark.parametrize(
    ("candidate", "passing"),
    [
        pytest.param(text(MDNS), {"lan", "network", "any"}, id="an mDNS name"),
        pytest.param(text(HOME), {"lan", "network", "any"}, id="the socket's own address"),
        pytest.param(text(HOME, "srflx"), {"network", "any"}, id="what STUN says"),
        pytest.param(text(PUBLIC_6, "srflx"), {"network", "any"}, id="the other family"),
        pytest.param(text(PUBLIC_6), {"network", "any"}, id="the other family, behind no NAT"),
        pytest.param(text("192.168.1.5"), {"lan"}, id="a private address"),
        pytest.param(text("10.0.0.5"), {"lan"}, id="another"),
        pytest.param(text("fd00::5"), {"lan"}, id="a private one of the other family"),
        pytest.param(text("192.168.1.5", "srflx"), set(), id="a NAT behind the NAT"),
        pytest.param(text("fe80::5"), set(), id="link-local"),
        pytest.param(text("198.51.100.1"), set(), id="somebody else's"),
        pytest.param(text("192.0.2.3", "relay"), {"relay"}, id="the operator's relay"),
        pytest.param(text("192.0.2.4", "relay"), set(), id="somebody else's relay"),
        pytest.param(text(HOME, "relay"), set(), id="no relay at all"),
        pytest.param(text("192.0.2.3", "srflx"), set(), id="a relay that calls itself otherwise"),
    ],
)
def test_what_passes_in_each_mode(candidate: str, passing: set[str]) -> None:
    modes: tuple[Mode, ...] = get_args(Mode)
    passed = {mode for mode in modes if sieve(mode=mode, relays="192.0.2.3").sift(candidate)}
    assert passed == passing


def test_without_relays_of_the_operator_none_pass() -> None:
    assert sieve(mode="relay").sift(text("192.0.2.3", "relay")) is None


def test_a_relay_may_be_on_this_machine() -> None:
    assert sieve(mode="relay", relays="127.0.0.1").sift(text("127.0.0.1", "relay")) is not None


def test_whom_a_relay_serves_is_not_told() -> None:
    sent = text("192.0.2.3", "relay", rest=f" raddr {HOME} rport 41000")
    passed = sieve(mode="relay", relays="192.0.2.3").sift(sent)
    assert passed is not None
    assert passed.endswith("typ relay raddr 0.0.0.0 rport 9")


def test_one_address_of_the_other_family_passes() -> None:
    dual = sieve()
    assert dual.sift(text(PUBLIC_6, "srflx")) is not None
    assert dual.sift(text(PUBLIC_6, "srflx", port=50_001)) is not None
    assert dual.sift(text("2600:1f18:1::8", "srflx")) is None


@pytest.mark.parametrize("sent", [10, 11, 1000])
def test_no_more_than_the_limit_passes(sent: int) -> None:
    limited = sieve()
    passed = [limited.sift(text(HOME, port=2000 + number)) for number in range(sent)]
    assert sum(candidate is not None for candidate in passed) == 10


def test_what_is_stripped_does_not_count() -> None:
    limited = sieve()
    for number in range(100):
        assert limited.sift(text("10.0.0.1", port=2000 + number)) is None
    assert limited.sift(text(HOME)) is not None


def test_what_tells_of_the_private_network_is_left_behind() -> None:
    sent = text(
        HOME,
        "srflx",
        rest=" raddr 192.168.1.5 rport 41000 generation 0 ufrag S40Q network-id 2 network-cost 10",
    )
    assert sieve().sift(sent) == (
        f"candidate:1 1 udp 2113937151 {HOME} 50000 typ srflx raddr 0.0.0.0 rport 9 "
        "generation 0 ufrag S40Q"
    )


def test_the_other_family_hides_its_base_in_its_own() -> None:
    passed = sieve().sift(text(PUBLIC_6, "srflx", rest=" raddr fd00::5 rport 41000"))
    assert passed is not None
    assert passed.endswith("typ srflx raddr :: rport 9")


def test_a_mapped_address_is_the_one_that_it_maps() -> None:
    passed = sieve().sift(text(f"::ffff:{HOME}"))
    assert passed is not None
    assert f" {HOME} " in passed


@pytest.mark.parametrize(
    "wrong",
    [
        "nonsense",
        "candidate",
        "a=" + text(HOME),
        text(HOME).removeprefix("candidate:"),
        text(HOME).replace(" typ ", " type "),
        text(HOME).replace("2113937151", "99999999999"),
        text(HOME).replace("2113937151", "4294967296"),
        text(HOME).replace("2113937151", "0"),
        text(HOME, port=-1),
        text(HOME) + "\r\na=candidate:2 1 udp 1 10.0.0.1 5000 typ host",
        text(HOME) + "\n",
        text(HOME, rest=" raddr"),
        text(HOME) + "\x00",
        text("\uff1192.168.1.5"),
        text(HOME).replace("candidate:1 ", "candidate: "),
        text(HOME).replace("candidate:1 ", "candidate:" + "1" * 33 + " "),
        text("a" * 256),
    ],
)
def test_what_is_no_candidate_is_an_error(wrong: str) -> None:
    with pytest.raises(RemoteError) as caught:
        sieve().sift(wrong)
    assert caught.value.code is ErrorCode.BAD_CANDIDATE


@given(st.text(max_size=600))
def test_no_text_does_harm(wild: str) -> None:
    passed = None
    with contextlib.suppress(RemoteError):
        passed = sieve().sift(wild)
    assert passed is None


@given(
    address=st.ip_addresses(),
    kind=st.sampled_from(["host", "srflx"]),
    port=st.integers(0, 99_999),
    source=st.ip_addresses(),
)
def test_of_the_sockets_own_family_only_its_own_address_passes(
    address: IPAddress, kind: str, port: int, source: IPAddress
) -> None:
    passed = sieve(str(source)).sift(text(str(address), kind, port=port))
    if passed is not None:
        seen = parse_candidate(passed)
        known = parse_address(seen.address)
        assert known is not None
        assert known == source or (known.version != source.version and known.is_global)


def test_reading_and_writing_agree() -> None:
    written = text(MDNS, rest=" generation 0 ufrag S40Q")
    assert str(parse_candidate(written)) == written


def test_a_local_network_is_what_is_behind_one_nat() -> None:
    def lan(address: str) -> bytes:
        return lan_of(ipaddress.ip_address(address))

    assert lan("203.0.113.1") != lan("203.0.113.2")
    assert lan("192.168.1.1") == lan("192.168.1.2") != lan("192.168.2.1")
    assert lan("127.0.0.1") == lan("127.0.0.2")
    assert lan("2001:db8:1:2::3") == lan("2001:db8:1:2:3::4") != lan("2001:db8:1:3::3")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.1", "203.0.113.255", True),
        ("203.0.113.1", "203.0.114.1", False),
        ("2001:db8:1:2::3", "2001:db8:1:ffff::4", True),
        ("2001:db8:1:2::3", "2001:db8:2:2::3", False),
    ],
)
def test_a_network_is_the_least_that_is_routed(one: str, other: str, same: bool) -> None:
    networks = {network_of(ipaddress.ip_address(address)) for address in (one, other)}
    assert len(networks) == (1 if same else 2)


@pytest.mark.parametrize(
    ("candidates", "nat"),
    [
        pytest.param([], None, id="nothing yet"),
        pytest.param([text(MDNS, port=5000)], None, id="no STUN server has answered"),
        pytest.param([text("192.168.1.5", port=5000)], None, id="nor here"),
        pytest.param(
            [text(MDNS, port=5000), text(HOME, "srflx", port=5000)], "ports kept", id="kept"
        ),
        pytest.param(
            [text(HOME, "srflx", port=5000), text("192.168.1.5", port=5000)],
            "ports kept",
            id="the same, in another order",
        ),
        pytest.param(
            [
                text(MDNS, port=5000),
                text(MDNS, port=5001),
                text(HOME, "srflx", port=5001),
                text(PUBLIC_6, "srflx", port=7000),
            ],
            "ports kept",
            id="one of several",
        ),
        pytest.param(
            [text(MDNS, port=5000), text(HOME, "srflx", port=6000)], "ports changed", id="changed"
        ),
        pytest.param(
            [text(MDNS, port=5000), text("198.51.100.1", "srflx", port=5000)],
            None,
            id="an address that is not the peer's",
        ),
        pytest.param(
            [text(HOME, port=5000), text(HOME, "srflx", port=6000)], "no NAT", id="its own"
        ),
        pytest.param(
            [text(MDNS, port=5000, transport="tcp"), text(HOME, "srflx", port=5000)],
            "ports changed",
            id="a port of TCP",
        ),
    ],
)
def test_what_candidates_tell_of_the_nat(candidates: list[str], nat: str | None) -> None:
    made = sieve()
    for candidate in candidates:
        made.sift(candidate)
    assert made.nat == nat


def test_no_more_than_so_many_ports_are_remembered() -> None:
    made = sieve()
    for port in range(2000, 2000 + 2 * MOST_PORTS):
        made.sift(text("192.168.1.5", port=port))
    assert len(made._ports) == MOST_PORTS
