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

from p2pcdn.model import Mode
from p2pcdn.wire.candidate import Vantage, lan_of, network_of

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
            return f"lan {lan_of(vantage.source).hex()}"
        case "network":
            # Where nobody knows the operators: a block that operators do not share.
            return f"network {vantage.operator or network_of(vantage.source).hex()}"
    return ""
