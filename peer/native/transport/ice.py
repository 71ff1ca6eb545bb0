"""ICE as we want it from aioice: which addresses are gathered, and when the other end has vanished.

Everything that reaches into aioice's `Connection` behind its public face is in this file:

- It gathers nothing on a machine that has only a loopback interface, waits five seconds for a STUN
  server that one of several interfaces cannot reach, and tells no address before all are found. So
  we choose the addresses, describe ourselves at once, and let what STUN says trickle.
- Its queue of datagrams is unbounded, and filled by whoever finds the port. Of each datagram aiortc
  then reads one DTLS record: what else there is stays in OpenSSL's memory for ever. One without a
  byte ends the link.
- It gives up a peer that has vanished after half a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio.staggered import staggered_race
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from ipaddress import ip_address

from aioice import stun
from aioice.candidate import Candidate, candidate_foundation, candidate_priority
from aioice.ice import Connection, StunProtocol, get_host_addresses
from aioice.turn import create_turn_endpoint

from p2pcdn.core.signaling import CONNECT_TIMEOUT
from p2pcdn.model import ROUTES, Route
from peer.native.transport import Relay

MOST_ADDRESSES = 6
"""A tracker passes ten candidates on: room for what STUN and ``advertise`` add."""
LOOPBACK = "127.0.0.1"
MOST_QUEUED = 2_048
"""Datagrams that wait to be read; more are dropped, as a full socket buffer would drop them."""
MOST_BYTES = 2_048
"""A longer datagram is dropped. WebRTC sends none above 1,500 bytes, which is what most networks
carry."""
STUN_TRIES = 3
"""A STUN request is sent so often again, over 7.5 s (RFC 8489, 6.2.1 with its RTO of 0.5 s)."""
REFRESH = 15.0
"""Seconds after which a NAT's binding is refreshed while nobody has called yet; routers forget
them after 30 s and more."""
STAGGER = 0.25
"""Seconds after which the next relay is asked as well (RFC 8305, 8)."""
RELAYS_WITHIN = 3 / 8 * CONNECT_TIMEOUT
"""Seconds that all of them have: both ends of a link ask theirs, one after the other, and it has to
come about in what is left."""
QUIET = 2.0
"""Seconds without a datagram after which the other end is asked whether it is still there."""
QUIET_TRIES = 2
"""How often again before it counts as vanished: 3.5 s in all."""

_DTLS = range(20, 27)
"""The first byte of a DTLS record: its content type."""
_RECORD_HEADER = 13

DISCARD = 9
"""The port that stands for none."""
COMPONENT = 1
"""Of the two that RTP once had, a data-channel session has only the first."""


class DatagramQueue(asyncio.Queue[tuple[bytes, int] | None]):
    """What arrives, in place of aioice's own queue: bounded, and it counts."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = 0

    def put_nowait(self, item: tuple[bytes, int] | None) -> None:
        if item is None:  # the end
            super().put_nowait(None)
            return
        self.arrived += 1
        data, component = item
        if len(data) > MOST_BYTES:
            return
        for record in _records_of(data):
            if self.qsize() < MOST_QUEUED:
                super().put_nowait((record, component))


def _records_of(datagram: bytes) -> Iterator[bytes]:
    """A datagram's DTLS records, each alone (RFC 6347, 4.1); anything else as it is."""
    while datagram:
        end = len(datagram)
        if datagram[0] in _DTLS and end > _RECORD_HEADER:
            length = int.from_bytes(datagram[_RECORD_HEADER - 2 : _RECORD_HEADER], "big")
            end = min(end, _RECORD_HEADER + length)
        yield datagram[:end]
        datagram = datagram[end:]


def local_addresses(preferred: str | None) -> list[str]:
    """The machine's addresses to be reached at, the preferred one first if it is one of them.

    Loopback is for machines that have nothing else.
    """
    addresses = get_host_addresses(use_ipv4=True, use_ipv6=True) or [LOOPBACK]
    addresses.sort(key=lambda address: (address != preferred, ":" in address))
    return addresses[:MOST_ADDRESSES]


def multicast_addresses() -> list[str]:
    """The IPv4 addresses of the interfaces that other machines may be asked on."""
    return get_host_addresses(use_ipv4=True, use_ipv6=False)


async def gather(connection: Connection, addresses: list[str]) -> None:
    """Open a socket on each address. Done before aiortc would gather by itself."""
    connection._queue = DatagramQueue()
    connection._local_candidates_start = True
    connection._local_candidates += await connection.get_component_candidates(COMPONENT, addresses)
    connection._local_candidates_end = True


async def gather_relayed(
    connection: Connection, relays: Iterable[Relay], leaving: set[asyncio.Task[None]]
) -> None:
    """Open a socket at one relay, and nowhere else: the first that lets us in.

    They are asked in their order. One that cannot be reached from here says nothing, and a link has
    not the time to wait for that: so each has a start on the next, and no more. What lets us in
    when we no longer need it is left again; who does that is in ``leaving``.
    """
    connection._queue = DatagramQueue()
    connection._local_candidates_start = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(RELAYS_WITHIN):
            asking = [partial(_let_in, connection, relay, leaving) for relay in relays]
            protocol, _, _ = await staggered_race(asking, STAGGER)
            if protocol is not None:
                connection._protocols.append(protocol)
                connection._local_candidates.append(protocol.local_candidate)
    connection._local_candidates_end = True


async def _let_in(
    connection: Connection, relay: Relay, leaving: set[asyncio.Task[None]]
) -> StunProtocol:
    """A socket at a relay; whatever error it is, there is none."""
    entering = asyncio.create_task(_enter(connection, relay))
    try:
        protocol = await asyncio.shield(entering)
    except asyncio.CancelledError:
        # The relay may let us in all the same, and would keep a port for us for ten minutes.
        task = asyncio.create_task(_leave(entering))
        leaving.add(task)
        task.add_done_callback(leaving.discard)
        raise
    host, port = protocol.transport.get_extra_info("sockname")
    # Where we are ourselves is for nobody to know (RFC 8839, 5.1).
    nowhere = "0.0.0.0" if _version(host) == 4 else "::"
    protocol.local_candidate = _candidate("relay", host, port, (nowhere, DISCARD))
    return protocol


async def _enter(connection: Connection, relay: Relay) -> StunProtocol:
    async with asyncio.timeout(RELAYS_WITHIN):
        _, protocol = await create_turn_endpoint(
            lambda: StunProtocol(connection),
            server_addr=(relay.host, relay.port),
            username=relay.username,
            password=relay.credential,
            ssl=relay.tls,
            transport=relay.transport,
        )
    return protocol


async def _leave(entering: asyncio.Task[StunProtocol]) -> None:
    """Give back what a relay gives us, if it does."""
    try:
        protocol = await entering
    except (Exception, asyncio.CancelledError):  # noqa: BLE001 - nothing was given
        return
    await protocol.close()


def route_of(connection: Connection) -> Route | None:
    """By which kind of way what is sent goes; None if that is not known."""
    pair = connection._nominated.get(COMPONENT)
    if pair is None:
        return None
    kinds = pair.local_candidate.type, pair.remote_candidate.type
    return next((route for route in ROUTES if route in kinds), None)


def advertised(connection: Connection, addresses: Iterable[str]) -> list[str]:
    """Candidates for the addresses by which others reach us, at the ports that we have opened."""
    bases = [protocol.local_candidate for protocol in connection._protocols]
    return [
        _attribute("host", address, base.port)
        for base in bases
        for address in addresses
        if _version(address) == _version(base.host) and address != base.host
    ]


async def reflect(
    connection: Connection, server: tuple[str, int], found: Callable[[str], None]
) -> None:
    """Tell by what addresses the world sees us, and keep NATs awake, until cancelled.

    A server that cannot be reached from one of our addresses costs the others nothing.
    """
    bases = list(connection._protocols)
    await asyncio.gather(*(_reflect(base, server, found) for base in bases))


async def _reflect(
    base: StunProtocol, server: tuple[str, int], found: Callable[[str], None]
) -> None:
    host, port = base.local_candidate.host, base.local_candidate.port
    address = await _resolve(server, _version(host))
    told: object = (host, port)
    while address is not None:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        try:
            response, _ = await base.request(request, address, retransmissions=STUN_TRIES)
        except stun.TransactionError:
            return
        mapped = response.attributes.get("XOR-MAPPED-ADDRESS")
        if mapped is None:
            return
        if mapped != told:
            told = mapped
            found(_attribute("srflx", mapped[0], mapped[1], related=(host, port)))
        await asyncio.sleep(REFRESH)


async def _resolve(server: tuple[str, int], version: int) -> tuple[str, int] | None:
    """The server's address in a family, if it has one there."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            server[0], server[1], family=family, type=socket.SOCK_DGRAM
        )
    except OSError:
        return None
    address = found[0][4]
    return str(address[0]), int(address[1])


async def vanished(connection: Connection) -> None:
    """Return once the other end of an established connection has been silent for too long.

    What asks is a check of consent (RFC 7675), only sooner than that RFC would have it.
    """
    queue = connection._queue
    assert isinstance(queue, DatagramQueue)
    while True:
        arrived = queue.arrived
        await asyncio.sleep(QUIET)
        if queue.arrived != arrived:
            continue
        pair = connection._nominated.get(COMPONENT)
        if pair is None or connection.remote_password is None:
            return
        request = connection.build_request(pair, nominate=False)
        key = connection.remote_password.encode()
        try:
            await pair.protocol.request(
                request, pair.remote_addr, integrity_key=key, retransmissions=QUIET_TRIES
            )
        except stun.TransactionError:
            return


def _attribute(kind: str, host: str, port: int, related: tuple[str, int] | None = None) -> str:
    return f"candidate:{_candidate(kind, host, port, related).to_sdp()}"


def _candidate(
    kind: str, host: str, port: int, related: tuple[str, int] | None = None
) -> Candidate:
    return Candidate(
        foundation=candidate_foundation(kind, "udp", host),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, kind),
        host=host,
        port=port,
        type=kind,
        related_address=related[0] if related else None,
        related_port=related[1] if related else None,
    )


def _version(host: str) -> int:
    return ip_address(host).version
