"""By which addresses a peer on this machine is reached, and what a STUN server (RFC 8489) sees."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from aioice import Connection, stun

from p2pcdn.doctor import Finding, doubt, good, wrong

PATIENCE = 0.5
"""Seconds until a request is sent again."""
TRIES = 4

_BRIDGES = ipaddress.ip_network("172.16.0.0/12")
"""Where container engines put their networks by default."""


class _Asker(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.seen: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        try:
            answer = stun.parse_message(data)
        except ValueError:
            return
        seen = answer.attributes.get("XOR-MAPPED-ADDRESS")
        if seen and not self.seen.done():
            self.seen.set_result(seen[0])

    def error_received(self, exc: Exception) -> None:
        if not self.seen.done():
            self.seen.set_exception(exc)


async def seen_by(host: str, port: int) -> str | None:
    """By which address a STUN server sees this machine; None if it does not answer."""
    loop = asyncio.get_running_loop()
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    try:
        transport, asker = await loop.create_datagram_endpoint(_Asker, remote_addr=(host, port))
    except OSError:
        return None
    try:
        for _ in range(TRIES):
            transport.sendto(bytes(request))
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    return await asyncio.shield(asker.seen)
        return None
    except OSError:  # nobody listens on that port
        return None
    finally:
        asker.seen.cancel()
        transport.close()


async def own_addresses() -> list[str]:
    """The addresses of this machine that a native peer would tell others of."""
    connection = Connection(ice_controlling=True)
    try:
        await connection.gather_candidates()
        found = {c.host for c in connection.local_candidates if c.type == "host"}
    finally:
        await connection.close()
    return sorted(found)


def in_container() -> bool:
    """Whether this machine is a container."""
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


async def examine(server: tuple[str, int] | None, *, advertised: bool) -> AsyncIterator[Finding]:
    """What there is to say of the way to this machine, and from it; ``advertised``: whether the
    operator has named an address at which its peers are reached."""
    own = await own_addresses()
    if server is None:
        yield doubt(
            "stun",
            "The tracker names no STUN server, so viewers behind a router can link to those of the "
            "same router alone.",
            "Leave tracker.stun on, and open the server's UDP port of the same number.",
        )
    else:
        host, port = server
        seen = await seen_by(host, port)
        yield _stun(host, port, seen, own)
    yield _addresses(own, advertised)


def _stun(host: str, port: int, seen: str | None, own: list[str]) -> Finding:
    if seen is None:
        return wrong(
            "stun",
            f"No STUN server answers at UDP port {port} of {host}: viewers behind a router never "
            "learn by which address they are reached, and cannot link.",
            f"Open UDP port {port} in the firewall, and publish it if the server is a container "
            f"(-p {port}:{port}/udp). Proxies for HTTP do not pass it on.",
        )
    if ipaddress.ip_address(seen).is_loopback:
        return good("stun", "The STUN server answers (what it sees of others, only they can tell).")
    if seen in own:
        return good(
            "stun", f"The STUN server sees this machine by its own address, {seen}: no NAT."
        )
    return good("stun", f"The STUN server sees this machine behind a NAT, by {seen}.")


def _addresses(own: list[str], advertised: bool) -> Finding:
    if not own:
        return wrong(
            "addresses",
            "This machine is in no network but loopback: a native peer here meets nobody.",
            "Connect it to a network.",
        )
    bridged = all(ipaddress.ip_address(address) in _BRIDGES for address in own)
    if in_container() and bridged and not advertised:
        return doubt(
            "addresses",
            f"This is a container ({', '.join(own)}): other machines, and browsers of a host with "
            "Docker Desktop, cannot reach a native peer in it.",
            "Let it use the host's network, or offer a relay (tracker.turn), or name an address "
            "that leads to it (peer.advertise).",
        )
    return good("addresses", f"A native peer here is reached by {', '.join(own)}.")
