"""Which addresses may be connected to.

A name leads wherever its owner says, to the services of this machine and of its network too, which
trust whoever reaches them (server-side request forgery). So what counts is the address, at the
moment of connecting to it: whatever form a URL has, and whatever a name resolves to now or a moment
later, it ends in one of these numbers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from p2pcdn.config import IPNetwork

_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
"""All that is handed out for the public internet (RFC 4291, 2.4). Outside of it are loopback,
link-local, unique local and multicast, and the forms that have an IPv4 address in them: mapped
(::ffff:0:0/96), compatible (::/96) and translated by NAT64 (64:ff9b::/96, 64:ff9b:1::/48)."""

_SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in (
        # The IANA IPv4 Special-Purpose Address Registry, multicast and what is reserved.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",  # metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",  # Azure's, which looks like any other
        # The IANA IPv6 Special-Purpose Address Registry, as far as it lies in 2000::/3.
        "2001::/23",  # Teredo, among others: it leads to an IPv4 address
        "2001:db8::/32",
        "2002::/16",  # 6to4: it leads to an IPv4 address
        "3fff::/20",
    )
)


def is_public(text: str) -> bool:
    """Whether an address is one of the public internet, and can be nothing else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version == 6 and (address.scope_id is not None or address not in _GLOBAL_6):
        return False
    return not _is_in(address, _SPECIAL)


def may_connect(text: str, private: Iterable[IPNetwork] = ()) -> bool:
    """Whether an address is public, or in one of the ``private`` networks that are allowed."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return is_public(text) or _is_in(address, private)


def _is_in(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, networks: Iterable[IPNetwork]
) -> bool:
    return any(address.version == network.version and address in network for network in networks)
