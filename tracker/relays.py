"""The operator's TURN servers: what lets a peer in, and where they send from.

Credentials are those of the TURN REST interface, which coturn takes with ``use-auth-secret``: a
username that says when it expires, and its HMAC-SHA1 by a secret that both servers share.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import socket

import structlog

from p2pcdn.config import TrackerConfig, turn_host
from p2pcdn.errors import ConfigError, UnavailableError
from p2pcdn.wire.candidate import IPAddress, parse_address
from p2pcdn.wire.tracker import Relays as Admittance

EVERY = 300.0
"""Seconds between two look-ups of the servers' hosts."""
RETRY = 30.0
"""Seconds after which they are looked up again if one was not found."""
LASTS = 3600.0
"""Seconds for which an address counts once it was found: a host may have more than one look-up
tells, and who is with a server that moves stays with it for a while."""

log = structlog.get_logger("p2pcdn.tracker")


class Relays:
    """What the settings say of relays; none if they name no server."""

    def __init__(self, config: TrackerConfig) -> None:
        self._urls = config.turn
        self._lasts = config.turn_lasts
        self._secret = b""
        self._networks = config.relay_networks
        hosts = () if self._networks else sorted({turn_host(url) for url in self._urls})
        self._found: dict[str, dict[IPAddress, float]] = {host: {} for host in hosts}
        """The addresses of each host, and when they were last found."""
        self._task: asyncio.Task[None] | None = None
        if config.turn_secret is not None:
            try:
                self._secret = config.turn_secret.read_bytes().strip()
            except OSError as error:
                raise UnavailableError(
                    f"tracker.turn_secret = {config.turn_secret} cannot be read: {error.strerror}."
                ) from error
            if not self._secret:
                raise ConfigError(f"tracker.turn_secret = {config.turn_secret} is empty.")

    async def start(self) -> None:
        """Find the servers, and look for them again from time to time: they may move."""
        if self._found:
            wait = await self._look_up()
            self._task = asyncio.create_task(self._watch(wait), name="relays")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def send_from(self, address: IPAddress) -> bool:
        """Whether relayed packets may come from an address: one that the settings name, or else
        that of a server, since most relay from the address that they are reached at."""
        return any(address in network for network in self._networks) or any(
            address in addresses for addresses in self._found.values()
        )

    def admit(self, peer: str, now: float) -> Admittance | None:
        """What lets this peer in from ``now`` on, in Unix time; None if there is no server."""
        if not self._urls:
            return None
        username = f"{int(now + self._lasts)}:{peer}"
        digest = hmac.digest(self._secret, username.encode(), "sha1")
        return Admittance(self._urls, username, base64.b64encode(digest).decode())

    async def _watch(self, wait: float) -> None:
        while True:
            await asyncio.sleep(wait)
            wait = await self._look_up()

    async def _look_up(self) -> float:
        """Look all hosts up; the seconds until that is to be done again."""
        answers = await asyncio.gather(*map(_addresses, self._found))
        now = asyncio.get_running_loop().time()
        for host, found in zip(self._found, answers, strict=True):
            known = self._found[host]
            if isinstance(found, str):
                # Peers that need a relay may not link; that is no reason to keep others waiting,
                # nor to forget where the server was.
                log.warning("no_relay", host=host, error=found, in_force=sorted(map(str, known)))
                continue
            if known and not found <= known.keys():
                log.info("relay_moved", host=host, to=sorted(map(str, found)))
            kept = {address: at for address, at in known.items() if now < at + LASTS}
            self._found[host] = kept | dict.fromkeys(found, now)
        return RETRY if any(isinstance(found, str) for found in answers) else EVERY


async def _addresses(host: str) -> set[IPAddress] | str:
    """The addresses of a host, or why there are none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        return error.strerror or str(error)
    except UnicodeError as error:
        return str(error)
    addresses = {parse_address(str(entry[4][0])) for entry in found}
    return {address for address in addresses if address is not None}
