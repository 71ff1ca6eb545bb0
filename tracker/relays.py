"""The operator's TURN servers: what lets a peer in, and where they send from.

Credentials are those of the TURN REST interface, which coturn takes with ``use-auth-secret``: a
username that says when it expires, and its HMAC-SHA1 by a secret that both servers share.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket
from ipaddress import ip_network

import structlog

from p2pcdn.config import TrackerConfig, turn_host
from p2pcdn.errors import ConfigError
from p2pcdn.wire.candidate import IPNetwork, parse_address
from p2pcdn.wire.tracker import Relays as Admittance

log = structlog.get_logger("p2pcdn.tracker")


class Relays:
    """What the settings say of relays; none if they name no server."""

    def __init__(self, config: TrackerConfig) -> None:
        self._urls = config.turn
        self._lasts = config.turn_lasts
        self._secret = b""
        self.networks = config.relay_networks
        """Where relayed packets come from; found out by `resolve` if no setting says it."""
        if config.turn_secret is not None:
            try:
                self._secret = config.turn_secret.read_bytes().strip()
            except OSError as error:
                raise ConfigError(
                    f"tracker.turn_secret = {config.turn_secret} cannot be read: {error.strerror}."
                ) from error
            if not self._secret:
                raise ConfigError(f"tracker.turn_secret = {config.turn_secret} is empty.")

    async def resolve(self) -> None:
        """Find the servers' addresses: most relay from the address that they are reached at."""
        if self.networks:
            return
        hosts = sorted({turn_host(url) for url in self._urls})
        found = await asyncio.gather(*map(_addresses, hosts))
        self.networks = tuple(network for networks in found for network in networks)

    def admit(self, peer: str, now: float) -> Admittance | None:
        """What lets this peer in from ``now`` on, in Unix time; None if there is no server."""
        if not self._urls:
            return None
        username = f"{int(now + self._lasts)}:{peer}"
        digest = hmac.digest(self._secret, username.encode(), "sha1")
        return Admittance(self._urls, username, base64.b64encode(digest).decode())


async def _addresses(host: str) -> list[IPNetwork]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        # Peers that need a relay will not link; that is no reason to keep all others waiting.
        log.warning("no_relay", host=host, error=error.strerror or str(error))
        return []
    addresses = {parse_address(str(entry[4][0])) for entry in found}
    return [ip_network(address) for address in addresses if address is not None]
