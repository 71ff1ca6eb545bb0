"""Who may meet whom, by the modes that sites and viewers choose.

::

    off       nobody
    lan       peers in the same local network: behind one public address
    network   peers of the same network operator
    any       anybody who is not kept to a network
    relay     the same, through a relay: the address stays hidden

A site and a viewer may each choose; what holds then is what both allow. Peers that are kept to a
network have a swarm of their own there: so whoever searches it, or is to fetch for all of it, finds
nobody who is out of reach.
"""

from __future__ import annotations

import ipaddress

from p2pcdn.model import Mode
from p2pcdn.wire.candidate import IPAddress, Vantage, is_private

_RANK: tuple[Mode, ...] = ("off", "lan", "network", "any")
"""The strictest first."""


def both(one: Mode, other: Mode) -> Mode:
    """What two choices leave together.

    A relay leads out of every network, so that and being kept to one leave nobody.
    """
    if "relay" in (one, other):
        rest = other if one == "relay" else one
        return "relay" if rest in ("relay", "any") else "off"
    return min(one, other, key=_RANK.index)


def neighbourhood(mode: Mode, vantage: Vantage) -> str:
    """The network to which a peer is kept; empty if it is not."""
    match mode:
        case "lan":
            return f"lan {_local_network(vantage.source)}"
        case "network":
            return f"network {vantage.operator or _block(vantage.source)}"
    return ""


def _local_network(source: IPAddress) -> str:
    """Behind a NAT all have one IPv4 address, and with IPv6 one /64. A tracker inside the network
    sees private addresses: of these the /24 is taken, as of loopback."""
    if source.version == 6:
        return _prefix(source, 64)
    return _prefix(source, 24 if is_private(source) or source.is_loopback else 32)


def _block(source: IPAddress) -> str:
    """Where nobody knows the operators: a block that operators do not share."""
    return _prefix(source, 24 if source.version == 4 else 48)


def _prefix(source: IPAddress, length: int) -> str:
    return str(ipaddress.ip_network((source, length), strict=False))
