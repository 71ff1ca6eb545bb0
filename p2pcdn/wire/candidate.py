"""ICE candidates (RFC 8839, 5.1): reading them, and which of them a tracker passes on.

::

    candidate:842163049 1 udp 1677729535 198.51.100.7 51234 typ srflx raddr 10.0.0.5 rport 41000
              |         | |   |          |            |     |   |     '--- never passed on
              foundation| |   priority   address      port  |   kind
                component transport                         '-- always "typ"

A candidate tells a stranger where to send packets. So an honest one can give away a viewer's
private network, and a forged one can point other viewers' browsers at a victim. What is passed on
is therefore only what the tracker can vouch for: names that nobody can resolve outside the local
network (mDNS), and the address that the peer's own socket comes from. A peer's `Mode` narrows or
shifts that: in its local network private addresses are told as well, and whoever hides behind a
relay tells the relay's address alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from p2pcdn.errors import ErrorCode, RemoteError
from p2pcdn.model import Mode

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LOWEST_PORT = 1024
"""Ports below are for services, not for peers; browsers refuse them in candidates, too."""

Nat = Literal["no NAT", "ports kept", "ports changed"]
"""Whether a peer is seen by its own address; or else whether a STUN server sees it by one of its
own ports. From one server it cannot be told whether others would see it by yet another: those whose
ports are changed may be hard to reach (RFC 4787, 4.1), or may not."""

MOST_PORTS = 16
"""Of a peer's own addresses, that are remembered."""

_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
)
"""Of local networks (RFC 1918, RFC 4193). Link-local addresses mean nothing without their zone."""

_TUNNELS = tuple(map(ipaddress.ip_network, ("2002::/16", "2001::/32", "64:ff9b::/96")))
"""6to4, Teredo, NAT64: an IPv4 address stands in them, perhaps a private one."""

_KINDS: dict[Mode, tuple[str, ...]] = {
    "off": (),
    "lan": ("host",),
    "network": ("host", "srflx"),
    "any": ("host", "srflx"),
    "relay": ("relay",),
}
"""Which kinds a peer may tell of itself, by its mode."""

_FIELDS = re.compile(
    r"""candidate:(?P<foundation>[A-Za-z0-9+/]{1,32})
    \ (?P<component>\d{1,3})
    \ (?P<transport>[A-Za-z0-9-]{1,16})
    \ (?P<priority>\d{1,10})
    \ (?P<address>[A-Za-z0-9.:%_-]{1,255})
    \ (?P<port>\d{1,5})
    \ typ\ (?P<kind>[a-z]{1,16})
    (?P<extensions>(?:\ [!-~]+\ [!-~]+)*)\ ?""",
    re.VERBOSE | re.ASCII,
)
"""``extensions`` are pairs of a name and a value: raddr, rport, generation, ufrag, tcptype..."""

_MDNS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.local", re.IGNORECASE)
"""A random (version 4) UUID for each page and network, as the mDNS draft for ICE has it."""

_KEPT_EXTENSIONS = {
    "generation": re.compile(r"\d{1,10}", re.ASCII),
    "ufrag": re.compile(r"[A-Za-z0-9+/]{4,256}", re.ASCII),
}
"""They bind a candidate to its session. Others tell of the viewer's network (``network-cost``)."""


class Candidate(NamedTuple):
    """One candidate, without what nobody else needs to know."""

    foundation: str
    component: int
    transport: str
    priority: int
    address: str
    port: int
    kind: str
    extensions: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The candidate as an SDP attribute without its ``a=``, as browsers give and take it."""
        text = (
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} "
            f"{self.address} {self.port} typ {self.kind}"
        )
        if self.kind != "host":
            # Required for these kinds; this is how RFC 8839, 5.1 lets the base address be hidden.
            text += f" raddr {'::' if ':' in self.address else '0.0.0.0'} rport 9"
        for name, value in self.extensions:
            text += f" {name} {value}"
        return text


def parse_candidate(text: str) -> Candidate:
    """Read a candidate attribute; `RemoteError` if it is none."""
    match = _FIELDS.fullmatch(text)
    if match is None:
        raise RemoteError(ErrorCode.BAD_CANDIDATE, "not a candidate attribute of RFC 8839")
    foundation, component, transport, priority, address, port, kind, extensions = match.groups()
    if not 0 < int(priority) < 2**31:
        raise RemoteError(ErrorCode.BAD_CANDIDATE, "a priority is between 1 and 2^31 - 1")
    return Candidate(
        foundation,
        int(component),
        transport.lower(),
        int(priority),
        address,
        int(port),
        kind,
        _kept(extensions.split()) if extensions else (),
    )


def _kept(words: list[str]) -> tuple[tuple[str, str], ...]:
    """Of names and values in turns those pairs that are passed on."""
    pairs = zip(words[::2], words[1::2], strict=True)
    return tuple(
        (name, value)
        for name, value in pairs
        if name in _KEPT_EXTENSIONS and _KEPT_EXTENSIONS[name].fullmatch(value)
    )


def parse_address(text: str) -> IPAddress | None:
    """The address without its zone, IPv4-mapped ones as IPv4; None if it is a name."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def network_of(address: IPAddress) -> bytes:
    """What may well be one person's: an IPv4 /24, or an IPv6 /48, the least that is routed on its
    own."""
    return address.packed[: 3 if address.version == 4 else 6]


def lan_of(address: IPAddress) -> bytes:
    """A local network: behind a NAT all have one IPv4 address, and with IPv6 one /64. A tracker
    inside the network sees private addresses: of these the /24 is taken, as of loopback."""
    if address.version == 6:
        return address.packed[:8]
    return address.packed[: 3 if is_private(address) or address.is_loopback else 4]


def is_private(address: IPAddress) -> bool:
    """Whether it means something in one local network only."""
    return any(address in network for network in _PRIVATE)


def _nowhere(_: IPAddress) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Vantage:
    """What the tracker knows of where a peer is, by its socket."""

    source: IPAddress
    """The address that the socket comes from."""
    is_ours: Callable[[IPAddress], bool] = _nowhere
    """Whether an address is an interface of the tracker's machine."""
    advertised: tuple[IPNetwork, ...] = ()
    """Where peers of the operator's own are reached, whatever their sockets come from."""
    is_relay: Callable[[IPAddress], bool] = _nowhere
    """Whether the operator's relays send from an address, as far as that is known by then."""
    operator: str = ""
    """The network that the socket comes from; peers of one network have the same. Empty if that is
    not known."""
    region: str = ""
    """The group of addresses that it is in, its PID in the operator's ALTO map."""
    country: str = ""
    """Two letters (ISO 3166)."""

    def vouches(self, candidate: Candidate, address: IPAddress) -> bool:
        """Whether the peer is surely to be found at this address of its candidate."""
        if candidate.kind == "relay":
            return self.is_relay(address)
        if not _is_place(address):
            return False
        if address == self.source:
            return True
        if candidate.kind == "host" and any(address in network for network in self.advertised):
            return True
        # Somebody on this very machine, who reached the tracker by loopback.
        return self.source.is_loopback and self.is_ours(address)


def _is_place(address: IPAddress) -> bool:
    """Whether it can be one host's address, seen from another."""
    return not (
        address.is_loopback
        or address.is_unspecified
        or address.is_multicast
        or (isinstance(address, ipaddress.IPv4Address) and address.is_reserved)
    )


class Sieve:
    """Lets candidates of one session description through, those in it and those that follow.

    Of the socket's own address family only what the `Vantage` vouches for passes; of the other
    family one public address does, since the tracker cannot see it and dual-stack viewers need it.
    What a peer in mode ``lan`` tells is only for peers in its own network: private addresses pass.
    """

    def __init__(self, vantage: Vantage, most: int, mode: Mode = "any") -> None:
        self.passed = 0
        self._vantage = vantage
        self._most = most
        self._mode = mode
        self._other: IPAddress | None = None
        self._ports: set[int] = set()
        """Of the machine's own addresses."""
        self._mapped: set[int] = set()
        """Ports that a NAT has put in their place."""
        self._is_bare = False

    @property
    def nat(self) -> Nat | None:
        """What stands between the peer and the net, as far as its candidates tell; None if they do
        not, or not yet."""
        if self._is_bare:
            return "no NAT"
        if not self._mapped:
            return None
        return "ports kept" if self._mapped & self._ports else "ports changed"

    @property
    def gathers(self) -> bool:
        """Whether the peer has told of an address of its own."""
        return bool(self._ports)

    def sift(self, text: str) -> str | None:
        """The candidate as it is to be passed on, or None; `RemoteError` if it is none at all."""
        if text in ("", "candidate:"):  # how browsers say that there will be no more
            return None
        candidate = parse_candidate(text)
        if self.passed >= self._most or not _is_usable(candidate):
            return None
        if candidate.kind not in _KINDS[self._mode]:
            return None
        if candidate.kind == "host" and len(self._ports) < MOST_PORTS:
            self._ports.add(candidate.port)
        if not _MDNS.fullmatch(candidate.address):
            address = parse_address(candidate.address)
            # Any other name would have strangers' machines look it up.
            if address is None or not self._is_known(candidate, address):
                return None
            self._see(candidate, address)
            candidate = candidate._replace(address=str(address))
        elif candidate.kind != "host":
            return None
        self.passed += 1
        return str(candidate)

    def _see(self, candidate: Candidate, address: IPAddress) -> None:
        if candidate.kind == "srflx":
            self._mapped.add(candidate.port)
        elif candidate.kind == "host" and self._vantage.vouches(candidate, address):
            self._is_bare = True

    def _is_known(self, candidate: Candidate, address: IPAddress) -> bool:
        if self._vantage.vouches(candidate, address):
            return True
        if candidate.kind == "relay":
            return False
        if self._mode == "lan":
            return is_private(address)
        if address.version == self._vantage.source.version or not address.is_global:
            return False
        if not _is_place(address) or any(address in tunnel for tunnel in _TUNNELS):
            return False
        self._other = self._other or address
        return address == self._other


def _is_usable(candidate: Candidate) -> bool:
    """Data channels go over UDP, with one component; TCP candidates only serve port scans."""
    return (
        candidate.transport == "udp"
        and candidate.component == 1
        and LOWEST_PORT <= candidate.port <= 65_535
    )
